"""What was wrong at the start: told at once, in full on a screen of its own, and everything else works."""

from pathlib import Path

import pytest

from tests.app.conftest import Screenshot
from tests.app.library import Sample
from tests.app.sharing import Terminal, shown, terminal, told
from vram_tui.app.app import Options, VramApp
from vram_tui.app.screens.explore import Explore
from vram_tui.catalog import load_catalog

__all__ = ["terminal"]


@pytest.fixture
def notices(tmp_path: Path) -> tuple[str, ...]:
    """The faults of a catalogue folder with three broken files."""
    for name, text in (
        ("syntax", 'name = "x\n'),
        ("empty", ""),
        ("strange", 'name = "\\u001b]0;owned\\u0007[red]"\nfamily = 3\n'),
    ):
        path = tmp_path / "models" / "acme" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tuple(str(fault) for fault in load_catalog(user_dir=tmp_path / "models").faults)


@pytest.fixture
def app(notices: tuple[str, ...]) -> VramApp:
    return VramApp(Sample(), options=Options(model="zai-org/GLM-5.1"), notices=notices)


async def test_a_broken_catalogue_file_is_told_and_the_rest_works(app: VramApp) -> None:
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause()
        assert told(app).startswith("notices: 3, ! shows them whole: ")
        assert "empty.toml" in told(app)
        await pilot.press("down")
        assert isinstance(app.screen, Explore)
        assert app.screen.grid.cells[0][0].bytes


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40)])
async def test_every_notice_stands_there_whole(app: VramApp, notices: tuple[str, ...], size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("exclamation_mark")
        seen = shown(app)
        for _ in range(20):
            await pilot.press("down")
            seen += shown(app)
        squeezed = "".join(seen.split())
        for notice in notices:
            assert "".join(notice.split()) in squeezed
        assert all(line.isprintable() for line in seen.splitlines())
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


async def test_notices_are_copied(app: VramApp, notices: tuple[str, ...], terminal: Terminal) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("exclamation_mark", "y")
        assert terminal.clipboard == "\n".join(notices)


async def test_a_start_without_faults_says_so() -> None:
    app = VramApp(Sample(), options=Options(model="zai-org/GLM-5.1"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert told(app) == ""
        await pilot.press("exclamation_mark")
        assert "Nothing was wrong" in shown(app)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_pictures(screenshot: Screenshot, width: int, height: int) -> None:
    folder = "/home/ada/.config/vram-tui"
    notices = (
        f"{folder}/models/acme/helper.toml:14: layers.count: must be a whole number, not '28'; write it without quotes",
        f"{folder}/models/acme/draft.toml: is larger than 1 MiB; an entry is a few kilobytes",
        f"{folder}/config.toml: keys: recip is no action: did you mean recipe?",
    )
    app = VramApp(Sample(), options=Options(model="zai-org/GLM-5.1"), notices=notices)
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause(0.1)
        await pilot.press("exclamation_mark")
        await screenshot(pilot, f"notices-{width}x{height}")
