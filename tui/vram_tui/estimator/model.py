"""A model as a stack of blocks, with the few facts that belong to it as a whole."""

from collections.abc import Iterator
from dataclasses import field

from vram_tui.estimator.blocks import Attention, FeedForward, Frame, Mixer, Parallel
from vram_tui.estimator.records import record


@record
class Layer:
    """One layer: a mixer, a feed-forward, or only one of the two."""

    mixer: Mixer | None = None
    feed_forward: FeedForward | None = None

    @property
    def halves(self) -> int:
        return (self.mixer is not None) + (self.feed_forward is not None)


@record
class Stack:
    """A run of layers, repeated."""

    layers: tuple[Layer, ...]
    repeat: int = 1


@record
class Mtp:
    """Multi-token-prediction layers beside the trunk."""

    layers: tuple[Layer, ...]
    repeat: int = 1
    norms: int = 3
    projection: bool = True
    head: str = "shared"
    hyper: bool = True
    hyper_head: bool = False


@record
class Tower:
    """A vision or audio encoder: counted apart, never in the language model's file. 0 parameters: nobody says."""

    kind: str
    parameters: int = 0
    deepstack: int = 0


@record
class PerLayerInput:
    """A second embedding table that feeds every layer."""

    size: int
    vocab_size: int


@record
class AltUp:
    """Alternating updates: parallel predictions of the hidden state with a low-rank residual."""

    inputs: int
    laurel_rank: int


@record
class HyperConnections:
    """Several residual streams mixed by learned maps."""

    streams: int
    style: str = "full"
    rank: int = 0
    head: bool = True
    """Whether the streams end in one by learned weights; else by their mean."""


@record
class Gguf:
    """What a converter changes: facts of the file, not of the model."""

    architecture: str = ""
    vocab_size: int = 0
    mtp: bool = True
    mtp_norms: int = 3
    fused: tuple[str, ...] = ()
    mla: str = "absorbed"
    rope_factors: int = 0
    """Elements of all tables that scale rotary frequencies."""
    rope_tables: int = 1
    """How many such tables there are: two where long and short contexts have their own."""
    layer_scalars: int = 0
    stored_shared_kv: bool = False
    tied: bool | None = None
    left_out: tuple[str, ...] = ()
    """Roles of optional tensors that this file does not have; "shared:" before one: only in layers with shared K/V."""
    value_length: int = 0
    """The width of a V head that the file states, where it is not the one of the blocks (llama.cpp checks this one)."""


@record
class Model:
    """Everything the estimator asks of a model. Widths are elements, contexts are tokens."""

    hidden_size: int
    vocab_size: int
    stack: tuple[Stack, ...]
    tied_embeddings: bool = False
    norm: str = "rms"
    norms: str = "pre"
    final_norm: bool = True
    embedding_norm: bool = False
    head_bias: bool = False
    extra_embedding_rows: int = 0
    position_ids: int = 1
    """Positions of a token: four where pictures have time, row and column (M-RoPE)."""
    per_layer_input: PerLayerInput | None = None
    altup: AltUp | None = None
    hyper_connections: HyperConnections | None = None
    residual_vectors: int = 0
    residual_conv: int = 0
    lookup_tables: int = 0
    mtp: Mtp | None = None
    towers: tuple[Tower, ...] = ()
    gguf: Gguf = field(default_factory=Gguf)
    context_tokens: int = 0
    """Native context; 0 when nothing states it."""

    def layers(self) -> Iterator[Layer]:
        """The trunk, layer by layer (without MTP)."""
        for part in self.stack:
            for _ in range(part.repeat):
                yield from part.layers

    def mtp_layers(self) -> Iterator[Layer]:
        if self.mtp:
            for _ in range(self.mtp.repeat):
                yield from self.mtp.layers

    @property
    def layer_count(self) -> int:
        return sum(part.repeat * len(part.layers) for part in self.stack)

    def distinct_layers(self) -> dict[Layer, int]:
        """Each different layer of the trunk with how often it occurs, in order of first appearance."""
        counts: dict[Layer, int] = {}
        for part in self.stack:
            for layer in part.layers:
                counts[layer] = counts.get(layer, 0) + part.repeat
        return counts

    def frame(self, *, file: bool) -> Frame:
        """The model-wide facts that blocks need, for a GGUF file or for the model itself."""
        return Frame(
            hidden=self.hidden_size,
            vocab_size=(self.gguf.vocab_size if file else 0) or self.vocab_size,
            fused=self.gguf.fused if file else (),
            expanded_mla=self.gguf.mla == "expanded",
            norm_bias=self.norm == "layer",
            attention_gqa=self._attention_gqa(),
            stored_shared_kv=self.gguf.stored_shared_kv,
            file=file,
        )

    def _attention_gqa(self) -> int:
        for layer in self.distinct_layers():
            mixer = layer.mixer
            parts = mixer.parts if isinstance(mixer, Parallel) else (mixer,)
            for part in parts:
                if isinstance(part, Attention) and part.kv_heads:
                    return part.heads // part.kv_heads
        return 0
