"""What both rankings take and check: order, length, output, the options of an estimate."""

import argparse
from collections.abc import Collection, Sequence
from typing import TypeVar

from vram_tui.commands.common import Parser, add_common
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options

_Row = TypeVar("_Row")


def read(parser: Parser, argv: Sequence[str], sorts: Collection[str], sort: str, fails: str) -> argparse.Namespace:
    """Add the common arguments and read them. `fails` says what a row without a fit does: "fit", "hold it".

    Raises CommandError for an order that is none of `sorts`, or a negative length.
    """
    parser.add_argument("--sort", default=sort, metavar="KEY", help=f"by {', '.join(sorts)}")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N rows (20; 0: all)")
    parser.add_argument("--all", action="store_true", help=f"also what does not {fails}")
    add_common(parser, formats=True)
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.sort not in sorts:
        raise CommandError(f"--sort: '{arguments.sort[:40]}' is not one of {', '.join(sorts)}", "sort")
    if arguments.limit < 0:
        raise CommandError("--limit must be at least 1, or 0 for all", "limit")
    return arguments


def first(rows: Sequence[_Row], limit: int) -> Sequence[_Row]:
    """So many rows; all where the limit is 0."""
    return rows[:limit] if limit else rows
