"""A short run of every fuzz target, and proof that a run can find a fault."""

import random

import pytest

from tests.fuzz import fuzz_gguf, fuzz_texts
from tests.fuzz.engine import FuzzError, Report, Target, fuzz, run_case

TARGETS: dict[str, Target] = {**fuzz_gguf.TARGETS, **fuzz_texts.TARGETS}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds(name: str) -> None:
    report = Report()
    TARGETS[name](random.Random(0))  # what is read once takes no case's time
    both = 1 if name in fuzz_texts.TAKE_EVERYTHING else 2
    for case in range(5000):
        run_case(TARGETS, name, 7, case, report)
        seen = bool(report.taken) + bool(report.refused)
        if case >= 60 and seen == both:
            return
    raise AssertionError(f"it takes all or nothing: {report}")


def test_a_case_repeats() -> None:
    first, second = Report(), Report()
    for case in range(50):
        run_case(TARGETS, "safetensors", 3, case, first)
        run_case(TARGETS, "safetensors", 3, case, second)
    assert (first.taken, first.refused) == (second.taken, second.refused)


def test_a_target_that_breaks_is_caught() -> None:
    def broken(chance: random.Random) -> bool:
        return b"abc"[int(chance.random() * 4)] > 0

    with pytest.raises(FuzzError, match=r"broken, seed 1, case \d+: IndexError"):
        fuzz({"broken": broken}, 1)
