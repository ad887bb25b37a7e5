"""A table as CSV (RFC 4180) of raw values that no spreadsheet takes for a formula."""

import csv
import io
import math
import re

from vram_tui.exporters.table import Raw, Table
from vram_tui.text import safe

FIELD_CHARS = 32_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def render(table: Table) -> str:
    """One header line and the rows, lines ended by CR LF; a value that is not there is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if table.columns:
        units = [f" [{column.raw_unit}]" if column.raw_unit else "" for column in table.columns]
        writer.writerow([neutral(column.name + unit) for column, unit in zip(table.columns, units, strict=True)])
        writer.writerows([field(cell.raw) for cell in row] for row in table.rows)
    return out.getvalue()


def field(value: Raw) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return neutral(value) if isinstance(value, str) else repr(value)


def neutral(text: str) -> str:
    """Text that a spreadsheet would compute gets a leading apostrophe; control characters become visible escapes."""
    shown = safe(text, FIELD_CHARS)
    risky = text.startswith(_FORMULA) or shown.lstrip(" '\"").startswith(_FORMULA)
    return f"'{shown}" if risky and not _NUMBER.fullmatch(text) else shown
