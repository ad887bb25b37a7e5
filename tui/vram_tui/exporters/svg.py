"""A table as one self-contained SVG picture in the dashboard's dark mood."""

from html import escape

from vram_tui.exporters.columns import width, wrap
from vram_tui.exporters.table import Cell, Table
from vram_tui.text import safe

GROUND, PANEL, TEXT, DIM, RULE, ACCENT = "#0c1219", "#141c26", "#d6dee8", "#8592a1", "#2b3644", "#6cb6ff"
TIERS = (("#6ef0d8", "#113a38"), ("#fcc63f", "#3d300f"), ("#fba9d6", "#42233a"), ("#6cb6ff", "#12324d"))
FONT = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"
FONT_PX = 14
CHARACTER_PX = 8.43
"""The advance of DejaVu Sans Mono: 1,233 of 2,048 units per em."""
LINE_PX, PAD_PX, GAP_PX, EDGE_PX = 24.0, 9.0, 8.0, 28.0
TEXT_COLUMNS = 48
"""A column of text is wrapped beyond this many characters."""
LEAST_COLUMNS = 40


def render(table: Table) -> str:
    """Valid XML without references to anything outside; fonts fall back to the viewer's monospace."""
    return _Picture(table).draw()


class _Picture:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = [wrap(safe(column.name), TEXT_COLUMNS) for column in table.columns]
        self._units = [safe(column.unit, 40) for column in table.columns]
        self._cells = [[wrap(self._text(cell), TEXT_COLUMNS) for cell in row] for row in table.rows]
        self._widths = [self._column_px(index) for index in range(len(table.columns))]
        inner = sum(self._widths) + GAP_PX * max(len(self._widths) - 1, 0)
        title = width(safe(table.title)) * CHARACTER_PX + 2 * PAD_PX
        self._width = max(inner, title, LEAST_COLUMNS * CHARACTER_PX) + 2 * EDGE_PX
        self._parts: list[str] = []

    def draw(self) -> str:
        y = EDGE_PX + LINE_PX
        if self._table.columns:
            y = self._head(y)
            for index in range(len(self._table.rows)):
                y = self._row(y, index)
        y = self._legend(y)
        y = self._notes(y)
        high = y + EDGE_PX - 8
        frame = (
            f'<rect x="10.5" y="14.5" width="{self._width - 21:.1f}" height="{high - 25:.1f}" rx="8" fill="none" '
            f'stroke="{RULE}"/>'
        )
        title = self._title()
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width:.0f}" height="{high:.0f}" '
            f'viewBox="0 0 {self._width:.0f} {high:.0f}" font-family="{escape(FONT)}" font-size="{FONT_PX}">\n'
            f"<title>{escape(safe(self._table.title))}</title>\n"
            f'<rect width="100%" height="100%" rx="10" fill="{GROUND}"/>\n{frame}\n{title}'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )

    def _text(self, cell: Cell) -> str:
        mark = self._table.mark(cell)
        return f"{safe(mark[1].glyph)} {safe(cell.text)}" if mark else safe(cell.text)

    def _column_px(self, index: int) -> float:
        lines = [*self._names[index], self._units[index], *(line for row in self._cells for line in row[index])]
        return max(map(width, lines)) * CHARACTER_PX + 2 * PAD_PX

    def _put(self, x: float, y: float, text: str, color: str, *, right: bool = False, bold: bool = False) -> None:
        if text:
            anchor = ' text-anchor="end"' if right else ""
            weight = ' font-weight="bold"' if bold else ""
            self._parts.append(
                f'<text x="{x:.1f}" y="{y + 16:.1f}" fill="{color}"{anchor}{weight} xml:space="preserve">'
                f"{escape(text)}</text>"
            )

    def _title(self) -> str:
        shown = safe(self._table.title)
        if not shown:
            return ""
        wide = width(shown) * CHARACTER_PX + 2 * PAD_PX
        return (
            f'<rect x="{EDGE_PX:.1f}" y="6" width="{wide:.1f}" height="18" fill="{GROUND}"/>\n'
            f'<text x="{EDGE_PX + PAD_PX:.1f}" y="19" fill="{ACCENT}" font-weight="bold" xml:space="preserve">'
            f"{escape(shown)}</text>\n"
        )

    def _places(self) -> list[tuple[float, float, bool]]:
        x, found = EDGE_PX, []
        for column, wide in zip(self._table.columns, self._widths, strict=True):
            found.append((x, wide, column.align == "right"))
            x += wide + GAP_PX
        return found

    def _line(self, y: float, index: int, level: int, text: str, color: str, bold: bool) -> None:
        x, wide, right = self._places()[index]
        self._put(x + (wide - PAD_PX if right else PAD_PX), y + level * 18, text, color, right=right, bold=bold)

    def _head(self, y: float) -> float:
        levels = max(map(len, self._names))
        for index, lines in enumerate(self._names):
            for level, text in enumerate(lines):
                self._line(y, index, level, text, TEXT, True)
        y += (levels - 1) * 18 + LINE_PX
        if any(self._units):
            for index, text in enumerate(self._units):
                self._line(y - 6, index, 0, text, DIM, False)
            y += 18
        self._parts.append(
            f'<line x1="{EDGE_PX:.1f}" x2="{self._width - EDGE_PX:.1f}" y1="{y + 2:.1f}" y2="{y + 2:.1f}" '
            f'stroke="{RULE}"/>'
        )
        return y + 8

    def _row(self, y: float, index: int) -> float:
        levels = max(map(len, self._cells[index]))
        high = (levels - 1) * 18 + LINE_PX
        for column, (cell, lines) in enumerate(zip(self._table.rows[index], self._cells[index], strict=True)):
            mark = self._table.mark(cell)
            color = DIM if cell.style == "dim" else TEXT
            if mark:
                x, wide, _ = self._places()[column]
                color, ground = TIERS[mark[0] % len(TIERS)]
                self._parts.append(
                    f'<rect x="{x:.1f}" y="{y + 1:.1f}" width="{wide:.1f}" height="{high - 2:.1f}" rx="4" '
                    f'fill="{ground}"/>'
                )
            for level, text in enumerate(lines):
                self._line(y, column, level, text, color, cell.style == "bold" or bool(mark))
        return y + high

    def _legend(self, y: float) -> float:
        if not self._table.used_marks:
            return y
        y, x = y + 10, EDGE_PX + PAD_PX
        for mark in self._table.used_marks:
            text = f"{safe(mark.glyph)} {safe(mark.label)}"
            wide = (width(text) + 3) * CHARACTER_PX
            if x > EDGE_PX + PAD_PX and x + wide > self._width - EDGE_PX:
                y, x = y + LINE_PX, EDGE_PX + PAD_PX
            self._put(x, y, text, TIERS[self._table.marks.index(mark) % len(TIERS)][0])
            x += wide
        return y + LINE_PX

    def _notes(self, y: float) -> float:
        columns = int((self._width - 2 * (EDGE_PX + PAD_PX)) / CHARACTER_PX)
        lines = [line for note in self._table.notes for line in wrap(safe(note, 2000), columns)]
        y += 10 if lines else 0
        for line in lines:
            self._put(EDGE_PX + PAD_PX, y, line, DIM)
            y += 20
        return y
