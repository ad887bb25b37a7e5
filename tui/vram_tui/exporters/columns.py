"""Text in terminal columns: how wide it is, padded, and wrapped without cutting a number."""

import re
import unicodedata
from collections.abc import Iterator

_NUMBER = r"[+-]?\d[\d.,:]*[A-Za-z%]{0,3}(?!\w)"
_DATE = re.compile(r"\d{1,4}([-/.]\d{1,4})+|[+\-~<>=]*" + _NUMBER)
_ATOM = re.compile(r"\d[\d.,:]*[A-Za-z%]{0,3}|.", re.DOTALL)
_PIECE = re.compile(r"[^/_-]*[/_-]?")


def width(text: str) -> int:
    """Columns that a terminal needs: two for wide characters, none for marks that combine."""
    if text.isascii():
        return len(text)
    total = 0
    for character in text:
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def pad(text: str, columns: int, align: str = "left") -> str:
    blank = " " * (columns - width(text))
    return blank + text if align == "right" else text + blank


def narrowest(text: str) -> int:
    """The fewest columns in which `wrap` keeps every number of the text whole."""
    return max((width(atom) for word in text.split() for atom in _atoms(word)), default=0)


def wrap(text: str, columns: int) -> list[str]:
    """The text in lines of at most `columns`, broken at blanks, then after `/`, `-` and `_`, then anywhere.

    Numbers, dates and a unit written to a number are never broken, even where they are wider than `columns`.
    """
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        grown = f"{line} {word}" if line else word
        if width(grown) <= columns:
            line = grown
            continue
        if line:
            lines.append(line)
        line = ""
        for part in _parts(word, columns):
            if line and width(line + part) > columns:
                lines.append(line)
                line = ""
            line += part
    lines.append(line)
    return lines


def _parts(word: str, columns: int) -> Iterator[str]:
    if width(word) <= columns or _DATE.fullmatch(word):
        yield word
        return
    for piece in _PIECE.findall(word):
        if width(piece) <= columns:
            yield piece
        else:
            yield from _ATOM.findall(piece)


def _atoms(word: str) -> list[str]:
    return [word] if _DATE.fullmatch(word) else _ATOM.findall(word)
