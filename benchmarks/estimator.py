"""How long the estimator takes: one cell, a grid, folding a model, a batch. `python -m benchmarks.estimator [--write]`.

Reads the catalogue as an installed program does, everything worked out before. Prints the best of a few runs, in
processor time; `--write` keeps them in `benchmarks/estimator.json`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import process_time
from typing import NamedTuple

from vram_tui.catalog.compiled import Compiled, build
from vram_tui.catalog.load import Catalog
from vram_tui.catalog.locate import catalog_root
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.estimate import estimate
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import FoldedSubject
from vram_tui.session.answers import Answers
from vram_tui.session.state import DEFAULT_GRID, Session

KEPT = Path(__file__).with_name("estimator.json")
DENSE, LATENT, HYBRID = "Qwen/Qwen3-32B", "zai-org/GLM-5.1", "Qwen/Qwen3-Next-80B-A3B-Instruct"
QUANT, TOKENS = "Q4_K_M", 1 << 17
BATCH_MODELS = 60


class Row(NamedTuple):
    """What is timed: microseconds for one, and the most it may take."""

    what: str
    us: float
    bar_us: float | None = None

    @property
    def words(self) -> str:
        shown = f"{self.us:.2f} µs" if self.us < 1000 else f"{self.us / 1000:.2f} ms"
        missed = "" if self.bar_us is None or self.us <= self.bar_us else "  MISSED"
        return f"{self.what:<62} {shown:>12}{f'  (at most {self.bar_us:g} µs)' if self.bar_us else ''}{missed}"


def best(work: Callable[[], object], times: int, runs: int = 5) -> float:
    """Microseconds of the processor for one, the best of a few runs."""
    found = float("inf")
    for _ in range(runs):
        begun = process_time()
        for _ in range(times):
            work()
        found = min(found, process_time() - begun)
    return found / times * 1e6


@contextmanager
def opened() -> Iterator[Callable[[], Catalog]]:
    """Opens the catalogue afresh, as an installed program has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "compiled.bin")
        path.write_bytes(build(catalog_root(), weigh_all=True))
        yield lambda: Catalog(catalog_root(), Compiled(path), {})


def rows(open_catalog: Callable[[], Catalog]) -> Iterator[Row]:
    """Everything that is timed."""
    catalog = open_catalog()
    facts, scenario = catalog.facts, Scenario()
    for model in (DENSE, LATENT, HYBRID):
        memory = compile_memory(catalog.subject(model), QUANT, scenario, facts)
        yield Row(f"one cell of a compiled model, {model}", best(partial(memory.at, TOKENS), 20_000), 2.0)
    memory = compile_memory(catalog.subject(LATENT), QUANT, scenario, facts)
    yield Row("the largest context that fits 80 GiB", best(lambda: memory.largest_ctx(80 << 30), 2_000))
    subject = catalog.subject(LATENT)
    yield Row("compile a precomputed model", best(lambda: compile_memory(subject, QUANT, scenario, facts), 500))
    answer = best(lambda: estimate(subject, QUANT, TOKENS, scenario, facts), 200)
    yield Row("a cell with all its terms", answer)
    session = Session(model=LATENT)

    def grid() -> None:
        answers = Answers(open_catalog())
        for row in DEFAULT_GRID.rows:
            answers.cells(session, row)

    yield Row("the first grid of a start: open the catalogue, 8 x 5 cells", best(grid, 5))
    for model in (DENSE, LATENT):
        entry = catalog.entry(model)

        def fold(model: str = model, entry: object = entry) -> None:
            folded = FoldedSubject(model, catalog.entry(model).model, facts)
            compile_memory(folded, QUANT, scenario, facts).at(TOKENS)

        yield Row(f"fold {model} from its blocks: weights, caches, graph", best(fold, 1, 3))
    models = [one.id for one in catalog.entries[:BATCH_MODELS]]

    def batch() -> None:
        fresh = open_catalog()
        for model in models:
            estimate(fresh.subject(model), QUANT, 8192, scenario, fresh.facts)

    yield Row("one of many models, each asked once", best(batch, 1, 3) / len(models))
    yield Row("open the catalogue", best(open_catalog, 20))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimator", description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the figures")
    chosen = parser.parse_args(arguments)
    with opened() as open_catalog:
        found = list(rows(open_catalog))
    for row in found:
        print(row.words)
    if chosen.write:
        kept = [{"what": row.what, "us": float(f"{row.us:.3g}"), "bar_us": row.bar_us} for row in found]
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(row.bar_us is None or row.us <= row.bar_us for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
