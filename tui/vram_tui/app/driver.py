"""Sends less: no colour that is already set, and of a changed line only the cells that differ.

With `partial`, `pacing` and `screens.painting` it touches what Textual keeps to itself; without them everything works,
with more bytes.
"""

import os
import re
import signal
from codecs import getincrementaldecoder
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._compositor import Compositor
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from vram_tui.app.partial import CANVAS, quick_full_update, quick_partial_update
from vram_tui.app.writer import PatientWriter

if TYPE_CHECKING:
    from vram_tui.app.leaving import Leaving

_SGR = re.compile(r"\x1b\[([0-9;]*)m")


_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""What takes a set attribute back; 22 takes bold and dim."""


class Pen(NamedTuple):
    """What the terminal draws with: foreground and background as their codes, and the set attributes in order."""

    ink: str = ""
    ground: str = ""
    flags: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def changed(pen: Pen, codes: str) -> Pen:
    """The pen after a select-graphic-rendition sequence with these codes."""
    parts = codes.split(";") if codes else ["0"]
    index = 0
    while index < len(parts):
        code = parts[index] or "0"
        if code == "0":
            pen = Pen()
        elif code in ("38", "48"):
            length = 5 if parts[index + 1 : index + 2] == ["2"] else 3
            color = ";".join(parts[index : index + length])
            pen = pen._replace(ink=color) if code == "38" else pen._replace(ground=color)
            index += length - 1
        elif (3 <= int(code) // 10 <= 3 or 9 <= int(code) // 10 <= 9) and code != "39":
            pen = pen._replace(ink=code)
        elif int(code) // 10 in (4, 10) and code != "49":
            pen = pen._replace(ground=code)
        elif code == "39":
            pen = pen._replace(ink="")
        elif code == "49":
            pen = pen._replace(ground="")
        elif code in _OFF.values():
            pen = pen._replace(flags=tuple(flag for flag in pen.flags if _OFF.get(flag) != code))
        else:
            pen = pen._replace(flags=tuple(sorted({*pen.flags, code})))
        index += 1
    return pen


@lru_cache(maxsize=4096)
def step(before: Pen, after: Pen) -> str:
    """The shortest sequence from one pen to another: from a plain pen, or what differs alone."""
    if before == after:
        return ""
    afresh = [part for part in ("0", after.ink, after.ground, *after.flags) if part]
    off = list(dict.fromkeys(_OFF.get(flag, "0") for flag in before.flags if flag not in after.flags))
    kept = [] if "0" in off else [flag for flag in before.flags if flag in after.flags and _OFF.get(flag) not in off]
    codes = [*off, *(flag for flag in after.flags if flag not in kept)]
    codes += [after.ink or "39"] if after.ink != before.ink or "0" in off else []
    codes += [after.ground or "49"] if after.ground != before.ground or "0" in off else []
    shorter = min(";".join(codes), ";".join(afresh), key=len)
    return "\x1b[m" if shorter == "0" else f"\x1b[{shorter}m"


_MOVES = re.compile(r"(?:\x1b\[[0-9;]*[A-HIf]|\x1b\[\?[0-9;]*[hl]|[\r\n])*")
"""What draws nothing, so that it may happen with any pen."""


def thrifty(data: str, pen: Pen) -> tuple[str, Pen]:
    """The same picture in fewer bytes, from a terminal that draws with `pen`; and what it draws with afterwards."""
    pieces = _SGR.split(data)
    if len(pieces) == 1 and pen == Pen():
        return data, pen
    found: list[str] = []
    wanted, now = pen, pen
    for index, piece in enumerate(pieces):
        if index % 2:
            wanted = changed(wanted, piece)
        elif piece:
            moves = _MOVES.match(piece)
            drawn = moves.end() if moves else 0
            found.append(piece[:drawn])
            if drawn < len(piece):
                found.append(step(now, wanted))
                found.append(piece[drawn:])
                now = wanted
    # The picture ends with a plain pen, so that whatever writes next finds what it expects.
    found.append(step(now, wanted))
    return "".join(found), wanted


READ_BYTES = 1 << 16
KNOWN_BYTES, KNOWN_KEYS = 16, 256
"""What the parser made of so many short readings is kept: parsing is a tenth of what a key takes."""
PASTE_BEGINS = b"[200~"


class ThriftyDriver(LinuxDriver):
    """Textual's driver with every frame written thriftily, to a writer that waits for the line instead of us.

    `leaving` is told when the input has ended.
    """

    leaving: "Leaving | None" = None
    _pen = Pen()
    _frame: list[str] | None = None
    """What has been drawn of a frame that has not ended."""

    def _get_terminal_size(self) -> tuple[int, int]:
        # The terminal's own word first: COLUMNS and LINES, where somebody exported them, do not follow a new size.
        with suppress(OSError):
            columns, lines = os.get_terminal_size(self.fileno)
            if columns and lines:
                return columns, lines
        return super()._get_terminal_size()

    def write(self, data: str) -> None:
        """Hand on what is drawn, a frame in one piece."""
        if data == SYNC_START:
            self._frame = []
        sent, self._pen = thrifty(data, self._pen)
        if self._frame is None:
            super().write(sent)
            return
        self._frame.append(sent)
        if data == SYNC_END:
            self._end_frame()

    def _end_frame(self) -> None:
        frame, self._frame = self._frame, None
        if frame:
            super().write("".join(frame))

    @property
    def pace(self) -> PatientWriter | None:
        """How far the line has come; None before there is one."""
        writer = self._writer_thread
        return writer if isinstance(writer, PatientWriter) else None

    def forget(self) -> None:
        """Write the next frame whole: nobody knows what the terminal shows."""
        CANVAS.forget()

    def start_application_mode(self) -> None:
        self.forget()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        self._end_frame()
        if self.pace is not None:
            self.pace.abandon()
        self._pen = Pen()
        super().stop_application_mode()

    def _run_input_thread(self) -> None:
        """Textual starts a thread here that would look ten times a second, idle or not; the loop tells at once."""
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._listen)

    def _listen(self) -> None:
        self._parser, self._decoder = XTermParser(), getincrementaldecoder("utf-8")("replace")
        self._at_rest, self._known = True, dict[bytes, list[tuple[str, str | None]]]()
        try:
            self._loop.add_reader(self.fileno, self._read)
        except OSError:  # a file or /dev/null: nobody types there
            self._input_ends()

    def disable_input(self) -> None:
        self._loop.remove_reader(self.fileno)
        super().disable_input()

    def _read(self) -> None:
        """Keys from the terminal: bytes that are no text or no sequence are passed over."""
        try:
            data = os.read(self.fileno, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._input_ends()
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self._at_rest and data in self._known:
            for key, character in self._known[data]:
                self.process_message(Key(key, character))
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        text = self._decoder.decode(data)
        if not text:  # half a sign; the parser would take it for the end of everything
            self._at_rest = False
            return
        events: list[Message] = []
        try:
            for event in self._parser.feed(text):
                events.append(event)
                self.process_message(event)
        except Exception:  # whatever a stranger's bytes do to the parser: start it afresh
            self._parser = XTermParser()
        keys = [(event.key, event.character) for event in events if isinstance(event, Key)]
        # Where it made keys alone, it is between two of them, unless more is to come or a paste began.
        open_ended = self._parser._timeout_time or self._decoder.getstate()[0] or PASTE_BEGINS in data
        before, self._at_rest = self._at_rest, bool(keys) and len(keys) == len(events) and not open_ended
        if before and self._at_rest and len(data) <= KNOWN_BYTES and len(self._known) < KNOWN_KEYS:
            self._known[data] = keys
        # An escape alone is known by the silence after it.
        self._loop.call_later(ESCAPE_DELAY, self._tick, self._parser)

    def _tick(self, parser: XTermParser) -> None:
        """What the parser makes of a silence."""
        for event in parser.tick():
            self.process_message(event)

    def _input_ends(self) -> None:
        self._loop.remove_reader(self.fileno)
        if self.leaving is not None:
            self.leaving.ask(signal.SIGHUP)

    def send_message(self, message: Message) -> None:
        """At once, not by way of another turn of the loop: of keys that came together, the app sees how many wait."""
        self._app.post_message(message)


def install(*, ascii_only: bool = False) -> None:
    """Let partial frames be small, and writing be patient; `ascii_only` sends nothing else."""
    PatientWriter.encoding = "ascii" if ascii_only else ""
    linux_driver.WriterThread = PatientWriter  # type: ignore[attr-defined, assignment]
    Compositor.render_full_update = quick_full_update  # type: ignore[method-assign, assignment]
    Compositor.render_partial_update = quick_partial_update  # type: ignore[method-assign, assignment]
