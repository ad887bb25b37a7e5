"""Quantities as people read and type them: tokens, memory, parameters."""

import re

from vram_tui.estimator.units import GB, GIB

_TOKENS = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([kKmM]?)")
MAX_CONTEXT = 1 << 27


def parse_tokens(text: str) -> int:
    """A context as typed: `131072`, `32K` (32,768), `1M` (1,048,576), `1.5k`.

    Raises ValueError with a sentence that says what would be right.
    """
    match = _TOKENS.fullmatch(text.strip())
    if not match:
        raise ValueError(f"'{text.strip()[:40]}' is no context: write tokens such as 32768, 32K or 1M")
    number = match[1].replace("_", "").replace(",", "")
    tokens = float(number) * {"": 1, "k": 1 << 10, "m": 1 << 20}[match[2].lower()]
    if tokens > MAX_CONTEXT:
        raise ValueError(f"'{text.strip()[:40]}' is beyond {format_tokens(MAX_CONTEXT)} tokens")
    if tokens != int(tokens) or tokens < 1:
        raise ValueError(f"'{text.strip()[:40]}' is not a whole number of tokens, at least 1")
    return int(tokens)


def format_tokens(tokens: int) -> str:
    """A context as read: 4K, 128K, 1M; 198K for 202,752; 1,000 where it is no multiple of 1,024."""
    if tokens >= 1 << 20 and tokens % (1 << 20) == 0:
        return f"{tokens >> 20}M"
    if tokens >= 1 << 10 and tokens % (1 << 10) == 0:
        return f"{tokens >> 10}K"
    return f"{tokens:,}"


def format_memory(count: int | float, unit: str = "gib") -> str:
    """Memory without its unit: one decimal from 10 up, two below."""
    value = count / (GB if unit == "gb" else GIB)
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def unit_label(unit: str) -> str:
    return "GB" if unit == "gb" else "GiB"


def format_parameters(count: int) -> str:
    """A parameter count as people say it: 744B, 30.5B, 1.2B, 270M, 1.04T."""
    for size, suffix in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if count >= size * 0.9995:
            value = count / size
            digits = 0 if value >= 99.95 else 2 if suffix == "T" else 1
            return f"{value:.{digits}f}{suffix}"
    return f"{count / 1000:.0f}K"
