"""Caches of the runtimes that serve few requests at once: rows by reach in their own types, states beside them."""

from collections.abc import Callable, Sequence

from vram_tui.estimator.memory import CachePart, Cost, Reach
from vram_tui.estimator.model import Layer
from vram_tui.estimator.runtimes.layers import RowWidths, state, widths
from vram_tui.estimator.runtimes.serving import Held, Setting
from vram_tui.estimator.units import pad


def held_by_reach(
    setting: Setting,
    layers: Sequence[Layer],
    row_bytes: Callable[[RowWidths], int],
    *,
    step_tokens: int,
    windows: bool,
    state_element_bytes: int,
    source: str,
) -> Held:
    """Every reach in steps of `step_tokens`; without `windows` a sliding layer keeps the whole context too."""
    kinds: dict[tuple[str, int, int], list[int]] = {}
    states = largest = 0
    for layer in layers:
        for row in widths(layer, setting.plan.tp):
            size = row_bytes(row)
            largest = max(largest, size)
            entry = kinds.setdefault((row.kind, row.window if windows else 0, row.ratio), [0, 0])
            entry[0] += size
            entry[1] += 1
        one = state(layer.mixer, setting.model.hidden_size, setting.plan.tp)
        if one:
            states += 2 * one.conv_step * one.conv_steps + state_element_bytes * one.matrix
    reaches: list[Reach] = []
    costs: list[Cost] = []
    parts: list[CachePart] = []
    for (kind, window, ratio), (per_cell, count) in kinds.items():
        reaches.append(Reach(step_tokens, ratio, pad(window, step_tokens) if window else 0))
        again = kind in {part.kind for part in parts}
        costs.append(
            Cost(
                f"{kind} cache {len(reaches)}" if again else f"{kind} cache",
                "kv",
                0,
                ((len(reaches) - 1, per_cell * setting.requests),),
                "cell_bytes · cells · requests",
                (("cell_bytes", per_cell), ("layers", count), ("requests", setting.requests)),
                source=source,
            )
        )
        parts.append(CachePart(kind, count, setting.requests, reaches[-1], per_cell))
    if states:
        numbers = (("state_bytes", states), ("requests", setting.requests))
        formula = "state_bytes · requests"
        costs.append(Cost("recurrent state", "state", states * setting.requests, (), formula, numbers, source=source))
    return Held(tuple(reaches) or (Reach(1),), tuple(costs), tuple(parts))


def growth_cost(held: Held, layers: int, source: str) -> Cost:
    """A cache that grows by copying: for a moment the old and the new buffer of one layer exist."""
    pieces: dict[int, int] = {}
    for cost, part in zip(held.costs, held.parts, strict=False):
        for index, per_cell in cost.per_cell:
            pieces[index] = max(pieces.get(index, 0), per_cell // max(part.layers, 1))
    return Cost(
        "cache growth",
        "compute",
        0,
        tuple(pieces.items()),
        formula="one layer's cache, copied while it grows",
        numbers=(("layers", layers),),
        source=source,
    )
