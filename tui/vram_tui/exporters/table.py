"""The one shape in which grids, comparisons, rankings and listings leave the program."""

from typing import Literal

from vram_tui.estimator.records import record

Raw = str | int | float | bool | None
Align = Literal["left", "right"]
Style = Literal["", "bold", "dim"]


@record
class Mark:
    """A fit class as a legend needs it: the `tier` of cells, its sign, the sign's plain twin, and words."""

    id: str
    glyph: str
    label: str
    ascii_glyph: str = "*"


@record
class Column:
    """A heading; `unit` is that of the text people read, `raw_unit` that of the raw values (bytes, tokens …)."""

    name: str
    align: Align = "left"
    unit: str = ""
    raw_unit: str = ""


@record
class Cell:
    """What a person reads, and the value that a program gets; `tier` is the id of a mark of the table."""

    text: str
    raw: Raw
    tier: str = ""
    style: Style = ""


@record
class Table:
    """Rows of cells under columns; every row has one cell for each column. `marks` are in the order of the tiers.

    Raises ValueError for a row of another length.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {index} has {len(row)} cells for {len(self.columns)} columns")

    @property
    def used_marks(self) -> tuple[Mark, ...]:
        """The marks that a cell refers to: what a legend must explain."""
        used = {cell.tier for row in self.rows for cell in row}
        return tuple(mark for mark in self.marks if mark.id in used)

    def mark(self, cell: Cell) -> tuple[int, Mark] | None:
        """Place and sign of the cell's tier, None without one."""
        for index, mark in enumerate(self.marks):
            if mark.id == cell.tier:
                return index, mark
        return None


def words(text: str, style: Style = "") -> Cell:
    """A cell whose raw value is its text."""
    return Cell(text, text, style=style)


def number(value: int | float, text: str | None = None, style: Style = "") -> Cell:
    """A cell with a figure: thousands are separated by commas where no other text is given."""
    return Cell(f"{value:,}" if text is None else text, value, style=style)


def nothing(text: str = "–", style: Style = "dim") -> Cell:
    """A cell without a value."""
    return Cell(text, None, style=style)


def keys(table: Table) -> tuple[str, ...]:
    """The columns' names made unique and not empty: what a row is keyed by in JSON and TOML."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for index, column in enumerate(table.columns):
        name = column.name or f"column {index + 1}"
        while name in seen:
            seen[name] += 1
            name = f"{name} ({seen[name]})"
        seen[name] = 1
        found.append(name)
    return tuple(found)
