"""Every catalogue entry through llama.cpp's own allocator: `python -m benchmarks.sweep [PATTERN] [--write]`.

A header without weights is written from the entry and given to PyPI's `xllamacpp`, in a process of its own for every
question and with a time limit, so that neither a crash nor a hang there ends the sweep. All entries take some minutes.
`--write` makes `docs/catalogue-sweep.md`. The exit code is 1 where weights or caches of an entry differ.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.recorded import catalog
from benchmarks.sweep_page import Outcome, page

from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.importers.gguf_metadata import NoGgufError
from vram_tui.verify.comparing import CPU, compare
from vram_tui.verify.library import UnavailableError, installed

PAGE = Path(__file__).parents[1] / "docs" / "catalogue-sweep.md"
QUANT = "Q4_K_M"
CTX_TOKENS = 8192
SCENARIOS = (Scenario(machine=CPU), Scenario())
"""Everything in RAM, and everything that llama.cpp offloads on one simulated GPU."""


def matching(pattern: str) -> list[str]:
    """Ids that contain the text, or whose architecture is called so."""
    wanted = pattern.lower()
    every = ((one.id, catalog().entry(one.id).model.gguf.architecture) for one in catalog().entries)
    return [known for known, architecture in every if wanted in known.lower() or wanted == architecture]


def swept(model: str, quant: str = QUANT, ctx_tokens: int = CTX_TOKENS) -> Outcome:
    """One entry's answers beside ours. Raises UnavailableError where llama.cpp cannot be asked."""
    subject = catalog().subject(model)
    architecture = subject.model.gguf.architecture
    ctx = min(ctx_tokens, subject.model.context_tokens or ctx_tokens)
    try:
        found = tuple(compare(subject, quant, ctx, scenario, catalog().facts) for scenario in SCENARIOS)
    except NoGgufError:
        return Outcome(model, architecture)
    except (Refusal, ValueError) as error:
        return Outcome(model, architecture, fault=str(error))
    return Outcome(model, architecture, found, warned=bool(subject.profile.compute_warnings))


def sweep(models: Sequence[str], quant: str, ctx_tokens: int, jobs: int) -> Iterator[Outcome]:
    """All of them, in their order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda model: swept(model, quant, ctx_tokens), models)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pattern", nargs="?", default="", help="only entries whose id or architecture contains this")
    parser.add_argument("--quant", default=QUANT, help=f"file type, default {QUANT}")
    parser.add_argument("--ctx", type=int, default=CTX_TOKENS, help=f"tokens, default {CTX_TOKENS} or what is native")
    parser.add_argument("--jobs", type=int, default=2, help="questions at a time, default 2")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    arguments = parser.parse_args(argv)
    try:
        installed()
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return 2
    found = []
    for outcome in sweep(matching(arguments.pattern), arguments.quant, arguments.ctx, arguments.jobs):
        found.append(outcome)
        print(f"{outcome.model}: {outcome.told}", flush=True)
    if arguments.write:
        PAGE.write_text(page(found, arguments.quant, arguments.ctx), encoding="utf-8")
    return int(any(not outcome.holds for outcome in found))


if __name__ == "__main__":
    raise SystemExit(main())
