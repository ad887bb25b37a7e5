"""How long the rankings take: all hardware for one cell, all models in all formats of the grid for one machine.

`python -m benchmarks.ranking [--runs N]`: reads the catalogue as an installed program does (everything precomputed),
ranks in a fresh catalogue and again in a warm one, and prints milliseconds of the processor, the best of a few runs.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

from vram_tui.catalog.compiled import Compiled, build
from vram_tui.catalog.hardware_text import parse_hardware
from vram_tui.catalog.load import Catalog
from vram_tui.catalog.locate import catalog_root
from vram_tui.catalog.offers import offers
from vram_tui.estimator.fits import DEFAULT_FORMATS, rank_models
from vram_tui.estimator.placing import rank_hardware
from vram_tui.estimator.scenario import Scenario

LIMIT_MS = 150.0
"""What a ranking may take for the screen to feel immediate."""
CELLS = (("zai-org/GLM-5.1", "Q4_K_M", 1 << 17), ("Qwen/Qwen3-30B-A3B", "Q4_K_M", 1 << 15))
MACHINES = ("rtx-4090", "2x rtx-3090", "8x h100-sxm5-80gb", "24GiB")
CTX = 1 << 15
OTHER, SERVER = "q8_0 cache", "vllm"


def measured(ask: Callable[[Catalog], object], opened: Callable[[], Catalog], runs: int) -> tuple[float, float, float]:
    """Milliseconds of the processor in a fresh catalogue and in a warm one, and of the clock in the fresh one."""
    cold = warm = wall = float("inf")
    for _ in range(runs):
        catalog = opened()
        _ = catalog.facts, catalog.hardware
        clock, start = perf_counter(), process_time()
        ask(catalog)
        cold, wall = min(cold, process_time() - start), min(wall, perf_counter() - clock)
        start = process_time()
        ask(catalog)
        warm = min(warm, process_time() - start)
    return cold * 1e3, warm * 1e3, wall * 1e3


def hardware(model: str, quant: str, ctx: int, runtime: str) -> Callable[[Catalog], object]:
    def ask(catalog: Catalog) -> object:
        scenario = Scenario(runtime=runtime)
        return rank_hardware(catalog.subject(model), quant, ctx, scenario, catalog.facts, offers(catalog.hardware))

    return ask


def models(machine: str, scenario: Scenario) -> Callable[[Catalog], object]:
    def ask(catalog: Catalog) -> object:
        subjects = [catalog.subject(row.id) for row in catalog.entries]
        on = parse_hardware(machine, catalog.hardware)
        return rank_models(subjects, DEFAULT_FORMATS, CTX, scenario, on, catalog.facts)

    return ask


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="fresh catalogues per line")
    parser.add_argument("--others", action="store_true", help="also what nothing is kept for: other settings, vLLM")
    given = parser.parse_args(arguments)
    root = catalog_root()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compiled.bin"
        path.write_bytes(build(root, weigh_all=True))

        def opened() -> Catalog:
            return Catalog(root, Compiled(path), {})

        rows = [
            (f"hardware for {model} {quant} {ctx >> 10}K", hardware(model, quant, ctx, "llama.cpp"))
            for model, quant, ctx in CELLS
        ]
        rows += [(f"models for {machine}", models(machine, Scenario())) for machine in MACHINES]
        if given.others:
            other = Scenario(kv_k="q8_0", kv_v="q8_0", ubatch=2048)
            rows.append((f"models for rtx-4090, {OTHER}", models("rtx-4090", other)))
            rows.append(
                (f"hardware for GLM-5.1 FP8 128K, {SERVER}", hardware("zai-org/GLM-5.1", "FP8", 1 << 17, "vllm"))
            )
            rows.append(
                (f"models for 8x h100-sxm5-80gb, {SERVER}", models("8x h100-sxm5-80gb", Scenario(runtime="vllm")))
            )
        catalog = opened()
        print(f"{len(catalog.entries)} models, {len(DEFAULT_FORMATS)} formats, {len(offers(catalog.hardware))} offers")
        print(f"{'':48} {'fresh':>8} {'warm':>8} {'clock':>8}   ms")
        slow = 0
        for name, ask in rows:
            cold, warm, wall = measured(ask, opened, given.runs)
            late = cold > LIMIT_MS and not name.endswith((OTHER, SERVER))
            slow += late
            print(
                f"{name:48} {cold:8.1f} {warm:8.1f} {wall:8.1f}{'   over ' + format(LIMIT_MS, '.0f') if late else ''}"
            )
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
