"""The estimator's constants as plain lists and numbers, for the compiled catalogue."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from vram_tui.estimator.devices import Tier
from vram_tui.estimator.facts import Constant, Facts, Format, NameRule, RuntimeFacts


def to_plain(value: Any) -> Any:
    """Records as tables of their fields, sets as sorted lists."""
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    return [to_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def facts_from_plain(plain: Mapping[str, Any]) -> Facts:
    """What `to_plain` wrote. Raises KeyError or TypeError when it was written by another version."""
    return Facts(
        **{
            **plain,
            "formats": {key: _format(row) for key, row in plain["formats"].items()},
            "runtimes": {key: _runtime(row) for key, row in plain["runtimes"].items()},
            "links": {key: Constant(**row) for key, row in plain["links"].items()},
            "tiers": tuple(Tier(**row) for row in plain["tiers"]),
            "name_rules": {
                key: NameRule(**{**row, "architectures": frozenset(row["architectures"])})
                for key, row in plain["name_rules"].items()
            },
        }
    )


def _format(row: Mapping[str, Any]) -> Format:
    quality = tuple(tuple(one) for one in row["quality"])
    return Format(**{**row, "runtimes": tuple(row["runtimes"]), "quality": quality})


def _runtime(row: Mapping[str, Any]) -> RuntimeFacts:
    return RuntimeFacts(**{**row, "constants": {key: Constant(**one) for key, one in row["constants"].items()}})
