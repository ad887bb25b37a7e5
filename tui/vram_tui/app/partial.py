"""Frames of what changed: painted from the widgets in front alone, and written where the terminal shows another."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from textual._compositor import Compositor, CompositorUpdate
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from vram_tui.app.canvas import Canvas, Piece
from vram_tui.app.widgets.line_panel import LinePanel

_textuals_own = Compositor.render_full_update


CANVAS = Canvas()
"""The one terminal of this process."""


class Patch(CompositorUpdate):
    """Pieces of lines, in the order of the screen."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    def render_segments(self, console: Console) -> str:
        return CANVAS.written(self.pieces, console)


class Drawn(CompositorUpdate):
    """A frame that is text already."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render_segments(self, console: Console) -> str:
        return self.text


class Span(NamedTuple):
    """Cells of a line of the screen that are to be painted, and where their widget lies."""

    y: int
    x1: int
    x2: int
    region: Region


def quick_partial_update(self: Compositor) -> CompositorUpdate | None:
    """Textual renders every widget that the rectangle around all changes meets; most of them lie behind others."""
    if not self._dirty_regions:
        return None
    screen = self.size.region
    spans = list(self._regions_to_spans(region.intersection(screen) for region in self._dirty_regions))
    self._dirty_regions.clear()
    return _patch(self, spans)


def quick_full_update(self: Compositor, simplify: bool = False) -> CompositorUpdate:
    """Textual renders every line of what lies behind the panels too."""
    if simplify:
        return _textuals_own(self, simplify)  # for a picture, which needs its strips
    width, height = self.size
    self._dirty_regions.clear()
    return _patch(self, [(y, 0, width) for y in range(height)])


def _patch(compositor: Compositor, lines: Iterable[tuple[int, int, int]]) -> Patch:
    """Stretches of lines as the widgets in front show them."""
    free: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for y, x1, x2 in lines:
        free[y].append((x1, x2))
    pieces: list[Piece] = []
    for widget, (region, clip) in compositor.visible_widgets.items():
        if spans := _taken(free, region, region.intersection(clip)):
            pieces += _pieces(widget, spans)
    return Patch(sorted(pieces, key=lambda piece: piece[:2]))


def _taken(free: dict[int, list[tuple[int, int]]], region: Region, seen: Region) -> list[Span]:
    """What a widget covers of the free stretches, which it takes out of them."""
    spans: list[Span] = []
    left, right = seen.x, seen.right
    for y in free if len(free) < seen.height else seen.line_range:
        if not (seen.y <= y < seen.bottom and free.get(y)):
            continue
        kept: list[tuple[int, int]] = []
        for x1, x2 in free[y]:
            start, end = max(x1, left), min(x2, right)
            if start >= end:
                kept.append((x1, x2))
                continue
            spans.append(Span(y, start, end, region))
            kept += [part for part in ((x1, start), (end, x2)) if part[0] < part[1]]
        free[y] = kept
    return spans


def _pieces(widget: Widget, spans: list[Span]) -> list[Piece]:
    """The lines of a panel as they are between its sides, at a third of the cost; the rest as Textual makes it.

    Its filter for the sixteen colours changes none of ours while it is in use.
    """
    if not isinstance(widget, LinePanel) or any(type(one) is not ANSIToTruecolor for one in widget.get_line_filters()):
        return _framed_pieces(widget, spans)
    region = spans[0].region
    inner = region.shrink(widget.styles.gutter)
    pieces: list[Piece] = []
    framed: list[Span] = []
    sides: Strip | None = None
    for span in spans:
        y, x1, x2, _ = span
        if not inner.y <= y < inner.bottom:
            framed.append(span)
            continue
        if x1 < inner.x or x2 > inner.right:  # the sides of one line are the sides of all
            sides = sides or widget.render_lines(Region(0, y - region.y, region.width, 1))[0]
            pieces += [
                Piece(y, start, sides.crop(start - region.x, end - region.x))
                for start, end in ((x1, min(x2, inner.x)), (max(x1, inner.right), x2))
                if start < end
            ]
        start, end = max(x1, inner.x), min(x2, inner.right)
        if start < end:
            pieces.append(Piece(y, start, widget.render_line(y - inner.y).crop(start - inner.x, end - inner.x)))
    return pieces + _framed_pieces(widget, framed)


def _framed_pieces(widget: Widget, spans: list[Span]) -> list[Piece]:
    """What a widget shows there, with the frame and the effects that Textual adds."""
    pieces: list[Piece] = []
    for _, group in groupby(enumerate(sorted({span.y for span in spans})), lambda numbered: numbered[1] - numbered[0]):
        rows = [y for _, y in group]
        region = spans[0].region
        strips = widget.render_lines(Region(0, rows[0] - region.y, region.width, len(rows)))
        pieces += [
            Piece(y, x1, strips[y - rows[0]].crop(x1 - region.x, x2 - region.x))
            for y, x1, x2, _ in spans
            if rows[0] <= y <= rows[-1]
        ]
    return pieces
