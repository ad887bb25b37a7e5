"""Memory as a function of the context: exact byte terms whose only variable is the number of tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from vram_tui.estimator.curves import STEP_TOKENS, Curve
from vram_tui.estimator.records import record
from vram_tui.estimator.units import pad

MAX_TOKENS = 1 << 27
"""A context beyond which nobody asks; `largest_ctx` stops there."""

GROUPS = ("weights", "kv", "state", "compute", "output", "runtime")
BASES = ("exact", "fitted", "measured", "assumed")


@record
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


@record
class Cost:
    """Bytes that are a line in the cells of some reaches, with all that explains them.

    bytes = fixed_bytes + Σ per_cell · cells. `per_cell` pairs the index of a reach with bytes; none is negative.
    `formula` is readable text whose names are the keys of `numbers`; `basis` is one of BASES; `error` is the relative
    half-width of the band (0 where exact). `name` is unique within a device; `group` is one of GROUPS.
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

    def bytes(self, cells: tuple[int, ...]) -> int:
        total = self.fixed_bytes
        for index, per_cell in self.per_cell:
            total += per_cell * cells[index]
        return total


@record
class Peak:
    """The most that a buffer holds at once, over the tokens of one stream; it may fall where memory is used again.

    `trace` gives the curve when it is first asked for: following a graph takes milliseconds.
    """

    name: str
    trace: Callable[[], Curve]
    group: str = "compute"
    formula: str = ""
    numbers: tuple[tuple[str, int | float | str], ...] = ()
    basis: str = "exact"
    source: str = ""
    error: float = 0.0
    stage: Callable[[int], str] | None = None
    """What holds most at so many tokens; follows the graph once more."""

    @cached_property
    def curve(self) -> Curve:
        return self.trace()

    def fall(self, tokens: int) -> tuple[int, int] | None:
        """First and last context of the stretch around this one in which the peak falls; None where it does not."""
        return next((ends for ends in self.curve.falls() if ends[0] < tokens <= ends[1]), None)


@record
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


@record
class DeviceMemory:
    """What one device (or the host) must hold: its costs and the peak of its compute buffer.

    A context is multiplied by `ctx_factor` (front ends that are asked for the context of one request), padded to
    `ctx_step` and divided by `tokens_divisor` (slots with caches of their own) to give the tokens of one stream.
    `usable_bytes` is what a process can reach there, None for an unlimited device.
    """

    name: str
    reaches: tuple[Reach, ...] = (Reach(),)
    costs: tuple[Cost, ...] = ()
    peak: Peak | None = None
    tokens_divisor: int = 1
    usable_bytes: int | None = None
    ctx_step: int = 1
    ctx_factor: int = 1

    def tokens(self, ctx: int) -> int:
        return max(pad(ctx * self.ctx_factor, self.ctx_step) // self.tokens_divisor, 1)

    def cells(self, ctx: int) -> tuple[int, ...]:
        tokens = self.tokens(ctx)
        return tuple(reach.cells(tokens) for reach in self.reaches)

    def direct(self, ctx: int) -> int:
        """The plain sum over all costs that `at` must equal; slower, and what the tests compare with."""
        cells = self.cells(ctx)
        return sum(cost.bytes(cells) for cost in self.costs) + self.peak_bytes(ctx)

    def peak_bytes(self, ctx: int) -> int:
        return self.peak.curve.at(self.tokens(ctx)) if self.peak else 0

    def at(self, ctx: int) -> int:
        """Total bytes at a context of `ctx` tokens, in about a microsecond."""
        total, lines = self._line
        whole = ctx * self.ctx_factor
        tokens = -(-whole // self.ctx_step) * self.ctx_step // self.tokens_divisor or 1
        for slope, granularity, span, cap, extra in lines:
            held = -(-tokens // span) * granularity
            if cap and held > cap:
                held = cap
            total += slope * (held + extra)
        return total + self.peak.curve.at(tokens) if self.peak else total

    def costs_at(self, ctx: int) -> int:
        """Bytes of all but the peak, which takes long to follow."""
        cells = self.cells(ctx)
        return sum(cost.bytes(cells) for cost in self.costs)

    @cached_property
    def _line(self) -> tuple[int, tuple[tuple[int, int, int, int, int], ...]]:
        """All costs together: fixed bytes, and for each reach that costs anything its slope and its cells."""
        slopes = [0] * len(self.reaches)
        for cost in self.costs:
            for index, per_cell in cost.per_cell:
                slopes[index] += per_cell
        lines = tuple(
            (slope, reach.granularity, reach.granularity * reach.ratio, reach.cap, reach.extra)
            for slope, reach in zip(slopes, self.reaches, strict=True)
            if slope
        )
        return sum(cost.fixed_bytes for cost in self.costs), lines

    def terms(self, ctx: int) -> tuple[Term, ...]:
        """Every term that is not zero; their bytes add up to `at(ctx)`."""
        cells = self.cells(ctx)
        found = []
        for cost in self.costs:
            if count := cost.bytes(cells):
                numbers = dict(cost.numbers)
                if reached := {index for index, _ in cost.per_cell}:
                    numbers.setdefault("cells", sum(cells[index] for index in reached))
                found.append(
                    Term(cost.name, cost.group, count, cost.formula, numbers, cost.basis, cost.source, cost.error)
                )
        if self.peak and (count := self.peak_bytes(ctx)):
            peak = self.peak
            numbers = {**dict(peak.numbers), "tokens": self.tokens(ctx)}
            found.append(Term(peak.name, peak.group, count, peak.formula, numbers, peak.basis, peak.source, peak.error))
        return tuple(found)

    def group_bytes(self, ctx: int, group: str) -> int:
        cells = self.cells(ctx)
        total = sum(cost.bytes(cells) for cost in self.costs if cost.group == group)
        return total + self.peak_bytes(ctx) if self.peak and self.peak.group == group else total

    def largest_ctx(self, budget_bytes: int, at_most: int = MAX_TOKENS) -> int:
        """The largest multiple of 256 tokens, up to `at_most`, that fits in the budget (0: not even the first).

        The total only falls where the peak does: such stretches are walked, the others, where it never falls, are
        bisected; the far ones first.
        """
        last = at_most // STEP_TOKENS * STEP_TOKENS
        for first, falling in reversed(self._stretches):
            if first > last:
                continue
            if falling:
                for ctx in range(last, first - 1, -STEP_TOKENS):
                    if self.at(ctx) <= budget_bytes:
                        return ctx
            elif self.at(first) <= budget_bytes:
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
    def _stretches(self) -> tuple[tuple[int, bool], ...]:
        """The first context of every stretch, and whether the peak falls in it (one step wider on both sides)."""

        def context(tokens: int) -> int:
            return pad(-(-tokens * self.tokens_divisor // self.ctx_factor), STEP_TOKENS)

        starts: dict[int, bool] = {STEP_TOKENS: False}
        for begin, end in self.peak.curve.falls() if self.peak else ():
            starts[max(context(begin) - STEP_TOKENS, STEP_TOKENS)] = True
            starts[context(end) + STEP_TOKENS] = False
        return tuple(sorted((start, falling) for start, falling in starts.items() if start <= MAX_TOKENS))


def _added(one: Term, other: Term) -> Term:
    """A term of two devices as one: what its layers bring is added, what they share stays."""
    counts = {name: one.numbers[name] + other.numbers[name] for name in _COUNTS if name in one.numbers}  # type: ignore[operator]
    error = max(one.error, other.error)
    return replace(one, bytes=one.bytes + other.bytes, numbers={**one.numbers, **counts}, error=error)


_COUNTS = ("layers", "elements", "convolution", "matrix")
"""Numbers of a term that belong to the layers of one device."""


@record
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


@record
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


@record
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
                merged[term.name] = _added(merged[term.name], term) if term.name in merged else term
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
