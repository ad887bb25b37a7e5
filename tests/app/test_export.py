"""Figures out of the dashboard: copied at once, exported in every format, never over another file unasked."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomli

from tests.app.conftest import MakeApp, Screenshot
from tests.app.sharing import Terminal, settle, shown, terminal, told, type_text
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.export import FORMATS, Export
from vram_tui.exporters.clipboard import LIMIT_BASE64_BYTES

__all__ = ["terminal"]
MODEL = "Qwen/Qwen3-32B"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


async def test_copy_takes_the_figure_the_row_and_the_model(make_app: MakeApp, terminal: Terminal) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(120, 40)) as pilot:
        terminal.watch(app)
        await pilot.press("y")
        assert terminal.clipboard.startswith("Qwen/Qwen3-32B: dense, 32.8B parameters")
        await pilot.press("tab", "y")
        figure = terminal.clipboard
        assert figure.startswith("Qwen3-32B Q4_K_M at 32K: 26.5 GiB")
        assert "llama.cpp" in figure
        assert told(app) == f"copied the figure, {len(figure.encode())} bytes"
        for _ in range(5):
            await pilot.press("left")
        await pilot.press("y")
        assert terminal.clipboard.startswith("Qwen3-32B Q4_K_M: 1K ")


READERS: dict[str, Callable[[str], Any]] = {
    "csv": lambda text: list(csv.reader(io.StringIO(text))),
    "json": lambda text: json.loads(text)["rows"],
    "toml": lambda text: tomli.loads(text)["rows"],
    "svg": lambda text: list(ElementTree.fromstring(text)),
    "markdown": lambda text: [line for line in text.splitlines() if line.startswith("|")],
    "plain": str.splitlines,
}


@pytest.mark.parametrize("format_", FORMATS)
async def test_every_format_goes_to_the_clipboard(make_app: MakeApp, terminal: Terminal, format_: str) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "x", *["right"] * FORMATS.index(format_), "enter")
        assert isinstance(app.screen, Explore)
        assert READERS[format_](terminal.clipboard)
        assert "copied the table as" in told(app)


async def test_exported_figures_are_those_of_the_grid(make_app: MakeApp, here: Path) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "x", "right", "right", "down", "right", "down", "enter", "enter")
        await settle(pilot)
        path = here / "qwen3-32b-memory-in-gib.json"
        assert told(app).startswith(f"wrote {path}, ")
        table = json.loads(path.read_text())
        assert isinstance(app.screen, Explore)
        for row, cells in zip(table["rows"], app.screen.grid.cells, strict=True):
            values = [value["value"] for value in row.values() if isinstance(value, dict)]
            assert values == [cell.bytes for cell in cells]


async def test_a_file_is_never_replaced_unasked(make_app: MakeApp, here: Path) -> None:
    path = here / "grid.md"
    path.write_text("mine")
    app = make_app(MODEL)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "x", "down", "right", "down", "enter", "ctrl+u")
        await type_text(pilot, "grid.md")
        await pilot.press("enter")
        await settle(pilot)
        assert path.read_text() == "mine"
        assert "exists" in shown(app)
        await pilot.press("enter")
        assert path.read_text() == "mine"
        await pilot.press("right", "enter")
        await settle(pilot)
        assert "Q4_K_M" in path.read_text()
        assert told(app).startswith("wrote ")


async def test_a_fault_of_the_disk_is_told_and_the_box_stays(make_app: MakeApp, here: Path) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "x", "down", "right", "down", "enter", "ctrl+u")
        await type_text(pilot, "no/such/folder.md")
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, Export)
        assert "there is no folder" in " ".join(shown(app).split())
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)
        assert list(here.iterdir()) == []


@pytest.mark.parametrize(("term", "words"), [("linux", "has no clipboard"), ("dumb", "has no clipboard")])
async def test_a_terminal_without_a_clipboard_is_offered_a_file(
    make_app: MakeApp, terminal: Terminal, here: Path, term: str, words: str
) -> None:
    app = make_app(MODEL)
    terminal.called(term)
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "x", "enter")
        assert words in " ".join(shown(app).split())
        assert "[file]" in shown(app)
        assert terminal.sent == []


async def test_tmux_gets_both_forms_and_the_person_a_word(make_app: MakeApp, terminal: Terminal) -> None:
    app = make_app(MODEL)
    terminal.called("screen-256color", TMUX="/tmp/tmux,1,0")
    async with app.run_test(size=(200, 50)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "y")
        assert "\x1bPtmux;" in terminal.sent[-1]
        assert "set-clipboard" in told(app)


async def test_what_is_too_long_for_the_terminal_is_offered_a_file(
    make_app: MakeApp, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "x")
        assert isinstance(app.screen, Export)
        monkeypatch.setitem(app.screen.choices._texts, "markdown", "x" * LIMIT_BASE64_BYTES)
        await pilot.press("enter")
        assert "too long" in shown(app)
        assert "[file]" in shown(app)


async def test_restricted_copies_and_writes_nothing(make_app: MakeApp, terminal: Terminal, here: Path) -> None:
    app = make_app(MODEL, restricted=True)
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "x", "down", "right")
        assert "no files are written" in shown(app)
        assert "[file]" not in shown(app)
        await pilot.press("enter")
        assert "Q4_K_M" in terminal.clipboard
        assert list(here.iterdir()) == []


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_pictures(
    make_app: MakeApp, screenshot: Screenshot, terminal: Terminal, here: Path, width: int, height: int
) -> None:
    app = make_app(MODEL)
    (here / "qwen3-32b-memory-in-gib.csv").write_text("mine")
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.press("tab", "x", "right", "down", "right", "down", "up", "enter")
        await screenshot(pilot, f"export-{width}x{height}")
