"""Memory figures that vLLM and SGLang printed, beside ours: bytes per token, tokens of a pool, the pool itself."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.names import Names

from vram_tui.estimator.cache_types import SERVER_TYPES
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.pools import paging_of, pool
from vram_tui.estimator.runtimes.layers import stage_layers
from vram_tui.estimator.runtimes.serving import resolve
from vram_tui.estimator.runtimes.vllm import rank_rows, rank_states
from vram_tui.estimator.runtimes.vllm_pages import Paging, state_bytes_of
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

MODELS = {
    "Qwen3-8B-class bf16": "Qwen/Qwen3-8B",
    "train/checkpoints/qwen25-3b-distill-merged": "Qwen/Qwen2.5-3B-Instruct",
    "typhoon-ai/typhoon-s-thaillm-8b-instruct-research-preview": "Qwen/Qwen3-8B",
    "/home/stewa/ai-models/weights/ybelkada/llava-1.5-7b-hf-awq": "meta-llama/Llama-2-7b-hf",
    "./qwen36_27B": "Qwen/Qwen3.6-27B",
    "/workspace/user_data/Qwen2.5-Omni-7B": "Qwen/Qwen2.5-7B-Instruct",
    "/root/Qwen3-VL-Embedding-2B": "Qwen/Qwen3-VL-2B-Instruct",
}
"""What the logs call a model, and the entry with the same language model."""
FORMATS = {"None": "BF16", "fp8": "FP8", "awq": "AWQ", "awq_marlin": "AWQ", "compressed-tensors": "W4A16"}
UNSTATED = frozenset(("gt0580", "gt0595"))
"""Logs of a model whose window nobody states, run with a draft model that the log does not describe."""
MOST_SPECULATIVE = 5
OUTLIERS = {
    "gt0569": "it counts 5.6 GiB of activations, we 1.9: builds take 10 to 39 bytes per word of a sampled row",
}
"""Why a pool that the log printed is not the predicted one, where they are far apart."""


@dataclass(frozen=True, slots=True)
class LogCase:
    """One log: what it printed (None where it did not) and what we say. Bytes are those of one rank."""

    id: str
    kind: str
    measured_per_token: float
    per_token: float
    measured_tokens: float
    tokens: float
    measured_pool: int | None = None
    pool: int | None = None
    card_bytes: int | None = None
    runtime: str = ""
    model: str = ""

    @property
    def pool_error(self) -> float:
        """Our pool over the printed one, less one; 0 where the log does not say enough to predict it."""
        return self.pool / self.measured_pool - 1 if self.pool is not None and self.measured_pool else 0.0

    @property
    def per_token_error(self) -> float:
        return self.per_token / self.measured_per_token - 1

    @property
    def tokens_error(self) -> float:
        return self.tokens / self.measured_tokens - 1


def number(value: Any) -> float | None:
    """The number at the start of what a log printed, None without one."""
    found = re.match(r"\s*([\d.]+)", str(value).replace(",", "")) if value is not None else None
    return float(found[1]) if found else None


def _utilization(row: Mapping[str, Any]) -> float | None:
    """The share of the card that the log says it was started with."""
    stated = re.search(r"utilization is \(([\d.]+),", str(row.get("notes", "")))
    return number(row.get("gpu_memory_utilization")) or (float(stated[1]) if stated else None)


def _available(row: Mapping[str, Any], tokens: float) -> float | None:
    """GiB of a pool of which only the tokens and the bytes of each were printed."""
    each = re.search(r"= [\d,]+ x (\d+) B", str(row.get("notes", "")))
    return tokens * int(each[1]) / GIB if each else None


class Logs:
    """Replays logs: `names` finds ids by what logs call a model, `subject_of` gives the Subject of an id."""

    def __init__(self, facts: Facts, names: Names, subject_of: Callable[[str], Subject]) -> None:
        self._facts = facts
        self._names = names
        self._subject_of = subject_of

    def cases(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[LogCase]:
        """Every log that names a model of the catalogue and printed a pool and its tokens."""
        for row in rows:
            if row["id"] in UNSTATED or "model" not in row:
                continue
            try:
                subject = self._subject_of(MODELS.get(row["model"]) or self._names.find(row["model"]))
            except KeyError:
                continue
            case = None
            if row["runtime"] == "vllm":
                case = self._vllm(row, subject)
            elif row["runtime"] == "sglang":
                case = self._sglang(row, subject)
            if case:
                yield replace(
                    case, runtime=f"{row['runtime']} {str(row.get('date') or '')[:7]}".strip(), model=subject.id
                )

    def _scenario(self, row: Mapping[str, Any]) -> Scenario:
        batched = number(row.get("max_num_batched_tokens"))
        kv = str(row.get("kv_type_k", "auto"))
        kv = kv if kv in SERVER_TYPES else "auto"
        return Scenario(
            runtime=row["runtime"],
            tp=int(number(row.get("tp")) or 1),
            pp=int(number(row.get("pp")) or 1),
            kv_k=kv,
            kv_v=kv,
            seqs=int(number(row.get("max_num_seqs")) or 256),
            max_batched_tokens=int(batched) if batched else None,
            gpu_memory_utilization=_utilization(row),
            mem_fraction_static=number(row.get("mem_fraction_static")),
        )

    def _vllm(self, row: Mapping[str, Any], subject: Subject) -> LogCase | None:
        tokens = number((row.get("kv_tokens") or [None])[0])
        ctx = int(number(row.get("n_ctx")) or 0)
        if not tokens or not ctx:
            return None
        scenario = self._scenario(row)
        paging = self._paging(subject, scenario, row)
        hybrid = len(paging.groups) > 1
        available = number((row.get("available_kv_gib") or [None])[0]) or _available(row, tokens)
        if not available:
            return None
        blocks = int(available * GIB) // paging.block_bytes
        if hybrid:
            per_token, held = paging.blocks(ctx) * paging.block_bytes / ctx, blocks / paging.blocks(ctx) * ctx
        else:
            block = paging.groups[0].block_tokens
            per_token, held = paging.block_bytes / block, float(blocks * block)
        kind = "hybrid" if any(group.fixed for group in paging.groups) else "window" if hybrid else "plain"
        measured = available * GIB
        case = LogCase(row["id"], kind, measured / tokens, per_token, tokens, held, int(measured))
        machine = self._machine(row)
        if machine is None:
            return case
        quant = FORMATS.get(str(row.get("quant", "None")), "BF16")
        made = pool(subject, quant, ctx, replace(scenario, machine=machine), self._facts)
        return replace(case, pool=made.bytes, card_bytes=machine.devices[0].memory_bytes)

    def _paging(self, subject: Subject, scenario: Scenario, row: Mapping[str, Any]) -> Paging:
        """The paging; the printed padding of the states' pages tells the speculative tokens of the server."""
        plain = self._stage(subject, scenario, 0)
        padding = re.search(r"Padding mamba page size by ([\d.]+)%", str(row.get("notes", "")))
        if not padding or subject.model.mtp is None:
            return plain
        found = []
        for count in range(MOST_SPECULATIVE + 1):
            pages = self._stage(subject, replace(scenario, mtp=count > 0), count)
            found.append((abs(self._padding(subject, scenario, pages, count) - float(padding[1])), count, pages))
        return min(found, key=lambda one: one[:2])[2]

    @staticmethod
    def _padding(subject: Subject, scenario: Scenario, pages: Paging, speculative: int) -> float:
        """By how many per cent a page of these blocks exceeds the largest state."""
        layers = tuple(subject.model.distinct_layers())
        states = rank_states(layers, subject.model.hidden_size, scenario.tp or 1)
        state = max(state_bytes_of(one, speculative, 4) for one in states)
        row = max(row.row_bytes for rows in rank_rows(layers, scenario.tp or 1, "auto") for row in rows)
        block = min(group.block_tokens for group in pages.groups)
        return (block * row / state - 1) * 100

    def _stage(self, subject: Subject, scenario: Scenario, speculative: int) -> Paging:
        setting = resolve(subject, "BF16", scenario, self._facts)
        layers = stage_layers(setting.model, setting.plan, mtp=scenario.mtp)
        pages = [paging_of(setting, stage, self._facts, speculative) for stage in layers]
        return max(pages, key=lambda page: page.block_bytes)

    def _sglang(self, row: Mapping[str, Any], subject: Subject) -> LogCase | None:
        sizes = r"#tokens: (\d+), (?:KV size: ([\d.]+)|K size: ([\d.]+) GB, V size: ([\d.]+))"
        printed = re.search(sizes, str(row.get("kv_alloc")))
        if not printed:
            return None
        tokens = float(printed[1])
        size = float(printed[2]) if printed[2] else float(printed[3]) + float(printed[4])
        paging = self._stage(subject, self._scenario(row), 0)
        return LogCase(
            row["id"], "plain", size * GIB / tokens, paging.block_bytes, tokens, size * GIB // paging.block_bytes
        )

    def _machine(self, row: Mapping[str, Any]) -> Machine | None:
        """The card of a log: its size as printed, or from what the startup check says."""
        size = re.search(r"([\d.]+)\s*(MiB|GiB)", str(row.get("gpu", "")).split("x", 1)[-1])
        check = re.search(r"Free memory on device \([\d.]+/([\d.]+) GiB\)", str(row.get("notes", "")))
        if check:
            total = float(check[1]) * GIB
        elif size:
            total = float(size[1]) * (GIB if size[2] == "GiB" else GIB / 1024)
        else:
            return None
        device = Device("log", "card of the log", "", "datacenter", "cuda", int(total), int(total))
        return Machine("log", (device,) * int(number(row.get("tp")) or 1))


def replayed() -> Iterator[LogCase]:
    """The recorded logs with the shipped catalogue."""
    from benchmarks.recorded import catalog
    from tests.truth import rows

    found = catalog()
    yield from Logs(found.facts, Names(row.id for row in found.entries), found.subject).cases(rows("run_logs"))
