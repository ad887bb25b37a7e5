"""Runs fuzz targets for a time: every case depends on a seed and a number alone, and a fault names both."""

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_CASE_SECONDS = 3.0
"""Of one case, all that is done with it together; on a busy machine most take milliseconds."""
MAX_GROWTH_BYTES = 100 << 20

Target = Callable[[random.Random], bool]
"""Draws one hostile input and feeds it: True if it was taken, False if it was refused as promised, raises otherwise."""


class FuzzError(AssertionError):
    """A promise was broken."""


@dataclass(slots=True)
class Report:
    """What a run saw."""

    cases: int = 0
    taken: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    growth_bytes: int = 0
    by_target: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        each = ", ".join(f"{name} {count}" for name, count in sorted(self.by_target.items()))
        return (
            f"{self.cases} cases ({each}): {self.taken} taken, {self.refused} refused, "
            f"slowest {self.slowest_s * 1000:.0f} ms, memory +{self.growth_bytes >> 20} MiB"
        )


def run_case(targets: Mapping[str, Target], name: str, seed: int, case: int, report: Report) -> None:
    """Run one case of one target. Raises FuzzError for whatever the target raises, and for a slow case."""
    begun = time.process_time()
    taken = _feed(targets, name, seed, case)
    took = time.process_time() - begun
    report.slowest_s = max(report.slowest_s, took)
    if took > MAX_CASE_SECONDS:
        raise FuzzError(f"{name}, seed {seed}, case {case}: took {took:.2f} s")
    report.cases += 1
    report.taken += taken
    report.refused += not taken
    report.by_target[name] = report.by_target.get(name, 0) + 1


def _feed(targets: Mapping[str, Target], name: str, seed: int, case: int) -> bool:
    try:
        return targets[name](random.Random(f"{name}:{seed}:{case}"))
    except Exception as error:
        raise FuzzError(f"{name}, seed {seed}, case {case}: {error!r}") from error


def fuzz(targets: Mapping[str, Target], seconds: float, seed: int = 1) -> Report:
    """Give each target its share of the time; FuzzError at the first broken promise."""
    report = Report()
    for name in targets:
        _feed(targets, name, seed, 0)  # what is read once is no growth, and takes no case's time
        end = time.monotonic() + seconds / len(targets)
        before, case = peak_bytes(), 0
        while time.monotonic() < end:
            run_case(targets, name, seed, case, report)
            case += 1
        growth = peak_bytes() - before
        report.growth_bytes = max(report.growth_bytes, growth)
        if growth > MAX_GROWTH_BYTES:
            raise FuzzError(f"{name}, seed {seed}: memory grew by {growth >> 20} MiB in {case} cases")
    return report


def peak_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(targets: Mapping[str, Target], description: str | None, arguments: Sequence[str] | None = None) -> int:
    """The command line of a set of targets."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=sorted(targets), action="append", help="this one alone; may be repeated")
    parser.add_argument("--case", type=int, help="repeat this one case of a target")
    options = parser.parse_args(arguments)
    chosen = {name: targets[name] for name in options.target or targets}
    try:
        if options.case is None:
            report = fuzz(chosen, options.seconds, options.seed)
        else:
            report = Report()
            for name in chosen:
                run_case(chosen, name, options.seed, options.case, report)
    except FuzzError as fault:
        if options.case is not None:
            raise
        print(f"FAULT {fault}")
        return 1
    print(report)
    return 0
