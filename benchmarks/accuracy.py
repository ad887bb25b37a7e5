"""How right the estimator is on recorded cases: `python -m benchmarks.accuracy [--write | --check]`.

Prints, per term and per architecture, how many cases are exact, and the median, 95th percentile and worst error.
`--write` keeps the summary in `benchmarks/accuracy.json`; `--check` fails when a figure is worse than the kept one.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.names import Names
from benchmarks.server_logs import Logs
from benchmarks.speed_rows import Bench
from tests.estimator.truth_models import scenario_of, subjects
from tests.truth import rows

from vram_tui.catalog import load_catalog
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.memory import Memory
from vram_tui.exporters.plain import render
from vram_tui.exporters.table import Column, Table, number, words

REPORT = Path(__file__).with_name("accuracy.json")
HAIR = 1e-9
BETTER_HIGH = ("exact", "within_1", "within_5", "within_10")
BETTER_LOW = ("median", "p95", "worst")


class Case(NamedTuple):
    """One figure against its measured value: relative error, 0 for equal."""

    term: str
    group: str
    error: float


class Summary(NamedTuple):
    """The errors of one term and group, by size; `low` is the largest that is too small."""

    cases: int
    exact: int
    within_1: float
    within_5: float
    within_10: float
    median: float
    p95: float
    worst: float
    low: float


def error(found: float, measured: float) -> float:
    return 0.0 if found == measured else found / measured - 1 if measured else 1.0


def weights() -> Iterator[Case]:
    """Every file type of every recorded model, with and without an importance matrix."""
    for row in rows("gguf_weights"):
        subject = subjects()[row["model"]]
        for quant, known in row["weights"].items():
            plain, better = subject.weights(quant, imatrix=False), subject.weights(quant, imatrix=True)
            yield Case("file bytes", row["arch"], error(plain.file_bytes, known["bytes"]))
            yield Case("file bytes, imatrix", row["arch"], error(better.file_bytes, known["bytes_imatrix"]))
            yield Case("loaded bytes", row["arch"], error(plain.loaded_bytes, known["loaded_bytes"]))


def allocations() -> Iterator[Case]:
    """What llama.cpp's allocator answered, term by term, through the same door that the dashboard uses."""
    facts = load_catalog(user=False).facts
    compiled: dict[object, Memory] = {}
    for row in rows("llamacpp_allocations"):
        if "error" in row or row["device"] == "cuda2":
            continue
        scenario = scenario_of(row)
        key = (row["model"], row["quant"], scenario)
        if key not in compiled:
            compiled[key] = compile_memory(subjects()[row["model"]], row["quant"], scenario, facts)
        yield from _compared(compiled[key], row)


def _compared(memory: Memory, row: dict[str, object]) -> Iterator[Case]:
    ctx, arch = int(str(row["n_ctx"])), str(row["arch"])

    def known(name: str) -> int:
        return int(str(row[name]))

    cache = memory.group_bytes(ctx, "kv") + memory.group_bytes(ctx, "state")
    yield Case("KV cache and state", arch, error(cache, known("kv_bytes") + known("recurrent_bytes")))
    yield Case("output buffer", arch, error(memory.host.group_bytes(ctx, "output"), known("output_bytes")))
    if row["device"] != "cuda1":
        return
    yield Case("weights on the device", arch, error(memory.weights.device_bytes, known("weights_gpu_bytes")))
    yield Case("weights on the host", arch, error(memory.weights.host_bytes, known("weights_host_bytes")))
    compute = error(memory.group_bytes(ctx, "compute"), known("compute_bytes"))
    yield Case("compute, all settings", arch, compute)
    if row["flash_attn"] == "on" and row["type_k"] == "f16" and row["n_outputs_max"]:
        yield Case("compute, as a server runs", arch, compute)
    host = error(memory.host.group_bytes(ctx, "compute"), known("compute_host_bytes"))
    yield Case("compute on the host", arch, host)


def servers() -> Iterator[Case]:
    """Bytes per token and pools that vLLM and SGLang printed."""
    catalog = load_catalog(user=False)
    logs = Logs(catalog.facts, Names(row.id for row in catalog.entries), catalog.subject)
    for case in logs.cases(rows("run_logs")):
        yield Case("servers: bytes per token", case.kind, case.per_token_error)
        yield Case("servers: tokens of the printed pool", case.kind, error(case.tokens, case.measured_tokens))
        if case.measured_pool and case.pool is not None:
            yield Case("servers: predicted pool", case.kind, case.pool_error)


def speeds() -> Iterator[Case]:
    """Measured rates against ours."""
    catalog = load_catalog(user=False)
    names = Names(row.id for row in catalog.entries)
    bench = Bench(catalog.root, catalog.facts, catalog.hardware, names, lambda known: catalog.entry(known).model)
    for compared in bench.compare(rows("speeds")):
        yield Case(f"speed: {compared.kind}", f"{compared.group}, {compared.model_kind}", compared.error)


SECTIONS = {"weights": weights, "allocations": allocations, "servers": servers, "speeds": speeds}


def summary(errors: list[float]) -> Summary:
    sizes = sorted(map(abs, errors))
    count = len(sizes)

    def part(limit: float) -> float:
        return sum(size <= limit for size in sizes) / count

    return Summary(
        count,
        sum(size == 0 for size in sizes),
        part(0.01),
        part(0.05),
        part(0.10),
        sizes[count // 2],
        sizes[min(count - 1, int(0.95 * count))],
        sizes[-1],
        min(0.0, *errors),
    )


def grouped(cases: Iterator[Case]) -> dict[str, dict[str, Summary]]:
    """Term → group → summary; the group "all" stands first."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        found[case.term]["all"].append(case.error)
        found[case.term][case.group].append(case.error)
    return {term: {name: summary(errors) for name, errors in groups.items()} for term, groups in found.items()}


def table(title: str, groups: dict[str, Summary]) -> Table:
    names = ("cases", "exact", "≤ 1 %", "≤ 5 %", "≤ 10 %", "median", "p95", "worst", "too small by")
    lines = []
    for name, found in groups.items():
        shares = (found.within_1, found.within_5, found.within_10, found.median, found.p95, found.worst, -found.low)
        figures = (number(found.cases), number(found.exact), *(number(share, f"{share:.1%}") for share in shares))
        lines.append((words(name, "bold" if name == "all" else ""), *figures))
    columns = (Column("architecture or class"), *(Column(name, "right") for name in names))
    return Table(title, columns, tuple(lines))


def worse(kept: dict[str, dict[str, list[float]]], found: dict[str, dict[str, Summary]]) -> list[str]:
    """Every figure that is worse than the kept one."""
    faults = []
    for term, groups in kept.items():
        for name, values in groups.items():
            old, new = Summary._make(values), found.get(term, {}).get(name)
            if new is None:
                faults.append(f"{term}, {name}: no longer measured")
                continue
            faults += [
                f"{term}, {name}: {field} was {before:.6g}, is {now:.6g}"
                for field, before, now in zip(Summary._fields, old, new, strict=True)
                if (now < before - HAIR if field in BETTER_HIGH else field in BETTER_LOW and now > before + HAIR)
            ]
    return faults


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--section", choices=SECTIONS, action="append")
    parser.add_argument("--write", action="store_true", help="keep the summary")
    parser.add_argument("--check", action="store_true", help="fail when a figure is worse than the kept one")
    asked = parser.parse_args(arguments)
    found: dict[str, dict[str, Summary]] = {}
    for name in asked.section or SECTIONS:
        found |= grouped(SECTIONS[name]())
    for term, groups in found.items():
        print(render(table(term, groups)))
    if asked.write:
        REPORT.write_text(json.dumps(found, indent=1) + "\n")
    if asked.check:
        kept = json.loads(REPORT.read_text())
        faults = worse({term: groups for term, groups in kept.items() if not asked.section or term in found}, found)
        print("\n".join(faults) or f"no figure is worse than in {REPORT.name}")
        return 1 if faults else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
