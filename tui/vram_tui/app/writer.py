"""Writes to the terminal without making the dashboard wait, however slow or dead the line is.

What the terminal takes at once is written at once; the rest is left to a thread.
"""

import codecs
import os
import termios
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from rich.cells import cell_len

PIECE_BYTES = 1024
"""What is handed to the system at once; between pieces the rest can still be dropped."""
BEHIND_BYTES = 2048
"""With more than this not yet taken by the terminal, the next frame waits and takes later keys along."""
STOP_SECONDS = 3.0
CANCEL = b"\x18\x1b[m"
"""Ends whatever sequence was cut off, and its colours."""


def _question_marks(error: UnicodeError) -> tuple[str, int]:
    """What an encoding does not have, as question marks of the same width."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join("?" * cell_len(sign) for sign in error.object[error.start : error.end]), error.end


codecs.register_error("vram-tui-width", _question_marks)


class PatientWriter(threading.Thread):
    """Takes text at once and writes it as the terminal takes it; a dead terminal swallows it."""

    encoding = ""
    """Set once at the start; empty is the encoding of the file."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._file = file
        self._fd = file.fileno()
        self._encoding = self.encoding or getattr(file, "encoding", None) or "utf-8"
        self._pieces: deque[bytes] = deque()
        # Re-entrant: a handler of SIGTSTP may write while the main thread is in `write`.
        self._changed = threading.Condition(threading.RLock())
        self._waiting_bytes = 0
        self._stopping = False
        self._dead = False
        self._drained: Callable[[], None] | None = None
        self._at_once = _opened_again(self._fd)

    def write(self, text: str) -> None:
        data = text.encode(self._encoding, "vram-tui-width")
        with self._changed:
            if self._dead:
                return
            if not self._waiting_bytes:
                data = self._left(data)
                if not data:
                    return
            self._pieces.extend(data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES))
            self._waiting_bytes += len(data)
            self._changed.notify()

    def _left(self, data: bytes) -> bytes:
        """Write what the terminal takes without waiting; the thread would first have to wait for the interpreter."""
        if self._at_once is not None:
            with suppress(OSError):
                return data[os.write(self._at_once, data) :]
        return data

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def flush(self) -> None:
        """Nothing to do: the thread writes without a buffer."""

    @property
    def behind(self) -> bool:
        return self._waiting_bytes > BEHIND_BYTES

    def when_drained(self, call: Callable[[], None]) -> None:
        """Call once, from the thread, when everything has been taken."""
        with self._changed:
            self._drained = call
            self._changed.notify()

    def abandon(self) -> None:
        """Drop what the terminal has not taken yet, so that what is written next comes at once."""
        with self._changed:
            if not self._waiting_bytes:
                return
            self._waiting_bytes -= sum(map(len, self._pieces))
            self._pieces.clear()
            with suppress(termios.error, OSError):
                termios.tcflush(self._fd, termios.TCOFLUSH)
            self._pieces.append(CANCEL)
            self._waiting_bytes += len(CANCEL)
            self._changed.notify()

    def run(self) -> None:
        while (piece := self._next()) is not None:
            left = memoryview(piece)
            while left and not self._dead:
                try:
                    left = left[os.write(self._fd, left) :]
                except BlockingIOError:
                    threading.Event().wait(0.01)
                except OSError:
                    self._die()
            with self._changed:
                self._waiting_bytes -= len(piece)

    def _next(self) -> bytes | None:
        """The next piece; None at the end."""
        while True:
            with self._changed:
                if self._pieces:
                    return self._pieces.popleft()
                drained, self._drained = self._drained, None
                if drained is None:
                    if self._stopping:
                        return None
                    self._changed.wait()
            if drained is not None:
                drained()

    def _die(self) -> None:
        """The terminal is gone: swallow everything."""
        with self._changed:
            self._dead = True
            self._waiting_bytes -= sum(map(len, self._pieces))
            self._pieces.clear()

    def stop(self) -> None:
        """Write what is left and end; a terminal that takes nothing is left after a moment."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self.join(STOP_SECONDS)
        if self._at_once is not None:
            os.close(self._at_once)
            self._at_once = None


def _opened_again(fd: int) -> int | None:
    """The terminal once more, not to be waited for; the shell shares `fd` and must not find it so. None if refused."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
