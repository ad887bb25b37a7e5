"""Memory as a function of the context: exact byte terms whose only variable is the number of tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from vram_tui.estimator.units import pad

STEP_TOKENS = 256
"""Contexts are answered in multiples of this many tokens: the granularity of llama.cpp's cache."""
MAX_TOKENS = 1 << 27
"""A context beyond which nobody asks; `largest_ctx` stops there."""

GROUPS = ("weights", "kv", "state", "compute", "output", "runtime")
BASES = ("exact", "fitted", "measured", "assumed")


@dataclass(frozen=True, slots=True)
class Reach:
    """How many cells one cache holds per stream for a context of `tokens` per sequence.

    cells = min(pad(ceil(tokens / ratio), granularity), cap); a cap of 0 is none. `extra` cells are held on top.
    """

    granularity: int = STEP_TOKENS
    ratio: int = 1
    cap: int = 0
    extra: int = 0

    def cells(self, tokens: int) -> int:
        cells = pad(-(-tokens // self.ratio), self.granularity)
        return (min(cells, self.cap) if self.cap else cells) + self.extra


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that are a line in the cells of some reaches, with all that explains them.

    bytes = fixed_bytes + Σ per_cell · cells + u · (per_token + Σ per_token_cell · cells), where u is the tokens of a
    micro-batch: the smaller of the device's `ubatch` and the context. `per_cell` and `per_token_cell` pair the index
    of a reach with bytes; none is negative. `below` (reach, cells): the cost counts only while that reach holds
    fewer cells. `formula` is readable text whose names are the keys of `numbers`; `basis` is one of BASES; `error`
    is the relative half-width of the band (0 where exact). `name` is unique within a device; `group` is one of GROUPS.
    """

    name: str
    group: str
    fixed_bytes: int = 0
    per_cell: tuple[tuple[int, int], ...] = ()
    formula: str = ""
    numbers: tuple[tuple[str, int | float | str], ...] = ()
    basis: str = "exact"
    source: str = ""
    error: float = 0.0
    per_token: int = 0
    per_token_cell: tuple[tuple[int, int], ...] = ()
    below: tuple[int, int] | None = None

    def bytes(self, cells: tuple[int, ...], ubatch: int = 0) -> int:
        if self.below and cells[self.below[0]] >= self.below[1]:
            return 0
        total = self.fixed_bytes + ubatch * self.per_token
        for index, per_cell in self.per_cell:
            total += per_cell * cells[index]
        for index, per_cell in self.per_token_cell:
            total += ubatch * per_cell * cells[index]
        return total


@dataclass(frozen=True, slots=True)
class Term:
    """One answered term: what it is, how many bytes, and why."""

    name: str
    group: str
    bytes: int
    formula: str = ""
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    basis: str = "exact"
    source: str = ""
    error: float = 0.0


_Form = tuple[int, tuple[int, ...], tuple[int, int] | None]
"""A cost at a whole micro-batch: fixed bytes, bytes per cell of each reach, and where it stops to count."""


@dataclass(frozen=True)
class DeviceMemory:
    """What one device (or the host) must hold: costs add up, of the compute stages the largest counts.

    A context is multiplied by `ctx_factor` (front ends that are asked for the context of one request), padded to
    `ctx_step` and divided by `tokens_divisor` (slots with caches of their own) to give the tokens of one stream.
    `ubatch` is the tokens computed at once (0: nothing depends on it). `usable_bytes` is what a process can reach
    there, None for an unlimited device.
    """

    name: str
    reaches: tuple[Reach, ...] = (Reach(),)
    costs: tuple[Cost, ...] = ()
    stages: tuple[Cost, ...] = ()
    tokens_divisor: int = 1
    usable_bytes: int | None = None
    ctx_step: int = 1
    ctx_factor: int = 1
    ubatch: int = 0

    def tokens(self, ctx: int) -> int:
        return max(pad(ctx * self.ctx_factor, self.ctx_step) // self.tokens_divisor, 1)

    def micro_batch(self, ctx: int) -> int:
        """Tokens computed at once: no more than the context holds."""
        return min(self.ubatch, ctx * self.ctx_factor)

    def cells(self, ctx: int) -> tuple[int, ...]:
        tokens = self.tokens(ctx)
        return tuple(reach.cells(tokens) for reach in self.reaches)

    def direct(self, ctx: int) -> int:
        """The plain sum over all costs that `at` must equal; slower, and what the tests compare with."""
        cells, ubatch = self.cells(ctx), self.micro_batch(ctx)
        total = sum(cost.bytes(cells, ubatch) for cost in self.costs)
        return total + max((stage.bytes(cells, ubatch) for stage in self.stages), default=0)

    def at(self, ctx: int) -> int:
        """Total bytes at a context of `ctx` tokens, in about a microsecond."""
        total, lines, stages = self._forms
        whole = ctx * self.ctx_factor
        if whole < self.ubatch or whole < self.tokens_divisor:
            return self.direct(ctx)
        tokens = -(-whole // self.ctx_step) * self.ctx_step // self.tokens_divisor
        cells = []
        for slope, granularity, ratio, cap, extra in lines:
            held = -(-tokens // (granularity * ratio)) * granularity
            if cap and held > cap:
                held = cap
            held += extra
            total += slope * held
            cells.append(held)
        largest = 0
        for fixed, slopes, below in stages:
            if below is None or cells[below[0]] < below[1]:
                for slope, held in zip(slopes, cells, strict=True):
                    fixed += slope * held
                if fixed > largest:
                    largest = fixed
        return total + largest

    @cached_property
    def _forms(self) -> tuple[int, tuple[tuple[int, int, int, int, int], ...], tuple[_Form, ...]]:
        """All costs as one line per reach, and the stages that no other stage always exceeds."""
        fixed, slopes = 0, [0] * len(self.reaches)
        stages: list[_Form] = [self._form(stage) for stage in self.stages]
        for cost in self.costs:
            if cost.below:
                raise ValueError(f"{cost.name}: only stages may stop to count")
            more, per_reach, _ = self._form(cost)
            fixed += more
            slopes = [have + add for have, add in zip(slopes, per_reach, strict=True)]
        kept = [form for index, form in enumerate(stages) if not _exceeded(index, stages)]
        if len(kept) == 1 and kept[0][2] is None:
            fixed += kept[0][0]
            slopes = [have + add for have, add in zip(slopes, kept[0][1], strict=True)]
            kept = []
        lines = tuple(
            (slope, reach.granularity, reach.ratio, reach.cap, reach.extra)
            for slope, reach in zip(slopes, self.reaches, strict=True)
        )
        return fixed, lines, tuple(kept)

    def _form(self, cost: Cost) -> _Form:
        slopes = [0] * len(self.reaches)
        for index, per_cell in cost.per_cell:
            slopes[index] += per_cell
        for index, per_cell in cost.per_token_cell:
            slopes[index] += per_cell * self.ubatch
        return cost.fixed_bytes + cost.per_token * self.ubatch, tuple(slopes), cost.below

    def stage(self, ctx: int) -> Cost | None:
        """The compute stage that decides at this context."""
        cells, ubatch = self.cells(ctx), self.micro_batch(ctx)
        return max(self.stages, key=lambda stage: stage.bytes(cells, ubatch), default=None)

    def terms(self, ctx: int) -> tuple[Term, ...]:
        """Every term that is not zero; their bytes add up to `at(ctx)`."""
        cells, ubatch = self.cells(ctx), self.micro_batch(ctx)
        stage = self.stage(ctx)
        found = []
        for cost in (*self.costs, stage) if stage else self.costs:
            count = cost.bytes(cells, ubatch)
            if count:
                numbers = dict(cost.numbers)
                if reached := {index for index, _ in (*cost.per_cell, *cost.per_token_cell)}:
                    numbers.setdefault("cells", sum(cells[index] for index in reached))
                if cost.per_token or cost.per_token_cell:
                    numbers.setdefault("ubatch", ubatch)
                found.append(
                    Term(cost.name, cost.group, count, cost.formula, numbers, cost.basis, cost.source, cost.error)
                )
        return tuple(found)

    def group_bytes(self, ctx: int, group: str) -> int:
        cells, ubatch = self.cells(ctx), self.micro_batch(ctx)
        total = sum(cost.bytes(cells, ubatch) for cost in self.costs if cost.group == group)
        if group == "compute":
            total += max((stage.bytes(cells, ubatch) for stage in self.stages), default=0)
        return total

    def largest_ctx(self, budget_bytes: int, at_most: int = MAX_TOKENS) -> int:
        """The largest multiple of 256 tokens, up to `at_most`, that fits in the budget (0: not even the first).

        The total only falls where a stage stops to count; between two such places it never falls, so each stretch
        is bisected, the far one first.
        """
        last = at_most // STEP_TOKENS * STEP_TOKENS
        for first in reversed(self._falls):
            if first > last:
                continue
            if self.at(first) <= budget_bytes:
                return self._bisect(budget_bytes, first, last)
            last = first - STEP_TOKENS
        return 0

    def _bisect(self, budget_bytes: int, fits: int, last: int) -> int:
        low, high = fits // STEP_TOKENS, last // STEP_TOKENS + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.at(middle * STEP_TOKENS) <= budget_bytes:
                low = middle
            else:
                high = middle
        return low * STEP_TOKENS

    @cached_property
    def _falls(self) -> tuple[int, ...]:
        """The first context of every stretch in which no stage stops to count."""
        starts = {STEP_TOKENS}
        for stage in self.stages:
            if stage.below:
                index, limit = stage.below
                low, high = 0, MAX_TOKENS // STEP_TOKENS + 1
                while high - low > 1:
                    middle = (low + high) // 2
                    reached = self.reaches[index].cells(self.tokens(middle * STEP_TOKENS)) >= limit
                    low, high = (low, middle) if reached else (middle, high)
                starts.add(high * STEP_TOKENS)
        return tuple(sorted(start for start in starts if start <= MAX_TOKENS))


def _exceeded(index: int, forms: list[_Form]) -> bool:
    """Whether another stage that always counts is at least as large everywhere (of equals the first stays)."""
    fixed, slopes, below = forms[index]
    for other, (more, steeper, limit) in enumerate(forms):
        if other == index or limit is not None:
            continue
        if more >= fixed and all(theirs >= ours for theirs, ours in zip(steeper, slopes, strict=True)):
            same = more == fixed and steeper == slopes and below is None
            if not same or other < index:
                return True
    return False


@dataclass(frozen=True, slots=True)
class CachePart:
    """One kind of cache for the answer's `kv_parts`: `cells` per stream.

    `bytes_per_cell` is that of all layers of this part in one stream; `fixed_bytes` is what a backend adds once.
    """

    kind: str
    layers: int
    streams: int
    reach: Reach
    bytes_per_cell: int
    fixed_bytes: int = 0

    def bytes(self, tokens: int) -> int:
        return self.streams * self.reach.cells(tokens) * self.bytes_per_cell + self.fixed_bytes


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of the weights. `file_bytes` is tensor data (without header); `device_bytes` includes padding.

    `loaded_bytes` leaves out what the runtime does not load (MTP); `parameters` leaves MTP out. `device_bytes` and
    `host_bytes` are what one accelerator and the RAM beside it hold when everything is offloaded.
    """

    file_bytes: int
    loaded_bytes: int
    device_bytes: int
    host_bytes: int
    parameters: int

    @property
    def bits_per_weight(self) -> float:
        return self.loaded_bytes * 8 / self.parameters if self.parameters else 0.0


@dataclass(frozen=True)
class Memory:
    """A model, a format and a scenario, compiled: ask it for any context.

    `devices` are the accelerators (at least one; the RAM itself when nothing is offloaded), `host` is the RAM beside
    them; `cache_parts` describe the caches for the answer; `warnings` are sentences for the person.
    """

    quant: str
    weights: Weights
    devices: tuple[DeviceMemory, ...]
    host: DeviceMemory
    cache_parts: tuple[CachePart, ...] = ()
    warnings: tuple[str, ...] = ()
    native_tokens: int = 0
    runtime: str = "llama.cpp"

    def ctx_per_seq(self, ctx: int) -> int:
        """Tokens that one sequence can hold: the whole context where all share one cache."""
        device = self.devices[0]
        return pad(device.tokens(ctx), device.ctx_step)

    def ctx_real(self, ctx: int) -> int:
        """Tokens that the runtime really reserves for: padding may make it more than was asked for."""
        return self.ctx_per_seq(ctx) * self.devices[0].tokens_divisor

    def at(self, ctx: int) -> int:
        """Bytes that the devices must hold together at `ctx` tokens."""
        devices = self.devices
        if len(devices) == 1:
            return devices[0].at(ctx)
        return sum(device.at(ctx) for device in devices)

    def terms(self, ctx: int) -> tuple[Term, ...]:
        """The terms of all devices; equal names on several devices are added up."""
        if len(self.devices) == 1:
            return self.devices[0].terms(ctx)
        merged: dict[str, Term] = {}
        for device in self.devices:
            for term in device.terms(ctx):
                known = merged.get(term.name)
                merged[term.name] = (
                    term
                    if known is None
                    else Term(
                        term.name,
                        term.group,
                        known.bytes + term.bytes,
                        term.formula,
                        known.numbers,
                        term.basis,
                        term.source,
                        max(term.error, known.error),
                    )
                )
        return tuple(merged.values())

    def group_bytes(self, ctx: int, group: str) -> int:
        return sum(device.group_bytes(ctx, group) for device in self.devices)

    def largest_ctx(self, budget_bytes: int) -> int:
        """The largest multiple of 256 tokens that fits; for several devices the budget is each device's own."""
        return self._largest([(device, budget_bytes) for device in self.devices])

    def largest_ctx_usable(self) -> int | None:
        """The largest context on the scenario's own devices; None where one of them has no limit."""
        budgets = []
        for device in self.devices:
            if device.usable_bytes is None:
                return None
            budgets.append((device, device.usable_bytes))
        return self._largest(budgets)

    def largest_within(self, budgets_bytes: Sequence[int]) -> int:
        """The largest context where every device has a budget of its own."""
        return self._largest(list(zip(self.devices, budgets_bytes, strict=True)))

    @staticmethod
    def _largest(budgets: list[tuple[DeviceMemory, int]]) -> int:
        ctx = MAX_TOKENS
        while ctx:
            # A device that cannot hold this much may hold less, and then the others are asked again.
            less = min(device.largest_ctx(budget, ctx) for device, budget in budgets)
            if less == ctx:
                break
            ctx = less
        return ctx

    def fits(self, ctx: int) -> bool | None:
        """Whether every device holds its share; None where nothing limits them."""
        if any(device.usable_bytes is None for device in self.devices):
            return None
        return all(device.at(ctx) <= (device.usable_bytes or 0) for device in self.devices)

    def error_band(self, ctx: int) -> tuple[int, int]:
        """Low and high bytes: the terms' own bands, added (they are not independent)."""
        slack = sum(round(term.bytes * term.error) for term in self.terms(ctx))
        total = self.at(ctx)
        return (total - slack, total + slack)
