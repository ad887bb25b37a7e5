"""TensorRT-LLM: paged caches with a pool for every window, activations for its token budget."""

from collections.abc import Sequence

from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import CachePart, Cost, Memory, Reach
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.layers import Row, activation_elements
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.vllm import rank_rows, rank_states
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB, pad


def compile_tensorrt(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for TensorRT-LLM. Raises Refusal with the reason, KeyError for an unknown format."""
    setting = resolve(subject, quant, scenario, facts)
    return assemble(subject, quant, setting, Tensorrt(facts.runtimes["tensorrt-llm"]))


class Tensorrt:
    """The rules of TensorRT-LLM behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        block = int(self._runtime.get("block_tokens").value)
        return by_reach(setting, layers, block, self._runtime.get("block_tokens").source)

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        get, plan = self._runtime.get, setting.plan
        tokens = setting.scenario.max_batched_tokens or int(self._runtime.defaults["batched_tokens"])
        found = [activations(setting, layers, tokens, self._runtime)]
        names = [("graphs_gib", "CUDA graphs", "compute"), ("context_gib", "context and workspaces", "runtime")]
        if plan.devices > 1:
            names.append(("communication_gib", "communication", "runtime"))
        found += [constant_cost(name, group, get(key), GIB) for key, name, group in names]
        return tuple(found)

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        return usable_bytes


def activations(setting: Setting, layers: Sequence[Layer], tokens: int, runtime: RuntimeFacts) -> Cost:
    """The widest layer at a token budget, 16 bit."""
    elements = activation_elements(layers, setting.model.hidden_size, setting.plan)
    factor = runtime.get("activation_factor")
    return Cost(
        "activations",
        "compute",
        round(factor.value * tokens * elements * 2),
        formula="factor · tokens · elements · 2",
        numbers=(("factor", factor.value), ("tokens", tokens), ("elements", elements)),
        basis=factor.basis,
        source=factor.source,
        error=factor.error,
    )


def by_reach(setting: Setting, layers: Sequence[Layer], block: int, source: str) -> Held:
    """Caches that page every reach on its own: rows of equal reach together, windows capped, states beside them."""
    kinds: dict[tuple[str, int, int], list[int]] = {}
    rows: tuple[tuple[Row, ...], ...] = rank_rows(layers, setting.plan.tp, setting.scenario.kv_k)
    for layer in rows:
        for row in layer:
            entry = kinds.setdefault((row.kind, row.window, row.ratio), [0, 0])
            entry[0] += row.row_bytes
            entry[1] += 1
    reaches: list[Reach] = []
    costs: list[Cost] = []
    parts: list[CachePart] = []
    for (kind, window, ratio), (per_cell, count) in kinds.items():
        reaches.append(Reach(block, ratio, pad(window, block) + block if window else 0))
        numbers = (("cell_bytes", per_cell), ("layers", count), ("requests", setting.requests))
        each = ((len(reaches) - 1, per_cell * setting.requests),)
        name = f"{kind} cache" if kind not in {part.kind for part in parts} else f"{kind} cache {len(reaches)}"
        costs.append(Cost(name, "kv", 0, each, "cell_bytes · cells · requests", numbers, source=source))
        parts.append(CachePart(kind, count, setting.requests, reaches[-1], per_cell))
    states = 0
    for one in rank_states(layers, setting.model.hidden_size, setting.plan.tp):
        states += 2 * one.conv_step * one.conv_steps + 4 * one.matrix
    if states:
        numbers = (("state_bytes", states), ("layers", len(layers)), ("requests", setting.requests))
        formula = "state_bytes · requests"
        costs.append(Cost("recurrent state", "state", states * setting.requests, (), formula, numbers, source=source))
    return Held(tuple(reaches) or (Reach(1),), tuple(costs), tuple(parts))
