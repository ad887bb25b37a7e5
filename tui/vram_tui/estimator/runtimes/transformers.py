"""Transformers: a cache that grows by concatenation, windows capped, every sequence padded to the longest."""

from collections.abc import Sequence

from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import Cost, Memory
from vram_tui.estimator.model import Layer
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.layers import RowWidths
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.single import growth_cost, held_by_reach
from vram_tui.estimator.runtimes.tensorrt import activations
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.sharding import rank_weights
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

_SOURCE = "transformers cache_utils.py"


def compile_transformers(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for Transformers. Raises Refusal with the reason, KeyError for an unknown format."""
    if not {scenario.kv_k, scenario.kv_v} <= {"f16", "bf16", "auto"}:
        raise Refusal("Transformers keeps its cache in the model's 16-bit type", "kv")
    setting = resolve(subject, quant, scenario, facts)
    return assemble(subject, quant, setting, Transformers(facts.runtimes["transformers"]))


class Transformers:
    """The rules of Transformers behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        def row_bytes(row: RowWidths) -> int:
            return 2 * (row.k_width + row.v_width)

        return held_by_reach(
            setting, layers, row_bytes, step_tokens=1, windows=True, state_element_bytes=4, source=_SOURCE
        )

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        get = self._runtime.get
        tokens = setting.scenario.max_batched_tokens or int(get("prefill_tokens").value)
        weights = rank_weights(setting.model, setting.rule, setting.plan).largest
        return (
            growth_cost(self.caches(setting, layers), len(layers), _SOURCE),
            activations(setting, layers, tokens * setting.requests, self._runtime),
            constant_cost("fragmentation", "runtime", get("fragmentation"), weights),
            constant_cost("context", "runtime", get("context_gib"), GIB),
        )

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        return usable_bytes
