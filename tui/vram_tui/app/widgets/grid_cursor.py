"""Where the cursor stands in the grid: headings, labels, figures and the two plus signs are one field of places."""

from typing import Literal

from vram_tui.estimator.records import record

Place = Literal["figure", "context", "quant", "bits", "add-context", "add-row", "corner"]

HEADING = -1
QUANT, BITS = -2, -1


@record
class Cursor:
    """`row` -1 is the heading line, `rows` the line that adds one; `column` -2 is the format, -1 its bits per weight,
    `columns` the plus sign of the heading line."""

    row: int
    column: int
    rows: int
    columns: int

    @property
    def place(self) -> Place:
        if self.row == HEADING:
            if self.column < 0:
                return "corner"
            return "add-context" if self.column >= self.columns else "context"
        if self.row >= self.rows:
            return "add-row"
        if self.column == QUANT:
            return "quant"
        return "bits" if self.column == BITS else "figure"

    def moved(self, down: int, right: int) -> "Cursor":
        """A step, stopped at the edges and kept off the places that do not exist."""
        row = min(max(self.row + down, HEADING), self.rows)
        last = self.columns if row == HEADING else self.columns - 1
        first = 0 if row == HEADING else QUANT
        column = min(max(self.column + right, first), last)
        return Cursor(row, column, self.rows, self.columns)

    def within(self, rows: int, columns: int) -> "Cursor":
        """The same place in a grid of another size."""
        return Cursor(min(self.row, rows), min(self.column, columns), rows, columns).moved(0, 0)
