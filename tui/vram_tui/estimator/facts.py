"""Constants that the estimator is given, never holds: formats, runtimes, each value with its source."""

from collections.abc import Mapping
from dataclasses import field

from vram_tui.estimator.devices import Tier, tier_of
from vram_tui.estimator.records import record


@record
class Constant:
    """One refittable value. `error` is the relative half-width of its band; `basis` as in terms."""

    value: float
    unit: str = ""
    basis: str = "assumed"
    source: str = ""
    error: float = 0.0
    n: int = 0
    """How many measured rows stand behind a fitted value."""


@record
class Format:
    """A way of storing weights: a GGUF file type or a server format.

    `kind` is "gguf", "server" or "custom"; `bits_per_weight` is nominal, of the quantized tensors;
    `runtimes` are the engines that load it; `rule` holds the numbers that a server format's arithmetic needs
    (bits, group, …).
    """

    id: str
    label: str
    kind: str
    bits_per_weight: float
    runtimes: tuple[str, ...]
    base_type: str = ""
    nominal_bits: float = 0.0
    """What the method "bytes per weight" takes for a weight: the number on the label."""
    source: str = ""
    rule: Mapping[str, float | str | bool] = field(default_factory=dict)
    quality: tuple[tuple[str, str, str], ...] = ()
    """(measure, value with unit, model it was measured on and source): evidence, never a percentage of ours."""


@record
class RuntimeFacts:
    """Constants of one runtime, by dotted name: `reserve.cuda`, `speed.cuda-ada.eta` …"""

    id: str
    label: str
    version: str
    constants: Mapping[str, Constant]
    architectures: Mapping[str, Mapping[str, str | float | bool]] = field(default_factory=dict)
    """What this runtime does otherwise for a GGUF architecture, by its name: `window = "ignored"` …"""
    defaults: Mapping[str, str | float | bool] = field(default_factory=dict)
    """The runtime's own settings where a scenario leaves them open: `ubatch`, `ctx_per_request` …"""
    engine: str = ""
    """The runtime whose rules it follows ("llama.cpp" for its front ends); empty: its own."""

    def get(self, *names: str) -> Constant:
        """The first of the dotted names that is known: most special first. Raises KeyError with all of them."""
        for name in names:
            if name in self.constants:
                return self.constants[name]
        raise KeyError(f"{self.id}: none of {', '.join(names)}")


@record
class NameRule:
    """A rule of the GGUF mixtures that asks for the file's architecture, and for its layers where they are not 0."""

    architectures: frozenset[str]
    layers: int = 0


@record
class Facts:
    """All constants in one place; built by the catalogue, handed to the estimator."""

    formats: Mapping[str, Format]
    runtimes: Mapping[str, RuntimeFacts]
    tiers: tuple[Tier, ...]
    name_rules: Mapping[str, NameRule] = field(default_factory=dict)
    """By the name that the mixtures give it."""

    tensor_types: Mapping[str, str] = field(default_factory=dict)
    """What each ggml tensor type is, in words."""
    links: Mapping[str, Constant] = field(default_factory=dict)
    """Of the fabrics between devices, by dotted name: `allreduce.nvlink.8.latency_us` …"""

    def tier_of(self, total_bytes: int, *, nominal: bool = False) -> Tier:
        """The first tier that holds the bytes (the last has no limit)."""
        return tier_of(total_bytes, self.tiers, nominal=nominal)
