"""Errors of many cases, summed up per term and group: how many are exact, and how far off the rest is."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from vram_tui.exporters.table import Column, Table, number, words

HAIR = 1e-9
"""Two figures that differ by less are equal: the noise of floating point."""
ALL = "all"
BETTER_HIGH = frozenset(("cases", "exact", "within_1", "within_5", "within_10"))
Report = dict[str, dict[str, "Summary"]]
"""Term → group → summary; the group `all` stands first."""


class Case(NamedTuple):
    """One figure against its measured value: relative error, 0 for equal."""

    term: str
    group: str
    error: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The errors of one term and group. Shares are of 1; median, p95 and worst are sizes; `low` is the largest that
    is too small (0 or negative)."""

    cases: int
    exact: int
    within_1: float
    within_5: float
    within_10: float
    median: float
    p95: float
    worst: float
    low: float

    @classmethod
    def of(cls, errors: Iterable[float]) -> "Summary":
        signed = list(errors)
        sizes = sorted(map(abs, signed))
        count = len(sizes)

        def part(limit: float) -> float:
            return sum(size <= limit for size in sizes) / count

        return cls(
            count,
            sum(size == 0 for size in sizes),
            part(0.01),
            part(0.05),
            part(0.10),
            sizes[count // 2],
            sizes[min(count - 1, int(0.95 * count))],
            sizes[-1],
            min(0.0, *signed),
        )

    def plain(self) -> list[float]:
        """The figures in the order of the fields, short enough to be committed."""
        return [_short(getattr(self, field.name)) for field in fields(self)]

    @classmethod
    def read(cls, values: list[float]) -> "Summary":
        """What `plain` wrote."""
        return cls(int(values[0]), int(values[1]), *values[2:])

    def worse(self, kept: "Summary") -> Iterator[str]:
        """Every figure that is worse than the kept one, in words."""
        for field in fields(self):
            before, now = getattr(kept, field.name), getattr(self, field.name)
            higher = field.name in BETTER_HIGH or field.name == "low"
            if now < before - HAIR if higher else now > before + HAIR:
                yield f"{field.name} was {before:.6g}, is {now:.6g}"


def _short(value: float) -> float:
    """Rounded as the committed report holds it."""
    return value if isinstance(value, int) else float(f"{value:.9g}")


def error(found: float, measured: float) -> float:
    """Relative error of a figure: 0 where it is equal, 1 where there should have been nothing."""
    return 0.0 if found == measured else found / measured - 1 if measured else 1.0


def summed(cases: Iterable[Case]) -> Report:
    """All cases, term by term and group by group."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        found[case.term][ALL].append(case.error)
        found[case.term][case.group].append(case.error)
    return {
        term: {name: Summary.of(errors) for name, errors in sorted(groups.items(), key=lambda one: one[0] != ALL)}
        for term, groups in found.items()
    }


def plain(report: Report) -> dict[str, dict[str, list[float]]]:
    return {term: {name: found.plain() for name, found in groups.items()} for term, groups in report.items()}


def from_plain(kept: Mapping[str, Mapping[str, list[float]]]) -> Report:
    return {term: {name: Summary.read(values) for name, values in groups.items()} for term, groups in kept.items()}


def worse(kept: Report, found: Report) -> list[str]:
    """Every figure that is worse than the kept one, and every one that is gone."""
    faults = []
    for term, groups in kept.items():
        for name, old in groups.items():
            new = found.get(term, {}).get(name)
            if new is None:
                faults.append(f"{term}, {name}: no longer measured")
            else:
                faults += [f"{term}, {name}: {fault}" for fault in Summary.read(new.plain()).worse(old)]
    return faults


def table(title: str, groups: Mapping[str, Summary], heading: str = "architecture or class") -> Table:
    names = ("cases", "exact", "≤ 1 %", "≤ 5 %", "≤ 10 %", "median", "p95", "worst", "too small by")
    lines = []
    for name, found in groups.items():
        sizes = (found.median, found.p95, found.worst, -found.low)
        shares = (found.within_1, found.within_5, found.within_10)
        figures = (
            number(found.cases),
            number(found.exact),
            *(number(share, f"{share:.1%}") for share in shares),
            *(number(size, percent(size)) for size in sizes),
        )
        lines.append((words(name, "bold" if name == ALL else ""), *figures))
    return Table(title, (Column(heading), *(Column(name, "right") for name in names)), tuple(lines))


def percent(size: float) -> str:
    """A size of error: 0 only where it is 0."""
    return "0" if size == 0 else "< 0.01%" if size < 5e-5 else f"{size:.2%}" if size < 0.1 else f"{size:.0%}"
