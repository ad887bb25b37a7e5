"""Names that try to act: markup, escape sequences, bidirectional overrides, 10,000 characters; shown, never obeyed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from tests.app.library import Sample
from tests.app.sharing import Terminal, settle, shown, terminal, told
from tests.importers.headers import MODELS, write_model
from vram_tui.app.app import Options, VramApp
from vram_tui.app.screens.export import FORMATS
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.catalog.entries import Entry
from vram_tui.importers.preview import preview

__all__ = ["terminal"]
SHORT = "[red]Evil[/red] [link=http://evil]x[/] \x1b]0;owned\x07\x1b[2J\u202ednE\u2066\r\n=1+1`id`$(id)"
LONG = SHORT + "A" * 10_000
ID = "evil/model"


@pytest.fixture
def library() -> Sample:
    return Sample()


@pytest.fixture(params=["from a file", "by hand"])
def app(request: pytest.FixtureRequest, library: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VramApp:
    """On a hostile model: as an import makes it, and as somebody may write it into the catalogue by hand."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    row = MODELS["Qwen3-0.6B"]
    texts = ("name", "organization", "basename", "license", "description", "author")
    hostile = {f"general.{name}": LONG for name in texts}
    write_model({**row, "gguf": {**row["gguf"], **hostile}}, "Q4_K_M", tmp_path / "x.gguf")
    entry = preview(tmp_path / "x.gguf", library.facts, known=ID).entry
    library.adopt(entry if request.param == "from a file" else _by_hand(entry))
    return VramApp(library, options=Options(model=ID, target="rtx-4090"))


def _by_hand(entry: Entry) -> Entry:
    return replace(
        entry,
        name=LONG,
        family=SHORT,
        vendor=LONG,
        license=LONG,
        about=LONG,
        tags=(SHORT, LONG),
        notes=(LONG,),
        sources=(LONG,),
        hf_class=LONG,
    )


def harmful(text: str) -> list[str]:
    """Characters that a terminal or a reader would obey."""
    return sorted({sign for line in text.split("\n") for sign in line if not sign.isprintable()})


def drawn(app: VramApp) -> str:
    """Everything on the screen, frames and titles too, without the picture's own markup."""
    svg = app.export_screenshot(simplify=True)
    texts = unescape("".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    return texts.replace("\xa0", " ")


def check(app: VramApp, place: str) -> None:
    for panel in app.screen.query(LinePanel):
        assert harmful(panel.text) == [], (place, panel.id)
    assert harmful(drawn(app)) == [], place
    assert harmful(told(app)) == [], place


def keys() -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "explore", ()
    yield "grid", ("tab",)
    yield "sheet", ("2",)
    yield "plot", ("3",)
    yield "explain", ("tab", "equals_sign")
    yield "hardware", ("g",)
    yield "what fits", ("w",)
    yield "recipe", ("tab", "r")
    yield "compare", ("space", "down", "space", "c")
    yield "family", ("o",)
    yield "memory plot", ("p",)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_screen_shows_it_harmlessly(app: VramApp, size: tuple[int, int]) -> None:
    for place, pressed in keys():
        async with app.run_test(size=size) as pilot:
            await pilot.press(*pressed)
            await settle(pilot)
            check(app, place)
            assert "[red]Evil" in drawn(app) or place in ("plot", "memory plot", "what fits"), place
        app = VramApp(app.library, options=app.options)


@pytest.mark.parametrize("format_", FORMATS)
async def test_every_export_of_it_is_harmless(app: VramApp, terminal: Terminal, format_: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "x")
        check(app, "export")
        await pilot.press(*["right"] * FORMATS.index(format_), "enter")
        text = terminal.clipboard
        assert harmful(text.replace("\r\n", "\n")) == []
        assert len(terminal.sent) == 1
        check(app, "explore")


async def test_what_is_copied_of_it_is_harmless(app: VramApp, terminal: Terminal) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        for pressed in (("y",), ("tab", "y"), ("r", "y"), ("escape", "equals_sign", "y")):
            await pilot.press(*pressed)
            await settle(pilot)
            assert harmful(terminal.clipboard) == [], pressed
        assert "\x1b[2J" not in "".join(terminal.sent)


async def test_its_recipe_is_one_command_of_harmless_words(app: VramApp, terminal: Terminal) -> None:
    import shlex

    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "r", "y")
        await settle(pilot)
        words = shlex.split(terminal.clipboard, comments=True)
        assert words[0] == "llama-server"
        assert not any("`id`" in line for line in terminal.clipboard.splitlines() if not line.startswith("#"))
        assert "fit" in shown(app)
