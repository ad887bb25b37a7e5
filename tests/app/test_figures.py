"""Every figure answers: cells of grid and comparison are the sum of their terms, counts of the sheet of their parts."""

from dataclasses import replace
from typing import Any

import pytest

from tests.app.conftest import MakeApp
from tests.app.library import Sample
from tests.app.sharing import shown, told
from vram_tui.app.app import VramApp
from vram_tui.app.screens.about import About
from vram_tui.app.screens.compare import Compare
from vram_tui.app.screens.explain import Explain
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.plot import PlotScreen
from vram_tui.session.answers import Answers
from vram_tui.session.explaining import Asked, Part, asked_in_grid, explain, worked
from vram_tui.session.state import Session

THREE = ("zai-org/GLM-4.7-Flash", "google/gemma-3-27b-it", "openai/gpt-oss-20b")


def opened(app: VramApp) -> Explain:
    screen = app.screen
    assert isinstance(screen, Explain)
    return screen


@pytest.mark.parametrize("method", ["exact", "bytes-per-weight", "difference"])
async def test_every_cell_of_the_grid_is_the_sum_of_its_terms(make_app: MakeApp, method: str) -> None:
    app = make_app("Qwen/Qwen3-Next-80B-A3B-Instruct")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", *(["m"] * ["exact", "bytes-per-weight", "difference"].index(method)))
        home = app.screen
        assert isinstance(home, Explore)
        for row in range(len(app.session.grid.rows)):
            for column in range(len(app.session.grid.contexts)):
                app.look(row=row, column=column)
                targets, at = home.explain_targets()
                found = explain(app.answers, targets[at])
                cell = app.answers.cells(app.session, app.session.grid.rows[row])[column]
                assert found.total == cell.bytes == sum(part.value for part in found.parts)
                assert all(part.formula for part in found.parts)


async def test_every_cell_of_the_comparison_is_the_sum_of_its_terms(make_app: MakeApp) -> None:
    app = make_app(THREE[0])
    async with app.run_test(size=(120, 40)) as pilot:
        app.look(marks=THREE, columns=(THREE[0], f"{THREE[1]}@Q8_0 kv=q8_0", THREE[2]))
        await pilot.press("c")
        screen = app.screen
        assert isinstance(screen, Compare)
        for _ in range(2):
            table, summed = screen.table, 0
            for line in range(table.count):
                for column in range(len(table.headings)):
                    table.line, table.column = line, column
                    targets, at = screen.explain_targets()
                    if table.picking:
                        assert not targets
                        continue
                    found = explain(app.answers, targets[at])
                    value = table.current.values[column] if table.current else None
                    assert value is not None
                    if value.cell is not None:
                        assert found.total == value.cell.bytes
                    else:
                        assert found.words in value.text
                    if found.parts and found.total is not None:
                        assert sum(part.value for part in found.parts) == found.total
                        summed += 1
            assert summed >= len(table.memory) * len(THREE)
            await pilot.press("f")


def test_counts_of_every_model_are_the_sum_of_their_parts(library: Sample, answers: Answers) -> None:
    from vram_tui.session.counts import explain_fact
    from vram_tui.session.specs import cache_bytes_per_token, state_bytes

    for summary in library.entries:
        entry = library.entry(summary.id)
        totals = {label: explain_fact(entry, summary, label) for label in ("parameters", "active", "cache", "state")}
        assert totals["parameters"].total == summary.parameters
        assert round(totals["active"].total or 0) == library.subject(summary.id).profile.active_parameters
        assert (totals["cache"].total or 0) == pytest.approx(cache_bytes_per_token(entry.model))
        assert (totals["state"].total or 0) == state_bytes(entry.model)
        for found in totals.values():
            assert sum(part.value for part in found.parts) == pytest.approx(found.total or 0)


@pytest.mark.parametrize("keys", [("equals_sign",), ("tab", "equals_sign"), ("tab", "enter"), ("2", "equals_sign")])
async def test_list_grid_and_sheet_answer(make_app: MakeApp, keys: tuple[str, ...]) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*keys)
        assert opened(app).explained is not None
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


@pytest.mark.parametrize(
    ("keys", "screen"), [(("O",), About), (("O", "tab"), About), (("p",), PlotScreen), (("2", "enter"), About)]
)
async def test_figures_of_other_screens_answer(make_app: MakeApp, keys: tuple[str, ...], screen: type[Any]) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*keys)
        assert isinstance(app.screen, screen)
        await pilot.press("equals_sign")
        found = opened(app).explained
        assert found is not None
        assert found.total == sum(part.value for part in found.parts)


async def test_left_and_right_go_through_the_contexts(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "equals_sign")
        before = opened(app).explained
        await pilot.press("right")
        after = opened(app).explained
        assert before is not None
        assert after is not None
        assert before.title.endswith("at 32K")
        assert after.title.endswith("at 128K")
        assert (after.total or 0) > (before.total or 0)


async def test_enter_applies_a_way_to_need_less_and_undo_takes_it_back(make_app: MakeApp) -> None:
    app = make_app("google/gemma-3-27b-it", target="rtx-4090")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "right", "equals_sign", "tab")
        screen = opened(app)
        ways = {mend.title: mend for mend in screen.mends.mends}
        assert ways["q8_0 cache"].fits
        screen.mends.cursor = [mend.title for mend in screen.mends.mends].index("q8_0 cache")
        before = screen.explained
        await pilot.press("enter")
        assert app.session.scenario.kv_k == app.session.scenario.kv_v == "q8_0"
        after = screen.explained
        assert after is not None
        assert after.total == ways["q8_0 cache"].total_bytes
        assert "q8_0 cache" in told(app)
        await pilot.press("u")
        assert app.session.scenario.kv_k == "f16"
        assert screen.explained == before


async def test_a_smaller_quantization_joins_the_grid_and_is_selected(make_app: MakeApp) -> None:
    app = make_app("google/gemma-3-27b-it")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "equals_sign", "tab", "enter")
        assert app.session.selected_row.quant == "Q4_K_S"
        asked = opened(app).asked
        assert isinstance(asked, Asked)
        assert asked.row.quant == "Q4_K_S"
        await pilot.press("escape")
        assert "Q4_K_S" in shown(app)


async def test_what_is_beside_the_total_has_its_size(make_app: MakeApp) -> None:
    app = make_app("google/gemma-3-27b-it")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "equals_sign")
        beside = {one.name: one for one in opened(app).mends.beside}
        assert beside["vision projector"].bytes == 2 * 423_060_336
        assert beside["prompt cache"].bytes == 8 << 30
        assert beside["draft model"].bytes is None
        assert "desktop" in beside
        assert "host memory" in beside
        assert "Largest context" in shown(app)


async def test_a_refusal_is_told_in_place_of_terms(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.edit(lambda session: replace(session, scenario=replace(session.scenario, runtime="vllm")))
        await pilot.press("tab", "equals_sign")
        found = opened(app).explained
        assert found is not None
        assert found.total is None
        assert "vllm" in found.reason
        assert not opened(app).mends.mends


def test_numbers_put_in_give_the_term(answers: Answers) -> None:
    """Where the screen shows arithmetic, it is right: caches and states of every model of the sample."""
    shown_terms = 0
    for summary in answers.library.entries:
        session = Session(model=summary.id)
        for part in explain(answers, asked_in_grid(answers, session, 3, 3)).parts:
            filled = worked(part)
            if part.group in ("kv", "state"):
                assert filled, (summary.id, part)
            shown_terms += bool(filled)
    assert shown_terms > len(answers.library.entries)


def test_arithmetic_that_does_not_give_the_value_is_not_shown() -> None:
    assert worked(Part("a", 12, formula="x × y", numbers=(("x", 3), ("y", 4)))) == "3 × 4"
    assert worked(Part("a", 13, formula="x × y", numbers=(("x", 3), ("y", 4)))) == ""
    assert worked(Part("a", 3, formula="x", numbers=(("x", "__import__"),))) == ""
