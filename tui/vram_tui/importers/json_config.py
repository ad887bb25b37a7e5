"""Load a config.json, or any JSON object from outside, within limits and with an error that says where."""

import json
import os
import re
from collections import Counter
from itertools import islice
from typing import Any

from vram_tui.importers.source import ReadError, read_whole

MAX_CONFIG_BYTES = 4 << 20
MAX_MARKS = 400_000  # brackets and commas: they bound the objects a text can unfold into
MAX_DEPTH = 64


class ConfigError(ReadError):
    """A JSON text that cannot be used."""


class _DuplicateKeyError(ValueError):
    pass


class _NotANumberError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _DuplicateKeyError(counts.most_common(1)[0][0])
    return fields


def _constant(name: str) -> float:
    # Published configurations do hold Infinity (an open upper limit); NaN has no meaning in one.
    if name == "NaN":
        raise _NotANumberError
    return float(name)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _lines(text: str, pattern: str) -> str:
    """Name the lines of the first four places where ``pattern`` stands."""
    places = islice(re.finditer(pattern, text), 4)
    lines = dict.fromkeys(text.count("\n", 0, match.start()) + 1 for match in places)
    return f"line {', '.join(map(str, lines))}" if lines else ""


def parse_object(
    data: bytes, name: str, *, limit_bytes: int = MAX_CONFIG_BYTES, limit_marks: int = MAX_MARKS
) -> dict[str, Any]:
    """Return the JSON object in ``data`` (UTF-8); ConfigError names ``name``, the line and the mend.

    Refused: more than ``limit_bytes``, more than ``limit_marks`` brackets and commas, deeper than 64,
    a key twice in one object, NaN. Infinity is taken.
    """
    mend = "mend the file or fetch it again"
    if not data.strip():
        raise ConfigError(name, "", "is empty", "fetch the file again")
    if len(data) > limit_bytes:
        raise ConfigError(name, "", f"is {len(data)} bytes (at most {limit_bytes})", "name the right file")
    # One wide character makes Python hold the whole text at four bytes each.
    if len(data) > MAX_CONFIG_BYTES and not data.isascii():
        raise ConfigError(name, "", "holds more than ASCII in so long a text", "name the right file")
    if sum(map(data.count, (b"{", b"[", b","))) > limit_marks:
        raise ConfigError(name, "", f"holds more than {limit_marks} values", "name the right file")
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(name, f"line {line}", f"byte {error.start} is not UTF-8", mend) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(name, where, f"is no JSON ({error.msg})", mend) from None
    except RecursionError:
        raise ConfigError(name, "", f"is nested deeper than {MAX_DEPTH}", "name the right file") from None
    except _DuplicateKeyError as error:
        where = _lines(text, re.escape(json.dumps(str(error), ensure_ascii=False)) + r"\s*:")
        raise ConfigError(name, where, f"has the key {error} twice in one object", "keep one of them") from None
    except _NotANumberError:
        raise ConfigError(name, _lines(text, r"\bNaN\b"), "has NaN for a value", "give a number or null") from None
    except ValueError:
        where = _lines(text, r"\d{4000,}")
        raise ConfigError(name, where, "has a number too long to read", "give a plain number") from None
    if not isinstance(value, dict):
        raise ConfigError(name, "line 1", f"is a {type(value).__name__}, not an object", "name a config.json")
    if _depth(value) > MAX_DEPTH:
        raise ConfigError(name, "", f"is nested deeper than {MAX_DEPTH}", "name the right file")
    return value


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the object in a local config.json; ReadError where it cannot be had (see parse_object)."""
    return parse_object(read_whole(path, MAX_CONFIG_BYTES), os.fspath(path))
