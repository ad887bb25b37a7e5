"""A graph under construction: what every block needs to know of its model and of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vram_tui.estimator.blocks import Attention, LatentIndexer
from vram_tui.estimator.compute_setting import OFFLOAD_TOKENS, ComputeSettings
from vram_tui.estimator.compute_tape import Graph, Ref, Size

COPIES = 4
"""Copies of every input that llama.cpp keeps on each of several GPUs, so that micro-batches overlap."""
ROPE_FACTORS = "rope_factors"
"""The table that scales rotary frequencies: every layer in RAM reads it, and it is copied once."""
SPLIT_INPUTS = 30
"""Inputs that one split of a graph may have (GGML_SCHED_MAX_SPLIT_INPUTS)."""


class Inputs(dict[str, Ref]):
    """What waits on the device, by name. Late ones get their place at the start of the split that first reads them.

    A graph is split where another backend computes, and before each weight that is copied from RAM.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.late = False
        self.sizes: dict[str, Size] = {}
        self._graph = graph
        self._places: Iterator[int] = iter(())
        self._empty = False

    def has(self, name: str) -> bool:
        return name in self or name in self.sizes

    def open_split(self, *, empty: bool = False) -> None:
        """From here on inputs that were not read before are copied at this point; `empty`: it has none yet."""
        if self.late:
            self._empty = empty
            self._places = iter([self._graph.place() for _ in range(min(SPLIT_INPUTS, len(self.sizes) + empty))])

    def copied(self, size: Size) -> Ref:
        """A copy of a weight: at the start of the split that is open where that has no inputs, else of a new one."""
        if self._empty:
            self._empty = False
            return self._graph.fill(next(self._places), size, ())
        found = self._graph.add(size)
        self.open_split()
        return found

    def __missing__(self, name: str) -> Ref:
        self._empty = False
        self[name] = found = self._graph.fill(next(self._places), self.sizes.pop(name), ())
        return found


@dataclass(slots=True)
class Build:
    """A graph under construction: what every block needs to know of its model and of the settings."""

    graph: Graph
    settings: ComputeSettings
    hidden: int
    norm_in_place: bool
    """RMS norms may overwrite their input, layer norms may not."""
    windows: bool
    """Some layer has a window: llama.cpp then keeps two caches and stores K before V."""
    fused: tuple[str, ...] = ()
    """Projections that the file joins (qkv, gate-up, beta-alpha)."""
    parallel: bool = False
    """Mixer and feed-forward run side by side from one norm."""
    rotary: bool = True
    """Attention rotates queries and keys."""
    values_width: int = 0
    """Widest V row of the model: what transposed caches index."""
    residual_first: bool = False
    """Sums name the residual stream first, and so overwrite it rather than the branch."""
    scaled_residual: bool = False
    """What a branch is added to is the norm that it read, scaled."""
    inputs: "Inputs" = field(init=False)
    indexer: LatentIndexer | None = None
    """The sparse selection of the model's latent attention: layers without their own reuse the last picks."""
    picks: Ref | None = None
    filled: Ref | None = None
    leaves: list[Ref] = field(default_factory=list)
    """One constant per sparse layer, there from the start: what its selection is filled with."""
    blocks: list[str] = field(default_factory=list)
    """Names of the constants of the block-sparse layers that are still to come."""
    stacked: Ref | None = None
    """Embeddings with the vision features of the first layers behind them."""
    per_layer: Ref | None = None
    """Per-layer inputs, once the first layer has computed them."""
    number: int = 0
    """The layer that is told."""
    rows: int = 0
    """Rows that the feed-forward sees: the micro-batch, or the outputs in the last layer."""
    expanded: int = 0
    """The last place up to which the graph was expanded: where the next layer's states are gathered."""
    staged: Mapping[str, int] = field(default_factory=dict)
    """Weights of this layer that lie in RAM: bytes by role."""
    ready: dict[str, Ref] = field(default_factory=dict)
    """Copies that were made ahead of their reader."""
    apart: bool = False
    """The cache of this layer lies in RAM."""

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.graph)

    def weight(self, *roles: str) -> tuple[Ref, ...]:
        """Copies of weights that lie in RAM, each made right before it is read; none where they are on the device,
        or where so few rows are computed beside the weights."""
        found = []
        for role in roles:
            if role in self.ready:
                found.append(self.ready.pop(role))
                continue
            size = self.staged.get(role, 0)
            if size and self.rows >= OFFLOAD_TOKENS:
                found.append(self.inputs.copied(Size(size)))
        return tuple(found)

    def plus(self, x: Ref, role: str) -> Ref:
        """A bias added in place, told where it is copied from RAM."""
        copy = self.weight(role)
        return self.graph.add(self.graph.size(x), (x, *copy), inplace=True) if copy else x

    def any_weight(self) -> tuple[Ref, ...]:
        """A copy as large as the largest weight in RAM: for blocks whose weights nobody follows one by one."""
        largest = max(self.staged, key=self.staged.__getitem__, default="")
        return self.weight(largest) if largest else ()

    def declare(self, name: str, size: Size) -> None:
        """A small input. It waits from the start, or, where graphs are split, from the split that first reads it."""
        if self.inputs.late:
            self.inputs.sizes[name] = size
        elif self.settings.devices == 1:
            self.inputs[name] = self.graph.add(size)
        else:
            self.inputs[name] = self.lasting(size)

    def lasting(self, size: Size) -> Ref:
        """Copies of an input for several GPUs, so that micro-batches overlap; never given back."""
        refs = [self.graph.add(size) for _ in range(COPIES)]
        for ref in refs:
            self.graph.keep(ref)
        return refs[0]

    def rotates(self, mixer: Attention) -> bool:
        """Whether this attention of this stack rotates queries and keys."""
        return self.rotary and mixer.rotary

    def joined(self, branch: Ref, residual: Ref, *, fed: bool = False) -> Ref:
        """The residual stream after a branch was added, `fed` from the feed-forward."""
        first = self.residual_first or (fed and "gate-up" in self.fused)
        pair = (residual, branch) if first else (branch, residual)
        return self.row_tensor(self.hidden, *pair, inplace=True)

    def carried(self, x: Ref) -> Ref:
        """What a branch is added to: the residual stream itself, or scaled."""
        return self.row_tensor(self.hidden, x, inplace=True) if self.scaled_residual else x

    @property
    def picked(self) -> int:
        """Cells that every token picks."""
        return min(self.indexer.top_k or 2048, self.settings.reach) if self.indexer else 0

    def expand(self) -> None:
        self.expanded = self.graph.place()

    def tensor(self, width: int, *reads: Ref, inplace: bool = False) -> Ref:
        """A float tensor of `width` values for each token of the micro-batch."""
        return self.graph.add(self.settings.floats(width), reads, inplace=inplace)

    def row_tensor(self, width: int, *reads: Ref, inplace: bool = False) -> Ref:
        """A float tensor of `width` values for each row that is still in play."""
        return self.graph.add(Size(4 * width * self.rows), reads, inplace=inplace)

    def norm(self, x: Ref, width: int = 0) -> Ref:
        """A norm and its weight, for the rows in play."""
        normed = self.row_tensor(width or self.hidden, x, inplace=self.norm_in_place)
        return self.plus(self.row_tensor(width or self.hidden, normed, *self.weight("norm"), inplace=True), "norm_bias")

    def mask(self, name: str) -> Ref:
        """A mask as attention reads it; where it waits in 32 bit, the first reader casts it."""
        wide = f"{name}.wide"
        if not self.inputs.has(name) and self.inputs.has(wide):
            self.inputs[name] = self.graph.add(self.settings.mask(name == "window_mask"), (self.inputs[wide],))
        return self.inputs[name]

    def read(self, *names: str) -> None:
        """Small inputs are read here; with one device each is given back after the last time."""
        found = [self.inputs[name] for name in names if self.inputs.has(name)]
        if found:
            self.graph.until(*found)

    def rotating(self) -> tuple[Ref, ...]:
        """The positions that a rotation reads, where a split decides when they are copied; and its factors in RAM."""
        if not self.inputs.late or not self.inputs.has("positions"):
            return ()
        factors = self.staged.get(ROPE_FACTORS, 0)
        if not factors:
            return (self.inputs["positions"],)
        if ROPE_FACTORS not in self.inputs:
            self.inputs.sizes[ROPE_FACTORS] = Size(factors)
        self.inputs.open_split(empty=True)
        return self.inputs["positions"], self.inputs[ROPE_FACTORS]

    def picked_rows(self, width: int, x: Ref) -> Ref:
        """The rows of `x` that have outputs. What follows sees those alone."""
        self.rows = self.settings.outputs
        return self.row_tensor(width, x, self.inputs["rows"])

    def token_norm(self, x: Ref, width: int, role: str = "norm") -> Ref:
        normed = self.tensor(width, x, inplace=self.norm_in_place)
        return self.plus(self.tensor(width, normed, *self.weight(role), inplace=True), f"{role}_bias")

    def gathered(self, width: int) -> Ref:
        """The convolution states of all sequences, gathered before what the layer before left unexpanded."""
        size = Size(4 * width * self.settings.seqs)
        return self.graph.fill(self.expanded, size, (self.inputs["states"],))

    def bytes_tensor(self, size: int, *reads: Ref) -> Ref:
        return self.graph.add(Size(size), reads)
