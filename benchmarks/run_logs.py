"""Memory that real runs of llama.cpp and its fork printed, beside ours; every difference with its reason."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from benchmarks.measuring import Case
from benchmarks.names import Names
from benchmarks.recorded import catalog
from tests.truth import rows

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.units import MIB

Row = Mapping[str, Any]
LIMITED_SINCE = "2026-06"
"""No log before it limits the logits to the slots; the build of the recorded allocations (October 2026) does."""
NEW_BUILDS = "2026"
MIXED_SINCE = "2026-06"
"""No log before it has the inputs of batches that mix tokens and embeddings; the recorded allocations do."""
PADDED = 256
PRINT_MIB = 0.01
"""Logs print mebibytes with two decimals, for each part."""
MODELS = {
    "Models": "Qwen/Qwen3-235B-A22B",
    "Qwen3-235B-A22B-128K": "Qwen/Qwen3-235B-A22B",
    "Meta Llama 3.1 8B Instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "Llama 3.1 70B Instruct 2024 12": "meta-llama/Llama-3.3-70B-Instruct",
    "LLaMA v2": "meta-llama/Llama-2-13b-chat-hf",
    "mistralai_mistral-7b-v0.1": "mistralai/Mistral-7B-Instruct-v0.3",
    "Kimi K2 Instruct Bf16 Safetensors": "moonshotai/Kimi-K2-Instruct",
    "DeepSeek V3.1 Bf16 Safetensors": "deepseek-ai/DeepSeek-V3.1",
    "unsloth_DeepSeek R1 BF16": "deepseek-ai/DeepSeek-R1",
    "Llama_Nemotron_Ultra": "nvidia/Llama-3_1-Nemotron-Ultra-253B-v1",
    "Phi3 (Phi-3-mini-4k)": "microsoft/Phi-3-mini-4k-instruct",
    "DeepSeek R1 0528 DRAFT 0.6B": "Qwen/Qwen2.5-0.5B-Instruct",
}
"""What logs call models whose shapes the catalogue has under another name."""
_CARD = Device("log", "card of the log", "", "datacenter", "cuda", 1 << 50, 1 << 50)


class LogAnswer(NamedTuple):
    """One log: bytes it printed and ours. `compute` is that of the devices together, None where it is not compared;
    `reason` says why a figure differs or is not compared."""

    row: Row
    model: str
    cache_printed: float
    cache: int
    compute_printed: float | None
    compute: int | None
    reason: str

    @property
    def cache_error(self) -> float:
        """0 where our caches and states print the same."""
        parts = 2 * max(1, len(self.row.get("kv_parts") or ())) + 2
        near = abs(self.cache - self.cache_printed) <= parts * PRINT_MIB * MIB
        return 0.0 if near else self.cache / self.cache_printed - 1

    @property
    def compute_error(self) -> float | None:
        if self.compute is None or not self.compute_printed:
            return None
        near = abs(self.compute - self.compute_printed) <= 2 * PRINT_MIB * MIB
        return 0.0 if near else self.compute / self.compute_printed - 1

    @property
    def new(self) -> bool:
        """Whether a build of 2026 printed it: those pad every context, whatever day a log was put somewhere."""
        return str(self.row.get("date") or "") >= NEW_BUILDS and not _unpadded(self.row)


def answers() -> Iterator[LogAnswer]:
    """Every complete log whose printed weights add up."""
    names = Names(entry.id for entry in catalog().entries)
    for row in rows("run_logs"):
        if row["class"] == "complete" and row.get("weights_check") == "ok":
            yield _answer(row, names)


def logs() -> Iterator[Case]:
    for log in answers():
        program = "llama.cpp" if log.row["runtime"] == "llama.cpp" else "fork"
        age = f"{program}, 2026" if log.new else f"{program}, older"
        if log.cache:
            yield Case("run logs: KV cache and state", age, log.cache_error)
        if log.compute_error is not None:
            yield Case("run logs: compute", age, log.compute_error)


def _answer(row: Row, names: Names) -> LogAnswer:
    printed = (row["kv_mib_total"] + (row.get("recurrent_mib") or 0)) * MIB
    computed = _compute_printed(row)
    model = _model(row["model"], names)
    if not model:
        return LogAnswer(row, "", printed, 0, computed, None, "the model is not in the catalogue")
    scenario = _scenario(row)
    try:
        memory = compile_memory(catalog().subject(model), "Q4_K_M", scenario, _facts(row))
    except Refusal as refusal:
        return LogAnswer(row, model, printed, 0, computed, None, f"refused today: {refusal.reason}")
    ctx = row["n_ctx"]
    cache = memory.group_bytes(ctx, "kv") + memory.group_bytes(ctx, "state")
    kept_apart = _not_comparable(row)
    compute = None if kept_apart else memory.group_bytes(ctx, "compute")
    answer = LogAnswer(row, model, printed, cache, computed, compute, kept_apart)
    return answer._replace(reason="; ".join(filter(None, (kept_apart, *_explained(answer)))))


def _facts(row: Row) -> Facts:
    """What is known of the build that wrote a log."""
    known = catalog().facts
    if str(row.get("date") or "") >= MIXED_SINCE:
        return known
    today = known.runtimes["llama.cpp"]
    older = replace(today, defaults={**today.defaults, "mixed_batches": False})
    return replace(known, runtimes={**known.runtimes, "llama.cpp": older})


def _unpadded(row: Row) -> bool:
    """A cache of fewer cells than builds since November 2025 make: they pad each to 256 (pull request 17046)."""
    return bool(row["n_ctx"] % PADDED) and row["runtime"] == "llama.cpp"


def _model(name: str, names: Names) -> str:
    known = MODELS.get(name)
    try:
        known = known or names.find(name.replace(" ", "-"))
    except KeyError:
        return ""
    return known if any(entry.id == known for entry in catalog().entries) else ""


def _scenario(row: Row) -> Scenario:
    """The settings that the log states; without a device the whole model is in RAM."""
    cards = _cards(row)
    limited = str(row.get("date") or "") >= LIMITED_SINCE
    flash = str(row.get("flash_attn") or "0")
    return Scenario(
        kv_k=row.get("kv_type_k") or "f16",
        kv_v=row.get("kv_type_v") or row.get("kv_type_k") or "f16",
        seqs=row.get("n_seq") or 1,
        kv_unified=str(row.get("kv_unified") or "true") != "false",
        ubatch=row.get("n_ubatch") or 512,
        flash_attn="on" if "enabled" in flash or flash in ("1", "on", "True", "true") else "off",
        outputs=None if limited else "ubatch",
        machine=Machine("log", (_CARD,) * len(cards)),
    )


def _cards(row: Row) -> list[str]:
    """Devices that hold a part of the weights, the CPU apart."""
    held = row.get("weights_mib_by_device") or {}
    return [name for name in held if not name.startswith("CPU") and "Host" not in name and held[name]]


def _compute_printed(row: Row) -> float | None:
    found = row.get("compute_mib_by_device") or {}
    cards = [found[name] for name in found if name != "CPU" and "Host" not in name]
    wanted = cards if _cards(row) else [found[name] for name in found if name == "CPU"]
    return sum(wanted) * MIB if wanted else None


def _not_comparable(row: Row) -> str:
    """Why the compute buffer cannot be told from what the log states."""
    held = row.get("weights_mib_by_device") or {}
    cards = _cards(row)
    in_ram = sum(_total(size) for name, size in held.items() if name not in cards)
    on_cards = sum(_total(held[name]) for name in cards)
    if cards and in_ram > 0.25 * on_cards:
        return "part of the layers or experts is in RAM; which, the log does not say"
    if row["runtime"] == "ik_llama.cpp":
        return "a fork with kernels and buffers of its own"
    if str(row.get("date") or "") < "2024-06" and row.get("date"):
        return "a build of before June 2024, with another allocator"
    return ""


def _total(size: object) -> float:
    if isinstance(size, list):
        return float(sum(size))
    return float(size) if isinstance(size, int | float) else 0.0


def _explained(answer: LogAnswer) -> Iterator[str]:
    """What the log itself says about figures that differ."""
    row = answer.row
    fork = row["runtime"] == "ik_llama.cpp"
    if answer.cache_error:
        if row["arch"] == "deepseek2" and (not fork or str(row.get("mla_attn")) == "0"):
            yield "whole keys and values of latent attention: a build of before, or a setting against, latent caches"
        elif fork:
            yield "a cache of the fork's own"
        elif row["n_ctx"] % PADDED:
            yield f"this build did not pad a context of {row['n_ctx']} tokens to {PADDED}"
    if answer.compute_error is not None and abs(answer.compute_error) > 0.05:
        yield _older_compute(answer)


def _older_compute(answer: LogAnswer) -> str:
    row = answer.row
    if _unpadded(row):
        return "a build of before November 2025 (its cache is not padded), with another graph on the CPU"
    backends = {re.sub(r"(_Mapped)?\d*(_Mapped)?$", "", name) for name in _cards(row)} - {"CUDA"}
    if backends:
        return f"another backend: {', '.join(sorted(backends))}"
    day = str(row.get("date") or "no date")[:10]
    return f"an older build ({day}), whose graph differs in more than the inputs of mixed batches"
