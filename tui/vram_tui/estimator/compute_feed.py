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
    if isinstance(block, Experts):
        return experts(build, block, x)
    if isinstance(block, Gated):
        return gated(build, block.size, x)
    return plain(build, block, x)


def gated(build: Build, size: int, x: Ref) -> Ref:
    if "gate-up" in build.fused:
        wide = build.row_tensor(2 * size, x)
        y = build.row_tensor(size, wide)
    else:
        gate, up = build.row_tensor(size, x), build.row_tensor(size, x)
        y = build.row_tensor(size, gate, up)
    return build.row_tensor(build.hidden, y)


def plain(build: Build, block: Plain, x: Ref) -> Ref:
    y = build.row_tensor(block.size, x)
    y = build.row_tensor(block.size, y, inplace=True)
    return build.row_tensor(build.hidden, y)


def experts(build: Build, block: Experts, x: Ref) -> Ref:
    ids, weights = _route(build, block, x)
    active, size, width = block.active, block.size, block.latent or build.hidden
    source = build.row_tensor(block.latent, x) if block.latent else x
    gate = build.row_tensor(active * size, source.as_view, ids) if block.gated else None
    up = build.row_tensor(active * size, source.as_view, ids)
    if gate:
        inner = build.row_tensor(active * size, gate, up)
    else:
        inner = build.row_tensor(active * size, build.row_tensor(active * size, up, inplace=True), inplace=True)
    joins = bool(block.shared) and block.shared == size and block.gated and build.settings.fuses
    down = build.row_tensor(active * width, inner, ids)
    shared: Ref | None = None
    if joins:
        # The CUDA backend runs a shared expert of the routed size beside the routed ones: its result has a
        # place from here on, and its two projections come before the weighted sum.
        shared_inner = build.row_tensor(size)
        build.graph.until(inner)
        sides = (build.row_tensor(size, x), build.row_tensor(size, x))
    total = _weighted(build, active, width, down, weights)
    if block.latent:
        total = build.row_tensor(build.hidden, total)
    if joins:
        build.graph.until(*sides)
        shared = build.row_tensor(build.hidden, shared_inner)
    elif block.shared:
        shared = _shared(build, block, x)
    if shared and block.shared_gate:
        scale = build.row_tensor(1, x)
        shared = build.row_tensor(build.hidden, shared, build.row_tensor(1, scale, inplace=True), inplace=True)
    if shared:
        total = build.row_tensor(build.hidden, total, shared, inplace=True)
    if block.dense:
        dense = gated(build, block.dense, x)
        total = build.row_tensor(build.hidden, total, dense, inplace=True)
    return total


def _shared(build: Build, block: Experts, x: Ref) -> Ref:
    if block.gated:
        return gated(build, block.shared, x)
    return plain(build, Plain(block.shared), x)


def _route(build: Build, block: Experts, x: Ref) -> tuple[Ref, Ref]:
    """Logits, probabilities, their order, and the chosen weights."""
    count = block.count + block.zero_experts + block.routed_shared
    logits = build.row_tensor(count, x)
    probs = build.row_tensor(count, logits, inplace=True)
    ranked = build.row_tensor(count, probs) if block.router_bias else probs
    order = build.row_tensor(count, ranked)
    weights = build.row_tensor(block.active, probs.as_view, order.as_view)
    steps, factors = [logits, probs, ranked, order, weights], weights
    if not block.raw_weights:
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
    fused = active in _REDUCED_EXPERTS and build.settings.fuses
    if active == 1:
        return build.row_tensor(width, build.row_tensor(width, down, weights, inplace=True).as_view)
    reads = (down, weights.as_view)
    weighted = build.row_tensor(active * width, *reads, inplace=not fused)
    total = build.row_tensor(width, weighted.as_view)
    build.graph.until(weighted.as_view)
    if fused:
        build.graph.until(down, weights)
    build.expand()
    return total
