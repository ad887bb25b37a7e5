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
    """The bar against `scale`, and the legend in the width."""
    bar: list[Run] = []
    drawn, running = 0, 0.0
    for piece in pieces:
        running += piece.size
        end = max(round(running * width / scale), drawn + 1) if drawn < width and scale else width
        bar.append(Run(piece.sign * (min(end, width) - drawn), piece.style))
        drawn = min(end, width)
    if drawn < width:
        bar.append(Run(glyphs.rest * (width - drawn), "rule"))
    return tuple(bar), _legend(pieces, width, say)


def _legend(pieces: Sequence[Piece], width: int, say: Callable[[float], str]) -> list[Run]:
    """All pieces: closer together where space is short, then the smallest at the end as one."""
    for signs, gap in ((2, "  "), (1, "  "), (1, " ")):
        legend = [run for piece in pieces for run in _item(piece, say, signs, gap)]
        if width_of(legend) - len(gap) <= width:
            return legend
    if len(pieces) > 2:
        last, other = pieces[-2:]
        both = Piece("other", last.size + other.size, other.style, other.sign)
        return _legend([*pieces[:-2], both], width, say)
    return [run for piece in pieces[:1] for run in _item(piece, say, 1, " ")]


def _item(piece: Piece, say: Callable[[float], str], signs: int, gap: str) -> tuple[Run, ...]:
    return Run(piece.sign * signs + " ", piece.style), Run(piece.name + " ", "dim"), Run(say(piece.size)), Run(gap)
