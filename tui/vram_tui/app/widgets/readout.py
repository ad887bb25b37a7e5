"""What the plot's cursor reads: a line for every series, with its figure, its class and its distance to the least."""

from collections.abc import Sequence

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, fitted, padded, width_of
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.estimator.records import record
from vram_tui.quantities import format_memory
from vram_tui.session.answers import Cell
from vram_tui.text import safe


@record
class Reading:
    """One series at the cursor. `shown` says whether it is drawn; `reason` why it cannot be."""

    letter: str
    name: str
    style: str
    cell: Cell | None
    shown: bool = True
    reason: str = ""


class Readout(Sheet):
    """Readings under a heading; the cursor chooses the one that is explained or hidden."""

    keeps_cursor = True

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.readings: Sequence[Reading] = ()
        self.heading = ""

    def fill(self, heading: str, readings: Sequence[Reading]) -> None:
        self.heading, self.readings = heading, readings
        self.draw()

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        sizes = [one.cell.bytes for one in self.readings if one.shown and one.cell and one.cell.bytes is not None]
        least = min(sizes) if len(sizes) > 1 else None
        lines: list[Line] = [(Run(fitted(self.heading, width, self.glyphs.more), "family"),)]
        stops: list[Stop] = []
        names = min(max((len(one.name) for one in self.readings), default=8) + 2, max(width - 34, 12))
        for one in self.readings:
            stops.append(Stop(len(lines), len(lines) + 1))
            lines.append(self._line(one, least, names, width))
        return lines or [EMPTY], stops

    def _line(self, one: Reading, least: int | None, names: int, width: int) -> Line:
        home = house(self.app)
        mark = self.glyphs.mark if one.shown else " "
        head = [
            Run(f"{mark} {one.letter} ", one.style if one.shown else "dim"),
            Run(padded(fitted(safe(one.name, 60), names - 1, self.glyphs.more), names), "" if one.shown else "dim"),
        ]
        cell = one.cell
        if cell is None or cell.bytes is None:
            reason = safe(one.reason or (cell.reason if cell else ""), 200)
            return (*head, Run(fitted(reason, max(width - width_of(head), 4), self.glyphs.more), "dim"))
        tier = home.answers.facts.tiers[cell.tier]
        glyph = tier.glyph if self.glyphs.unicode else tier.ascii
        figure = padded(f"{format_memory(cell.bytes, home.session.units)} {glyph} ", 11, right=True)
        runs = [*head, Run(figure, f"tier-{min(cell.tier, 2)}")]
        if one.shown and least is not None:
            over = cell.bytes - least
            best = (f" {self.glyphs.left} least", "good")
            words, style = (f" +{format_memory(over, home.session.units)}", "dim") if over else best
            runs.append(Run(padded(words, 11), style))
        else:
            runs.append(Run(" " * 11))
        if cell.beyond and width_of(runs) + 8 <= width:
            runs.append(Run(" beyond", "warn"))
        if width_of(runs) + len(tier.label) + 2 <= width:
            runs.append(Run(f"  {tier.label}", "dim"))
        return tuple(runs)
