"""Refit the decode constants to measured rows and print them as TOML: `python -m benchmarks.refit_speeds [JSONL]`.

The law stays as it is in the estimator; the mean absolute logarithm of its error is minimised coordinate by
coordinate, drawn softly to the constants that ship. Paste what is better into catalog/runtimes.toml.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.names import Names
from benchmarks.speed_rows import Bench, Compared

from vram_tui.catalog import load_catalog
from vram_tui.catalog.hardware_files import load_hardware
from vram_tui.estimator.facts import Constant, Facts

DECODE = ("layer_us", "eta", "cache_eta", "allreduce_factor", "decode_use", "mixed_use", "evenness")
PULL = 0.01
"""What a deviation by a factor e from the shipped constant costs beside the mean error."""
FEWEST_ROWS = 20
SWEEPS = 3
STEPS = (0.4, -0.4, 0.15, -0.15, 0.05, -0.05)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that share constants: where they stand in the file, and which runtime they belong to."""

    runtime: str
    prefix: str
    rows: tuple[Mapping[str, Any], ...]


def groups(found: Sequence[Compared], bench: Bench) -> Iterator[Group]:
    """Serving rows by runtime, class and kind; llama.cpp rows on one device by class and build."""
    keyed: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in found:
        if one.kind != "decode" or "split" in one.group:
            continue
        chip = bench.device(one.row["hardware"]).device_class
        if one.group.startswith("llama.cpp"):
            build = "speed_2024" if "2024" in one.row["runtime"] else "speed"
            key = ("llama.cpp", f"{build}.{chip}")
        else:
            key = (one.group.split()[0], f"speed.{chip}.{one.model_kind}")
        keyed.setdefault(key, []).append(one.row)
    for (runtime, prefix), rows in sorted(keyed.items()):
        if len(rows) >= FEWEST_ROWS:
            yield Group(runtime, prefix, tuple(rows))


def with_constants(facts: Facts, group: Group, values: Mapping[str, float]) -> Facts:
    """The facts with other values for a group's constants."""
    runtime = facts.runtimes[group.runtime]
    changed = {f"{group.prefix}.{name}": Constant(value, basis="fitted") for name, value in values.items()}
    runtime = replace(runtime, constants={**runtime.constants, **changed})
    return replace(facts, runtimes={**facts.runtimes, group.runtime: runtime})


def cost(bench: Bench, group: Group, values: Mapping[str, float], shipped: Mapping[str, float]) -> float:
    """Mean absolute logarithm of the error, and the pull to the shipped constants."""
    bench.facts = with_constants(bench.shipped, group, values)
    errors = [abs(log(1 + one.error)) for one in bench.compare(group.rows) if one.kind == "decode"]
    return sum(errors) / len(errors) + PULL * sum(log(values[name] / shipped[name]) ** 2 for name in values)


def refit(bench: Bench, group: Group) -> tuple[dict[str, float], float, float]:
    """(values, median error before, median error after)."""
    constants = bench.shipped.runtimes[group.runtime].constants
    shipped = {name: known.value for name in DECODE if (known := constants.get(f"{group.prefix}.{name}"))}
    values = dict(shipped)
    best = cost(bench, group, values, shipped)
    before = _median(bench, group)
    for _ in range(SWEEPS):
        for name in values:
            for step in STEPS:
                tried = {**values, name: values[name] * exp(step)}
                if name == "evenness" and tried[name] > 1:
                    continue
                reached = cost(bench, group, tried, shipped)
                if reached < best:
                    best, values = reached, tried
    cost(bench, group, values, shipped)
    return values, before, _median(bench, group)


def _median(bench: Bench, group: Group) -> float:
    return median(abs(one.error) for one in bench.compare(group.rows) if one.kind == "decode")


def main(arguments: Sequence[str]) -> int:
    """Print every group with its refitted constants."""
    if arguments:
        rows = [json.loads(line) for line in Path(arguments[0]).read_text(encoding="utf-8").splitlines()]
    else:
        from tests.truth import rows as truth

        rows = list(truth("speeds"))
    catalog = load_catalog()
    names = Names(entry.id for entry in catalog.entries)
    bench = Bench(
        catalog.root, catalog.facts, load_hardware(catalog.root), names, lambda known: catalog.subject(known).model
    )
    for group in groups(tuple(bench.compare(rows)), bench):
        values, before, after = refit(bench, group)
        print(f"# {group.runtime}: median error {before:.1%} -> {after:.1%}, {len(group.rows)} rows")
        print(f"[runtime.constants.{group.prefix}]")
        for name, value in values.items():
            print(f"{name} = {{ value = {value:.3g}, error = {after:.2f}, n = {len(group.rows)} }}")
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
