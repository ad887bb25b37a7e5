"""A pseudo-terminal with a screen: starts a program, types, reads what stands there, counts bytes."""

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

PROGRAM = (sys.executable, "-m", "vram_tui")
_MODES = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
RESTORED = {"1049": b"l", "1000": b"l", "1002": b"l", "1003": b"l", "1006": b"l", "2004": b"l", "25": b"h"}
"""Private modes and the state that a terminal must be left in, if the program touched them."""


class Terminal:
    """One program in one pseudo-terminal. `received` is all that it sent."""

    def __init__(
        self,
        program: Sequence[str] = PROGRAM,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str | None] | None = None,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.received = bytearray()
        self.exit_code: int | None = None
        surroundings = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        child_env = {name: value for name, value in surroundings.items() if value is not None}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(program[0], list(program), child_env)
            finally:
                os._exit(127)
        self.resize(*size)
        self.first_modes = termios.tcgetattr(self.fd)
        os.set_blocking(self.fd, False)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def send(self, keys: str | bytes) -> None:
        """Type; long pastes are fed as the program takes them."""
        data = keys.encode() if isinstance(keys, str) else keys
        while data:
            try:
                data = data[os.write(self.fd, data[:4096]) :]
            except BlockingIOError:
                self.pump(0.01)

    def pump(self, seconds: float, limit_bytes: int | None = None) -> int:
        """Read what comes for so long (at most so many bytes); returns how many bytes came."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0 and (limit_bytes is None or count < limit_bytes):
            if not select.select([self.fd], [], [], left)[0]:
                break
            try:
                data = os.read(self.fd, min(65536, (limit_bytes or 65536) - count if limit_bytes else 65536))
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno == errno.EIO:  # the program closed its side
                    self.reap()
                    break
                raise
            if not data:
                break
            self.received += data
            self._stream.feed(data)
            count += len(data)
        return count

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait(self, wanted: str | Callable[[str], bool], seconds: float = 15) -> str:
        """Read until the text stands on the screen (or the test of it holds); returns the screen."""
        test = (lambda text: wanted in text) if isinstance(wanted, str) else wanted
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump(0.05)
            if test(self.text):
                return self.text
            if self.exit_code is not None:
                break
        raise AssertionError(f"not seen: {wanted if isinstance(wanted, str) else 'the condition'}\n{self.text}")

    def settle(self, quiet_seconds: float = 0.25, limit_seconds: float = 5) -> None:
        """Read until nothing has come for a moment."""
        end = time.monotonic() + limit_seconds
        while time.monotonic() < end and self.pump(quiet_seconds):
            pass

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def reap(self) -> None:
        """Note the exit code if the program has ended."""
        if self.exit_code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.exit_code = os.waitstatus_to_exitcode(status)

    def wait_exit(self, seconds: float = 10) -> int:
        """Wait for the end; the exit code, or minus the signal."""
        end = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < end:
            if not self.pump(0.02):
                time.sleep(0.01)
            self.reap()
        if self.exit_code is None:
            raise AssertionError(f"still running after {seconds} s\n{self.text}")
        return self.exit_code

    def last_modes(self) -> dict[str, bytes]:
        """The last state in which each private mode was put."""
        found: dict[str, bytes] = {}
        for numbers, state in _MODES.findall(bytes(self.received)):
            for number in numbers.decode().split(";"):
                found[number] = state
        return found

    def assert_restored(self) -> None:
        """The terminal is as it was: main screen, cursor, no mouse, no bracketed paste, line discipline."""
        self.pump(0.2)
        modes = self.last_modes()
        wrong = {number: modes[number] for number, state in RESTORED.items() if modes.get(number, state) != state}
        assert not wrong, f"modes left on: {wrong}"
        pushed, popped = self.received.count(b"\x1b[>"), self.received.count(b"\x1b[<u")
        assert not pushed or popped, "the keyboard protocol was left on"
        try:
            now = termios.tcgetattr(self.fd)
        except termios.error:
            return
        assert now[3] & (termios.ECHO | termios.ICANON) == self.first_modes[3] & (termios.ECHO | termios.ICANON)

    def cpu_seconds(self) -> float:
        """Processor time that the program has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Resident memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self) -> int:
        """Most resident memory so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) * 1024 if match else 0

    def close(self) -> None:
        if self.exit_code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self.exit_code = -signal.SIGKILL
        with suppress(OSError):
            os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self.close()
