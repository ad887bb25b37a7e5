"""A ranked table drawn as lines: only the rows in sight are asked for, and columns leave whole, least used first."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from textual import events

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded, width_of, wrapped
from vram_tui.text import safe

GAP = 2
LEAST_NAME, MOST_NAME = 18, 56
BAR, MOST_BAR = 10, 30


class Heading(NamedTuple):
    """A column beside the name. `rank` 1 is the last to leave when space is short; `width` holds every figure."""

    id: str
    title: str
    width: int
    rank: int
    right: bool = True


class Shown(NamedTuple):
    """One row as it is drawn: a sign with its style, the name, and cells by column as (text, style)."""

    sign: str
    sign_style: str
    name: str
    cells: Mapping[str, tuple[str, str]]
    faint: bool = False


class Ranking(LinePanel):
    """Rows under a heading and a filter line; `row` says how the row of an index looks."""

    def __init__(self, widget_id: str, headings: Sequence[Heading], row: Callable[[int], Shown]) -> None:
        super().__init__(widget_id)
        self.headings = tuple(headings)
        self.row = row
        self.name_title = ""
        self.count = 0
        self.cursor = 0
        self.top = 0
        self.filter = ""
        self.message = ""
        self.legend: Line = EMPTY
        self.bar_width = BAR
        self.cursor_moved = False
        """Whether the person moved the cursor since the rows came."""

    @property
    def page(self) -> int:
        """Rows in sight."""
        return max(self.size.height - 2 - self._legend_lines, 1)

    @property
    def _legend_lines(self) -> int:
        return 1 if self.legend and self.size.height >= 9 else 0

    @property
    def selected(self) -> int | None:
        return self.cursor if self.cursor < self.count else None

    def fill(self, count: int, cursor: int = 0) -> None:
        """Another number of rows, the cursor on one of them."""
        self.count = count
        self.cursor_moved = False
        self.cursor = min(max(cursor, 0), max(count - 1, 0))
        self._scroll()
        self.draw()

    def keep(self, cursor: int) -> None:
        """The cursor where the person left it, among rows that came anew."""
        self.cursor, self.cursor_moved = min(max(cursor, 0), max(self.count - 1, 0)), True
        self._scroll()
        self.draw()

    # Columns

    def shown_headings(self, width: int) -> tuple[Heading, ...]:
        """The columns that have room beside a name of the least width."""
        kept = list(self.headings)
        least = min(max(LEAST_NAME, width // 4), MOST_NAME)
        while kept and 2 + least + sum(one.width + GAP for one in kept) > width:
            kept.remove(max(kept, key=lambda one: one.rank))
        return self._stretched(kept, width)

    def _stretched(self, shown: Sequence[Heading], width: int) -> tuple[Heading, ...]:
        """The same, with the bar taking what the longest name leaves."""
        spare = width - 2 - MOST_NAME - sum(one.width + GAP for one in shown)
        self.bar_width = BAR + min(max(spare, 0), MOST_BAR - BAR)
        return tuple(one._replace(width=self.bar_width) if one.id == "bar" else one for one in shown)

    # Drawing

    def draw(self) -> None:
        if not self.is_attached or not self.size.height:
            return
        width = self.size.width
        shown = self.shown_headings(width)
        name = min(width - 2 - sum(one.width + GAP for one in shown), MOST_NAME)
        lines = [self._filter_line(width), self._heading_line(shown, name)]
        if not self.count:
            lines += [EMPTY, *((Run(line, "dim"),) for line in wrapped(safe(self.message, 600), width))]
        last = min(self.top + self.page, self.count)
        lines += [self._row_line(index, shown, name, width) for index in range(self.top, last)]
        if self._legend_lines:
            lines += [EMPTY] * (self.size.height - 1 - len(lines))
            lines.append(self.legend)
        self.show(lines)

    def _filter_line(self, width: int) -> Line:
        if self.filter:
            return (Run("/ ", "key"), Run(fitted(safe(self.filter), width - 2, self.glyphs.more), "bold"))
        return (Run("/", "key"), Run(" type to filter", "dim"))

    def _heading_line(self, shown: Sequence[Heading], name: int) -> Line:
        title = fitted(self.name_title, name, self.glyphs.more)
        runs = [Run("  " + padded(title, name), "dim")]
        runs += [Run(" " * GAP + padded(one.title, one.width, right=one.right), "dim") for one in shown]
        return tuple(runs)

    def _row_line(self, index: int, shown: Sequence[Heading], name: int, width: int) -> Line:
        row = self.row(index)
        here = index == self.cursor
        over = ("cursor" if self.has_focus else "cursor-blur") if here else ""
        plain = "dim" if row.faint else ""
        runs = [Run(padded(row.sign, 2), over or row.sign_style)]
        runs.append(Run(padded(fitted(safe(row.name, 120), name, self.glyphs.more), name), over or plain))
        for one in shown:
            text, style = row.cells.get(one.id, ("", ""))
            style = over or (plain if row.faint else style)
            runs.append(Run(" " * GAP + padded(text, one.width, right=one.right), style))
        if here:
            runs.append(Run(" " * (width - width_of(runs)), over))
        return tuple(runs)

    def bar(self, share: float) -> str:
        """A share of one as a bar in the width of its column."""
        width = self.bar_width
        full = min(max(round(share * width), 1 if share > 0 else 0), width)
        return self.glyphs.bar * full + self.glyphs.rest * (width - full)

    # Moving

    def _scroll(self) -> None:
        """Keep the cursor in sight; past an edge jump by half a page, so that most keys move no line."""
        if not self.size.height:
            return
        page = self.page
        if self.cursor < self.top or self.cursor >= self.top + page:
            self.top = self.cursor - page // 2
        self.top = min(max(self.top, 0), max(self.count - page, 0))

    def move(self, step: int) -> None:
        """The cursor so many rows down."""
        cursor = min(max(self.cursor + step, 0), max(self.count - 1, 0))
        if cursor != self.cursor:
            self.cursor, self.cursor_moved = cursor, True
            self._scroll()
            self.draw()

    def do_up(self) -> None:
        self.move(-1)

    def do_down(self) -> None:
        self.move(1)

    def do_page_up(self) -> None:
        self.move(-self.page)

    def do_page_down(self) -> None:
        self.move(self.page)

    def do_first(self) -> None:
        self.move(-self.count)

    def do_last(self) -> None:
        self.move(self.count)

    def resized(self) -> None:
        self._scroll()
        super().resized()

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            house(self.app).perform("filter")
            return
        index = self.top + offset.y - 2
        if offset.y >= 2 and index < min(self.count, self.top + self.page):
            again = index == self.cursor
            self.cursor = index
            self.draw()
            if again and event.chain <= 1:
                house(self.app).perform("open")

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._wheel(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._wheel(-3)

    def _wheel(self, step: int) -> None:
        self.top = min(max(self.top + step, 0), max(self.count - self.page, 0))
        self.draw()


class Headlines(LinePanel, can_focus=False):
    """A few lines above a ranking: parts that do not fit are left away whole, from the right."""

    def __init__(self, widget_id: str) -> None:
        super().__init__(widget_id)
        self._parts: list[list[Run]] = []

    def fill(self, parts: Sequence[Sequence[Run]]) -> None:
        """Lines, each a sequence of parts in the order of their weight."""
        self._parts = [list(line) for line in parts]
        self.draw()

    def draw(self) -> None:
        if not self.is_attached or not self.size.width:
            return
        lines: list[Line] = []
        for parts in self._parts:
            runs: list[Run] = []
            for part in parts:
                text = safe(part.text, 300)
                room = self.size.width - width_of(runs) - (2 if runs else 0)
                if not runs:
                    runs.append(Run(fitted(text, room, self.glyphs.more), part.style))
                elif len(text) <= room:
                    runs += [Run("  "), Run(text, part.style)]
            lines.append(tuple(runs))
        self.show(lines)
