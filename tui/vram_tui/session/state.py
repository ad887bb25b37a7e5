"""What a person has set up: one frozen record of scenario, grid, selection, marks and taste."""

from dataclasses import field, replace
from typing import Any, Generic, TypeVar

from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import Scenario

T = TypeVar("T")

NATIVE = 0
"""A column that stands for the longest context the model was made for, whatever that is."""

SORTS = ("family", "release", "parameters", "memory", "fit")
UNITS = ("gib", "gb")
METHODS = ("exact", "bytes-per-weight", "difference")


@record
class Row:
    """One line of the grid: a format, perhaps with its own bits per weight, perhaps on its own runtime."""

    quant: str
    bits: float | None = None
    runtime: str | None = None

    @property
    def asked(self) -> str:
        """The format as the estimator is asked for it."""
        return self.quant if self.bits is None else f"bpw:{self.bits:g}"

    @property
    def label(self) -> str:
        return "custom" if self.quant.startswith("bpw:") else self.quant


@record
class Grid:
    """Rows are quantizations, columns are contexts in tokens (`NATIVE`: the model's own)."""

    rows: tuple[Row, ...]
    contexts: tuple[int, ...]


DEFAULT_GRID = Grid(
    rows=tuple(Row(quant) for quant in ("Q2_K", "Q3_K_M", "IQ4_XS", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")),
    contexts=(1 << 10, 8 << 10, 32 << 10, 128 << 10, NATIVE),
)


@record
class Named(Generic[T]):
    """Something saved under a name."""

    name: str
    value: T


@record
class Session:
    """Everything that a start brings back.

    `scenario.machine` stays None here: `target` is the text that names the machine, and whoever answers looks it up.
    `model` is a catalogue id, `row` and `column` point into the grid.
    """

    scenario: Scenario = field(default_factory=Scenario)
    grid: Grid = DEFAULT_GRID
    target: str = ""
    units: str = "gib"
    marks: tuple[str, ...] = ()
    grids: tuple[Named[Grid], ...] = ()
    comparisons: tuple[Named[tuple[str, ...]], ...] = ()
    columns: tuple[str, ...] = ()
    """What is compared, as `comparing.Column` writes it; the marks are the models among them."""
    model: str = ""
    row: int = 3
    column: int = 2
    sort: str = "family"
    filter: str = ""
    theme: str = ""

    @property
    def selected_row(self) -> Row:
        return self.grid.rows[min(self.row, len(self.grid.rows) - 1)]

    @property
    def selected_context(self) -> int:
        return self.grid.contexts[min(self.column, len(self.grid.contexts) - 1)]


VIEW_FIELDS = ("model", "row", "column", "sort", "filter", "theme")
"""Where somebody looks: remembered, but no edit; undo leaves it alone."""


def with_view_of(document: Session, view: Session) -> Session:
    """The edited things of one session seen from where another one stands."""
    kept: dict[str, Any] = {name: getattr(view, name) for name in VIEW_FIELDS}
    return replace(document, **kept)


def clamped(session: Session) -> Session:
    """The same session with the selection inside the grid."""
    row = min(max(session.row, 0), len(session.grid.rows) - 1)
    column = min(max(session.column, 0), len(session.grid.contexts) - 1)
    return session if (row, column) == (session.row, session.column) else replace(session, row=row, column=column)
