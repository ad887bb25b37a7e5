"""What the estimator must reach on recorded cases: one line per promise, read from the accuracy report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.measuring import ALL, Report, Summary


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure of the report and the least (`at_least`) or most it may be. `promise` is what a person reads."""

    promise: str
    term: str
    value: Callable[[Summary], float]
    limit: float
    at_least: bool = True
    group: str = ALL

    def figure(self, report: Report) -> float:
        """The figure of the report. Raises KeyError where it is not measured."""
        return self.value(report[self.term][self.group])

    def holds(self, report: Report) -> bool:
        figure = self.figure(report)
        return figure >= self.limit if self.at_least else figure <= self.limit


def exact(found: Summary) -> float:
    return found.exact / found.cases


def within_1(found: Summary) -> float:
    return found.within_1


def within_5(found: Summary) -> float:
    return found.within_5


def within_10(found: Summary) -> float:
    return found.within_10


def median(found: Summary) -> float:
    return found.median


def p95(found: Summary) -> float:
    return found.p95


def worst(found: Summary) -> float:
    return found.worst


def missed(found: Summary) -> float:
    """The share of cases that count 1."""
    return 1 - found.exact / found.cases


def bars(report: Report) -> Iterator[Bar]:
    """Every promise; those on classes of devices as far as the report has them."""
    yield from ALLOCATIONS
    yield from SERVERS
    yield from _speed_bars(report)


ALLOCATIONS = (
    Bar("file bytes of every file type are exact", "file bytes", exact, 0.995),
    Bar("the same with an importance matrix", "file bytes, importance matrix", exact, 0.995),
    Bar("bytes that are loaded are exact", "loaded bytes", exact, 0.995),
    Bar("weights on the devices are exact", "weights on the devices", exact, 0.995),
    Bar("weights that stay in RAM are exact", "weights on the host", exact, 0.995),
    Bar("KV cache and recurrent state are exact", "KV cache and state", exact, 0.999),
    Bar("output buffers are exact", "output buffer", exact, 0.999),
    Bar("catalogue entries give the recorded file bytes", "catalogue: file bytes", exact, 0.99),
    Bar("catalogue entries give the recorded caches", "catalogue: KV cache and state", exact, 0.99),
    Bar("compute buffer as a server runs, within 1 %", "compute, as a server runs", within_1, 0.84),
    Bar("compute buffer as a server runs, within 5 %", "compute, as a server runs", within_5, 0.91),
    Bar("compute buffer with all settings, within 5 %", "compute, all settings", within_5, 0.85),
    Bar("compute buffer with all settings, within 10 %", "compute, all settings", within_10, 0.90),
    Bar("compute inputs in RAM, within 1 %", "compute on the host", within_1, 0.92),
    Bar("compute buffers of two GPUs, within 10 %", "compute on two GPUs", within_10, 0.85),
    Bar("offload: weights on every card are exact", "offload: weights on the cards", exact, 0.995),
    Bar("offload: weights in RAM are exact", "offload: weights in RAM", exact, 0.995),
    Bar("offload: KV cache and state on every card are exact", "offload: caches on the cards", exact, 0.999),
    Bar("offload: KV cache and state in RAM are exact", "offload: caches in RAM", exact, 0.999),
    Bar("offload: compute buffers, within 5 %", "offload: compute on the cards", within_5, 0.90),
    Bar("models kept apart: KV cache and state are exact", "kept apart: KV cache and state", exact, 0.95),
    Bar("models kept apart: compute buffer, within 5 %", "kept apart: compute", within_5, 0.80),
    Bar(
        "compute buffers over a tenth too small without a warning",
        "compute over 10 % too small without a warning",
        missed,
        0.0,
        at_least=False,
    ),
    Bar("settings that llama.cpp refuses are refused with its reason", "refused with the reason", exact, 1.0),
    Bar("the seed page's six totals", "seed page", exact, 1.0),
    Bar(
        "run logs of llama.cpp builds of 2026: KV cache and state print the same",
        "run logs: KV cache and state",
        exact,
        1.0,
        group="llama.cpp, 2026",
    ),
    Bar(
        "run logs of llama.cpp builds of 2026: compute within 5 %",
        "run logs: compute",
        within_5,
        0.80,
        group="llama.cpp, 2026",
    ),
)
_TOKENS = "servers: tokens of the printed pool"
SERVERS = (
    Bar("servers: bytes per token, models without states", "servers: bytes per token", worst, 0.005, False, "plain"),
    Bar("servers: bytes per token, windows", "servers: bytes per token", worst, 0.005, False, "window"),
    Bar("servers: bytes per token, hybrids", "servers: bytes per token", worst, 0.03, False, "hybrid"),
    Bar(
        "servers: tokens of the printed pool, median error", "servers: tokens of the printed pool", median, 0.01, False
    ),
    Bar(
        "servers: tokens of the printed pool, 95th percentile", "servers: tokens of the printed pool", p95, 0.05, False
    ),
)
_LLAMA = frozenset(("llama.cpp cuda single", "llama.cpp metal single"))


def _speed_bars(report: Report) -> Iterator[Bar]:
    """Medians per class, and how often the printed band holds."""
    for group in report.get("speed: decode", {}):
        if group in _LLAMA:
            yield Bar(f"decode, {group}: median error", "speed: decode", median, 0.12, False, group)
        elif group != ALL and not group.startswith("llama.cpp"):
            limit = 0.30 if group.endswith("experts") else 0.20
            yield Bar(f"decode, {group}: median error", "speed: decode", median, limit, False, group)
    yield Bar(
        "decode: measurements outside the printed band", "speed: decode, outside the band", missed, 0.20, at_least=False
    )
    yield Bar("prefill of llama.cpp: median error", "speed: prefill", median, 0.30, False)
    yield Bar(
        "prefill: measurements outside the printed band",
        "speed: prefill, outside the band",
        missed,
        0.20,
        at_least=False,
    )
    yield Bar("first token of servers: median error", "speed: first-token", median, 0.30, False)
