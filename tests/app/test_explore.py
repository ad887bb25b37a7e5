"""Journeys on the home screen: keys in, session and lines out."""

from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from tests.app.conftest import MakeApp
from vram_tui.app.app import VramApp
from vram_tui.app.screens.explore import Explore
from vram_tui.quantities import format_memory
from vram_tui.session.settings import Settings
from vram_tui.session.storage import Store


def home(app: VramApp) -> Explore:
    screen = app.screen
    assert isinstance(screen, Explore)
    return screen


async def type_text(pilot: Pilot[Any], text: str) -> None:
    names = {" ": "space", ">": "greater_than_sign", "<": "less_than_sign", "=": "equals_sign", ".": "full_stop"}
    for sign in text:
        await pilot.press(names.get(sign, sign))


async def test_moving_in_the_list_changes_sheet_grid_and_breakdown(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        assert "GLM-5.1" in home(app).spec.text
        before = home(app).grid.text
        await pilot.press("down", "down")
        assert app.session.model == "zai-org/GLM-4.7-Flash"
        assert "GLM-4.7-Flash" in home(app).spec.text
        assert home(app).grid.text != before


async def test_letters_in_the_filter_are_text_and_arrows_move_the_list(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "qwen3 moe")
        assert app.session.filter == "qwen3 moe"
        first = app.session.model
        assert first.startswith("Qwen/")
        await pilot.press("down", "enter")
        assert app.session.model != first
        assert app.session.filter == "qwen3 moe"
        await pilot.press("escape")
        assert app.session.filter == ""


async def test_a_burst_after_the_filter_key_is_text_in_order(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        for sign in "/gemma":
            app.post_message(events.Key("slash" if sign == "/" else sign, sign))
        await pilot.pause(0.1)
        assert app.session.filter == "gemma"


async def test_a_filter_that_moves_the_selection_moves_every_figure(make_app: MakeApp) -> None:
    app = make_app("Qwen/Qwen3-8B")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.2)
        app.look(filter="qwen3-30b")  # with no other key waiting
        assert app.session.model == "Qwen/Qwen3-30B-A3B"
        cells = app.answers.cells(app.session, app.session.selected_row)
        assert home(app).grid.cells[app.session.row] == cells
        total = format_memory(cells[app.session.column].bytes or 0, "gib")
        assert f"{total} GiB" in home(app).breakdown.text


async def test_a_paste_into_the_filter_is_one_search(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        app.post_message(events.Paste("gemma 3\nrm -rf"))
        await pilot.pause(0.1)
        assert app.session.filter == "gemma 3"


async def test_no_match_says_so_and_the_sheet_stays(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "zzzz")
        assert "no model matches" in home(app).models.text
        assert "GLM-5.1" in home(app).spec.text
        await pilot.press("escape")
        assert app.session.model == "zai-org/GLM-5.1"


async def test_a_context_is_retyped_refused_and_undone(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "e")
        assert home(app).field.value == "32K"
        await pilot.press("ctrl+u")
        await type_text(pilot, "9zz")
        await pilot.press("enter")
        assert "is no context" in home(app).footer.text
        assert home(app).field.has_class("refused")
        assert app.session.grid.contexts[2] == 32768
        await pilot.press("ctrl+u")
        await type_text(pilot, "64k")
        await pilot.press("enter")
        assert app.session.grid.contexts[2] == 65536
        assert "64K" in home(app).grid.text
        await pilot.press("u")
        assert app.session.grid.contexts[2] == 32768
        await pilot.press("U")
        assert app.session.grid.contexts[2] == 65536


async def test_rows_are_added_reordered_and_removed(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "a")
        await type_text(pilot, "4.25")
        await pilot.press("enter")
        assert app.session.grid.rows[4].asked == "bpw:4.25"
        assert "custom" in home(app).grid.text
        assert "4.25" in home(app).grid.text
        await pilot.press("less_than_sign")
        assert app.session.grid.rows[3].asked == "bpw:4.25"
        await pilot.press("minus")
        assert all(row.bits is None for row in app.session.grid.rows)


async def test_bits_of_a_row_are_edited_in_their_column(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "home", "home", "right", "enter")
        await type_text(pilot, "5.5")
        await pilot.press("enter")
        assert app.session.grid.rows[3].bits == 5.5
        assert app.session.grid.rows[3].quant == "Q4_K_M"


async def test_a_format_that_the_runtime_cannot_load_says_who_can(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n", "enter", "ctrl+u")
        await type_text(pilot, "vllm")
        await pilot.press("enter")
        assert app.session.scenario.runtime == "vllm"
        assert "llama.cpp" in home(app).breakdown.text
        assert "vllm" in home(app).breakdown.text


async def test_the_rule_of_thumb_gives_the_figures_of_the_page(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("m", "v")
        text = home(app).grid.text
        for figure in ("390.0", "429.7", "779.8", "819.5", "1559.2", "1598.9"):
            assert figure in text
        assert "bytes per weight" in home(app).chips.text
        assert "published" in home(app).chips.text


async def test_difference_shows_how_far_the_rule_is_off(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("m", "m")
        assert "difference" in home(app).chips.text
        assert "rule of thumb" in home(app).breakdown.text
        assert "+" in home(app).grid.text


async def test_a_target_gives_every_cell_a_verdict(make_app: MakeApp) -> None:
    app = make_app("Qwen/Qwen3-30B-A3B")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("t")
        await type_text(pilot, "rtx-4090")
        await pilot.press("enter")
        assert app.session.target == "rtx-4090"
        assert "fits on rtx-4090" in home(app).breakdown.text
        await pilot.press("t", "ctrl+u")
        await type_text(pilot, "no such card")
        await pilot.press("enter")
        assert home(app).field.is_open
        assert app.session.target == "rtx-4090"


async def test_the_family_stands_alone_by_one_key(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("o")
        assert {item.heading for item in home(app).models.items} == {"GLM"}
        await pilot.press("o")
        assert len({item.heading for item in home(app).models.items}) > 5


@pytest.mark.parametrize("sort", ["release", "parameters", "memory", "fit"])
async def test_every_order_lists_every_model(make_app: MakeApp, sort: str) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        while app.session.sort != sort:
            await pilot.press("s")
        models = [item.model for item in home(app).models.items]
        assert len(models) == len(app.library.entries)
        if sort == "parameters":
            assert models == sorted(models, key=lambda model: -model.parameters)


async def test_small_sizes_are_tabs_and_smaller_ones_say_so(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert home(app).grid.display
        assert not home(app).spec.display
        await pilot.press("2")
        assert home(app).spec.display
        assert "Q4_K_M" in home(app).breakdown.text
        await pilot.resize_terminal(50, 10)
        await pilot.pause()
        assert home(app).has_class("-tiny")
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert home(app).spec.display
        assert home(app).grid.display


async def test_a_start_brings_back_what_was_left(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(store=Store.at(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("down", "space", "m", "q")
    again = make_app("", store=Store.at(tmp_path))
    async with again.run_test(size=(120, 40)):
        assert again.session.model == "zai-org/GLM-5"
        assert again.session.marks == ("zai-org/GLM-5",)
        assert again.session.scenario.method == "bytes-per-weight"


async def test_own_keys_work_and_faults_are_told(make_app: MakeApp) -> None:
    app = make_app(settings=Settings(keys={"units": ("B",), "mehtod": ("M",)}))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "did you mean method?" in home(app).footer.text
        await pilot.press("B")
        assert app.session.units == "gb"
        assert "Requirements, GB" in str(home(app).grid.border_title)


async def test_a_key_that_cannot_work_says_why(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("u")
        assert "nothing to undo" in home(app).footer.text
        await pilot.press("L", "escape", "f")
        assert "not on this screen" in home(app).footer.text


async def test_help_and_palette_open_and_close(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("question_mark")
        assert app.screen.name_in_registry == "help"  # type: ignore[attr-defined]
        await pilot.press("escape")
        await pilot.press("colon")
        await pilot.pause(0.2)
        assert type(app.screen).__name__ == "Palette"
        await pilot.press("escape")
        await pilot.pause()
        home(app)


async def test_plain_signs_alone_where_asked(make_app: MakeApp) -> None:
    app = make_app(ascii=True, target="rtx-4090")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        screen = home(app)
        for panel in (screen.chips, screen.models, screen.grid, screen.breakdown, screen.footer):
            assert panel.text.isascii(), panel.text
