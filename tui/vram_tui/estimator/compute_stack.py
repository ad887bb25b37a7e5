"""The graph of a whole stack as the allocator sees it: inputs, the layers that tell something new, the head."""

from collections.abc import Iterator
from dataclasses import dataclass

from vram_tui.estimator.blocks import Attention, Compressed, LatentIndexer, Mamba, Mamba2, Mixer, Mla, Parallel, ShortConv
from vram_tui.estimator.compute_feed import feed
from vram_tui.estimator.compute_mixers import Build, mix
from vram_tui.estimator.compute_setting import ROTATION, ComputeSettings, rotation_width
from vram_tui.estimator.compute_tape import Cells, Graph, Ref, Size, Tape
from vram_tui.estimator.model import Layer, Model


def device_tape(model: Model, settings: ComputeSettings) -> Tape:
    """Memory events of the device that holds the whole model."""
    graph = Graph()
    shape = _Shape(model)
    build = Build(
        graph,
        settings,
        model.hidden_size,
        norm_in_place=model.norm == "rms",
        windows=shape.window,
        fused=model.gguf.fused,
        rotary=shape.rotary,
        residual_first=shape.residual_first,
        values_width=shape.values_width,
    )
    build.rows = settings.tokens
    x = _inputs(build, model, shape)
    last = model.layer_count - 1
    for number, (layer, told) in enumerate(_telling_layers(model)):
        if not told:
            _skipped(build, layer)
            continue
        x = _layer(build, model, layer, x, last=number == last)
        x = _layer_end(build, model, x, number)
    x = build.norm(x)
    graph.keep(x)
    logits = build.row_tensor(shape.vocab_size, x)
    graph.keep(logits)
    return graph.tape()


class _Shape:
    """What the inputs need to know of the whole stack."""

    def __init__(self, model: Model) -> None:
        mixers = [part for layer in model.distinct_layers() for part in _parts(layer.mixer)]
        attentions = [part for part in mixers if isinstance(part, Attention)]
        self.window = any(part.window for part in attentions) or any(isinstance(part, Compressed) for part in mixers)
        self.full = any(not part.window for part in attentions) or any(isinstance(part, Mla) for part in mixers)
        self.indexed = any(isinstance(part, Mla) and part.indexer for part in mixers)
        self.cached = any(part.cache() for part in mixers)
        self.residual_first = "gate-up" in model.gguf.fused or any(isinstance(part, ShortConv) for part in mixers)
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


def _inputs(build: Build, model: Model, shape: _Shape) -> Ref:
    """Tensors that wait on the device from the start, and the embeddings picked out of them."""
    settings, tokens = build.settings, build.settings.tokens
    width, hidden = shape.input_width, build.hidden
    for layer in model.layers():
        if indexer := _sparse(layer):
            build.leaves.append(build.tensor(min(indexer.top_k or 2048, settings.reach)))
    deep = width != hidden
    embedded = build.tensor(hidden) if deep else None
    mixed = build.tensor(hidden if deep else width)
    selected = build.tensor(width)
    slots = build.bytes_tensor(8 * tokens)
    if shape.first_gathers:
        build.inputs["states"] = build.bytes_tensor(4 * settings.seqs)
    embedded = embedded or build.tensor(width)
    if shape.recurrent:
        if not shape.first_gathers:
            build.inputs["states"] = build.bytes_tensor(4 * settings.seqs)
        build.graph.keep(build.inputs["states"])
    if shape.rotary and shape.cached:
        build.graph.keep(build.bytes_tensor(4 * tokens))
    if build.leaves:
        build.graph.keep(build.bytes_tensor(4 * 128 * 128))
    for name in _caches(shape):
        _cache_inputs(build, shape, name)
        if model.per_layer_input and "per_layer" not in build.inputs:
            build.inputs["per_layer"] = build.tensor(model.per_layer_input.size * model.layer_count)
    build.inputs["rows"] = build.bytes_tensor(4 * settings.outputs)
    build.graph.keep(build.inputs["rows"])
    if deep:
        build.stacked = build.tensor(width, embedded)
        padded = build.tensor(width, mixed)
        copied = build.tensor(width, selected)
        build.graph.keep(copied)
        build.graph.until(padded, slots, copied)
        build.expand()
        return build.stacked.as_view
    copied = build.tensor(width, mixed)
    build.graph.keep(copied)
    build.graph.until(selected, slots, copied)
    build.expand()
    build.inputs["embedded"] = embedded
    return embedded


def _caches(shape: _Shape) -> Iterator[str]:
    if shape.window:
        yield "window_mask"
    if shape.full:
        yield "mask"


def _cache_inputs(build: Build, shape: _Shape, name: str) -> None:
    settings, tokens = build.settings, build.settings.tokens
    if not shape.latent:
        for size in _rotations(settings, shape, name):
            build.graph.keep(build.bytes_tensor(size))
    build.graph.keep(build.bytes_tensor(8 * tokens))
    if not shape.latent:
        build.graph.keep(build.bytes_tensor(8 * tokens * (1 if settings.flash else shape.values_width)))
    if build.leaves:
        build.inputs["indexer_mask"] = build.graph.add(Size(0, 2 * tokens))
    build.inputs[name] = build.graph.add(settings.mask(name == "window_mask"))


def _telling_layers(model: Model) -> Iterator[tuple[Layer, bool]]:
    """Each layer, and whether it can tell something new: the two before it and itself are a new triple, or the end."""
    layers = list(model.layers())
    seen: set[tuple[Layer | None, ...]] = set()
    previous: tuple[Layer | None, Layer | None] = (None, None)
    for number, layer in enumerate(layers):
        triple = (*previous, layer)
        yield layer, triple not in seen or number >= len(layers) - 2
        seen.add(triple)
        previous = (previous[1], layer)


def _skipped(build: Build, layer: Layer) -> None:
    if _sparse(layer):
        build.graph.until(build.leaves.pop(0))


def _sparse(layer: Layer) -> LatentIndexer | None:
    return layer.mixer.indexer if isinstance(layer.mixer, Mla) else None


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


def _layer(build: Build, model: Model, layer: Layer, x: Ref, *, last: bool) -> Ref:
    norms, hidden = model.norms, model.hidden_size
    if layer.mixer is not None:
        residual = x
        normed = x if norms == "post" else build.token_norm(x, hidden)
        out = mix(build, layer.mixer, normed, residual)
        if last:
            out, residual, normed = _picked(build, out, residual, normed if norms == "parallel" else None)
        if norms in ("post", "sandwich", "pre+post-ffn") and norms != "pre+post-ffn":
            out = build.norm(out)
        if norms == "parallel" and layer.feed_forward is not None:
            fed = feed(build, layer.feed_forward, normed)
            total = build.row_tensor(hidden, fed, residual, inplace=True)
            return build.row_tensor(hidden, total, out, inplace=True)
        x = build.joined(out, residual)
    if layer.feed_forward is not None:
        if last and layer.mixer is None:
            x, _, _ = _picked(build, x, x, None)
        normed = x if norms == "post" else build.norm(x)
        out = feed(build, layer.feed_forward, normed)
        if norms in ("post", "sandwich", "pre+post-ffn"):
            out = build.norm(out)
        x = build.joined(out, x)
    return x


def _picked(build: Build, out: Ref, residual: Ref, normed: Ref | None) -> tuple[Ref, Ref, Ref]:
    """The last layer goes on with the rows that have outputs."""
    build.rows = build.settings.outputs
    picked = [build.row_tensor(build.hidden, ref) for ref in (out, residual)]
    third = build.row_tensor(build.hidden, normed) if normed else picked[1]
    return picked[0], picked[1], third


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
    return Size(fixed, full, window)
