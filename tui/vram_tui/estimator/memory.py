"""Memory as a function of the context: exact byte terms whose only variable is the number of tokens."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from vram_tui.estimator.units import pad

STEP_TOKENS = 256
"""Contexts are answered in multiples of this many tokens: the granularity of llama.cpp's cache."""
MAX_TOKENS = 1 << 27
"""A context beyond which nobody asks; `largest_ctx` stops there."""

GROUPS = ("weights", "kv", "state", "compute", "runtime")
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

    `per_cell` pairs the index of a reach with bytes per cell of it. `formula` is readable text whose names are the
    keys of `numbers`; `basis` is one of BASES; `error` is the relative half-width of the band (0 where exact).
    `name` is unique within a device; `group` is one of GROUPS.
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


@dataclass(frozen=True)
class DeviceMemory:
    """What one device (or the host) must hold: costs add up, of the compute stages the largest counts.

    `tokens_divisor` turns the asked context into the tokens of one stream (slots with caches of their own);
    `usable_bytes` is what a process can reach there, None for an unlimited device.
    """

    name: str
    reaches: tuple[Reach, ...] = (Reach(),)
    costs: tuple[Cost, ...] = ()
    stages: tuple[Cost, ...] = ()
    tokens_divisor: int = 1
    usable_bytes: int | None = None

    def tokens(self, ctx: int) -> int:
        return max(ctx // self.tokens_divisor, 1)

    def cells(self, ctx: int) -> tuple[int, ...]:
        tokens = self.tokens(ctx)
        return tuple(reach.cells(tokens) for reach in self.reaches)

    def direct(self, ctx: int) -> int:
        """The plain sum that `at` must equal; slower, and what the tests compare with."""
        cells = self.cells(ctx)
        total = sum(cost.bytes(cells) for cost in self.costs)
        return total + max((stage.bytes(cells) for stage in self.stages), default=0)

    def at(self, ctx: int) -> int:
        """Total bytes at a context of `ctx` tokens, in about a microsecond."""
        starts, lines = self._segments
        tokens = ctx // self.tokens_divisor
        if lines is None or tokens < 1:
            return self.direct(ctx)
        tokens = -(-tokens // STEP_TOKENS) * STEP_TOKENS
        slope, fixed = lines[bisect_right(starts, tokens) - 1]
        return slope * tokens + fixed

    def stage(self, ctx: int) -> Cost | None:
        """The compute stage that decides at this context."""
        cells = self.cells(ctx)
        return max(self.stages, key=lambda stage: stage.bytes(cells), default=None)

    def terms(self, ctx: int) -> tuple[Term, ...]:
        """Every term that is not zero; their bytes add up to `at(ctx)`."""
        cells = self.cells(ctx)
        stage = self.stage(ctx)
        chosen = (*self.costs, stage) if stage else self.costs
        found = []
        for cost in chosen:
            count = cost.bytes(cells)
            if count:
                numbers = dict(cost.numbers)
                for index, _ in cost.per_cell:
                    numbers.setdefault("cells", cells[index])
                found.append(Term(cost.name, cost.group, count, cost.formula, numbers, cost.basis, cost.source, cost.error))
        return tuple(found)

    def group_bytes(self, ctx: int, group: str) -> int:
        cells = self.cells(ctx)
        total = sum(cost.bytes(cells) for cost in self.costs if cost.group == group)
        if group == "compute":
            total += max((stage.bytes(cells) for stage in self.stages), default=0)
        return total

    def largest_tokens(self, budget_bytes: int) -> int:
        """The most tokens per stream, a multiple of 256, that fit in the budget (0: not even the first 256).

        Right even where the total falls somewhere: segments are searched from the far end.
        """
        starts, lines = self._segments
        if lines is None:
            return self._largest_stepped(budget_bytes)
        ends = [*starts[1:], MAX_TOKENS + STEP_TOKENS]
        for (slope, fixed), start, end in zip(reversed(lines), reversed(starts), reversed(ends), strict=True):
            first, last = max(start, STEP_TOKENS), end - STEP_TOKENS
            if slope * last + fixed <= budget_bytes:
                return last
            if slope > 0:
                tokens = (budget_bytes - fixed) // slope // STEP_TOKENS * STEP_TOKENS
                if tokens >= first:
                    return min(tokens, last)
        return 0

    def _largest_stepped(self, budget_bytes: int) -> int:
        """Bisection, then a walk over what the bisection could have missed: two coarsest steps."""
        divisor = self.tokens_divisor
        low, high = 0, MAX_TOKENS
        while high - low > STEP_TOKENS:
            middle = (low + high) // 2 // STEP_TOKENS * STEP_TOKENS
            low, high = (middle, high) if self.direct(middle * divisor) <= budget_bytes else (low, middle)
        coarsest = max((reach.granularity * reach.ratio for reach in self.reaches), default=STEP_TOKENS)
        best = low
        for tokens in range(low + STEP_TOKENS, low + 2 * coarsest + STEP_TOKENS, STEP_TOKENS):
            if self.direct(tokens * divisor) <= budget_bytes:
                best = tokens
        return best

    @cached_property
    def _segments(self) -> tuple[list[int], list[tuple[int, int]] | None]:
        """Starts and (slope, fixed) of the linear pieces in tokens; None where a reach moves in coarser steps."""
        plain = all(reach.ratio == 1 and STEP_TOKENS % reach.granularity == 0 for reach in self.reaches)
        if not plain:
            return [], None
        caps = sorted({reach.cap // STEP_TOKENS * STEP_TOKENS for reach in self.reaches if reach.cap})
        starts: list[int] = [0]
        lines: list[tuple[int, int]] = []
        bounds = [0, *(cap + STEP_TOKENS for cap in caps), MAX_TOKENS * 2]
        for begin, end in zip(bounds, bounds[1:], strict=False):
            self._cut(begin, end, starts, lines)
        return starts[: len(lines)], lines

    def _cut(self, begin: int, end: int, starts: list[int], lines: list[tuple[int, int]]) -> None:
        """Append the pieces of one stretch between caps: the envelope of its compute stages."""
        def line(cost: Cost) -> tuple[int, int]:
            slope, fixed = 0, cost.fixed_bytes
            for index, per_cell in cost.per_cell:
                reach = self.reaches[index]
                capped = reach.cap and end - STEP_TOKENS > reach.cap
                fixed += per_cell * (reach.extra + (reach.cap if capped else 0))
                slope += 0 if capped else per_cell
            return slope, fixed

        sums = [line(cost) for cost in self.costs]
        slope, fixed = sum(s for s, _ in sums), sum(f for _, f in sums)
        envelope = [line(stage) for stage in self.stages] or [(0, 0)]
        at = begin
        while at < end:
            best = max(envelope, key=lambda piece: (piece[0] * at + piece[1], piece[0]))
            nearest = end
            for other in envelope:
                if other[0] > best[0]:
                    # First multiple of the step at which the steeper stage is the larger one.
                    cross = (best[1] - other[1]) // (other[0] - best[0]) // STEP_TOKENS * STEP_TOKENS + STEP_TOKENS
                    if at < cross < nearest:
                        nearest = cross
            if len(starts) == len(lines):
                starts.append(at)
            lines.append((slope + best[0], fixed + best[1]))
            at = nearest


@dataclass(frozen=True, slots=True)
class CachePart:
    """One kind of cache for the answer's `kv_parts`: `cells` per stream."""

    kind: str
    layers: int
    streams: int
    reach: Reach
    bytes_per_cell: int
    """All layers of this part and all streams together."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of the weights. `file_bytes` is tensor data (without header); `device_bytes` includes padding.

    `loaded_bytes` leaves out what the runtime does not load (MTP); `parameters` leaves MTP out.
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

    `devices` are the accelerators (at least one), `host` is the RAM beside them; `cache_parts` describe the
    caches for the answer; `warnings` are sentences for the person.
    """

    quant: str
    weights: Weights
    devices: tuple[DeviceMemory, ...]
    host: DeviceMemory
    cache_parts: tuple[CachePart, ...] = ()
    warnings: tuple[str, ...] = ()
    native_tokens: int = 0
    runtime: str = "llama.cpp"

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
                merged[term.name] = term if known is None else Term(
                    term.name, term.group, known.bytes + term.bytes, term.formula, known.numbers, term.basis, term.source,
                    max(term.error, known.error),
                )
        return tuple(merged.values())

    def group_bytes(self, ctx: int, group: str) -> int:
        return sum(device.group_bytes(ctx, group) for device in self.devices)

    def largest_ctx(self, budget_bytes: int) -> int:
        """The largest multiple of 256 tokens that fits; for several devices the budget is each device's own."""
        first = self.devices[0]
        tokens = min(device.largest_tokens(budget_bytes) for device in self.devices)
        return tokens * first.tokens_divisor

    def largest_ctx_usable(self) -> int | None:
        """The largest context on the scenario's own devices; None where one of them has no limit."""
        found = []
        for device in self.devices:
            if device.usable_bytes is None:
                return None
            found.append(device.largest_tokens(device.usable_bytes) * device.tokens_divisor)
        return min(found)

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
