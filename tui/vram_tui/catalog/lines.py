"""Where in a TOML text a field stands: parsers say what is wrong, this says on which line."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]\]?")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+)((?:\s*\.\s*[\w-]+)*)\s*=""")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line (from 1) of a dotted path such as ("mixer", "local", "heads") or ("stack", 1, "layers").

    A key inside an inline table has the line of that table; a key that is absent, the line of its table's header.
    None when nothing of the path is there.
    """
    best: tuple[int, int] | None = None
    table: list[str | int] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _header_path(header, seen)
            depth = _depth(table, path)
        elif key := _KEY.match(line):
            names = [*table, key[1].strip("\"'"), *re.findall(r"[\w-]+", key[2])]
            depth = _depth(names, path) if len(names) <= len(path) else 0
        else:
            continue
        if depth and (best is None or depth > best[0]):
            best = (depth, number)
    return best[1] if best else None


def _header_path(header: re.Match[str], seen: dict[str, int]) -> list[str | int]:
    names: list[str | int] = [part.strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[\w-]+", header[2])]
    if header[1] == "[[":
        index = seen[header[2]] = seen.get(header[2], -1) + 1
        names.append(index)
    return names


def _depth(found: Sequence[str | int], path: Sequence[str | int]) -> int:
    """How many parts of the path are met, if all that is found belongs to it."""
    depth = 0
    for one, wanted in zip(found, path, strict=False):
        if one != wanted:
            return 0
        depth += 1
    return depth if depth == len(found) else 0
