"""A home of its own for every program that is started."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.terminal.terminal import PROGRAM, Terminal

Start = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compiled catalogue for all homes: a start that has to make it first takes seconds longer."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(home: Path, cache: Path) -> Iterator[Start]:
    """Start the program: `start("--ascii", size=(80, 24), env={…})`; all are ended with the test.

    `program` is what starts it, such as ("nohup",).
    """
    with ExitStack() as stack:

        def begin(
            *arguments: str,
            size: tuple[int, int] = (80, 24),
            env: dict[str, str | None] | None = None,
            program: tuple[str, ...] = (),
        ) -> Terminal:
            surroundings: dict[str, str | None] = {
                "HOME": str(home),
                "XDG_CONFIG_HOME": str(home / "config"),
                "XDG_STATE_HOME": str(home / "state"),
                "XDG_CACHE_HOME": str(cache),
                "NO_COLOR": None,
                **(env or {}),
            }
            return stack.enter_context(Terminal((*program, *PROGRAM, *arguments), size, surroundings))

        yield begin
