"""The table: every figure beside its bar, its aim, and what a bare Textual app or table needs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.interface.measures import SIZES, Figures, middle

BEGIN, END = "<!-- interface:begin -->", "<!-- interface:end -->"
ESTIMATE_OVER_MS = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: a median, the most it may be, the most we would like; `beside` is the bare program's figure."""

    what: str
    size: str
    value: float
    unit: str
    bar: float | None = None
    aim: float | None = None
    beside: str = ""

    @property
    def holds(self) -> bool:
        return self.bar is None or self.value <= self.bar

    def plain(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        return {**found, "value": float(f"{self.value:.4g}")}

    def cells(self) -> tuple[str, ...]:
        """What, size, figure, bar, aim, beside."""
        limits = (words(limit, self.unit) if limit is not None else "" for limit in (self.bar, self.aim))
        return (self.what, self.size.replace("x", "×"), words(self.value, self.unit), *limits, self.beside)


def words(value: float, unit: str) -> str:
    """A figure with its unit, as short as it can be read."""
    if unit == "×":
        return f"{value:.2f} ×"
    if unit == "bytes":
        return f"{value:,.0f} B"
    return f"{value:.2g} {unit}" if value < 1 else f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def rows(figures: Figures) -> list[Row]:
    """Every row of the table from the samples."""

    def of(name: str) -> float:
        return middle(figures, name)

    def each(what: str, measure: str, part: str, limits: dict[str, tuple[float | None, float | None]]) -> Iterator[Row]:
        unit = "ms" if part == "ms" else "bytes" if part == "bytes" else "frames"
        for mark, (bar, aim) in limits.items():
            table = f"table {measure} {part} {mark}"
            beside = f"table {words(of(table), unit)}" if table in figures else ""
            yield Row(what, mark, of(f"{measure} {part} {mark}"), unit, bar, aim, beside)

    wide, small = (f"{columns}x{lines}" for columns, lines in SIZES)
    found: list[Row] = []
    for mark in (wide, small):
        ours, least = of(f"start {mark}"), of(f"bare start {mark}")
        beside = f"{ours:.0f} ms against {least:.0f} ms"
        found.append(Row("start to the first useful paint", mark, ours / least, "×", 1.45, 1.25, beside))
    found += each("arrow key in the list, all settled", "list key", "ms", dict.fromkeys((wide, small), (12, 6)))
    found += each("its frames", "list key", "frames", dict.fromkeys((wide, small), (1, 1)))
    found += each("its bytes", "list key", "bytes", {wide: (5500, 3000), small: (4000, 2000)})
    found += [
        Row("when it rests: what runs the cell", mark, of(f"rest bytes {mark}"), "bytes") for mark in (wide, small)
    ]
    found += each("arrow key in the grid", "grid key", "ms", dict.fromkeys((wide, small), (4, None)))
    found += each("its bytes", "grid key", "bytes", dict.fromkeys((wide, small), (600, 300)))
    found += each("page down in the list", "page down", "ms", dict.fromkeys((wide, small), (20, None)))
    found += each("its bytes", "page down", "bytes", dict.fromkeys((wide, small), (12_000, None)))
    for what, measure in (("21 letters pasted into the search", "paste"),
                          ("the same typed at once", "search typed at once")):  # fmt: skip
        found += each(what, measure, "ms", dict.fromkeys((wide, small), (60, 30)))
        found += each("its bytes", measure, "bytes", dict.fromkeys((wide, small), (15_000, None)))
    found += each("100 arrow keys at once", "burst", "ms", dict.fromkeys((wide, small), (150, None)))
    found += each("its bytes", "burst", "bytes", dict.fromkeys((wide, small), (40_000, None)))
    found += [Row("idle", mark, of(f"idle bytes {mark}"), "bytes/s", 0) for mark in (wide, small)]
    found += [Row("its processor", mark, of(f"idle cpu {mark}"), "%", 0.3) for mark in (wide, small)]
    bare_peak = f"{of('bare peak'):.1f} MB"
    for mark in (wide, small):
        found.append(Row("peak memory", mark, of(f"peak {mark}"), "MB", 50, 40, bare_peak))
    found.append(Row("the same with all three screens opened", wide, of("peak with all screens"), "MB"))
    for name in ("Compare 2", "Hardware", "What fits"):
        what = f"first opening of {name.removesuffix(' 2').lower()}, to its first paint"
        found.append(Row(what, wide, of(f"opening {name}"), "ms", 80))
    nothing, estimate = of("nothing"), of("estimate")
    found.append(
        Row(
            "`vram-tui estimate …`",
            "",
            estimate,
            "ms",
            round(4 * nothing + ESTIMATE_OVER_MS, 1),
            round(2.5 * nothing, 1),
            f"`python -c pass` {words(nothing, 'ms')}",
        )
    )
    found.append(Row("one cell of a compiled model", "", of("one cell"), "µs", 2))
    return found


def text(found: Iterable[Row]) -> str:
    """The table for a terminal."""
    heads = ("what", "size", "median", "bar", "aim", "bare Textual", "")
    lines = [heads, *((*row.cells(), "" if row.holds else "MISSED") for row in found)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(found: Iterable[Row]) -> str:
    """The table for the README: a line for each thing, its time and its bytes together, sizes beside each other."""
    sizes = [f"{columns}x{lines}" for columns, lines in SIZES]
    groups: list[tuple[str, dict[str, list[Row]]]] = []
    for row in found:
        if row.unit == "frames":
            continue
        if not (row.what.startswith("its ") or (groups and groups[-1][0] == row.what)):
            groups.append((row.what, {}))
        groups[-1][1].setdefault(row.size or sizes[0], []).append(row)
    heads = ("what", *(size.replace("x", "×") for size in sizes), "at most", "beside it")
    lines = [heads, ("---", *("---:",) * (len(heads) - 2), "---")]
    for what, by_size in groups:
        shown = (", ".join(words(row.value, row.unit) for row in by_size.get(size, ())) for size in sizes)
        parts = zip(*by_size.values(), strict=True)
        bars = (dict.fromkeys(words(row.bar, row.unit) for row in part if row.bar is not None) for part in parts)
        beside = dict.fromkeys(row.beside.removeprefix("table ") for row in by_size[sizes[0]] if row.beside)
        lines.append((what, *shown, ", ".join(" / ".join(bar) for bar in bars if bar), ", ".join(beside)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def in_place(page: str, found: Iterable[Row], heading: str) -> str:
    """A page with its marked block filled. Raises ValueError where there is none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no block {BEGIN} … {END}")
    return f"{before}{begin}\n{heading}\n\n{markdown(found)}\n{end}{after}"
