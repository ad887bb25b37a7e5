"""Models ranked for one machine: the best format of each that fits, its reach, its speed, what may stay in RAM."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import DeviceMemory, Memory, Weights
from vram_tui.estimator.placing import FITS, NO, OFFLOAD, SPLITTER, TIGHT, even_reach, evenly, loads, plan_of, verdict
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import DEFAULT_QUANT, Scenario
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import Offload, Speed, speed
from vram_tui.estimator.speed_constants import engine_of
from vram_tui.estimator.subject import AtOnePoint, Subject
from vram_tui.estimator.units import GIB, ceil_div

DEFAULT_FORMATS = ("Q2_K", "Q3_K_M", "IQ4_XS", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
"""What is tried where nobody names formats."""
_ORDER = {FITS: 0, TIGHT: 0, OFFLOAD: 1, NO: 2}


@record
class ModelFit:
    """One model on one machine in its best format. Bytes are those of the fullest device.

    `ctx` is the context it was judged at (the model's own where that is shorter); `offload` and
    `ram_bytes` are what of the weights stays in RAM where the devices alone do not hold it. `exact` is False where
    the split over several devices or the largest context was only estimated: `Fitter.settle` makes it exact.
    """

    model: str
    quant: str
    ctx: int
    fit: str
    used_bytes: int
    usable_bytes: int
    largest_ctx: int
    native_ctx: int
    parameters: int
    speed: Speed | None = None
    offload: Offload | None = None
    ram_bytes: int = 0
    reason: str = ""
    exact: bool = True

    @property
    def headroom_bytes(self) -> int:
        return self.usable_bytes - self.used_bytes

    @property
    def decode_tok_s(self) -> float | None:
        return self.speed.decode.tokens_per_s if self.speed else None


def rank_models(
    subjects: Iterable[Subject], quants: Sequence[str], ctx: int, scenario: Scenario, machine: Machine, facts: Facts
) -> tuple[ModelFit, ...]:
    """Every model in the best of the formats that fits the machine at `ctx` tokens; what fits first, largest ahead."""
    fitter = Fitter(quants, ctx, scenario, machine, facts)
    return sort_fits(map(fitter.fit, subjects))


def formats_for(runtime: str, facts: Facts, wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of the wanted formats that a runtime loads; where it loads none of them, all that it loads."""

    def able(quant: str) -> bool:
        return quant.startswith("bpw:") or runtime in facts.formats[quant].runtimes

    kept = tuple(quant for quant in wanted if able(quant))
    return kept or tuple(known.id for known in facts.formats.values() if runtime in known.runtimes)


def bits_of(quant: str, facts: Facts) -> float:
    """Nominal bits per weight: the order of formats from the most faithful down."""
    return float(quant.removeprefix("bpw:")) if quant.startswith("bpw:") else facts.formats[quant].bits_per_weight


class Fitter:
    """Finds the best format of a model on one machine. One model is compiled once where formats differ in weights only.

    `quants` that the scenario's runtime does not load are left out (all it loads where none is left).
    """

    def __init__(self, quants: Sequence[str], ctx: int, scenario: Scenario, machine: Machine, facts: Facts) -> None:
        self._ctx, self._facts, self.machine = ctx, facts, machine
        self._quants = sorted(formats_for(scenario.runtime, facts, quants), key=lambda one: -bits_of(one, facts))
        self._scenario = replace(scenario, machine=machine)
        self._splits = engine_of(scenario.runtime, facts).id == SPLITTER and scenario.method == "exact"
        free = scenario.free
        self._budgets = tuple(machine.budget_bytes(index, free=free) for index in range(len(machine.devices)))
        ram = machine.host_free_bytes if free and machine.host_free_bytes is not None else machine.host_ram_bytes
        self._ram = ram
        if not self._budgets:
            self._budgets = (self._ram or 0,)
        first = replace(machine, devices=machine.devices[:1], free_bytes=None, interconnect=None)
        self._first = replace(self._scenario, machine=first)
        self._runs = loads(scenario.runtime, facts, machine.devices)

    def fit(self, subject: Subject) -> ModelFit:
        """The best format that fits, what is left, and the speed."""
        native = subject.profile.context_tokens
        ctx = min(self._ctx, native) if native else self._ctx
        nothing = ModelFit(
            subject.id, self._quants[0], ctx, NO, 0, max(self._budgets), 0, native, subject.profile.parameters
        )
        if not self._runs:
            return replace(nothing, reason=f"{self._scenario.runtime} does not run on {self.machine.name}")
        try:
            found = self._split(subject, ctx, nothing) if self._splits else self._compiled(subject, ctx, nothing)
        except (ValueError, KeyError) as refused:
            return replace(nothing, reason=str(refused.args[0]) if refused.args else str(refused))
        return found

    def settle(self, subject: Subject, found: ModelFit) -> ModelFit:
        """The same with the exact split over several devices and the exact largest context."""
        if found.exact:
            return found
        if len(self._budgets) == 1 or found.fit == OFFLOAD:
            return self._split(subject, found.ctx, replace(found, fit=NO, exact=True), whole=True)
        rows = self._weights(subject)
        start = next((index for index, (quant, _) in enumerate(rows) if quant == found.quant), 0)
        nothing = replace(found, fit=NO, exact=True)
        return self._exact(subject, found.ctx, nothing, rows[start:])

    # Formats, the largest first

    def _weights(self, subject: Subject) -> list[tuple[str, Weights]]:
        rows = []
        refused: Exception | None = None
        for quant in self._quants:
            try:
                rows.append((quant, subject.weights(quant, self._scenario.imatrix, self._scenario.mtp)))
            except (ValueError, KeyError) as error:
                refused = error
        if not rows and refused:
            raise refused
        return rows

    def _size(self, weights: Weights) -> int:
        return weights.device_bytes if self.machine.devices else weights.loaded_bytes

    # llama.cpp: the formats of one model differ in the bytes of their weights alone

    def _split(self, subject: Subject, ctx: int, nothing: ModelFit, *, whole: bool = False) -> ModelFit:
        """`whole` follows the compute buffer over all contexts, so that the largest one is exact."""
        rows = self._weights(subject)
        point = AtOnePoint(subject)
        device = compile_memory(subject if whole else point, rows[0][0], self._first, self._facts).devices[0]
        point.tokens = device.tokens(ctx)
        count = len(self._budgets)
        total, size = device.at(ctx), self._size(rows[0][1])
        budget, extra = sum(self._budgets), 0
        if count > 1:
            # Every device beyond the first has a context and a compute buffer of its own. How whole layers fall is
            # left to `settle`: it follows a graph for every device.
            extra = (count - 1) * (device.group_bytes(ctx, "runtime") + device.group_bytes(ctx, "compute"))
        for quant, weights in rows:
            delta = self._size(weights) - size
            need = total + delta + extra
            if need > budget:
                continue
            used = ceil_div(need, count)
            room = min(self._budgets) if count == 1 else budget // count
            reach = device.largest_ctx(budget - delta - extra)
            rate = self._speed(subject, quant, ctx)
            return replace(
                nothing, quant=quant, fit=verdict(used, room), used_bytes=used, usable_bytes=room, largest_ctx=reach,
                speed=rate, exact=count == 1 and not point.level,
            )  # fmt: skip
        found = self._offloaded(subject, ctx, nothing, rows, device, extra - size)
        return replace(found, exact=found.fit == NO or not point.level)

    def _offloaded(
        self,
        subject: Subject,
        ctx: int,
        nothing: ModelFit,
        rows: list[tuple[str, Weights]],
        device: DeviceMemory,
        beside: int,
    ) -> ModelFit:
        """A part of the weights in RAM, experts first: in the default format where that can be, else the largest.

        All that is no weight takes what `device` takes and `beside`.
        """
        budget, rest = sum(self._budgets), device.at(ctx) + beside
        smallest, weights = rows[-1]
        no = replace(
            nothing, quant=smallest, used_bytes=ceil_div(self._size(weights) + rest, len(self._budgets)),
            usable_bytes=budget // len(self._budgets), reason="not even the smallest of the formats fits",
        )  # fmt: skip
        if not self.machine.devices or rest >= budget:
            return no
        able = [row for row in rows if self._holds(row[1].device_bytes + rest - budget + row[1].host_bytes)]
        if not able:
            return no
        quant, weights = next((row for row in able if row[0] == DEFAULT_QUANT), able[0])
        away = max(weights.device_bytes + rest - budget, 0)
        offload = offload_of(subject, quant, weights, away, self._scenario)
        # A longer context drives more of the weights away, as long as the RAM has room for them.
        most = weights.device_bytes if self._ram is None else min(weights.device_bytes, self._ram - weights.host_bytes)
        reach = device.largest_ctx(budget - beside - weights.device_bytes + most)
        return replace(
            no,
            quant=quant,
            fit=OFFLOAD,
            used_bytes=no.usable_bytes,
            largest_ctx=reach,
            speed=self._speed(subject, quant, ctx, offload),
            offload=offload,
            ram_bytes=away,
            reason=f"{away / GIB:.1f} GiB of the weights stay in RAM",
        )

    def _holds(self, ram_bytes: int) -> bool:
        """Whether the RAM holds so much; where nobody knows its size, the answer says what it must hold."""
        return self._ram is None or ram_bytes <= self._ram

    # Everything else, and exact splits: a format at a time

    def _compiled(self, subject: Subject, ctx: int, nothing: ModelFit) -> ModelFit:
        return self._exact(subject, ctx, nothing, self._weights(subject))

    def _exact(self, subject: Subject, ctx: int, nothing: ModelFit, rows: list[tuple[str, Weights]]) -> ModelFit:
        found, refused = nothing, ""
        for quant, weights in rows:
            if self._scenario.method == "exact" and self._size(weights) > sum(self._budgets):
                continue
            try:
                memory = compile_memory(subject, quant, self._scenario, self._facts)
            except Refusal as refusal:
                refused = refusal.reason
                continue
            used, usable, reach = self._fullest(memory, ctx)
            fit = verdict(used, usable)
            found = replace(found, quant=quant, used_bytes=used, usable_bytes=usable)
            if fit != NO:
                rate = self._speed(subject, quant, ctx, plan=plan_of(memory, self.machine, self._splits))
                return replace(found, fit=fit, largest_ctx=reach, speed=rate, reason="")
        if not found.used_bytes:
            found = replace(found, used_bytes=ceil_div(self._size(rows[-1][1]), len(self._budgets)))
        return replace(found, reason=refused or "not even the smallest of the formats fits")

    def _fullest(self, memory: Memory, ctx: int) -> tuple[int, int, int]:
        """Bytes on the device with the least to spare, what it can hold, and the largest context of all."""
        count = len(self._budgets)
        if self._splits and len(memory.devices) != count:
            room = sum(self._budgets) // count
            return evenly(memory, ctx, count)[0], room, even_reach(memory, ctx, room, count)
        budgets = self._budgets if self._splits else tuple(device.usable_bytes or 0 for device in memory.devices)
        pairs = [(device.at(ctx), budget) for device, budget in zip(memory.devices, budgets, strict=True)]
        used, usable = min(pairs, key=lambda pair: pair[1] - pair[0])
        return used, usable, memory.largest_within(budgets)

    def _speed(
        self, subject: Subject, quant: str, ctx: int, offload: Offload | None = None, plan: Plan | None = None
    ) -> Speed | None:
        return speed(subject, quant, ctx, self._scenario, self._facts, plan=plan, offload=offload)


def offload_of(subject: Subject, quant: str, weights: Weights, away_bytes: int, scenario: Scenario) -> Offload:
    """Which shares of the weights stay in RAM where `away_bytes` do not fit: experts first, they are read least."""
    work = subject.traffic(quant, scenario.imatrix)
    experts = sum(group.bytes for group in work.experts)
    if experts and experts >= away_bytes:
        share = away_bytes / experts
        return Offload(experts=share, layers=round(share * work.expert_layers + 0.5))
    dense = max(weights.device_bytes - experts, 1)
    share = min((away_bytes - experts) / dense, 1.0)
    return Offload(weights=share, experts=1.0 if experts else share, layers=round(work.layers))


_FitKey = Callable[[ModelFit], tuple[object, ...]]

MODEL_SORTS: Mapping[str, _FitKey] = {
    "parameters": lambda one: (-one.parameters,),
    "speed": lambda one: (-(one.decode_tok_s or 0.0),),
    "context": lambda one: (-min(one.largest_ctx, one.native_ctx or one.largest_ctx),),
    "headroom": lambda one: (-one.headroom_bytes,),
    "name": lambda one: (one.model.rpartition("/")[2].casefold(),),
}
"""Sort keys by name; models that fit always come first, then those that fit with a part in RAM."""


def sort_fits(fits: Iterable[ModelFit], by: str = "parameters") -> tuple[ModelFit, ...]:
    """Fits in an order of MODEL_SORTS."""
    key = MODEL_SORTS[by]
    return tuple(sorted(fits, key=lambda one: (_ORDER[one.fit], *key(one), one.model)))
