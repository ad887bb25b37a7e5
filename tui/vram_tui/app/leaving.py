"""Signals from outside and a lost terminal: save, restore the terminal, go; a watchdog sees that it happens."""

import os
import signal
import sys
import termios
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import FrameType

WATCHDOG_SECONDS = 4.0
RESTORE = (
    b"\x18\x1b[m\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Every mode that the dashboard turns on, off again."""


class Leaver(Protocol):
    """The app: it saves at once, from any thread, and ends as soon as it can."""

    def leave_from_thread(self, number: int) -> None: ...


class Leaving:
    """Handlers for SIGTERM, SIGHUP and SIGINT that work while the dashboard is busy.

    A handler only writes to a pipe. The thread at its other end asks the app to leave, and after
    `WATCHDOG_SECONDS` restores the terminal and ends the process itself.
    """

    def __init__(self, app: Leaver) -> None:
        self._app = app
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)
        self._modes = _terminal_modes()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, name="leaving", daemon=True).start()

    def _signalled(self, number: int, frame: "FrameType | None") -> None:
        self.ask(number)

    def ask(self, number: int) -> None:
        """Leave with the exit code of a signal; safe in any thread and in a handler."""
        with suppress(OSError):
            os.write(self._in, bytes([number]))

    def _watch(self) -> None:
        number = os.read(self._out, 1)[0]
        # In a thread of its own: a disk that hangs must not hold up the end.
        threading.Thread(target=self._app.leave_from_thread, args=(number,), daemon=True).start()
        time.sleep(WATCHDOG_SECONDS)
        self._restore()
        os._exit(128 + number)

    def _restore(self) -> None:
        """Put the terminal back without waiting for it."""
        with suppress(OSError, ValueError, AttributeError):
            fd = sys.__stderr__.fileno()  # type: ignore[union-attr]
            os.set_blocking(fd, False)
            os.write(fd, RESTORE)
        if self._modes is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSANOW, self._modes)


def _terminal_modes() -> list[Any] | None:
    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError):
        return None
