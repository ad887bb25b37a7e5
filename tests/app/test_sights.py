"""What must stand in sight on the home screen: losses with their model, plan and speed, whole headings, one verdict."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.screen import Screen

from tests.app.conftest import MakeApp
from tests.app.ranking import at_hand  # noqa: F401 - a fixture
from tests.app.test_explore import home, type_text
from vram_tui.app.glyphs import UNICODE
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.app.widgets.plot import Level, Series, plot_lines
from vram_tui.session.counts import fact_labels
from vram_tui.session.local import LocalMachine
from vram_tui.session.losses import column_of, losses_of
from vram_tui.session.state import Row

REST = 0.6
"""The plan comes when the cursor has rested."""
WIDE, SMALL = (120, 40), (80, 24)
QWEN = "Qwen/Qwen3-30B-A3B"


async def test_every_loss_is_a_measured_figure_of_a_named_model(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=WIDE):
        screen, facts = home(app), app.answers.facts
        lines = screen.grid.text.splitlines()
        loss, words = column_of(facts, app.session.grid.rows)
        assert loss is not None
        assert f"loss: {loss.measure} on {loss.model}" in screen.grid.text
        for row, word in zip(app.session.grid.rows, words, strict=True):
            line = next(line for line in lines if line.startswith(row.label + " "))
            assert word
            assert word in line
            if word != "reference":
                assert any((one.value, one.model) == (word, loss.model) for one in losses_of(facts, row))
        assert f"on {loss.model}" in screen.breakdown.text


async def test_no_loss_is_made_up(make_app: MakeApp) -> None:
    facts = make_app().answers.facts
    own, other, unmeasured = Row("Q4_K_M", bits=4.5), Row("Q4_0"), Row("TQ1_0")
    loss, words = column_of(facts, (Row("Q8_0"), Row("Q4_K_M"), own, other, unmeasured, Row("BF16")))
    assert loss is not None
    assert words[2:] == ["", "", "", "reference"]
    assert losses_of(facts, other)[0].model != loss.model


async def test_the_column_of_losses_yields_to_the_contexts(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SMALL):
        assert "loss" not in home(app).grid.text


@pytest.mark.parametrize(
    ("model", "target", "wanted"),
    [
        (QWEN, "", ("RTX 4090", "tok/s +/-", "up to 40K", "fits 24 GB")),
        (QWEN, "2x rtx-3090", ("2x rtx-3090", "tok/s +/-", "up to 40K", "layers over 2")),
        ("zai-org/GLM-5.1", "", ("x H100", "tok/s +/-", "up to 198K", "layers over")),
        ("zai-org/GLM-5.1", "rtx-4090", ("partial offload on rtx-4090", "tok/s +/-", "too much")),
    ],
)
async def test_the_breakdown_names_plan_speed_band_and_reach(
    make_app: MakeApp, model: str, target: str, wanted: tuple[str, ...]
) -> None:
    app = make_app(model, target=target)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(REST)
        for words in wanted:
            assert words in home(app).breakdown.text


async def test_the_breakdown_holds_the_same_at_80_by_24(make_app: MakeApp) -> None:
    app = make_app("zai-org/GLM-5.1")
    async with app.run_test(size=SMALL) as pilot:
        await pilot.pause(REST)
        text = home(app).breakdown.text
        for words in ("421.4 GiB", "H100", "tok/s +/- 20 %", "up to 198K", "weights", "cache", "other"):
            assert words in text
        await pilot.press("tab", "down")
        assert "tok/s" not in home(app).breakdown.text, "the speed of another cell is no speed of this one"
        await pilot.pause(REST)
        assert "tok/s" in home(app).breakdown.text


@pytest.mark.parametrize("size", [(60, 18), SMALL, (100, 32), WIDE, (200, 50)])
async def test_headings_are_never_cut(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        for summary in app.library.entries:
            app.look(model=summary.id)
            await pilot.pause()
            grid = home(app).grid
            heading = next(line for line in grid.text.splitlines() if "b/w" in line).split("b/w")[1].split()
            known = {"max", "loss", "+", grid.glyphs.right}
            contexts = {context for line in grid._headings for context in line.split()}
            assert set(heading) <= known | contexts
            assert all(word[-1] in "KM" for word in contexts - {"max"}), contexts


async def test_free_memory_judges_cells_list_plot_and_breakdown(
    make_app: MakeApp,
    at_hand: LocalMachine,  # noqa: F811
) -> None:
    app = make_app("Qwen/Qwen3-8B", target="local")
    at_hand.read(app.library.hardware)
    app.answers.machine_read()
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(REST)
        row = replace(app.session.selected_row, quant="Q4_K_M")
        whole = app.answers.cells(app.session, row)[0]
        assert whole.fit == "fits"
        await pilot.press("F")
        await pilot.pause(REST)
        free = app.answers.cells(app.session, row)[0]
        assert free.fit == "offload"
        assert (whole.headroom_bytes or 0) - (free.headroom_bytes or 0) > 2 << 30
        assert "free on local" in home(app).chips.text
        rating = app.answers.rating(app.session, "Qwen/Qwen3-8B")
        assert rating is not None
        assert rating.fit == "offload"
        await pilot.press("F")
        assert app.answers.cells(app.session, row)[0] == whole


async def test_the_list_judges_against_the_target(make_app: MakeApp) -> None:
    app = make_app(QWEN)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("t")
        await type_text(pilot, "rtx-4090")
        await pilot.press("enter")
        assert app.focused is home(app).models, "the focus is where it was"
        await pilot.pause(REST)
        line = next(line for line in home(app).models.text.splitlines() if QWEN.partition("/")[2] in line)
        assert line.endswith(app.glyphs.fits)


async def test_the_cursor_goes_to_the_model_that_is_called_like_the_filter(make_app: MakeApp) -> None:
    app = make_app("Qwen/Qwen3.6-27B")
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "qwen3")
        assert app.session.model == "Qwen/Qwen3.6-27B", "it stays where it still matches"
        await type_text(pilot, "-8b")
        assert app.session.model == "Qwen/Qwen3-8B"


@pytest.mark.parametrize(
    ("keys", "without"),
    [
        (("question_mark",), ("open", "panel")),
        (("exclamation_mark",), ("open",)),
        (("2", "equals_sign"), ("open", "panel")),
        (("g",), ("hardware",)),
        (("w",), ("what fits",)),
    ],
)
async def test_the_footer_offers_only_what_does_something(
    make_app: MakeApp, keys: tuple[str, ...], without: tuple[str, ...]
) -> None:
    app = make_app()
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, HouseScreen)
        words = " ".join(screen.footer.text.split())
        assert "esc back" in words
        for word in without:
            assert f" {word} " not in words


async def test_every_figure_of_the_sheet_is_explained_from_its_line(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        labels = fact_labels(app.library.entry(app.session.model), home(app)._summaries[app.session.model])
        await pilot.press("tab", "tab")
        for label in labels:
            targets, at = home(app).explain_targets()
            assert getattr(targets[at], "label", "") == label
            assert label in home(app).spec.text
            await pilot.press("down")


async def test_back_in_the_footer_is_clicked(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("question_mark")
        assert len(app.screen_stack) == 2
        await pilot.click("#footer", offset=(3, 0))
        assert len(app.screen_stack) == 1


async def test_panels_that_a_resize_brings_into_sight_show_the_model(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down")
        await pilot.resize_terminal(200, 50)
        await pilot.pause(0.2)
        name = app.library.entry(app.session.model).name
        assert name in home(app).spec.text
        assert "Q4_K_M" in home(app).plot.text


async def test_a_search_that_is_cancelled_leads_back(make_app: MakeApp) -> None:
    app = make_app(QWEN)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "gemma")
        assert app.session.model != QWEN
        await pilot.press("escape")
        assert (app.session.filter, app.session.model) == ("", QWEN)
        assert QWEN.partition("/")[2] in home(app).grid.text


def test_a_low_plot_names_every_line_before_the_levels() -> None:
    def growing(size: int) -> Callable[[int], int]:
        return lambda tokens: (size << 30) + tokens

    series = [Series(name, growing(size), "") for size, name in enumerate("xyz", 20)]
    levels = [Level(name, size << 30, "") for size, name in ((21, "one"), (22, "two"), (23, "three"))]
    lines = plot_lines(series, levels, (1024, 1 << 17), (60, 6), "gib", UNICODE)
    text = "\n".join("".join(run.text for run in line) for line in lines)
    for name in ("a x", "b y", "c z", "three"):
        assert name in text
    assert "one" not in text


def cut_lines(screen: Screen[Any]) -> list[str]:
    """Lines that are wider than their panel, but for blanks, and titles that are wider than their border."""
    found = []
    for panel in screen.query(LinePanel):
        if not panel.display or not panel.size.width:
            continue
        texts = ("".join(run.text for run in line).rstrip() for line in panel.lines[: panel.size.height])
        found += [text for text in texts if cell_len(text) > panel.size.width]
        titles = (str(title) for title in (panel.border_title, panel.border_subtitle) if title)
        found += [title for title in titles if cell_len(title) > panel.size.width]
    return found


@pytest.mark.parametrize("target", ["", "2x rtx-3090"])
@pytest.mark.parametrize("size", [(60, 18), SMALL, WIDE, (200, 50)])
async def test_nothing_is_cut_off_at_the_edge_of_a_panel(make_app: MakeApp, size: tuple[int, int], target: str) -> None:
    app = make_app(target=target)
    async with app.run_test(size=size) as pilot:
        for index, summary in enumerate(app.library.entries[::5]):
            app.look(model=summary.id)
            assert cut_lines(app.screen) == [], summary.id
            if index:
                continue
            for key in ("2", "3", "1", "O", "equals_sign", "p", "r", "g", "x", "question_mark"):
                await pilot.press(key)
                await pilot.pause(0.05)
                assert cut_lines(app.screen) == [], (summary.id, key)
                while len(app.screen_stack) > 1:
                    app.pop_screen()
                    await pilot.pause()
