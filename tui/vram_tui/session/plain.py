"""A session as plain TOML types and back; what cannot be read is named and left at its default."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vram_tui.estimator.scenario import Scenario
from vram_tui.session.state import SORTS, UNITS, Grid, Named, Row, Session, clamped
from vram_tui.text import safe

VERSION = 1
TEXT_FIELDS = ("target", "units", "model", "sort", "filter", "theme")
NUMBER_FIELDS = ("row", "column")
SCENARIO_FIELDS: dict[str, type | tuple[type, ...]] = {
    "runtime": str,
    "method": str,
    "profile": str,
    "overhead_percent": (int, float),
    "kv_k": str,
    "kv_v": str,
    "seqs": int,
    "kv_unified": bool,
    "ubatch": int,
    "flash_attn": str,
    "swa_full": bool,
    "imatrix": bool,
    "mtp": bool,
    "ngl": (int, str),
    "n_cpu_moe": (int, str),
    "free": bool,
}
RANGES = {"seqs": (1, 4096), "ubatch": (1, 1 << 20), "overhead_percent": (0, 200)}
"""Least and most of a number, as the fields on the screen take them."""


def to_plain(session: Session) -> dict[str, Any]:
    """Tables of strings, numbers and lists; what stands at its default in the scenario is left out."""
    fresh = Scenario()
    scenario = {
        name: value
        for name in SCENARIO_FIELDS
        if (value := getattr(session.scenario, name)) is not None and value != getattr(fresh, name)
    }
    found: dict[str, Any] = {"version": VERSION}
    found |= {name: getattr(session, name) for name in TEXT_FIELDS}
    found |= {name: getattr(session, name) for name in NUMBER_FIELDS}
    found["marks"] = list(session.marks)
    found["columns"] = list(session.columns)
    found["scenario"] = scenario
    found["grid"] = _plain_grid(session.grid)
    found["grids"] = {saved.name: _plain_grid(saved.value) for saved in session.grids}
    found["comparisons"] = {saved.name: list(saved.value) for saved in session.comparisons}
    return found


def _plain_grid(grid: Grid) -> dict[str, Any]:
    rows = []
    for row in grid.rows:
        plain: dict[str, Any] = {"quant": row.quant}
        if row.bits is not None:
            plain["bits"] = row.bits
        if row.runtime is not None:
            plain["runtime"] = row.runtime
        rows.append(plain)
    return {"contexts": list(grid.contexts), "rows": rows}


def from_plain(plain: Mapping[str, Any]) -> tuple[Session, tuple[str, ...]]:
    """The session in a table, and the names of the fields that could not be read."""
    bad: list[str] = []
    values: dict[str, Any] = {}
    for name in TEXT_FIELDS:
        if isinstance(plain.get(name), str):
            values[name] = plain[name]
        elif name in plain:
            bad.append(name)
    for name in NUMBER_FIELDS:
        if _is(plain.get(name), int):
            values[name] = plain[name]
        elif name in plain:
            bad.append(name)
    if values.get("units", "gib") not in UNITS:
        bad.append("units")
        del values["units"]
    if values.get("sort", "family") not in SORTS:
        bad.append("sort")
        del values["sort"]
    values["marks"] = tuple(_strings(plain, "marks", bad))
    values["columns"] = tuple(_strings(plain, "columns", bad))
    values["scenario"] = _scenario(plain.get("scenario", {}), bad)
    if "grid" in plain and (grid := _grid(plain["grid"], "grid", bad)):
        values["grid"] = grid
    values["grids"] = _named_grids(plain.get("grids", {}), bad)
    comparisons = plain.get("comparisons", {})
    if isinstance(comparisons, Mapping):
        values["comparisons"] = tuple(Named(name, tuple(_strings(comparisons, name, bad))) for name in comparisons)
    return clamped(Session(**values)), tuple(safe(name, 60) for name in bad)


def _is(value: object, kinds: type | tuple[type, ...]) -> bool:
    """isinstance without the accident that True is an int."""
    if isinstance(value, bool):
        return kinds is bool
    return isinstance(value, kinds)


def _strings(plain: Mapping[str, Any], name: str, bad: list[str]) -> list[str]:
    value = plain.get(name, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    bad.append(name)
    return []


def _scenario(plain: object, bad: list[str]) -> Scenario:
    if not isinstance(plain, Mapping):
        bad.append("scenario")
        return Scenario()
    good: dict[str, Any] = {}
    for name, value in plain.items():
        kinds = SCENARIO_FIELDS.get(name)
        least, most = RANGES.get(name, (0, 1 << 20))
        in_range = isinstance(value, bool | str) or (isinstance(value, int | float) and least <= value <= most)
        if kinds is not None and _is(value, kinds) and in_range:
            good[name] = value
        else:
            bad.append(f"scenario.{name}")
    return replace(Scenario(), **good)


def _grid(plain: object, where: str, bad: list[str]) -> Grid | None:
    contexts = plain.get("contexts") if isinstance(plain, Mapping) else None
    rows = plain.get("rows") if isinstance(plain, Mapping) else None
    if not (
        isinstance(contexts, list)
        and contexts
        and all(_is(tokens, int) and 0 <= tokens <= 1 << 27 for tokens in contexts)
    ):
        bad.append(f"{where}.contexts")
        return None
    found = [_row(row) for row in rows] if isinstance(rows, list) else []
    if not found or None in found:
        bad.append(f"{where}.rows")
        return None
    return Grid(tuple(row for row in found if row), tuple(contexts))


def _row(plain: object) -> Row | None:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("quant"), str):
        return None
    bits, runtime = plain.get("bits"), plain.get("runtime")
    if bits is not None and not (_is(bits, (int, float)) and 0 < bits <= 64):
        return None
    if runtime is not None and not isinstance(runtime, str):
        return None
    return Row(plain["quant"], None if bits is None else float(bits), runtime)


def _named_grids(plain: object, bad: list[str]) -> tuple[Named[Grid], ...]:
    if not isinstance(plain, Mapping):
        bad.append("grids")
        return ()
    grids = ((name, _grid(value, f"grids.{name}", bad)) for name, value in plain.items())
    return tuple(Named(name, grid) for name, grid in grids if grid)
