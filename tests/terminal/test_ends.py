"""However the program ends, the terminal is left as it was found and the state is saved."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.terminal.conftest import Start

pytestmark = pytest.mark.terminal
READY = "Models"


def saved(home: Path) -> str:
    files = [path for path in home.rglob("*.toml") if path.is_file()]
    return "\n".join(path.read_text() for path in files)


def test_quitting_restores_and_saves(start: Start, home: Path) -> None:
    terminal = start(size=(120, 40))
    terminal.wait(READY)
    terminal.send("/glm-5.1")
    terminal.wait("MLA 512+64")
    terminal.send("\r\x1b")
    terminal.settle()
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()
    assert "zai-org/GLM-5.1" in saved(home)
    again = start(size=(120, 40))
    again.wait("MLA 512+64")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_and_saves(start: Start, home: Path, number: signal.Signals) -> None:
    terminal = start(size=(100, 30))
    terminal.wait(READY)
    terminal.send(" ")
    terminal.settle()
    terminal.kill(number)
    if number == signal.SIGINT:
        # A raw terminal sends no SIGINT for ctrl+c; one from outside is a wish to end.
        try:
            terminal.wait_exit(3)
        except AssertionError:
            terminal.kill(signal.SIGTERM)
    code = terminal.wait_exit()
    assert code in (0, 128 + number, 130, 143)
    terminal.assert_restored()
    assert "marks" in saved(home)


def test_stopped_and_continued_it_paints_again(start: Start) -> None:
    terminal = start(size=(100, 30))
    terminal.wait(READY)
    terminal.kill(signal.SIGTSTP)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        terminal.pump(0.1)
        state = Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            break
    assert state == "T"
    assert terminal.last_modes().get("1049") == b"l"
    terminal.kill(signal.SIGCONT)
    terminal.wait(READY)
    assert terminal.last_modes().get("1049") == b"h"
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_a_closed_terminal_ends_it(start: Start, home: Path) -> None:
    terminal = start(size=(100, 30))
    terminal.wait(READY)
    terminal.send(" ")
    terminal.settle()
    pid = terminal.pid
    os.close(terminal.fd)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done:
            terminal.exit_code = 0
            break
        time.sleep(0.05)
    assert terminal.exit_code == 0, "it outlives its terminal"
    assert "marks" in saved(home)


def test_the_end_of_its_input_is_no_busy_loop(start: Start) -> None:
    terminal = start(size=(100, 30))
    terminal.wait(READY)
    terminal.settle()
    terminal.send("\x04")  # ctrl+d: what an end of file looks like in cooked mode
    terminal.settle()
    if terminal.exit_code is None:
        # What is reckoned in the background after a start ends by itself; a busy loop does not.
        for _ in range(15):
            before = terminal.cpu_seconds()
            terminal.pump(2)
            if terminal.cpu_seconds() - before < 0.2:
                return
        raise AssertionError("the program does not come to rest")
