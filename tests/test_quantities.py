"""Quantities read and written: tokens, memory, parameters."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vram_tui.estimator.units import GIB
from vram_tui.quantities import MAX_CONTEXT, format_memory, format_parameters, format_tokens, parse_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("131072", 131072),
        ("32K", 32768),
        ("32k", 32768),
        ("1M", 1 << 20),
        ("1.5k", 1536),
        (" 8_192 ", 8192),
        ("4,096", 4096),
    ],
)
def test_tokens_are_read(text: str, tokens: int) -> None:
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize("text", ["", "K", "-1", "0", "1e9", "32KB", "1.0001k", "9999M", "٣", "3 2"])
def test_nonsense_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(ValueError, match=r"context|whole number|beyond"):
        parse_tokens(text)


@given(st.integers(1, MAX_CONTEXT))
def test_what_is_written_is_read_again(tokens: int) -> None:
    assert parse_tokens(format_tokens(tokens)) == tokens


@given(st.text())
def test_any_text_is_a_context_or_a_sentence(text: str) -> None:
    with suppress(ValueError):
        assert parse_tokens(text) >= 1


def test_memory_and_parameters() -> None:
    assert [format_memory(value * GIB) for value in (0.5, 9.99, 9.996, 12.34, 1559.23)] == [
        "0.50",
        "9.99",
        "10.0",
        "12.3",
        "1559.2",
    ]
    assert format_memory(24 * 10**9, "gb") == "24.0"
    counts = (744 * 10**9, 30_532_122_624, 999_960_000, 270_000_000, 1_040_000_000_000)
    assert [format_parameters(count) for count in counts] == ["744B", "30.5B", "1.0B", "270M", "1.04T"]
