"""A figure taken apart: its total with a stacked bar, its terms, and what would make it fit."""

from collections.abc import Sequence

from vram_tui.app.house import house
from vram_tui.app.widgets.breakdown import reach_words
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded, width_of, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.app.widgets.stacked_bar import group_pieces, part_pieces, stacked
from vram_tui.quantities import format_memory, format_parameters
from vram_tui.session.explaining import Explained, Part, number_words, worked
from vram_tui.session.losses import Loss
from vram_tui.session.mends import Mend
from vram_tui.session.specs import memory_words
from vram_tui.session.uncounted import Uncounted
from vram_tui.text import safe


def value_words(value: float, unit: str, units: str) -> str:
    """A total or a part with its unit."""
    if unit == "bytes":
        return memory_words(round(value), units)
    if unit == "parameters":
        return format_parameters(round(value))
    if unit in ("bytes/token", "bytes/sequence"):
        size = f"{value / 1024:,.1f} KiB" if value < 1 << 20 else f"{value / (1 << 20):,.1f} MiB"
        return f"{size}/{unit.partition('/')[2]}"
    return f"{value:,.0f}"


def exact_words(value: float, unit: str) -> str:
    """The same without rounding."""
    words = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{words} {unit or 'in all'}".replace("count", "in all")


def signs(text: str) -> str:
    """A formula in signs that are narrow in every terminal."""
    return text.replace("×", "*").replace("·", "*").replace("−", "-").replace("Σ", "sum").replace("…", "...")


class Headline(LinePanel, can_focus=False):
    """Total, band, verdict; the bar; its legend."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self._asked: tuple[Explained, Sequence[tuple[str, str]], float] | None = None

    def fill(self, explained: Explained, verdicts: Sequence[tuple[str, str]], scale: float) -> None:
        """`verdicts` are texts with their styles, left away whole from the right; `scale` is the bar's whole."""
        self._asked = (explained, verdicts, scale)
        self.draw()

    def draw(self) -> None:
        if not self.is_attached or not self.size.width or self._asked is None:
            return
        found, verdicts, scale = self._asked
        width, units = self.size.width, house(self.app).session.units
        if found.total is None:
            text = safe(found.reason or found.words, 300)
            words = wrapped(text, width)[:3] or [""]
            self.show([(Run(line, "warn" if found.reason else "bold"),) for line in words])
            return
        total = value_words(found.total, found.unit, units)
        runs = [Run(total, "bold"), Run("  " + exact_words(found.total, found.unit), "dim")]
        for text, style in verdicts:
            if width_of(runs) + 2 + len(text) <= width:
                runs += [Run("  "), Run(text, style)]
        self.show([tuple(runs), *self._bar(found, scale, width, units)])

    def _bar(self, found: Explained, scale: float, width: int, units: str) -> list[Line]:
        if found.unit == "bytes":
            sizes: dict[str, float] = {}
            for part in found.parts:
                sizes[part.group] = sizes.get(part.group, 0) + part.value
            pieces = group_pieces(sizes, self.glyphs)
        else:
            pieces = part_pieces([(part.name, part.value) for part in found.parts], self.glyphs)

        def say(size: float) -> str:
            return format_memory(size, units) if found.unit == "bytes" else value_words(size, found.unit, units)

        total = found.total or 1
        bar, legend = stacked(pieces, max(scale, total), width, self.glyphs, say)
        if scale > total and found.unit == "bytes":
            free = Run(f"free {format_memory(scale - total, units)}", "dim")
            if width_of(legend) + len(free.text) <= width:
                legend.append(free)
        return [bar, tuple(legend)]


class Terms(Sheet):
    """Every part with formula, numbers, result, basis and source."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.explained: Explained | None = None

    def fill(self, explained: Explained) -> None:
        if self.explained is None or self.explained.title != explained.title:
            self.cursor = self.top = 0
        self.explained = explained
        self.draw()

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        found = self.explained
        if found is None:
            return [], []
        lines: list[Line] = []
        stops: list[Stop] = []
        for part in found.parts:
            first = len(lines)
            lines += self._part(part, found, width)
            stops.append(Stop(first, len(lines)))
            lines.append(EMPTY)
        if found.parts:
            lines += [self._sum(found, width), EMPTY]
        if not found.parts and found.words:
            lines += [(Run(line, "bold"),) for line in wrapped(safe(found.words, 400), width)] + [EMPTY]
        for note in found.notes:
            lines += [(Run(line),) for line in wrapped(safe(note, 400), width)] + [EMPTY]
        if found.sources:
            lines.append((Run("Sources", "family"),))
            for source in found.sources:
                lines += [(Run(line, "dim"),) for line in wrapped(safe(source, 300), width)]
        while lines and not lines[-1]:
            lines.pop()
        return lines, stops

    def _part(self, part: Part, found: Explained, width: int) -> list[Line]:
        units = house(self.app).session.units
        result = value_words(part.value, found.unit, units)
        share = f"{part.value * 100 / found.total:.1f} %" if found.total else ""
        band = part.basis + (f", within {part.error * 100:.0f} %" if part.error else "")
        style = f"bar-{part.group}" if part.group else "accent"
        room = width - len(result) - len(share) - 4
        head = [Run(fitted(signs(safe(part.name, 60)), room, self.glyphs.more), "bold")]
        end = [Run(result, style), Run(padded(share, 9, right=True), "dim")]
        first = (*head, Run(" " * (width - width_of(head) - width_of(end))), *end)
        formula = signs(safe(part.formula, 400))
        lines: list[Line] = [first]
        lines += [(Run("  "), Run(line)) for line in wrapped(formula, width - 2)]
        filled = signs(worked(part))
        exact = f"{part.value:,.0f}" if float(part.value).is_integer() else f"{part.value:,.2f}"
        given = number_words(part.numbers)
        if filled:
            lines += [(Run("  "), Run(line, "good")) for line in wrapped(f"= {filled} = {exact}", width - 2)]
        else:
            lines.append((Run("  "), Run(f"= {exact}", "good")))
        if given:
            lines += [(Run("  "), Run(line, "dim")) for line in wrapped(f"with {signs(safe(given, 400))}", width - 2)]
        about = f"{band}: {safe(part.source, 300)}" if part.source else "" if found.unit != "bytes" else band
        lines += [(Run("  "), Run(line, "dim")) for line in wrapped(about, width - 2)]
        return lines

    def _sum(self, found: Explained, width: int) -> Line:
        units = house(self.app).session.units
        total = value_words(found.total or 0, found.unit, units)
        band = ""
        if found.unit == "bytes" and found.high > found.low:
            band = f"between {format_memory(found.low, units)} and {format_memory(found.high, units)}"
        head = [Run("sum ", "bold"), Run(exact_words(found.total or 0, found.unit), "dim")]
        if band and width_of(head) + len(band) + len(total) + 14 <= width:
            head.append(Run(f"  {band}", "dim"))
        blank = width - width_of(head) - len(total) - 9
        return (*head, Run(" " * max(blank, 1)), Run(total, "bold"))


class Mends(Sheet):
    """What would make it fit, the largest context of every class, what the total leaves out, what the format loses."""

    keeps_cursor = False

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.mends: Sequence[Mend] = ()
        self.aim = ""
        self.reaches: Sequence[tuple[str, int, int]] = ()
        self.beside: Sequence[Uncounted] = ()
        self.losses: Sequence[Loss] = ()

    def fill(
        self,
        mends: Sequence[Mend],
        aim: str,
        reaches: Sequence[tuple[str, int, int]],
        beside: Sequence[Uncounted],
        losses: Sequence[Loss],
    ) -> None:
        self.mends, self.aim, self.reaches, self.beside, self.losses = mends, aim, reaches, beside, losses
        self.cursor = self.top = 0
        self.draw()

    @property
    def chosen(self) -> Mend | None:
        return self.mends[self.cursor] if self.cursor < len(self.mends) else None

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        units = house(self.app).session.units
        lines: list[Line] = []
        stops: list[Stop] = []
        lines.append((Run(fitted(f"To fit {safe(self.aim, 30)}", width, self.glyphs.more), "family"),))
        for mend in self.mends:
            stops.append(Stop(len(lines), len(lines) + 1))
            lines.append(self._mend(mend, units, width))
        if not self.mends:
            lines.append((Run("nothing here needs less", "dim"),))
        lines += [EMPTY, (Run("Largest context", "family"),)]
        for name, _, tokens in self.reaches:
            words = reach_words(tokens) if tokens else "does not fit"
            lines.append(_pair(f"in {name}", words, width, "bold" if tokens else "dim"))
        lines += [EMPTY, (Run("Not in the total", "family"),)]
        for one in self.beside:
            size = memory_words(one.bytes, units) if one.bytes is not None else "unknown"
            lines.append(_pair(f"{one.name}, {one.where}", size, width, "bold" if one.bytes is not None else "dim"))
            lines += [(Run("  "), Run(line, "dim")) for line in wrapped(safe(one.words, 200), width - 2)]
        if self.losses:
            lines += [EMPTY, (Run("What the format loses, as measured", "family"),)]
        for loss in self.losses:
            lines.append(
                _pair(fitted(f"{loss.measure}, {loss.model}", width - 9, self.glyphs.more), loss.value, width, "bold")
            )
            against = f"against {loss.against}; " if loss.against else ""
            lines += [(Run("  "), Run(line, "dim")) for line in wrapped(safe(against + loss.source, 300), width - 2)]
        return lines, stops

    def _mend(self, mend: Mend, units: str, width: int) -> Line:
        glyphs = self.glyphs
        sign = glyphs.fits if mend.fits else glyphs.no
        total = format_memory(mend.total_bytes, units)
        end = f"{total} {sign} {'fits' if mend.fits else 'no'}"
        end = padded(end, len(total) + 7)
        title = fitted(signs(mend.title), width - len(end) - 1, glyphs.more)
        gap = " " * (width - len(title) - len(end))
        return (Run(title), Run(gap + end, "good" if mend.fits else "dim"))


def _pair(label: str, value: str, width: int, style: str) -> Line:
    room = width - len(label) - len(value)
    return (Run(label), Run(" " * max(room, 1)), Run(value, style))
