"""What waits on a device and on the host before a graph runs: embeddings, positions, indices, masks."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    Experts,
    Kda,
    Lightning,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    ShortConv,
)
from vram_tui.estimator.cache_types import element_bytes
from vram_tui.estimator.compute_build import COPIES, Build
from vram_tui.estimator.compute_recurrent import decays
from vram_tui.estimator.compute_setting import ROTATION, ComputeSettings, rotation_width
from vram_tui.estimator.compute_sparse import constants
from vram_tui.estimator.compute_sparse import declare as declare_blocks
from vram_tui.estimator.compute_tape import CPU_ALIGNMENT, Ref, Size
from vram_tui.estimator.model import Layer, Model

_POOL_INDICES = 14
"""Floats per token of the indices that compressed histories are gathered by."""


class Shape:
    """What the inputs need to know of the stack, and of the layers `first` … `after` - 1 that a device computes."""

    def __init__(self, model: Model, first: int = 0, after: int | None = None) -> None:
        every = model.distinct_layers()
        whole = first == 0 and after is None
        here = every if whole else dict.fromkeys(list(model.layers())[first:after])
        self.opens, self.head = not first, after is None or after == model.layer_count
        self._of_span([part for layer in here for part in parts(layer.mixer)])
        picks = [isinstance(layer.mixer, Attention) and layer.mixer.indexer is not None for layer in model.layers()]
        self.sparse_layers, self.sparse_before = sum(picks[first:after]), any(picks[:first])
        mixers = [part for layer in every for part in parts(layer.mixer)]
        attentions = [part for part in mixers if isinstance(part, Attention)]
        self.windows = any(map(slides, mixers))
        self.indexer = next(
            (part.indexer for part in mixers if isinstance(part, Mla | Compressed) and part.indexer), None
        )
        self.pooled = any(isinstance(part, Compressed) for part in mixers)
        self.indexed = self.indexer is not None and not self.pooled
        self.residual_first = any(early(layer) for layer in every)
        self.latent = any(isinstance(part, Mla | Compressed) for part in mixers)
        opening = next(model.layers()).mixer
        self.first_gathers = isinstance(opening, Lightning | Mamba | Mamba2 | ShortConv)
        self.scaled_residual = any(isinstance(part, Lightning) for part in mixers)
        self.states_last = isinstance(opening, Parallel)
        self.rotary = not any(isinstance(layer.mixer, Kda | Mamba | Mamba2) for layer in every)
        self.position_ids = model.position_ids
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
        hyper = model.hyper_connections
        self.stream_width = model.hidden_size * (hyper.streams if hyper else 1)
        self.input_width = model.hidden_size * (1 + model_levels(model))

    def _of_span(self, mixers: list[Mixer]) -> None:
        """What the layers of one device read."""
        reaching = [part for part in mixers if isinstance(part, Attention | Mla | Compressed)]
        self.window = any(map(slides, reaching))
        self.full = any(not slides(part) for part in reaching)
        self.full_first = bool(reaching) and not slides(reaching[0])
        self.lightning = next((part for part in mixers if isinstance(part, Lightning)), None)
        self.sparse_only = all(isinstance(part, Attention) and part.indexer for part in reaching)
        self.tempered = any(isinstance(part, Attention) and part.temperature for part in mixers)
        self.cached = any(part.cache() for part in mixers)
        self.recurrent = any(part.state() != (0, 0) for part in mixers if not isinstance(part, Compressed))
        self.scans = any(isinstance(part, Mamba | Mamba2) for part in mixers)


def slides(part: Mixer) -> bool:
    """Whether a mixer sees a window of the last tokens."""
    return isinstance(part, Compressed) or (isinstance(part, Attention) and part.window > 0)


def parts(mixer: Mixer | None) -> tuple[Mixer, ...]:
    if mixer is None:
        return ()
    return mixer.parts if isinstance(mixer, Parallel) else (mixer,)


def waiting(build: Build, size: Size) -> Ref:
    """A tensor that waits on the device from the start; with several GPUs four of them, never released."""
    return build.graph.add(size) if build.settings.devices == 1 else build.lasting(size)


def _constant(build: Build, size: int) -> Ref:
    """A small input that is never given back."""
    ref = waiting(build, Size(size))
    build.graph.keep(ref)
    return ref


def inputs(build: Build, model: Model, shape: Shape) -> tuple[Ref, Ref | None]:
    """Tensors that wait on the device from the start, and the embeddings picked out of them."""
    settings, tokens = build.settings, build.settings.tokens
    if model.hyper_connections:
        embedded = waiting(build, settings.floats(build.hidden))
        _reach_inputs(build, model, shape)
        build.expand()
        return build.tensor(shape.stream_width, embedded.as_view), None
    wide, narrow = settings.floats(shape.input_width), settings.floats(build.hidden)
    deep = wide != narrow
    if not settings.mixed:
        return _plain_inputs(build, model, shape), None
    if not settings.fuses:
        return _host_inputs(build, model, shape), None
    early_embedded = waiting(build, narrow) if deep else None
    mixed = waiting(build, narrow if deep else wide)
    selected = waiting(build, wide)
    slots = waiting(build, Size(8 * tokens))
    if shape.first_gathers:
        _states(build, shape)
    # Without a norm before it, the first product reads the embeddings, and its weights are copied before them.
    if build.inputs.late and model.norms == "post":
        build.declare("embedded", wide)
    else:
        build.inputs["embedded"] = early_embedded or waiting(build, wide)
    scales = waiting(build, Size(4 * tokens)) if _scales_rows(model) else None
    _reach_inputs(build, model, shape)
    if deep:
        build.stacked = build.graph.add(wide, (build.inputs["embedded"],))
        selected, copied = build.graph.add(wide, (mixed,)), build.graph.add(wide, (selected,))
    else:
        copied = build.graph.add(wide, (mixed,))
    build.graph.keep(copied)
    build.graph.until(selected, slots, copied)
    if scales:
        build.graph.until(scales)
    build.expand()
    if "embedded" not in build.inputs:
        build.ready.update(zip(("attn_q",), build.weight("attn_q"), strict=False))
    return (build.stacked.as_view if build.stacked else build.inputs["embedded"]), None


def _plain_inputs(build: Build, model: Model, shape: Shape) -> Ref:
    """The same of a build that has one input, tokens: embeddings come from the host, or are looked up here."""
    settings, wide = build.settings, build.settings.floats(shape.input_width)
    build.inputs["embedded"] = embedded = waiting(build, wide if settings.fuses else Size(4 * settings.tokens))
    if shape.first_gathers:
        _states(build, shape)
    _reach_inputs(build, model, shape)
    if not settings.fuses:
        build.inputs["embedded"] = embedded = build.graph.add(wide, (embedded,))
    build.expand()
    if shape.input_width != build.hidden:
        build.stacked = embedded
        return embedded.as_view
    return embedded


def _host_inputs(build: Build, model: Model, shape: Shape) -> Ref:
    """The same on the CPU: the embeddings that a caller may bring stay, the looked-up ones are computed here."""
    settings = build.settings
    wide, ids = settings.floats(shape.input_width), Size(4 * settings.tokens)
    per_layer_ids = build.graph.add(ids) if model.per_layer_input else None
    tokens, mixed_tokens = build.graph.add(ids), build.graph.add(ids)
    build.graph.keep(build.graph.add(wide))
    slots, mixed = build.graph.add(Size(8 * settings.tokens)), build.graph.add(wide)
    scales = (build.graph.add(ids),) if _scales_rows(model) else ()
    _reach_inputs(build, None, shape)
    if model.per_layer_input and per_layer_ids:
        width = model.per_layer_input.size * model.layer_count
        build.inputs["per_layer"] = build.graph.add(settings.floats(width), (per_layer_ids,))
    embedded, selected = build.graph.add(wide, (tokens,)), build.graph.add(wide, (mixed_tokens,))
    copied = build.graph.add(wide, (mixed,))
    build.graph.keep(copied)
    build.graph.until(selected, slots, copied)
    if scales:
        embedded = build.graph.add(wide, (embedded, *scales), inplace=True)
    build.expand()
    build.inputs["embedded"] = embedded
    if shape.input_width != build.hidden:
        build.stacked = embedded
        return embedded.as_view
    return embedded


def handed_over(build: Build, model: Model, shape: Shape, first: int, after: int) -> tuple[Ref, Ref | None]:
    """What the devices before hand on: the residual stream, its norm without the weight, per-layer inputs, and
    the caches that layers with shared keys and values read."""
    if model.per_layer_input:
        build.per_layer = waiting(build, build.settings.floats(model.per_layer_input.size * (after - first)))
    if late := late_gate(model, first):
        waiting(build, build.settings.floats(late[1]))
    for size in _foreign_caches(model, build.settings, first, after):
        waiting(build, size)
    width = build.settings.floats(shape.stream_width)
    # Where older builds split, a log of two cards shows no room for the norm.
    normed = None if model.norms == "post" or not build.settings.mixed else waiting(build, width)
    residual = waiting(build, width)
    _reach_inputs(build, None, shape)
    build.expand()
    return residual, normed


def late_gate(model: Model, boundary: int) -> tuple[int, int] | None:
    """Widths of a gate that is computed on the wrong side of a boundary between devices, and of what it is cut from.

    The states of the first layer behind the boundary are gathered before the rest of the last Mamba layer in front
    of it, so that the scheduler counts that layer's gate to the device behind and carries it back.
    """
    layers = list(model.layers())
    if boundary == len(layers) or not isinstance(layers[boundary].mixer, Mamba | Mamba2 | ShortConv):
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


def _reach_inputs(build: Build, model: Model | None, shape: Shape) -> None:
    """Positions, cache indices, masks, states and the rows that have outputs."""
    settings, tokens = build.settings, build.settings.tokens
    if not shape.states_last:
        _states(build, shape)
    if shape.lightning:
        for name, size in decays(shape.lightning, settings).items():
            build.declare(name, size)
    if shape.rotary and shape.cached:
        build.declare("positions", Size(4 * tokens * shape.position_ids))
    if shape.tempered:
        build.declare("temperatures", Size(4 * tokens))
    if shape.indexed:
        _constant(build, 4 * 128 * 128)
    for name in _caches(shape):
        _cache_inputs(build, shape, name)
        if model and model.per_layer_input and "per_layer" not in build.inputs:
            width = model.per_layer_input.size * model.layer_count
            build.inputs["per_layer"] = waiting(build, settings.floats(width))
    if shape.sparse_layers and settings.picks_blocks:
        declare_blocks(build, shape.sparse_layers, cast_before=shape.sparse_before)
    _states(build, shape)
    if shape.pooled:
        rate = 2 * tokens
        build.inputs["pick_mask"] = waiting(build, Size(0, quarter=rate))
        build.inputs["history_mask"] = waiting(build, Size(0, quarter=rate))
        build.inputs["coarse_mask"] = waiting(build, Size(0, coarse=rate))
    if shape.head:
        build.declare("rows", Size(4 * settings.outputs))
    build.inputs.open_split()


def _states(build: Build, shape: Shape) -> None:
    """Where each sequence keeps its state. Scans read views of it, and a device gets copies of those too."""
    if not shape.recurrent or build.inputs.has("states"):
        return
    seqs = build.settings.seqs
    build.declare("states", Size(4 * seqs))
    if shape.scans and build.settings.fuses:
        build.declare("scanned", Size(4 * seqs))
        if seqs > 1:
            build.declare("resting", Size(4 * (seqs - 1)))


def _caches(shape: Shape) -> Iterator[str]:
    """Masks in the order in which the graph meets them."""
    if shape.full and shape.full_first:
        yield "mask"
    if shape.window:
        yield "window_mask"
    if shape.full and not shape.full_first:
        yield "mask"


def _cache_inputs(build: Build, shape: Shape, name: str) -> None:
    settings, tokens = build.settings, build.settings.tokens
    if not shape.latent:
        for side, size in _rotations(settings, shape, name):
            build.declare(f"{name}.{side}_rotation", Size(size))
    build.declare(f"{name}.k_slots", Size(8 * tokens))
    if not shape.latent:
        width = 1 if settings.flash else shape.values_width
        build.declare(f"{name}.v_slots", Size(8 * tokens * width))
    if shape.indexed:
        build.declare("indexer_slots", Size(8 * tokens))
        build.declare("indexer_mask", Size(0, 2 * tokens))
    casts = settings.flash and not settings.mixed and shape.opens
    mask = replace(settings, flash=settings.flash and not casts).mask(name == "window_mask")
    if not (shape.sparse_before and shape.sparse_only and settings.picks_blocks):
        build.declare(f"{name}.wide" if casts else name, mask)


def _scales_rows(model: Model) -> bool:
    """Whether embeddings that were looked up are scaled row by row, as beside those of a vision tower they must be.

    Stacks that no tower feeds scale them all alike; they are the ones without head norms.
    """
    heads = any(
        isinstance(layer.mixer, Attention) and layer.mixer.qk_norm == "head" for layer in model.distinct_layers()
    )
    return model.norms == "sandwich" and model.tied_embeddings and heads


def model_levels(model: Model) -> int:
    """Layers that a vision tower feeds directly (deepstack)."""
    return max((tower.deepstack for tower in model.towers), default=0)


def _rotations(settings: ComputeSettings, shape: Shape, name: str) -> Iterator[tuple[str, int]]:
    """Bytes of the Hadamard matrices that quantized keys and values pass through, with k or v."""
    k_side = min(map(rotation_width, shape.head_dims[name]), default=0)
    v_side = min(map(rotation_width, shape.value_dims[name]), default=0)
    if settings.quantized_k and k_side:
        yield "k", 4 * k_side**2
    if settings.quantized_v and v_side:
        yield "v", 4 * ROTATION**2


def host_size(model: Model, settings: ComputeSettings) -> Size:
    """Pinned host memory: token ids, embeddings of both input paths, positions, indices and masks.

    Every tensor starts at a multiple of 32 bytes: only the shortest have a length that is none.
    """
    shape = Shape(model)
    tokens = settings.tokens
    if shape.pooled:
        rate = tokens * (2 if settings.flash else 4)
        fixed = 4 * tokens * (2 * model.hidden_size + _POOL_INDICES) + 4 * 128 * 128
        return Size(fixed, 0, rate, 2 * rate, rate)
    floats = 2 * shape.input_width + 2 * model.hidden_size + 4
    if not settings.mixed:
        floats = shape.input_width + model.hidden_size + 1
    fixed, full, window = 0, 0, 0
    floats += shape.position_ids * (shape.rotary and shape.cached) + shape.tempered
    if _scales_rows(model):
        floats += 1
    if model.per_layer_input:
        floats += model.per_layer_input.size * model.layer_count + 1
    caches = list(_caches(shape))
    for name in caches:
        floats += 2
        if not shape.latent:
            values = shape.values_width if not settings.flash else 1
            floats += 2 * values
            fixed += sum(size for _, size in _rotations(settings, shape, name))
        rate = tokens * ((2 if settings.flash and settings.mixed else 4) + (2 if shape.indexed else 0))
        window, full = (window + rate, full) if name == "window_mask" else (window, full + rate)
    if shape.indexed:
        floats += 2
        fixed += 4 * 128 * 128
    if shape.sparse_layers and settings.picks_blocks:
        floats += 2
        sizes = [size for _, size in constants(settings)]
        fixed += settings.streams * sum(size.fixed for size in sizes)
        full += settings.streams * sum(size.full for size in sizes)
    fixed += 4 * floats * tokens + _aligned(4 * settings.outputs)
    if shape.recurrent:
        fixed += _aligned(4 * settings.seqs)
    if shape.lightning:
        fixed += sum(size.fixed for size in decays(shape.lightning, settings).values())
    if settings.devices == 1:
        return Size(fixed, full, window)
    looked_up = 4 * tokens * floats_looked_up(model) // (1 if settings.mixed else 2)
    return Size(COPIES * fixed - (COPIES - 1) * looked_up, COPIES * full, COPIES * window)


def _aligned(size: int) -> int:
    return -(-size // CPU_ALIGNMENT) * CPU_ALIGNMENT


def floats_looked_up(model: Model) -> int:
    """Floats per token that the host computes from tables rather than receives, and so keeps once."""
    per_layer = model.per_layer_input.size * model.layer_count if model.per_layer_input else 0
    return 2 * model.hidden_size + per_layer


def early(layer: Layer) -> bool:
    """Whether llama.cpp names the residual stream first, and so expands it before the late part of the branch."""
    mamba = isinstance(layer.mixer, Mamba) and layer.feed_forward is not None
    return mamba or isinstance(layer.mixer, ShortConv)
