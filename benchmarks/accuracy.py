"""How right the estimator is on recorded cases: `python -m benchmarks.accuracy [--section NAME] [--write | --check]`.

Prints, per term and per architecture, how many cases are exact, the median, 95th percentile and worst error, and the
largest that is too small. `--write` keeps the figures in `benchmarks/accuracy.json` and writes `docs/accuracy.md`;
`--check` fails, naming the figure, when one is worse than the kept one.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import measuring, published_files, recorded, run_logs, server_logs
from benchmarks.measuring import Case, Report
from benchmarks.names import Names
from benchmarks.speed_rows import Bench
from tests.truth import rows

from vram_tui.exporters.plain import print_plain

REPORT = Path(__file__).with_name("accuracy.json")
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"


def servers() -> Iterator[Case]:
    """Bytes per token and pools that vLLM and SGLang printed."""
    for case in server_logs.replayed():
        yield Case("servers: bytes per token", case.kind, case.per_token_error)
        yield Case("servers: tokens of the printed pool", case.kind, case.tokens_error)
        if case.measured_pool and case.pool is not None:
            yield Case("servers: predicted pool", case.kind, case.pool_error)


def speeds() -> Iterator[Case]:
    """Measured rates against ours; a figure outside the band that is printed with it counts 1, else 0."""
    catalog = recorded.catalog()
    names = Names(row.id for row in catalog.entries)
    bench = Bench(catalog.root, catalog.facts, catalog.hardware, names, lambda known: catalog.entry(known).model)
    for compared in bench.compare(rows("speeds")):
        yield Case(f"speed: {compared.kind}", compared.group, compared.error)
        yield Case(f"speed: {compared.kind}, outside the band", compared.group, float(not compared.inside))
        if compared.group.startswith("llama.cpp"):
            group = f"{compared.group}, {compared.model_kind}"
            yield Case(f"speed: {compared.kind}, by kind of model", group, compared.error)


SECTIONS: dict[str, tuple[Callable[[], Iterator[Case]], ...]] = {
    "weights": (recorded.weights,),
    "allocations": (recorded.allocations, recorded.unwarned),
    "offload": (recorded.offload,),
    "apart": (recorded.apart,),
    "refusals": (recorded.refusals,),
    "catalogue": (recorded.entries,),
    "files": (published_files.published,),
    "logs": (run_logs.logs,),
    "servers": (servers,),
    "speeds": (speeds,),
    "page": (recorded.seed_page,),
}


def measured(section: str) -> Report:
    """The figures of one section, as the committed report holds them."""
    cases = (case for collect in SECTIONS[section] for case in collect())
    return measuring.from_plain(measuring.plain(measuring.summed(cases)))


def kept() -> Report:
    """The committed report."""
    return measuring.from_plain(json.loads(REPORT.read_text(encoding="utf-8")))


def write(report: Report) -> None:
    """Keep the figures, one line for each group."""
    terms = []
    for term, groups in measuring.plain(report).items():
        lines = ",\n  ".join(f"{json.dumps(name, ensure_ascii=False)}: {values}" for name, values in groups.items())
        terms.append(f" {json.dumps(term, ensure_ascii=False)}: {{\n  {lines}\n }}")
    REPORT.write_text("{\n" + ",\n".join(terms) + "\n}\n", encoding="utf-8")


def check(found: Report) -> int:
    """1 where a figure is worse than the committed one, else 0; says which."""
    faults = measuring.worse({term: groups for term, groups in kept().items() if term in found}, found)
    print("\n".join(faults) or f"no figure is worse than in {REPORT.name}")
    return 1 if faults else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--section", choices=SECTIONS, action="append", help="only this one; may be repeated")
    parser.add_argument("--write", action="store_true", help="keep the figures and write the page")
    parser.add_argument("--check", action="store_true", help="fail when a figure is worse than the kept one")
    asked = parser.parse_args(arguments)
    found: Report = {}
    for section in asked.section or SECTIONS:
        found |= measured(section)
    for term, groups in found.items():
        print_plain(measuring.table(term, groups), sys.stdout)
        print()
    if asked.write:
        from benchmarks.accuracy_page import page

        report = {**(kept() if asked.section else {}), **found}
        write(report)
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(report), encoding="utf-8")
    if asked.check:
        gone = [] if asked.section else [term for term in kept() if term not in found]
        if gone:
            print("\n".join(f"{term}: no longer measured" for term in gone))
        return max(check(found), int(bool(gone)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
