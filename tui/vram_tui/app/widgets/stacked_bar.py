"""Parts of a whole to scale: a bar of patterns and a legend with the figures."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from vram_tui.app.glyphs import Glyphs
from vram_tui.app.widgets.line_panel import Line, Run, width_of
from vram_tui.estimator.memory import GROUPS

WORDS = {"weights": "weights", "kv": "cache", "state": "state", "compute": "compute", "runtime": "runtime"}
_PATTERNS = {"weights": "⣿", "kv": "⠶", "state": "⠭", "compute": "⠒", "runtime": "⠂"}
_LETTERS = {"weights": "#", "kv": "=", "state": "%", "compute": "+", "runtime": "."}
_MANY = ("⣿", "⠶", "⠭", "⠒", "⢕", "⠂")
_MANY_LETTERS = ("#", "=", "%", "+", "o", ".")


class Piece(NamedTuple):
    """One part: its name, its size in any unit, its style and the sign that draws it."""

    name: str
    size: float
    style: str
    sign: str


def group_pieces(sizes: dict[str, float], glyphs: Glyphs) -> list[Piece]:
    """Memory by group, in the order of the groups."""
    signs = _PATTERNS if glyphs.unicode else _LETTERS
    return [
        Piece(WORDS[group], sizes[group], f"bar-{group}", signs[group])
        for group in GROUPS
        if sizes.get(group) and group in WORDS
    ]


def part_pieces(parts: Sequence[tuple[str, float]], glyphs: Glyphs) -> list[Piece]:
    """Parts of any kind, largest first; beyond six the rest is one piece."""
    signs = _MANY if glyphs.unicode else _MANY_LETTERS
    order = sorted(parts, key=lambda part: -part[1])
    shown = order if len(order) <= len(signs) else order[: len(signs) - 1]
    rest = sum(size for _, size in order[len(shown) :])
    named = [*shown, *([("other", rest)] if rest else [])]
    return [Piece(name, size, f"line-{at}", signs[at]) for at, (name, size) in enumerate(named)]


def stacked(
    pieces: Sequence[Piece], scale: float, width: int, glyphs: Glyphs, say: Callable[[float], str]
) -> tuple[Line, list[Run]]:
    """The bar against `scale`, and the legend as far as it fits in the width."""
    bar: list[Run] = []
    legend: list[Run] = []
    drawn, running = 0, 0.0
    for piece in pieces:
        running += piece.size
        end = max(round(running * width / scale), drawn + 1) if drawn < width and scale else width
        bar.append(Run(piece.sign * (min(end, width) - drawn), piece.style))
        drawn = min(end, width)
        item = [Run(piece.sign * 2 + " ", piece.style), Run(piece.name + " ", "dim"), Run(say(piece.size)), Run("  ")]
        if width_of(legend) + width_of(item) - 2 <= width:
            legend += item
    if drawn < width:
        bar.append(Run(glyphs.rest * (width - drawn), "rule"))
    return tuple(bar), legend
