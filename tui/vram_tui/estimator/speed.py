"""How fast a scenario generates and reads prompts, every figure with its band."""

from math import ceil

from vram_tui.estimator import speed_llamacpp, speed_serving
from vram_tui.estimator.cache_types import element_bytes
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.records import record
from vram_tui.estimator.runtimes.serving import resolve
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.server_weights import SIXTEEN_BITS
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed_constants import Rate, engine_of
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.traffic import Traffic

SERVERS = frozenset(("vllm", "sglang", "tensorrt-llm"))
PROMPT_TOKENS = 2048
"""The prompt that the prefill figure and the time to the first token speak of, where the context holds it."""
DUAL_CHANNEL_GBS = 80.0
"""Host bandwidth where nobody measured it: DDR5-5000 on two channels."""


@record
class Offload:
    """What is computed by the CPU, as fractions of the weights read for every token, the experts and the layers."""

    weights: float = 0.0
    experts: float = 0.0
    layers: int = 0


@record
class Speed:
    """Rates of one scenario. `decode` is what one request gets, `throughput` what all of them get together."""

    decode: Rate
    prefill: Rate | None
    throughput: float
    first_token_s: float | None

    def to_json(self) -> dict[str, float | None]:
        """The field `speed` of an estimate."""
        return {
            "decode_tok_s": self.decode.tokens_per_s,
            "prefill_tok_s": self.prefill.tokens_per_s if self.prefill else None,
            "band": self.decode.band,
            "prefill_band": self.prefill.band if self.prefill else None,
            "throughput_tok_s": self.throughput,
            "first_token_s": self.first_token_s,
        }


def compute_of(quant: str, facts: Facts) -> str:
    """The arithmetic units that a format multiplies on: "fp8", "fp4", "int8", or "" for 16 bit."""
    known = facts.formats.get(quant)
    return str(known.rule.get("compute", "")) if known else ""


def speed_of(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, memory: Memory) -> Speed | None:
    """Speed of a compiled scenario: its plan, and what its memory leaves to the CPU.

    None without a machine, where a rate of it is not known, and where the model does not fit.
    """
    if scenario.machine is None or not scenario.machine.devices or memory.fits(ctx) is False:
        return None
    if scenario.runtime in SERVERS:
        plan = resolve(subject, quant, scenario, facts).plan
        return speed(subject, quant, ctx, scenario, facts, plan=plan)
    on_host = memory.host.group_bytes(ctx, "weights") - memory.weights.host_bytes
    work = subject.traffic(quant, scenario.imatrix)
    return speed(subject, quant, ctx, scenario, facts, offload=offload_of(work, on_host, scenario))


def offload_of(work: Traffic, on_host_bytes: int, scenario: Scenario) -> Offload:
    """What the CPU computes when so many bytes of the layers stay in RAM: experts first where only they are moved."""
    expert_bytes = sum(group.bytes for group in work.experts)
    if on_host_bytes <= 0:
        return Offload()
    if expert_bytes and scenario.n_cpu_moe not in (None, 0):
        share = min(on_host_bytes / expert_bytes, 1.0)
        return Offload(0.0, share, ceil(share * work.expert_layers))
    share = min(on_host_bytes / (expert_bytes + work.always_bytes), 1.0)
    return Offload(share, share, ceil(share * work.layers))


def speed(
    subject: Subject,
    quant: str,
    ctx: int,
    scenario: Scenario,
    facts: Facts,
    *,
    plan: Plan | None = None,
    offload: Offload | None = None,
    prompt_tokens: int = PROMPT_TOKENS,
) -> Speed | None:
    """Speed on the scenario's machine with `ctx` tokens in every request's cache; None without a machine.

    None also where a device's bandwidth is not known. Raises what weighing the format raises.
    """
    machine = scenario.machine
    if machine is None or not machine.devices or any(not device.bandwidth_gbs for device in machine.devices):
        return None
    work = subject.traffic(quant, scenario.imatrix)
    prompt = min(prompt_tokens, max(ctx, 1))
    if scenario.runtime in SERVERS:
        return _served(work, quant, ctx, scenario, facts, plan or Plan(len(machine.devices)), prompt)
    return _alone(work, quant, ctx, scenario, facts, machine, offload or Offload(), prompt)


def _served(work: Traffic, quant: str, ctx: int, scenario: Scenario, facts: Facts, plan: Plan, prompt: int) -> Speed:
    assert scenario.machine is not None
    device = scenario.machine.devices[0]
    runtime = engine_of(scenario.runtime, facts)
    compute = compute_of(quant, facts)
    batch = max(scenario.seqs, 1)
    rate = speed_serving.decode(
        work,
        device,
        plan,
        runtime,
        facts,
        batch=batch,
        context=ctx,
        compute=compute,
        cache_element_bytes=element_bytes(scenario.kv_k),
    )
    if not device.fp16_tflops:
        return Speed(rate, None, rate.tokens_per_s * batch, None)
    first = speed_serving.first_token(work, device, plan, runtime, prompt=prompt, batch=batch, compute=compute)
    return Speed(rate, first, rate.tokens_per_s * batch, prompt / first.tokens_per_s)


def _alone(
    work: Traffic,
    quant: str,
    ctx: int,
    scenario: Scenario,
    facts: Facts,
    machine: Machine,
    offload: Offload,
    prompt: int,
) -> Speed:
    runtime = engine_of(scenario.runtime, facts)
    shares = _shares(machine.devices, scenario.tensor_split, offload)
    host = None
    if offload.weights or offload.experts:
        bandwidth = machine.host_bandwidth_gbs or DUAL_CHANNEL_GBS
        host = speed_llamacpp.Host(bandwidth, offload.weights, offload.experts, offload.layers)
    batch = max(scenario.seqs, 1)
    rate = speed_llamacpp.decode(
        work,
        shares,
        runtime,
        host=host,
        batch=batch,
        context=ctx,
        cache_element_bytes=element_bytes(scenario.kv_k),
    )
    if any(not share.device.fp16_tflops for share in shares):
        return Speed(rate, None, rate.tokens_per_s * batch, None)
    known = facts.formats.get(quant)
    plain = quant in SIXTEEN_BITS or (known is not None and known.base_type in SIXTEEN_BITS)
    prefill = speed_llamacpp.prefill(
        work, shares, runtime, tokens=prompt, host=host, ubatch=scenario.ubatch or 512, plain_16_bit=plain
    )
    return Speed(rate, prefill, rate.tokens_per_s * batch, prompt / prefill.tokens_per_s)


def _shares(
    devices: tuple[Device, ...], split: tuple[float, ...], offload: Offload
) -> tuple[speed_llamacpp.Share, ...]:
    """Layers by the given split, else by the memory of each device, less what the CPU computes."""
    parts = list(split) or [float(device.usable_bytes) for device in devices]
    parts = [*parts, *[0.0] * len(devices)][: len(devices)]
    total = sum(parts) or 1.0
    return tuple(
        speed_llamacpp.Share(
            device,
            part / total * (1 - offload.weights),
            part / total * (1 - offload.experts),
            part / total,
        )
        for device, part in zip(devices, parts, strict=True)
        if part
    )
