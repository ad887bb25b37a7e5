"""Find the constants of a speed law for a device: the chip's own, its family's, or the wide fallback."""

from collections.abc import Iterator

from vram_tui.estimator.devices import Device, class_chain
from vram_tui.estimator.facts import Constant, Facts, RuntimeFacts
from vram_tui.estimator.records import record


@record
class Rate:
    """Tokens per second with the relative half-width of its band, and where the time goes.

    `seconds` pairs the parts of one step (or of one prompt) with their time; `basis` is "fitted" or "assumed",
    `rows` the measured rows behind the band.
    """

    tokens_per_s: float
    band: float
    basis: str
    rows: int
    seconds: tuple[tuple[str, float], ...] = ()

    @property
    def low(self) -> float:
        return self.tokens_per_s * (1 - self.band)

    @property
    def high(self) -> float:
        return self.tokens_per_s * (1 + self.band)


def engine_of(runtime: str, facts: Facts) -> RuntimeFacts:
    """The facts of the engine that computes: a front end's own engine. Raises KeyError for an unknown runtime."""
    known = facts.runtimes[runtime]
    return facts.runtimes.get(known.engine, known) if known.engine else known


def names(device: Device, name: str, kind: str = "", variant: str = "") -> Iterator[str]:
    """Dotted names to look a constant up by, most special first.

    A `variant` is another build of the runtime; `kind` is "dense" or "experts"; a device adds what it is sold as
    ("workstation" cards compute at other rates than "consumer" ones of the same chip).
    """
    prefixes = (f"speed_{variant}", "speed") if variant else ("speed",)
    for prefix in prefixes:
        for known in class_chain(device.device_class):
            for sub in (f"{device.kind}.{kind}", device.kind, kind, ""):
                yield ".".join(part for part in (prefix, known, sub, name) if part).replace("..", ".")
    for prefix in prefixes:
        for sub in (kind, ""):
            yield ".".join(part for part in (prefix, sub, name) if part)


def look(runtime: RuntimeFacts, device: Device, name: str, kind: str = "", variant: str = "") -> Constant:
    """The most special constant of that name. Raises KeyError where not even a fallback is known."""
    kept = _FOUND.get(id(runtime))
    if kept is None or kept[0] is not runtime:
        if len(_FOUND) >= KEPT_RUNTIMES:
            _FOUND.clear()
        kept = _FOUND[id(runtime)] = (runtime, {})
    key = (device.device_class, device.kind, name, kind, variant)
    constant = kept[1].get(key)
    if constant is None:
        constant = kept[1][key] = runtime.get(*names(device, name, kind, variant))
    return constant


def known(runtime: RuntimeFacts, device: Device, name: str, kind: str = "", variant: str = "") -> Constant | None:
    """The same; None where not even a fallback is known."""
    try:
        return look(runtime, device, name, kind, variant)
    except KeyError:
        return None


KEPT_RUNTIMES = 64
_FOUND: dict[int, tuple[RuntimeFacts, dict[tuple[str, str, str, str, str], Constant]]] = {}
"""What was looked up before, by the identity of the runtime's facts (which never change, and are kept alive here)."""


def compute_flops(device: Device, compute: str) -> float:
    """FLOP/s of the units that a format computes on: "fp8", "fp4", "int8" where the device has them, else 16 bit."""
    rate = {"fp8": device.fp8_tflops, "fp4": device.fp4_tflops, "int8": device.int8_tflops}.get(compute)
    return (rate or device.fp16_tflops or 0.0) * 1e12
