"""Speed of servers over a parallel plan: one decode step, a prompt, and what many requests get together."""

from vram_tui.estimator.devices import Device, class_chain
from vram_tui.estimator.facts import Constant, Facts, RuntimeFacts
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed_constants import Rate, compute_flops, look
from vram_tui.estimator.traffic import Traffic

NODE_DEVICES = 8
"""More devices than this talk over the network between nodes."""
_TABLE_SIZES = (2, 4, 8)
EASY_BATCH = 8
"""Requests up to which a prompt hardly waits for the others; beyond, the wait grows with the root."""


def link(device: Device, ranks: int, facts: Facts) -> tuple[Constant, Constant]:
    """(latency in µs, GB/s) of an all-reduce over the ranks: of the chip, of its kind of link, or of a network."""
    if ranks > NODE_DEVICES:
        return facts.links["allreduce.network.latency_us"], facts.links["allreduce.network.gbs"]
    size = next(size for size in _TABLE_SIZES if size >= ranks)
    fabric = "nvlink" if device.peer_built_in and device.peer_kind in ("nvlink", "xgmi") else "pcie"
    for known in (*class_chain(device.device_class), fabric):
        key = f"allreduce.{known}-{fabric}.{size}" if known != fabric else f"allreduce.{fabric}.{size}"
        if f"{key}.latency_us" in facts.links:
            return facts.links[f"{key}.latency_us"], facts.links[f"{key}.gbs"]
    raise KeyError(f"no all-reduce figures for {device.device_class} over {fabric}")


def decode(
    traffic: Traffic,
    device: Device,
    plan: Plan,
    runtime: RuntimeFacts,
    facts: Facts,
    *,
    batch: float = 1.0,
    context: float = 1024.0,
    compute: str = "",
    prompt: float = 0.0,
    answer: float = 0.0,
    cache_element_bytes: float = 2.0,
) -> Rate:
    """Tokens per second of one of `batch` requests whose caches hold `context` tokens on average.

    With `prompt` and `answer` tokens the steps also carry the prompts of the requests that come after: a server
    under steady load interleaves them. Raises KeyError where no constant is known, ValueError without bandwidth.
    """
    if not device.bandwidth_gbs:
        raise ValueError(f"the memory bandwidth of {device.name} is not known")
    kind = "experts" if traffic.experts else "dense"

    def constant(name: str) -> float:
        return look(runtime, device, name, kind).value

    bandwidth = device.bandwidth_gbs * 1e9
    ranks, local = plan.tp * plan.dp, max(1.0, batch / plan.dp)
    weights = _weights_read(traffic, plan, max(1.0, batch ** min(constant("evenness"), 1.0)))
    cache = local * (traffic.cache_bytes(context, cache_element_bytes, plan.tp) + 2 * traffic.state_bytes / plan.tp)
    plain = traffic.layers - traffic.expert_layers
    seconds = {
        "kernels": 1e-6 * constant("layer_us") * (plain + constant("expert_factor") * traffic.expert_layers),
        "weights": weights / (constant("eta") * bandwidth),
        "cache": cache / (constant("cache_eta") * bandwidth),
    }
    if plan.tp > 1 or (plan.ep > 1 and ranks > 1):
        each = _all_reduce(device, ranks, local * traffic.hidden * 2, facts)
        seconds["all-reduce"] = constant("allreduce_factor") * 2 * traffic.layers * each
    flops = compute_flops(device, compute)
    if flops:
        seconds["arithmetic"] = 2 * traffic.active_parameters * batch / (ranks * flops * constant("decode_use"))
        if answer and prompt:
            work = traffic.prefill_flops(prompt) * batch / answer
            seconds["prompts"] = work / (ranks * flops * constant("mixed_use"))
    if plan.pp > 1:
        seconds["stages"] = 1e-6 * constant("stage_us") * (plan.pp - 1)
    band = look(runtime, device, "band_decode", kind)
    return Rate(1.0 / sum(seconds.values()), band.value, band.basis, band.n, tuple(seconds.items()))


def _weights_read(traffic: Traffic, plan: Plan, draws: float) -> float:
    """Bytes that a rank reads for one step in which so many tokens draw their experts evenly."""
    experts = sum(group.bytes * group.distinct(draws) for group in traffic.experts)
    return traffic.always_bytes / plan.tp + experts / (plan.tp * plan.dp)


def _all_reduce(device: Device, ranks: int, message_bytes: float, facts: Facts) -> float:
    """Seconds of one all-reduce."""
    latency, rate = link(device, ranks, facts)
    return 1e-6 * latency.value + message_bytes / (rate.value * 1e9)


def first_token(
    traffic: Traffic,
    device: Device,
    plan: Plan,
    runtime: RuntimeFacts,
    *,
    prompt: float,
    batch: float = 1.0,
    compute: str = "",
) -> Rate:
    """Time to the first token of a prompt, as a Rate of prompt tokens per second.

    A constant of the engine, then the prompt's work on all ranks; with more than a few requests the prompts queue.
    """
    kind = "experts" if traffic.experts else "dense"
    flops = compute_flops(device, compute)
    if not flops:
        raise ValueError(f"the arithmetic rate of {device.name} is not known")
    work = traffic.prefill_flops(prompt) / (plan.devices * flops * look(runtime, device, "prefill_use", kind).value)
    start = 1e-3 * look(runtime, device, "start_ms", kind).value
    queue = max(1.0, (batch / EASY_BATCH) ** 0.5)
    band = look(runtime, device, "band_prefill", kind)
    parts = (("start", start * queue), ("arithmetic", work * queue))
    return Rate(prompt / ((start + work) * queue), band.value, band.basis, band.n, parts)
