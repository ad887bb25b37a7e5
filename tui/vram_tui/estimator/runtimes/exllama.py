"""ExLlamaV3: caches in pages of 256 tokens, allocated whole; embeddings in RAM; uneven tensor parallelism."""

from collections.abc import Sequence

from vram_tui.estimator.cache_types import grouped_row_bytes
from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import Cost, Memory
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.layers import RowWidths
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.single import held_by_reach
from vram_tui.estimator.runtimes.tensorrt import activations
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

SCALE_GROUP, SCALE_BYTES = 32, 2
"""A quantized cache keeps a 16-bit scale for every 32 elements."""


def compile_exllama(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for ExLlamaV3. Raises Refusal with the reason, KeyError for an unknown format."""
    setting = resolve(subject, quant, scenario, facts, uneven=True)
    return assemble(subject, quant, setting, Exllama(facts.runtimes["exllamav3"]))


class Exllama:
    """The rules of ExLlamaV3 behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        scenario, page = setting.scenario, self._runtime.get("page_tokens")

        def row_bytes(row: RowWidths) -> int:
            k = grouped_row_bytes(scenario.kv_k, row.k_width, group=SCALE_GROUP, scale_bytes=SCALE_BYTES)
            return k + grouped_row_bytes(scenario.kv_v, row.v_width, group=SCALE_GROUP, scale_bytes=SCALE_BYTES)

        return held_by_reach(
            setting,
            layers,
            row_bytes,
            step_tokens=int(page.value),
            windows=False,
            state_element_bytes=4,
            source=page.source,
        )

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        get = self._runtime.get
        tokens = setting.scenario.ubatch or int(get("chunk_tokens").value)
        return (
            activations(setting, layers, tokens, self._runtime),
            constant_cost("context", "runtime", get("context_gib"), GIB),
            constant_cost("kept free by the loader", "runtime", get("reserve_gib"), GIB),
        )

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        return usable_bytes
