"""vLLM: what a rank holds at least for the requests asked, and its paged cache."""

from collections.abc import Sequence

from vram_tui.estimator.cache_types import LATENT_ROWS, server_row_bytes
from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import CachePart, Cost, Memory, Reach
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.layers import Row, RowWidths, State, activation_elements, state, widths
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.vllm_pages import Paging, paging
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

LARGE_GIB, MEDIUM_GIB = 160, 70
"""Sizes of a card from which vLLM plans larger steps."""
SPECULATIVE_TOKENS = 1
"""Tokens that MTP layers propose per step where nobody says otherwise."""
COMPRESSED_EXTRA_BYTES = 72
"""A compressed entry of d elements is d + 72 bytes: fp8 with scales, its 64 rope elements in 16 bit."""
INDEXER_EXTRA_BYTES = 4
"""An indexer key is fp8 with one 32-bit scale."""


def compile_vllm(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for vLLM. Raises Refusal with the engine's reason, KeyError for an unknown format."""
    setting = resolve(subject, quant, scenario, facts)
    return assemble(subject, quant, setting, Vllm(facts.runtimes["vllm"]))


def rank_rows(layers: Sequence[Layer], tp: int, kv: str) -> tuple[tuple[Row, ...], ...]:
    """The cache rows of every attention layer in bytes, as vLLM and SGLang store them."""
    return tuple(
        tuple(Row(one.kind, _row_bytes(one, kv), one.window, one.window_kind, one.ratio) for one in found)
        for layer in layers
        if (found := widths(layer, tp))
    )


def _row_bytes(row: RowWidths, kv: str) -> int:
    if row.kind == "indexer":
        return row.k_width + row.v_width + INDEXER_EXTRA_BYTES
    if row.kind == "compressed" or (row.v_width == 0 and row.kind == "swa"):
        return row.k_width + COMPRESSED_EXTRA_BYTES
    if row.kind == "mla" and kv in LATENT_ROWS:
        return LATENT_ROWS[kv]
    kind = "auto" if kv in LATENT_ROWS else kv
    return server_row_bytes(kind, row.k_width + row.v_width, row.heads)


def rank_states(layers: Sequence[Layer], hidden: int, tp: int) -> tuple[State, ...]:
    """The recurrent states of the layers that have one."""
    found = (state(layer.mixer, hidden, tp) for layer in layers)
    return tuple(one for one in found if one is not None)


class Vllm:
    """The rules of vLLM behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def batched_tokens(self, setting: Setting) -> int:
        """Tokens of one step: asked for, or by the size of the card."""
        return setting.scenario.max_batched_tokens or self._by_size(setting, "batched_tokens")

    def max_seqs(self, setting: Setting) -> int:
        return self._by_size(setting, "seqs")

    def _by_size(self, setting: Setting, name: str) -> int:
        size = setting.memory_gib or MEDIUM_GIB
        suffix = "_large" if size >= LARGE_GIB else "_medium" if size >= MEDIUM_GIB else ""
        return int(self._runtime.defaults[name + suffix])

    def paging(self, setting: Setting, layers: Sequence[Layer], *, speculative: int | None = None) -> Paging:
        """How the caches of a stage are paged on one rank."""
        rows = rank_rows(layers, setting.plan.tp, setting.scenario.kv_k)
        latent = any(row.kind in ("mla", "indexer", "compressed") for layer in rows for row in layer)
        name = "latent_block_tokens" if latent else "block_tokens"
        if speculative is None:
            speculative = SPECULATIVE_TOKENS if setting.scenario.mtp else 0
        return paging(
            rows,
            rank_states(layers, setting.model.hidden_size, setting.plan.tp),
            block_tokens=int(self._runtime.get(name).value),
            in_flight_tokens=self.batched_tokens(setting),
            speculative_tokens=speculative,
        )

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        pages = self.paging(setting, layers)
        reaches: list[Reach] = []
        costs: list[Cost] = []
        parts: list[CachePart] = []
        for group in pages.groups:
            each = pages.block_bytes * group.groups * setting.requests
            numbers = (
                ("block_bytes", pages.block_bytes),
                ("groups", group.groups),
                ("layers", group.layers),
                ("block_tokens", group.block_tokens),
                ("requests", setting.requests),
            )
            source = "vLLM v1/core/kv_cache_utils.py"
            if group.fixed:
                formula = "block_bytes · groups · slots · requests"
                fixed = each * group.cap_blocks
                costs.append(Cost("recurrent state", "state", fixed, (), formula, numbers, source=source))
                continue
            reaches.append(Reach(1, group.block_tokens, group.cap_blocks))
            formula = "block_bytes · groups · blocks (cells) · requests"
            again = group.kind in {part.kind for part in parts}
            name = f"{group.kind} cache {len(reaches)}" if again else f"{group.kind} cache"
            costs.append(Cost(name, "kv", 0, ((len(reaches) - 1, each),), formula, numbers, source=source))
            parts.append(CachePart(group.kind, group.layers, setting.requests, reaches[-1], each // setting.requests))
        return Held(tuple(reaches), tuple(costs), tuple(parts))

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        get = self._runtime.get
        tokens, plan = self.batched_tokens(setting), setting.plan
        elements = activation_elements(layers, setting.model.hidden_size, plan)
        factor, sampler = get("activation_factor"), get("sampler_bytes")
        body = round(factor.value * tokens * elements * 2)
        seqs = self.max_seqs(setting)
        logits = round(sampler.value * seqs * setting.model.vocab_size)
        peak = Cost(
            "activations",
            "compute",
            max(body, logits),
            formula="max(tokens · elements · 2, sequences · vocabulary · sampler)",
            numbers=(("tokens", tokens), ("elements", elements), ("sequences", seqs), ("sampler", sampler.value)),
            basis=factor.basis,
            source=factor.source,
            error=factor.error,
        )
        return (
            peak,
            constant_cost("CUDA graphs", "compute", get("graphs_gib"), GIB),
            self._non_torch(plan.devices),
        )

    def _non_torch(self, ranks: int) -> Cost:
        get, name = self._runtime.get, "context and communication"
        if ranks == 1:
            return constant_cost(name, "runtime", get("non_torch_gib"), GIB)
        known, doubling = get("non_torch_parallel_gib"), get("non_torch_doubling_gib")
        scale = 1 + doubling.value * (ranks.bit_length() - 1) / known.value
        return constant_cost(name, "runtime", known, GIB, scale)

    def utilization(self, scenario: Scenario) -> float:
        return scenario.gpu_memory_utilization or self._runtime.get("utilization").value

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        total = setting.device.usable_bytes if setting.device else usable_bytes
        return min(usable_bytes, int(total * self.utilization(setting.scenario)))
