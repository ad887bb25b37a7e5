"""What compiling asks of a model, folded once: counts, caches, states, as flat numbers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NamedTuple

from vram_tui.estimator.blocks import Attention, CacheRow, Compressed, Experts, Linear, Mixer, Mla, Parallel, ShortConv
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.records import record
from vram_tui.estimator.tensors import LayerTensor, trunk_tensors


class CacheGroup(NamedTuple):
    """Equal caches of `layers` layers: elements of K and V per cell, and how far they reach (see CacheRow)."""

    kind: str
    k_width: int
    v_width: int
    heads: int
    window: int
    ratio: int
    layers: int


class LayerKind(NamedTuple):
    """One of the different layers of a trunk: its caches (indices into `caches`) and recurrent elements.

    `conv_state` and `matrix_state` are elements per sequence; `accumulators` are those of compressed histories,
    which live beside the cache.
    """

    caches: tuple[int, ...]
    conv_state: int
    matrix_state: int
    accumulators: int
    recurrent: bool
    bare: bool
    """No mixer at all, or a plain projection in its place."""


class HeadShape(NamedTuple):
    """Widths of one head of K and of V and the query heads per key head: what an attention kernel must support."""

    k_dim: int
    v_dim: int
    gqa: int


@record
class Profile:
    """Flat numbers of a model. Widths are elements, counts are layers; `vocab_size` is that of a GGUF file."""

    hidden_size: int
    vocab_size: int
    layer_count: int
    context_tokens: int
    architecture: str
    parameters: int
    active_parameters: int
    mtp_parameters: int
    mtp_layers: int
    experts: int
    caches: tuple[CacheGroup, ...]
    mtp_caches: tuple[CacheGroup, ...]
    kinds: tuple[LayerKind, ...]
    layers: tuple[int, ...]
    """The kind of each trunk layer."""
    head_shapes: tuple[HeadShape, ...]
    stated_v_dim: int
    k_only: bool
    """A cache without V of its own: K and V must be stored alike."""
    conv_state: int
    matrix_state: int
    recurrent_layers: int
    accumulators: int
    bare_layers: int
    widest_v: int
    compute_warnings: tuple[str, ...]
    """What the rules of llama.cpp's compute buffer do not follow in this model."""

    def to_plain(self) -> list[Any]:
        """Lists, numbers and text only, for the compiled catalogue."""
        return [_plain(getattr(self, field.name)) for field in fields(self)]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Profile":
        """The profile that `to_plain` wrote."""
        values = {field.name: value for field, value in zip(fields(cls), plain, strict=True)}
        for name, row in _ROWS.items():
            values[name] = tuple(row(*map(_frozen, cells)) for cells in values[name])
        values["layers"] = tuple(values["layers"])
        values["compute_warnings"] = tuple(values["compute_warnings"])
        return cls(**values)


_ROWS: dict[str, type[CacheGroup] | type[LayerKind] | type[HeadShape]] = {
    "caches": CacheGroup,
    "mtp_caches": CacheGroup,
    "kinds": LayerKind,
    "head_shapes": HeadShape,
}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Trunk(NamedTuple):
    """The layers of a trunk: its different ones with their kinds and how often each comes, and all in their order."""

    different: tuple[Layer, ...]
    kinds: tuple[LayerKind, ...]
    counts: tuple[int, ...]
    order: tuple[int, ...]
    caches: tuple[CacheGroup, ...]

    def total(self, value: Callable[[LayerKind], int]) -> int:
        """A value of every layer, added up."""
        return sum(value(kind) * count for kind, count in zip(self.kinds, self.counts, strict=True))


def _trunk(model: Model) -> _Trunk:
    groups: dict[CacheRow, int] = {}
    numbers: dict[Layer, int] = {}
    kinds: list[LayerKind] = []
    order = []
    for layer in model.layers():
        if layer not in numbers:
            numbers[layer] = len(kinds)
            kinds.append(_layer_kind(model, layer, groups))
        order.append(numbers[layer])
    counts = Counter(order)
    per_group = [0] * len(groups)
    for number, kind in enumerate(kinds):
        for index in kind.caches:
            per_group[index] += counts[number]
    caches = tuple(CacheGroup(*_row(row), count) for row, count in zip(groups, per_group, strict=True))
    return _Trunk(
        tuple(numbers), tuple(kinds), tuple(counts[number] for number in range(len(kinds))), tuple(order), caches
    )


def profile(model: Model) -> Profile:
    """Fold a model's blocks into the numbers that compiling needs."""
    from vram_tui.estimator.compute import warnings

    trunk, tensors = _trunk(model), trunk_tensors(model, file=False)
    routed = (layer.feed_forward for layer in trunk.different)
    return Profile(
        hidden_size=model.hidden_size,
        vocab_size=model.frame(file=True).vocab_size,
        layer_count=model.layer_count,
        context_tokens=model.context_tokens,
        architecture=model.gguf.architecture,
        parameters=sum(row.tensor.elements for row in tensors if row.tensor.counted and not row.mtp),
        active_parameters=active_parameters(model, tensors),
        mtp_parameters=sum(row.tensor.elements for row in tensors if row.tensor.counted and row.mtp),
        mtp_layers=sum(1 for _ in model.mtp_layers()),
        experts=max((half.count for half in routed if isinstance(half, Experts)), default=0),
        caches=trunk.caches,
        mtp_caches=_mtp_caches(model),
        kinds=trunk.kinds,
        layers=trunk.order,
        head_shapes=_head_shapes(model),
        stated_v_dim=model.gguf.value_length,
        k_only=any(map(_is_k_only, trunk.caches)),
        conv_state=trunk.total(lambda kind: kind.conv_state),
        matrix_state=trunk.total(lambda kind: kind.matrix_state),
        recurrent_layers=trunk.total(lambda kind: int(kind.recurrent)),
        accumulators=trunk.total(lambda kind: kind.accumulators),
        bare_layers=trunk.total(lambda kind: int(kind.bare)),
        widest_v=max((group.v_width for group in trunk.caches), default=0),
        compute_warnings=warnings(model),
    )


def _is_k_only(group: CacheGroup) -> bool:
    return group.kind in ("mla", "compressed") or (not group.v_width and group.kind == "swa")


def _row(row: CacheRow) -> tuple[str, int, int, int, int, int]:
    return row.kind, row.k_width, row.v_width, row.heads, row.window, row.ratio


def _layer_kind(model: Model, layer: Layer, groups: dict[CacheRow, int]) -> LayerKind:
    mixer = layer.mixer
    if mixer is None:
        return LayerKind((), 0, 0, 0, False, True)
    conv, matrix = mixer.state()
    if isinstance(mixer, ShortConv):
        conv *= model.hidden_size
    compressed = isinstance(mixer, Compressed)
    indices = tuple(groups.setdefault(row, len(groups)) for row in _cache(model, mixer))
    recurrent = not compressed and conv + matrix > 0
    states = (conv, 0, matrix) if compressed else (conv, matrix, 0)
    return LayerKind(indices, *states, recurrent, isinstance(mixer, Linear))


def _cache(model: Model, mixer: Mixer) -> tuple[CacheRow, ...]:
    return mixer.expanded_cache() if isinstance(mixer, Mla) and model.gguf.mla == "expanded" else mixer.cache()


def _mtp_caches(model: Model) -> tuple[CacheGroup, ...]:
    found: dict[CacheRow, int] = {}
    for layer in model.mtp_layers():
        for row in _cache(model, layer.mixer) if layer.mixer else ():
            found[row] = found.get(row, 0) + 1
    return tuple(CacheGroup(*_row(row), count) for row, count in found.items())


def _head_shapes(model: Model) -> tuple[HeadShape, ...]:
    found: dict[HeadShape, None] = {}
    for layer in model.distinct_layers():
        for mixer in layer.mixer.parts if isinstance(layer.mixer, Parallel) else (layer.mixer,):
            if isinstance(mixer, Attention) and mixer.kv != "cross":
                found[HeadShape(mixer.head_dim, mixer.value_dim, mixer.heads // max(mixer.kv_heads, 1))] = None
            elif isinstance(mixer, Mla) and model.gguf.mla == "expanded":
                found[HeadShape(mixer.nope + mixer.rope, mixer.v_dim, 1)] = None
            elif isinstance(mixer, Mla):
                found[HeadShape(mixer.kv_rank + mixer.rope, mixer.kv_rank, mixer.heads)] = None
            elif isinstance(mixer, Compressed):
                found[HeadShape(mixer.head_dim, mixer.head_dim, mixer.heads)] = None
    return tuple(found)


def active_parameters(model: Model, tensors: tuple[LayerTensor, ...]) -> int:
    """Parameters that one token meets: experts by their share, the embedding only where it is the head too."""
    shares = {
        layer: layer.feed_forward.mean_active / layer.feed_forward.count
        for layer in model.distinct_layers()
        if isinstance(layer.feed_forward, Experts)
    }
    by_number = [shares.get(layer, 1.0) for layer in model.layers()]
    total = 0.0
    for row in tensors:
        tensor = row.tensor
        if row.mtp or not tensor.counted or tensor.role == "lookup_table":
            continue
        if tensor.cls == "emb" and not (model.tied_embeddings and tensor.role == "embedding"):
            continue
        routed = row.layer >= 0 and "_exps" in tensor.role
        total += tensor.elements * (by_number[row.layer] if routed else 1)
    return round(total)
