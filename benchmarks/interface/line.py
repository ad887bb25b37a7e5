"""A program in a pseudo-terminal, seen from outside: when every byte came, how many frames, what the screen showed."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyte

FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
ASKS_FOR_FRAMES, HAS_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""The question whether the terminal shows a frame at once, and the answer of today's terminals."""
QUIET_SECONDS = 0.1
"""Ten keys a second: what comes later than this after a key is no part of it."""
LIMIT_SECONDS = 8.0


class Piece(NamedTuple):
    """Bytes that came at once, and when (monotonic seconds)."""

    at: float
    data: bytes


class Step(NamedTuple):
    """What came of some keys: milliseconds to the last byte, bytes, frames, and the pieces themselves."""

    ms: float
    size_bytes: int
    frames: int
    begun: float
    pieces: tuple[Piece, ...]

    def frame_ms(self, wanted: bytes) -> float:
        """Milliseconds to the end of the first frame that shows a text; to the last byte where none ends."""
        seen = b""
        for piece in self.pieces:
            seen += piece.data
            at = seen.find(wanted)
            if at >= 0 and seen.find(FRAME_ENDS, at) >= 0:
                return (piece.at - self.begun) * 1e3
        if wanted not in seen:
            raise AssertionError(f"{wanted!r} was not shown")
        return self.ms


class Line:
    """One program in one pseudo-terminal of today: true colours, frames shown at once; it is drawn after the timing."""

    def __init__(self, program: Sequence[str], size: tuple[int, int], env: Mapping[str, str]) -> None:
        self.size = size
        self.pieces: list[Piece] = []
        self.begun = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
                os.execvpe(program[0], list(program), dict(env))
            finally:
                os._exit(127)
        os.set_blocking(self.fd, False)

    # Keys and what comes of them

    def read(self, quiet_seconds: float = QUIET_SECONDS, limit_seconds: float = LIMIT_SECONDS) -> list[Piece]:
        """What comes until nothing has come for a moment."""
        end, found = time.monotonic() + limit_seconds, []
        while (now := time.monotonic()) < end and select.select([self.fd], [], [], min(quiet_seconds, end - now))[0]:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                continue
            except OSError:  # it has ended
                break
            found.append(Piece(time.monotonic(), data))
            if ASKS_FOR_FRAMES in data:
                os.write(self.fd, HAS_FRAMES)
        self.pieces += found
        return found

    def press(self, keys: bytes, quiet_seconds: float = QUIET_SECONDS) -> Step:
        """Type and read until it is quiet."""
        begun = time.monotonic()
        os.write(self.fd, keys)
        pieces = self.read(quiet_seconds)
        data = b"".join(piece.data for piece in pieces)
        last = pieces[-1].at if pieces else begun
        return Step((last - begun) * 1e3, len(data), data.count(FRAME_BEGINS), begun, tuple(pieces))

    def until(self, useful: Callable[[str], bool], limit_seconds: float = 15.0) -> float:
        """Read on until it is quiet and the screen is useful; milliseconds from the start to the first useful paint."""
        end = time.monotonic() + limit_seconds
        while time.monotonic() < end:
            self.read(limit_seconds=end - time.monotonic())
            for at, text in self.screens():
                if useful(text):
                    return (at - self.begun) * 1e3
        raise AssertionError(f"not seen in {limit_seconds} s:\n{self.text}")

    def screens(self) -> Iterator[tuple[float, str]]:
        """The screen after every piece."""
        screen = pyte.Screen(*self.size)
        stream = pyte.ByteStream(screen)
        for piece in self.pieces:
            stream.feed(piece.data)
            yield piece.at, "\n".join(screen.display)

    @property
    def text(self) -> str:
        """The screen now."""
        return next((text for _, text in reversed(list(self.screens()))), "")

    # The process

    def rest(self, limit_seconds: float = 20.0) -> None:
        """Wait until it has nothing left to do."""
        end = time.monotonic() + limit_seconds
        while time.monotonic() < end:
            before = self.cpu_seconds()
            if not self.read(0.4, 0.4) and self.cpu_seconds() - before < 0.008:
                return

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        found = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                found += int((thread / "schedstat").read_text().split()[0])
        return found / 1e9

    def peak_mb(self) -> float:
        """Most resident memory so far, in MB of 10⁶ bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM:"))

    def close(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
