"""The graph of a whole stack as the allocator sees it: inputs, the layers that tell something new, the head."""

from collections.abc import Iterator
from math import ceil

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    Experts,
    FeedForward,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    ShortConv,
)
from vram_tui.estimator.cache_types import element_bytes
from vram_tui.estimator.compute_attention import attend, projected
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_feed import feed
from vram_tui.estimator.compute_mixers import mix
from vram_tui.estimator.compute_setting import ROTATION, ComputeSettings, rotation_width
from vram_tui.estimator.compute_tape import Graph, Ref, Size, Tape
from vram_tui.estimator.model import Layer, Model

COPIES = 4
"""Copies of every input that llama.cpp keeps on each of several GPUs, so that micro-batches overlap."""


def device_tape(model: Model, settings: ComputeSettings, first: int = 0, after: int | None = None) -> Tape:
    """Memory events of the device that computes the layers `first` … `after` - 1 (all of them without bounds).

    The device of the last layer also computes the head.
    """
    count = model.layer_count
    after = count if after is None else after
    shape = _Shape(model)
    build = _build(model, settings, shape)
    span = list(model.layers())[first:after]
    for layer in span:
        if build.indexer and isinstance(layer.mixer, Mla):
            build.leaves.append(build.tensor(build.picked))
    if after < count and (late := _late_gate(model, after)):
        _input(build, settings.floats(late[0]))
    x, normed = _inputs(build, model, shape) if not first else _handed_over(build, model, shape, first, after)
    for number, (layer, told) in enumerate(_telling_layers(span), first):
        if told:
            x = _layer(build, model, layer, x, normed, last=number == count - 1)
            x = _layer_end(build, model, x, number)
        else:
            _skipped(build, layer)
        normed = None
    if after < count:
        build.graph.until(x, build.tensor(model.hidden_size, x))
        return build.graph.tape()
    x = build.norm(x)
    build.graph.keep(x)
    build.graph.keep(build.row_tensor(shape.vocab_size, x))
    return build.graph.tape()


def _build(model: Model, settings: ComputeSettings, shape: "_Shape") -> Build:
    build = Build(
        Graph(),
        settings,
        model.hidden_size,
        norm_in_place=model.norm == "rms",
        windows=shape.window,
        fused=model.gguf.fused,
        parallel=model.norms == "parallel",
        rotary=shape.rotary,
        residual_first=shape.residual_first,
        indexer=shape.indexer,
        values_width=shape.values_width,
    )
    build.rows = settings.tokens
    return build


class _Shape:
    """What the inputs need to know of the whole stack."""

    def __init__(self, model: Model) -> None:
        mixers = [part for layer in model.distinct_layers() for part in _parts(layer.mixer)]
        attentions = [part for part in mixers if isinstance(part, Attention)]
        self.window = any(part.window for part in attentions) or any(isinstance(part, Compressed) for part in mixers)
        self.full = any(not part.window for part in attentions) or any(isinstance(part, Mla) for part in mixers)
        self.indexer = next((part.indexer for part in mixers if isinstance(part, Mla) and part.indexer), None)
        self.indexed = self.indexer is not None
        self.cached = any(part.cache() for part in mixers)
        self.residual_first = "gate-up" in model.gguf.fused or any(_early(layer) for layer in model.distinct_layers())
        self.latent = any(isinstance(part, Mla) for part in mixers)
        self.recurrent = any(part.state() != (0, 0) for part in mixers if not isinstance(part, Compressed))
        self.first_gathers = isinstance(next(model.layers()).mixer, Mamba | Mamba2 | ShortConv)
        self.rotary = not any(isinstance(layer.mixer, Mamba | Mamba2) for layer in model.distinct_layers())
        self.values_width = max((part.kv_heads * part.value_dim for part in attentions), default=0)
        self.head_dims = {
            name: {part.head_dim for part in attentions if bool(part.window) == (name == "window_mask")}
            for name in ("window_mask", "mask")
        }
        self.value_dims = {
            name: {part.value_dim for part in attentions if bool(part.window) == (name == "window_mask")}
            for name in ("window_mask", "mask")
        }
        self.vocab_size = model.gguf.vocab_size or model.vocab_size
        self.input_width = model.hidden_size * (1 + model_levels(model))


def _parts(mixer: Mixer | None) -> tuple[Mixer, ...]:
    if mixer is None:
        return ()
    return mixer.parts if isinstance(mixer, Parallel) else (mixer,)


def _input(build: Build, size: Size) -> Ref:
    """A tensor that waits on the device from the start; with several GPUs four of them, never released."""
    if build.settings.devices == 1:
        return build.graph.add(size)
    refs = [build.graph.add(size) for _ in range(COPIES)]
    for ref in refs:
        build.graph.keep(ref)
    return refs[0]


def _constant(build: Build, size: int) -> Ref:
    """A small input that layers read to the end."""
    ref = _input(build, Size(size))
    build.graph.keep(ref)
    return ref


def _inputs(build: Build, model: Model, shape: _Shape) -> tuple[Ref, Ref | None]:
    """Tensors that wait on the device from the start, and the embeddings picked out of them."""
    settings, tokens = build.settings, build.settings.tokens
    wide, narrow = settings.floats(shape.input_width), settings.floats(build.hidden)
    deep = wide != narrow
    embedded = _input(build, narrow) if deep else None
    mixed = _input(build, narrow if deep else wide)
    selected = _input(build, wide)
    slots = _input(build, Size(8 * tokens))
    if shape.first_gathers:
        build.inputs["states"] = _constant(build, 4 * settings.seqs)
    embedded = embedded or _input(build, wide)
    _reach_inputs(build, model, shape)
    if deep:
        build.stacked = build.graph.add(wide, (embedded,))
        selected, copied = build.graph.add(wide, (mixed,)), build.graph.add(wide, (selected,))
    else:
        copied = build.graph.add(wide, (mixed,))
    build.graph.keep(copied)
    build.graph.until(selected, slots, copied)
    build.expand()
    build.inputs["embedded"] = embedded
    return (build.stacked.as_view if build.stacked else embedded), None


def _handed_over(build: Build, model: Model, shape: _Shape, first: int, after: int) -> tuple[Ref, Ref | None]:
    """What the devices before hand on: the residual stream, its norm without the weight, per-layer inputs, and
    the caches that layers with shared keys and values read."""
    if model.per_layer_input:
        build.per_layer = _input(build, build.settings.floats(model.per_layer_input.size * (after - first)))
    if late := _late_gate(model, first):
        _input(build, build.settings.floats(late[1]))
    for size in _foreign_caches(model, build.settings, first, after):
        _input(build, size)
    normed = None if model.norms == "post" else _input(build, build.settings.floats(build.hidden))
    residual = _input(build, build.settings.floats(build.hidden))
    _reach_inputs(build, None, shape)
    build.expand()
    return residual, normed


def _late_gate(model: Model, boundary: int) -> tuple[int, int] | None:
    """Widths of a gate that is computed on the wrong side of a boundary between devices, and of what it is cut from.

    The states of the first layer behind the boundary are gathered before the rest of the last Mamba layer in front
    of it, so that the scheduler counts that layer's gate to the device behind and carries it back.
    """
    layers = list(model.layers())
    if not isinstance(layers[boundary].mixer, Mamba | Mamba2 | ShortConv):
        return None
    for layer in reversed(layers[:boundary]):
        if isinstance(layer.feed_forward, Experts):
            return None
        if isinstance(layer.mixer, Mamba):
            return layer.mixer.inner, 2 * layer.mixer.inner
        if isinstance(layer.mixer, Mamba2):
            return layer.mixer.inner, layer.mixer.inner + layer.mixer.conv_width + layer.mixer.heads
        if layer.mixer is not None:
            return None
    return None


def _foreign_caches(model: Model, settings: ComputeSettings, first: int, after: int) -> Iterator[Size]:
    """The whole caches of earlier devices' layers that this device's layers read instead of own ones."""
    layers = list(model.layers())
    for window in (False, True):
        kinds = [
            (number, layer.mixer)
            for number, layer in enumerate(layers)
            if isinstance(layer.mixer, Attention) and bool(layer.mixer.window) == window
        ]
        owners = [pair for pair in kinds if pair[1].kv == "own"]
        reads = any(mixer.kv == "shared" and first <= number < after for number, mixer in kinds)
        if not reads or not owners or owners[-1][0] >= first:
            continue
        mixer = owners[-1][1]
        k, v = mixer.kv_heads * mixer.head_dim, mixer.kv_heads * mixer.value_dim
        rate = settings.streams * ceil(k * element_bytes(settings.type_k) + v * element_bytes(settings.type_v))
        yield Size(0, 0, rate) if window else Size(0, rate)


def _reach_inputs(build: Build, model: Model | None, shape: _Shape) -> None:
    """Positions, cache indices, masks, states and the rows that have outputs."""
    settings, tokens = build.settings, build.settings.tokens
    if shape.recurrent and "states" not in build.inputs:
        build.inputs["states"] = _constant(build, 4 * settings.seqs)
    if shape.rotary and shape.cached:
        _constant(build, 4 * tokens)
    if shape.indexed:
        _constant(build, 4 * 128 * 128)
    for name in _caches(shape):
        _cache_inputs(build, shape, name)
        if model and model.per_layer_input and "per_layer" not in build.inputs:
            width = model.per_layer_input.size * model.layer_count
            build.inputs["per_layer"] = _input(build, settings.floats(width))
    build.inputs["rows"] = _constant(build, 4 * settings.outputs)


def _caches(shape: _Shape) -> Iterator[str]:
    if shape.window:
        yield "window_mask"
    if shape.full:
        yield "mask"


def _cache_inputs(build: Build, shape: _Shape, name: str) -> None:
    settings, tokens = build.settings, build.settings.tokens
    if not shape.latent:
        for size in _rotations(settings, shape, name):
            _constant(build, size)
    _constant(build, 8 * tokens)
    if not shape.latent:
        _constant(build, 8 * tokens * (1 if settings.flash else shape.values_width))
    if shape.indexed:
        build.inputs["indexer_mask"] = _input(build, Size(0, 2 * tokens))
    build.inputs[name] = _input(build, settings.mask(name == "window_mask"))


def _telling_layers(layers: list[Layer]) -> Iterator[tuple[Layer, bool]]:
    """Each layer, and whether it can tell something new: the two before it and itself are a new triple, or the end."""
    seen: set[tuple[Layer | None, ...]] = set()
    previous: tuple[Layer | None, Layer | None] = (None, None)
    for number, layer in enumerate(layers):
        triple = (*previous, layer)
        yield layer, triple not in seen or number >= len(layers) - 2
        seen.add(triple)
        previous = (previous[1], layer)


def _skipped(build: Build, layer: Layer) -> None:
    if build.indexer and isinstance(layer.mixer, Mla):
        build.graph.until(build.leaves.pop(0))


def _layer_end(build: Build, model: Model, x: Ref, number: int) -> Ref:
    """What follows the feed-forward: vision features of the first layers, per-layer inputs."""
    if build.stacked and number < model_levels(model):
        x = build.row_tensor(build.hidden, x, build.stacked.as_view, inplace=True)
    if model.per_layer_input:
        size, hidden = model.per_layer_input.size, build.hidden
        gate = build.row_tensor(size, x)
        gate = build.row_tensor(size, gate, inplace=True)
        if not build.per_layer:
            build.per_layer = _per_layer_inputs(build, size * model.layer_count)
        gate = build.row_tensor(size, gate, build.per_layer.as_view, inplace=True)
        y = build.norm(build.row_tensor(hidden, gate))
        x = build.row_tensor(hidden, x, y, inplace=True)
        if model.gguf.layer_scalars:
            x = build.row_tensor(hidden, x, inplace=True)
    return x


def _per_layer_inputs(build: Build, width: int) -> Ref:
    projected = build.tensor(width, build.inputs["embedded"])
    projected = build.tensor(width, projected, inplace=True)
    normed = build.tensor(width, projected.as_view)
    normed = build.tensor(width, normed, inplace=True)
    selected = build.tensor(width, build.inputs["per_layer"], inplace=True)
    total = build.tensor(width, normed, selected.as_view, inplace=True)
    total = build.tensor(width, total, inplace=True)
    return build.tensor(width, total.as_view)


def model_levels(model: Model) -> int:
    """Layers that a vision tower feeds directly (deepstack)."""
    return max((tower.deepstack for tower in model.towers), default=0)


def _layer(build: Build, model: Model, layer: Layer, x: Ref, handed: Ref | None, *, last: bool) -> Ref:
    """One layer; `handed` is the norm of its input where the device before computed it."""
    norms, hidden = model.norms, model.hidden_size
    mixer, block = layer.mixer, layer.feed_forward
    if mixer is not None:
        if norms == "post":
            normed = x
        else:
            normed = build.tensor(hidden, handed, inplace=True) if handed else build.token_norm(x, hidden)
        if norms == "parallel" and isinstance(mixer, Attention) and block is not None:
            return _side_by_side(build, mixer, block, x, normed, last=last)
        out = mix(build, mixer, normed, x)
        if last:
            out, x = _picked(build, layer, out, x)
        if norms in ("post", "sandwich"):
            out = build.norm(out)
        x = build.joined(out, x) if out != x else x
    if block is not None:
        normed = x if norms == "post" else build.norm(x)
        out = feed(build, block, normed)
        if last and mixer is None:
            build.rows = build.settings.outputs
            out, x = build.row_tensor(hidden, out), build.row_tensor(hidden, x)
        if norms in ("post", "sandwich", "pre+post-ffn"):
            out = build.norm(out)
        x = build.joined(out, x)
    return x


def _side_by_side(build: Build, mixer: Attention, block: FeedForward, x: Ref, normed: Ref, *, last: bool) -> Ref:
    """Attention beside the feed-forward, both from one norm: the attention's projection comes last."""
    hidden, tokens = build.hidden, build.rows
    attended = attend(build, mixer, normed)
    if last:
        build.rows = build.settings.outputs
        normed = build.row_tensor(hidden, normed)
    fed = feed(build, block, normed)
    total = build.row_tensor(hidden, fed, build.row_tensor(hidden, x) if last else x, inplace=True)
    build.rows = tokens
    out = projected(build, attended)
    if last:
        build.rows = build.settings.outputs
        out = build.row_tensor(hidden, out)
    return build.row_tensor(hidden, total, out, inplace=True)


def _early(layer: Layer) -> bool:
    """Whether llama.cpp names the residual stream first, and so expands it before the late part of the branch."""
    mamba = isinstance(layer.mixer, Mamba) and layer.feed_forward is not None
    return mamba or isinstance(layer.mixer, ShortConv)


def _picked(build: Build, layer: Layer, out: Ref, residual: Ref) -> tuple[Ref, Ref]:
    """The last layer goes on with the rows that have outputs: its branch and its residual stream, or their sum."""
    hidden = build.hidden
    if isinstance(layer.mixer, Parallel):
        total = build.joined(out, residual)
        build.rows = build.settings.outputs
        picked = build.row_tensor(hidden, total)
        return picked, picked
    build.rows = build.settings.outputs
    if _early(layer):
        early = build.graph.fill(build.expanded, Size(4 * hidden * build.rows), (residual,))
        return build.row_tensor(hidden, out), early
    return build.row_tensor(hidden, out), build.row_tensor(hidden, residual)


def _rotations(settings: ComputeSettings, shape: _Shape, name: str) -> Iterator[int]:
    """Bytes of the Hadamard matrices that quantized keys and values pass through."""
    k_side = min(map(rotation_width, shape.head_dims[name]), default=0)
    v_side = min(map(rotation_width, shape.value_dims[name]), default=0)
    if settings.quantized_k and k_side:
        yield 4 * k_side**2
    if settings.quantized_v and v_side:
        yield 4 * ROTATION**2


def host_size(model: Model, settings: ComputeSettings) -> Size:
    """Pinned host memory: token ids, embeddings of both input paths, positions, indices and masks."""
    shape = _Shape(model)
    tokens = settings.tokens
    floats = 2 * shape.input_width + 2 * model.hidden_size + 4
    fixed, full, window = 0, 0, 0
    if shape.rotary and shape.cached:
        floats += 1
    if model.norms in ("sandwich",) and model.tied_embeddings:
        floats += 1
    if model.per_layer_input:
        floats += model.per_layer_input.size * model.layer_count + 1
    caches = list(_caches(shape))
    for name in caches:
        floats += 2
        if not shape.latent:
            values = shape.values_width if not settings.flash else 1
            floats += 2 * values
            fixed += sum(_rotations(settings, shape, name))
        rate = tokens * ((2 if settings.flash else 4) + (2 if shape.indexed else 0))
        window, full = (window + rate, full) if name == "window_mask" else (window, full + rate)
    if shape.indexed:
        floats += 2
        fixed += 4 * 128 * 128
    fixed += 4 * floats * tokens + 4 * settings.outputs
    if shape.recurrent:
        fixed += 4 * settings.seqs
    if settings.devices == 1:
        return Size(fixed, full, window)
    looked_up = 4 * tokens * (floats_looked_up(model) - 2)
    return Size(COPIES * fixed - (COPIES - 1) * looked_up, COPIES * full, COPIES * window)


def floats_looked_up(model: Model) -> int:
    """Floats per token that the host computes from tables rather than receives, and so keeps once."""
    per_layer = model.per_layer_input.size * model.layer_count if model.per_layer_input else 0
    return 2 * model.hidden_size + per_layer
