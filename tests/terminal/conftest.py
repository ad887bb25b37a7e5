"""A home of its own for every program that is started."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import offline
from tests.offline.sitecustomize import LOG
from tests.terminal.terminal import PROGRAM, Terminal

OFFLINE = Path(offline.__file__).parent
Start = Callable[..., Terminal]
SERVERS = pytest.StashKey[set[str]]()
"""The SSH servers that were logged in to."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if servers := config.stash.get(SERVERS, None):
        terminalreporter.write_line(f"logins over SSH: {', '.join(sorted(servers))}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compiled catalogue for all homes: a start that has to make it first takes seconds longer."""
    return tmp_path_factory.mktemp("cache")


def surroundings(home: Path, cache: Path) -> dict[str, str | None]:
    """The environment of a program with a home of its own and no network."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(cache),
        "NO_COLOR": None,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(OFFLINE), os.environ.get("PYTHONPATH")))),
        LOG: str(cache / f"{home.name}-network.log"),
    }


def attempts(home: Path, cache: Path) -> str:
    """What the programs of a home wanted of the network."""
    log = Path(surroundings(home, cache)[LOG] or "")
    return log.read_text() if log.exists() else ""


@pytest.fixture
def start(home: Path, cache: Path) -> Iterator[Start]:
    """Start the program: `start("--ascii", size=(80, 24), env={…})`; all are ended with the test.

    `program` is what starts it, such as ("nohup",). None of them may ask for the network.
    """
    with ExitStack() as stack:

        def begin(
            *arguments: str,
            size: tuple[int, int] = (80, 24),
            env: dict[str, str | None] | None = None,
            program: tuple[str, ...] = (),
        ) -> Terminal:
            environment = {**surroundings(home, cache), **(env or {})}
            return stack.enter_context(Terminal((*program, *PROGRAM, *arguments), size, environment))

        yield begin
    assert not attempts(home, cache)
