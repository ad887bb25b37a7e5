"""Text from files reaches a terminal without controls, hidden characters or more than one line."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_tui.text import safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Qwen3 8B", "Qwen3 8B"),
        ("Čeština 模型 🦙", "Čeština 模型 🦙"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31mred\x7f", "\\x9b31mred\\x7f"),
        ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
        ("evil\u202etxt.exe\u2066", "evil\\u202etxt.exe\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028separator", "line\\u2028separator"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800surrogate", "lone\\ud800surrogate"),
        ("blank\u3164filler\u2800", "blank\\u3164filler\\u2800"),
        ("no-break\xa0space", "no-break\\xa0space"),
        ("[red]markup[/red]", "[red]markup[/red]"),
    ],
)
def test_shows_what_is_there(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_long_text_ends_in_an_ellipsis() -> None:
    assert safe("a" * 10_000, 20) == "a" * 19 + "…"
    assert safe("a" * 20, 20) == "a" * 20
    assert safe("\x1b" * 6, 20) == "\\x1b" * 4 + "\\x1" + "…"
    assert safe("abc", 1) == "…"
    assert safe("abc", 0) == ""


@given(st.text(st.characters(), max_size=300), st.integers(0, 400))
def test_nothing_hidden_gets_through(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert safe(shown, limit) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=500))
def test_clean_ascii_is_left_alone(text: str) -> None:
    assert safe(text) is text


def test_work_is_bounded_by_the_limit() -> None:
    huge = "\x1b" * 50_000_000
    begun = time.process_time()
    safe(huge)
    assert time.process_time() - begun < 0.05
