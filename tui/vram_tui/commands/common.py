"""Options and output that all commands share: catalogue, units, tables, JSON."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vram_tui.commands.errors import CommandError

if TYPE_CHECKING:
    from vram_tui.commands.workspace import Workspace
    from vram_tui.exporters.table import Table


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, as all errors of the program are."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see {self.prog} --help)")


def add_common(parser: argparse.ArgumentParser, *, formats: bool = False) -> None:
    """`--json`, `--units`, `--catalog`; with `formats` also `--markdown` and `--csv`."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="for machines: sizes are whole bytes")
    group.add_argument("--units", choices=("gib", "gb"), default="gib", help="memory in GiB or GB")
    if formats:
        group.add_argument("--markdown", action="store_true", help="a Markdown table")
        group.add_argument("--csv", action="store_true", help="comma-separated values")
    parser.add_argument("--catalog", type=Path, metavar="DIR", help="a catalogue folder in place of the shipped one")
    parser.add_argument("--config", type=Path, metavar="FILE", help=argparse.SUPPRESS)


def workspace(arguments: argparse.Namespace) -> "Workspace":
    from vram_tui.commands.workspace import Workspace

    return Workspace(arguments.catalog)


def print_json(value: Any) -> None:
    import json

    from vram_tui.exporters.json_text import escaped

    text = json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write(f"{escaped(text)}\n")


def print_table(table: "Table", arguments: argparse.Namespace) -> None:
    """The table in the form that was asked for; by default for a person."""
    from vram_tui.exporters import render

    if getattr(arguments, "markdown", False):
        print(render(table, "markdown"), end="")
    elif getattr(arguments, "csv", False):
        print(render(table, "csv"), end="")
    else:
        from vram_tui.exporters.plain import print_plain

        print_plain(table, sys.stdout)
