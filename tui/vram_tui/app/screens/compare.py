"""Two to six columns side by side: specifications, memory over contexts or quantizations, an overlaid plot."""

from collections.abc import Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset, Region

from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.compare_table import CompareTable, Heading
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.app.widgets.picker import Picker
from vram_tui.app.widgets.plot import Plot, Series, levels_of
from vram_tui.estimator.memory import Memory
from vram_tui.exporters.table import Table
from vram_tui.quantities import format_tokens, unit_label
from vram_tui.session import comparing, edits
from vram_tui.session.comparing import Column, columns_of
from vram_tui.session.explaining import Asked, AskedFact, Target, memory_of
from vram_tui.session.state import NATIVE, Session

PLOT_LINES = 9
"""The plot stands below the table where this many lines are left for it."""


PICKER_AT, PICKER_WIDTH = Offset(6, 3), 56


class Compare(HouseScreen):
    """The marked models, or the one in view with a picker to add others."""

    CSS_PATH = "compare.tcss"
    name_in_registry = "compare"

    def __init__(self) -> None:
        super().__init__()
        self.table = CompareTable("table")
        self.table.chosen = self._choose  # type: ignore[method-assign]
        self.table.turned = self._turn_pick  # type: ignore[method-assign]
        self.plot = Plot("overlay")
        self.picker = Picker("picker")
        self.axis = comparing.AXES[0]
        self.differences = False
        self._filled_for: Session | None = None

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.table, self.chips)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.table
        yield self.plot
        yield self.footer
        yield self.picker
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.plot.can_focus = False
        self.plot.border_title = "Memory against context"
        self.picker.border_title = "Add a model"
        self.picker.display = False
        self.fill()
        self.table.place_at(self.home.session.column)
        self.go_to(self.table)
        if len(self.columns) < 2:
            self.call_after_refresh(self.do_add)

    def on_screen_resume(self) -> None:
        # What another screen edited meanwhile; the first showing is filled already.
        if self._filled_for != self.home.session:
            self.fill()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._arrange)

    # Content

    @property
    def columns(self) -> tuple[Column, ...]:
        return columns_of(self.home.session)

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self.fill()

    def fill(self) -> None:
        """Everything for the session of now."""
        answers, session = self.home.answers, self.home.session
        columns = self.columns
        summaries = {summary.id: summary for summary in answers.library.entries}
        models = [(answers.library.entry(column.model), summaries[column.model]) for column in columns]
        facts = comparing.fact_lines(models)
        memory = comparing.memory_lines(answers, session, self.axis)
        if self.differences:
            facts = tuple(line for line in facts if line.differs)
            memory = tuple(line for line in memory if line.differs) or memory
        headings = [self._heading(column, entry.name) for column, (entry, _) in zip(columns, models, strict=True)]
        self.table.fill(headings, facts, memory, self._pick_words())
        self._titles(len(columns))
        self._arrange()
        self._filled_for = session

    def _heading(self, column: Column, name: str) -> Heading:
        row = comparing.row_of(self.home.answers, self.home.session, column)
        quant = row.label if self.axis == "contexts" or column.quant else ""
        options = " ".join(f"{option}={value}" for option, value in column.options)
        return Heading(name, f"{quant} {options}".strip(), bool(column.own))

    def _pick_words(self) -> tuple[str, str]:
        session = self.home.session
        if self.axis == "contexts":
            return session.selected_row.label, f"over contexts, {unit_label(session.units)}"
        context = session.selected_context
        name = format_tokens(context) if context != NATIVE else "longest"
        return name, f"over quantizations, {unit_label(session.units)}"

    def _titles(self, count: int) -> None:
        home = self.home
        keys = {name: home.key_map.key_of(name) for name in ("flip", "differences")}
        self.table.border_title = plain_title(f"Compare {count}" + (", differences only" if self.differences else ""))
        self.table.border_subtitle = plain_title(f"{keys['flip']} flips the axis, {keys['differences']} differences")

    def _arrange(self) -> None:
        """The plot takes what the table leaves, where that is enough for one."""
        free = self.app.size.height - 2
        wanted = self.table.wanted_height() + 2
        roomy = free - wanted >= PLOT_LINES and self.app.size.width >= 60
        self.plot.display = roomy
        self.table.styles.height = wanted if roomy else "1fr"
        if roomy:
            series, contexts = self.series()
            self.plot.fill(series, levels_of(self.home.answers, self.home.session), contexts, self.home.session.units)

    def series(self) -> tuple[list[Series], tuple[int, int]]:
        """A line for every column that has figures, and the span of contexts."""
        answers, session = self.home.answers, self.home.session
        found: list[Series] = []
        last = 8192
        for at, column in enumerate(self.columns):
            row = comparing.row_of(answers, session, column)
            memory = memory_of(answers, comparing.asked_in_column(answers, session, at, row, 8192))
            if isinstance(memory, Memory):
                entry = answers.library.entry(column.model)
                last = max(last, entry.context_native)
                own = f" {column.own}" if column.own else ""
                found.append(
                    Series(f"{entry.name}{own}", memory.at, f"line-{at % 6}", native=entry.context_native or 0)
                )
        return found, (1024, last)

    # The cursor

    def _choose(self, pick: int) -> None:
        self.home.look(**({"column": pick} if self.axis == "contexts" else {"row": pick}))

    def _turn_pick(self, step: int) -> None:
        session = self.home.session
        if self.axis == "contexts":
            self.home.look(row=(session.row + step) % len(session.grid.rows))
        else:
            self.home.look(column=(session.column + step) % len(session.grid.contexts))

    def explain_targets(self) -> tuple[Sequence[Target], int]:
        line, at = self.table.current, self.table.column
        if self.focused is not self.table or line is None:
            return (), 0
        if line.pick is not None:
            asked = [value.asked for value in line.values if value.asked]
            return asked, at
        models = [column.model for column in self.columns]
        return [AskedFact(model, value.fact) for model, value in zip(models, line.values, strict=True)], at

    def launch_cell(self) -> Asked | None:
        line = self.table.current
        return line.values[self.table.column].asked if line is not None else None

    def export_table(self) -> Table | None:
        from vram_tui.app.comparison_table import comparison_table

        return comparison_table(self.home.answers, self.home.session, self.axis)

    # Actions

    def do_open(self) -> None:
        if self.table.picking:
            self.do_edit()
        else:
            self.do_explain()

    def do_flip(self) -> None:
        self.axis = comparing.AXES[1 - comparing.AXES.index(self.axis)]
        session = self.home.session
        self.fill()
        if self.table.current is None or self.table.current.pick is not None:
            self.table.place_at(session.column if self.axis == "contexts" else session.row)
        self.table.draw()

    def do_differences(self) -> None:
        self.differences = not self.differences
        pick = self.table.current.pick if self.table.current else None
        self.fill()
        if pick is not None:
            self.table.place_at(pick)
        self.table.draw()

    def do_remove(self) -> None:
        at = self.table.column
        if self.home.edit(lambda session: comparing.drop_column(session, at)):
            self.table.column = min(at, len(self.columns) - 1)

    def _shift(self, step: int) -> None:
        at = self.table.column
        if self.home.edit(lambda session: comparing.move_column(session, at, step)):
            self.table.column = at + step
            self.table.draw()

    def do_earlier(self) -> None:
        self._shift(-1)

    def do_later(self) -> None:
        self._shift(1)

    def do_edit(self) -> None:
        """The pick of all columns on its line, else the column's own quantization and options."""
        home = self.home
        if self.focused is not self.table:
            self.go_to(self.table)
        elif self.table.picking:
            self._ask_pick()
        else:
            at = self.table.column
            offset, width = self.table.place_of_column()
            hint = f"quantization, {', '.join(name + '=' for name in comparing.OPTIONS)}; empty: as all"
            accept = Asking(
                hint,
                lambda text: home.edit(lambda session: comparing.set_column(session, at, text, home.answers)),
                choices=tuple(row.label for row in home.session.grid.rows),
            )
            self.ask(self.table, Region(offset.x, offset.y, width, 1), self.columns[at].own, accept)

    def _ask_pick(self) -> None:
        session = self.home.session
        offset, width = self.table.place_of_pick()
        if self.axis == "contexts":
            choices = tuple(row.label for row in session.grid.rows)
            hint = "a quantization of the grid, or another to add"
        else:
            choices = tuple(format_tokens(context) if context else "native" for context in session.grid.contexts)
            hint = "a context of the grid, or another to add"
        self.ask(
            self.table,
            Region(offset.x, offset.y, width, 1),
            self.table.pick[0],
            Asking(hint, lambda text: self._set_pick(text, choices), choices=choices),
        )

    def _set_pick(self, text: str, choices: tuple[str, ...]) -> bool:
        home = self.home
        folded = [choice.casefold() for choice in choices]
        name = "row" if self.axis == "contexts" else "column"
        if text.strip().casefold() in folded:
            home.look(**{name: folded.index(text.strip().casefold())})
            return True
        if name == "row":
            return home.edit(lambda session: edits.add_row(session, text, home.answers.facts.formats))
        return home.edit(lambda session: edits.add_context(session, text))

    def do_add(self) -> None:
        """Pick one more model; `@Q8_0` behind its name gives it a quantization, alone it doubles the column."""
        if len(self.columns) >= comparing.MAX_COLUMNS:
            self.home.tell(f"{comparing.MAX_COLUMNS} columns are as many as there can be: drop one first", bad=True)
            return
        width = min(PICKER_WIDTH, self.size.width - PICKER_AT.x - 2)
        self.picker.styles.offset = (PICKER_AT.x, PICKER_AT.y)
        self.picker.styles.width = width
        self.picker.display = True
        self._follow("")
        asking = Asking(
            "a model, name@quantization, or @quantization for this one",
            self._add,
            changed=self._follow,
            cancelled=self._close_picker,
            follows_list=True,
        )
        origin = self.table.content_region.offset
        place = Region(PICKER_AT.x + 4 - origin.x, PICKER_AT.y + 1 - origin.y, width - 6, 1)
        self.ask(self.table, place, "", asking)

    def _follow(self, text: str) -> None:
        name, at, _ = text.partition("@")
        own = self.columns[self.table.column].model
        if at and not name.strip():
            found: Sequence[Any] = [one for one in self.home.answers.library.entries if one.id == own]
        else:
            found = list(self.home.search(name)) if name.strip() else self._others()
        self.picker.fill(found)

    def _others(self) -> list[Any]:
        """Before anything is typed: models of the same families, then all others."""
        entries = self.home.answers.library.entries
        taken = {column.model for column in self.columns}
        families = {one.family for one in entries if one.id in taken}
        return sorted((one for one in entries if one.id not in taken), key=lambda one: one.family not in families)

    def _add(self, text: str) -> bool:
        home, chosen = self.home, self.picker.chosen
        _, _, typed = text.partition("@")
        if chosen is None:
            home.tell("no model matches", bad=True)
            return False
        at = len(self.columns) - 1

        def change(session: Session) -> Session:
            quant = edits.read_row(typed, home.answers.facts.formats).asked if typed.strip() else ""
            return comparing.add_column(session, Column(chosen.id, quant), at)

        if not home.edit(change):
            return False
        self._close_picker()
        self.table.column = len(self.columns) - 1
        self.table.draw()
        return True

    def _close_picker(self) -> None:
        self.picker.display = False

    def move_list(self, key: str) -> None:
        self.picker.move(key)

    def do_plot(self) -> None:
        from vram_tui.app.screens.plot import PlotScreen

        self.app.push_screen(PlotScreen(compared=True))

    def do_about(self) -> None:
        from vram_tui.app.screens.about import About

        self.app.push_screen(About(self.columns[self.table.column].model))

    def _ask_name(self, hint: str, value: str, accept: Any, choices: tuple[str, ...] = ()) -> None:
        self.ask(self.table, Region(0, 1, 30, 1), value, Asking(hint, accept, choices=choices))

    def do_save_grid(self) -> None:
        self._ask_name(
            "a name for this comparison",
            "",
            lambda text: self.home.edit(lambda session: comparing.save_comparison(session, text)),
        )

    def do_use_grid(self) -> None:
        names = tuple(saved.name for saved in self.home.session.comparisons)
        known = {summary.id for summary in self.home.answers.library.entries}
        self._ask_name(
            "which comparison: " + (", ".join(names) or "none is saved yet"),
            names[0] if names else "",
            lambda text: self.home.edit(lambda now: comparing.use_comparison(now, text, known.__contains__)),
            names,
        )
