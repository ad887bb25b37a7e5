"""The home screen: every model, its sheet, its requirements, and what the cursor's cell is made of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.geometry import Region
from textual.widgets import Static

from vram_tui.app.screens.base import SMALLEST, HouseScreen
from vram_tui.app.screens.explore_lines import bits_words, loss_note, plain, short_sheet, target_legend, tier_legend
from vram_tui.app.screens.grid_editing import GridEditing
from vram_tui.app.screens.meanwhile import RATE_AFTER_SECONDS, Meanwhile
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, fitted
from vram_tui.app.widgets.plot import Plot, Series, levels_of
from vram_tui.app.widgets.spec_panel import SpecPanel
from vram_tui.estimator.memory import Memory
from vram_tui.quantities import unit_label
from vram_tui.session import edits
from vram_tui.session.answers import Cell
from vram_tui.session.listing import listing
from vram_tui.session.losses import column_of
from vram_tui.session.state import SORTS, Session
from vram_tui.text import safe

if TYPE_CHECKING:
    from vram_tui.exporters.table import Table
    from vram_tui.session.explaining import Target


WIDE, TALL = 100, 32
"""From this size on the panels stand under each other; below they are tabs."""
HUGE, NARROW = 160, 76
"""From the first width on the plot stands beside the grid; below the second, borders lose their padding."""
BREAKDOWN, LOW = 4, 22
"""Lines of the breakdown; one fewer on a screen lower than this."""
SHEET_LEAST, SHEET_BEST = 12, 21
PLOT_LINES = 12
"""The plot has a place of its own where this many lines are left beside the sheet at its best."""
TABS = ("grid", "spec", "plot")


class Explore(Meanwhile, GridEditing, HouseScreen):
    """Sidebar, specification, grid, plot and breakdown around one session."""

    # Its style sheet, explore.tcss, belongs to the app: it is needed at every start.
    name_in_registry = "explore"

    def __init__(self) -> None:
        super().__init__()
        self.spec = SpecPanel("spec")
        self.plot = Plot("plot")
        self.figures = Container(id="figures")
        self.tab = "grid"
        self._inner = 80
        self._found: list[Any] = []
        self._asked: object = None
        self._cells: list[list[Cell]] = []
        self._memories: list[Memory | str] = []
        self._bits: list[str] = []
        self._losses: tuple[list[str], str] = ([], "")
        self._entries: Sequence[Any] = ()
        self._summaries: dict[str, Any] = {}
        self._families: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        yield self.chips
        with Horizontal(id="body"):
            yield self.models
            with Vertical(id="right"):
                yield self.spec
                with self.figures:
                    yield self.grid
                    yield self.plot
                yield self.breakdown
        yield self.footer
        yield Static(f"vram-tui needs {SMALLEST[0]} x {SMALLEST[1]} cells", id="too-small", markup=False)
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.models.border_title = "Models"
        self._take_library()
        self._arrange(*self.app.size)
        self._filter(self.home.session.filter)
        self.set_focus(self.models, scroll_visible=False)
        self.set_timer(RATE_AFTER_SECONDS, self.start_rating)

    def on_screen_resume(self) -> None:
        if len(self._summaries) and self._entries is not self.home.answers.library.entries:
            self._take_library()
            self._filter(self.home.session.filter)
        self._fill_all()
        if self.models.scrolled:
            self.rate_again()

    def _take_library(self) -> None:
        """The models that there are, and how many each family has; an import brings new ones."""
        self._entries = self.home.answers.library.entries
        self._summaries = {summary.id: summary for summary in self._entries}
        self._families = dict(Counter(summary.family for summary in self._entries))
        self.models.ratings = self.home.answers.ratings_at_hand(self.home.session)

    def everything(self) -> Iterable[str]:
        return self._summaries

    # Layout

    @property
    def tabbed(self) -> bool:
        return self.has_class("-tabs")

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        shown = [panel for panel in (self.spec, self.plot) if self.tabbed or panel.display]
        return (self.models, self.grid, *shown, self.chips)

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width, event.size.height)
        # A panel that comes into sight has heard of no model yet.
        self._fill_spec()
        self._fill_grid(self.home.session)

    def _arrange(self, width: int, height: int) -> None:
        """Panels under each other where there is room, tabs where there is not, a sentence below that."""
        tiny = width < SMALLEST[0] or height < SMALLEST[1]
        tabs = width < WIDE or height < TALL
        huge = width >= HUGE and not tabs
        classes = {"-tiny": tiny, "-tabs": tabs, "-narrow": width < NARROW, "-huge": huge, "-low": height < LOW}
        for name, on in classes.items():
            self.set_class(on, name)
        side = 46 if width >= HUGE else 36 if not tabs else 26 if width >= NARROW else 21
        self.models.styles.width = side
        self._inner = width - side - (2 if width < NARROW else 4)
        if huge:
            self._inner = (width - side) * 3 // 5 - 4
        self.grid.head, self.grid.tail = self._grid_frame()
        if tabs:
            for name in TABS:
                panel = self._panel(name)
                panel.display = name == self.tab
                panel.styles.height = "1fr"
            self.figures.display = self.tab != "spec"
            self.figures.styles.height = "1fr"
        else:
            self._stack(height - 2 - BREAKDOWN, huge)
        self._title()

    def _stack(self, free: int, huge: bool) -> None:
        """Heights of sheet, grid and plot; without room for all three the plot takes the sheet's place on demand."""
        self.grid.display = self.figures.display = True
        self.plot.styles.height = "1fr"
        wanted = self.grid.wanted_height() + 2
        if huge:
            self.grid.styles.height = "1fr"
            self.plot.display = self.spec.display = True
            self.spec.styles.height = max(min(SHEET_BEST, free - wanted), SHEET_LEAST)
            self.figures.styles.height = "1fr"
            return
        grid = min(wanted, free - SHEET_LEAST)
        roomy = free - grid - SHEET_BEST >= PLOT_LINES
        spec = SHEET_BEST if roomy else free - grid
        self.plot.display = roomy or self.tab == "plot"
        self.spec.display = roomy or self.tab != "plot"
        self.grid.styles.height = grid
        self.figures.styles.height = "1fr" if self.plot.display else grid
        self.spec.styles.height = spec if roomy else "1fr"

    def _panel(self, name: str) -> LinePanel:
        panels: dict[str, LinePanel] = {"grid": self.grid, "spec": self.spec, "plot": self.plot}
        return panels[name]

    def _title(self) -> None:
        """Panel titles; where panels are tabs, the three names with the open one in brackets."""
        session = self.home.session
        summary = self._summaries.get(session.model)
        method = session.scenario.method.replace("-", " ")
        profile = "" if session.scenario.profile == "verified" else ", published profile"
        if self.tabbed:
            words = {"grid": "Grid", "spec": "Spec", "plot": "Plot"}
            tabs = "  ".join(f"[{words[name]}]" if name == self.tab else words[name] for name in TABS)
            for name in TABS:
                self._panel(name).border_title = plain(tabs)
            self.plot.border_subtitle = plain(
                fitted(f"memory of {safe(summary.name, 80)}", self._inner - 2, self.home.glyphs.more) if summary else ""
            )
            self.grid.border_subtitle = plain(f"{unit_label(session.units)}, {method}{profile}")
            return
        self.spec.border_title, self.plot.border_title, self.plot.border_subtitle = (
            "Model",
            "Memory against context",
            "",
        )
        self.grid.border_title = plain(self.grid.title())
        self.grid.border_subtitle = plain(f"{method}{profile}")

    def show_tab(self, name: str) -> None:
        if name != self.tab:
            self.tab = name
            self._arrange(*self.app.size)
            self._fill_all()
        self.go_to(self._panel(name))

    def go_to(self, panel: LinePanel) -> None:
        for name in TABS:
            if panel is self._panel(name) and not panel.display:
                self.show_tab(name)
        super().go_to(panel)

    # Filling

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        if (old.scenario, old.target) != (new.scenario, new.target):
            self.models.ratings = self.home.answers.ratings_at_hand(new)
            self.call_later(self.rate_again)
        if (old.filter, old.sort) != (new.filter, new.sort):
            self._filter(new.filter)
        elif (old.model, old.marks) != (new.model, new.marks):
            self.models.place(new.model)
        if old.grid.rows != new.grid.rows or old.scenario.method != new.scenario.method or old.units != new.units:
            self._arrange(*self.app.size)
        if (old.model, old.scenario.profile) != (new.model, new.scenario.profile):
            self._fill_spec()
        self._fill_grid(new)

    def _fill_all(self) -> None:
        self._fill_spec()
        self._fill_grid(self.home.session)
        self.models.draw()
        self.chips.draw()
        self.footer.draw()

    def _fill_spec(self) -> None:
        model = self.home.session.model
        summary = self._summaries.get(model)
        if summary is None:
            return
        if self.spec.display:
            self.spec.fill(self.home.answers.library.entry(model), summary, self._families[summary.family] - 1)

    def _fill_grid(self, session: Session) -> None:
        if session.model not in self._summaries:
            return
        cells, memories = self._figures(session)
        if self.grid.display:
            head, tail = self._grid_frame()
            self.grid.fill(cells, self._bits, head, tail, *self._losses)
        self.fill_breakdown(session, cells[session.row][session.column], memories[session.row])
        if self.plot.display:
            self._fill_plot(session, memories)

    def _figures(self, session: Session) -> tuple[list[list[Cell]], list[Memory | str]]:
        """The grid's cells and what is behind its rows, kept while nothing but the cursor moves."""
        answers = self.home.answers
        asked = (session.model, session.grid, answers.scenario(session), id(answers.library.entries))
        if asked != self._asked:
            self._asked = asked
            self._cells = [answers.cells(session, row) for row in session.grid.rows]
            self._memories = [answers.of_row(session, row) for row in session.grid.rows]
            self._bits = [bits_words(memory, session, index) for index, memory in enumerate(self._memories)]
            loss, losses = column_of(answers.facts, session.grid.rows)
            self._losses = losses, loss_note(loss) if loss else ""
        return self._cells, self._memories

    def _grid_frame(self) -> tuple[list[Line], list[Line]]:
        """The lines above the grid (the model's name, where tabs hide the sheet) and below it (the legend)."""
        answers, session, glyphs = self.home.answers, self.home.session, self.home.glyphs
        summary = self._summaries.get(session.model)
        head: list[Line] = []
        if self.tabbed and summary is not None:
            head = [*short_sheet(answers.library.entry(session.model), summary, self._inner, glyphs), EMPTY]
        tiers = tier_legend(answers.facts.tiers, self._inner, glyphs, under_each_other=self.has_class("-huge"))
        verdicts = [target_legend(session.target, self._inner, glyphs)] if session.target else []
        return head, [EMPTY, *tiers, *verdicts]

    def _fill_plot(self, session: Session, memories: list[Memory | str]) -> None:
        answers = self.home.answers
        native = answers.library.entry(session.model).context_native or 1 << 17
        rows = list(zip(session.grid.rows, memories, strict=True))
        if len(rows) > 6:
            chosen = session.row
            near = sorted(range(len(rows)), key=lambda index: abs(index - chosen))[:6]
            rows = [rows[index] for index in sorted(near)]
        series = [
            Series(row.label, memory.at, f"line-{index % 6}")
            for index, (row, memory) in enumerate(rows)
            if isinstance(memory, Memory)
        ]
        self.plot.fill(series, levels_of(answers, session), (1024, max(native, 8192)), session.units)

    # List

    def _filter(self, text: str) -> None:
        home = self.home
        entries = home.answers.library.entries
        self._found = list(home.search(text)) if text.strip() else list(entries)
        self.models.fill(listing(self._found, home.session, home.answers), len(entries), self._best(text))
        selected = self.models.selected()
        if selected and selected != home.session.model:
            home.look(model=selected)

    def _best(self, text: str) -> str:
        """Where the cursor goes: to the model that is called like the text, else it stays, else to the best match."""
        if not text.strip() or not self._found:
            return self.home.session.model
        best, now = self._found[0], self.home.session.model
        called = text.strip().casefold() in (best.name.casefold(), best.id.casefold())
        return best.id if called or all(found.id != now for found in self._found) else now

    def do_filter(self) -> None:
        before, model = self.home.session.filter, self.home.session.model
        region = Region(2, 0, self.models.size.width - 2, 1)
        self.ask(
            self.models,
            region,
            before,
            Asking(
                "words, >30b, <=24gib, moe, ctx>=128k, licence:mit",
                lambda text: True,
                changed=lambda text: self.home.look(filter=text),
                cancelled=lambda: self.home.look(filter="", model=model),
                follows_list=True,
            ),
        )

    def move_list(self, key: str) -> None:
        moves = {
            "up": self.models.do_up,
            "down": self.models.do_down,
            "pageup": self.models.do_page_up,
            "pagedown": self.models.do_page_down,
        }
        moves[key]()

    def do_back(self) -> None:
        if self.home.session.filter:
            self.home.look(filter="")
        else:
            self.go_to(self.models)

    def do_sort(self) -> None:
        following = SORTS[(SORTS.index(self.home.session.sort) + 1) % len(SORTS)]
        self.home.look(sort=following)
        self.home.tell(f"sorted by {following}")

    def do_family(self) -> None:
        session = self.home.session
        family = self._summaries[session.model].family
        wanted = f'family:"{family}"'
        self.home.look(filter="" if session.filter == wanted else wanted)

    def do_mark(self) -> None:
        model = self.home.session.model
        self.home.edit(lambda session: edits.toggle_mark(session, model))

    def show_grid(self) -> None:
        self.show_tab("grid")

    def do_show_grid(self) -> None:
        self.show_grid()

    def do_show_spec(self) -> None:
        self.show_tab("spec")

    def do_show_plot(self) -> None:
        self.show_tab("spec" if self.focused is self.plot and not self.spec.display else "plot")

    # Grid

    def do_open(self) -> None:
        if self.focused is self.grid and self.grid.cursor.place == "figure":
            self.home.perform("explain")
        else:
            self.do_edit()

    def explain_targets(self) -> "tuple[Sequence[Target], int]":
        """The row of the grid, the figures of the sheet, or those of a list row: whatever the cursor is in."""
        from vram_tui.session.counts import fact_labels
        from vram_tui.session.explaining import AskedFact, asked_in_grid, asked_in_list

        answers, session = self.home.answers, self.home.session
        model = session.model
        summary = self._summaries.get(model)
        if summary is None or self.focused is self.chips:
            return (), 0
        if self.focused is self.spec:
            labels = fact_labels(answers.library.entry(model), summary)
            return [AskedFact(model, label) for label in labels], min(self.spec.cursor, len(labels) - 1)
        if self.focused is self.models:
            facts = [AskedFact(model, "parameters"), *([AskedFact(model, "active")] if "MoE" in summary.kind else [])]
            return [asked_in_list(answers, session, model), *facts], 0
        columns = range(len(session.grid.contexts))
        return [asked_in_grid(answers, session, session.row, column) for column in columns], session.column

    def export_table(self) -> "Table":
        """The specification sheet where the cursor is on it, else the requirements grid."""
        from vram_tui.app import tables

        answers, session = self.home.answers, self.home.session
        if self.focused is self.spec:
            return tables.spec_table(answers.library.entry(session.model), self._summaries[session.model])
        return tables.grid_table(answers, session)

    def copy_text(self) -> tuple[str, str]:
        """The figure, the row or the model under the cursor; the sheet from the sheet."""
        from vram_tui.app import tables

        answers, session = self.home.answers, self.home.session
        place = self.grid.cursor.place if self.focused is self.grid else ""
        if place == "figure":
            return tables.figure_words(answers, session), "the figure"
        if place in ("quant", "bits"):
            return tables.row_words(answers, session), "the row"
        if self.focused is self.models:
            return tables.model_words(answers.library.entry(session.model), self._summaries[session.model]), "the model"
        return super().copy_text()
