"""The settings that shape llama.cpp's compute buffers, and the sizes that follow from them."""

from vram_tui.estimator.compute_tape import Size
from vram_tui.estimator.records import record

ROTATION = 64
"""Width of the Hadamard rotation that quantized values pass through (llama.cpp b11549)."""

OFFLOAD_TOKENS = 32
"""Rows of a batch from which weights in RAM are copied for it. Source: llama.cpp, offload_op of the CUDA backend."""


@record
class ComputeSettings:
    """One way of running: tokens per micro-batch, logits rows, sequences, streams, cache types, attention kernel.

    `outputs` is the number of logits rows reserved for a micro-batch; `streams` is 1 for a unified cache, else
    the number of sequences; `devices` is how many GPUs share the layers; `backend` is "cuda" or "cpu".
    """

    ubatch: int = 512
    outputs: int = 1
    seqs: int = 1
    streams: int = 1
    type_k: str = "f16"
    type_v: str = "f16"
    flash: bool = True
    swa_full: bool = False
    windows: bool = True
    """Whether sliding layers slide; else they are computed as if they saw the whole context."""
    devices: int = 1
    backend: str = "cuda"
    reach: int = 1 << 30
    """Cells, where a sparse selection could pick more of them than there are."""
    first: int = 0
    after: int | None = None
    """The layers that this device computes: from `first` up to `after`, all the rest where that is None."""

    mixed: bool = True
    """Batches may mix tokens and embeddings: their inputs wait too, and masks come in 16 bit. Older builds have one
    input, and cast masks of 32 bit where the first attention reads them."""
    ram_layers: int = 0
    """Layers from the first whose caches lie in RAM, and are copied whole for attention."""
    staged: tuple[tuple[tuple[str, int], ...], ...] = ()
    """Weights in RAM that this device copies for large batches: (role, bytes) of each layer and, last, of the head."""

    @property
    def fuses(self) -> bool:
        """The CUDA backend fuses operations and copies caches to 16 bit; the CPU backend does neither."""
        return self.backend == "cuda"

    @property
    def picks_blocks(self) -> bool:
        """Block-sparse attention is sparse only in flash attention, and where no stream holds several sequences."""
        return self.flash and self.streams == self.seqs

    @property
    def quantized_k(self) -> bool:
        return self.type_k not in ("f16", "f32", "bf16")

    @property
    def quantized_v(self) -> bool:
        return self.type_v not in ("f16", "f32", "bf16")

    @property
    def tokens(self) -> int:
        """Tokens of the reserved micro-batch: a multiple of the sequences."""
        return -(-self.ubatch // self.seqs) * self.seqs

    def floats(self, width: int) -> Size:
        """A float tensor of `width` values per token."""
        return Size(4 * width * self.tokens)

    def mask(self, window: bool) -> Size:
        rate = self.tokens * (2 if self.flash else 4)
        return Size(0, 0, rate) if window else Size(0, rate)


def rotation_width(head_dim: int) -> int:
    """Side of the Hadamard matrix for quantized keys: the largest 64·2^k that divides the head; 0 if none does."""
    if head_dim % 64:
        return 0
    side = 64
    while head_dim % (2 * side) == 0:
        side *= 2
    return side
