"""The commands that start a cell: on its own engine, and by left and right on the others."""

from dataclasses import replace

from textual import events
from textual.app import ComposeResult

from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, width_of
from vram_tui.app.widgets.recipe_sheet import RecipeSheet, Shown
from vram_tui.exporters.recipes import ENGINES
from vram_tui.exporters.recipes.launch import Cell, Launch, launch, nearest, not_loaded, stand_in
from vram_tui.quantities import format_tokens
from vram_tui.session.explaining import Asked
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Row, Session
from vram_tui.text import safe


class Engines(LinePanel):
    """The engines on one line, the chosen one in brackets."""

    def __init__(self) -> None:
        super().__init__("engines")
        self.engine = ENGINES[0]
        self._spans: list[tuple[int, int, str]] = []

    def draw(self) -> None:
        if not self.is_attached or not self.size.width:
            return
        names = list(ENGINES)
        at = names.index(self.engine)
        while sum(len(name) + 2 for name in names) + 4 > self.size.width and len(names) > 1:
            # The window follows the chosen engine.
            names.pop() if names.index(self.engine) < len(names) / 2 else names.pop(0)
        before, after = ENGINES.index(names[0]) > 0, ENGINES.index(names[-1]) < len(ENGINES) - 1
        runs: list[Run] = [Run(f"{self.glyphs.left} " if before else "  ", "accent")]
        self._spans = []
        for name in names:
            x = width_of(runs)
            chosen = name == ENGINES[at]
            runs.append(Run(f"[{name}]" if chosen else f" {name} ", "cursor" if chosen else ""))
            self._spans.append((x, x + len(name) + 2, name))
        runs.append(Run(f" {self.glyphs.right}" if after else "", "accent"))
        line: Line = tuple(runs)
        self.show([line])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        for start, end, name in self._spans if offset else ():
            if offset and start <= offset.x < end and isinstance(self.screen, RecipeScreen):
                self.screen.take_engine(name)
                return


class RecipeScreen(HouseScreen):
    """One cell, every engine. Without a cell it takes the one that is selected in the grid."""

    CSS_PATH = "recipe.tcss"
    name_in_registry = "recipe"

    def __init__(self, asked: Asked | None = None) -> None:
        super().__init__()
        self._given = asked
        self.engines = Engines()
        self.sheet = RecipeSheet("recipe")
        self.cell: Cell | None = None
        self._ways: tuple[Cell, ...] = ()

    @property
    def asked(self) -> Asked:
        asked = self._given or super().launch_cell()
        assert asked is not None
        return asked

    def launch_cell(self) -> Asked:
        return self.asked

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.sheet, self.chips)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.engines
        yield self.sheet
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        runtime = self.asked.scenario.runtime
        self.engines.engine = runtime if runtime in ENGINES else ENGINES[0]
        self.go_to(self.sheet)
        self.fill()

    def session_changed(self, old: Session, new: Session) -> None:
        """Another scenario or target holds for this cell too; a machine that was chosen elsewhere stays."""
        super().session_changed(old, new)
        asked = self.asked
        now = self.home.answers.scenario(new, asked.row.runtime)
        machine = now.machine if old.target != new.target else asked.scenario.machine
        self._given = replace(asked, scenario=replace(now, machine=machine))
        if old.scenario.runtime != new.scenario.runtime and now.runtime in ENGINES:
            self.engines.engine = now.runtime
        self.fill()

    def take_engine(self, name: str) -> None:
        self.engines.engine = name
        self.sheet.top = self.sheet.cursor = 0
        self.fill()

    def _cell(self) -> tuple[Cell, str]:
        """The cell on the engine of now, in a format that it loads; and a remark where that is another format."""
        asked, answers = self.asked, self.home.answers
        profile = asked.scenario.profile if answers.has_published(asked.model) else "verified"
        subject = answers.library.subject(asked.model, profile)
        scenario = replace(asked.scenario, runtime=self.engines.engine)
        name = answers.library.entry(asked.model).name
        cell = Cell(subject, name, asked.row.asked, asked.tokens, scenario)
        if not not_loaded(cell, answers.facts) or not (near := stand_in(cell, answers.facts)):
            return cell, ""
        return replace(cell, quant=near), f"{self.engines.engine} does not load {cell.quant}: this is for {near}"

    def fill(self) -> None:
        """Show the recipe of now; what would fit instead is reckoned aside."""
        home = self.home
        self.engines.draw()
        try:
            self.cell, remark = self._cell()
            found = launch(self.cell, home.answers.facts)
        except (KeyError, ValueError) as refused:
            self.sheet.shown = Shown(Launch(None), safe(str(refused.args[0] if refused.args else refused)), "error")
            self.sheet.draw()
            return
        cell = self.cell
        self.sheet.border_title = plain_title(
            f"{safe(cell.name, 120)}, {safe(cell.quant, 40)} at {format_tokens(cell.ctx)}"
        )
        keys = home.key_map
        takes = f", {keys.key_of('open')} takes what fits" if found.fits is False else ""
        self.sheet.border_subtitle = plain_title(f"{keys.key_of('copy')} copies{takes}, left, right: engines")
        self._show(Shown(found, *self._verdict(cell, found), remark=remark))
        if found.fits is False:
            self.run_worker(lambda: self._look_for(cell), thread=True, exclusive=True, group="nearest")

    def _show(self, shown: Shown) -> None:
        self.sheet.shown = shown
        self.sheet.draw()

    def _verdict(self, cell: Cell, found: Launch) -> tuple[str, str]:
        """What the machine says to it, and in which style."""
        machine, units = cell.scenario.machine, self.home.session.units
        if found.recipe is None:
            return safe(found.reason), "error"
        if machine is None:
            key = self.home.key_map.key_of("target")
            return f"{memory_words(found.used_bytes or 0, units)} on one device; {key} names a machine", "dim"
        where = safe(machine.name, 80) + (f", {found.plan}" if found.plan else "")
        if found.fits is False:
            return f"does not fit on {where}: {safe(found.reason)}", "error"
        if found.usable_bytes is None:
            return f"on {where}: {memory_words(found.used_bytes or 0, units)}", "good"
        held = f"{memory_words(found.used_bytes or 0, units)} of {memory_words(found.usable_bytes, units)}"
        return f"fits on {where}: {held}" + (" on the fullest device" if len(machine.devices) > 1 else ""), "good"

    def _look_for(self, cell: Cell) -> None:
        try:
            found = nearest(cell, self.home.answers.facts)
        except (KeyError, ValueError):
            return
        self.app.call_from_thread(self._found, cell, found)

    def _found(self, cell: Cell, ways: tuple[tuple[str, Cell], ...]) -> None:
        if self.cell is cell and self.sheet.shown:
            self._ways = tuple(other for _, other in ways)
            self._show(replace(self.sheet.shown, instead=tuple(safe(words) for words, _ in ways)))

    # Actions

    def _turn(self, step: int) -> None:
        self.take_engine(ENGINES[(ENGINES.index(self.engines.engine) + step) % len(ENGINES)])

    def do_left(self) -> None:
        self._turn(-1)

    def do_right(self) -> None:
        self._turn(1)

    def do_open(self) -> None:
        """Take what would fit, where the cursor is on it; else copy."""
        at = self.sheet.instead if self.focused is self.sheet else None
        if at is None:
            self.do_copy()
            return
        way = self._ways[at]
        self._given = replace(self.asked, row=Row(way.quant), tokens=way.ctx, scenario=way.scenario)
        self.take_engine(self.engines.engine)

    def copy_text(self) -> tuple[str, str]:
        shown = self.sheet.shown
        recipe = shown.launch.recipe if shown else None
        return (recipe.text, f"the recipe for {recipe.engine}") if recipe else ("", "")
