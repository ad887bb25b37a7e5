"""The graph of a whole stack as the allocator sees it: inputs, the layers that tell something new, the head."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    FeedForward,
    Mla,
    Parallel,
)
from vram_tui.estimator.compute_attention import Attended, attend, projected
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_feed import feed
from vram_tui.estimator.compute_hyper import narrowed, widened
from vram_tui.estimator.compute_inputs import Shape, early, handed_over, inputs, late_gate, model_levels, waiting
from vram_tui.estimator.compute_mixers import mix
from vram_tui.estimator.compute_setting import OFFLOAD_TOKENS, ComputeSettings
from vram_tui.estimator.compute_tape import CPU_ALIGNMENT, CUDA_ALIGNMENT, Graph, Ref, Size, Tape
from vram_tui.estimator.model import Layer, Model

T = TypeVar("T")
_OPENING = 24
"""Layers told one by one in sparse stacks: every layer gives its selection's constant back, so that none is alike."""

_REACH, _REACH_OF_STATES = 2, 6
"""Layers before one that can shape what the allocator does in it; states are gathered early, and shift what follows."""


def device_tape(model: Model, settings: ComputeSettings, first: int = 0, after: int | None = None) -> Tape:
    """Memory events of the device that computes the layers `first` … `after` - 1 (all of them without bounds).

    The device of the last layer also computes the head.
    """
    count = model.layer_count
    after = count if after is None else after
    shape = Shape(model, first, after)
    build = _build(model, settings, shape)
    span = list(model.layers())[first:after]
    for layer in span:
        if size := _leaf(build, layer):
            build.leaves.append(build.bytes_tensor(size))
    if after < count and (late := late_gate(model, after)):
        waiting(build, settings.floats(late[0]))
    build.inputs.late = bool(settings.staged)
    build.staged = dict(settings.staged[0]) if settings.staged else {}
    if first == count:
        return _head(build, waiting(build, Size(4 * shape.stream_width * settings.outputs)), shape)
    x, normed = inputs(build, model, shape) if not first else handed_over(build, model, shape, first, after)
    opening = len(span) if build.blocks or shape.scaled_residual else _OPENING if build.leaves else 0
    reach = _REACH_OF_STATES if shape.recurrent else _REACH
    staged = settings.staged[first:after] or ((),) * len(span)
    for number, ((layer, weights), told) in enumerate(
        _telling(list(zip(span, staged, strict=True)), opening, reach), first
    ):
        if told:
            build.staged, build.apart = dict(weights), number < settings.ram_layers
            build.number = number
            if layer.mixer:
                build.graph.begin(f"{layer.mixer.kind} of layer {number}")
            x = _layer(build, model, layer, x, normed, last=number == count - 1)
            build.graph.begin(f"end of layer {number}")
            x = _layer_end(build, model, x, number)
        else:
            _skipped(build, layer)
        normed = None
    if model.hyper_connections and after == count:
        build.graph.keep(build.inputs["rows"])
        streams = model.hyper_connections.streams
        x = build.picked_rows(streams * model.hidden_size, x.as_view)
        share = build.row_tensor(streams, build.row_tensor(streams * model.hidden_size, x.as_view))
        x = build.row_tensor(model.hidden_size, x.as_view, share)
    if after < count:
        build.graph.until(x, build.tensor(shape.stream_width, x))
        return build.graph.tape(CUDA_ALIGNMENT if settings.fuses else CPU_ALIGNMENT)
    return _head(build, x, shape)


def _head(build: Build, x: Ref, shape: Shape) -> Tape:
    """The last norm and the logits, of the rows that have outputs."""
    settings, build.rows = build.settings, build.settings.outputs
    build.staged = dict(settings.staged[-1]) if settings.staged else {}
    build.graph.begin("head")
    x = build.norm(x)
    build.graph.keep(x)
    if build.rows >= OFFLOAD_TOKENS or not build.staged:
        build.graph.keep(build.row_tensor(shape.vocab_size, *build.weight("head"), x))
    return build.graph.tape(CUDA_ALIGNMENT if settings.fuses else CPU_ALIGNMENT)


def _build(model: Model, settings: ComputeSettings, shape: Shape) -> Build:
    build = Build(
        Graph(),
        settings,
        model.hidden_size,
        norm_in_place=model.norm == "rms",
        windows=shape.windows,
        fused=model.gguf.fused,
        parallel=model.norms == "parallel",
        rotary=shape.rotary,
        residual_first=shape.residual_first,
        scaled_residual=shape.scaled_residual,
        indexer=shape.indexer,
        values_width=shape.values_width,
    )
    build.rows = settings.tokens
    return build


def _telling(layers: Sequence[T], opening: int, reach: int) -> Iterator[tuple[T, bool]]:
    """Each layer, and whether it can tell something new: it is new after the `reach` before it, or near the end."""
    seen: set[tuple[T | None, ...]] = set()
    previous: tuple[T | None, ...] = (None,) * reach
    for number, layer in enumerate(layers):
        run = (*previous, layer)
        yield layer, run not in seen or number < opening or number >= len(layers) - reach
        seen.add(run)
        previous = run[1:]


def _skipped(build: Build, layer: Layer) -> None:
    if _leaf(build, layer):
        build.graph.until(build.leaves.pop(0))


def _leaf(build: Build, layer: Layer) -> int:
    """Bytes of the constant that a sparse layer's selection is filled with."""
    if build.indexer and isinstance(layer.mixer, Mla):
        return 4 * build.picked * build.settings.tokens
    if isinstance(layer.mixer, Compressed) and layer.mixer.indexer:
        return 2 * build.picked * build.settings.tokens
    return 0


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


def _layer(build: Build, model: Model, layer: Layer, x: Ref, handed: Ref | None, *, last: bool) -> Ref:
    """One layer; `handed` is the norm of its input where the device before computed it."""
    norms, hidden = model.norms, model.hidden_size
    mixer, block = layer.mixer, layer.feed_forward
    if model.hyper_connections:
        return _mixed_streams(build, layer, x, model.hyper_connections.streams)
    if mixer is not None:
        if norms == "post":
            normed = x
        else:
            normed = build.tensor(hidden, handed, inplace=True) if handed else build.token_norm(x, hidden)
        if norms == "parallel" and isinstance(mixer, Attention) and block is not None:
            return _side_by_side(build, mixer, block, x, normed, last=last)
        out = mix(build, mixer, normed, x)
        x = normed if build.scaled_residual else x
        if last:
            out, x = _picked(build, layer, out, x)
        if norms in ("post", "sandwich"):
            out = build.norm(out)
        x = build.joined(out, build.carried(x)) if out != x else x
    if block is not None:
        normed = x if norms == "post" else build.norm(x)
        out = feed(build, block, normed)
        x = build.carried(normed) if build.scaled_residual else x
        if last and mixer is None:
            out, x = build.picked_rows(hidden, out), build.picked_rows(hidden, x)
        if norms in ("post", "sandwich", "pre+post-ffn"):
            out = build.norm(out)
        x = build.joined(out, x, fed=True)
    return x


def _mixed_streams(build: Build, layer: Layer, streams: Ref, count: int) -> Ref:
    """A layer whose halves read one mix of the residual streams and are put back into all of them."""
    if layer.mixer is not None:
        x, factors = narrowed(build, streams, count, post=True)
        out = mix(build, layer.mixer, build.token_norm(x, build.hidden), x)
        streams = widened(build, out, streams, factors, count)
    if layer.feed_forward is not None:
        x, factors = narrowed(build, streams, count, post=True)
        out = feed(build, layer.feed_forward, build.norm(x))
        streams = widened(build, out, streams, factors, count)
    return streams


def _side_by_side(build: Build, mixer: Attention, block: FeedForward, x: Ref, normed: Ref, *, last: bool) -> Ref:
    """Attention beside the feed-forward, both from one norm.

    The branch that is added first is computed first: the feed-forward, but for attention whose projection has a bias.
    """
    attended = attend(build, mixer, normed)
    if mixer.bias == "qkvo":
        out = _placed(build, attended, last=last)
        fed = _fed_beside(build, block, normed, last=last)
        return _added(build, build.row_tensor(build.hidden, out, fed, inplace=True), x, last=last)
    tokens = build.rows
    total = _added(build, _fed_beside(build, block, normed, last=last), x, last=last)
    build.rows = tokens
    return build.row_tensor(build.hidden, total, _placed(build, attended, last=last), inplace=True)


def _placed(build: Build, attended: Attended, *, last: bool) -> Ref:
    """The attention's projection, of the rows that go on."""
    out = projected(build, attended)
    return build.picked_rows(build.hidden, out) if last else out


def _fed_beside(build: Build, block: FeedForward, normed: Ref, *, last: bool) -> Ref:
    return feed(build, block, build.picked_rows(build.hidden, normed) if last else normed)


def _added(build: Build, branch: Ref, x: Ref, *, last: bool) -> Ref:
    """A branch and the stream that came in."""
    return build.row_tensor(build.hidden, branch, build.picked_rows(build.hidden, x) if last else x, inplace=True)


def _picked(build: Build, layer: Layer, out: Ref, residual: Ref) -> tuple[Ref, Ref]:
    """The last layer goes on with the rows that have outputs: its branch and its residual stream, or their sum."""
    hidden = build.hidden
    if isinstance(layer.mixer, Parallel):
        total = build.joined(out, residual)
        picked = build.picked_rows(hidden, total)
        return picked, picked
    if early(layer):
        size = Size(4 * hidden * build.settings.outputs)
        rows = build.graph.fill(build.expanded, size, (residual, build.inputs["rows"]))
        return build.picked_rows(hidden, out), rows
    return build.picked_rows(hidden, out), build.picked_rows(hidden, residual)
