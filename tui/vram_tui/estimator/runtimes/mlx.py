"""MLX: caches that grow by steps, rotating windows, quantized caches in groups; Apple's unified memory."""

from collections.abc import Sequence

from vram_tui.estimator.cache_types import grouped_row_bytes
from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import Cost, Memory
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.layers import RowWidths
from vram_tui.estimator.runtimes.serving import Held, Setting, assemble, constant_cost, resolve
from vram_tui.estimator.runtimes.single import growth_cost, held_by_reach
from vram_tui.estimator.runtimes.tensorrt import activations
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB


def compile_mlx(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Compile for MLX. Raises Refusal with the reason, KeyError for an unknown format."""
    setting = resolve(subject, quant, scenario, facts)
    return assemble(subject, quant, setting, Mlx(facts.runtimes["mlx"]))


class Mlx:
    """The rules of mlx-lm behind the servers' protocol."""

    def __init__(self, runtime: RuntimeFacts) -> None:
        self._runtime = runtime

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held:
        get, scenario = self._runtime.get, setting.scenario
        group = int(get("kv_group").value)

        def row_bytes(row: RowWidths) -> int:
            # A scale and a bias of 16 bit for every group.
            k = grouped_row_bytes(scenario.kv_k, row.k_width, group=group, scale_bytes=4)
            return k + grouped_row_bytes(scenario.kv_v, row.v_width, group=group, scale_bytes=4)

        step = get("step_tokens")
        return held_by_reach(
            setting,
            layers,
            row_bytes,
            step_tokens=int(step.value),
            windows=True,
            state_element_bytes=4,
            source=step.source,
        )

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]:
        tokens = setting.scenario.ubatch or int(self._runtime.get("prefill_tokens").value)
        return (
            growth_cost(self.caches(setting, layers), len(layers), self._runtime.get("step_tokens").source),
            activations(setting, layers, tokens, self._runtime),
            constant_cost("buffers kept for reuse", "runtime", self._runtime.get("reserve_gib"), GIB),
        )

    def usable(self, setting: Setting, usable_bytes: int) -> int:
        return usable_bytes
