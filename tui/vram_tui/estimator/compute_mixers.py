"""What mixers leave in memory, in the order in which llama.cpp computes them (b11549, `src/models`, `llama-graph`)."""

from dataclasses import dataclass, field

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    Kda,
    LatentIndexer,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    ShortConv,
)
from vram_tui.estimator.compute_setting import ROTATION, ComputeSettings, rotation_width
from vram_tui.estimator.compute_tape import Graph, Ref, Size


@dataclass(slots=True)
class Build:
    """A graph under construction: what every block needs to know of its model and of the settings."""

    graph: Graph
    settings: ComputeSettings
    hidden: int
    norm_in_place: bool
    """RMS norms may overwrite their input, layer norms may not."""
    windows: bool
    """Some layer has a window: llama.cpp then keeps two caches and stores K before V."""
    fused: tuple[str, ...] = ()
    """Projections that the file joins (qkv, gate-up, beta-alpha)."""
    rotary: bool = True
    """Attention rotates queries and keys."""
    values_width: int = 0
    """Widest V row of the model: what transposed caches index."""
    residual_first: bool = False
    """Sums name the residual stream first, and so overwrite it rather than the branch."""
    inputs: dict[str, Ref] = field(default_factory=dict)
    leaves: list[Ref] = field(default_factory=list)
    """One constant per sparse layer, there from the start: what its selection is filled with."""
    stacked: Ref | None = None
    """Embeddings with the vision features of the first layers behind them."""
    per_layer: Ref | None = None
    """Per-layer inputs, once the first layer has computed them."""
    rows: int = 0
    """Rows that the feed-forward sees: the micro-batch, or the outputs in the last layer."""
    expanded: int = 0
    """The last place up to which the graph was expanded: where the next layer's states are gathered."""

    def joined(self, branch: Ref, residual: Ref) -> Ref:
        """The residual stream after a branch was added."""
        pair = (residual, branch) if self.residual_first else (branch, residual)
        return self.row_tensor(self.hidden, *pair, inplace=True)

    def expand(self) -> None:
        self.expanded = self.graph.place()

    def tensor(self, width: int, *reads: Ref, inplace: bool = False) -> Ref:
        """A float tensor of `width` values for each token of the micro-batch."""
        return self.graph.add(self.settings.floats(width), reads, inplace=inplace)

    def row_tensor(self, width: int, *reads: Ref, inplace: bool = False) -> Ref:
        """A float tensor of `width` values for each row that is still in play."""
        return self.graph.add(Size(4 * width * self.rows), reads, inplace=inplace)

    def norm(self, x: Ref, width: int = 0) -> Ref:
        """A norm and its weight, for the rows in play."""
        normed = self.row_tensor(width or self.hidden, x, inplace=self.norm_in_place)
        return self.row_tensor(width or self.hidden, normed, inplace=True)

    def token_norm(self, x: Ref, width: int) -> Ref:
        normed = self.tensor(width, x, inplace=self.norm_in_place)
        return self.tensor(width, normed, inplace=True)

    def gathered(self, width: int) -> Ref:
        """The convolution states of all sequences, gathered before what the layer before left unexpanded."""
        size = Size(4 * width * self.settings.seqs)
        return self.graph.fill(self.expanded, size, (self.inputs["states"],))

    def bytes_tensor(self, size: int, *reads: Ref) -> Ref:
        return self.graph.add(Size(size), reads)


def mix(build: Build, mixer: Mixer, x: Ref, residual: Ref) -> Ref:
    """The mixer's output of hidden width (before it is added to the residual stream)."""
    if isinstance(mixer, Attention):
        return attention(build, mixer, x)
    if isinstance(mixer, Mla):
        return latent(build, mixer, x)
    if isinstance(mixer, Compressed):
        return compressed(build, mixer, x)
    if isinstance(mixer, DeltaNet):
        return delta_net(build, mixer, x)
    if isinstance(mixer, Kda):
        return kda(build, mixer, x)
    if isinstance(mixer, Mamba):
        return mamba(build, mixer, x)
    if isinstance(mixer, Mamba2):
        return mamba2(build, mixer, x)
    if isinstance(mixer, ShortConv):
        return short_conv(build, mixer, x)
    if isinstance(mixer, Lightning):
        return lightning(build, mixer, x)
    if isinstance(mixer, Parallel):
        return parallel(build, mixer, x, residual)
    if isinstance(mixer, Linear):
        return build.tensor(build.hidden, x)
    raise TypeError(f"no compute rule for {mixer!r}")


def _projected(build: Build, width: int, head_dim: int, kind: str, rotated: bool, x: Ref) -> Ref:
    """A projection with its head norm and its rotary embedding; `kind` is the qk_norm of the mixer."""
    y = build.tensor(width, x)
    if kind == "full":
        y = build.token_norm(y, width)
    if kind == "head":
        y = build.tensor(width, build.tensor(width, y.as_view), inplace=True)
        return build.tensor(width, y, inplace=True) if rotated else y
    return build.tensor(width, y.as_view) if rotated else y


def attention(build: Build, mixer: Attention, x: Ref) -> Ref:
    out = attend(build, mixer, x)
    return build.tensor(build.hidden, out.as_view)


def attend(build: Build, mixer: Attention, x: Ref) -> Ref:
    """Attention up to (not including) its output projection: heads · v_dim wide."""
    heads, kv_heads, head_dim, v_dim = mixer.heads, mixer.kv_heads, mixer.head_dim, mixer.value_dim
    q_width, k_width, v_width = heads * head_dim, kv_heads * head_dim, kv_heads * v_dim
    gate_source = None
    if mixer.gate == "in-q":
        gate_source = build.tensor(2 * q_width, x)
        q = build.tensor(q_width, gate_source.as_view)
        q = build.tensor(q_width, q, inplace=True)
    else:
        q = _projected(build, q_width, head_dim, mixer.qk_norm, build.rotary, x)
    q = _rotate(build, q, q_width, head_dim, build.settings.quantized_k)
    k = v = None
    if mixer.kv == "own":
        if build.windows:
            k = _keys(build, mixer, k_width, x)
            v = _values(build, mixer, v_width, x, k)
        else:
            v = _values(build, mixer, v_width, x, None)
            k = _keys(build, mixer, k_width, x)
        build.graph.until(k)
        build.graph.until(v)
    out = _scores(build, q, heads, (kv_heads, head_dim), (kv_heads, v_dim), bool(mixer.window))
    build.expand()
    if build.settings.quantized_v:
        out = _rotate(build, out, heads * v_dim, v_dim, True)
    return _gated(build, mixer, x, out, gate_source)


def _keys(build: Build, mixer: Attention, width: int, x: Ref) -> Ref:
    k = _projected(build, width, mixer.head_dim, mixer.qk_norm, build.rotary, x)
    return _rotate(build, k, width, mixer.head_dim, build.settings.quantized_k)


def _values(build: Build, mixer: Attention, width: int, x: Ref, k: Ref | None) -> Ref:
    v = build.tensor(width, x)
    return _rotate(build, v, width, mixer.value_dim, build.settings.quantized_v)


def _rotate(build: Build, x: Ref, width: int, head_dim: int, quantized: bool) -> Ref:
    """Quantized caches hold rotated heads: one more product with a Hadamard matrix."""
    return build.tensor(width, x.as_view) if quantized and rotation_width(head_dim) else x


def _scores(
    build: Build, q: Ref, heads: int, keys: tuple[int, int], values: tuple[int, int], window: bool, *, shared: bool = False, chosen: Ref | None = None
) -> Ref:
    """Scores and their product with V. `shared`: V is a view of K (latent caches), and one copy serves both."""
    settings, mask = build.settings, chosen or build.inputs["window_mask" if window else "mask"]
    width = heads * values[1]
    if settings.flash:
        rate = 0
        if settings.type_k != "f16":
            rate += 2 * settings.streams * keys[0] * keys[1]
        if settings.type_v != "f16" and not shared:
            rate += 2 * settings.streams * values[0] * values[1]
        fixed = 4 * width * settings.tokens
        size = Size(fixed, 0, rate) if window else Size(fixed, rate)
        return build.graph.add(size, (q.as_view, mask))
    rate = 4 * heads * settings.tokens
    size = Size(0, 0, rate) if window else Size(0, rate)
    scores = build.graph.add(size, (q.as_view,))
    scores = build.graph.add(size, (scores, mask), inplace=True)
    product = build.tensor(width, scores)
    return product if shared else build.tensor(width, product.as_view)


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
        source = build.token_norm(build.tensor(mixer.q_rank, x), mixer.q_rank)
    q = build.tensor(q_width, source)
    absorbed = build.tensor(heads * rank, q.as_view)
    rotated = build.tensor(heads * rope, q.as_view)
    q = build.tensor(heads * (rank + rope), absorbed.as_view, rotated)
    compressed_kv = build.tensor(rank + rope, x)
    normed = build.tensor(rank, compressed_kv.as_view)
    normed = build.tensor(rank, normed, inplace=True)
    k_rope = build.tensor(rope, compressed_kv.as_view)
    k = build.tensor(rank + rope, normed.as_view, k_rope)
    build.graph.until(k)
    chosen = _chosen(build, mixer.indexer, x, source) if mixer.indexer else None
    out = _scores(build, q, heads, (1, rank + rope), (1, rank), False, shared=True, chosen=chosen)
    expanded = build.tensor(heads * v_dim, out.as_view)
    expanded = build.tensor(heads * v_dim, expanded.as_view)
    return build.tensor(build.hidden, expanded.as_view)


def _indexer_keys(build: Build, indexer: LatentIndexer, x: Ref) -> None:
    dim = indexer.dim
    k = build.tensor(dim, x)
    k = build.tensor(dim, k)
    k = build.tensor(dim, build.tensor(dim, k, inplace=True), inplace=True)
    k = build.tensor(dim, k.as_view)
    build.graph.until(build.tensor(dim, k))


def _chosen(build: Build, indexer: LatentIndexer, x: Ref, source: Ref) -> Ref:
    """The mask that lets only the best-scored cells through."""
    settings, tokens = build.settings, build.settings.tokens
    picked = min(indexer.top_k or 2048, settings.reach)
    filled = build.tensor(picked, build.leaves.pop(0), inplace=True)
    q = build.tensor(indexer.heads * indexer.dim, source)
    q = build.tensor(indexer.heads * indexer.dim, q.as_view)
    q = build.tensor(indexer.heads * indexer.dim, q)
    weights = build.tensor(indexer.heads, x)
    weights = build.tensor(indexer.heads, weights.as_view)
    scores = build.graph.add(Size(0, 4 * tokens), (q.as_view, weights, build.inputs["indexer_mask"]))
    best = build.tensor(picked, build.tensor(picked, scores))
    mask = build.graph.add(settings.mask(False), (build.inputs["mask"],))
    build.graph.until(filled, best, mask)
    return build.graph.add(settings.mask(False), (mask.as_view, build.inputs["mask"]), inplace=True)


def compressed(build: Build, mixer: Compressed, x: Ref) -> Ref:
    width = mixer.heads * mixer.head_dim
    low = build.token_norm(build.tensor(mixer.q_rank, x), mixer.q_rank)
    q = build.tensor(width, low)
    q = build.tensor(width, build.tensor(width, q.as_view))
    kv = build.tensor(mixer.head_dim, build.tensor(mixer.head_dim, x))
    build.graph.until(kv)
    out = build.tensor(width, q.as_view, build.inputs["window_mask"])
    out = build.tensor(width, out)
    out = build.tensor(mixer.o_rank * mixer.o_groups, out.as_view)
    return build.tensor(build.hidden, out.as_view)


def _state_rows(build: Build, width: int) -> Ref:
    """The convolution state of each sequence, gathered from the recurrent cache."""
    return build.bytes_tensor(4 * width * build.settings.seqs, build.inputs["states"])


def _joined(build: Build, width: int, taps: int, state: Ref, x: Ref) -> Ref:
    """Past taps in front of the tokens of each sequence."""
    size = 4 * width * (build.settings.tokens + (taps - 1) * build.settings.seqs)
    return build.bytes_tensor(size, state.as_view, x.as_view)


def delta_net(build: Build, mixer: DeltaNet, x: Ref) -> Ref:
    keys, values, heads = mixer.key_width, mixer.value_width, mixer.v_heads
    mixed, seqs, joint = 2 * keys + values, build.settings.seqs, "beta-alpha" in build.fused
    conv_state = _state_rows(build, (mixer.conv - 1) * mixed)
    qkv = build.tensor(mixed, x)
    joined = _joined(build, mixed, mixer.conv, conv_state, qkv)
    state = build.bytes_tensor(4 * mixer.k_dim * values * seqs, build.inputs["states"])
    conv = build.tensor(mixed, joined)
    conv = build.tensor(mixed, conv, inplace=True)
    normed = []
    for _ in range(2):
        side = build.tensor(keys, conv.as_view)
        side = build.tensor(keys, side, inplace=True)
        if mixer.k_heads != heads and joint:
            side = build.tensor(heads * mixer.k_dim, side.as_view)
        normed.append(side)
    small = build.tensor(2 * heads if joint else heads, x)
    decay = build.tensor(heads, small.as_view)
    for _ in range(3):
        decay = build.tensor(heads, decay, inplace=True)
    beta = build.tensor(heads, small.as_view if joint else x)
    beta = build.tensor(heads, beta, inplace=True) if joint else build.tensor(heads, beta.as_view)
    size = 4 * values * (build.settings.tokens + mixer.k_dim * seqs)
    out = build.bytes_tensor(size, normed[0].as_view, normed[1].as_view, conv.as_view, decay.as_view, beta, state.as_view)
    y = build.tensor(values, out.as_view)
    y = build.tensor(values, y, inplace=True)
    gate = build.tensor(values, x)
    gate = build.tensor(values, gate.as_view)
    y = build.tensor(values, y, gate, inplace=True)
    return build.tensor(build.hidden, y.as_view).as_view


def kda(build: Build, mixer: Kda, x: Ref) -> Ref:
    width, seqs = mixer.width, build.settings.seqs
    taps = _state_rows(build, 3 * (mixer.conv - 1) * width)
    joined = [_joined(build, width, mixer.conv, taps, build.tensor(width, x)) for _ in range(3)]
    state = build.bytes_tensor(4 * mixer.head_dim * width * seqs, build.inputs["states"])
    sides = []
    for part, item in enumerate(joined):
        y = build.tensor(width, item)
        y = build.tensor(width, y.as_view)
        if part < 2:
            y = build.tensor(width, build.tensor(width, y.as_view), inplace=True)
        sides.append(y)
    forget = build.tensor(mixer.forget_rank, x) if mixer.forget_rank else x
    forget = build.tensor(width, forget)
    forget = build.tensor(width, build.tensor(width, forget, inplace=True), inplace=True)
    forget = build.tensor(width, forget.as_view)
    beta = build.tensor(mixer.heads, x)
    beta = build.tensor(mixer.heads, beta.as_view)
    size = 4 * width * (build.settings.tokens + mixer.head_dim * seqs)
    out = build.bytes_tensor(size, sides[0], sides[1], sides[2].as_view, forget.as_view, beta, state.as_view)
    y = build.tensor(width, out.as_view)
    y = build.tensor(width, build.tensor(width, y.as_view), inplace=True)
    gate = build.tensor(mixer.gate_rank, x.as_view) if mixer.gate_rank else x
    gate = build.tensor(width, gate)
    gate = build.tensor(width, gate.as_view)
    y = build.tensor(width, y, gate, inplace=True)
    y = build.tensor(width, y)
    return build.tensor(build.hidden, y)


def mamba(build: Build, mixer: Mamba, x: Ref) -> Ref:
    inner, state_width, seqs = mixer.inner, mixer.state_size * mixer.inner, build.settings.seqs
    taps = build.gathered((mixer.conv - 1) * inner)
    xz = build.tensor(2 * inner, x.as_view)
    joined = _joined(build, inner, mixer.conv, taps, xz)
    conv = build.tensor(inner, joined)
    conv = build.tensor(inner, build.tensor(inner, conv, inplace=True), inplace=True)
    low = build.tensor(mixer.dt_rank + 2 * mixer.state_size, conv)
    dt = build.tensor(mixer.dt_rank, low.as_view)
    step = build.tensor(inner, dt)
    step = build.tensor(inner, step, inplace=True)
    size = 4 * (inner * build.settings.tokens + state_width * seqs)
    scan = build.bytes_tensor(size, conv.as_view, step, low.as_view, build.inputs["states"])
    _rest_states(build, state_width)
    build.graph.until(scan.as_view)
    build.expand()
    z = build.tensor(inner, xz.as_view)
    y = build.tensor(inner, conv, inplace=True)
    y = build.tensor(inner, scan.as_view, y, inplace=True)
    y = build.tensor(inner, z, y)
    return build.tensor(build.hidden, y).as_view


def mamba2(build: Build, mixer: Mamba2, x: Ref) -> Ref:
    scan, zx, conv = _mamba2_scan(build, mixer, x)
    return _mamba2_out(build, mixer, scan, zx, conv)


def _rest_states(build: Build, width: int) -> None:
    """The states of the sequences that do not compute, carried over."""
    if build.settings.seqs > 1:
        build.graph.until(build.bytes_tensor(4 * width * (build.settings.seqs - 1), build.inputs["states"]))


def _mamba2_scan(build: Build, mixer: Mamba2, x: Ref) -> tuple[Ref, Ref, Ref]:
    inner, width, seqs = mixer.inner, mixer.conv_width, build.settings.seqs
    taps = build.gathered((mixer.conv - 1) * width)
    zx = build.tensor(inner + width + mixer.heads, x)
    joined = _joined(build, width, mixer.conv, taps, zx)
    conv = build.tensor(width, joined)
    conv = build.tensor(width, build.tensor(width, conv, inplace=True), inplace=True)
    dt = build.tensor(mixer.heads, zx.as_view)
    dt = build.tensor(mixer.heads, dt, inplace=True)
    state_width = mixer.state_size * inner
    size = 4 * (inner * build.settings.tokens + state_width * seqs)
    scan = build.bytes_tensor(size, conv.as_view, dt, build.inputs["states"])
    _rest_states(build, state_width)
    build.graph.until(scan.as_view)
    build.expand()
    return scan, zx, conv


def _mamba2_out(build: Build, mixer: Mamba2, scan: Ref, zx: Ref, conv: Ref) -> Ref:
    inner = mixer.inner
    z = build.tensor(inner, zx.as_view)
    y = build.tensor(inner, conv.as_view)
    y = build.tensor(inner, scan.as_view, y, inplace=True)
    y = build.tensor(inner, z, y)
    if mixer.norm:
        y = build.tensor(inner, build.tensor(inner, y.as_view), inplace=True)
    return build.tensor(build.hidden, y.as_view)


def short_conv(build: Build, mixer: ShortConv, x: Ref) -> Ref:
    hidden, seqs = build.hidden, build.settings.seqs
    taps = build.gathered((mixer.kernel - 1) * hidden)
    parts = build.tensor(3 * hidden, x.as_view)
    gated = build.tensor(hidden, parts.as_view, parts.as_view)
    joined = build.bytes_tensor(4 * hidden * (build.settings.tokens + (mixer.kernel - 1) * seqs), taps.as_view, gated.as_view)
    build.expand()
    conv = build.tensor(hidden, joined)
    y = build.tensor(hidden, parts.as_view, conv, inplace=True)
    return build.tensor(hidden, y).as_view


def lightning(build: Build, mixer: Lightning, x: Ref) -> Ref:
    width = mixer.heads * mixer.head_dim
    qkv = build.tensor(3 * width, x)
    out = build.tensor(width, qkv.as_view)
    gate = build.tensor(width, x)
    out = build.tensor(width, out, gate, inplace=True)
    return build.tensor(build.hidden, out)


def parallel(build: Build, mixer: Parallel, x: Ref, residual: Ref) -> Ref:
    """Attention beside Mamba 2, each from its own norm of the same input."""
    pairs = [part for part in mixer.parts if isinstance(part, Mamba2)]
    scans = []
    attended = [attend(build, part, x) for part in mixer.parts if isinstance(part, Attention)]
    for part in pairs:
        normed = build.token_norm(residual, build.hidden)
        scans.append(_mamba2_scan(build, part, normed))
    outs = [build.tensor(build.hidden, out.as_view) for out in attended]
    outs += [_mamba2_out(build, part, *scan) for part, scan in zip(pairs, scans, strict=True)]
    total = outs[0]
    for out in outs[1:]:
        total = build.tensor(build.hidden, total, out, inplace=True)
    return total


__all__ = ["ROTATION", "Build", "attend", "attention", "mix"]
