"""Memory against context on a screen of its own: chosen lines, levels, and a cursor that reads them all."""

from collections.abc import Sequence
from dataclasses import replace

from textual import events
from textual.app import ComposeResult

from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.app.widgets.plot import LETTERS, Plot, Series, levels_of
from vram_tui.app.widgets.readout import Reading, Readout
from vram_tui.estimator.memory import Memory
from vram_tui.quantities import format_tokens, unit_label
from vram_tui.session import comparing
from vram_tui.session.explaining import Asked, Target, memory_of
from vram_tui.session.state import Session

FIRST_TOKENS, LEAST_LAST_TOKENS = 1024, 8192
SHOWN_AT_FIRST = 6
STEP_TOKENS = 256


class PlotScreen(HouseScreen):
    """The rows of the grid, or the columns of the comparison below; left and right move the cursor."""

    CSS_PATH = "plot.tcss"
    name_in_registry = "plot"

    def __init__(self, *, compared: bool = False) -> None:
        super().__init__()
        self.compared = compared
        self.plot = Plot("plot")
        self.plot.can_focus = False
        self.readout = Readout("readout")
        self.hidden: set[str] = set()
        self.tokens = 0
        self.lines: list[tuple[str, Asked, Memory | str]] = []

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.readout, self.chips)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.plot
        yield self.readout
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        session = self.home.session
        self.tokens = self.home.answers.tokens(session.model, session.selected_context) or LEAST_LAST_TOKENS
        self._collect()
        near = sorted(range(len(self.lines)), key=lambda at: abs(at - (0 if self.compared else session.row)))
        self.hidden = {self.lines[at][0] for at in near[SHOWN_AT_FIRST:]}
        self.readout.cursor = 0 if self.compared else session.row
        self._arrange(self.app.size.height)
        self.go_to(self.readout)
        self.fill()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.height)
        self.call_after_refresh(self.fill)

    def _arrange(self, height: int) -> None:
        """The readings take a line each, as long as the plot keeps half of the screen."""
        self.readout.styles.height = min(len(self.lines) + 3, max((height - 2) * 2 // 5, 5))

    # Content

    def _collect(self) -> None:
        """The lines: name, the figure asked for at the cursor, and its memory as a function of the context."""
        answers, session = self.home.answers, self.home.session
        found: list[tuple[str, Asked]] = []
        if self.compared:
            for at, column in enumerate(comparing.columns_of(session)):
                row = comparing.row_of(answers, session, column)
                asked = comparing.asked_in_column(answers, session, at, row, self.tokens)
                name = answers.library.entry(column.model).name
                options = " ".join(f"{option}={value}" for option, value in column.options)
                found.append((f"{name} {row.label} {options}".strip(), asked))
        else:
            for row in session.grid.rows:
                label = f"{row.label} {row.bits:g} bits" if row.bits is not None else row.label
                label += f" @{row.runtime}" if row.runtime else ""
                scenario = answers.scenario(session, row.runtime)
                found.append((label, Asked(session.model, row, self.tokens, scenario)))
        self.lines = [(name, asked, memory_of(answers, asked)) for name, asked in found]

    @property
    def contexts(self) -> tuple[int, int]:
        entries = [self.home.answers.library.entry(asked.model) for _, asked, _ in self.lines]
        return FIRST_TOKENS, max([LEAST_LAST_TOKENS, *(entry.context_native for entry in entries)])

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self._collect()
        self.fill()

    def fill(self) -> None:
        session, answers = self.home.session, self.home.answers
        first, last = self.contexts
        self.tokens = min(max(self.tokens, first), last)
        series: list[Series] = []
        readings: list[Reading] = []
        for at, (name, asked, memory) in enumerate(self.lines):
            letter, style = LETTERS[at % len(LETTERS)], f"line-{at % 6}"
            shown = name not in self.hidden and isinstance(memory, Memory)
            if isinstance(memory, Memory):
                native = answers.library.entry(asked.model).context_native or 0
                cell = answers.cell_of(memory, self.tokens, native, session.scenario.method)
                readings.append(Reading(letter, name, style, cell, shown))
                if shown:
                    series.append(Series(name, memory.at, style, letter, native))
            else:
                readings.append(Reading(letter, name, style, None, False, memory))
        self.plot.cursor = self.tokens
        self.plot.fill(series, levels_of(answers, session), (first, last), session.units)
        names = {answers.library.entry(asked.model).name for _, asked, _ in self.lines}
        subject = "Compared models" if self.compared else next(iter(names), "")
        self.plot.border_title = plain_title(f"{subject}, memory against context")
        keys = self.home.key_map
        self.plot.border_subtitle = plain_title(f"left, right: the cursor; {keys.key_of('mark')}: show or hide a line")
        heading = f"At {format_tokens(self.tokens)}, {unit_label(session.units)}"
        self.readout.border_title = plain_title("Readings")
        self.readout.fill(heading, readings)

    # Actions

    def _step(self, cells: int) -> None:
        """Move by cells of the plot, at least to the next multiple of 256 tokens."""
        first, last = self.contexts
        width = max(self.plot.size.width * 2 // 3, 24)
        factor = (last / first) ** (cells / width)
        tokens = round(self.tokens * factor / STEP_TOKENS) * STEP_TOKENS
        if tokens == self.tokens:
            tokens += STEP_TOKENS if cells > 0 else -STEP_TOKENS
        self.tokens = min(max(tokens, first), last)
        self.lines = [(name, replace(asked, tokens=self.tokens), memory) for name, asked, memory in self.lines]
        self.fill()

    def do_left(self) -> None:
        self._step(-1)

    def do_right(self) -> None:
        self._step(1)

    def _octave(self, factor: float) -> None:
        first, last = self.contexts
        self.tokens = min(max(round(self.tokens * factor), first), last)
        self.lines = [(name, replace(asked, tokens=self.tokens), memory) for name, asked, memory in self.lines]
        self.fill()

    def do_earlier(self) -> None:
        self._octave(0.5)

    def do_later(self) -> None:
        self._octave(2.0)

    def do_mark(self) -> None:
        if self.readout.cursor < len(self.lines):
            self.hidden ^= {self.lines[self.readout.cursor][0]}
            self.fill()

    def do_open(self) -> None:
        self.do_explain()

    def explain_targets(self) -> tuple[Sequence[Target], int]:
        return [replace(asked, tokens=self.tokens) for _, asked, _ in self.lines], self.readout.cursor

    def launch_cell(self) -> Asked | None:
        at = self.readout.cursor
        return replace(self.lines[at][1], tokens=self.tokens) if at < len(self.lines) else None

    def copy_text(self) -> tuple[str, str]:
        return self.readout.text, "the readings"
