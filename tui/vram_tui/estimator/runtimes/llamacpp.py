"""llama.cpp and its front ends: what they allocate for a model, a format and a scenario."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from vram_tui.estimator.caches import Caches, CacheSettings, caches, is_quantized
from vram_tui.estimator.compute_setting import OFFLOAD_TOKENS, ComputeSettings
from vram_tui.estimator.curves import STEP_TOKENS
from vram_tui.estimator.devices import Device, Machine, class_chain
from vram_tui.estimator.facts import Facts, RuntimeFacts
from vram_tui.estimator.memory import Cost, DeviceMemory, Memory, Peak, Reach, Weights
from vram_tui.estimator.profile import HeadShape, Profile
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.llamacpp_compute import compute_settings, peaks
from vram_tui.estimator.runtimes.llamacpp_split import Spread, device_settings, span_caches, spread, spreads
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.splitting import RAM
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import MIB

if TYPE_CHECKING:
    from vram_tui.estimator.runtimes.llamacpp_staging import Staged

ENGINE = "llama.cpp"
SAME_WIDTHS = frozenset((40, 64, 72, 80, 96, 112, 128, 256))
"""Head widths (K as wide as V) that the CUDA flash-attention kernels take. Source: ggml/src/ggml-cuda/fattn.cu."""
GROUPED_WIDTHS = {(192, 128): 8, (320, 256): 32}
"""Other pairs, with the divisor that the query heads per key head must have."""
PAIRED_WIDTHS = frozenset(((512, 512), (576, 512)))
"""Pairs that need at least two query heads per key head."""


class Settings(NamedTuple):
    """A scenario with all defaults filled in."""

    cache: CacheSettings
    outputs: int | None
    """Rows of logits reserved per step; None: a whole micro-batch."""
    on_gpu: bool
    ctx_factor: int
    tokens_divisor: int


def compile_llamacpp(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Everything that llama.cpp reserves before it computes. Raises Refusal where it would not start."""
    profile = subject.profile
    if "auto" in (scenario.ngl, scenario.n_cpu_moe):
        from vram_tui.estimator.offload import settled

        scenario = settled(subject, quant, 0, scenario, facts)
    runtime = facts.runtimes[scenario.runtime]
    engine = facts.runtimes.get(runtime.engine, runtime)
    weights = subject.weights(quant, scenario.imatrix, scenario.mtp)
    settings, warnings = resolve(profile, scenario, runtime, engine)
    mixed = bool(runtime.defaults.get("mixed_batches", engine.defaults.get("mixed_batches", True)))
    shaped = compute_settings(settings.cache, settings.outputs, on_gpu=settings.on_gpu, mixed=mixed)
    found = caches(profile, settings.cache)
    build = _Build(subject, quant, scenario, facts, settings, shaped, weights, found)
    devices, host = (_split if spreads(scenario) else _alone)(build)
    return Memory(
        quant,
        weights,
        devices,
        host,
        found.parts,
        (*warnings, *_sentences(profile.compute_warnings), *_apart_warnings(host, settings)),
        profile.context_tokens,
        scenario.runtime,
    )


def _sentences(parts: Iterable[str]) -> Iterator[str]:
    return (f"{part[0].upper()}{part[1:]}." for part in parts)


def _apart_warnings(host: DeviceMemory, settings: Settings) -> Iterator[str]:
    """What nobody follows of a graph that is computed in two places."""
    if settings.on_gpu and any(cost.group == "state" and cost.fixed_bytes for cost in host.costs):
        yield (
            "Layers with states in RAM scan there: the compute buffer in RAM can be several times larger, "
            "the device's a third off."
        )


class _Build(NamedTuple):
    """All that the devices of one memory are built from."""

    subject: Subject
    quant: str
    scenario: Scenario
    facts: Facts
    settings: Settings
    shaped: ComputeSettings
    weights: Weights
    caches: Caches

    def memory(
        self, name: str, reaches: tuple[Reach, ...], costs: tuple[Cost, ...], peak: Peak | None, usable: int | None
    ) -> DeviceMemory:
        divisor, factor = self.settings.tokens_divisor, self.settings.ctx_factor
        return DeviceMemory(name, reaches, costs, peak, divisor, usable, STEP_TOKENS, factor)

    def overhead(self, device: Device | None) -> tuple[Cost, ...]:
        runtime = self.facts.runtimes[self.scenario.runtime]
        engine = self.facts.runtimes.get(runtime.engine, runtime)
        return tuple(_overhead(runtime, engine, device, self.settings.on_gpu))

    @property
    def ram_bytes(self) -> int | None:
        machine = self.scenario.machine
        if machine is None:
            return None
        free = machine.host_free_bytes if self.scenario.free else None
        return machine.host_ram_bytes if free is None else free

    def usable_bytes(self, place: int) -> int | None:
        """What may be filled of a device: all that a process reaches, or what is free of it now."""
        machine = self.scenario.machine
        return machine.budget_bytes(place, free=self.scenario.free) if machine and machine.devices else None


def _alone(build: _Build) -> tuple[tuple[DeviceMemory, ...], DeviceMemory]:
    """Everything on one device, or in the RAM where there is none."""
    settings, weights = build.settings, build.weights
    found = _with_mtp(build.subject.profile, build.scenario, settings.cache, build.caches)
    profile, on_gpu = build.subject.profile, settings.on_gpu
    device = _device(build.scenario.machine) if on_gpu else None
    costs = (
        _weights_cost(weights.device_bytes if on_gpu else weights.loaded_bytes, weights, build.quant, on_gpu),
        *found.costs,
        *build.overhead(device),
    )
    peak, host_peak = peaks(build.subject, build.shaped)
    host_costs: tuple[Cost, ...] = (_output_cost(profile, settings),)
    if on_gpu:
        host_costs = (*_host_weights(weights, build.quant), *host_costs)
    name = device.name if device else "device" if on_gpu else "RAM"
    usable = build.usable_bytes(0) if on_gpu else build.ram_bytes
    whole = build.memory(name, found.reaches, costs, peak, usable)
    host = build.memory("host", found.reaches, host_costs, host_peak if on_gpu else None, build.ram_bytes)
    return (whole,), host


def _split(build: _Build) -> tuple[tuple[DeviceMemory, ...], DeviceMemory]:
    """Layers over devices, and what of them stays in RAM."""
    scenario, settings, quant = build.scenario, build.settings, build.quant
    profile, machine = build.subject.profile, build.scenario.machine
    cards: tuple[Device | None, ...] = machine.devices if machine else (None,)
    placed = spread(build.subject, quant, scenario, build.facts)
    last = placed.split.head
    staged: Staged = ()
    if placed.partial and build.shaped.tokens >= OFFLOAD_TOKENS:
        from vram_tui.estimator.runtimes.llamacpp_staging import staged_weights

        staged = staged_weights(build.subject, quant, scenario, build.facts, placed)
    devices = []
    for place, card in enumerate(cards):
        held = span_caches(profile, *placed.span(place), settings.cache)
        if place == last:
            held = _with_mtp(profile, scenario, settings.cache, held)
        shaped = device_settings(build.shaped, placed, profile, place, len(cards), staged)
        costs = (
            _weights_cost(placed.device_bytes(place), build.weights, quant, True),
            *held.costs,
            *build.overhead(card),
        )
        peak = peaks(build.subject, shaped)[0] if shaped else None
        usable = build.usable_bytes(place)
        devices.append(build.memory(card.name if card else "device", held.reaches, costs, peak, usable))
    return tuple(devices), _beside(build, placed, len(cards), staged)


def _beside(build: _Build, placed: Spread, devices: int, staged: "Staged") -> DeviceMemory:
    """The RAM beside devices that hold a part of the layers."""
    settings, profile = build.settings, build.subject.profile
    in_ram = settings.cache._replace(row_multiple=0)
    held = span_caches(profile, *placed.span(RAM), in_ram)
    whole, single = placed.host_bytes()
    if placed.split.head == RAM:
        held = _with_mtp(profile, build.scenario, in_ram, held)
    costs = (
        *_host_weights(build.weights, build.quant),
        *_ram_weights("layers in RAM", whole, "sum over tensors of the first layers", build.quant),
        *_ram_weights("experts in RAM", single, "sum over the tensors that are sent to RAM", build.quant),
        *held.costs,
        _output_cost(profile, settings),
    )
    # Inputs are the same whichever layers a device computes: the first one's graph is followed anyway.
    shaped = device_settings(build.shaped, placed, profile, 0, devices, staged)
    if shaped is None:
        shaped = build.shaped if placed.partial or devices == 1 else replace(build.shaped, devices=devices)
    return build.memory("host", held.reaches, costs, peaks(build.subject, shaped)[1], build.ram_bytes)


def resolve(
    profile: Profile, scenario: Scenario, runtime: RuntimeFacts, engine: RuntimeFacts
) -> tuple[Settings, tuple[str, ...]]:
    """Fill in the defaults of the runtime, and decide what it decides at start."""
    if scenario.seqs < 1:
        raise Refusal(f"{scenario.seqs} sequences", "seqs")
    ubatch = scenario.ubatch or int(runtime.defaults.get("ubatch", engine.defaults.get("ubatch", 512)))
    machine = scenario.machine
    on_gpu = machine is None or bool(machine.devices)
    flash, warnings = flash_attention(profile, scenario, on_gpu)
    own = engine.architectures.get(profile.architecture, {})
    cache = CacheSettings(
        type_k=scenario.kv_k,
        type_v=scenario.kv_v,
        seqs=scenario.seqs,
        unified=scenario.kv_unified,
        ubatch=ubatch,
        flash_attn=flash,
        swa_full=scenario.swa_full,
        windows=own.get("window") != "ignored" or not any(group.window for group in profile.caches),
        row_multiple=512 if on_gpu else 0,
    )
    outputs = scenario.seqs if scenario.outputs is None else scenario.outputs
    if isinstance(outputs, str) and outputs != "ubatch":
        raise Refusal(f"outputs are a number of rows or ubatch, not {outputs!r}", "outputs")
    per_request = bool(runtime.defaults.get("ctx_per_request", False))
    divisor = 1 if scenario.kv_unified else scenario.seqs
    return (
        Settings(
            cache=cache,
            outputs=None if isinstance(outputs, str) or outputs == 0 else outputs,
            on_gpu=on_gpu,
            ctx_factor=scenario.seqs if per_request else 1,
            tokens_divisor=divisor,
        ),
        warnings,
    )


def flash_attention(profile: Profile, scenario: Scenario, on_gpu: bool) -> tuple[bool, tuple[str, ...]]:
    """Whether flash attention runs, and what to say about it."""
    if scenario.flash_attn not in ("auto", "on", "off"):
        raise Refusal(f"flash attention is auto, on or off, not {scenario.flash_attn!r}", "flash_attn")
    if scenario.flash_attn == "off":
        return False, ()
    odd = [shape for shape in profile.head_shapes if on_gpu and not kernel_takes(shape)]
    if not odd:
        return True, ()
    widths = f"heads of {odd[0].k_dim} and {odd[0].v_dim}"
    # A quantized V cache turns "auto" into "on" (llama_init_from_model of b11549 says so in its log).
    if scenario.flash_attn == "on" or is_quantized(scenario.kv_v):
        return True, (f"No CUDA kernel of flash attention takes {widths}: attention runs on the CPU.",)
    return False, (f"Flash attention is off: no CUDA kernel takes {widths}.",)


def kernel_takes(shape: HeadShape) -> bool:
    """Whether a CUDA flash-attention kernel exists for these heads."""
    pair = (shape.k_dim, shape.v_dim)
    if pair in PAIRED_WIDTHS:
        return shape.gqa >= 2
    if pair in GROUPED_WIDTHS:
        return shape.gqa % GROUPED_WIDTHS[pair] == 0
    return shape.k_dim == shape.v_dim and shape.k_dim in SAME_WIDTHS


def _device(machine: Machine | None) -> Device | None:
    return machine.devices[0] if machine and machine.devices else None


def _weights_cost(size: int, weights: Weights, quant: str, on_gpu: bool) -> Cost:
    return Cost(
        "weights",
        "weights",
        size,
        formula="sum over tensors of rows × row bytes, without the input embedding" if on_gpu else "sum over tensors",
        numbers=(("format", quant), ("bits_per_weight", round(weights.bits_per_weight, 4))),
        source="llama.cpp src/llama-quant.cpp, src/llama-model.cpp",
    )


def _ram_weights(name: str, size: int, formula: str, quant: str) -> tuple[Cost, ...]:
    if not size:
        return ()
    source = "llama.cpp src/llama-model.cpp, common/arg.cpp"
    return (Cost(name, "weights", size, formula=formula, numbers=(("format", quant),), source=source),)


def _host_weights(weights: Weights, quant: str) -> tuple[Cost, ...]:
    cost = Cost(
        "input embedding",
        "weights",
        weights.host_bytes,
        formula="rows × row bytes of the embedding tables",
        numbers=(("format", quant),),
        source="llama.cpp src/llama-model.cpp: the input layer stays in RAM",
    )
    return (cost,)


def _output_cost(profile: Profile, settings: Settings) -> Cost:
    seqs = settings.cache.seqs
    return Cost(
        "output buffer",
        "output",
        4 * profile.vocab_size * seqs,
        formula="4 bytes × vocabulary × sequences",
        numbers=(("vocabulary", profile.vocab_size), ("sequences", seqs)),
        source="llama.cpp src/llama-context.cpp",
    )


def _with_mtp(profile: Profile, scenario: Scenario, settings: CacheSettings, found: Caches) -> Caches:
    """The caches with those of multi-token-prediction layers: a context of their own, as long as the model's."""
    if not scenario.mtp or not profile.mtp_caches:
        return found
    bare = replace(profile, caches=profile.mtp_caches, kinds=(), accumulators=0, recurrent_layers=0, bare_layers=0)
    own = caches(bare, settings)
    reaches = tuple(dict.fromkeys((*found.reaches, *own.reaches)))
    costs = tuple(
        replace(
            cost,
            name=f"{cost.name} of MTP",
            per_cell=tuple((reaches.index(own.reaches[index]), count) for index, count in cost.per_cell),
        )
        for cost in own.costs
    )
    return found._replace(reaches=reaches, costs=(*found.costs, *costs))


def _overhead(runtime: RuntimeFacts, engine: RuntimeFacts, device: Device | None, on_gpu: bool) -> Iterator[Cost]:
    """What the driver's context takes, where the facts know it for this class of device."""
    if not on_gpu:
        return
    chain = tuple(class_chain(device.device_class)) if device else ("cuda",)
    names = tuple(f"reserve.{name}" for name in chain)
    for known in (runtime, engine):
        for name in names:
            constant = known.constants.get(name)
            if constant is not None:
                yield Cost(
                    "runtime",
                    "runtime",
                    round(constant.value * MIB),
                    formula="context of the driver and its libraries",
                    numbers=(("mib", constant.value),),
                    basis=constant.basis,
                    source=constant.source,
                    error=constant.error,
                )
                return
