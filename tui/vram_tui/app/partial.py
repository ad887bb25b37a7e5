"""Frames of what changed: painted from the widgets in front alone, and written where the terminal shows another."""

from collections import defaultdict
from typing import NamedTuple

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate, LayoutUpdate
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.widget import Widget

from vram_tui.app.canvas import Canvas, Piece
from vram_tui.app.widgets.line_panel import LinePanel

_textuals_own = Compositor.render_partial_update


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
    widgets = [(region.intersection(clip), region, widget) for widget, (region, clip) in self.visible_widgets.items()]
    screen = self.size.region
    asked: dict[Widget, list[Span]] = defaultdict(list)
    for y, x1, x2 in self._regions_to_spans(region.intersection(screen) for region in self._dirty_regions):
        for seen, region, widget in widgets:
            if seen.y <= y < seen.bottom and seen.x < x2 and x1 < seen.right:
                if not seen.x <= x1 < x2 <= seen.right:
                    return _textuals_own(self)  # the change lies across an edge: rare, and not worth a rule
                asked[widget].append(Span(y, x1, x2, region))
                break
    self._dirty_regions.clear()
    pieces: list[Piece] = []
    for widget, spans in asked.items():
        pieces += _plain_pieces(widget, spans) or _framed_pieces(widget, spans)
    return Patch(sorted(pieces, key=lambda piece: piece[:2]))


def _framed_pieces(widget: Widget, spans: list[Span]) -> list[Piece]:
    """What a widget shows there, with the frame and the effects that Textual adds."""
    region, first, last = spans[0].region, spans[0].y, spans[-1].y
    strips = widget.render_lines(Region(0, first - region.y, region.width, last - first + 1))
    return [Piece(y, x1, strips[y - first].crop(x1 - region.x, x2 - region.x)) for y, x1, x2, _ in spans]


def _plain_pieces(widget: Widget, spans: list[Span]) -> list[Piece]:
    """The lines of a panel as they are, at a third of the cost; none where the frame or a filter has a part in it.

    The filter for the sixteen colours changes none of ours while it is in use.
    """
    if not isinstance(widget, LinePanel) or any(type(one) is not ANSIToTruecolor for one in widget.get_line_filters()):
        return []
    inner = spans[0].region.shrink(widget.styles.gutter)
    if not all(inner.contains_point((x1, y)) and x2 <= inner.right for y, x1, x2, _ in spans):
        return []
    return [Piece(y, x1, widget.render_line(y - inner.y).crop(x1 - inner.x, x2 - inner.x)) for y, x1, x2, _ in spans]


def cropped_segments(self: ChopsUpdate, console: Console) -> str:
    """Textual's own sends each changed span from the left edge of its widget."""
    pieces: list[Piece] = []
    for y, x1, x2 in self.spans:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is not None and x < x2 and x1 < end:
                start = max(x, x1)
                pieces.append(Piece(y, start, strip.crop(start - x, min(end, x2) - x)))
    return CANVAS.written(pieces, console)


def differing_segments(self: LayoutUpdate, console: Console) -> str:
    """Of a whole frame what differs from the one before."""
    pieces: list[Piece] = []
    for y, strips in enumerate(self.strips, self.region.y):
        x = self.region.x
        for strip in strips:
            pieces.append(Piece(y, x, strip))
            x += strip.cell_length
    return CANVAS.written(pieces, console)
