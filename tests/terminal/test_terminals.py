"""Every kind and size of terminal: it reads, and nothing that cannot be shown is sent."""

import random

import pytest

from tests.terminal.conftest import Start

pytestmark = pytest.mark.terminal
READY = "Models"


@pytest.mark.parametrize("term", ["dumb", "linux", "vt100", "xterm", "screen-256color", "tmux-256color"])
def test_terminal_types(start: Start, term: str) -> None:
    terminal = start(size=(80, 24), env={"TERM": term, "COLORTERM": None})
    terminal.wait(READY)
    terminal.send("/qwen3-30b")
    terminal.wait("Qwen3-30B-A3B")
    terminal.send("\x1b")
    terminal.settle()
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}, {"LANG": None, "LC_ALL": "POSIX"}])
def test_poor_surroundings(start: Start, env: dict[str, str | None]) -> None:
    terminal = start(size=(80, 24), env=env)
    terminal.wait(READY)
    terminal.wait("Q4_K_M")
    if "NO_COLOR" in env:
        assert b"\x1b[38;2" not in terminal.received
        assert b"\x1b[48;2" not in terminal.received
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_ascii_sends_ascii(start: Start) -> None:
    terminal = start("--ascii", "--no-mouse", size=(80, 24))
    terminal.wait(READY)
    terminal.send("\x1b[B\x1b[B")
    terminal.settle()
    shown = terminal.text
    assert shown.isascii(), sorted({character for character in shown if not character.isascii()})
    assert b"?1000h" not in terminal.received
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_a_small_terminal_says_what_it_needs_and_comes_back(start: Start) -> None:
    terminal = start(size=(40, 10))
    terminal.wait("60")
    terminal.resize(80, 24)
    terminal.wait(READY)
    terminal.resize(10, 3)
    terminal.settle()
    terminal.resize(120, 40)
    terminal.wait(READY)
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_a_size_that_somebody_exported_is_not_believed(start: Start) -> None:
    terminal = start(size=(120, 40), env={"COLUMNS": "80", "LINES": "24"})
    terminal.wait("Requirements")  # a title that 80 columns have no room for
    terminal.resize(160, 50)
    terminal.wait(lambda text: len(text.splitlines()[1].rstrip()) == 160)
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_a_storm_of_sizes(start: Start) -> None:
    terminal = start(size=(80, 24))
    terminal.wait(READY)
    dice = random.Random(7)
    for columns, lines in [(1, 1), (500, 200), *((dice.randint(1, 500), dice.randint(1, 200)) for _ in range(25))]:
        terminal.resize(columns, lines)
        terminal.pump(0.02)
    terminal.resize(80, 24)
    terminal.settle()
    terminal.wait(READY)
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()


def test_a_megabyte_pasted(start: Start) -> None:
    terminal = start(size=(80, 24))
    terminal.wait(READY)
    terminal.send("/")
    terminal.send(b"\x1b[200~" + b"qwen " * 209_715 + b"\x1b[201~")
    terminal.settle(0.5, 20)
    terminal.send("\x1b")
    terminal.settle()
    terminal.send("\x1b")
    terminal.settle()
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()


def test_a_slow_link(start: Start) -> None:
    """Drained at 2 KB a second: forty keys coalesce, and quitting still takes less than five seconds."""
    terminal = start(size=(80, 24))
    terminal.wait(READY)
    terminal.settle()
    terminal.send("\x1b[B" * 40)
    for _ in range(10):
        terminal.pump(0.1, limit_bytes=200)
        if terminal.pump(0.001, limit_bytes=1) == 0:
            break
    terminal.send("q")
    waited = 0.0
    while terminal.exit_code is None and waited < 5:
        terminal.pump(0.1, limit_bytes=200)
        waited += 0.1
        try:
            terminal.wait_exit(0.001)
        except AssertionError:
            continue
    assert terminal.exit_code == 0, "quitting took more than five seconds"
