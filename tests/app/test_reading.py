"""Keys read from the terminal: what was parsed once is known, and never changes what a later reading means."""

from codecs import getincrementaldecoder
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste
from textual.message import Message

from vram_tui.app.driver import ThriftyDriver

PIECES = (
    *(b"\x1b[A", b"\x1b[B", b"\x1bOA", b"\x1b[6~", b"\x1b[97;5u", b"\x1b", b"a", b"/", b" ", b"\r", b"\x7f"),
    *(b"\x1b[200~", b"\x1b[201~", b"200~", b"[20", b"\x1b[<0;3;4M", b"\x1b[I", b"\x1b[?2026;2$y"),
    *("é".encode(), "模".encode(), b"\xe6", b"\xa8"),
)


class Reader(ThriftyDriver):
    """The part of the driver that reads, without a terminal."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self._parser, self._decoder = XTermParser(), getincrementaldecoder("utf-8")("replace")
        self._at_rest, self._known = True, {}
        self._loop: Any = self

    def call_later(self, *_: object) -> None:
        """No time passes."""

    def process_message(self, message: Message) -> None:
        self.told.append(message)


def words(messages: list[Message]) -> list[tuple[Any, ...]]:
    return [
        ("key", one.key, one.character)
        if isinstance(one, Key)
        else ("paste", one.text)
        if isinstance(one, Paste)
        else (type(one).__name__,)
        for one in messages
    ]


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(b"".join), max_size=30))
def test_however_the_bytes_come_they_mean_what_the_parser_says(readings: list[bytes]) -> None:
    reader = Reader()
    parser, decoder = XTermParser(), getincrementaldecoder("utf-8")("replace")
    wanted: list[Message] = []
    for data in readings:
        reader._take(data)
        if text := decoder.decode(data):
            wanted += parser.feed(text)
    assert words(reader.told) == words(wanted)


def test_a_sign_that_comes_in_two_halves_is_whole() -> None:
    reader = Reader()
    for data in (b"a", "模".encode()[:2], "模".encode()[2:], b"a", b"b"):
        reader._take(data)
    assert words(reader.told) == [("key", "a", "a"), ("key", "模", "模"), ("key", "a", "a"), ("key", "b", "b")]


def test_what_is_known_is_not_parsed_again_and_is_text_in_a_paste() -> None:
    reader = Reader()
    for _ in range(3):
        reader._take(b"\x1b[B")
    assert words(reader.told) == [("key", "down", None)] * 3
    assert list(reader._known) == [b"\x1b[B"]
    reader._parser = None  # type: ignore[assignment]
    reader._take(b"\x1b[B")
    assert len(reader.told) == 4
    reader = Reader()
    for data in (b"a", b"a", b"\x1b[200~", b"a", b"\x1b[201~", b"a"):
        reader._take(data)
    assert words(reader.told) == [("key", "a", "a")] * 2 + [("paste", "a"), ("key", "a", "a")]
