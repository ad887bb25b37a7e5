"""The figures that the README and the documentation show: `python -m benchmarks.summary` prints them as Markdown.

Accuracy and speeds come from the kept report, which `python -m benchmarks.accuracy --check` measures again; the
comparison with rules that people use is computed anew.
"""

import sys

from benchmarks import popular
from benchmarks.accuracy import kept
from benchmarks.measuring import ALL, Report, Summary, percent
from benchmarks.popular import Compared, largest, median_factor

from vram_tui.catalog import load_catalog
from vram_tui.exporters.markdown import render
from vram_tui.exporters.table import Cell, Column, Table, nothing, number, words
from vram_tui.quantities import format_memory

TERMS = (
    ("file sizes, 33 file types of 53 models", "file bytes"),
    ("the same with an importance matrix", "file bytes, importance matrix"),
    ("weights on the devices", "weights on the devices"),
    ("KV cache and recurrent state", "KV cache and state"),
    ("compute buffer, as a server runs", "compute, as a server runs"),
    ("compute buffer, all recorded settings", "compute, all settings"),
    ("compute buffers of two GPUs", "compute on two GPUs"),
    ("vLLM and SGLang: bytes per token in the cache", "servers: bytes per token"),
    ("vLLM and SGLang: tokens of the printed pool", "servers: tokens of the printed pool"),
)
"""What people ask after first, and the term of the report that answers."""

MODELS = (
    "Llama-3.1-8B",
    "Qwen3-30B-A3B",
    "gpt-oss-20b",
    "gemma-3-27b",
    "DeepSeek-V3",
    "GLM-5.1",
    "Kimi-Linear-48B-A3B",
)


def accuracy(report: Report) -> str:
    """How the terms compare with recorded answers of others."""
    columns = (
        Column("what"),
        Column("cases", "right"),
        Column("exact", "right"),
        Column("within 1 %", "right"),
        Column("within 5 %", "right"),
        Column("median error", "right"),
    )
    rows = []
    for name, term in TERMS:
        found = report[term][ALL]
        shares = [
            number(share, f"{share:.1%}") for share in (found.exact / found.cases, found.within_1, found.within_5)
        ]
        cases = number(found.cases, f"{found.cases:,}")
        rows.append((words(name), cases, *shares, number(found.median, percent(found.median))))
    return render(Table("", columns, tuple(rows)))


def comparison() -> str:
    """The same recorded models by rules that people use, as factors of the measured size."""
    found = {one.model: one for one in popular.compared()}
    columns = (
        Column("128K tokens, Q4_K_M"),
        Column("measured", "right", "GiB"),
        Column("ours", "right", "×"),
        Column("page rule", "right", "×"),
        Column("caches", "right", "GiB"),
        Column("ours", "right", "×"),
        Column("hf-mem, calculators", "right", "×"),
        Column("Ollama's prediction", "right", "×"),
        Column("gguf-parser", "right", "×"),
    )
    rows = [_compared(found[model]) for model in MODELS]
    every = list(found.values())
    for name, judge in ((f"largest error of {len(every)}", largest), (f"median of {len(every)}", median_factor)):
        factors = (
            [one.ours for one in every],
            [one.page for one in every],
            [one.cache_ours for one in every],
            [one.cache_by_configuration for one in every],
            [one.cache_by_hidden_size for one in every],
            [one.cache_by_latent_widths for one in every if one.cache_by_latent_widths],
        )
        ours, page, *caches = [number(judge(values), f"{judge(values):.2f}") for values in factors]
        rows.append((words(name, "bold"), nothing(), ours, page, nothing(), *caches))
    return render(Table("", columns, tuple(rows)))


def _compared(one: Compared) -> tuple[Cell, ...]:
    factors = (one.cache_ours, one.cache_by_configuration, one.cache_by_hidden_size, one.cache_by_latent_widths)
    return (
        words(one.model),
        number(one.measured, format_memory(one.measured)),
        number(one.ours, f"{one.ours:.2f}"),
        number(one.page, f"{one.page:.2f}"),
        number(one.cache, format_memory(one.cache)),
        *(nothing() if factor is None else number(factor, f"{factor:.2f}") for factor in factors),
    )


def speeds(report: Report) -> str:
    """Rates against published measurements, and how many lie outside the printed band."""
    columns = (
        Column("what"),
        Column("measurements", "right"),
        Column("median error", "right"),
        Column("95th percentile", "right"),
        Column("inside the band", "right"),
    )
    rows = [
        (words(f"{kind}, {group}"), *_rate(found, report[f"speed: {kind}, outside the band"][group]))
        for kind in ("decode", "prefill", "first-token")
        for group, found in report[f"speed: {kind}"].items()
        if group != ALL
    ]
    return render(Table("", columns, tuple(rows)))


def _rate(found: Summary, outside: Summary) -> tuple[Cell, ...]:
    inside = outside.exact / outside.cases
    return (
        number(found.cases, f"{found.cases:,}"),
        number(found.median, f"{found.median:.1%}"),
        number(found.p95, f"{found.p95:.0%}"),
        number(inside, f"{inside:.0%}"),
    )


def catalogue() -> str:
    """What is shipped, in a line."""
    shipped = load_catalog(user=False)
    models, devices, nodes = len(shipped.entries), len(shipped.hardware.accelerators), len(shipped.hardware.nodes)
    return f"{models} models, {devices} accelerators, {nodes} nodes and instances."


def main() -> int:
    report = kept()
    print(catalogue(), "", accuracy(report), comparison(), speeds(report), sep="\n", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
