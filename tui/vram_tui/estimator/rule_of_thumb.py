"""The rule that web pages use: bytes per weight, a percentage on top, and keys and values of plain attention.

total = parameters × bytes per weight × (1 + overhead + 1 %) + 2 · layers · kv_heads · head_dim · 2 · ctx bytes.
The 1 % stands for activations; the cache is not multiplied.
"""

from dataclasses import replace

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Cost, DeviceMemory, Memory, Reach, Weights
from vram_tui.estimator.profile import Profile
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.stored import format_of
from vram_tui.estimator.subject import Subject

METHOD = "bytes-per-weight"
ACTIVATIONS_PERCENT = 1.0
F16_BYTES = 2
SOURCE = "rule of thumb of calculator pages"


def nominal_bits(subject: Subject, quant: str, facts: Facts) -> float:
    """Bits that the rule takes for a weight: the number on the label."""
    if quant.startswith("bpw:"):
        from vram_tui.estimator.weights import bits_per_weight

        return bits_per_weight(quant)
    known = format_of(subject, quant, facts)
    return known.nominal_bits or known.bits_per_weight


def compile_rule_of_thumb(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:
    """Memory by the rule, for any runtime: every layer counts as full attention with the widths of the first."""
    if not 0 <= scenario.overhead_percent <= 1000:
        raise Refusal(f"an overhead of {scenario.overhead_percent:g} % is no overhead", "overhead_percent")
    profile = subject.profile
    bits = nominal_bits(subject, quant, facts)
    weights = round(profile.parameters * bits / 8)
    costs = (
        _cost(
            "weights", "weights", "parameters × bits / 8", weights, ("parameters", profile.parameters), ("bits", bits)
        ),
        _cache(profile),
        _share("overhead", "runtime", weights, scenario.overhead_percent),
        _share("activations", "compute", weights, ACTIVATIONS_PERCENT),
    )
    usable = None
    if scenario.machine and scenario.machine.devices:
        usable = sum(device.usable_bytes for device in scenario.machine.devices)
    device = DeviceMemory("device", (Reach(1),), costs, usable_bytes=usable)
    return Memory(
        quant,
        Weights(weights, weights, weights, 0, profile.parameters),
        (device,),
        DeviceMemory("host"),
        native_tokens=profile.context_tokens,
        runtime=scenario.runtime,
    )


def _cost(name: str, group: str, formula: str, size: int, *numbers: tuple[str, int | float | str]) -> Cost:
    return Cost(name, group, size, formula=formula, numbers=numbers, basis="assumed", source=SOURCE)


def _share(name: str, group: str, weights: int, percent: float) -> Cost:
    size = round(weights * percent / 100)
    return _cost(name, group, "weights × percent", size, ("weights", weights), ("percent", percent))


def _cache(profile: Profile) -> Cost:
    """Keys and values of every layer as wide as those of the first."""
    per_token = 0
    if profile.caches:
        first = profile.caches[0]
        per_token = F16_BYTES * profile.layer_count * (first.k_width + first.v_width)
    formula = "cells × layers × (K + V elements) × 2 bytes"
    numbers = (("layers", profile.layer_count), ("bytes_per_token", per_token))
    return replace(_cost("kv cache", "kv", formula, 0, *numbers), per_cell=((0, per_token),))
