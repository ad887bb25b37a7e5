"""Whether a plain value is of the kind that a record declares for its field: cheap enough for every start."""

from dataclasses import MISSING, Field, fields
from datetime import date
from math import isfinite
from typing import Any

LARGEST = 1 << 50
"""No count, width or size of a model is larger."""
MAY_BE_NONE = ("rope", "nope", "parameters")
"""Fields without a default that may be 0; of all others there is at least one, and some are divided by."""


def first_wrong(found: object) -> tuple[str, object, str] | None:
    """Name and value of a record's first field that is not of its kind, and what should stand there."""
    for one in fields(found):  # type: ignore[arg-type]
        value = getattr(found, one.name)
        if mend := wrong(one, value):
            return one.name, value, mend
    return None


def wrong(field: "Field[Any]", value: object) -> str:
    """What should stand there instead; nothing where the value may. Records in records are their builder's."""
    kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", None)
    kind = str(field.type) if kind is None or "[" in str(field.type) or "|" in str(field.type) else kind
    kind = kind.replace("datetime.", "")
    if kind.endswith(" | None"):
        if value is None:
            return ""
        kind = kind.removesuffix(" | None")
    if kind == "int":
        needed = field.default is MISSING and field.default_factory is MISSING and field.name not in MAY_BE_NONE
        return _whole(value, least=int(needed))
    return _other(kind, value)


def _whole(value: object, least: int) -> str:
    right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST
    return "" if right else f"a whole number from {least} to {LARGEST:,}"


def _other(kind: str, value: object) -> str:
    if kind == "float":
        right = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
        return "" if right else "a number that is not negative"
    if kind == "str":
        return "" if isinstance(value, str) else 'text, as in "…"'
    if kind == "bool":
        return "" if isinstance(value, bool) else "true or false"
    if kind == "date":
        return "" if isinstance(value, date) else "a day, such as 2026-11-25"
    if kind == "tuple[str, ...]":
        right = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return "" if right else "a list of texts"
    if kind.startswith("Mapping[str, int]"):
        right = isinstance(value, dict) and not any(_whole(one, 0) for one in value.values())
        return "" if right else "a table of whole numbers"
    return ""
