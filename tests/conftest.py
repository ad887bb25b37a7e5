"""Options and surroundings of the whole test suite."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.offline.sitecustomize import outside

# Shared machines pause at will: time is measured elsewhere. `--hypothesis-profile=long` looks fifty times as hard.
settings.register_profile("usual", deadline=None)
settings.register_profile("long", deadline=None, max_examples=5000)
settings.load_profile("usual")

# Read once when Textual is imported, so they go before any test module is.
for _name in [name for name in os.environ if name.startswith("TEXTUAL_")]:
    del os.environ[_name]
for _name in ("NO_COLOR", "COLORTERM"):
    os.environ.pop(_name, None)
os.environ["TEXTUAL_ANIMATIONS"] = "none"

_attempts: list[str] = []


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith("socket.") and (attempt := outside(event, arguments)):
        _attempts.append(attempt)
        raise OSError("no network in tests")


sys.addaudithook(_refuse_network)


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """No test of the suite reaches another machine, or tries to; servers on loopback are fine."""
    _attempts.clear()
    yield
    assert not _attempts, f"asked for the network: {_attempts}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-screenshots", action="store_true", help="accept the screens as they are now")
