"""A short run of the file fuzzer, and proof that it can find a fault."""

import pytest

from tests.fuzz import fuzz_gguf


def test_readers_hold_for_two_seconds() -> None:
    report = fuzz_gguf.fuzz(2, seed=7)
    assert report.cases > 500
    assert report.read > 0
    assert report.refused > report.cases / 4


def test_a_case_repeats() -> None:
    first, second = fuzz_gguf.Report(), fuzz_gguf.Report()
    for case in range(50):
        fuzz_gguf.run_case(3, case, first)
        fuzz_gguf.run_case(3, case, second)
    assert (first.read, first.refused) == (second.read, second.refused)


def test_a_reader_that_breaks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_gguf, "TARGETS", {"broken": (b"abc", lambda data: data[100])})
    with pytest.raises(fuzz_gguf.FuzzError, match="broken, seed 1, case 0: IndexError"):
        fuzz_gguf.fuzz(1)
