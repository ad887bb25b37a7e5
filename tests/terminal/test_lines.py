"""Slow, stuck, broken and hostile lines: the dashboard keeps up, or leaves within seconds with its state saved."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.terminal.conftest import Start
from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.terminal
READY = "Models"
DOWN = "\x1b[B"


def kept(home: Path) -> str:
    return "\n".join(path.read_text() for path in home.rglob("session.toml"))


def drain_slowly(terminal: Terminal, seconds: float, bytes_per_second: int = 2000) -> None:
    """Take so much in so long, and not more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and terminal.exit_code is None:
        terminal.pump(0.02, limit_bytes=bytes_per_second // 20)
        terminal.reap()
        time.sleep(0.05)


def test_a_held_key_over_two_kilobytes_a_second(start: Start, home: Path) -> None:
    """Twelve seconds of a held arrow key: what comes late is where the keys led, and quitting waits for nothing."""
    terminal = start(size=(120, 40))
    terminal.wait(READY)
    terminal.settle()
    before = len(terminal.received)
    for _ in range(60):
        terminal.send(DOWN * 3)
        drain_slowly(terminal, 0.1)
    assert len(terminal.received) - before < 25_000
    begun = time.monotonic()
    terminal.send(" q")
    drain_slowly(terminal, 5)
    assert terminal.exit_code == 0
    assert time.monotonic() - begun < 5
    assert "marks" in kept(home)
    terminal.assert_restored()


def test_what_a_slow_line_shows_in_the_end_is_right(start: Start) -> None:
    slow, quick = start(size=(120, 40)), start(size=(120, 40), env={"XDG_STATE_HOME": "/nonexistent"})
    for terminal in (slow, quick):
        terminal.wait(READY)
        terminal.settle(0.5)
    for _ in range(20):
        slow.send(DOWN * 2)
        drain_slowly(slow, 0.1)
    quick.send(DOWN * 40)
    end = time.monotonic() + 30
    while slow.text != quick.text and time.monotonic() < end:
        slow.settle(0.3)
        quick.settle(0.3)
    assert slow.text == quick.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_takes_nothing_cannot_hold_it(start: Start, home: Path, number: signal.Signals) -> None:
    terminal = start(size=(200, 60))
    terminal.wait(READY)
    terminal.settle()
    terminal.send(" ")
    for _ in range(200):  # nobody reads: the line fills up
        os.write(terminal.fd, b"T")
        time.sleep(0.005)
    terminal.kill(number)
    end = time.monotonic() + 8
    while terminal.exit_code is None and time.monotonic() < end:
        time.sleep(0.05)
        terminal.reap()
    assert terminal.exit_code == 128 + number
    assert "marks" in kept(home)


def test_an_input_that_ends_without_a_signal(start: Start, home: Path) -> None:
    """Where the hang-up is ignored, as under nohup, the end of the file is all there is."""
    terminal = start(size=(100, 30), program=("sh", "-c", 'trap "" HUP; exec "$@"', "sh"))
    terminal.wait(READY)
    terminal.send(" ")
    terminal.settle()
    pid = terminal.pid
    os.close(terminal.fd)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            terminal.exit_code = 0
            break
        time.sleep(0.05)
    assert terminal.exit_code == 0, "it outlives its input"
    assert "marks" in kept(home)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_that_are_no_keys(start: Start, seed: int) -> None:
    """Broken UTF-8, cut and absurd sequences: none of them ends the program or wedges it."""
    dice = random.Random(seed)
    sequences = [
        b"\xff\xfe",
        b"\xc3",
        b"\x1b[",
        b"\x1b[999999999999999999999u",
        b"\x1b[1114112u",
        b"\x1b[55296u",
        b"\x1b[<0;99999999;99999999M",
        b"\x1b[<0;-1;-1M",
        b"\x1b]52;c;",
        b"\x1b]0;title\x07",
        b"\x1bP+q544e\x1b\\",
        b"\x1b[?1;2c",
        b"\x1b[?2026;2$y",
        b"\x1b[M\xff\xff\xff",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x00\x01\x7f",
        "\u202e".encode(),
        b"\x1b[48;0;0;0;0t",
    ]
    terminal = start(size=(100, 30))
    terminal.wait(READY)
    for _ in range(150):
        noise = dice.randbytes(dice.randrange(1, 12)).replace(b"\x1a", b"").replace(b"\x1c", b"")  # job control
        terminal.send(dice.choice(sequences) if dice.random() < 0.7 else noise)
        terminal.pump(0.004)
        if terminal.exit_code is not None:
            break
    # q is among the random bytes: a regular end is fine, anything else is not.
    terminal.send(b"\x1b[201~\x1b")
    terminal.settle(0.3)
    for _ in range(6):
        if terminal.exit_code is not None:
            break
        terminal.send("\x1b")
        terminal.settle()
        terminal.send("q")
        terminal.settle(0.5)
    # Keys make no signals in the dashboard: 130 is a ^C of the noise to a terminal that was given back already.
    assert terminal.wait_exit() in (0, 130), terminal.text
    assert b"Traceback" not in terminal.received
    terminal.assert_restored()


@pytest.mark.parametrize(
    "env", [{"TERM": "linux", "COLORTERM": None}, {"LC_ALL": "C"}, {"LC_ALL": None, "LANG": "en_US.ISO-8859-1"}]
)
def test_a_terminal_of_few_signs_gets_ascii(start: Start, env: dict[str, str | None]) -> None:
    terminal = start(size=(120, 40), env=env)
    terminal.wait(READY)
    terminal.send(DOWN * 3 + "t24GiB\r")
    terminal.settle()
    assert bytes(terminal.received).isascii()
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_sixteen_colours_are_named_not_mixed(start: Start) -> None:
    terminal = start(size=(80, 24), env={"TERM": "xterm", "COLORTERM": None})
    terminal.wait(READY)
    terminal.settle()
    assert b"\x1b[38;" not in terminal.received
    assert b";38;" not in terminal.received
