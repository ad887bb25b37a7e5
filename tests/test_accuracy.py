"""The promises about accuracy, held to the committed report, which CI measures anew."""

import pytest
from benchmarks import accuracy, accuracy_page, published_files, run_logs
from benchmarks.bars import Bar, bars
from benchmarks.measuring import Case, Summary, summed, worse

from vram_tui.exporters.markdown import render

KEPT = accuracy.kept()
OPEN: set[str] = set()
"""Promises that do not hold: shown as such on the page, and to be taken from here on the day they do."""
UNEXPLAINED = {
    ("Qwen3.5-35B-A3B-Uncensored-HauhauCS-Aggressive", "IQ2_M - 2.7 bpw"),
    ("deepseek2 671B", "Q2_K - Medium"),
    ("deepseek2 671B", "Q4_K - Medium"),
}
"""Published files of llama.cpp's own types whose size differs and whose rows do not say why."""


@pytest.mark.parametrize("bar", list(bars(KEPT)), ids=lambda bar: bar.promise)
def test_a_promise_holds_or_is_listed_as_open(bar: Bar) -> None:
    assert bar.holds(KEPT) == (bar.promise not in OPEN), f"{bar.figure(KEPT):.4f} against {bar.limit}"


def test_open_promises_exist() -> None:
    assert {bar.promise for bar in bars(KEPT)} >= OPEN


@pytest.mark.parametrize("section", ["page", "refusals", "catalogue", "files", "logs", "servers"])
def test_quick_sections_are_no_worse_than_the_report(section: str) -> None:
    found = accuracy.measured(section)
    assert found
    assert not worse({term: KEPT[term] for term in found}, found)


def test_the_report_has_every_architecture() -> None:
    groups = {name for name in KEPT["compute, all settings"] if name != "all"}
    assert len(groups) >= 39
    assert set(KEPT["file bytes"]) == set(KEPT["KV cache and state"]) == set(KEPT["compute, all settings"])


def test_published_files_that_differ_are_told_apart() -> None:
    files = list(published_files.files())
    assert len(files) == 141
    compared = [file for file in files if not file.reason]
    assert len(compared) >= 33
    assert {(file.row["model"], file.row["quant"]) for file in compared if file.error} == UNEXPLAINED


def test_run_logs_that_differ_say_why() -> None:
    logs = list(run_logs.answers())
    assert len(logs) == 67
    for log in logs:
        differs = log.cache_error or log.compute_error is None or abs(log.compute_error) > 0.05
        assert log.reason or not differs, log.row["id"]
    mainline = [log for log in logs if log.row["runtime"] == "llama.cpp" and log.cache]
    assert sum(not log.cache_error for log in mainline) >= len(mainline) - 2


def test_a_worse_figure_is_named() -> None:
    before = summed([Case("term", "group", 0.0), Case("term", "group", 0.02)])
    after = summed([Case("term", "group", 0.0), Case("term", "group", -0.03)])
    faults = worse(before, after)
    assert [fault.split(" was ")[0] for fault in faults] == [
        f"term, {group}: {figure}" for group in ("all", "group") for figure in ("median", "p95", "worst", "low")
    ]
    assert worse(before, {}) == ["term, all: no longer measured", "term, group: no longer measured"]
    assert not worse(after, after)


def test_a_better_figure_is_not_worse() -> None:
    before = summed([Case("term", "group", 0.0), Case("term", "group", 0.02)])
    after = summed([Case("term", "group", 0.0), Case("term", "group", 0.0), Case("term", "group", 0.01)])
    assert not worse(before, after)


def test_summaries_survive_being_written_down() -> None:
    summary = Summary.of([0.0, 1 / 3, -0.2])
    assert Summary.read(summary.plain()).cases == 3
    assert Summary.read(summary.plain()).low == pytest.approx(-0.2)


def test_the_page_shows_the_report() -> None:
    page = accuracy.PAGE.read_text(encoding="utf-8")
    assert render(accuracy_page.promises(KEPT)) in page
    assert render(accuracy_page.terms(KEPT)) in page
