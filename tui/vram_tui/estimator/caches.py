"""llama.cpp's caches: keys, values, windows, indexers and recurrent state, exact to the byte.

Source: llama.cpp src/llama-kv-cache*.cpp, src/llama-memory-*.cpp (b11549).
"""

from typing import NamedTuple

from vram_tui.estimator.curves import STEP_TOKENS
from vram_tui.estimator.formats import TYPES, row_bytes, whole_row
from vram_tui.estimator.memory import CachePart, Cost, Reach
from vram_tui.estimator.profile import CacheGroup, Profile
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.units import pad

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""What `--cache-type-k` and `--cache-type-v` take."""
F32_BYTES = 4
SOURCE = "llama.cpp src/llama-kv-cache.cpp"

WHOLE = Reach()
"""A cell for every token of the context."""

_NAMES = {
    "full": "kv cache",
    "mla": "kv cache",
    "swa": "kv cache of windows",
    "chunked": "kv cache of chunks",
    "indexer": "indexer keys",
    "compressed": "compressed history",
}


class CacheSettings(NamedTuple):
    """How the caches are run. `row_multiple` is what a backend lengthens quantized rows to (0: it does not)."""

    type_k: str = "f16"
    type_v: str = "f16"
    seqs: int = 1
    unified: bool = True
    ubatch: int = 512
    flash_attn: bool = True
    swa_full: bool = False
    windows: bool = True
    """False: this runtime caches the whole context although the model slides."""
    row_multiple: int = 512
    alignment: int = 128


class Caches(NamedTuple):
    """Reaches, costs whose indices point into them, and the parts of the answer. `group_reaches` has the reach of each
    cache group of the profile."""

    reaches: tuple[Reach, ...]
    costs: tuple[Cost, ...]
    parts: tuple[CachePart, ...]
    group_reaches: tuple[int, ...]


def is_quantized(kind: str) -> bool:
    """Whether this cache type packs its values into blocks."""
    return kind in CACHE_TYPES and TYPES[kind.upper()].quantized


def check_types(profile: Profile, settings: CacheSettings) -> None:
    """Raises Refusal where llama.cpp does not start with these cache types."""
    for field, kind in (("kv", settings.type_k), ("kv", settings.type_v)):
        if kind not in CACHE_TYPES:
            raise Refusal(f"cache type {kind!r} is none of {', '.join(CACHE_TYPES)}", field)
    if not profile.caches:
        return
    if profile.k_only and settings.type_k != settings.type_v:
        raise Refusal(
            f"model does not support different K ({settings.type_k}) and V ({settings.type_v}) cache types", "kv"
        )
    if not settings.flash_attn and is_quantized(settings.type_v):
        raise Refusal("a quantized V cache needs flash attention", "flash_attn")
    shape = profile.head_shapes[0]
    v_dim = profile.stated_v_dim or shape.v_dim
    for side, kind, width in (("K", settings.type_k, shape.k_dim), ("V", settings.type_v, v_dim)):
        block = TYPES[kind.upper()].block_elements
        if width % block:
            raise Refusal(
                f"{side} cache type {kind} with block size {block} does not divide n_embd_head_{side.lower()}={width}",
                "kv",
            )


def reach_of(group: CacheGroup, settings: CacheSettings, per_sequence: bool) -> Reach:
    """How many cells a cache group holds per stream."""
    if group.ratio > 1:
        return Reach(ratio=group.ratio)
    if not group.window or settings.swa_full or not settings.windows:
        return WHOLE
    sharing = settings.seqs if settings.unified and not per_sequence else 1
    return Reach(cap=pad(group.window * sharing + settings.ubatch, STEP_TOKENS))


def caches(profile: Profile, settings: CacheSettings) -> Caches:
    """All caches of a model. Raises Refusal for types that llama.cpp refuses."""
    check_types(profile, settings)
    per_sequence = any(kind.accumulators for kind in profile.kinds)
    streams = settings.seqs if per_sequence or not settings.unified else 1
    reaches: dict[Reach, int] = {}
    group_reaches: list[int] = []
    costs: dict[str, Cost] = {}
    parts: list[CachePart] = []
    for group in profile.caches:
        reach = reach_of(group, settings, per_sequence)
        index = reaches.setdefault(reach, len(reaches))
        group_reaches.append(index)
        kind = group.kind if group.window == 0 or settings.windows else "full"
        per_cell, extra = layer_bytes(profile, group, settings)
        _add(costs, kind, group, settings, index, streams, per_cell, extra)
        parts.append(CachePart(kind, group.layers, streams, reach, per_cell * group.layers, extra * group.layers))
    if not settings.flash_attn and profile.bare_layers and not profile.recurrent_layers and profile.widest_v:
        bare = CacheGroup("full", 0, profile.widest_v, 0, 0, 1, profile.bare_layers)
        index = reaches.setdefault(Reach(), len(reaches))
        per_cell, extra = layer_bytes(profile, bare, settings)
        _add(costs, "full", bare, settings, index, streams, per_cell, extra)
        parts.append(CachePart("full", bare.layers, streams, Reach(), per_cell * bare.layers, extra * bare.layers))
    if profile.accumulators:
        layers = sum(profile.kinds[kind].accumulators > 0 for kind in profile.layers)
        size = F32_BYTES * profile.accumulators * settings.seqs
        parts.append(CachePart("other", layers, settings.seqs, Reach(1, cap=1), 0, size))
    found = [*costs.values(), *_states(profile, settings)]
    return Caches(tuple(reaches) or (Reach(),), tuple(found), _merged(parts), tuple(group_reaches))


def layer_bytes(profile: Profile, group: CacheGroup, settings: CacheSettings) -> tuple[int, int]:
    """Bytes of one layer of a group: per cell of a stream, and what the backend adds once.

    Without flash attention V is stored transposed, and every layer's V takes the width of the widest.
    """
    k, v = settings.type_k.upper(), settings.type_v.upper()
    v_width = group.v_width
    if v_width and not settings.flash_attn and group.kind != "indexer":
        v_width = profile.widest_v
    per_cell = (row_bytes(k, group.k_width) if group.k_width else 0) + (row_bytes(v, v_width) if v_width else 0)
    extra = 0
    if settings.row_multiple:
        for kind, width in ((k, group.k_width), (v, v_width)):
            if width % settings.row_multiple and TYPES[kind].quantized:
                extra += pad(whole_row(kind, width, settings.row_multiple), settings.alignment)
    return per_cell, extra


def _add(
    costs: dict[str, Cost],
    kind: str,
    group: CacheGroup,
    settings: CacheSettings,
    index: int,
    streams: int,
    per_cell: int,
    extra: int,
) -> None:
    name = _NAMES[kind]
    number = 2
    while name in costs:
        name = f"{_NAMES[kind]} ({number})"
        number += 1
    costs[name] = Cost(
        name,
        "kv",
        extra * group.layers,
        ((index, per_cell * group.layers * streams),),
        "streams × cells × layers × (bytes of a K row + bytes of a V row)",
        (
            ("layers", group.layers),
            ("streams", streams),
            ("k_width", group.k_width),
            ("v_width", group.v_width),
            ("k_type", settings.type_k),
            ("v_type", settings.type_v),
            ("row_bytes", per_cell),
        ),
        source=SOURCE,
    )


def _states(profile: Profile, settings: CacheSettings) -> list[Cost]:
    found = []
    if profile.accumulators:
        found.append(
            Cost(
                "compressor accumulators",
                "kv",
                F32_BYTES * profile.accumulators * settings.seqs,
                formula="4 bytes × elements × sequences",
                numbers=(("elements", profile.accumulators), ("sequences", settings.seqs)),
                source=SOURCE,
            )
        )
    if profile.recurrent_layers:
        elements = profile.conv_state + profile.matrix_state
        found.append(
            Cost(
                "recurrent state",
                "state",
                F32_BYTES * elements * settings.seqs,
                formula="4 bytes × (convolution + matrix elements) × sequences",
                numbers=(
                    ("convolution", profile.conv_state),
                    ("matrix", profile.matrix_state),
                    ("layers", profile.recurrent_layers),
                    ("sequences", settings.seqs),
                ),
                source="llama.cpp src/llama-memory-recurrent.cpp",
            )
        )
    return found


def _merged(parts: list[CachePart]) -> tuple[CachePart, ...]:
    """One part per kind and reach."""
    if len(parts) < 2:
        return tuple(parts)
    found: dict[tuple[str, Reach], CachePart] = {}
    for part in parts:
        key = (part.kind, part.reach)
        known = found.get(key)
        found[key] = (
            part
            if known is None
            else CachePart(
                part.kind,
                known.layers + part.layers,
                part.streams,
                part.reach,
                known.bytes_per_cell + part.bytes_per_cell,
                known.fixed_bytes + part.fixed_bytes,
            )
        )
    return tuple(found.values())
