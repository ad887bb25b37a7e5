"""Damages bytes, texts and trees at random: what a bad disk, a careless hand or an ill will makes of them."""

import random
import struct
from copy import deepcopy
from typing import Any

NUMBERS = (
    *(0, 1, 7, 8, 9, 31, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 61),
    *(1 << 63, (1 << 64) - 1),
)
TOKENS = tuple(
    b'{ } [ ] " , : \\ NaN Infinity 1e999 \\ud800 \x00 \xff\xfe \xef\xbb\xbf \x1b[31m {"a":1,"a":2} null'.split()
)
HOSTILE = (
    "",
    " ",
    "[red]x[/red] [link=http://evil]y[/link]",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202ereversed\u2066",
    "=cmd|' /C calc'!A0",
    "`id` $(id) ;rm -rf ~ 'quote\" \\",
    "../../etc/passwd",
    "x" * 10_000,
    "9" * 400,
    "1" + "0" * 400,
    "1e400",
    "nan",
    "-inf",
    "-1",
    "0",
    "0x10",
    "1_0",
    "٣٢",
    "½",
    "\ud800",
    "\x00",
    "\u0085\u2028\u2029",
    "a\tb\r\nc",
    "ﬀİıß",
    "👩‍👩‍👧‍👦e\u0301\u0301\u0301",
)
"""Texts that try to act, to overflow or to confuse."""
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1 << 31,
    1 << 63,
    (1 << 64) - 1,
    -(1 << 63),
    10**30,
    0.0,
    -0.5,
    1e-300,
    1e308,
    float("inf"),
    float("nan"),
    [],
    {},
    [[]],
    [None],
    {"a": {"b": {}}},
)


def bytes_damaged(valid: bytes, chance: random.Random) -> bytes:
    """A few random wounds: numbers overwritten, bytes lost, repeated, mixed with tokens."""
    data = bytearray(valid)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        _wound(data, chance)
    return bytes(data)


def _wound(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(8):
        case 0:
            data[at : at + 8] = struct.pack("<Q", chance.choice(NUMBERS))
        case 1:
            data[at : at + 4] = struct.pack("<I", chance.choice(NUMBERS) & 0xFFFFFFFF)
        case 2:
            data[at : at + 1] = bytes([chance.randrange(256)])
        case 3:
            del data[at:]
        case 4:
            del data[at : at + chance.randrange(1, 20)]
        case 5:
            data[at:at] = data[at : at + chance.randrange(1, 60)] * chance.choice((1, 2, 50))
        case 6:
            data[at:at] = chance.choice(TOKENS) * chance.choice((1, 1, 200))
        case _:
            data[at : at + 4] = chance.randbytes(chance.randrange(12))


def tree_damaged(valid: Any, chance: random.Random) -> Any:
    """The same tables and lists with some values lost, replaced, moved or multiplied."""
    tree = deepcopy(valid)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = chance.choice(places)
        match chance.randrange(7):
            case 0:
                del holder[key]
            case 1:
                holder[key] = chance.choice(HOSTILE)
            case 2:
                other, place = chance.choice(places)
                holder[key] = deepcopy(other[place]) if place in other or isinstance(other, list) else None
            case 3 if isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
                holder[key] = holder[key] * chance.choice((0, -1, 2, 3, 1000, 1 << 40)) + chance.choice((0, 1, 0.5))
            case 4 if isinstance(holder, dict):
                holder[chance.choice(HOSTILE)] = holder[key]
            case 5 if isinstance(holder[key], list):
                holder[key] = holder[key] * chance.choice((2, 300))
            case _:
                holder[key] = deepcopy(chance.choice(VALUES))
    return tree


def _places(tree: Any) -> "Any":
    """Every (holder, key) of a tree."""
    keys: Any = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def text(chance: random.Random, words: tuple[str, ...]) -> str:
    """Known words, hostile ones and noise, joined by anything."""
    parts = []
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        draw = chance.random()
        if draw < 0.55:
            parts.append(chance.choice(words))
        elif draw < 0.8:
            parts.append(chance.choice(HOSTILE))
        else:
            parts.append(
                "".join(chr(chance.choice((chance.randrange(128), chance.randrange(0x3000)))) for _ in "12345")
            )
    return chance.choice(("", " ", " ", ":", "+", ",", "x")).join(parts)
