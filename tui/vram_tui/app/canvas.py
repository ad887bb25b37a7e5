"""What stands on the terminal, cell by cell: of every frame, only the cells that differ are written."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

NEAR_CELLS = 4
"""Differing cells this close to each other are written as one stretch: a move of the cursor takes as many bytes."""


class Piece(NamedTuple):
    """A strip and the place on the screen where it begins."""

    y: int
    x: int
    strip: Strip


Cell = tuple[str, str]
"""A sign (empty: the second half of the one before) and the codes of its style."""


class Canvas:
    """Remembers what was written. Whoever clears the terminal, or another size of it, makes it forget."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Cell | None]] = {}

    def forget(self) -> None:
        """Nothing is known: everything that comes is written."""
        self._lines.clear()

    def written(self, pieces: Iterable[Piece], console: Console) -> str:
        """What brings the pieces to the terminal, with the shortest moves between them."""
        found: list[str] = []
        system = console._color_system or ColorSystem.TRUECOLOR
        row, column = -1, -1
        for y, x, strip in pieces:
            cells = _cells(strip, system)
            end = x + len(cells)
            line = self._lines.setdefault(y, [])
            line.extend([None] * (end - len(line)))
            for start, stop in _differing(line[x:end], cells):
                if y != row:
                    found.append(f"\x1b[{y + 1};{x + start + 1}H")
                elif x + start != column:
                    found.append(f"\x1b[{x + start + 1}G")
                row, column = y, x + stop
                found += _styled(cells[start:stop])
            line[x:end] = cells
        return "".join(found)


def _cells(strip: Strip, system: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, _ in strip:
        codes = _codes(style, system) if style else ""
        if text.isascii():
            cells += [(sign, codes) for sign in text]
            continue
        for sign in text:
            width = get_character_cell_size(sign)
            if width:
                cells += [(sign, codes), ("", codes)][:width]
            elif cells:  # an accent of the sign before it
                at = -1 if cells[-1][0] else -2
                cells[at] = (cells[at][0] + sign, cells[at][1])
    return cells


@lru_cache(maxsize=1024)
def _codes(style: Style, system: ColorSystem) -> str:
    """The codes that select a style; its link is not sent, and nothing of ours is one."""
    return style._make_ansi_codes(system)


def _differing(before: list[Any], after: list[Cell]) -> Iterator[tuple[int, int]]:
    """Stretches (first cell, cell after the last) in which two lines differ, never half a sign."""
    if before == after:
        return
    start, end = -1, -1
    for index, cell in enumerate(after):
        if cell == before[index]:
            continue
        if start >= 0 and index - end >= NEAR_CELLS:
            yield start, end
            start = -1
        if start < 0:
            start = index if cell[0] or not index else index - 1
        end = index + 1
        while end < len(after) and not after[end][0]:
            end += 1
    yield start, end


def _styled(cells: list[Cell]) -> Iterator[str]:
    """Text in styles, each taken back at its end, as Textual writes them; blanks take the colour that is set."""
    text, codes = "", cells[0][1]
    for sign, own in cells:
        if own != codes and not (sign == " " and _behind(own) == _behind(codes)):
            yield f"\x1b[{codes}m{text}\x1b[0m" if codes else text
            text, codes = "", own
        text += sign
    yield f"\x1b[{codes}m{text}\x1b[0m" if codes else text


@lru_cache(maxsize=1024)
def _behind(codes: str) -> str:
    """What of a style shows where nothing is written: its ground, and lines through the cell."""
    parts, found, at = codes.split(";"), [], 0
    while at < len(parts):
        length = 1 if parts[at] not in ("38", "48") else 5 if parts[at + 1] == "2" else 3
        code = parts[at]
        if code == "7":
            return codes
        if code == "48" or code in _GROUNDS or code in ("4", "9", "21"):
            found.append(";".join(parts[at : at + length]))
        at += length
    return ";".join(found)


_GROUNDS = frozenset(str(code) for base in (40, 100) for code in range(base, base + 8))
