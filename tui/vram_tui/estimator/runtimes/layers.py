"""The layers that a rank serves, as servers cache them: rows by reach, states, and the widest activations."""

from collections.abc import Iterable
from typing import NamedTuple

from vram_tui.estimator.blocks import Compressed, Experts, Mixer, ShortConv
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.sharding import Plan, attention_parts, stages
from vram_tui.estimator.units import ceil_div


class Row(NamedTuple):
    """One cache of one layer on one rank: bytes per token (or per `ratio` tokens), and how far it reaches."""

    kind: str
    row_bytes: int
    window: int = 0
    window_kind: str = "slide"
    ratio: int = 1


class State(NamedTuple):
    """Recurrent elements of one layer on one rank: those of one step of convolution, its steps, the matrix."""

    conv_step: int
    conv_steps: int
    matrix: int


class RowWidths(NamedTuple):
    """What a cache row is made of, before a runtime says how many bytes that is."""

    kind: str
    k_width: int
    v_width: int
    heads: int
    window: int = 0
    window_kind: str = "slide"
    ratio: int = 1


def stage_layers(model: Model, plan: Plan, *, mtp: bool) -> tuple[tuple[Layer, ...], ...]:
    """The layers of every pipeline stage; MTP layers, where they run, belong to the last one."""
    layers = tuple(model.layers())
    found = [layers[begin:end] for begin, end in stages(len(layers), plan.pp)]
    if mtp:
        found[-1] = (*found[-1], *model.mtp_layers())
    return tuple(found)


def widths(layer: Layer, tp: int) -> tuple[RowWidths, ...]:
    """The cache rows of a layer on a rank: key/value heads are spread over `tp` ranks, latent rows are copied."""
    found = []
    for part in attention_parts(layer.mixer):
        window_kind = getattr(part, "window_kind", "slide")
        for row in part.cache():
            if row.kind in ("full", "swa", "chunked"):
                share = 1.0 if isinstance(part, Compressed) else max(1, row.heads // tp) / max(row.heads, 1)
                k, v = round(row.k_width * share), round(row.v_width * share)
                found.append(RowWidths(row.kind, k, v, max(1, row.heads // tp), row.window, window_kind))
            else:
                found.append(RowWidths(row.kind, row.k_width, row.v_width, row.heads, row.window, ratio=row.ratio))
    return tuple(found)


def state(mixer: Mixer | None, hidden: int, tp: int) -> State | None:
    """Recurrent elements of a mixer on a rank, None without any (compressed histories count apart)."""
    step = steps = matrix = 0
    for part in attention_parts(mixer):
        if isinstance(part, Compressed):
            continue
        conv, more = part.state()
        if isinstance(part, ShortConv):
            conv *= hidden
            steps = part.kernel - 1
        elif conv:
            steps = getattr(part, "conv", 2) - 1
        step += conv // steps if steps else 0
        matrix += more
    if not step and not matrix:
        return None
    return State(ceil_div(step, tp), steps, ceil_div(matrix, tp))


def activation_elements(layers: Iterable[Layer], hidden: int, plan: Plan) -> int:
    """Elements per token that the widest layer keeps at once: residual and input, and its feed-forward's insides."""
    widest = 0
    for layer in set(layers):
        half = layer.feed_forward
        inside = 0
        if isinstance(half, Experts):
            width = half.latent or hidden
            size = half.size if plan.ep > 1 else ceil_div(half.size, plan.tp)
            inside = half.active * (2 * size + width)
            inside = max(inside, 3 * ceil_div(max(half.shared, half.dense), plan.tp))
        elif half is not None:
            inside = 3 * ceil_div(half.size, plan.tp)
        widest = max(widest, inside)
    return 2 * hidden + widest
