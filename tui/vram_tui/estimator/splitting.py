"""Which device computes each layer: llama.cpp's split by free memory or by given shares, and what stays in RAM."""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from vram_tui.estimator.records import record

RAM = -1
"""The place of a layer that no device holds."""


@record
class Split:
    """The place of every layer of the file (MTP too) and, last, of the output layer: a device's index, or RAM."""

    places: tuple[int, ...]

    @property
    def layer_count(self) -> int:
        return len(self.places) - 1

    @property
    def head(self) -> int:
        return self.places[-1]

    @property
    def whole(self) -> bool:
        """Whether no layer stays in RAM."""
        return RAM not in self.places

    @property
    def in_ram(self) -> int:
        """Layers that stay in RAM: always the first ones."""
        return self.places[:-1].count(RAM)

    def span(self, place: int) -> tuple[int, int]:
        """First layer of a place and the layer after its last; equal where it has none. The RAM's come first."""
        layers = self.places[:-1]
        if place == RAM:
            return 0, self.in_ram
        first = layers.index(place) if place in layers else self.layer_count
        return first, first + layers.count(place)


def split_layers(layer_count: int, shares: Sequence[float], offloaded: int | None = None) -> Split:
    """The last `offloaded` layers, of which the output layer is one, spread over devices by their shares.

    Shares are free bytes, or what `--tensor-split` says; `offloaded` None is all of them. Layer i of n goes to the
    first device whose part of the running total is above i / n, compared as 32-bit floats.
    Source: llama.cpp src/llama-model.cpp, load_tensors.
    """
    every = layer_count + 1
    count = every if offloaded is None else max(0, min(offloaded, every))
    if not count or not shares or sum(shares) <= 0:
        return Split((RAM,) * every)
    running = [_single(part) for part in accumulate(shares, lambda total, share: _single(_single(total) + share))]
    bounds = [_single(part / running[-1]) for part in running]
    last = len(bounds) - 1
    placed = (min(bisect_right(bounds, _single(number / count)), last) for number in range(count))
    return Split((RAM,) * (every - count) + tuple(placed))


def _single(value: float) -> float:
    """The nearest 32-bit float."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded
