"""Editing the grid in place: every heading, label and row, asked for in one field over the cell."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.geometry import Region

from vram_tui.app.house import Edit
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.grid_cursor import Cursor
from vram_tui.app.widgets.requirements_grid import RequirementsGrid
from vram_tui.quantities import format_tokens
from vram_tui.session import edits
from vram_tui.session.state import DEFAULT_GRID

if TYPE_CHECKING:
    Base = HouseScreen
else:
    Base = object  # mixed into a screen: declaring one more class of widgets takes most of a millisecond


class GridEditing(Base):
    """Mixed in before HouseScreen: a screen with a requirements grid that is edited where the cursor stands."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = RequirementsGrid("grid")

    def show_grid(self) -> None:
        """Bring the grid into sight and give it the focus."""
        self.go_to(self.grid)

    def do_edit(self) -> None:
        """Edit what the cursor of the grid is on; from a figure, the context above it."""
        cursor = self.grid.settled()
        place = cursor.place
        if self.focused is not self.grid:
            self.show_grid()
            return
        session = self.home.session
        formats = self.home.answers.facts.formats
        if place in ("add-row", "corner"):
            self.do_add()
        elif place == "add-context":
            self._ask_grid(
                "a context to add: 32K, 131072, 1M, native",
                "",
                lambda text: self._edit(lambda now: edits.add_context(now, text)),
            )
        elif place == "quant":
            row = session.grid.rows[cursor.row]
            self._ask_grid(
                "a format, or bits per weight such as 4.25",
                row.label,
                lambda text: self._edit(lambda now: edits.retype_row(now, cursor.row, text, formats)),
                tuple(formats),
            )
        elif place == "bits":
            bits = session.grid.rows[cursor.row].bits
            self._ask_grid(
                "bits per weight; empty takes the format's own",
                f"{bits:g}" if bits else "",
                lambda text: self._edit(lambda now: edits.set_bits(now, cursor.row, text)),
            )
        else:
            column = session.column if place == "figure" else cursor.column
            heading = replace(cursor, row=-1, column=column)
            context = session.grid.contexts[column]
            value = format_tokens(context).replace(",", "") if context else "native"
            self._ask_grid(
                "a context: 32K, 131072, 1M, native",
                value,
                lambda text: self._edit(lambda now: edits.retype_context(now, column, text)),
                at=heading,
            )

    def _edit(self, change: Edit) -> bool:
        return self.home.edit(change)

    def _ask_grid(
        self,
        hint: str,
        value: str,
        accept: Callable[[str], bool],
        choices: tuple[str, ...] = (),
        at: Cursor | None = None,
    ) -> None:
        offset, width = self.grid.place_of(at or self.grid.cursor)
        self.ask(self.grid, Region(offset.x, offset.y, width, 1), value, Asking(hint, accept, choices=choices))

    def do_add(self) -> None:
        """A context where the cursor is on the heading line, else a quantization under the cursor's row."""
        if self.focused is not self.grid:
            self.show_grid()
        cursor = self.grid.settled()
        if cursor.row == -1:
            self._ask_grid(
                "a context to add: 32K, 131072, 1M, native",
                "",
                lambda text: self._edit(lambda now: edits.add_context(now, text)),
                at=replace(cursor, column=cursor.columns),
            )
            return
        formats = self.home.answers.facts.formats
        place = replace(cursor, column=-2, row=min(cursor.row, cursor.rows))
        self._ask_grid(
            "a format to add, or bits per weight such as 4.25",
            "",
            lambda text: self._edit(lambda now: edits.add_row(now, text, formats)),
            tuple(formats),
            at=place,
        )

    def do_remove(self) -> None:
        cursor = self.grid.settled()
        if self.focused is not self.grid:
            self.home.tell("go to the grid first (tab)", bad=True)
        elif cursor.place == "context":
            self.home.edit(lambda session: edits.delete_context(session, cursor.column))
        elif self._is_row(cursor):
            self.home.edit(lambda session: edits.delete_row(session, cursor.row))

    def _is_row(self, cursor: Cursor) -> bool:
        return cursor.place in ("figure", "quant", "bits")

    def _shift(self, step: int) -> None:
        cursor = self.grid.settled()
        if self.focused is not self.grid:
            self.home.tell("go to the grid first (tab)", bad=True)
        elif cursor.place == "context":
            if self.home.edit(lambda session: edits.move_context(session, cursor.column, step)):
                self.grid.cursor = cursor.moved(0, step)
                self.grid.draw()
        elif self._is_row(cursor) and self.home.edit(lambda session: edits.move_row(session, cursor.row, step)):
            self.grid.cursor = cursor.moved(step, 0)
            self.grid.draw()

    def do_earlier(self) -> None:
        self._shift(-1)

    def do_later(self) -> None:
        self._shift(1)

    def do_row_runtime(self) -> None:
        self.grid.settled()
        row = self.home.session.row
        runtimes = self.home.answers.facts.runtimes
        place = replace(self.grid.cursor, row=row, column=-2)
        self._ask_grid(
            "a runtime for this row; empty takes the scenario's",
            self.home.session.selected_row.runtime or "",
            lambda text: self._edit(lambda now: edits.set_row_runtime(now, row, text, runtimes)),
            tuple(runtimes),
            at=place,
        )

    def do_save_grid(self) -> None:
        self._ask_grid(
            "a name for these rows and columns", "", lambda text: self._edit(lambda now: edits.save_grid(now, text))
        )

    def do_use_grid(self) -> None:
        names = tuple(saved.name for saved in self.home.session.grids)
        self._ask_grid(
            "which grid: " + (", ".join(names) or "none is saved yet"),
            names[0] if names else "",
            lambda text: self._edit(lambda now: edits.use_grid(now, text)),
            names,
        )

    def do_reset_grid(self) -> None:
        self.home.edit(lambda session: replace(session, grid=DEFAULT_GRID))
