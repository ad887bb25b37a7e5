"""A model file into the person's catalogue from the dashboard: reviewed, confirmed, listed and selected at once."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli
from textual.pilot import Pilot

from tests.app.conftest import Screenshot
from tests.app.library import Sample
from tests.app.sharing import settle, shown, told, type_text
from tests.importers.headers import MODELS, metadata, model_of, write_model
from vram_tui.app.app import Options, VramApp
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.importing import Import
from vram_tui.catalog import load_catalog
from vram_tui.importers import caches, preview
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import write_header

FILE = "tiny-helper-Q4_K_M.gguf"
SOURCE = "Qwen3-0.6B"
Q4_K, Q6_K = 12, 14
"""Tensor types by their number in a GGUF file."""


@pytest.fixture
def library() -> Sample:
    """A library of one test's own, because an import changes it."""
    return Sample()


@pytest.fixture(autouse=True)
def machine(library: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one model in the cache of LM Studio and nothing else; the library was read before."""
    home = tmp_path / "home"
    models = home / ".lmstudio/models/acme/tiny-helper"
    models.mkdir(parents=True)
    write_model(_row(), "Q4_K_M", models / FILE)
    for name in ("OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(models)
    return home


def _row() -> dict[str, Any]:
    name = next(model for model in MODELS if SOURCE.casefold() in model.casefold())
    row = MODELS[name]
    named = {"general.name": "Tiny Helper", "general.organization": "acme", "general.license": "mit"}
    return {**row, "gguf": {**row["gguf"], **named}}


@pytest.fixture
def app(library: Sample) -> VramApp:
    return VramApp(library, options=Options(model="zai-org/GLM-5.1"))


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "XDG_CONFIG_HOME").rglob("*.toml"))


async def typed(pilot: Pilot[Any], text: str) -> None:
    """The first line of the import screen, filled and accepted."""
    await pilot.press("i", "enter")
    await type_text(pilot, text)
    await pilot.press("enter")
    await settle(pilot)


async def test_a_typed_path_is_reviewed_written_listed_and_selected(app: VramApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        before = len(app.library.entries)
        await typed(pilot, FILE)
        text = shown(app)
        for words in ("Tiny Helper", "parameters", "Q4_K_M", "GiB", "nothing is written yet"):
            assert words in text
        assert entries(tmp_path) == []
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, Explore)
        assert told(app).startswith("imported Tiny Helper into ")
        assert len(app.library.entries) == before + 1
        assert app.session.model.startswith("acme/")
        assert "Tiny Helper" in app.screen.models.text
        assert "Tiny Helper" in app.screen.spec.text
        assert app.session.selected_row.quant == "Q4_K_M"
        (path,) = entries(tmp_path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert tomli.loads(path.read_text())["name"] == "Tiny Helper"
        known = app.session.model
        shown_bytes = app.screen.grid.cells[app.session.row][0].bytes
    again = load_catalog(user_dir=path.parents[1])
    assert again.faults == []
    assert again.subject(known).weights("Q4_K_M") == app.library.subject(known).weights("Q4_K_M")
    assert shown_bytes


async def test_models_of_other_programs_are_listed_and_picked(app: VramApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i")
        await settle(pilot)
        assert "LM Studio" in shown(app)
        assert FILE in shown(app)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert "nothing is written yet" in shown(app)
        await pilot.press("enter")
        assert isinstance(app.screen, Explore)
        assert "helper" in app.session.model.casefold()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"GGUF", ""), (b"\x00" * 64, "GGUF"), (b"GGUF\x03\0\0\0" + b"\xff" * 16, "")],
)
async def test_a_broken_file_says_why_in_one_line_and_nothing_is_lost(
    app: VramApp, tmp_path: Path, content: bytes, words: str
) -> None:
    Path("broken.gguf").write_bytes(content)
    async with app.run_test(size=(120, 40)) as pilot:
        session = app.session
        await typed(pilot, "broken.gguf")
        assert isinstance(app.screen, Import)
        assert "broken.gguf" in told(app)
        assert "\n" not in told(app)
        assert words.casefold() in told(app).casefold()
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)
        assert app.session == session
        assert entries(tmp_path) == []


async def test_what_exists_is_replaced_only_when_that_was_said(app: VramApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await typed(pilot, FILE)
        await pilot.press("enter")
        await settle(pilot)
        (path,) = entries(tmp_path)
        path.write_text(path.read_text() + "# my own line\n")
        await typed(pilot, FILE)
        assert "You have an entry of that id already" in shown(app)
        assert "my own line" in path.read_text()
        await pilot.press("e", "ctrl+u")
        await type_text(pilot, "acme/other")
        await pilot.press("enter")
        await settle(pilot)
        assert "nothing is written yet" in shown(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.session.model == "acme/other"
        assert "my own line" in path.read_text()
        assert len(entries(tmp_path)) == 2


async def test_the_hub_is_asked_only_after_leave(app: VramApp, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(reference: str, facts: object, **_: object) -> None:
        asked.append(reference)
        raise ValueError("hub:acme/model: cannot be reached; check the network")

    monkeypatch.setattr("vram_tui.importers.hub_import.subject_from_hub", refuse)
    async with app.run_test(size=(120, 40)) as pilot:
        await typed(pilot, "hub:acme/model")
        assert "over the network" in " ".join(shown(app).split())
        assert asked == []
        await pilot.press("escape", "down", "up", "escape")
        assert asked == []
        await typed(pilot, "hub:acme/model")
        await pilot.press("enter")
        await settle(pilot)
        assert asked == ["hub:acme/model"]
        assert "cannot be reached" in told(app)


async def test_reading_is_cancelled_by_escape(app: VramApp, monkeypatch: pytest.MonkeyPatch) -> None:
    going, end = threading.Event(), threading.Event()
    real: Callable[..., Any] = preview.preview

    def slow(*arguments: Any, **options: Any) -> Any:
        going.set()
        end.wait(10)
        return real(*arguments, **options)

    monkeypatch.setattr("vram_tui.app.screens.importing.preview", slow)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("i", "enter")
        await type_text(pilot, FILE)
        await pilot.press("enter")
        await pilot.pause()
        assert going.wait(5)
        assert "cancels" in shown(app)
        await pilot.press("escape")
        assert "cancelled" in shown(app)
        end.set()
        await pilot.pause(0.2)
        assert "nothing is written yet" not in shown(app)
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


async def test_looking_around_is_cancelled_by_escape(app: VramApp, monkeypatch: pytest.MonkeyPatch) -> None:
    real = caches.found

    def slow(*, clock: Callable[[], float]) -> Any:
        while clock() != float("inf"):
            threading.Event().wait(0.01)
        return real(clock=clock)

    monkeypatch.setattr(caches, "found", slow)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i")
        await pilot.pause(0.1)
        assert "looking for models" in shown(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "looking for models" not in shown(app)
        assert isinstance(app.screen, Import)
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


async def test_a_place_that_cannot_be_written_is_told(app: VramApp, tmp_path: Path) -> None:
    (tmp_path / "XDG_CONFIG_HOME").write_text("a file where the folder should be")
    async with app.run_test(size=(120, 40)) as pilot:
        await typed(pilot, FILE)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, Import)
        assert "not written" in told(app)
        assert "Tiny Helper" in shown(app)


async def test_restricted_imports_nothing(library: Sample) -> None:
    app = VramApp(library, options=Options(model="zai-org/GLM-5.1", restricted=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i")
        assert isinstance(app.screen, Explore)
        assert told(app) == "not in restricted mode"


async def test_a_fifo_does_not_hold_the_screen(app: VramApp) -> None:
    os.mkfifo("pipe.gguf")
    async with app.run_test(size=(120, 40)) as pilot:
        await typed(pilot, "pipe.gguf")
        assert "pipe.gguf" in told(app)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_pictures(
    app: VramApp, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    local = caches.LocalModel("LM Studio", f"acme/tiny-helper/{FILE}", Path.cwd() / FILE, 396_705_472)
    other = caches.LocalModel("Ollama", "qwen3:8b", Path.cwd() / "sha256-a3de", 5_225_374_528)
    monkeypatch.setattr(caches, "found", lambda **_: (local, other))
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.press("i")
        await settle(pilot)
        await pilot.press("down")
        await screenshot(pilot, f"import-{width}x{height}")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_pictures_of_a_review(
    app: VramApp, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    real: Callable[..., preview.Preview] = preview.preview

    def settled(reference: str, facts: object, **options: Any) -> preview.Preview:
        """Without the folder and the day of the test."""
        read = real(reference, facts, today=date(2026, 1, 2), **options)
        files = tuple(replace(file, path=f"/models/{FILE}") for file in read.entry.files)
        entry = replace(read.entry, files=files, sources=(f"file:{FILE}",))
        return replace(read, entry=entry, path=Path.home() / f".config/vram-tui/models/{entry.id}.toml")

    monkeypatch.setattr("vram_tui.app.screens.importing.preview", settled)
    monkeypatch.setattr(caches, "found", lambda **_: ())
    async with app.run_test(size=(width, height)) as pilot:
        await typed(pilot, FILE)
        await screenshot(pilot, f"import-review-{width}x{height}")


async def test_a_mixture_of_its_own_gets_a_row_and_other_models_say_why_not(app: VramApp) -> None:
    row = _row()
    tensors = typed_file_tensors(model_of(row), "Q4_K_M", app.answers.facts, imatrix=True)
    mixed = [
        (name, shape, Q6_K if kind == Q4_K and index % 3 else kind) for index, (name, shape, kind) in enumerate(tensors)
    ]
    write_header(metadata(row, "Q4_K_M"), mixed, Path("mixed.gguf"))
    async with app.run_test(size=(120, 40)) as pilot:
        await typed(pilot, "mixed.gguf")
        assert "custom mixture" in " ".join(shown(app).split())
        await pilot.press("enter")
        await settle(pilot)
        quant = app.session.selected_row.quant
        assert quant.startswith("file:")
        assert isinstance(app.screen, Explore)
        assert app.screen.grid.cells[app.session.row][0].bytes
        app.look(model="Qwen/Qwen3-8B")
        await pilot.pause()
        assert "mixture of one imported file" in app.screen.breakdown.text
        await pilot.press("tab", "u")
        assert quant not in {one.quant for one in app.session.grid.rows}
