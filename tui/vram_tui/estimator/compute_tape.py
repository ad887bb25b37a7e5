"""The order in which a ggml graph takes and gives back memory, and how much a best-fit allocator reserves for it."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from vram_tui.estimator.records import record

CUDA_ALIGNMENT = 128
CPU_ALIGNMENT = 32
"""Bytes to which a buffer of the backend aligns every tensor."""


class Cells(NamedTuple):
    """Cells of one stream in each cache that a layer may reach, at one context."""

    full: int
    window: int
    quarter: int = 0
    """Entries of the most finely compressed history."""
    coarse: int = 0
    """Entries of the coarsest compressed history."""


class Size(NamedTuple):
    """Bytes as a form in the cells: fixed + Σ rate · cells."""

    fixed: int
    full: int = 0
    window: int = 0
    quarter: int = 0
    coarse: int = 0

    def at(self, cells: Cells) -> int:
        return (
            self.fixed
            + self.full * cells.full
            + self.window * cells.window
            + self.quarter * cells.quarter
            + self.coarse * cells.coarse
        )


class Ref(NamedTuple):
    """A tensor, or a view of one: a view keeps its tensor alive but can never be overwritten in place."""

    node: int
    view: bool = False

    @property
    def as_view(self) -> "Ref":
        return Ref(self.node, True)


@record
class Tape:
    """Memory events of a graph, in execution order.

    Each event is (slot, size index) for an allocation or (slot, -1) for a release; `sizes` are the distinct sizes.
    """

    events: tuple[tuple[int, int], ...]
    sizes: tuple[Size, ...]
    slots: int
    alignment: int = CUDA_ALIGNMENT
    stages: tuple[tuple[int, str], ...] = ()
    """Parts of the graph: the slot with which each begins, and what it is."""

    def reserved_bytes(self, cells: Cells) -> int:
        """Bytes that ggml's allocator reserves: lowest best fit, the last free block grows."""
        return self._replayed(cells)[0]

    def peak_stage(self, cells: Cells) -> str:
        """The part of the graph in which most is reserved for the first time."""
        _, slot = self._replayed(cells)
        return next((name for first, name in reversed(self.stages) if first <= slot), "inputs")

    def _replayed(self, cells: Cells) -> tuple[int, int]:
        """Bytes reserved in the end, and the slot of the last tensor that needed more than there was."""
        step = self.alignment
        bytes_of = [-(-size.at(cells) // step) * step for size in self.sizes]
        # Free blocks by their place; the last one is without end. Written out in one loop: it turns millions of times.
        offsets, lengths = [0], [_ENDLESS]
        start, held = [0] * self.slots, [0] * self.slots
        peak, highest = 0, 0
        for slot, index in self.events:
            if index < 0:
                at, size = start[slot], held[slot]
                if not size:
                    continue
                block = bisect_left(offsets, at)
                if block and offsets[block - 1] + lengths[block - 1] == at:
                    lengths[block - 1] += size
                    if at + size == offsets[block]:
                        lengths[block - 1] += lengths[block]
                        del offsets[block], lengths[block]
                elif at + size == offsets[block]:
                    offsets[block] = at
                    lengths[block] += size
                else:
                    offsets.insert(block, at)
                    lengths.insert(block, size)
                continue
            need = bytes_of[index]
            best, best_length = -1, _ENDLESS
            for block, length in enumerate(lengths):
                if need <= length <= best_length:
                    best, best_length = block, length
            if best < 0:
                best, best_length = len(lengths) - 1, lengths[-1]
            at = offsets[best]
            start[slot], held[slot] = at, need
            if best_length == need:
                del offsets[best], lengths[best]
            else:
                offsets[best] = at + need
                lengths[best] = best_length - need
            if at + need > peak:
                peak, highest = at + need, slot
        return peak, highest


_ENDLESS = 1 << 62


class Graph:
    """A ggml graph reduced to what its allocator sees: tensors with sizes, their readers, what may be overwritten."""

    def __init__(self) -> None:
        self._sizes: list[Size] = []
        self._reads: list[tuple[Ref, ...]] = []
        self._inplace: list[bool] = []
        self._kept: set[int] = set()
        self._stages: list[tuple[int, str]] = []

    def begin(self, stage: str) -> None:
        """What is added from now on belongs to another part of the graph."""
        self._stages.append((len(self._sizes), stage))

    def add(self, size: Size, reads: Iterable[Ref] = (), *, inplace: bool = False) -> Ref:
        """A new tensor computed from `reads`; `inplace` lets it take over the first of them that is free for it."""
        self._sizes.append(size)
        self._reads.append(tuple(reads))
        self._inplace.append(inplace)
        return Ref(len(self._sizes) - 1)

    def size(self, ref: Ref) -> Size:
        return self._sizes[ref.node]

    def place(self) -> int:
        """A place in the order that a later `fill` may use: llama.cpp expands some branches late."""
        return self.add(_NOTHING).node

    def fill(self, place: int, size: Size, reads: Iterable[Ref]) -> Ref:
        self._sizes[place], self._reads[place] = size, tuple(reads)
        return Ref(place)

    def keep(self, ref: Ref) -> None:
        """Never release this tensor."""
        self._kept.add(ref.node)

    def until(self, *refs: Ref) -> None:
        """Read tensors at this point of the order without computing anything: they live at least until here."""
        self.add(Size(0), refs)

    def tape(self, alignment: int = CUDA_ALIGNMENT) -> Tape:
        """The events of this graph: allocations, take-overs resolved, releases after the last reader."""
        uses = [0] * len(self._sizes)
        for reads in self._reads:
            for ref in reads:
                uses[ref.node] += 1
        index: dict[Size, int] = {}
        slot_of: list[int] = [-1] * len(self._sizes)
        events: list[tuple[int, int]] = []
        for node, size in enumerate(self._sizes):
            slot = self._taken_over(node, uses, slot_of)
            if slot < 0 and size != _NOTHING:
                slot = node
                events.append((slot, index.setdefault(size, len(index))))
            slot_of[node] = slot
            for ref in self._reads[node]:
                uses[ref.node] -= 1
                if not uses[ref.node] and ref.node not in self._kept and slot_of[ref.node] not in (-1, slot):
                    events.append((slot_of[ref.node], -1))
        return Tape(tuple(events), tuple(index), len(self._sizes), alignment, tuple(self._stages))

    def _taken_over(self, node: int, uses: list[int], slot_of: list[int]) -> int:
        if self._inplace[node]:
            for ref in self._reads[node]:
                same = self._sizes[ref.node] == self._sizes[node]
                if same and not ref.view and uses[ref.node] == 1 and ref.node not in self._kept:
                    return slot_of[ref.node]
        return -1


_NOTHING = Size(0)
