"""A table for people at a terminal: aligned, as wide as the terminal, a little colour where that is wanted."""

import os
from collections.abc import Mapping, Sequence
from typing import TextIO

from vram_tui.exporters.columns import narrowest, pad, width, wrap
from vram_tui.exporters.table import Cell, Mark, Table
from vram_tui.text import safe

GAP = "  "
NOTE_CHARS = 2000
_RESET = "\x1b[0m"
_STYLES = {"bold": "\x1b[1m", "dim": "\x1b[2m"}
_TIERS = ("\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[36m", "\x1b[34m")
_TWINS = str.maketrans({"…": "...", "–": "-", "—": "-", "×": "x", "·": "|", "≈": "~", "≤": "<=", "≥": ">=", "±": "+-"})


def render(table: Table) -> str:
    """As wide as it needs to be, without colour: what a pipe or a file gets."""
    return lay_out(table)


def print_plain(table: Table, stream: TextIO, env: Mapping[str, str] | None = None) -> None:
    """Write the table to a stream: colour and the terminal's width only where the stream is a terminal."""
    env = os.environ if env is None else env
    terminal = stream.isatty()
    color = terminal and not env.get("NO_COLOR") and env.get("TERM", "") not in ("", "dumb")
    columns = _room(stream, env) if terminal else None
    encoding = stream.encoding or "utf-8"
    text = lay_out(table, columns, color=color, ascii_glyphs=not _takes("✓»–", encoding))
    stream.write(text if _takes(text, encoding) else _reduced(text, encoding))


def lay_out(table: Table, columns: int | None = None, *, color: bool = False, ascii_glyphs: bool = False) -> str:
    """The table as lines of at most `columns` characters where its numbers allow that.

    The widest columns of text are wrapped first; if that is not enough, the columns are set in several blocks, each
    beginning with the first column.
    """
    return "\n".join(_Sheet(table, columns, color, ascii_glyphs).lines()) + "\n"


class _Sheet:
    def __init__(self, table: Table, columns: int | None, color: bool, ascii_glyphs: bool) -> None:
        self._table = table
        self._columns = columns
        self._color = color
        self._ascii = ascii_glyphs
        self._texts = [[self._text(cell) for cell in row] for row in table.rows]
        self._names = [safe(column.name) for column in table.columns]
        self._units = [safe(column.unit) for column in table.columns]

    def lines(self) -> list[str]:
        table = self._table
        found = [self._paint(line, "bold") for line in self._wrapped(table.title)]
        if found and table.columns:
            found.append("")
        for index, block in enumerate(self._blocks()):
            found += [""] if index else []
            found += self._block(*block)
        footer = [*self._legend(), *(line for note in table.notes for line in self._wrapped(note))]
        if footer:
            found += ["", *(self._paint(line, "dim") for line in footer)]
        return found

    def _legend(self) -> list[str]:
        """Signs and their words, as many beside each other as there is room for."""
        lines: list[str] = []
        for mark in self._table.used_marks:
            entry = f"{self._glyph(mark)} {safe(mark.label)}"
            if lines and (self._columns is None or width(f"{lines[-1]}   {entry}") <= self._columns):
                lines[-1] += f"   {entry}"
            else:
                lines += self._wrapped(entry)
        return lines

    def _glyph(self, mark: Mark) -> str:
        return safe(mark.ascii_glyph if self._ascii else mark.glyph)

    def _text(self, cell: Cell) -> str:
        text = safe(cell.text)
        mark = self._table.mark(cell)
        return f"{self._glyph(mark[1])} {text}" if mark else text

    def _wrapped(self, text: str) -> list[str]:
        if not text:
            return []
        line = safe(text, NOTE_CHARS)
        return wrap(line, self._columns) if self._columns else [line]

    def _paint(self, text: str, style: str) -> str:
        return f"{_STYLES[style]}{text}{_RESET}" if self._color and text.strip() else text

    def _blocks(self) -> list[tuple[list[int], list[int]]]:
        """Columns that stand beside each other, with their widths."""
        every = list(range(len(self._names)))
        if not every:
            return []
        widths = [self._natural(index) for index in every]
        room = self._columns
        if room is None or _sum(widths) <= room:
            return [(every, widths)]
        least = self._least()
        shrunk = _shrunk(widths, least, room)
        if _sum(shrunk) <= room:
            return [(every, shrunk)]
        # Blocks have room to spare: text may keep up to half of the line.
        widths = [max(least[i], min(columns, room // 2)) for i, columns in enumerate(widths)]
        blocks: list[list[int]] = [[0]]
        for index in every[1:]:
            block = blocks[-1]
            if len(block) > 1 and _sum([widths[i] for i in (*block, index)]) > room:
                blocks.append([0, index])
            else:
                block.append(index)
        return [(block, [widths[i] for i in block]) for block in blocks]

    def _natural(self, index: int) -> int:
        heads = (self._names[index], self._units[index])
        return max(map(width, (*heads, *(row[index] for row in self._texts))), default=0)

    def _least(self) -> list[int]:
        """How narrow each column may become: text down to its heading and longest number, figures not at all."""
        found = []
        for index, column in enumerate(self._table.columns):
            if column.align == "right":
                found.append(self._natural(index))
            else:
                heads = (width(self._names[index]), width(self._units[index]))
                found.append(max(8, *heads, *map(narrowest, self._column(index))))
        return found

    def _column(self, index: int) -> list[str]:
        return [row[index] for row in self._texts]

    def _block(self, block: Sequence[int], widths: Sequence[int]) -> list[str]:
        heads = self._row([self._names[i] for i in block], block, widths, ["bold"] * len(block))
        if any(self._units[i] for i in block):
            heads += self._row([self._units[i] for i in block], block, widths, ["dim"] * len(block))
        if not self._color:
            heads.append(GAP.join("-" * columns for columns in widths))
        for texts, cells in zip(self._texts, self._table.rows, strict=True):
            heads += self._row([texts[i] for i in block], block, widths, [self._style(cells[i]) for i in block])
        return heads

    def _style(self, cell: Cell) -> str:
        mark = self._table.mark(cell)
        return f"tier {mark[0]}" if mark else cell.style

    def _row(
        self, texts: Sequence[str], block: Sequence[int], widths: Sequence[int], styles: Sequence[str]
    ) -> list[str]:
        parts = [wrap(text, columns) for text, columns in zip(texts, widths, strict=True)]
        lines = []
        for level in range(max(map(len, parts))):
            fields = []
            for index, part, columns, style in zip(block, parts, widths, styles, strict=True):
                field = pad(part[level] if level < len(part) else "", columns, self._table.columns[index].align)
                fields.append(self._styled(field, style))
            lines.append(GAP.join(fields).rstrip())
        return lines

    def _styled(self, field: str, style: str) -> str:
        if not (self._color and style and field.strip()):
            return field
        code = _TIERS[int(style[5:]) % len(_TIERS)] if style.startswith("tier ") else _STYLES[style]
        return f"{code}{field}{_RESET}"


def _shrunk(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Narrow the widest column that may be, one character at a time, while the whole is too wide."""
    found = list(widths)
    while _sum(found) > room:
        loose = [index for index, limit in enumerate(least) if found[index] > limit]
        if not loose:
            break
        found[max(loose, key=lambda index: found[index])] -= 1
    return found


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _room(stream: TextIO, env: Mapping[str, str]) -> int:
    """The terminal's columns: what COLUMNS says, then what the terminal says, then 80."""
    named = env.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _takes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _reduced(text: str, encoding: str) -> str:
    """The text in the characters that the stream can write, with plain twins for common signs."""
    codec = encoding if _takes("", encoding) else "ascii"
    return text.translate(_TWINS).encode(codec, "backslashreplace").decode(codec)
