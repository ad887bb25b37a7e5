"""The requirements grid: formats down, contexts across, a figure with its fit class in every cell."""

from textual import events
from textual.geometry import Offset

from vram_tui.app.house import house
from vram_tui.app.widgets.grid_cursor import BITS, HEADING, QUANT, Cursor
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, fitted, padded, width_of
from vram_tui.quantities import format_memory, format_tokens, unit_label
from vram_tui.session.answers import Cell
from vram_tui.session.state import NATIVE, Row, Session
from vram_tui.text import safe

BITS_WIDTH = 6
LOSS_WIDTH = 11
"""The column of measured losses stands where all contexts have room beside it."""


class RequirementsGrid(LinePanel):
    """Draws `cells` for the session; the cursor's place may be a heading or a label as well as a figure."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.cells: list[list[Cell]] = []
        self.bits: list[str] = []
        self.losses: list[str] = []
        self.loss_note = ""
        self.loss_width = 0
        self.cursor = Cursor(0, 0, 1, 1)
        self.top = 0
        self.first = 0
        self.label_width, self.cell_width, self.shown_columns = 8, 9, 1
        self._texts: list[list[str]] = []
        self._headings: list[str] = []
        self.head: list[Line] = []
        self.tail: list[Line] = []
        self._filled_for: Session | None = None
        self._measured: object = None
        self._row_lines: dict[tuple[int, int | None, int | None, bool, int], Line] = {}
        self._below: list[Line] = []

    # Geometry

    def _measure(self) -> None:
        """Texts of the cells and widths of the columns, kept while nothing but the cursor moves."""
        session, width = self._drawn, self.size.width
        asked = (id(self.cells), self.losses, session.grid, session.units, width)
        if asked == self._measured:
            return
        self._measured = asked
        self._row_lines.clear()
        rows = session.grid.rows
        self.label_width = min(max(len(self._label(row)) for row in rows) + 1, 18 if width >= 60 else 11)
        self._texts = [[self._figure(cell) for cell in row] for row in self.cells]
        self._headings = [self._heading(index) for index in range(len(session.grid.contexts))]
        figures = (len(text) for row in self._texts for text in row)
        widest = max(*figures, *(len(text) - 2 for text in self._headings), 5)
        room = width - self.label_width - BITS_WIDTH
        columns = len(self._headings)
        self.loss_width = LOSS_WIDTH if any(self.losses) and room - LOSS_WIDTH >= (widest + 1) * columns + 3 else 0
        room -= self.loss_width
        spare = (room - 3) // columns - widest
        self.cell_width = widest + min(max(spare, 1), 5)
        self._headings = [text if len(text) <= self.cell_width else text.split()[0] for text in self._headings]
        self.shown_columns = max((room - 1) // self.cell_width, 1)

    @property
    def shown_rows(self) -> int:
        """Rows of figures in sight; the line that adds one counts as a row."""
        return max(self.size.height - len(self.head) - len(self._below) - 1, 1)

    def _tail(self) -> list[Line]:
        """The lines below, with what the losses were measured on; without the blank one where that takes a row."""
        tail = self.tail[1:] if self.tail and self.size.height < self.wanted_height() else list(self.tail)
        if self.loss_width and self.loss_note:
            note = Run(self.loss_note, "dim")
            if self.size.height > self.wanted_height():
                return [*tail, (note,)]
            for index, line in enumerate(tail):
                if line and width_of(line) + len(self.loss_note) <= self.size.width:
                    tail[index] = (*line, note)
                    break
        return tail

    @property
    def _session(self) -> Session:
        return house(self.app).session

    @property
    def _drawn(self) -> Session:
        """What the cells were made for: a size may change between an edit and its figures."""
        return self._filled_for or self._session

    def wanted_height(self) -> int:
        """Lines for the whole grid without scrolling."""
        return len(self.head) + 1 + len(self._session.grid.rows) + 1 + len(self.tail)

    # Content

    def fill(
        self,
        cells: list[list[Cell]],
        bits: list[str],
        head: list[Line],
        tail: list[Line],
        losses: list[str],
        loss_note: str = "",
    ) -> None:
        """New figures, bits per weight and losses beside them, and the lines above and below."""
        self.cells, self.bits, self.head, self.tail = cells, bits, head, tail
        self.losses, self.loss_note = losses, loss_note
        self._filled_for = self._session
        self.settled()
        self.draw()

    def settled(self) -> Cursor:
        """The cursor on the grid of now, which keys typed in one burst may have changed without a drawing between."""
        session = self._session
        cursor = self.cursor.within(len(session.grid.rows), len(session.grid.contexts))
        if cursor.place == "figure":
            cursor = Cursor(session.row, session.column, cursor.rows, cursor.columns)
        self.cursor = cursor
        return cursor

    def _label(self, row: Row) -> str:
        return safe(row.label, 40) + (f" @{safe(row.runtime, 20)}" if row.runtime else "")

    def _heading(self, index: int) -> str:
        context = self._drawn.grid.contexts[index]
        tokens = self.cells[0][index].tokens if self.cells else context
        if context == NATIVE:
            return f"max {format_tokens(tokens)}" if tokens else "native"
        return format_tokens(tokens)

    def _figure(self, cell: Cell) -> str:
        """The text of a cell: figure, tier glyph, and the target's verdict where there is one."""
        if cell.bytes is None:
            return self.glyphs.none
        units = self._drawn.units
        text = format_memory(cell.bytes, units)
        if cell.rule_bytes is not None:
            difference = cell.rule_bytes - cell.bytes
            text = ("+" if difference >= 0 else "-") + format_memory(abs(difference), units)
        tier = house(self.app).answers.facts.tiers[cell.tier]
        glyph = tier.glyph if self.glyphs.unicode else tier.ascii
        return f"{text} {glyph}{self._verdict(cell)}"

    def _verdict(self, cell: Cell) -> str:
        glyphs = self.glyphs
        signs = {"fits": glyphs.fits, "tight": glyphs.tight, "offload": glyphs.offload, "no": glyphs.no}
        return signs.get(cell.fit, "")

    def _scroll(self) -> None:
        rows, columns = self.shown_rows, self.shown_columns
        total_rows, total_columns = self.cursor.rows + 1, self.cursor.columns
        row = max(self.cursor.row, 0)
        if row < self.top:
            self.top = row
        elif row >= self.top + rows:
            self.top = row - rows + 1
        self.top = min(self.top, max(total_rows - rows, 0))
        column = min(max(self.cursor.column, 0), total_columns - 1)
        if column < self.first:
            self.first = column
        elif column >= self.first + columns:
            self.first = column - columns + 1
        self.first = min(self.first, max(total_columns - columns, 0))

    def draw(self) -> None:
        if not self.is_attached or not self.size.height or not self.cells:
            return
        self._measure()
        self._below = self._tail()
        self._scroll()
        lines = [*self.head, self._heading_line()]
        rows = self._drawn.grid.rows
        lines += [self._row_line_kept(index) for index in range(self.top, min(self.top + self.shown_rows, len(rows)))]
        if self.top + self.shown_rows > len(rows):
            lines.append(self._add_line())
        lines += self._below
        self.show(lines)

    def _heading_line(self) -> Line:
        width, here = self.cell_width, self.cursor if self.has_focus else None
        below = self.top + self.shown_rows < len(self._drawn.grid.rows)
        more = (self.glyphs.up if self.top else "") + (self.glyphs.down if below else "")
        title = "quant" if self.label_width < 14 or more else "quantization"
        runs = [Run(padded(title, self.label_width - len(more)), "dim"), Run(more, "accent")]
        runs.append(Run(padded("b/w", BITS_WIDTH - 1, right=True) + " ", "dim"))
        if self.loss_width:
            runs.append(Run(padded("loss", LOSS_WIDTH - 1, right=True) + " ", "dim"))
        shown = range(self.first, min(self.first + self.shown_columns, len(self._drawn.grid.contexts)))
        for index in shown:
            text = padded(self._headings[index][:width], width - 2, right=True)
            text = padded(text[:width], width)
            on = here is not None and here.row == HEADING and here.column == index
            native = self.cells[0][index].beyond
            runs.append(Run(text, "cursor" if on else "dim" if native else "bold"))
        if shown and shown[-1] + 1 < len(self._drawn.grid.contexts):
            runs.append(Run(self.glyphs.right, "accent"))
        elif here and here.place == "add-context":
            runs.append(Run(" + ", "cursor"))
        else:
            runs.append(Run(" + ", "accent"))
        return tuple(runs)

    def _row_line_kept(self, index: int) -> Line:
        """A row's line, made again only where the cursor came or went."""
        session, focused = self._drawn, self.has_focus
        here = self.cursor.column if focused and self.cursor.row == index else None
        at = session.column if session.row == index else None
        shown = (index, here, at, at is not None and focused and self.cursor.place == "figure", self.first)
        line = self._row_lines.get(shown)
        if line is None:
            line = self._row_lines[shown] = self._row_line(index)
        return line

    def _row_line(self, index: int) -> Line:
        row = self._drawn.grid.rows[index]
        here = self.cursor if self.has_focus and self.cursor.row == index else None
        label = padded(fitted(self._label(row), self.label_width - 1, self.glyphs.more), self.label_width)
        bits = padded(self.bits[index], BITS_WIDTH - 1, right=True) + " "
        overridden = row.bits is not None
        selected = index == self._drawn.row
        runs = [
            Run(label, "cursor" if here and here.column == QUANT else "bold" if selected else ""),
            Run(bits, "cursor" if here and here.column == BITS else "accent" if overridden else "dim"),
        ]
        if self.loss_width:
            runs.append(Run(padded(self.losses[index], LOSS_WIDTH - 1, right=True) + " ", "dim"))
        for column in range(self.first, min(self.first + self.shown_columns, len(self.cells[index]))):
            cell = self.cells[index][column]
            text = padded(self._texts[index][column], self.cell_width - 1, right=True) + " "
            at = (self._drawn.row, self._drawn.column) == (index, column)
            runs.append(Run(text, self._cell_style(cell, at)))
        return tuple(runs)

    def _cell_style(self, cell: Cell, selected: bool) -> str:
        focused = self.has_focus and self.cursor.place == "figure"
        if cell.bytes is None:
            return "cursor" if selected and focused else "bold" if selected else "dim"
        tier = f"tier-{min(cell.tier, 2)}"
        if selected:
            return f"{tier}-cursor" if focused else f"{tier}-cursor-off"
        return f"{tier}-dim" if cell.beyond else tier

    def _add_line(self) -> Line:
        on = self.has_focus and self.cursor.place == "add-row"
        return (Run("+ add a quantization" if self.size.width >= 40 else "+ add", "cursor" if on else "accent"),)

    # Moving

    def _go(self, down: int, right: int) -> None:
        self._set(self.settled().moved(down, right))

    def _set(self, cursor: Cursor) -> None:
        if cursor == self.cursor:
            return
        self.cursor = cursor
        session = self._session
        row = min(max(cursor.row, 0), cursor.rows - 1) if cursor.place in ("figure", "quant", "bits") else session.row
        column = min(max(cursor.column, 0), cursor.columns - 1) if cursor.place == "figure" else session.column
        if (row, column) != (session.row, session.column):
            house(self.app).look(row=row, column=column)
        else:
            self.draw()

    def do_up(self) -> None:
        self._go(-1, 0)

    def do_down(self) -> None:
        self._go(1, 0)

    def do_left(self) -> None:
        self._go(0, -1)

    def do_right(self) -> None:
        self._go(0, 1)

    def do_page_up(self) -> None:
        self._go(-max(self.shown_rows - 1, 1), 0)

    def do_page_down(self) -> None:
        self._go(max(self.shown_rows - 1, 1), 0)

    def do_first(self) -> None:
        self._go(0, -self.cursor.column if self.cursor.column > 0 else -2)

    def do_last(self) -> None:
        self._go(0, self.cursor.columns)

    # Places on the screen

    @property
    def _figures_from(self) -> int:
        return self.label_width + BITS_WIDTH + self.loss_width

    def place_of(self, cursor: Cursor) -> tuple[Offset, int]:
        """Where a place is drawn, relative to the content, and how wide its field is."""
        y = len(self.head) + (0 if cursor.row == HEADING else 1 + cursor.row - self.top)
        if cursor.place == "add-context":
            shown = min(len(self._headings) - self.first, self.shown_columns)
            x = min(self._figures_from + shown * self.cell_width, self.size.width - 9)
            return Offset(max(x, 0), len(self.head)), 9
        if cursor.place == "add-row" or cursor.column == QUANT:
            return Offset(0, y), max(self.label_width, 14)
        if cursor.column == BITS:
            return Offset(self.label_width, y), BITS_WIDTH
        x = self._figures_from + (cursor.column - self.first) * self.cell_width
        width = self.cell_width * -(-9 // self.cell_width)
        return Offset(min(x, max(self.size.width - width, 0)), y), width

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        line = offset.y - len(self.head)
        row = HEADING if line <= 0 else self.top + line - 1
        if offset.x < self.label_width:
            column = QUANT
        elif offset.x < self.label_width + BITS_WIDTH:
            column = BITS
        elif offset.x < self._figures_from:
            column = self._session.column
        else:
            column = self.first + (offset.x - self._figures_from) // self.cell_width
        if line < 0 or row > self.cursor.rows:
            return
        cursor = Cursor(row, column, self.cursor.rows, self.cursor.columns).moved(0, 0)
        again = cursor == self.cursor or cursor.place in ("add-row", "add-context")
        self._set(cursor)
        if again and event.chain <= 1:
            house(self.app).perform("open")

    def title(self) -> str:
        return f"Requirements, {unit_label(self._session.units)}"
