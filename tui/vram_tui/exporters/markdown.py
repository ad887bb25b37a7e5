"""A table as GitHub-flavoured Markdown in which text from files stays text."""

import re

from vram_tui.exporters.columns import pad, width
from vram_tui.exporters.table import Cell, Column, Table
from vram_tui.text import safe

_ACTIVE = re.compile(r"[\\`*~\[\]{}|!@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=[wW]{3})\.")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str, limit: int = 2000) -> str:
    """The text with all that Markdown would interpret escaped: emphasis, code, links, bare addresses, HTML, cells."""
    shown = re.sub(r"[&<>]", lambda match: _ENTITIES[match[0]], safe(text, limit))
    return _ACTIVE.sub(lambda match: "\\" + match[0], shown)


def render(table: Table) -> str:
    lines = [f"## {escape(table.title)}", ""] if table.title else []
    if table.columns:
        lines += [*_grid(table), ""]
    if table.used_marks:
        lines += ["   ".join(f"{escape(mark.glyph)} {escape(mark.label)}" for mark in table.used_marks), ""]
    for note in table.notes:
        lines.append(f"- {_not_a_list(escape(note))}")
    return "\n".join(lines).rstrip("\n") + "\n"


def _grid(table: Table) -> list[str]:
    rows = [[_head(column) for column in table.columns]]
    rows += [[_text(table, cell) for cell in row] for row in table.rows]
    widths = [max(3, *(width(row[index]) for row in rows)) for index in range(len(table.columns))]
    rule = [
        "-" * (columns - 1) + ":" if column.align == "right" else "-" * columns
        for column, columns in zip(table.columns, widths, strict=True)
    ]
    aligns = [column.align for column in table.columns]
    lines = ["| " + " | ".join(map(pad, row, widths, aligns)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return lines


def _head(column: Column) -> str:
    return escape(f"{column.name} ({column.unit})" if column.unit else column.name)


def _text(table: Table, cell: Cell) -> str:
    mark = table.mark(cell)
    text = escape(cell.text)
    if mark:
        text = f"{escape(mark[1].glyph)} {text}"
    return f"**{text}**" if cell.style == "bold" and text.strip() else text


def _not_a_list(text: str) -> str:
    """A note that begins like a list item, a quotation or a heading stays a sentence."""
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", "\\" + text if text[:1] in ("-", "+", "#", "=") else text)
