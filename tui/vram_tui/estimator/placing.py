"""Hardware ranked for one cell: every card by the fewest that hold it, machines, instances, with plan and speed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import TIGHT_SHARE, Device, Machine, built_in_link, class_chain
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.plans import Choice, plans
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import Speed, speed
from vram_tui.estimator.speed_constants import engine_of
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB, ceil_div

SPLITTER = "llama.cpp"
"""The engine that splits layers over any number of devices and leaves what does not fit in RAM."""
FITS, TIGHT, OFFLOAD, NO = "fits", "tight", "offload", "no"


@dataclass(frozen=True, slots=True)
class Offer:
    """Hardware that can be had: a card, a machine or an instance, and how many of it may stand together.

    `id` is what the catalogue calls it; `kind` is a device's kind, "node" or "instance"; `unit` is one of it.
    """

    id: str
    kind: str
    unit: Machine
    counts: tuple[int, ...] = (1,)

    @property
    def vendor(self) -> str:
        return self.unit.devices[0].vendor

    def machine(self, count: int) -> Machine:
        """So many units in one machine."""
        if count == 1:
            return self.unit
        devices = self.unit.devices * count
        return Machine(f"{count}x {self.unit.name}", devices, interconnect=built_in_link(devices))

    def text(self, count: int) -> str:
        """What a person types for so many of it."""
        return self.id if count == 1 else f"{count}x {self.id}"


def matches(offer: Offer, kind: str = "", vendor: str = "", words: str = "") -> bool:
    """Whether an offer is of that kind and vendor and has every word in its names; `rent` and `buy` are words too."""
    if kind and kind.casefold() != offer.kind.casefold():
        return False
    if vendor and vendor.casefold() not in offer.vendor.casefold():
        return False
    if not words.strip():
        return True
    hay = f"{offer.id} {offer.unit.name} {offer.unit.devices[0].name} {offer.vendor} {offer.kind} ".casefold()
    ways = ("rent", "cloud") if offer.kind == "instance" else ("buy",)
    return all(word in ways if word in ("rent", "cloud", "buy") else word in hay for word in words.casefold().split())


@dataclass(frozen=True, slots=True)
class Placement:
    """One cell on one offer: the fewest units that hold it, or the most that were tried.

    `used_bytes` and `usable_bytes` are those of the fullest device; `largest_ctx` is what fits there, however long
    the model's own context is; `reason` says why it does not fit, empty where it does.
    """

    offer: Offer
    count: int
    machine: Machine
    plan: Plan
    fit: str
    used_bytes: int
    usable_bytes: int
    largest_ctx: int
    speed: Speed | None = None
    reason: str = ""

    @property
    def fits(self) -> bool:
        return self.fit in (FITS, TIGHT)

    @property
    def headroom_bytes(self) -> int:
        return self.usable_bytes - self.used_bytes

    @property
    def text(self) -> str:
        return self.offer.text(self.count)

    @property
    def decode_tok_s(self) -> float | None:
        return self.speed.decode.tokens_per_s if self.speed else None

    @property
    def price_usd(self) -> float | None:
        """To buy: nothing that is rented, though its cards may have a price."""
        return None if self.offer.kind == "instance" else self.machine.price_usd

    @property
    def price_date(self) -> str | None:
        return self.machine.price_date or self.machine.devices[0].price_date


def verdict(used_bytes: int, usable_bytes: int) -> str:
    """A fit that leaves less than a twentieth is called tight."""
    if used_bytes > usable_bytes:
        return NO
    return TIGHT if usable_bytes - used_bytes < usable_bytes * TIGHT_SHARE else FITS


def loads(runtime: str, facts: Facts, devices: Iterable[Device]) -> bool:
    """Whether a runtime runs on these devices at all, by the classes that its facts name; unknown devices may try."""
    known = facts.runtimes[runtime]
    classes = str(
        known.defaults.get("device_classes", "") or engine_of(runtime, facts).defaults.get("device_classes", "")
    )
    allowed = frozenset(classes.split()) | {"unknown"}
    return not classes or all(not allowed.isdisjoint(class_chain(device.device_class)) for device in devices)


def rank_hardware(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, machines: Iterable[Offer]
) -> tuple[Placement, ...]:
    """Every offer with the fewest units that hold the cell; what holds it first, the cheapest ahead.

    Raises Refusal where the format cannot be run at all, KeyError for unknown names.
    """
    compile_memory(subject, quant, replace(scenario, machine=None), facts)
    placer = Placer(subject, quant, ctx, scenario, facts)
    found = [placer.place(offer) for offer in machines if loads(scenario.runtime, facts, offer.unit.devices)]
    return sort_placements(without_twins(found))


class Placer:
    """Places one cell on offers; what differs in nothing that the memory depends on is compiled once."""

    def __init__(self, subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> None:
        self._subject, self._quant, self._ctx, self._facts = subject, quant, ctx, facts
        self._scenario = scenario
        self._splits = engine_of(scenario.runtime, facts).id == SPLITTER
        self._weights_bytes = subject.weights(quant, scenario.imatrix, scenario.mtp).device_bytes
        self._memories: dict[object, Memory | str] = {}
        self._used: dict[object, int] = {}
        self._reaches: dict[object, int] = {}

    def place(self, offer: Offer) -> Placement:
        """The fewest units of the offer that hold the cell, or the most."""
        placement = None
        for count in offer.counts:
            usable = sum(device.usable_bytes for device in offer.unit.devices) * count
            hopeless = self._scenario.method == "exact" and self._weights_bytes > usable
            if hopeless and count != offer.counts[-1]:
                continue
            placement = self._at(offer, count)
            if placement.fits:
                break
        assert placement is not None
        return placement

    def _at(self, offer: Offer, count: int) -> Placement:
        machine = offer.machine(count)
        question = self._question(machine)
        memory = self._memory(question, machine)
        if isinstance(memory, str):
            return Placement(offer, count, machine, Plan(), NO, 0, machine.devices[0].usable_bytes, 0, None, memory)
        budget = (
            machine.budget_bytes(0, free=self._scenario.free) if self._splits else memory.devices[0].usable_bytes or 0
        )
        used = self._used.get(question)
        if used is None:
            used = self._used[question] = evenly(memory, self._ctx, len(machine.devices))[0]
        fit = verdict(used, budget)
        reason = "" if fit != NO else f"needs {used / GIB:.1f} GiB on a device, {budget / GIB:.1f} GiB can be used"
        plan = plan_of(memory, machine, self._splits)
        rate = None
        if fit != NO:
            rate = speed(
                self._subject, self._quant, self._ctx, replace(self._scenario, machine=machine), self._facts, plan=plan
            )
        return Placement(
            offer,
            count,
            machine,
            plan,
            fit,
            used,
            budget,
            self._reach(question, memory, budget, len(machine.devices)),
            rate,
            reason,
        )

    def _reach(self, question: object, memory: Memory, budget: int, count: int) -> int:
        key = (question, budget)
        found = self._reaches.get(key)
        if found is None:
            found = self._reaches[key] = even_reach(memory, self._ctx, budget, count)
        return found

    def _question(self, machine: Machine) -> object:
        """What the memory depends on: for llama.cpp and its kin not the size of the devices, for servers it too."""
        device, count = machine.devices[0], len(machine.devices)
        reserve = next(
            (
                constant.value
                for name in class_chain(device.device_class)
                if (constant := engine_of(self._scenario.runtime, self._facts).constants.get(f"reserve.{name}"))
            ),
            0.0,
        )
        if self._splits:
            return (count, reserve, device.vendor, device.unified)
        return (count, device.device_class, device.memory_bytes, device.usable_bytes)

    def _memory(self, question: object, machine: Machine) -> Memory | str:
        found = self._memories.get(question)
        if found is None:
            try:
                found = compile_memory(
                    self._subject, self._quant, replace(self._scenario, machine=machine), self._facts
                )
            except Refusal as refusal:
                found = refusal.reason
            self._memories[question] = found
        return found


def evenly(memory: Memory, ctx: int, count: int) -> tuple[int, int]:
    """(bytes on the fullest of `count` equal devices, bytes that every device beyond the first repeats).

    Where the memory was compiled for one device, weights and caches are taken to spread evenly.
    """
    if count == 1 or len(memory.devices) == count:
        return max(device.at(ctx) for device in memory.devices), 0
    device = memory.devices[0]
    own = device.group_bytes(ctx, "runtime") + device.group_bytes(ctx, "compute")
    return own + ceil_div(device.at(ctx) - own, count), own


def even_reach(memory: Memory, ctx: int, budget_bytes: int, count: int) -> int:
    """The largest context on `count` equal devices that may hold so many bytes each."""
    if count == 1 or len(memory.devices) == count:
        return memory.largest_ctx(budget_bytes)
    own = evenly(memory, ctx, count)[1]
    return memory.devices[0].largest_ctx(count * budget_bytes - (count - 1) * own)


def plan_of(memory: Memory, machine: Machine, splits: bool) -> Plan:
    """How the memory was cut: llama.cpp's layers are stages, a server's ranks are what it was compiled for."""
    count = len(machine.devices) if splits else len(memory.devices)
    return Plan(1, count) if splits else Plan(count)


def without_twins(placements: Iterable[Placement]) -> list[Placement]:
    """Of loose cards and a machine with the same cards the machine stays, where its link is more than PCIe."""
    found: dict[object, Placement] = {}
    for placement in placements:
        machine = placement.machine
        key: object = (machine.devices[0].id, len(machine.devices), machine.devices[0].usable_bytes)
        if machine.price_usd_hour is not None or placement.offer.kind == "instance":
            key = placement.offer.id
        known = found.get(key)
        link = machine.interconnect
        if known is None or (placement.offer.kind == "node" and link is not None and link.kind != "pcie"):
            found[key] = placement
    return list(found.values())


def explain_placement(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, placement: Placement
) -> tuple[tuple[Choice, ...], str]:
    """Every plan on the placement's machine, and why one unit fewer does not hold the cell (empty for one unit)."""
    on = replace(scenario, machine=placement.machine)
    try:
        choices = plans(subject, quant, ctx, on, facts)
    except Refusal:
        choices = ()
    fewer = [count for count in placement.offer.counts if count < placement.count]
    if not fewer:
        return choices, ""
    before = Placer(subject, quant, ctx, scenario, facts).place(replace(placement.offer, counts=(fewer[-1],)))
    return choices, f"{before.text}: {before.reason}" if before.reason else ""


_Key = Callable[[Placement], tuple[object, ...]]


def _known(value: float | None) -> tuple[bool, float]:
    return (value is None, value or 0.0)


HARDWARE_SORTS: Mapping[str, _Key] = {
    "price": lambda one: (*_known(one.price_usd), *_known(one.machine.price_usd_hour)),
    "speed": lambda one: (-(one.decode_tok_s or 0.0),),
    "power": lambda one: _known(one.machine.tdp_w),
    "context": lambda one: (-one.largest_ctx,),
    "used": lambda one: (-one.used_bytes / max(one.usable_bytes, 1),),
    "name": lambda one: (one.machine.devices[0].name.casefold(), one.count),
}
"""Sort keys by name; placements that hold the cell always come first."""


def sort_placements(placements: Iterable[Placement], by: str = "price") -> tuple[Placement, ...]:
    """Placements in an order of HARDWARE_SORTS; equal ones by their number of devices and name."""
    key = HARDWARE_SORTS[by]
    return tuple(sorted(placements, key=lambda one: (not one.fits, *key(one), len(one.machine.devices), one.offer.id)))
