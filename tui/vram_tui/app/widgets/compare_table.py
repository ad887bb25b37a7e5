"""Models side by side: a fixed first column, aligned lines, differences and winners marked."""

from collections.abc import Sequence

from textual import events
from textual.geometry import Offset

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded, width_of, wrapped
from vram_tui.estimator.records import record
from vram_tui.quantities import format_memory
from vram_tui.session.comparing import Line as Compared
from vram_tui.session.comparing import Value
from vram_tui.text import safe

LABEL = 17
LEAST_WIDTH, MOST_WIDTH = 19, 34
HEAD = 3
"""Lines above the scrolling ones: names, quantizations, a rule."""


@record
class Heading:
    """A column's two lines: the model, and what the column holds of its own."""

    name: str
    under: str
    own: bool = False
    """The quantization or an option is the column's own."""


class CompareTable(LinePanel):
    """Draws `rows`; the cursor is a line and a column. `pick_line` says what all memory is for."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.headings: Sequence[Heading] = ()
        self.facts: Sequence[Compared] = ()
        self.memory: Sequence[Compared] = ()
        self.pick = ("", "")
        self.line = 0
        self.column = 0
        self.first = 0
        self.top = 0
        self._spans: list[tuple[int, int]] = []

    # Places: the lines of facts, then the line that picks, then the lines of memory

    @property
    def picking(self) -> bool:
        return self.line == len(self.facts)

    @property
    def current(self) -> Compared | None:
        """The aligned line under the cursor; None on the line that picks."""
        if self.line < len(self.facts):
            return self.facts[self.line]
        at = self.line - len(self.facts) - 1
        return self.memory[at] if 0 <= at < len(self.memory) else None

    @property
    def count(self) -> int:
        return len(self.facts) + 1 + len(self.memory)

    def place_at(self, pick: int) -> None:
        """The cursor on the line of memory that stands for a row or column of the grid."""
        for at, line in enumerate(self.memory):
            if line.pick == pick:
                self.line = len(self.facts) + 1 + at

    def fill(
        self,
        headings: Sequence[Heading],
        facts: Sequence[Compared],
        memory: Sequence[Compared],
        pick: tuple[str, str],
    ) -> None:
        """New content; `pick` is the value that is picked and the words around it."""
        self.headings, self.facts, self.memory, self.pick = headings, facts, memory, pick
        self.line = min(self.line, self.count - 1)
        self.column = min(self.column, len(headings) - 1)
        self.draw()

    def wanted_height(self) -> int:
        """Lines without scrolling."""
        return HEAD + len(self._body()[0])

    @property
    def column_width(self) -> int:
        room = self.size.width - LABEL
        even = room // max(len(self.headings), 1)
        return min(max(even, LEAST_WIDTH), MOST_WIDTH, max(room, 12))

    @property
    def shown(self) -> range:
        """The columns in sight."""
        fit = max((self.size.width - LABEL) // self.column_width, 1)
        return range(self.first, min(self.first + fit, len(self.headings)))

    # Drawing

    def draw(self) -> None:
        if not self.is_attached or not self.size.height or not self.headings:
            return
        fit = max((self.size.width - LABEL) // self.column_width, 1)
        self.first = min(max(self.first, self.column - fit + 1), self.column)
        self.first = min(self.first, max(len(self.headings) - fit, 0))
        body, spans = self._body()
        self._spans = spans
        height = max(self.size.height - HEAD, 1)
        start, end = spans[self.line]
        if self.line > len(self.facts):
            # As much of the memory as fits stays together.
            block = spans[len(self.facts)][0]
            end = max(end, min(len(body), block + height))
            start = max(end - height, min(start, block))
        self.top = min(max(self.top, end - height), start)
        self.top = min(max(self.top, 0), max(len(body) - height, 0))
        # A line of several is shown from its first on.
        self.top = next((last for first, last in spans if first < self.top < last <= start), self.top)
        shown = body[self.top : self.top + height]
        self.show([*self._head(len(body) - self.top - height), *shown])

    def _head(self, below: int) -> list[Line]:
        width, shown = self.column_width, self.shown
        names: list[Run] = []
        unders: list[Run] = []
        for at in shown:
            heading = self.headings[at]
            style = "key" if at == self.column else "bold"
            names.append(Run(padded(fitted(safe(heading.name, 60), width - 2, self.glyphs.more), width), style))
            under = fitted(safe(heading.under, 60), width - 2, self.glyphs.more)
            unders.append(Run(padded(under, width), "warn" if heading.own else "dim"))
        left = len(self.headings) - len(shown)
        more = f"{shown[0] + 1}-{shown[-1] + 1} of {len(self.headings)}" if left else ""
        glyphs, last = self.glyphs, shown[-1] + 1 == len(self.headings)
        arrows = (glyphs.left if shown[0] else " ") + (" " if last else glyphs.right)
        label = Run(padded(f"{more} {arrows}" if left else "", LABEL), "accent")
        scroll = (f"{glyphs.up}{self.top} " if self.top else "") + (f"{glyphs.down}{below}" if below > 0 else "")
        rule = "─" if self.glyphs.unicode else "-"
        lead = padded(scroll, LABEL) if scroll else rule * LABEL
        line = (Run(lead, "accent" if scroll else "rule"), Run(rule * (self.size.width - LABEL), "rule"))
        return [(label, *names), (Run(" " * LABEL), *unders), line]

    def _body(self) -> tuple[list[Line], list[tuple[int, int]]]:
        """The scrolling lines, and for each place the first of its lines and the one after its last."""
        lines: list[Line] = []
        spans: list[tuple[int, int]] = []
        for at, line in enumerate(self.facts):
            first = len(lines)
            lines += self._fact(line, at == self.line)
            spans.append((first, len(lines)))
        if self.facts:
            lines.append(EMPTY)
        spans.append((len(lines), len(lines) + 1))
        lines.append(self._pick_line())
        for at, line in enumerate(self.memory):
            spans.append((len(lines), len(lines) + 1))
            lines.append(self._memory(line, at + len(self.facts) + 1 == self.line))
        return lines, spans

    def _label(self, line: Compared) -> list[Run]:
        mark = f"{self.glyphs.differs} " if line.differs else "  "
        return [Run(mark, "warn"), Run(padded(fitted(line.label, LABEL - 3), LABEL - 2), "dim")]

    def _fact(self, line: Compared, here: bool) -> list[Line]:
        width = self.column_width
        columns = []
        for at in self.shown:
            value = line.values[at]
            text = safe(value.text, 200)
            win = f" {self.glyphs.left} {line.word}" if value.best else ""
            pieces = wrapped(text, width - 2) or [""]
            if win and len(pieces[-1]) + len(win) > width - 1:
                win = f" {self.glyphs.left}"
                pieces = wrapped(text, width - 4) or [""]
            columns.append((at, pieces, win, value.best))
        lines: list[Line] = []
        for index in range(max(len(pieces) for _, pieces, _, _ in columns)):
            runs = self._label(line) if index == 0 else [Run(" " * LABEL)]
            for at, pieces, win, best in columns:
                text = pieces[index] if index < len(pieces) else ""
                tail = win if index == len(pieces) - 1 else ""
                style = "good" if best else ""
                on = here and at == self.column
                cell = [Run(text, self._cursor() if on and text else style), Run(tail, "good")]
                runs += [*cell, Run(" " * (width - width_of(cell)))]
            lines.append(tuple(runs))
        return lines

    def _cursor(self) -> str:
        return "cursor" if self.has_focus else "cursor-blur"

    def _pick_line(self) -> Line:
        value, words = self.pick
        here = self.picking and self.has_focus
        left, right = self.glyphs.left, self.glyphs.right
        picked = Run(f"{left} {value} {right}" if self.picking else value, "cursor" if here else "accent")
        return (Run("Memory ", "family"), picked, Run(f"  {words}", "dim"))

    def _memory(self, line: Compared, here: bool) -> Line:
        width = self.column_width
        runs = self._label(line)
        for at in self.shown:
            value = line.values[at]
            figure, style = self._figure(value, here and at == self.column)
            cell = [Run(figure, style)]
            if value.best:
                cell.append(Run(f" {self.glyphs.left} {line.word}", "good"))
            elif value.over_bytes is not None:
                cell.append(Run(f" +{format_memory(value.over_bytes, house(self.app).session.units)}", "dim"))
            elif value.text:
                cell.append(Run(f" at {value.text}", "dim"))
            runs += [*cell, Run(" " * max(width - width_of(cell), 0))]
        return tuple(runs)

    def _figure(self, value: Value, here: bool) -> tuple[str, str]:
        """The figure with its class, as the grid shows it, and its style."""
        home = house(self.app)
        cell = value.cell
        if cell is None or cell.bytes is None:
            return padded(self.glyphs.none, 8, right=True) + "  ", self._cursor() if here else "dim"
        tier = home.answers.facts.tiers[cell.tier]
        size = cell.bytes
        text = format_memory(size, home.session.units)
        if cell.rule_bytes is not None:
            off = cell.rule_bytes - size
            text = ("+" if off >= 0 else "-") + format_memory(abs(off), home.session.units)
        verdicts = {"fits": self.glyphs.fits, "tight": self.glyphs.tight}
        verdicts |= {"offload": self.glyphs.offload, "no": self.glyphs.no}
        glyph = (tier.glyph if self.glyphs.unicode else tier.ascii) + verdicts.get(cell.fit, "")
        name = f"tier-{min(cell.tier, 2)}"
        style = f"{name}-cursor" if here and self.has_focus else f"{name}-cursor-off" if here else name
        if cell.beyond and not here:
            style = f"{name}-dim"
        return padded(f"{text} {glyph}", 9, right=True) + " ", style

    # Moving

    def _move(self, line: int) -> None:
        self.line = min(max(line, 0), self.count - 1)
        self.moved()

    def moved(self) -> None:
        """Show the cursor, and choose in the grid what a line of memory stands for."""
        line = self.current
        if line is not None and line.pick is not None:
            self.chosen(line.pick)
        self.draw()

    def chosen(self, pick: int) -> None:
        """A line of memory was reached; the screen says what that means."""

    def turned(self, step: int) -> None:
        """Left or right on the line that picks."""

    def do_up(self) -> None:
        self._move(self.line - 1)

    def do_down(self) -> None:
        self._move(self.line + 1)

    def do_page_up(self) -> None:
        self._move(self.line - max(self.size.height - HEAD - 1, 1))

    def do_page_down(self) -> None:
        self._move(self.line + max(self.size.height - HEAD - 1, 1))

    def _aside(self, step: int) -> None:
        if self.picking:
            self.turned(step)
            return
        self.column = min(max(self.column + step, 0), len(self.headings) - 1)
        self.draw()

    def do_left(self) -> None:
        self._aside(-1)

    def do_right(self) -> None:
        self._aside(1)

    def do_first(self) -> None:
        self._move(0)

    def do_last(self) -> None:
        self._move(self.count - 1)

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._move(self.line + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._move(self.line - 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.x >= LABEL:
            self.column = min(self.first + (offset.x - LABEL) // self.column_width, len(self.headings) - 1)
        at = self.top + offset.y - HEAD
        for index, (first, end) in enumerate(self._spans):
            if offset.y >= HEAD and first <= at < end:
                again = index == self.line
                self._move(index)
                if again and event.chain <= 1:
                    house(self.app).perform("open")
                return
        self.draw()

    def place_of_column(self) -> tuple[Offset, int]:
        """Where the column's own options stand, and how wide their field is."""
        x = LABEL + (self.column - self.first) * self.column_width
        return Offset(x, 1), max(self.column_width, 24)

    def place_of_pick(self) -> tuple[Offset, int]:
        return Offset(len("Memory "), HEAD + self._spans[len(self.facts)][0] - self.top), 16
