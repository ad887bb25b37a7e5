"""Layers to the shortest `[[stack]]`: the inverse of `Model.layers`."""

from collections.abc import Sequence

from vram_tui.estimator.model import Layer, Stack

LONGEST_PERIOD = 20


def stacked(layers: Sequence[Layer]) -> tuple[Stack, ...]:
    """The fewest entries and written layers that repeat to `layers`; of equals, the one that starts with most."""
    names: dict[Layer, int] = {}
    ids = [names.setdefault(layer, len(names)) for layer in layers]
    count = len(ids)
    best: list[tuple[int, int, int]] = [(0, 0, 0)] * (count + 1)
    for start in range(count - 1, -1, -1):
        best[start] = min(_choices(ids, start, best), key=lambda choice: choice[0])
    found, start = [], 0
    while start < count:
        _, period, repeat = best[start]
        found.append(Stack(tuple(layers[start : start + period]), repeat))
        start += period * repeat
    return tuple(found)


def _choices(ids: list[int], start: int, best: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """(cost, period, repeat) for each run that begins here; an entry costs two written layers."""
    found = []
    for period in range(1, min(LONGEST_PERIOD, len(ids) - start) + 1):
        repeats = 1
        while ids[start : start + period] == ids[start + repeats * period : start + (repeats + 1) * period]:
            repeats += 1
        ends = {1, repeats - 1, repeats} - {0}
        found += [(2 + period + best[start + period * repeat][0], period, repeat) for repeat in ends]
    return sorted(found, key=lambda choice: (choice[0], -choice[1] * choice[2]))
