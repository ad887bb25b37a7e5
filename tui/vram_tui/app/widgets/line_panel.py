"""A widget of lines made of named runs: it repaints only what differs from what it showed before."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget, _BorderTitle

from vram_tui.app.glyphs import UNICODE, Glyphs
from vram_tui.app.themes import Palette


class Run(NamedTuple):
    """Text in one style of the palette."""

    text: str
    style: str = ""


Line = tuple[Run, ...]
EMPTY: Line = ()


def width_of(line: Sequence[Run]) -> int:
    return sum(cell_len(run.text) for run in line)


def fitted(text: str, width: int, more: str = "⋯") -> str:
    """Text in at most `width` cells, cut between words where that keeps half of it, and marked as cut."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return more[:width]
    kept = text
    while cell_len(kept) > width - 1:
        kept = kept[: len(kept) - max(1, (cell_len(kept) - width + 1) // 2)]
    space = max(kept.rfind(" "), kept.rfind("-") + 1 if "-" in kept else -1)
    return (kept[:space].rstrip() if space > width // 2 else kept) + more


def padded(text: str, width: int, *, right: bool = False) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most `width` cells, broken at spaces (a longer word is broken where it must)."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        while word and cell_len(word) > width:
            head = word
            while cell_len(head) > width and len(head) > 1:
                head = head[:-1]
            lines += [line, head] if line else [head]
            line, word = "", word[len(head) :]
        joined = f"{line} {word}" if line else word
        if cell_len(joined) > width:
            lines.append(line)
            line = word
        else:
            line = joined
    return [*lines, line] if line else lines


class Title(_BorderTitle):
    """A title in the border: where it changes, its line is repainted, not the whole panel."""

    def __set__(self, panel: Any, title: Any) -> None:
        told = f"{self._internal_name}_told"
        if vars(panel).get(told) == title:
            return
        vars(panel)[told] = title
        shown = panel.render_str(title).expand_tabs(4).split()[0] if title else None
        setattr(panel, self._internal_name, shown)
        if panel.is_mounted:
            size, offset = panel.outer_size, panel.content_offset
            y = 0 if self._internal_name == "_border_title" else size.height - 1
            panel.refresh(Region(-offset.x, y - offset.y, size.width, 1))


class LinePanel(Widget, can_focus=True):
    """Draws `lines`; `show` replaces them and marks the differing ones alone.

    `palette` and `glyphs` are set once by the app before the first paint; `restyle` follows a change of theme.
    """

    border_title = Title()
    border_subtitle = Title()
    GROUND = "background"
    """The theme variable that lies under the lines."""
    palette: Palette
    glyphs: Glyphs = UNICODE

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(id=widget_id)
        self.lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._fitted = Size(0, 0)

    def on_mount(self) -> None:
        from vram_tui.app.house import house

        home = house(self.app)
        self.palette, self.glyphs = home.palette, home.glyphs

    def show(self, lines: list[Line]) -> None:
        """Replace the lines; what is equal stays untouched on the terminal."""
        old = self.lines
        self.lines = lines
        regions = []
        for y in range(max(len(old), len(lines))):
            before = old[y] if y < len(old) else EMPTY
            after = lines[y] if y < len(lines) else EMPTY
            if before is not after and before != after:
                self._strips.pop(y, None)
                regions.append(Region(0, y, self.size.width, 1))
        if regions and self.is_mounted:
            self.refresh(*regions)

    def fit(self) -> bool:
        """Draw for the size of now; False where that was done."""
        if self.size == self._fitted or not self.is_attached:
            return False
        self._fitted = self.size
        self._strips.clear()
        self.resized()
        return True

    def resized(self) -> None:
        """Make the lines for another size."""
        self.draw()

    def on_resize(self) -> None:
        self.fit()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.draw()

    def draw(self) -> None:
        """Make the lines for the size and the state of now."""

    def forget(self) -> None:
        """Keep the lines alone, not how they were painted."""
        self._strips.clear()
        self._styles_cache.clear()

    def restyle(self, palette: Palette) -> None:
        self.palette = palette
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strip(self.lines[y] if y < len(self.lines) else EMPTY)
            self._strips[y] = strip
        return strip

    def _strip(self, line: Line) -> Strip:
        on = self.palette.on
        ground = self.GROUND
        segments = [Segment(run.text, on(run.style, ground)) for run in line if run.text]
        blank = self.size.width - width_of(line)
        if blank > 0:
            segments.append(Segment(" " * blank, on("", ground)))
        return Strip(segments, max(self.size.width, width_of(line))).simplify()

    @property
    def text(self) -> str:
        """What stands on the panel, for tests and for copying."""
        return "\n".join("".join(run.text for run in line).rstrip() for line in self.lines)
