"""OSC 52 as each terminal wants it, decoded again as tmux and GNU screen would."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_tui.exporters.clipboard import LIMIT_BASE64_BYTES, SCREEN_CHUNK_BYTES, ClipboardError, osc52

_OSC52 = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
XTERM = {"TERM": "xterm-256color"}


def _decoded(sequence: str) -> str:
    match = _OSC52.fullmatch(sequence)
    assert match
    return base64.b64decode(match[1]).decode()


@given(st.text(st.characters(codec="utf-8"), max_size=2000))
def test_a_plain_terminal_gets_the_text(text: str) -> None:
    copied = osc52(text, XTERM)
    assert _decoded(copied.sequence) == text
    assert copied.bytes == len(copied.sequence.encode())
    assert copied.warning == ""


@given(st.text(st.characters(codec="utf-8"), max_size=2000))
def test_tmux_gets_it_plain_and_wrapped(text: str) -> None:
    copied = osc52(text, {"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    plain, _, wrapped = copied.sequence.partition("\x1bPtmux;")
    assert _decoded(plain) == text
    assert wrapped.endswith("\x1b\\")
    assert _decoded(wrapped[:-2].replace("\x1b\x1b", "\x1b")) == text
    assert "allow-passthrough" in copied.warning
    assert "set-clipboard" in copied.warning


@given(st.text(st.characters(codec="utf-8"), max_size=3000))
def test_screen_gets_short_strings_that_join_to_the_sequence(text: str) -> None:
    copied = osc52(text, {"TERM": "screen.xterm-256color"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", copied.sequence, re.DOTALL)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == copied.sequence
    assert max(map(len, pieces)) <= SCREEN_CHUNK_BYTES
    assert _decoded("".join(pieces)) == text
    assert copied.warning


def test_screen_is_known_by_its_own_variable_too() -> None:
    assert osc52("x", {"TERM": "xterm", "STY": "1.pts-0"}).sequence.startswith("\x1bP\x1b]52")
    assert "\x1bPtmux;" in osc52("x", {"TERM": "tmux-256color"}).sequence


@pytest.mark.parametrize("terminal", ["dumb", "linux", ""])
def test_a_terminal_without_a_clipboard_gets_nothing_but_a_word(terminal: str) -> None:
    copied = osc52("x", {"TERM": terminal})
    assert copied.sequence == ""
    assert copied.bytes == 0
    assert "export to a file" in copied.warning


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"TERM_PROGRAM": "Apple_Terminal"}, "Terminal.app"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iTerm2"),
        ({"VTE_VERSION": "7200"}, "GNOME Terminal"),
        ({"XTERM_VERSION": "XTerm(390)"}, "disallowedWindowOps"),
    ],
)
def test_a_doubtful_terminal_gets_it_with_a_word(env: dict[str, str], word: str) -> None:
    copied = osc52("x", XTERM | env)
    assert _decoded(copied.sequence) == "x"
    assert word in copied.warning


def test_too_much_is_refused_with_the_sizes() -> None:
    fits = "x" * (LIMIT_BASE64_BYTES // 4 * 3)
    assert _decoded(osc52(fits, XTERM).sequence) == fits
    with pytest.raises(ClipboardError, match=r"too long for the terminal's clipboard \(74,99\d of 74,994 bytes"):
        osc52(fits + "xxx", XTERM)
    with pytest.raises(ClipboardError, match="export it to a file"):
        osc52("xxxx", XTERM, limit_base64_bytes=4)
