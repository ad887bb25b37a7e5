"""Loose guards on what `python -m benchmarks.interface` measures strictly: a start, bytes over the wire, memory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.interface import bare
from benchmarks.interface.line import Line
from benchmarks.interface.measures import DOWN, LEFT, RIGHT, TAB, UP, environment, useful

pytestmark = pytest.mark.terminal
SIZE = (120, 40)
DASHBOARD = (sys.executable, "-m", "vram_tui")
BARE = (sys.executable, str(Path(bare.__file__)))
MOST_RATIO, TURNS = 2.2, 20
"""A start against a bare app's, from a checkout that has its files looked at first; a busy machine needs some turns."""


@pytest.fixture
def env(home: Path, cache: Path) -> dict[str, str]:
    return {**environment(home), "XDG_CACHE_HOME": str(cache)}


@pytest.fixture
def dashboard(env: dict[str, str]) -> Iterator[Line]:
    """At rest, on its second start: the first one may have to compile."""
    for _ in range(2):
        with Line(DASHBOARD, SIZE, env) as line:
            line.until(useful, 60)
    with Line(DASHBOARD, SIZE, env) as line:
        line.until(useful, 60)
        line.rest()
        yield line


def test_a_start_is_not_much_slower_than_a_bare_app(env: dict[str, str]) -> None:
    ours, least = [], []
    for _ in range(TURNS):
        with Line(BARE, SIZE, env) as line:
            least.append(line.until(lambda text: bare.READY in text))
        with Line(DASHBOARD, SIZE, env) as line:
            ours.append(line.until(useful, 60))
        if len(ours) > 2 and min(ours) <= MOST_RATIO * min(least):
            return
    pytest.fail(f"{min(ours):.0f} ms against {min(least):.0f} ms")


def test_keys_send_little_and_rest_sends_nothing(dashboard: Line) -> None:
    steps = [dashboard.press(DOWN, 0.3).size_bytes for _ in range(8)]
    assert sorted(steps)[4] <= 5_500, steps
    dashboard.press(TAB, 0.5)
    steps = [dashboard.press(key, 0.2).size_bytes for key in (RIGHT, DOWN, LEFT, UP) * 2]
    assert sorted(steps)[4] <= 700, steps
    assert dashboard.press(b"/", 0.4).size_bytes <= 4_000
    assert dashboard.press(b"\x1b[200~qwen3 coder 30b\x1b[201~", 0.4).size_bytes <= 15_000
    dashboard.read(2.0, 2.0)  # the session is saved
    dashboard.rest()
    before = dashboard.cpu_seconds()
    assert dashboard.read(2.0, 2.0) == []
    assert dashboard.cpu_seconds() - before < 0.003 * 2.0


def test_memory_stays_small(dashboard: Line) -> None:
    dashboard.press(DOWN * 40, 0.4)
    dashboard.press(UP * 40, 0.4)
    assert dashboard.peak_mb() < 60
