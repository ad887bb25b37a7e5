"""Hardware ranked for one cell: every card by the fewest that hold it, machines, instances, with plan and speed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import TIGHT_SHARE, Device, Machine, built_in_link, class_chain
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.plans import Choice, plans
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import Speed, speed
from vram_tui.estimator.speed_constants import engine_of
from vram_tui.estimator.subject import AtOnePoint, Subject
from vram_tui.estimator.units import GIB, ceil_div

SPLITTER = "llama.cpp"
"""The engine that splits layers over any number of devices and leaves what does not fit in RAM."""
FITS, TIGHT, OFFLOAD, NO = "fits", "tight", "offload", "no"


@record
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


@record
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
    exact: bool = True
    """False where layers were taken to spread evenly over the devices: `Placer.settle` makes it exact."""

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
        given = (scenario.ngl, scenario.n_cpu_moe, scenario.tensor_split or None, scenario.override_tensor or None)
        self._even = self._splits and scenario.method == "exact" and given == (None, None, None, None)
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

    def settle(self, placement: Placement) -> Placement:
        """The same with whole layers on every device; more units where so many turn out not to hold it.

        The largest context stays that of an even spread: the exact one follows a graph per device over all contexts.
        """
        found = placement
        for count in placement.offer.counts:
            if count < placement.count:
                continue
            found = placement if count == placement.count else self._at(placement.offer, count)
            found = found if found.exact else self._exact(found)
            if found.fits or not placement.fits:
                break
        return found

    def _exact(self, found: Placement) -> Placement:
        # Equal devices get equal layers whatever their size.
        key = (self._question(found.machine, even=False) if found.machine.uniform else found.machine, "exact")
        used = self._used.get(key)
        if used is None:
            point = AtOnePoint(self._subject)
            memory = compile_memory(point, self._quant, replace(self._scenario, machine=found.machine), self._facts)
            point.tokens = memory.devices[0].tokens(self._ctx)
            used = self._used[key] = max(device.at(self._ctx) for device in memory.devices)
        fit = verdict(used, found.usable_bytes)
        return replace(
            found, used_bytes=used, fit=fit, reason=_lacking(fit, used, found.usable_bytes), exact=True,
            speed=found.speed if fit != NO else None,
        )  # fmt: skip

    def _at(self, offer: Offer, count: int) -> Placement:
        machine = offer.machine(count)
        devices = len(machine.devices)
        even = self._even and devices > 1
        question = self._question(machine, even)
        memory = self._memory(question, machine, even)
        if isinstance(memory, str):
            return Placement(offer, count, machine, Plan(), NO, 0, machine.devices[0].usable_bytes, 0, None, memory)
        budget = (
            machine.budget_bytes(0, free=self._scenario.free) if self._splits else memory.devices[0].usable_bytes or 0
        )
        used = self._used.get((question, devices))
        if used is None:
            used = self._used[question, devices] = evenly(memory, self._ctx, devices)[0]
        fit = verdict(used, budget)
        plan = plan_of(memory, machine, self._splits)
        rate = None
        if fit != NO:
            rate = speed(
                self._subject, self._quant, self._ctx, replace(self._scenario, machine=machine), self._facts, plan=plan
            )
        reach = self._reach(question, memory, budget, devices)
        return Placement(
            offer, count, machine, plan, fit, used, budget, reach, rate, _lacking(fit, used, budget), not even
        )

    def _reach(self, question: object, memory: Memory, budget: int, count: int) -> int:
        key = (question, count, budget)
        found = self._reaches.get(key)
        if found is None:
            found = self._reaches[key] = even_reach(memory, self._ctx, budget, count)
        return found

    def _question(self, machine: Machine, even: bool) -> object:
        """What the memory depends on: for llama.cpp and its kin not the size of equal devices, for servers it too."""
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
            return (1 if even else count, reserve, device.vendor, device.unified)
        return (count, device.device_class, device.memory_bytes, device.usable_bytes)

    def _memory(self, question: object, machine: Machine, even: bool) -> Memory | str:
        found = self._memories.get(question)
        if found is None:
            if even:
                # One device holds everything; what of it each of several holds is reckoned from that.
                free = machine.free_bytes and machine.free_bytes[:1]
                machine = replace(machine, devices=machine.devices[:1], free_bytes=free)
            try:
                found = compile_memory(
                    self._subject, self._quant, replace(self._scenario, machine=machine), self._facts
                )
            except Refusal as refusal:
                found = refusal.reason
            self._memories[question] = found
        return found


def _lacking(fit: str, used_bytes: int, usable_bytes: int) -> str:
    if fit != NO:
        return ""
    return f"needs {used_bytes / GIB:.1f} GiB on a device, {usable_bytes / GIB:.1f} GiB can be used"


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
    placer = Placer(subject, quant, ctx, scenario, facts)
    before = placer.settle(placer.place(replace(placement.offer, counts=(fewer[-1],))))
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
