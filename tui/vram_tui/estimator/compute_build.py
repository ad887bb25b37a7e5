"""A graph under construction: what every block needs to know of its model and of the settings."""

from dataclasses import dataclass, field

from vram_tui.estimator.blocks import LatentIndexer
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_tape import Graph, Ref, Size


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
    inputs: dict[str, Ref] = field(default_factory=dict)
    indexer: LatentIndexer | None = None
    """The sparse selection of the model's latent attention: layers without their own reuse the last picks."""
    picks: Ref | None = None
    filled: Ref | None = None
    leaves: list[Ref] = field(default_factory=list)
    """One constant per sparse layer, there from the start: what its selection is filled with."""
    stacked: Ref | None = None
    """Embeddings with the vision features of the first layers behind them."""
    per_layer: Ref | None = None
    """Per-layer inputs, once the first layer has computed them."""
    rows: int = 0
    """Rows that the feed-forward sees: the micro-batch, or the outputs in the last layer."""
    expanded: int = 0
    """The last place up to which the graph was expanded: where the next layer's states are gathered."""

    def rotates(self, window: int) -> bool:
        """Whether attention of this reach rotates: beside windows, parallel stacks leave full attention unrotated."""
        return self.rotary and not (self.parallel and self.windows and not window)

    def joined(self, branch: Ref, residual: Ref) -> Ref:
        """The residual stream after a branch was added."""
        pair = (residual, branch) if self.residual_first else (branch, residual)
        return self.row_tensor(self.hidden, *pair, inplace=True)

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
        return self.row_tensor(width or self.hidden, normed, inplace=True)

    def read(self, *names: str) -> None:
        """Small inputs are read here; with one device each is given back after the last time."""
        found = [self.inputs[name] for name in names if name in self.inputs]
        if found:
            self.graph.until(*found)

    def picked_rows(self, width: int, x: Ref) -> Ref:
        """The rows of `x` that have outputs. What follows sees those alone."""
        self.rows = self.settings.outputs
        return self.row_tensor(width, x, self.inputs["rows"])

    def token_norm(self, x: Ref, width: int) -> Ref:
        normed = self.tensor(width, x, inplace=self.norm_in_place)
        return self.tensor(width, normed, inplace=True)

    def gathered(self, width: int) -> Ref:
        """The convolution states of all sequences, gathered before what the layer before left unexpanded."""
        size = Size(4 * width * self.settings.seqs)
        return self.graph.fill(self.expanded, size, (self.inputs["states"],))

    def bytes_tensor(self, size: int, *reads: Ref) -> Ref:
        return self.graph.add(Size(size), reads)
