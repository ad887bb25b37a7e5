"""A table as JSON: raw values under the columns' names."""

import json
import math
from typing import Any

from vram_tui.exporters.table import Cell, Raw, Table, keys


def render(table: Table) -> str:
    """An object with `title`, `columns` (name, unit), `rows` and `notes`, indented.

    Cells of a column that knows tiers are objects with `value` and `tier`, all others bare values.
    """
    return escaped(json.dumps(plain(table), ensure_ascii=False, indent=2, allow_nan=False)) + "\n"


def plain(table: Table) -> dict[str, Any]:
    names = keys(table)
    tiered = [any(row[index].tier for row in table.rows) for index in range(len(names))]
    return {
        "title": table.title,
        "columns": [
            {"name": name, "unit": column.raw_unit or column.unit or None}
            for name, column in zip(names, table.columns, strict=True)
        ],
        "rows": [
            {name: _cell(cell, tier) for name, cell, tier in zip(names, row, tiered, strict=True)} for row in table.rows
        ],
        "notes": list(table.notes),
    }


def escaped(text: str) -> str:
    r"""Every character that does not print as a `\u` escape, so that none reaches a terminal; line feeds stay."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _cell(cell: Cell, tiered: bool) -> Any:
    value = finite(cell.raw)
    return {"value": value, "tier": cell.tier or None} if tiered else value


def finite(value: Raw) -> Raw:
    return None if isinstance(value, float) and not math.isfinite(value) else value
