"""Block-sparse attention: what scoring the blocks of a cache leaves in memory, and the mask that keeps the best."""

from collections.abc import Iterator

from vram_tui.estimator.blocks import Attention
from vram_tui.estimator.cache_types import element_bytes
from vram_tui.estimator.compute_attention import Attended, hadamard, new_keys, new_values, projection, stored
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_tape import Ref, Size

SCORED_CELLS = 256
"""Cells of an empty cache that are scored: buffers are reserved before there is a token (llama.cpp b11549)."""
BLOCK_CELLS = 128
"""Cells that are kept or left out together."""
_BLOCKS = SCORED_CELLS // BLOCK_CELLS
KEY_SLOTS = "blocks.k_slots"
_FLOATS = "mask.floats"


def constants(settings: ComputeSettings) -> Iterator[tuple[str, Size]]:
    """What every layer reads for each stream: the scored cells, their mask, the kept blocks, the block of each cell."""
    rows = settings.tokens // settings.streams
    yield "cells", Size(4 * SCORED_CELLS)
    yield "seen", Size(4 * SCORED_CELLS * rows)
    yield "kept", Size(4 * _BLOCKS * rows)
    yield "spread", Size(0, 4)


def declare(build: Build, layers: int, *, cast_before: bool) -> None:
    """The inputs of `layers` sparse layers. A GPU has its own constants for each, the CPU reads them where they are.

    `cast_before`: the mask was widened on the device before, and every layer gets a copy of it.
    """
    settings = build.settings
    build.declare(KEY_SLOTS, Size(8 * settings.tokens))
    build.blocks = [f"blocks.{number if settings.fuses else 0}" for number in range(layers)]
    for name in dict.fromkeys(build.blocks):
        for stream in range(settings.streams):
            for part, size in constants(settings):
                build.declare(f"{name}.{part}.{stream}", size)
        if cast_before:
            build.declare(f"{name}.floats", Size(0, 4 * settings.tokens))


def attend_blocks(build: Build, mixer: Attention, x: Ref) -> Attended:
    """Attention to the blocks that score best: one mask for each group of query heads, stream by stream."""
    indexer, settings, name = mixer.indexer, build.settings, build.blocks.pop(0)
    assert indexer is not None
    build.graph.until(projection(build, indexer.kv_heads * indexer.dim, "indexer_k", "head", True, x))
    build.read(KEY_SLOTS, "positions")
    width = mixer.heads * mixer.head_dim
    q = hadamard(build, mixer, "k", projection(build, width, "attn_q", mixer.qk_norm, True, x), width)
    k = new_keys(build, mixer, mixer.kv_heads * mixer.head_dim, x)
    v = new_values(build, mixer, mixer.kv_heads * mixer.value_dim, x)
    build.graph.until(k)
    build.graph.until(v)
    stored(build, mixer)
    query: Ref | None = None
    out: Ref | None = None
    row = 4 * mixer.heads * mixer.value_dim * (settings.tokens // settings.streams)
    for stream in range(settings.streams):
        gathered = build.bytes_tensor(4 * indexer.dim * SCORED_CELLS, build.inputs[f"{name}.cells.{stream}"])
        if query is None:
            query = projection(build, indexer.heads * indexer.dim, "indexer_q", "head", True, x)
            build.read("positions")
        mask = _block_mask(build, indexer.heads, indexer.top_k, f"{name}.{{}}.{stream}", (gathered, query.as_view))
        copied = _copied_bytes(settings, mixer) if settings.fuses else 0
        scored = build.graph.add(Size(row, copied), (q.as_view, mask))
        part = build.bytes_tensor(row, scored.as_view)
        out = build.bytes_tensor(row * (stream + 1), out.as_view, part.as_view) if out else part
    assert out is not None
    build.expand()
    return Attended(mixer, x, out, None)


def _copied_bytes(settings: ComputeSettings, mixer: Attention) -> int:
    """16-bit copies of one stream's keys and values, per cell."""
    widths = (settings.type_k, mixer.head_dim), (settings.type_v, mixer.value_dim)
    return sum(int(element_bytes("f16")) * mixer.kv_heads * width for kind, width in widths if kind != "f16")


def _block_mask(build: Build, heads: int, top_k: int, name: str, reads: tuple[Ref, Ref]) -> Ref:
    """The mask of one stream: scores, the best blocks by number, ones and zeros, those spread over the cells."""
    graph, settings = build.graph, build.settings
    rows = settings.tokens // settings.streams
    seen, kept, spread = (build.inputs[name.format(part)] for part in ("seen", "kept", "spread"))
    if not settings.fuses:
        kept = kept.as_view
    scores = build.bytes_tensor(4 * SCORED_CELLS * heads * rows, *reads)
    graph.until(scores, seen)
    pooled = Size(4 * _BLOCKS * heads * rows)
    ranked = graph.add(pooled, (graph.add(pooled, (scores.as_view,)), kept), inplace=True)
    chosen = Size(4 * min(_BLOCKS, top_k // BLOCK_CELLS or _BLOCKS) * heads * rows)
    best = graph.add(chosen, (ranked,))
    numbers = graph.add(chosen, (graph.add(chosen, (best,)),), inplace=True)
    zeros = graph.add(Size(4 * _BLOCKS * rows), (kept,), inplace=True)
    halves = build.bytes_tensor(2 * _BLOCKS * rows, zeros)
    flags = build.bytes_tensor(2 * _BLOCKS * heads * rows, halves)
    graph.until(numbers, best, flags)
    turned = graph.add(graph.size(flags), (flags.as_view,))
    turned = graph.add(graph.size(flags), (turned.as_view,))
    wide = Size(0, 4 * heads * rows)
    cell_flags = graph.add(wide, (graph.add(wide, (turned, spread)).as_view,))
    graph.until(cell_flags, _wide_mask(build, name))
    return graph.add(Size(0, 2 * heads * rows), (cell_flags.as_view,))


def _wide_mask(build: Build, name: str) -> Ref:
    """The mask in 32 bit: the first sparse layer widens it for all."""
    handed = f"{name.partition('.{')[0]}.floats"
    if build.inputs.has(handed):
        return build.inputs[handed]
    if _FLOATS not in build.inputs:
        build.inputs[_FLOATS] = build.graph.add(Size(0, 4 * build.settings.tokens), (build.mask("mask"),))
    return build.inputs[_FLOATS]
