"""Read the estimator's constants: `quantizations.toml`, `runtimes.toml`, `interconnects.toml`, `tiers.toml`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vram_tui.catalog.hardware_files import HardwareFileError, read_tiers
from vram_tui.estimator.devices import Tier
from vram_tui.estimator.facts import Constant, Facts, Format, NameRule, RuntimeFacts
from vram_tui.estimator.formats import TYPES

QUANTIZATIONS, RUNTIMES, LINKS, TIERS = "quantizations.toml", "runtimes.toml", "interconnects.toml", "tiers.toml"

_Record = TypeVar("_Record")


class FactsError(ValueError):
    """A file of constants that cannot be used: which file, which record, why."""

    def __init__(self, path: Path, record: str, reason: str) -> None:
        super().__init__(": ".join(part for part in (str(path), record, reason) if part))
        self.path = path
        self.record = record
        self.reason = reason


def load_facts(catalog_dir: Path) -> Facts:
    """All constants of a catalogue folder. Raises FactsError with the file, the record and the reason."""
    path = catalog_dir / QUANTIZATIONS
    content = _read(path)
    formats = {row.get("id", ""): _guarded(path, str(row.get("id")), _format, row) for row in content.get("format", ())}
    rules = {name: _guarded(path, name, _name_rule, row) for name, row in content.get("name_rules", {}).items()}
    types = content.get("tensor_types", {})
    unknown = types.keys() - TYPES.keys()
    if unknown:
        raise FactsError(path, "tensor_types", f"no ggml type {', '.join(sorted(unknown))}")
    path = catalog_dir / RUNTIMES
    runtimes = {
        row.get("id", ""): _guarded(path, str(row.get("id")), _runtime, row) for row in _read(path).get("runtime", ())
    }
    path = catalog_dir / LINKS
    links = _guarded(path, "", _links, _read(path))
    return Facts(formats, runtimes, _tiers(catalog_dir / TIERS), rules, types, links)


def _tiers(path: Path) -> tuple[Tier, ...]:
    if not path.is_file():
        raise FactsError(path, "", "the file is missing: it belongs to the catalogue")
    try:
        return read_tiers(path)
    except HardwareFileError as error:
        raise FactsError(path, "", str(error)) from error


def _read(path: Path) -> dict[str, Any]:
    # tomli's compiled wheel is three times as fast as the standard library.
    import tomli

    if not path.is_file():
        raise FactsError(path, "", "the file is missing: it belongs to the catalogue")
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise FactsError(path, "", str(error)) from error


def _guarded(path: Path, record: str, build: Callable[[Mapping[str, Any]], _Record], row: Mapping[str, Any]) -> _Record:
    try:
        return build(row)
    except KeyError as error:
        raise FactsError(path, record, f"field {error.args[0]!r} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise FactsError(path, record, str(error)) from error


def _format(row: Mapping[str, Any]) -> Format:
    kind, base = row["kind"], row.get("base", "")
    if kind not in ("gguf", "server"):
        raise ValueError(f'kind is "gguf" or "server", not {kind!r}')
    if kind == "gguf" and base not in TYPES:
        raise ValueError(f"base is no ggml type: {base!r}")
    return Format(
        id=row["id"],
        label=row["label"],
        kind=kind,
        bits_per_weight=float(row["bits_per_weight"]),
        runtimes=tuple(row["runtimes"]),
        base_type=base,
        nominal_bits=float(row["nominal_bits"]),
        source=row.get("source", ""),
        rule=row.get("rule", {}),
        quality=tuple((str(what), str(much), str(where)) for what, much, where in row.get("quality", ())),
    )


def _name_rule(row: Mapping[str, Any]) -> NameRule:
    return NameRule(frozenset(row["architectures"]), int(row.get("layers", 0)))


def _runtime(row: Mapping[str, Any]) -> RuntimeFacts:
    return RuntimeFacts(
        id=row["id"],
        label=row["label"],
        version=str(row["version"]),
        constants=dict(_constants("", row.get("constants", {}))),
        architectures=row.get("architectures", {}),
        defaults=row.get("defaults", {}),
        engine=row.get("engine", ""),
    )


def _links(content: Mapping[str, Any]) -> Mapping[str, Constant]:
    return dict(_constants("", content))


def _constants(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Constant]]:
    """Constants of nested tables under dotted names: a table with a `value` is one."""
    for key, item in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if "value" in item:
            yield (
                name,
                Constant(
                    value=float(item["value"]),
                    unit=str(item.get("unit", "")),
                    basis=str(item.get("basis", "assumed")),
                    source=str(item.get("source", "")),
                    error=float(item.get("error", 0.0)),
                    n=int(item.get("n", 0)),
                ),
            )
        else:
            yield from _constants(name, item)
