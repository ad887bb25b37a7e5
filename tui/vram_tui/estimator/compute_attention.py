"""What attention leaves in memory, in the order in which llama.cpp computes it (b11549): heads, latent, sparse."""

from math import ceil
from typing import NamedTuple

from vram_tui.estimator.blocks import Attention, LatentIndexer, Mla
from vram_tui.estimator.cache_types import element_bytes
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_setting import rotation_width
from vram_tui.estimator.compute_tape import Ref, Size
from vram_tui.estimator.formats import whole_row

ROW_MULTIPLE = 512
"""Elements to which the CUDA backend lengthens a quantized tensor's last row."""


def projection(build: Build, width: int, role: str, kind: str, rotated: bool, x: Ref) -> Ref:
    """A projection with its head norm and its rotary embedding; `kind` is the qk_norm of the mixer."""
    y = build.plus(build.tensor(width, *build.weight(role), x), f"{role}_bias")
    if kind == "full":
        y = build.token_norm(y, width, f"{role}_norm")
    if kind == "head":
        normed = build.tensor(width, y.as_view)
        y = build.tensor(width, normed, *build.weight(f"{role}_norm"), inplace=True)
    if not rotated:
        return y
    positions = build.rotating()
    in_place = kind == "head"
    return build.tensor(width, y if in_place else y.as_view, *positions, inplace=in_place)


class Attended(NamedTuple):
    """Attention before what llama.cpp leaves for later: back-rotation, gate and output projection."""

    mixer: Attention
    x: Ref
    out: Ref
    gate: Ref | None


def attention(build: Build, mixer: Attention, x: Ref) -> Ref:
    return projected(build, attend(build, mixer, x))


def projected(build: Build, attended: Attended) -> Ref:
    """The output projection of attention, of hidden width."""
    mixer, out = attended.mixer, attended.out
    if build.settings.quantized_v:
        out = hadamard(build, mixer, "v", out, mixer.heads * mixer.value_dim)
    out = _gated(build, mixer, attended.x, out, attended.gate)
    return build.plus(build.tensor(build.hidden, *build.weight("attn_o"), out.as_view), "attn_o_bias")


def attend(build: Build, mixer: Attention, x: Ref) -> Attended:
    """Scores and values, heads · v_dim wide."""
    heads, kv_heads, head_dim, v_dim = mixer.heads, mixer.kv_heads, mixer.head_dim, mixer.value_dim
    q_width, k_width, v_width = heads * head_dim, kv_heads * head_dim, kv_heads * v_dim
    gate_source = None
    if mixer.gate == "in-q":
        gate_source = build.tensor(2 * q_width, *build.weight("attn_q"), x)
        q = build.tensor(q_width, gate_source.as_view)
        q = build.tensor(q_width, q, inplace=True)
    elif "qkv" in build.fused and mixer.kv == "own":
        return _attend_joined(build, mixer, x)
    else:
        q = projection(build, q_width, "attn_q", mixer.qk_norm, build.rotates(mixer), x)
    if mixer.temperature:
        q = build.tensor(q_width, q.as_view, build.inputs["temperatures"])
    q = hadamard(build, mixer, "k", q, q_width)
    k = v = None
    if mixer.kv == "own":
        if build.windows:
            k = new_keys(build, mixer, k_width, x)
            v = new_values(build, mixer, v_width, x)
        else:
            v = new_values(build, mixer, v_width, x)
            k = new_keys(build, mixer, k_width, x)
        build.graph.until(k)
        build.graph.until(v)
    stored(build, mixer)
    out = _scores(build, q, heads, (kv_heads, head_dim), (kv_heads, v_dim), bool(mixer.window))
    build.expand()
    return Attended(mixer, x, out, gate_source)


def _attend_joined(build: Build, mixer: Attention, x: Ref) -> Attended:
    """Attention whose queries, keys and values are cut out of one product."""
    heads, kv_heads, head_dim, v_dim = mixer.heads, mixer.kv_heads, mixer.head_dim, mixer.value_dim
    widths = (heads * head_dim, kv_heads * head_dim, kv_heads * v_dim)
    joint = build.plus(build.tensor(sum(widths), *build.weight("attn_qkv"), x), "attn_qkv_bias")
    positions = build.rotating()
    q = build.tensor(widths[0], joint.as_view, *positions)
    q = hadamard(build, mixer, "k", q, widths[0])
    v = hadamard(build, mixer, "v", joint.as_view, widths[2])
    k = hadamard(build, mixer, "k", build.tensor(widths[1], joint.as_view, *positions), widths[1])
    build.graph.until(k)
    build.graph.until(v)
    stored(build, mixer)
    out = _scores(build, q, heads, (kv_heads, head_dim), (kv_heads, v_dim), bool(mixer.window))
    build.expand()
    return Attended(mixer, x, out, None)


def stored(build: Build, mixer: Attention) -> None:
    """Keys and values are in the cache: what says where they go, and where they stand, was read."""
    if mixer.kv == "own" and not build.apart:
        build.read(*(f"{mask_name(mixer)}.{name}" for name in ("k_slots", "v_slots")))
    if build.rotates(mixer):
        build.read("positions")
    if mixer.temperature:
        build.read("temperatures")


def mask_name(mixer: Attention) -> str:
    """The input that masks this attention; its cache's small inputs are named after it."""
    return "window_mask" if mixer.window else "mask"


def new_keys(build: Build, mixer: Attention, width: int, x: Ref) -> Ref:
    k = projection(build, width, "attn_k", mixer.qk_norm, build.rotates(mixer), x)
    return hadamard(build, mixer, "k", k, width)


def new_values(build: Build, mixer: Attention, width: int, x: Ref) -> Ref:
    v = build.plus(build.tensor(width, *build.weight("attn_v"), x), "attn_v_bias")
    return hadamard(build, mixer, "v", v, width)


def hadamard(build: Build, mixer: Attention, side: str, x: Ref, width: int) -> Ref:
    """Quantized caches hold rotated heads: one more product with a Hadamard matrix. `side` is k or v."""
    quantized = build.settings.quantized_k if side == "k" else build.settings.quantized_v
    if not quantized or not rotation_width(mixer.head_dim if side == "k" else mixer.value_dim):
        return x
    name = f"{mask_name(mixer)}.{side}_rotation"
    matrix = (build.inputs[name],) if build.inputs.has(name) else ()
    return build.tensor(width, *matrix, x.as_view)


def _scores(
    build: Build,
    q: Ref,
    heads: int,
    keys: tuple[int, int],
    values: tuple[int, int],
    window: bool,
    *,
    shared: bool = False,
    chosen: Ref | None = None,
) -> Ref:
    """Scores and their product with V. `shared`: V is a view of K (latent caches), and one copy serves both."""
    settings, width = build.settings, heads * values[1]
    copies = _copied(build, keys, values, window, shared=shared)
    mask = chosen or build.mask("window_mask" if window else "mask")
    if settings.flash:
        rate = 0
        if settings.type_k != "f16" and settings.fuses:
            rate += 2 * settings.streams * keys[0] * keys[1]
        if settings.type_v != "f16" and settings.fuses and (not shared or build.apart):
            rate += 2 * settings.streams * values[0] * values[1]
        fixed = 4 * width * settings.tokens
        size = Size(fixed, 0, rate) if window else Size(fixed, rate)
        return build.graph.add(size, (q.as_view, *copies, mask, *build.weight("attn_sinks")))
    rate = 4 * heads * settings.tokens
    size = Size(0, 0, rate) if window else Size(0, rate)
    scores = build.graph.add(size, (*copies[:1], q.as_view))
    scores = build.graph.add(size, (scores, mask), inplace=True)
    product = build.tensor(width, *copies[-1:], scores)
    return product if shared else build.tensor(width, product.as_view)


def _copied(build: Build, keys: tuple[int, int], values: tuple[int, int], window: bool, *, shared: bool) -> list[Ref]:
    """The whole keys and values of a cache in RAM, copied for attention on the device.

    Shared values are the front of the keys: a copy of their own, without the end of the last row.
    """
    if not build.apart:
        return []
    settings, found = build.settings, []
    for number, (kind, sides) in enumerate(((settings.type_k, keys), (settings.type_v, values))):
        row = element_bytes(kind) * keys[0] * keys[1] if shared else element_bytes(kind) * sides[0] * sides[1]
        rate, rest = ceil(settings.streams * row), whole_row(kind.upper(), sides[1], ROW_MULTIPLE)
        if shared and number:
            rest -= ceil(element_bytes(kind) * (keys[1] - values[1]))
        found.append(build.graph.add(Size(rest, 0, rate) if window else Size(rest, rate)))
        if settings.flash == bool(number):
            build.inputs.open_split()
    return found


def _gated(build: Build, mixer: Attention, x: Ref, out: Ref, source: Ref | None) -> Ref:
    width = mixer.heads * mixer.value_dim
    if source is not None:
        gate = build.tensor(width, source.as_view)
        gate = build.tensor(width, gate, inplace=True)
        return build.tensor(width, out.as_view, gate, inplace=True)
    if mixer.gate == "per-head":
        gate = build.tensor(mixer.heads, x)
        gate = build.tensor(mixer.heads, gate, inplace=True)
        return build.tensor(width, out.as_view, gate.as_view)
    if mixer.gate == "element":
        gate = build.tensor(width, x)
        gate = build.tensor(width, gate, inplace=True)
        return build.tensor(width, out.as_view, gate, inplace=True)
    return out


def latent(build: Build, mixer: Mla, x: Ref) -> Ref:
    heads, rank, rope, v_dim = mixer.heads, mixer.kv_rank, mixer.rope, mixer.v_dim
    q_width = heads * (mixer.nope + rope)
    source = x
    if mixer.indexer:
        _indexer_keys(build, mixer.indexer, x)
    if mixer.q_rank:
        low = build.tensor(mixer.q_rank, *build.weight("attn_q_a"), x)
        source = build.token_norm(low, mixer.q_rank, "attn_q_a_norm")
    q = build.tensor(q_width, *build.weight("attn_q_b" if mixer.q_rank else "attn_q"), source)
    absorbed = build.tensor(heads * rank, *build.weight("attn_k_b"), q.as_view)
    rotated = build.tensor(heads * rope, q.as_view, *build.rotating())
    q = build.tensor(heads * (rank + rope), absorbed.as_view, rotated)
    compressed_kv = build.tensor(rank + rope, *build.weight("attn_kv_a"), x)
    normed = build.tensor(rank, compressed_kv.as_view)
    normed = build.tensor(rank, normed, *build.weight("attn_kv_a_norm"), inplace=True)
    k_rope = build.tensor(rope, compressed_kv.as_view)
    k = build.tensor(rank + rope, normed.as_view, k_rope)
    build.graph.until(k)
    build.read("positions", *(() if build.apart else ("mask.k_slots",)))
    if build.leaves:
        build.filled = build.tensor(build.picked, build.leaves.pop(0), inplace=True)
    chosen = None
    if mixer.indexer:
        build.picks = _picks(build, mixer.indexer, x, source)
    if build.indexer:
        chosen = _chosen(build)
    out = _scores(build, q, heads, (1, rank + rope), (1, rank), False, shared=True, chosen=chosen)
    expanded = build.tensor(heads * v_dim, *build.weight("attn_v_b"), out.as_view)
    expanded = build.tensor(heads * v_dim, expanded.as_view)
    return build.tensor(build.hidden, *build.weight("attn_o"), expanded.as_view)


def _indexer_keys(build: Build, indexer: LatentIndexer, x: Ref) -> None:
    dim = indexer.dim
    k = build.tensor(dim, x)
    k = build.tensor(dim, k)
    k = build.tensor(dim, build.tensor(dim, k, inplace=True), inplace=True)
    k = build.tensor(dim, k.as_view)
    build.graph.until(build.tensor(dim, k))


def _picks(build: Build, indexer: LatentIndexer, x: Ref, source: Ref) -> Ref:
    """The best-scored cells of every token."""
    tokens = build.settings.tokens
    q = build.tensor(indexer.heads * indexer.dim, source)
    q = build.tensor(indexer.heads * indexer.dim, q.as_view)
    q = build.tensor(indexer.heads * indexer.dim, q)
    weights = build.tensor(indexer.heads, x)
    weights = build.tensor(indexer.heads, weights.as_view)
    scores = build.graph.add(Size(0, 4 * tokens), (q.as_view, weights, build.inputs["indexer_mask"]))
    return build.tensor(build.picked, build.tensor(build.picked, scores))


def _chosen(build: Build) -> Ref:
    """The mask that lets only the picked cells through: of this layer, or of the last one that picked."""
    settings, reads = build.settings, [build.filled] if build.filled else []
    mask = build.graph.add(settings.mask(False), (build.inputs["mask"],))
    build.graph.until(*reads, build.picks or mask, mask)
    build.filled = None
    return build.graph.add(settings.mask(False), (mask.as_view, build.inputs["mask"]), inplace=True)
