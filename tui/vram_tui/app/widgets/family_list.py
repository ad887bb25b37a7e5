"""The models of a family: when each came, how large it is, what it needs at the cell in view."""

from collections.abc import Sequence
from datetime import date

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, fitted, padded, width_of
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.estimator.records import record
from vram_tui.quantities import format_memory, format_parameters
from vram_tui.session.answers import Cell
from vram_tui.text import safe


@record
class Relative:
    """One model of the family with its figure at the cell in view."""

    id: str
    name: str
    parameters: int
    active: int
    routed: bool
    released: date | None
    cell: Cell
    marked: bool = False


class FamilyList(Sheet):
    """Newest first, in the order of release; the space between two releases is the time between them."""

    keeps_cursor = True

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.relatives: Sequence[Relative] = ()
        self.heading = ""

    def fill(self, heading: str, relatives: Sequence[Relative]) -> None:
        self.heading, self.relatives = heading, relatives
        self.draw()

    @property
    def chosen(self) -> Relative | None:
        return self.relatives[self.cursor] if self.cursor < len(self.relatives) else None

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        lines: list[Line] = [(Run(fitted(self.heading, width, self.glyphs.more), "family"),)]
        stops: list[Stop] = []
        year = None
        for one in self.relatives:
            if one.released is None or one.released.year != year:
                year = one.released.year if one.released else None
                lines += [EMPTY, (Run(str(year) if year else "release unknown", "accent"),)]
            stops.append(Stop(len(lines), len(lines) + 1))
            lines.append(self._line(one, width))
        return lines, stops

    def _line(self, one: Relative, width: int) -> Line:
        home = house(self.app)
        day = f"{one.released:%b}" if one.released else ""
        size = format_parameters(one.parameters)
        if one.routed and width >= 50:
            size += f" A{format_parameters(one.active)}"
        cell = one.cell
        figure, style = self.glyphs.none, "dim"
        if cell.bytes is not None:
            tier = home.answers.facts.tiers[cell.tier]
            figure = (
                f"{format_memory(cell.bytes, home.session.units)} {tier.glyph if self.glyphs.unicode else tier.ascii}"
            )
            style = f"tier-{min(cell.tier, 2)}"
        end = [Run(padded(size, 14 if width >= 50 else 7, right=True), "dim"), Run(" ")]
        end.append(Run(padded(figure, 9, right=True) + " ", style))
        lead = f"{self.glyphs.mark if one.marked else ' '} {padded(day, 3)}  "
        room = width - width_of(end) - len(lead)
        name = padded(fitted(safe(one.name, 80), room - 1, self.glyphs.more), room)
        return (Run(lead, "mark-0" if one.marked else "dim"), Run(name), *end)
