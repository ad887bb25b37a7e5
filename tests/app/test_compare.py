"""Comparing from the keyboard: journeys, columns, axes, saved comparisons; the same answers from the command line."""

import json
import re
from time import perf_counter
from typing import Any

import pytest

from tests.app.conftest import MakeApp
from tests.app.sharing import shown, told, type_text
from vram_tui.app.app import VramApp
from vram_tui.app.screens.compare import Compare
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.plot import PlotScreen
from vram_tui.app.widgets.line_panel import width_of
from vram_tui.cli import main
from vram_tui.estimator.scenario import DEFAULT_QUANT
from vram_tui.session import comparing
from vram_tui.session.comparing import Column, read_column
from vram_tui.session.edits import EditError, History
from vram_tui.session.plain import from_plain, to_plain
from vram_tui.session.state import Session

FLASH, GEMMA, OSS = "zai-org/GLM-4.7-Flash", "google/gemma-3-27b-it", "openai/gpt-oss-20b"


def comparison(app: VramApp) -> Compare:
    screen = app.screen
    assert isinstance(screen, Compare)
    return screen


def models(app: VramApp) -> list[str]:
    return [column.model for column in comparing.columns_of(app.session)]


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


async def line_at(app: VramApp, label: str) -> str:
    return next(line for line in shown(app).splitlines() if line.strip(" ≢").startswith(f"{label} "))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_which_of_three_models_needs_least_at_32k_takes_at_most_ten_keys(
    make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=size) as pilot:
        keys = Keys(pilot)
        await keys.press("c")
        await keys.type("gemma 3 27b")
        await keys.press("enter", "a")
        await keys.type("gpt-oss-20b")
        await keys.press("enter")
        assert keys.count <= 10
        assert models(app) == [FLASH, GEMMA, OSS]
        line = await line_at(app, "32K")
        names = next(text for text in shown(app).splitlines() if "gpt-oss-20b" in text)
        least = {
            name: app.answers.memory(name, DEFAULT_QUANT, app.answers.scenario(app.session)).at(32768)
            for name in models(app)
        }
        assert min(least, key=lambda name: least[name]) == OSS
        assert line.count("least") == 1
        assert names.index("gpt-oss-20b") < line.index("least") < names.index("gpt-oss-20b") + 20
        assert "Gemma 3 27B" in names
        assert "GLM-4.7-Flash" in names


async def test_marked_models_are_compared_and_the_list_keeps_their_marks(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("space", "down", "space", "c")
        assert len(models(app)) == 2
        await pilot.press("minus")
        assert models(app) == list(app.session.marks)
        assert len(app.session.marks) == 1
        await pilot.press("u")
        assert len(models(app)) == 2
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


async def test_one_model_at_two_quantizations_is_a_comparison(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await type_text(pilot, "@q8")
        await pilot.press("enter")
        assert "no format" in told(app)
        await pilot.press("ctrl+u")
        await type_text(pilot, "@q8_0")
        await pilot.press("enter")
        assert app.session.columns == (GEMMA, f"{GEMMA}@Q8_0")
        assert app.session.marks == (GEMMA,)
        line = await line_at(app, "32K")
        memories = [app.answers.memory(GEMMA, quant, app.answers.scenario(app.session)) for quant in ("Q4_K_M", "Q8_0")]
        assert f"{memories[0].at(32768) / 2**30:.1f}" in line
        assert f"{memories[1].at(32768) / 2**30:.1f}" in line


async def test_a_column_has_a_scenario_of_its_own(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await type_text(pilot, "gpt-oss-20b")
        await pilot.press("enter", "left", "e")
        await type_text(pilot, "Q6_K kv=q8_0 seqs=0")
        await pilot.press("enter")
        assert "sequences lies between" in told(app)
        await pilot.press("backspace", "4", "enter")
        assert read_column(app.session.columns[0]) == Column(GEMMA, "Q6_K", (("kv", "q8_0"), ("seqs", "4")))
        assert app.session.scenario.kv_k == "f16"
        assert "Q6_K kv=q8_0 seqs=4" in shown(app)
        await pilot.press("u")
        assert app.session.columns[0] == GEMMA


async def test_columns_move_and_scroll_beside_the_fixed_one(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(80, 24)) as pilot:
        app.look(marks=(FLASH, GEMMA, OSS, "Qwen/Qwen3-8B", "microsoft/phi-4"))
        await pilot.press("c")
        table = comparison(app).table
        assert "GLM-4.7-Flash" in table.text
        assert "phi-4" not in table.text.lower()
        await pilot.press("right", "right", "right", "right")
        assert "GLM-4.7-Flash" not in table.text
        assert "phi-4" in table.text.lower()
        assert "32K" in table.text
        assert "3-5 of 5" in table.text
        await pilot.press("less_than_sign")
        assert models(app)[3:] == ["microsoft/phi-4", "Qwen/Qwen3-8B"]
        await pilot.press("greater_than_sign", "greater_than_sign")
        assert "end already" in told(app)
        assert all(width_of(line) <= table.size.width for line in table.lines)


async def test_the_axis_flips_and_the_pick_turns(make_app: MakeApp) -> None:
    app = make_app(GEMMA)
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("c")
        await type_text(pilot, "gpt-oss-20b")
        await pilot.press("enter")
        assert "Memory Q4_K_M  over contexts" in shown(app)
        await pilot.press("f")
        assert "Memory 32K  over quantizations" in shown(app)
        assert all(row.label in shown(app) for row in app.session.grid.rows)
        table = comparison(app).table
        while not table.picking:
            await pilot.press("up")
        await pilot.press("right")
        assert app.session.selected_context == 128 << 10
        await pilot.press("enter", "ctrl+u")
        await type_text(pilot, "16K")
        await pilot.press("enter")
        assert app.session.selected_context == 16 << 10
        assert "Memory ◂ 16K ▸" in shown(app)


async def test_differences_alone(make_app: MakeApp) -> None:
    app = make_app("zai-org/GLM-5")
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.press("c")
        await type_text(pilot, "glm-5.1")
        await pilot.press("enter")
        facts = comparison(app).table.facts
        assert any(line.differs for line in facts)
        assert not all(line.differs for line in facts)
        await pilot.press("d")
        assert comparison(app).table.facts == tuple(line for line in facts if line.differs)
        await pilot.press("d")
        assert len(comparison(app).table.facts) == len(facts)


async def test_comparisons_are_kept_under_a_name(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(120, 40)) as pilot:
        app.look(marks=(FLASH, GEMMA, OSS))
        await pilot.press("c", "S")
        await type_text(pilot, "small")
        await pilot.press("enter", "minus", "minus")
        assert models(app) != [FLASH, GEMMA, OSS]
        await pilot.press("L", "enter")
        assert models(app) == [FLASH, GEMMA, OSS]
        kept, faults = from_plain(to_plain(app.session))
        assert not faults
        assert kept.comparisons == app.session.comparisons
        assert kept.columns == app.session.columns


async def test_six_are_the_most_and_no_column_is_there_twice(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("c")
        await type_text(pilot, "glm-4.7-flash")
        await pilot.press("enter")
        assert "column already" in told(app)
        await pilot.press("escape")
        six = tuple(summary.id for summary in app.library.entries[:6])
        app.look(marks=six)
        await pilot.press("a")
        assert "6 columns" in told(app)
        assert not comparison(app).picker.display


async def test_the_picker_follows_and_escape_closes_it(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("c")
        picker = comparison(app).picker
        await type_text(pilot, "qwen3")
        assert picker.chosen is not None
        assert picker.chosen.name.startswith("Qwen3")
        await pilot.press("down", "down")
        chosen = picker.chosen
        await pilot.press("enter")
        assert chosen is not None
        assert models(app) == [FLASH, chosen.id]
        await pilot.press("a", "escape")
        assert not picker.display
        assert isinstance(app.screen, Compare)


async def test_the_plot_reads_every_line_at_its_cursor(make_app: MakeApp) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(120, 40)) as pilot:
        app.look(marks=(FLASH, GEMMA, OSS))
        await pilot.press("c", "p")
        screen = app.screen
        assert isinstance(screen, PlotScreen)
        assert screen.tokens == 32768
        await pilot.press("right", "right")
        assert screen.tokens > 32768
        readings = screen.readout.readings
        for (_, asked, _), reading in zip(screen.lines, readings, strict=True):
            memory = app.answers.memory(asked.model, "Q4_K_M", app.answers.scenario(app.session))
            assert reading.cell is not None
            assert reading.cell.bytes == memory.at(screen.tokens)
        assert len({reading.letter for reading in readings}) == 3
        drawn = screen.plot.text
        assert all(re.search(f"[⠁-⣿]{letter}[⠁-⣿]", drawn) for letter in "abc")
        await pilot.press("space")
        assert not screen.readout.readings[0].shown
        assert "GLM-4.7-Flash" not in screen.plot.text


@pytest.mark.parametrize("key", ["equals_sign", "c", "p", "O"])
async def test_screens_open_without_a_wait(make_app: MakeApp, key: str) -> None:
    app = make_app(FLASH)
    async with app.run_test(size=(120, 40)) as pilot:
        app.look(marks=(FLASH, GEMMA, OSS))
        await pilot.press("tab", key, "escape")
        start = perf_counter()
        await pilot.press(key)
        assert app.screen is not app.screen_stack[0]
        # A budget of 80 ms on an idle machine; several times that where many tests share it.
        assert perf_counter() - start < 0.6


def test_a_column_survives_its_text() -> None:
    for column in (Column("a/b"), Column("a/b", "Q8_0"), Column("a/b", "", (("kv", "q8_0"), ("seqs", "2")))):
        assert read_column(column.text) == column
    assert read_column("a/b@Q8_0 what=ever kv=") == Column("a/b", "Q8_0")


def test_column_edits_are_steps_of_the_history() -> None:
    history = History(Session(model="a/b", marks=("a/b",)))
    added = history.edited(comparing.add_column(history.present, Column("c/d"), 0))
    moved = added.edited(comparing.move_column(added.present, 0, 1))
    assert [column.model for column in comparing.columns_of(moved.present)] == ["c/d", "a/b"]
    assert moved.undone().present == added.present
    with pytest.raises(EditError, match="last column"):
        comparing.drop_column(history.present, 0)


# The command line ----------------------------------------------------------------------------------------------------


def test_the_command_line_compares(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", FLASH, f"{GEMMA}@Q8_0", OSS, "--ctx", "32K", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [column["quant"] for column in answer["columns"]] == ["Q4_K_M", "Q8_0", "Q4_K_M"]
    sizes = [cell["total_bytes"] for cell in answer["memory"][0]["cells"]]
    assert answer["memory"][0]["least"] == [sizes.index(min(sizes))]
    assert main(["estimate", OSS, "--quant", "Q4_K_M", "--ctx", "32K", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total_bytes"] == sizes[2]


def test_the_command_line_compares_over_quantizations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", FLASH, GEMMA, "--quant", "Q4_K_M,Q8_0", "--ctx", "8K", "--markdown"]) == 0
    table = capsys.readouterr().out
    assert "Q4_K_M, GiB" in table
    assert "Q8_0, GiB" in table
    assert "least: " in table
    assert "at 8K" in table


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((FLASH,), 2, "2 to 6 models"),
        ((FLASH, FLASH), 2, "twice"),
        ((FLASH, "no-such-model-anywhere"), 3, "no-such-model-anywhere"),
        ((FLASH, f"{GEMMA}@Q9_9"), 2, "Q9_9"),
        ((FLASH, GEMMA, "--quant", "Q4_K_M,Q8_0"), 2, "one --ctx"),
        ((FLASH, GEMMA, "--ctx", "many"), 2, "--ctx"),
    ],
)
def test_what_cannot_be_compared_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert main(["compare", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
