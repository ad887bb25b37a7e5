"""`docs/accuracy.md`: the figures of the accuracy report as a page, with every difference and its reason."""

from collections import Counter
from collections.abc import Callable, Iterator

from benchmarks import measuring, popular, published_files, run_logs, server_logs
from benchmarks.bars import bars
from benchmarks.measuring import ALL, Report, percent
from benchmarks.recorded import catalog

from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.units import GIB, MIB
from vram_tui.exporters.markdown import render
from vram_tui.exporters.table import Cell, Column, Table, nothing, number, words
from vram_tui.quantities import format_memory

INTRODUCTION = """# How right the figures are

Written by `python -m benchmarks.accuracy --write`; `--check` measures everything again and fails when a figure is
worse than here. Every figure goes through the same door that the dashboard and the command line use. The cases are
recorded answers of others: llama.cpp's own allocator and quantizer (build b11549), memory that servers and runs
printed into public logs, sizes of published files, published speed measurements.

No constant of the compute rules is fitted: they follow llama.cpp's graph block by block and replay its allocator. They
were found by looking at the recorded models, though. *Kept apart* are models that nobody looked at meanwhile, one of
each architecture that the catalogue has, asked of the same build afterwards. *Offload* are layers, experts and single
tensors in RAM, unequal cards and given shares, answered by that build on simulated GPUs.

An error is ours over theirs, less one. *Exact* means the same number of bytes; for figures that a log printed rounded,
that ours rounds to what was printed. *Too small by* is the largest error on the dangerous side.
"""

_TABLES = ("compute, as a server runs", "compute, all settings", "offload: compute on the cards", "kept apart: compute")


def page(report: Report) -> str:
    """The whole page as Markdown."""
    tables = [
        promises(report),
        terms(report),
        *(_architectures(term, report) for term in _TABLES),
        _files(),
        _file_reasons(),
        _logs(),
        _pools(),
        _popular(),
        *_verified(),
    ]
    return "\n".join([INTRODUCTION, *(render(table) for table in tables)])


def promises(report: Report) -> Table:
    rows = []
    for bar in bars(report):
        sign = "at least" if bar.at_least else "at most"
        holds = bar.holds(report)
        rows.append(
            (
                words(bar.promise),
                words(f"{sign} {bar.limit:.1%}"),
                number(bar.figure(report), f"{bar.figure(report):.2%}"),
                words("yes" if holds else "no", "" if holds else "bold"),
            )
        )
    columns = (Column("promise"), Column("bar"), Column("figure", "right"), Column("holds"))
    return Table("What is promised", columns, tuple(rows))


def terms(report: Report) -> Table:
    found = {term: groups[ALL] for term, groups in report.items()}
    return measuring.table("Every term", found, "term")


def _architectures(term: str, report: Report) -> Table:
    groups = report[term]
    return measuring.table(
        f"Per architecture: {term}", dict(sorted(groups.items(), key=lambda one: (one[0] != ALL, one[0])))
    )


def _files() -> Table:
    columns = (
        Column("published file"),
        Column("type"),
        Column("printed", "right", "GiB"),
        Column("ours", "right", "GiB"),
        Column("error", "right"),
    )
    rows = tuple(
        (
            words(file.model),
            words(published_files.FILE_TYPES[file.row["quant"]]),
            number(file.row["size_gib"], str(file.row["size_gib"])),
            number(file.found, f"{file.found / GIB:.3f}"),
            number(file.error, percent(abs(file.error))),
        )
        for file in published_files.files()
        if not file.reason
    )
    return Table("Published files that llama.cpp's own rules wrote", columns, rows)


def _file_reasons() -> Table:
    counts = Counter(file.reason.split(": it prints")[0] for file in published_files.files() if file.reason)
    rows = tuple((words(reason), number(count)) for reason, count in counts.most_common())
    return Table("Published files that stand apart", (Column("reason"), Column("files", "right")), rows)


def _logs() -> Table:
    columns = (
        Column("log"),
        Column("program"),
        Column("model"),
        Column("caches, printed", "right", "MiB"),
        Column("ours", "right", "MiB"),
        Column("compute, printed", "right", "MiB"),
        Column("ours", "right", "MiB"),
        Column("what explains a difference"),
    )
    rows = tuple(
        (
            words(log.row["id"]),
            words(f"{log.row['runtime']} {str(log.row.get('date') or '')[:7]}".strip()),
            words(log.model or str(log.row["model"])),
            _mib(log.cache_printed),
            _mib(log.cache) if log.cache else nothing(),
            nothing() if log.compute_printed is None else _mib(log.compute_printed),
            nothing() if log.compute is None else _mib(log.compute),
            words(log.reason),
        )
        for log in run_logs.answers()
    )
    return Table("Run logs whose printed weights add up", columns, rows)


def _pools() -> Table:
    columns = (
        Column("log"),
        Column("program"),
        Column("model"),
        Column("tokens, printed", "right"),
        Column("ours, of its bytes", "right"),
        Column("pool, printed", "right", "GiB"),
        Column("predicted", "right", "GiB"),
        Column("error", "right"),
        Column("what explains a difference"),
    )
    rows = tuple(
        (
            words(case.id),
            words(case.runtime),
            words(case.model),
            number(round(case.measured_tokens)),
            number(round(case.tokens)),
            nothing() if case.measured_pool is None else _gib(case.measured_pool),
            nothing() if case.pool is None else _gib(case.pool),
            nothing() if case.pool is None else number(case.pool_error, f"{case.pool_error:+.1%}"),
            words(
                server_logs.OUTLIERS.get(case.id, "" if case.pool is not None else "the log does not state the card")
            ),
        )
        for case in server_logs.replayed()
    )
    return Table("Pools of servers: tokens from the printed memory, the pool from the card", columns, rows)


def _gib(size: float) -> Cell:
    return number(size, f"{size / GIB:,.2f}")


def _mib(size: float) -> Cell:
    return number(size, f"{size / MIB:,.1f}")


def _popular() -> Table:
    columns = (
        Column("model, 128K tokens, Q4_K_M"),
        Column("measured", "right", "GiB"),
        Column("ours", "right", "×"),
        Column("page rule", "right", "×"),
        Column("its caches", "right", "GiB"),
        Column("ours", "right", "×"),
        Column("by configuration", "right", "×"),
        Column("by hidden size", "right", "×"),
        Column("by latent widths", "right", "×"),
    )
    found = list(popular.compared())
    rows: list[tuple[Cell, ...]] = [
        (
            words(one.model),
            number(one.measured, format_memory(one.measured)),
            _factor(one.ours, 3),
            _factor(one.page),
            number(one.cache, f"{one.cache / GIB:.2f}"),
            _factor(one.cache_ours, 3),
            _factor(one.cache_by_configuration),
            _factor(one.cache_by_hidden_size),
            _factor(one.cache_by_latent_widths),
        )
        for one in found
    ]
    rows.append(_summary("largest factor of error", found, popular.largest))
    rows.append(_summary("median factor of error", found, popular.median_factor))
    return Table("The same models by rules that people use", columns, tuple(rows), tuple(_rules()))


def _summary(name: str, found: list[popular.Compared], fold: Callable[[list[float]], float]) -> tuple[Cell, ...]:
    columns = (
        [one.ours for one in found],
        [one.page for one in found],
        [one.cache_ours for one in found],
        [one.cache_by_configuration for one in found],
        [one.cache_by_hidden_size for one in found],
        [one.cache_by_latent_widths for one in found if one.cache_by_latent_widths is not None],
    )
    cells = [_factor(fold(values), 3 if index in (0, 2) else 2) for index, values in enumerate(columns)]
    return (words(name, "bold"), nothing(""), *cells[:2], nothing(""), *cells[2:])


def _factor(value: float | None, digits: int = 2) -> Cell:
    return nothing() if not value else number(value, f"{value:.{digits}f}")


def _rules() -> Iterator[str]:
    yield "These are formulas written down from their sources and given each model's values, not runs of the tools."
    yield "page rule: parameters × 0.5 bytes × 1.2, and the cache by configuration; what most web calculators do"
    yield "by configuration: 2 · layers · key heads · head width · 2 bytes · tokens (also the cache of hf-mem 0.5.6)"
    yield (
        "by hidden size: 2 · layers · fewest key heads · (hidden size / heads) · 2 bytes · tokens "
        "(Ollama's PredictServerVRAM at fb30760)"
    )
    yield (
        "by latent widths, for latent attention only: layers · (key width + value width) · 2 bytes · tokens "
        "(gguf-parser-go at 8dc7a62)"
    )
    yield "1 is right; the page rule comes near where 0.5 × 1.2 bytes happen to be what a weight of the file takes"


VERIFIED = ("Qwen/Qwen3-8B", "google/gemma-3-27b-it", "deepseek-ai/DeepSeek-V3")
"""Dense, windows, latent attention with experts."""
VERIFIED_CTX = 32768


def _verified() -> Iterator[Table]:
    """What `vram-tui verify` prints for three models. Raises UnavailableError without the `verify` extra."""
    from vram_tui.commands.verify import verify_table
    from vram_tui.verify.comparing import CPU, compare

    for model in VERIFIED:
        for machine in (CPU, None):
            scenario = Scenario(machine=machine)
            found = compare(catalog().subject(model), "Q4_K_M", VERIFIED_CTX, scenario, catalog().facts)
            yield verify_table(f"vram-tui verify {model} --quant Q4_K_M --ctx 32K:", found)
