"""A scrolling sheet of lines with stops: the cursor goes from stop to stop and the window follows."""

from typing import NamedTuple

from textual import events

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, width_of


class Stop(NamedTuple):
    """A place for the cursor: its first line and the line after its last."""

    first: int
    end: int


class Sheet(LinePanel):
    """Draws `content`; a subclass says what stands there and where the cursor may stop."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.cursor = 0
        self.top = 0
        self.stops: list[Stop] = []
        self._lines: list[Line] = []

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        """All lines for a width, and the stops among them."""
        return [], []

    def lit(self, line: Line, width: int) -> Line:
        """The first line of the stop under the cursor."""
        style = "cursor" if self.has_focus else "cursor-blur"
        return (*(Run(run.text, style) for run in line), Run(" " * (width - width_of(line)), style))

    def draw(self) -> None:
        """Make the lines afresh and show the window around the cursor."""
        if not self.is_attached or not self.size.height:
            return
        self._lines, self.stops = self.content(self.size.width)
        self.cursor = min(max(self.cursor, 0), max(len(self.stops) - 1, 0))
        self._window()

    def _window(self, *, follow: bool = True) -> None:
        width, height = self.size
        lines = list(self._lines)
        if self.stops:
            stop = self.stops[self.cursor]
            if self.has_focus or self.keeps_cursor:
                lines[stop.first] = self.lit(lines[stop.first], width)
            if follow:
                self._follow(stop, height)
        self.top = min(max(self.top, 0), max(len(lines) - height, 0))
        shown = lines[self.top : self.top + height]
        left = len(lines) - self.top - height
        if left > 0 and shown:
            shown[-1] = (Run(f"{self.glyphs.down} {left + 1} more lines", "accent"),)
        self.show(shown)

    keeps_cursor = False
    """Whether the cursor's line is marked without the focus too."""

    def _follow(self, stop: Stop, height: int) -> None:
        """Bring the whole stop into sight, and what stands above the first one."""
        first = 0 if self.cursor == 0 else stop.first
        if stop.end + 1 > self.top + height:
            self.top = stop.end + 1 - height
        if self.cursor == len(self.stops) - 1:
            self.top = max(self.top, stop.end - height)
        if first < self.top:
            self.top = first

    def _go(self, cursor: int) -> None:
        before = self.cursor
        self.cursor = min(max(cursor, 0), max(len(self.stops) - 1, 0))
        if before != self.cursor:
            self._window()
            self.moved()
        elif len(self._lines) > self.size.height:
            # At either end the arrows still show what lies beyond the last stop.
            self._wheel(-1 if cursor < before else 1)

    def moved(self) -> None:
        """The cursor is at another stop; whoever shows the sheet may follow."""

    def do_up(self) -> None:
        self._go(self.cursor - 1)

    def do_down(self) -> None:
        self._go(self.cursor + 1)

    def do_page_up(self) -> None:
        self._wheel(-max(self.size.height - 2, 1))

    def do_page_down(self) -> None:
        self._wheel(max(self.size.height - 2, 1))

    def do_first(self) -> None:
        self._go(0)
        self._wheel(-len(self._lines))

    def do_last(self) -> None:
        self._go(len(self.stops) - 1)
        self._wheel(len(self._lines))

    def _wheel(self, step: int) -> None:
        self.top += step
        self._window(follow=False)

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._wheel(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._wheel(-3)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        at = self.top + offset.y
        for index, stop in enumerate(self.stops):
            if stop.first <= at < stop.end:
                again = index == self.cursor and self.has_focus
                self.cursor = index
                self._window()
                if again and event.chain <= 1:
                    house(self.app).perform("open")
                return
