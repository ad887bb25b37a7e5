"""What feed-forwards leave in memory: dense, plain, and routed experts with shared company."""

from vram_tui.estimator.blocks import Experts, FeedForward, Gated, Plain
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_tape import Ref

_REDUCED_EXPERTS = range(2, 16)
"""Active experts for which the CUDA backend fuses the weighted sum, and so keeps its inputs until the sum is done."""
_ROUTED_COUNTS = (*(1 << power for power in range(10)), 288, 576)
"""Expert counts for which the CUDA backend fuses the routing, and so keeps all of it until it is done."""


def feed(build: Build, block: FeedForward, x: Ref) -> Ref:
    """The feed-forward's output of hidden width (before it is added to the residual stream)."""
    build.graph.begin(f"{block.kind} feed-forward of layer {build.number}")
    if isinstance(block, Experts):
        return experts(build, block, x)
    if isinstance(block, Gated):
        return gated(build, block.size, x)
    return plain(build, block, x)


def gated(build: Build, size: int, x: Ref, kind: str = "") -> Ref:
    """`kind` ends the names of the weights: nothing, or "_shexp" for shared experts."""
    if "gate-up" in build.fused:
        wide = build.row_tensor(2 * size, *build.weight(f"ffn_up{kind}"), x)
        y = build.row_tensor(size, wide)
    else:
        gate = build.plus(build.row_tensor(size, *build.weight(f"ffn_gate{kind}"), x), f"ffn_gate{kind}_bias")
        up = build.plus(build.row_tensor(size, *build.weight(f"ffn_up{kind}"), x), f"ffn_up{kind}_bias")
        y = build.row_tensor(size, gate, up)
    return build.plus(build.row_tensor(build.hidden, *build.weight(f"ffn_down{kind}"), y), f"ffn_down{kind}_bias")


def plain(build: Build, block: Plain, x: Ref, kind: str = "") -> Ref:
    y = build.plus(build.row_tensor(block.size, *build.weight(f"ffn_up{kind}"), x), f"ffn_up{kind}_bias")
    y = build.row_tensor(block.size, y, inplace=True)
    return build.plus(build.row_tensor(build.hidden, *build.weight(f"ffn_down{kind}"), y), f"ffn_down{kind}_bias")


def experts(build: Build, block: Experts, x: Ref) -> Ref:
    ids, weights = _route(build, block, x)
    active, size, width = block.active, block.size, block.latent or build.hidden
    source = build.row_tensor(block.latent, *build.weight("latent_down"), x) if block.latent else x
    if active == 1:
        # A lone expert's weight is put on its input, of which there is one copy for each expert.
        source = build.row_tensor(width, build.row_tensor(width, source.as_view), weights, inplace=True)
    joint = build.weight("ffn_gate_up_exps")
    gate = None
    if block.gated:
        gate = build.row_tensor(active * size, *build.weight("ffn_gate_exps"), *joint, source.as_view, ids)
        gate = build.plus(gate, "ffn_gate_exps_bias")
    up = build.row_tensor(active * size, *build.weight("ffn_up_exps"), *joint, source.as_view, ids)
    up = build.plus(up, "ffn_up_exps_bias")
    if gate:
        inner = build.row_tensor(active * size, gate, up)
    else:
        inner = build.row_tensor(active * size, build.row_tensor(active * size, up, inplace=True), inplace=True)
    joins = 0 < block.shared == size and block.gated and build.settings.fuses
    down = build.row_tensor(active * width, *build.weight("ffn_down_exps"), inner, ids)
    down = build.plus(down, "ffn_down_exps_bias")
    shared: Ref | None = None
    if joins:
        # The CUDA backend runs a shared expert of the routed size beside the routed ones: its result has a
        # place from here on, and its two projections come before the weighted sum.
        shared_inner = build.row_tensor(size)
        build.graph.until(inner)
        roles = ("ffn_gate_shexp", "ffn_up_shexp")
        sides = [build.row_tensor(size, *build.weight(role), x) for role in roles]
    total = _weighted(build, active, width, down, weights)
    if block.latent:
        total = build.row_tensor(build.hidden, *build.weight("latent_up"), total)
    if joins:
        build.graph.until(*sides)
        shared = build.row_tensor(build.hidden, *build.weight("ffn_down_shexp"), shared_inner)
    elif block.shared:
        shared = _shared(build, block, x)
    if shared and block.shared_gate:
        scale = build.row_tensor(1, *build.weight("shared_gate"), x)
        shared = build.row_tensor(build.hidden, shared, build.row_tensor(1, scale, inplace=True), inplace=True)
    if shared:
        total = build.row_tensor(build.hidden, total, shared, inplace=True)
    if block.dense:
        dense = gated(build, block.dense, x)
        total = build.row_tensor(build.hidden, total, dense, inplace=True)
    return total


def _shared(build: Build, block: Experts, x: Ref) -> Ref:
    if block.gated:
        return gated(build, block.shared, x, "_shexp")
    return plain(build, Plain(block.shared), x, "_shexp")


def _route(build: Build, block: Experts, x: Ref) -> tuple[Ref, Ref]:
    """Logits, probabilities, their order, and the chosen weights."""
    count = block.count + block.zero_experts + block.routed_shared
    logits = build.row_tensor(count, *build.weight("router"), x)
    if block.bias:
        logits = build.plus(logits, "router_bias")
    lone = block.active == 1
    probs = build.row_tensor(count, logits, inplace=not lone)
    ranked = build.row_tensor(count, probs, *build.weight("router_bias")) if block.router_bias else probs
    if lone:
        ranked = logits
    order = build.row_tensor(count, ranked)
    weights = build.row_tensor(block.active, probs.as_view, order.as_view)
    steps, factors = [logits, probs, ranked, order, weights], weights
    if not (block.raw_weights or lone):
        total = build.row_tensor(1, weights.as_view)
        floor = build.row_tensor(1, total)
        steps += total, floor
        factors = build.row_tensor(block.active, weights.as_view, floor)
    if block.router_bias:
        factors = build.row_tensor(block.active, factors.as_view)
    if count in _ROUTED_COUNTS and build.settings.fuses:
        build.graph.until(*steps)
    return order.as_view, factors


def _weighted(build: Build, active: int, width: int, down: Ref, weights: Ref) -> Ref:
    if active == 1:
        return build.row_tensor(width, down.as_view)
    fused = active in _REDUCED_EXPERTS and build.settings.fuses
    reads = (down, weights.as_view)
    weighted = build.row_tensor(active * width, *reads, inplace=not fused)
    total = build.row_tensor(width, weighted.as_view)
    build.graph.until(weighted.as_view)
    if fused:
        build.graph.until(down, weights)
    build.expand()
    return total
