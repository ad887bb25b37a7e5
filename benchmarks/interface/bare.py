"""What a ratio is taken against: the least that Textual starts, and its own table of as many rows. Run as a program."""

import sys

from textual.app import App, ComposeResult
from textual.widgets import DataTable, Static

READY, LAST_COLUMN = "ready", "released"
ROWS = 450


class Least(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        yield Static(READY)


class Rows(App[None]):
    """As many rows as the catalogue has models, four columns each."""

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("model", "family", "parameters", LAST_COLUMN)
        for index in range(ROWS):
            table.add_row(f"Model number {index}", f"Family {index // 7}", f"{index * 1.7:.1f}B", "2026-11-25")
        table.focus()


if __name__ == "__main__":
    (Rows if sys.argv[1:] == ["rows"] else Least)().run()
