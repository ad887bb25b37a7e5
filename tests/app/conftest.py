"""Fixtures for the screens: a quiet environment, one library, and pictures that are oracle and gallery at once."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.app.library import Sample
from vram_tui.app.app import Options, VramApp
from vram_tui.session.answers import Answers
from vram_tui.session.settings import Settings
from vram_tui.session.storage import Store

PICTURES = Path(__file__).parents[2] / "screenshots"
REJECTED = Path(__file__).parents[2] / "build" / "screenshots"

Screenshot = Callable[[Pilot[Any], str], Awaitable[None]]
MakeApp = Callable[..., VramApp]


@pytest.fixture(scope="session")
def library() -> Sample:
    return Sample()


@pytest.fixture(scope="session")
def answers(library: Sample) -> Answers:
    return Answers(library)


@pytest.fixture
def make_app(library: Sample, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """A dashboard on the sample, on GLM-5.1 unless told otherwise, with a home of its own."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def make(
        model: str = "zai-org/GLM-5.1",
        *,
        settings: Settings | None = None,
        store: Store | None = None,
        **options: Any,
    ) -> VramApp:
        return VramApp(
            library,
            options=Options(model=model, **options),
            settings=settings,
            store=store,
            answers=answers,
        )

    return make


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Screenshot:
    """Compare the screen with `screenshots/<name>.svg`; `--update-screenshots` accepts what is there."""

    async def take(pilot: Pilot[Any], name: str) -> None:
        await pilot.wait_for_scheduled_animations()
        await pilot.pause()
        await pilot.pause(0.05)
        svg = pilot.app.export_screenshot(title="vram-tui", simplify=True)
        svg = re.sub(r"terminal-\d+-", "terminal-", svg).rstrip() + "\n"
        path = PICTURES / f"{name}.svg"
        if request.config.getoption("--update-screenshots"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(svg, encoding="utf-8", newline="\n")
            return
        if not path.is_file() or path.read_text(encoding="utf-8") != svg:
            REJECTED.mkdir(parents=True, exist_ok=True)
            (REJECTED / path.name).write_text(svg, encoding="utf-8", newline="\n")
            pytest.fail(f"{name}.svg differs: see build/screenshots, accept with --update-screenshots")

    return take
