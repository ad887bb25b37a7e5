"""What recurrent mixers leave in memory, in the order in which llama.cpp computes them (b11549)."""

from vram_tui.estimator.blocks import DeltaNet, Kda, Lightning, Mamba, Mamba2, ShortConv
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_tape import Ref, Size


def _state_rows(build: Build, width: int) -> Ref:
    """The convolution state of each sequence, gathered from the recurrent cache."""
    return build.bytes_tensor(4 * width * build.settings.seqs, build.inputs["states"])


def _view(build: Build, name: str) -> Ref:
    """A part of the list of states, by itself where the device has a copy of it."""
    return build.inputs[name if build.inputs.has(name) else "states"]


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
    out = build.bytes_tensor(
        size, normed[0].as_view, normed[1].as_view, conv.as_view, decay.as_view, beta, state.as_view
    )
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
    scan = build.bytes_tensor(size, conv.as_view, step, low.as_view, _view(build, "scanned"))
    _rest_states(build, state_width)
    build.graph.until(scan.as_view)
    build.expand()
    z = build.tensor(inner, xz.as_view)
    y = build.tensor(inner, conv, inplace=True)
    y = build.tensor(inner, scan.as_view, y, inplace=True)
    y = build.tensor(inner, z, y)
    return build.tensor(build.hidden, y).as_view


def mamba2(build: Build, mixer: Mamba2, x: Ref) -> Ref:
    scan, zx, conv = mamba2_scan(build, mixer, x)
    return mamba2_out(build, mixer, scan, zx, conv)


def _rest_states(build: Build, width: int) -> None:
    """The states of the sequences that do not compute, carried over."""
    if build.settings.seqs > 1:
        build.graph.until(build.bytes_tensor(4 * width * (build.settings.seqs - 1), _view(build, "resting")))


def mamba2_scan(build: Build, mixer: Mamba2, x: Ref) -> tuple[Ref, Ref, Ref]:
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
    scan = build.bytes_tensor(size, conv.as_view, dt, _view(build, "scanned"))
    _rest_states(build, state_width)
    build.graph.until(scan.as_view)
    build.expand()
    return scan, zx, conv


def mamba2_out(build: Build, mixer: Mamba2, scan: Ref, zx: Ref, conv: Ref) -> Ref:
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
    joined = build.bytes_tensor(
        4 * hidden * (build.settings.tokens + (mixer.kernel - 1) * seqs), taps.as_view, gated.as_view
    )
    build.expand()
    conv = build.tensor(hidden, joined)
    y = build.tensor(hidden, parts.as_view, conv, inplace=True)
    return build.tensor(hidden, y).as_view


def decays(mixer: Lightning, settings: ComputeSettings) -> dict[str, Size]:
    """Inputs that weigh a token's past: of queries, of pairs of tokens of one sequence, of the state, of keys."""
    heads, tokens = mixer.heads, settings.tokens
    rows = Size(4 * heads * tokens)
    return {
        "decay.q": rows,
        "decay.pairs": Size(4 * heads * tokens * (tokens // settings.seqs)),
        "decay.state": Size(4 * heads),
        "decay.k": rows,
    }


def lightning(build: Build, mixer: Lightning, x: Ref) -> Ref:
    """One block of tokens: what the state gives them, what they give each other, and the state after them."""
    graph, width = build.graph, mixer.heads * mixer.head_dim
    state = build.gathered(mixer.head_dim * width)
    sizes = decays(mixer, build.settings)

    def decay(name: str) -> Ref:
        return graph.add(sizes[name], (graph.add(sizes[name], (build.inputs[name],), inplace=True),), inplace=True)

    qkv = build.tensor(3 * width, x.as_view)
    qkv = build.tensor(3 * width, qkv, inplace=True).as_view
    past = build.tensor(width, state.as_view, build.tensor(width, qkv, decay("decay.q")).as_view)
    v = build.tensor(width, qkv)
    pairs = graph.add(sizes["decay.pairs"], (qkv,))
    pairs = graph.add(sizes["decay.pairs"], (pairs, decay("decay.pairs")), inplace=True)
    out = build.tensor(width, past, build.tensor(width, v, pairs), inplace=True)
    fade = graph.add(sizes["decay.state"], (decay("decay.state"),), inplace=True)
    kept = graph.add(graph.size(state), (state.as_view, fade.as_view))
    k = build.tensor(width, build.tensor(width, qkv, decay("decay.k")).as_view)
    graph.until(graph.add(graph.size(state), (kept, graph.add(graph.size(state), (k, v))), inplace=True))
    gate = build.tensor(width, x.as_view)
    gate = build.tensor(width, gate, inplace=True)
    out = build.tensor(width, build.tensor(width, out.as_view).as_view)
    out = build.tensor(width, gate, build.tensor(width, out, inplace=True), inplace=True)
    return build.tensor(build.hidden, out).as_view
