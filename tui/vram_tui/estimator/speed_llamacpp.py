"""Speed of llama.cpp and its kin: one device, layers split over several, weights partly left in RAM."""

from collections.abc import Sequence

from vram_tui.estimator.devices import Device
from vram_tui.estimator.facts import RuntimeFacts
from vram_tui.estimator.records import record
from vram_tui.estimator.speed_constants import Rate, known, look
from vram_tui.estimator.traffic import Traffic


@record
class Share:
    """What one device computes, as fractions of the whole: always-read weights and layers, experts, caches."""

    device: Device
    weights: float = 1.0
    experts: float = 1.0
    caches: float = 1.0


@record
class Host:
    """What the CPU computes from RAM of `bandwidth_gbs` (the theoretical rate of all channels)."""

    bandwidth_gbs: float
    weights: float = 0.0
    experts: float = 0.0
    layers: float = 0.0
    """Layers with anything on the CPU: each costs a hand-over."""


def decode(
    traffic: Traffic,
    shares: Sequence[Share],
    runtime: RuntimeFacts,
    *,
    host: Host | None = None,
    batch: float = 1.0,
    context: float = 1024.0,
    cache_element_bytes: float = 2.0,
    variant: str = "",
) -> Rate:
    """Tokens per second of one of `batch` sequences, each with `context` tokens in its cache.

    Devices work one after the other (layers are split, not tensors), and the CPU does not overlap with them.
    Raises ValueError for a device whose bandwidth nobody knows.
    """
    seconds: dict[str, float] = {}
    worst = None
    kind = "experts" if traffic.experts else "dense"
    for share in shares:
        device = share.device
        if not device.bandwidth_gbs:
            raise ValueError(f"the memory bandwidth of {device.name} is not known")
        for name, value in _device_step(traffic, share, runtime, batch, context, cache_element_bytes, kind, variant):
            seconds[name] = seconds.get(name, 0.0) + value
        band = look(runtime, device, "band_decode", kind, variant)
        worst = band if worst is None or band.value > worst.value else worst
    if worst is None:
        raise ValueError("no device computes anything")
    if len(shares) > 1:
        crossing = known(runtime, shares[0].device, "crossing_ms", kind, variant)
        # Engines whose layer split nobody timed have the hand-over between pipeline stages instead.
        one = 1e-3 * crossing.value if crossing else 1e-6 * look(runtime, shares[0].device, "stage_us", kind).value
        seconds["crossings"] = one * (len(shares) - 1)
    band_value, basis = worst.value, worst.basis
    if host and (host.weights or host.experts):
        eta = runtime.get("speed.cpu.eta")
        read = host.weights * traffic.always_bytes + host.experts * _expert_bytes(traffic, batch)
        seconds["RAM"] = read / (eta.value * host.bandwidth_gbs * 1e9)
        seconds["hand-over"] = 1e-3 * runtime.get("speed.cpu.handover_ms").value * host.layers
        band_value, basis = max(band_value, eta.error), eta.basis
    return Rate(1.0 / sum(seconds.values()), band_value, basis, worst.n, tuple(seconds.items()))


def _expert_bytes(traffic: Traffic, batch: float) -> float:
    return sum(group.bytes * group.distinct(batch) for group in traffic.experts)


def _device_step(
    traffic: Traffic,
    share: Share,
    runtime: RuntimeFacts,
    batch: float,
    context: float,
    element: float,
    kind: str,
    variant: str,
) -> tuple[tuple[str, float], ...]:
    device = share.device

    def constant(name: str) -> float:
        return look(runtime, device, name, kind, variant).value

    bandwidth = (device.bandwidth_gbs or 0.0) * 1e9
    plain = traffic.layers - traffic.expert_layers
    layers = share.weights * (plain + constant("expert_factor") * traffic.expert_layers)
    weights = share.weights * traffic.always_bytes + share.experts * _expert_bytes(traffic, batch)
    cache = batch * share.caches * (traffic.cache_bytes(context, element) + 4 * traffic.state_bytes)
    parts = [
        ("kernels", 1e-6 * constant("layer_us") * layers),
        ("weights", weights / (constant("eta") * bandwidth)),
        ("cache", cache / (constant("cache_eta") * bandwidth)),
    ]
    if batch > 1 and device.fp16_tflops:
        flops = 2 * traffic.active_parameters * (batch - 1) * share.weights
        parts.append(("arithmetic", flops / (device.fp16_tflops * 1e12 * constant("decode_use"))))
    return tuple(parts)


def prefill(
    traffic: Traffic,
    shares: Sequence[Share],
    runtime: RuntimeFacts,
    *,
    tokens: float = 512.0,
    past: float = 0.0,
    host: Host | None = None,
    pcie_gbs: float = 25.0,
    ubatch: int = 512,
    plain_16_bit: bool = False,
    variant: str = "",
) -> Rate:
    """Prompt tokens per second for `tokens` new ones after `past` cached ones.

    Split layers overlap as a pipeline of micro-batches where that was timed for the runtime. Weights in RAM are
    copied to the device for every micro-batch. Raises ValueError without an arithmetic rate.
    """
    kind = "experts" if traffic.experts else "plain" if plain_16_bit else "dense"
    first = shares[0].device
    work = traffic.prefill_flops(tokens, past)
    total = 0.0
    for share in shares:
        if not share.device.fp16_tflops or not share.device.bandwidth_gbs:
            raise ValueError(f"the arithmetic rate of {share.device.name} is not known")
        use = look(runtime, share.device, "prefill_use", kind, variant).value
        total += share.weights * work / (share.device.fp16_tflops * 1e12 * use)
    seconds = {"arithmetic": total}
    if len(shares) > 1:
        # A pipeline of n stages needs m + n - 1 turns for m micro-batches; `pipeline_gain` is what is reached of it.
        turns = max(1.0, tokens / ubatch)
        ideal = turns * len(shares) / (turns + len(shares) - 1)
        gain = known(runtime, first, "pipeline_gain", kind, variant)
        seconds["arithmetic"] = total / ideal**gain.value if gain else total
    if host and (host.weights or host.experts):
        copied = host.weights * traffic.always_bytes + host.experts * _expert_bytes(traffic, ubatch)
        seconds["copies"] = copied / (pcie_gbs * 1e9) * max(1.0, tokens / ubatch)
    band = look(runtime, first, "band_prefill", kind, variant)
    if len(shares) > 1 and (split := known(runtime, first, "band_prefill_split", kind, variant)):
        band = max(band, split, key=lambda one: one.value)
    return Rate(tokens / sum(seconds.values()), band.value, band.basis, band.n, tuple(seconds.items()))
