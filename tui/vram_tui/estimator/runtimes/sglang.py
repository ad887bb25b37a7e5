"""SGLang: token pools by reach, three state slots a request, and the memory it leaves outside the pools."""

from collections.abc import Sequence

from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import CachePart, Cost, Memory, Reach
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.vllm import rank_rows, rank_states
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB, MIB

SMALL_GIB, LARGE_GIB, HUGE_GIB = 20, 60, 160
"""Sizes of a card at which SGLang changes its chunk and the sequences that it captures."""


def compile_sglang(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for SGLang. Raises Refusal with the engine's reason, KeyError for an unknown format."""
    setting = resolve(subject, quant, scenario, facts)
    return assemble(subject, quant, setting, Sglang(facts.runtimes["sglang"]))


class Sglang:
    """The rules of SGLang behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def cells(self, setting: Setting, layers: Sequence[Layer]) -> tuple[int, int, int]:
        """Bytes of one token in the full pool, of one in the window pool, and of the states of one request."""
        full = sliding = 0
        for layer in rank_rows(layers, setting.plan.tp, setting.scenario.kv_k):
            for row in layer:
                if row.window:
                    sliding += row.row_bytes
                else:
                    full += -(-row.row_bytes // row.ratio)
        states = 0
        for one in rank_states(layers, setting.model.hidden_size, setting.plan.tp):
            states += 2 * one.conv_step * one.conv_steps + 4 * one.matrix
        return full, sliding, states * int(self._runtime.get("state_slots").value)

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        full, sliding, states = self.cells(setting, layers)
        share = self._runtime.get("swa_full_tokens_ratio")
        pooled = round(sliding * share.value) if full else sliding
        requests, source = setting.requests, "SGLang model_executor/memory pools"
        costs = []
        if full:
            numbers: tuple[tuple[str, int | float | str], ...] = (("cell_bytes", full), ("requests", requests))
            formula = "cell_bytes · tokens (cells) · requests"
            costs.append(Cost("full pool", "kv", 0, ((0, full * requests),), formula, numbers, source=source))
        if sliding:
            numbers = (("cell_bytes", sliding), ("share", share.value if full else 1), ("requests", requests))
            formula = "cell_bytes · share · tokens (cells) · requests"
            costs.append(Cost("window pool", "kv", 0, ((0, pooled * requests),), formula, numbers, source=share.source))
        if states:
            numbers = (("state_bytes", states), ("requests", requests))
            formula = "state_bytes (with its slots) · requests"
            costs.append(Cost("recurrent state", "state", states * requests, (), formula, numbers, source=source))
        reach = Reach(1)
        pools = (("full", full), ("swa", pooled))
        parts = tuple(CachePart(kind, len(layers), requests, reach, cell) for kind, cell in pools if cell)
        return Held((reach,), tuple(costs), parts)

    def reserve_bytes(self, setting: Setting) -> int:
        """What SGLang leaves outside weights and pools on a card."""
        get, plan = self._runtime.get, setting.plan
        size = setting.memory_gib or LARGE_GIB + 1
        chunk = max(setting.scenario.max_batched_tokens or self._by_size("chunk", size), 2048)
        mib = get("reserve_base_mib").value + get("reserve_per_token_mib").value * chunk
        mib += get("reserve_per_rank_mib").value * plan.tp * plan.pp
        mib += get("reserve_per_sequence_mib").value * self._by_size("graph_seqs", size)
        rows = rank_rows(tuple(setting.model.distinct_layers()), 1, "auto")
        latent = any(row.kind == "mla" for layer in rows for row in layer)
        mib += get("reserve_latent_mib" if latent else "reserve_graphs_mib").value
        if size > LARGE_GIB:
            mib = max(mib, get("reserve_large_mib").value)
        return round(mib * MIB)

    def _by_size(self, name: str, gib: float) -> int:
        suffix = "_160" if gib >= HUGE_GIB else "_60" if gib >= LARGE_GIB else "_20" if gib >= SMALL_GIB else ""
        key = f"{name}_tokens" if name == "chunk" and not suffix else name + suffix
        return int(self._runtime.defaults[key])

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        asked = setting.scenario.mem_fraction_static
        if asked and setting.device:
            reserve = round((1 - asked) * setting.device.usable_bytes)
            numbers: tuple[tuple[str, int | float | str], ...] = (("mem_fraction_static", asked),)
        else:
            reserve, numbers = self.reserve_bytes(setting), (("plan", setting.plan.text),)
        return (
            Cost(
                "activations and graphs",
                "compute",
                reserve,
                formula="what stays outside weights and pools",
                numbers=numbers,
                source="SGLang srt/arg_groups/memory_hook.py",
            ),
            constant_cost("context", "runtime", self._runtime.get("context_gib"), GIB),
        )

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        return usable_bytes
