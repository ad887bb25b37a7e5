"""What llama.cpp's own allocator and quantizer answered, beside our answers through the public door."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from benchmarks.measuring import Case, error
from tests.estimator import offload_cases
from tests.estimator.truth_models import scenario_of, subjects
from tests.truth import rows

from vram_tui.catalog import Catalog, load_catalog
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.units import GIB

Row = Mapping[str, Any]
SEED_PAGE = {
    "Q4_K_M": {1024: 390.0, 131072: 429.7},
    "Q8_0": {1024: 779.8, 131072: 819.5},
    "F16": {1024: 1559.2, 131072: 1598.9},
}
"""GiB that the page prints for GLM-5.1, by format and tokens."""


@cache
def catalog() -> Catalog:
    """The shipped catalogue, without anybody's own entries."""
    return load_catalog(user=False)


@cache
def compiled(model: str, quant: str, scenario: Scenario) -> Memory:
    """A recorded model's memory, once for all rows with these settings."""
    return compile_memory(subjects()[model], quant, scenario, catalog().facts)


def weights() -> Iterator[Case]:
    """Every file type of every recorded model, with and without an importance matrix."""
    for row in rows("gguf_weights"):
        subject = subjects()[row["model"]]
        for quant, known in row["weights"].items():
            plain, better = subject.weights(quant, imatrix=False), subject.weights(quant, imatrix=True)
            yield Case("file bytes", row["arch"], error(plain.file_bytes, known["bytes"]))
            yield Case("file bytes, importance matrix", row["arch"], error(better.file_bytes, known["bytes_imatrix"]))
            yield Case("loaded bytes", row["arch"], error(plain.loaded_bytes, known["loaded_bytes"]))


def serves(row: Row) -> bool:
    """What llama-server does: 16-bit cache, flash attention, logits for the slots only."""
    return bool(row["flash_attn"] == "on" and row["type_k"] == "f16" and row["n_outputs_max"])


def allocations() -> Iterator[Case]:
    """Every recorded allocation, term by term."""
    for row in rows("llamacpp_allocations"):
        if "error" in row:
            continue
        memory, arch = compiled(row["model"], row["quant"], scenario_of(row)), row["arch"]
        ctx = row["n_ctx"]
        cache_bytes = memory.group_bytes(ctx, "kv") + memory.group_bytes(ctx, "state")
        yield Case("KV cache and state", arch, error(cache_bytes, row["kv_bytes"] + row["recurrent_bytes"]))
        yield Case("output buffer", arch, error(memory.host.group_bytes(ctx, "output"), row["output_bytes"]))
        yield from _placed(row, memory)
        yield from _compute(row, memory)


def _placed(row: Row, memory: Memory) -> Iterator[Case]:
    """The weights where they lie."""
    if row["device"] == "cpu":
        return
    ctx, arch = row["n_ctx"], row["arch"]
    yield Case("weights on the devices", arch, error(memory.group_bytes(ctx, "weights"), row["weights_gpu_bytes"]))
    host = memory.host.group_bytes(ctx, "weights")
    yield Case("weights on the host", arch, error(host, row["weights_host_bytes"]))


def _compute(row: Row, memory: Memory) -> Iterator[Case]:
    ctx, arch, device = row["n_ctx"], row["arch"], row["device"]
    found = error(memory.group_bytes(ctx, "compute"), row["compute_bytes"])
    if device == "cpu":
        yield Case("compute on the CPU", arch, found)
        return
    if device == "cuda2":
        yield Case("compute on two GPUs", arch, found)
    else:
        yield Case("compute, all settings", arch, found)
        if serves(row):
            yield Case("compute, as a server runs", arch, found)
    host = error(memory.host.group_bytes(ctx, "compute"), row["compute_host_bytes"])
    yield Case("compute on the host" if device == "cuda1" else "compute on the host of two GPUs", arch, host)


def refusals() -> Iterator[Case]:
    """What llama.cpp refuses: 0 where we refuse it with its reason, 1 where we do not."""
    for row in rows("llamacpp_allocations"):
        if "error" in row:
            yield Case("refused with the reason", row["arch"], 0.0 if _refused(row) else 1.0)


def _refused(row: Row) -> bool:
    try:
        compiled(row["model"], row["quant"], scenario_of(row))
    except Refusal as refusal:
        return refusal.reason in row["error"]
    return False


def entries() -> Iterator[Case]:
    """The catalogue's entries of recorded models: every file type, and the caches of one row of each model."""
    for model, known in matched().items():
        subject, arch = catalog().subject(known), _row("llamacpp_models", model)["arch"]
        for quant, size in _row("gguf_weights", model)["weights"].items():
            found = subject.weights(quant, imatrix=True).file_bytes
            yield Case("catalogue: file bytes", arch, error(found, size["bytes_imatrix"]))
        row = next(
            row for row in rows("llamacpp_allocations") if row["model"] == model and "error" not in row and serves(row)
        )
        memory = compile_memory(subject, row["quant"], scenario_of(row), catalog().facts)
        caches = memory.group_bytes(row["n_ctx"], "kv") + memory.group_bytes(row["n_ctx"], "state")
        yield Case("catalogue: KV cache and state", arch, error(caches, row["kv_bytes"] + row["recurrent_bytes"]))


def matched() -> dict[str, str]:
    """Recorded models that the catalogue has, by name; the id as the record states it."""
    ids = {entry.id for entry in catalog().entries}
    return {row["model"]: row["catalog_id"] for row in rows("llamacpp_models") if row.get("catalog_id") in ids}


def _row(name: str, model: str) -> Row:
    return next(row for row in rows(name) if row["model"] == model)


def seed_page() -> Iterator[Case]:
    """The six totals that the seed page printed for GLM-5.1, to the printed digit."""
    subject = catalog().subject("zai-org/GLM-5.1", "published")
    scenario = Scenario(method="bytes-per-weight", profile="published")
    for quant, totals in SEED_PAGE.items():
        memory = compile_memory(subject, quant, scenario, catalog().facts)
        for ctx, printed in totals.items():
            yield Case("seed page", quant, error(round(memory.at(ctx) / GIB, 1), printed))


def offload() -> Iterator[Case]:
    """Layers, experts and single tensors in RAM, unequal cards, given shares: what lies where."""
    for case in offload_cases.cases():
        place = "in RAM" if case.in_ram else "on the cards"
        yield Case(f"offload: {case.part} {place}", case.row["arch"], case.error)


def apart() -> Iterator[Case]:
    """Models that no rule was found on, one of each architecture; those of architectures without any record by name."""
    known = {row["arch"] for row in rows("llamacpp_models")}
    for row in rows("llamacpp_apart"):
        scenario = Scenario(
            kv_k=row.get("kv_k", "f16"),
            kv_v=row.get("kv_v", "f16"),
            seqs=row.get("seqs", 1),
            outputs=row.get("outputs"),
        )
        subject = catalog().subject(row["id"])
        memory = compile_memory(subject, row["quant"], scenario, catalog().facts)
        held = "another model of a recorded architecture" if row["arch"] in known else "an architecture without records"
        caches = sum(memory.group_bytes(row["ctx"], group) for group in ("kv", "state"))
        yield Case("kept apart: KV cache and state", held, error(caches, row["caches"]))
        yield Case("kept apart: compute", held, error(memory.group_bytes(row["ctx"], "compute"), row["compute"]))
        host = memory.host.group_bytes(row["ctx"], "compute")
        yield Case("kept apart: compute on the host", held, error(host, row["host"]))


def unwarned() -> Iterator[Case]:
    """1 where a compute buffer is more than a tenth too small and no warning says so, else 0."""
    for row in rows("llamacpp_allocations"):
        if "error" in row:
            continue
        memory = compiled(row["model"], row["quant"], scenario_of(row))
        short = error(memory.group_bytes(row["n_ctx"], "compute"), row["compute_bytes"]) < -0.1
        yield Case("compute over 10 % too small without a warning", row["arch"], float(short and not memory.warnings))
