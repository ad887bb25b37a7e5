"""Find the right hardware and what fits from the keyboard: three questions, targets, filters, orders, detection."""

import asyncio
import threading
import time
from time import perf_counter
from typing import Any

import pytest
from textual import events

from tests.app.conftest import MakeApp
from tests.app.ranking import NOTE, at_hand, bare, laptop, ranked
from tests.app.sharing import shown, told, type_text
from vram_tui.app.app import VramApp
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.hardware import HEADINGS, Hardware
from vram_tui.app.screens.plan import PlanScreen
from vram_tui.app.screens.what_fits import WhatFits
from vram_tui.app.widgets.line_panel import width_of
from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.estimator.fits import Fitter, ModelFit
from vram_tui.estimator.subject import Subject
from vram_tui.hardware.detect import Detection
from vram_tui.session.answers import Answers
from vram_tui.session.local import LocalMachine
from vram_tui.session.settings import Settings

__all__ = ["at_hand"]

GEMMA, GLM, QWEN = "google/gemma-3-27b-it", "zai-org/GLM-5.1", "Qwen/Qwen3-30B-A3B"
SIZES = [(80, 24), (120, 40)]


class Keys:
    """Counts what a person does: a key is one, a typed text is one."""

    def __init__(self, pilot: Any) -> None:
        self._pilot = pilot
        self.count = 0

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)
        self.count += len(keys)

    async def type(self, text: str) -> None:
        await type_text(self._pilot, text)
        self.count += 1


def line_with(app: VramApp, words: str) -> str:
    return next(line for line in shown(app).splitlines() if words in line and "/" not in line[:1])


# The three questions, in at most five keys each


@pytest.mark.parametrize("size", SIZES)
async def test_what_runs_on_two_rtx_3090(make_app: MakeApp, at_hand: LocalMachine, size: tuple[int, int]) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=size) as pilot:
        keys = Keys(pilot)
        await keys.press("w", "t")
        await keys.type("2x rtx 3090")
        await keys.press("enter")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        assert keys.count <= 5
        fitting = [one for one in screen.rows if one.fit in ("fits", "tight")]
        assert {"Qwen/Qwen3-30B-A3B", "google/gemma-3-27b-it"} <= {one.model for one in fitting}
        assert GLM not in {one.model for one in fitting}
        assert "2x GeForce RTX 3090" in shown(app)
        assert "47.1 GiB" in shown(app)
        first = screen.rows[0]
        line = line_with(app, first.model.rpartition("/")[2][:12])
        assert first.quant in line


@pytest.mark.parametrize("size", SIZES)
async def test_the_cheapest_way_to_run_glm_5_1_at_128k(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=size) as pilot:
        keys = Keys(pilot)
        await keys.press("slash")
        await keys.type("glm-5.1")
        await keys.press("enter", "g", "right")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        assert keys.count <= 5
        assert "GLM-5.1  Q4_K_M at 128K" in shown(app)
        cheapest = min(
            (one for one in screen.rows if one.fits and one.price_usd is not None), key=lambda one: one.price_usd or 0.0
        )
        assert screen.rows[0] is cheapest
        assert cheapest.used_bytes <= cheapest.usable_bytes
        line = line_with(app, cheapest.machine.name)
        assert f"${cheapest.price_usd:,.0f}" in line
        assert "to buy" in shown(app)
        by_the_hour = [one for one in screen.rows if one.fits and one.machine.price_usd_hour]
        rented = min(by_the_hour, key=lambda one: one.machine.price_usd_hour or 0.0)
        assert f"to rent {rented.text}" in shown(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_largest_context_of_qwen3_30b_on_this_laptop(
    make_app: MakeApp, at_hand: LocalMachine, size: tuple[int, int]
) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=size) as pilot:
        keys = Keys(pilot)
        await keys.press("w", "slash")
        await keys.type("qwen3-30b-a3b")
        await keys.press("enter")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        assert keys.count <= 5
        assert [one.model for one in screen.rows] == [QWEN]
        one = screen.rows[0]
        assert one.fit == "offload"
        assert "This machine: GeForce RTX 4060 Laptop" in shown(app)
        reach = min(one.largest_ctx, one.native_ctx)
        assert f"{reach >> 10}K" in line_with(app, "Qwen3-30B-A3B")


# Hardware


async def test_a_row_becomes_the_target_and_the_cells_follow(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        before = shown(app)
        assert "to spare" not in before
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        await pilot.press("down", "t")
        assert app.session.target == screen.rows[1].text
        assert screen.rows[1].text in told(app)
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)
        assert screen.rows[1].text in shown(app)
        await pilot.press("u")
        assert app.session.target == ""


async def test_enter_opens_the_plan_and_enter_again_takes_its_machine(make_app: MakeApp) -> None:
    app = make_app(GLM)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        await pilot.press("slash")
        await type_text(pilot, "h200 node")
        await pilot.press("enter")
        node = screen.chosen
        assert node is not None
        assert node.fits
        await pilot.press("enter")
        assert isinstance(app.screen, PlanScreen)
        text = shown(app)
        assert node.machine.name in text
        assert "Memory" in text
        assert "llama-server" in text
        await pilot.press("enter")
        assert app.session.target == node.text
        # The target is no part of the question: the ranking stands as it was.
        assert screen.chosen == node


async def test_the_plan_says_why_not_fewer(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g", "slash")
        await type_text(pilot, "rtx 3060 12gb")
        await pilot.press("enter")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        assert screen.chosen is not None
        assert screen.chosen.count > 1
        await pilot.press("enter")
        fewer = shown(app).split("Why not fewer")[1]
        assert "needs" in fewer
        assert "GiB can be used" in fewer


async def test_a_server_s_plans_are_listed(make_app: MakeApp) -> None:
    app = make_app(GLM)
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("g", "e", "ctrl+u")
        await type_text(pilot, "fp8 32k")
        await pilot.press("enter", "n")
        await pilot.press("e", "ctrl+u")
        await type_text(pilot, "vllm")
        await pilot.press("enter", "escape", "slash")
        await type_text(pilot, "h200 node")
        await pilot.press("enter")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        assert screen.asked.scenario.runtime == "vllm"
        assert screen.asked.row.quant == "FP8"
        await pilot.press("enter")
        text = shown(app)
        assert "Plans" in text
        assert "tp=8" in text
        assert "vllm serve" in text


async def test_a_filter_narrows_by_kind_vendor_and_words_and_esc_clears_it(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        whole = len(screen.rows)
        await pilot.press("slash")
        await type_text(pilot, "amd consumer fits")
        await pilot.press("down")
        assert screen.ranking.cursor == 1
        await pilot.press("enter")
        assert screen.rows
        assert all(one.offer.vendor == "AMD" and one.offer.kind == "consumer" and one.fits for one in screen.rows)
        await pilot.press("escape")
        assert len(screen.rows) == whole
        await pilot.press("slash")
        await type_text(pilot, "nothing is called this")
        await pilot.press("enter")
        assert "no hardware matches" in shown(app)
        await pilot.press("enter", "equals_sign", "t")
        assert app.screen is screen


async def test_s_goes_through_the_orders(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        await pilot.press("s")
        assert told(app) == "sorted by speed"
        fast = [one.decode_tok_s or 0.0 for one in screen.rows if one.fits]
        assert fast == sorted(fast, reverse=True)
        await pilot.press("s")
        watts = [one.machine.tdp_w for one in screen.rows if one.fits and one.machine.tdp_w]
        assert watts == sorted(watts)


async def test_left_and_right_ask_for_another_context_and_explore_goes_along(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        needed = {one.offer.id: one.used_bytes for one in screen.rows if one.count == 1}
        column = app.session.column
        await pilot.press("right")
        await ranked(pilot)
        assert app.session.column == column + 1
        more = {one.offer.id: one.used_bytes for one in screen.rows if one.count == 1}
        both = needed.keys() & more.keys()
        assert both
        assert all(more[known] > needed[known] for known in both)


async def test_equals_explains_the_cell_on_the_row_s_machine(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        asked = screen.launch_cell()
        assert screen.chosen is not None
        assert asked.scenario.machine == screen.chosen.machine
        await pilot.press("equals_sign")
        assert app.screen.name_in_registry == "explain"  # type: ignore[attr-defined]


async def test_a_cell_that_no_runtime_loads_says_why(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g", "e", "ctrl+u")
        await type_text(pilot, "fp8")
        await pilot.press("enter")
        await pilot.pause(0.05)
        assert "does not load FP8" in shown(app)


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (100, 30), (120, 40), (200, 50)])
async def test_columns_leave_whole_and_no_figure_is_cut(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app(GLM)
    async with app.run_test(size=size) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        assert isinstance(screen, Hardware)
        width = screen.ranking.size.width
        kept = screen.ranking.shown_headings(width)
        assert kept
        ranks = {one.rank for one in HEADINGS}
        assert {one.rank for one in kept} == set(sorted(ranks)[: len(kept)])
        assert all(width_of(line) <= width for line in screen.ranking.lines)
        for index in range(len(screen.rows)):
            row = screen.ranking.row(index)
            for heading in kept:
                assert len(row.cells[heading.id][0]) <= heading.width, (row.name, heading.id)


async def test_the_rankings_lead_to_each_other_without_piling_up(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g")
        hardware = await ranked(pilot)
        await pilot.press("g")
        assert app.screen is hardware
        await pilot.press("w")
        fits = await ranked(pilot)
        assert isinstance(fits, WhatFits)
        await pilot.press("right", "g")
        assert app.screen is hardware
        await ranked(pilot)
        # The context changed meanwhile: the ranking below follows.
        assert "at 128K" in shown(app)
        assert isinstance(hardware, Hardware)
        assert hardware.asked.tokens == 1 << 17
        await pilot.press("w")
        await ranked(pilot)
        await pilot.press("enter")
        assert isinstance(app.screen, Explore)
        assert len(app.screen_stack) == 1


# What fits


async def test_enter_goes_to_the_model_with_the_cell_selected(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        await pilot.press("down", "down")
        one = screen.chosen
        assert one is not None
        await pilot.press("enter")
        assert isinstance(app.screen, Explore)
        assert app.session.model == one.model
        assert app.session.selected_row.quant == one.quant
        assert app.session.selected_context == 1 << 15


async def test_the_machine_at_hand_is_read_aside_and_its_faults_are_told(
    make_app: MakeApp, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()

    def slow(catalogue: HardwareCatalogue) -> Detection:
        waiting.wait(10)
        return bare(catalogue)

    monkeypatch.setattr(answers, "local", LocalMachine(slow))
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        assert answers.local.detection is None
        await pilot.press("w")
        await pilot.pause(0.05)
        assert "reading what this machine has" in shown(app)
        # Keys are answered while the reader hangs.
        await pilot.press("b")
        assert app.session.units == "gb"
        await pilot.press("b")
        waiting.set()
        screen = await ranked(pilot)
        text = shown(app)
        assert "no GPU found" in text
        assert "RAM 16.0 GiB" in text
        assert isinstance(screen, WhatFits)
        assert screen.rows[0].usable_bytes == 16 << 30


async def test_a_reader_s_fault_stands_on_the_screen(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        await ranked(pilot)
        assert f"{NOTE.reader}: {NOTE.text}" in shown(app)


async def test_nothing_is_read_before_it_is_asked_for(
    make_app: MakeApp, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalMachine(laptop)
    monkeypatch.setattr(answers, "local", local)
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.1)
        assert local.detection is None


async def test_a_target_called_local_is_read_after_the_first_paint(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA, target="local")
    async with app.run_test(size=(120, 40)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause(0.05)
        assert at_hand.machine is not None
        scenario = app.answers.scenario(app.session)
        assert scenario.machine == at_hand.machine
        cells = app.answers.cells(app.session, app.session.selected_row)
        assert all(cell.fit for cell in cells if cell.bytes is not None)


@pytest.mark.parametrize("where", ["options", "settings"])
async def test_the_machine_can_be_named_from_outside(make_app: MakeApp, at_hand: LocalMachine, where: str) -> None:
    named = "2x rtx-3090"
    app = make_app(GEMMA, target=named) if where == "options" else make_app(GEMMA, settings=Settings(gpus=named))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        await ranked(pilot)
        assert "2x GeForce RTX 3090" in shown(app)
        assert at_hand.detection is None
        # An empty text goes back to the machine at hand.
        await pilot.press("t", "ctrl+u", "enter")
        await ranked(pilot)
        assert "This machine" in shown(app)


async def test_free_memory_on_request(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        assert "7.61 GiB usable" in shown(app)
        await pilot.press("F")
        await ranked(pilot)
        assert "5.00 GiB free" in shown(app)
        assert all(one.usable_bytes == 5 << 30 for one in screen.rows)
        await pilot.press("F")
        await ranked(pilot)
        assert "7.61 GiB usable" in shown(app)


async def test_unknown_hardware_is_refused_in_place(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w", "t")
        await type_text(pilot, "rtx 3091")
        await pilot.press("enter")
        assert "did you mean" in told(app)
        assert app.session.target == ""
        await pilot.press("escape")
        await ranked(pilot)


async def test_marks_for_a_comparison_are_set_here_too(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        await pilot.press("space", "down", "space")
        assert app.session.marks == tuple(one.model for one in screen.rows[:2])


async def test_rankings_leave_as_tables(make_app: MakeApp, at_hand: LocalMachine) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        screen = await ranked(pilot)
        assert isinstance(screen, WhatFits)
        table = screen.export_table()
        assert len(table.rows) == len(screen.rows)
        assert table.rows[0][0].raw == screen.rows[0].model
        assert table.rows[0][2].raw == screen.rows[0].used_bytes
        await pilot.press("escape", "g")
        hardware = await ranked(pilot)
        assert isinstance(hardware, Hardware)
        rows = hardware.export_table().rows
        assert rows[0][0].raw == hardware.rows[0].text
        assert rows[0][2].raw == hardware.rows[0].used_bytes


async def test_a_key_in_a_ranking_is_answered_at_once(make_app: MakeApp) -> None:
    app = make_app(GLM)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        screen = await ranked(pilot)
        start = perf_counter()
        for _ in range(20):
            screen.ranking.do_down()
        assert screen.ranking.cursor == 20
        assert (perf_counter() - start) / 20 < 0.02


async def test_keys_have_their_turn_while_a_ranking_runs(
    make_app: MakeApp, at_hand: LocalMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Fitter, subject: Subject) -> ModelFit:
        time.sleep(0.1)
        return usual(self, subject)

    usual = Fitter.fit
    monkeypatch.setattr(Fitter, "fit", slow)
    app = make_app(target="rtx-4090")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.post_message(events.Key("w", "w"))
        await asyncio.sleep(0.3)
        app.post_message(events.Key("escape", None))
        await asyncio.sleep(0.3)
        screen = app.screen
        assert isinstance(screen, WhatFits)
        assert not screen.working
        assert "stopped" in screen.footer.text
        assert len(screen.fits) < len(app.library.entries)


async def test_a_long_ranking_shows_what_it_has_so_far(
    make_app: MakeApp, at_hand: LocalMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Fitter, subject: Subject) -> ModelFit:
        time.sleep(0.05)
        return usual(self, subject)

    usual = Fitter.fit
    monkeypatch.setattr(Fitter, "fit", slow)
    monkeypatch.setattr("vram_tui.app.screens.ranked.SHOWN_EVERY_SECONDS", 0.1)
    app = make_app(target="rtx-4090")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.post_message(events.Key("w", "w"))
        await asyncio.sleep(0.6)
        screen = app.screen
        assert isinstance(screen, WhatFits)
        assert screen.working
        assert 0 < len(screen.fits) < len(app.library.entries)
        assert "the first" in str(screen.ranking.border_subtitle)
        app.post_message(events.Key("down", None))
        await asyncio.sleep(0.1)
        chosen = screen.chosen
        assert chosen is not None
        await ranked(pilot)
        assert len(screen.fits) == len(app.library.entries)
        assert "the first" not in str(screen.ranking.border_subtitle)
        assert screen.chosen is not None
        assert screen.chosen.model == chosen.model, "the cursor stays on the model that the person chose"
