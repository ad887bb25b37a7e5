"""Activation peaks of a model's blocks: floats per token of a micro-batch that llama.cpp's compute buffer needs.

Source: llama.cpp's own allocator (b11549), asked on simulated devices.
"""

from typing import NamedTuple

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    Experts,
    FeedForward,
    Gated,
    Kda,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    Plain,
)
from vram_tui.estimator.model import Model


class Peaks(NamedTuple):
    """Widths in elements. `inputs` are kept through the whole graph, `body` is the widest feed-forward or recurrent
    stage, `latent` the stage of absorbed latent attention (0: none), `query` the widest heads × head."""

    inputs: int
    body: int
    latent: int
    query: int
    heads: int
    per_layer: int
    masks: int
    """Masks per cache: two where an indexer has its own."""


def peaks(model: Model) -> Peaks:
    """Fold the blocks of a model into its peaks."""
    hidden = model.hidden_size
    body = latent = query = heads = 0
    compressed = indexed = dense = False
    for layer in model.distinct_layers():
        for mixer in _parts(layer.mixer):
            body = max(body, _recurrent(mixer))
            if isinstance(mixer, Attention):
                query, heads = max(query, mixer.heads * mixer.head_dim), max(heads, mixer.heads)
                indexed = indexed or mixer.indexer is not None
            elif isinstance(mixer, Mla):
                width = mixer.kv_rank + mixer.rope
                query, heads = max(query, mixer.heads * width), max(heads, mixer.heads)
                latent = max(latent, mixer.heads * (5 * mixer.kv_rank // 2 + mixer.rope))
                indexed = indexed or mixer.indexer is not None
            elif isinstance(mixer, Compressed):
                compressed = True
                query, heads = max(query, mixer.heads * mixer.head_dim), max(heads, mixer.heads)
        dense = dense or isinstance(layer.feed_forward, Gated | Plain)
    for layer in model.distinct_layers():
        if layer.feed_forward:
            body = max(body, _feed_forward(layer.feed_forward, hidden, query > hidden or dense))
    if model.norms == "parallel":
        body += hidden
    per_layer = model.per_layer_input.size * model.layer_count if model.per_layer_input else 0
    levels = max((tower.deepstack for tower in model.towers), default=0)
    return Peaks(
        inputs=(2 if compressed else 4) * hidden * (1 + levels),
        body=body + 2 * per_layer,
        latent=latent,
        query=query,
        heads=heads,
        per_layer=per_layer,
        masks=2 if indexed else 1,
    )


def _parts(mixer: Mixer | None) -> tuple[Mixer, ...]:
    if mixer is None:
        return ()
    return mixer.parts if isinstance(mixer, Parallel) else (mixer,)


def _recurrent(mixer: Mixer) -> int:
    match mixer:
        case DeltaNet():
            return 3 * mixer.value_width + 4 * mixer.key_width
        case Mamba():
            return 3 * mixer.inner
        case Mamba2():
            return 3 * mixer.inner + 4 * mixer.groups * mixer.state_size
        case Kda():
            return 7 * mixer.width
    return 0


def _feed_forward(block: FeedForward, hidden: int, wider: bool) -> int:
    match block:
        case Gated():
            return 3 * block.size
        case Plain():
            return block.size
        case Experts():
            width = block.latent or hidden
            if not block.gated:
                return 2 * block.active * width + block.active * block.size
            peak = max(3 * block.active * block.size, 2 * block.active * hidden + (hidden if wider else 0))
            if block.shared:
                peak = max(peak, 2 * block.active * hidden + 3 * block.active * block.size)
            return max(peak, 3 * block.dense)
