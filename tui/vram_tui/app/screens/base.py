"""What every screen of the house shares: chips above, keys below, one field, and intents that reach the app."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.geometry import Region
from textual.screen import Screen

from vram_tui.app.house import House, house
from vram_tui.app.screens.painting import WholeFrames
from vram_tui.app.widgets.chips import Chip, Chips
from vram_tui.app.widgets.field import Asking, Field
from vram_tui.app.widgets.footer import Footer
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.session import edits
from vram_tui.session.state import METHODS, Session
from vram_tui.text import safe

if TYPE_CHECKING:
    from vram_tui.exporters.table import Table
    from vram_tui.session.explaining import Asked, Target

SMALLEST = (60, 18)
COPIED_CHARS = 20_000
"""Of one line that is copied."""


class HouseScreen(WholeFrames, Screen[None]):
    """A screen with the house's frame.

    A subclass yields `self.chips`, its own panels, `self.footer` and `self.field`, and overrides `session_changed`.
    Actions of the registry are methods: `do_explain` for the action `explain`, on the focused widget, its parents,
    the screen or the app, whichever is found first.
    """

    name_in_registry = "explore"
    AUTO_FOCUS = None

    def __init__(self) -> None:
        super().__init__()
        self.chips = Chips(self)
        self.footer = Footer("footer")
        self.field = Field()
        self._focus_before: LinePanel | None = None

    @property
    def home(self) -> House:
        return house(self.app)

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        """The panels that tab goes through, in order."""
        return (self.chips,)

    @property
    def opens(self) -> bool:
        """Whether `enter` does anything here now."""
        return True

    def session_changed(self, old: Session, new: Session) -> None:
        """Show another session; called for every edit and every move, at once and in order."""
        if old.scenario != new.scenario or old.target != new.target:
            self.chips.draw()
        self.footer.draw()

    def machine_read(self) -> None:
        """The machine at hand is known now; for screens that show it."""

    def on_screen_suspend(self) -> None:
        """What was painted is forgotten while another screen lies above; it is painted anew for the way back."""
        for panel in self.query(LinePanel):
            panel.forget()

    # Panels

    def go_to(self, panel: LinePanel) -> None:
        self.set_focus(panel, scroll_visible=False)

    def _next_panel(self, step: int) -> None:
        panels = self.panels
        at = next((index for index, panel in enumerate(panels) if panel is self.focused), 0)
        self.go_to(panels[(at + step) % len(panels)])

    def do_next_panel(self) -> None:
        self._next_panel(1)

    def do_previous_panel(self) -> None:
        self._next_panel(-1)

    def do_scenario(self) -> None:
        self.go_to(self.chips)

    def move_list(self, key: str) -> None:
        """Arrow and page keys typed in a field that follows a list; the screen with the list knows which."""

    # Figures

    def explain_targets(self) -> "tuple[Sequence[Target], int]":
        """The figure under the cursor with its neighbours, and its place among them; none is an empty sequence."""
        return (), 0

    def do_explain(self) -> None:
        targets, at = self.explain_targets()
        if targets:
            self.explain(targets, at)
        else:
            self.home.tell("no figure under the cursor")

    def explain(self, targets: "Sequence[Target]", at: int = 0) -> None:
        """Open the screen that takes a figure apart; left and right go through its neighbours there."""
        from vram_tui.app.screens.explain import Explain

        self.app.push_screen(Explain(targets, at))

    # Out of the program

    def export_table(self) -> "Table | None":
        """The table that `export` takes out of this screen; None where there is none."""
        return None

    def copy_text(self) -> tuple[str, str]:
        """What `copy` takes at once: the text, and a word or two for what it is. By default the whole table."""
        from vram_tui.exporters import render

        table = self.export_table()
        return (render(table, "plain"), "the table") if table else ("", "")

    def do_copy(self) -> None:
        text, what = self.copy_text()
        if text:
            # Whoever pastes it gets no more than what stands there.
            self.home.copy("\n".join(safe(line, COPIED_CHARS) for line in text.split("\n")), what)
        else:
            self.home.tell("nothing to copy here", bad=True)

    def do_export(self) -> None:
        from vram_tui.app.screens.export import Export

        table = self.export_table()
        if table is None:
            self.home.tell("this screen has no table to export", bad=True)
        else:
            self.app.push_screen(Export(table))

    def launch_cell(self) -> "Asked | None":
        """The cell that `recipe` is about; by default the one that is selected in the grid."""
        from vram_tui.session.explaining import asked_in_grid

        session = self.home.session
        return asked_in_grid(self.home.answers, session, session.row, session.column) if session.model else None

    def do_recipe(self) -> None:
        from vram_tui.app.screens.recipe import RecipeScreen

        cell = self.launch_cell()
        if cell is None or not cell.tokens:
            self.home.tell("no cell to launch here", bad=True)
        else:
            self.app.push_screen(RecipeScreen(cell))

    # The field

    def ask(self, panel: LinePanel, region: Region, value: str, asking: Asking, back: LinePanel | None = None) -> None:
        """Open the field over a region given relative to a panel's content; `back` or the panel gets the focus back."""
        origin = panel.content_region.offset
        width = min(region.width, self.size.width - origin.x - region.x)
        self._focus_before = back or panel
        self.footer.field_hint = asking.hint
        self.field.ask(Region(origin.x + region.x, origin.y + region.y, width, 1), value, asking)
        self.footer.draw()

    def close_field(self) -> None:
        self.field.close()
        self.footer.field_hint = ""
        if self._focus_before:
            self.go_to(self._focus_before)
        self.footer.draw()

    def field_accepted(self) -> None:
        asking = self.field.asking
        if asking and asking.accept(self.field.value):
            if self.field.asking is asking:
                self.close_field()
        else:
            self.field.add_class("refused")

    def field_cancelled(self) -> None:
        asking = self.field.asking
        self.close_field()
        if asking and asking.cancelled:
            asking.cancelled()

    # Chips

    def do_target(self) -> None:
        self._edit_chip(self.chips.select("target"))

    def do_method(self) -> None:
        method = self.home.session.scenario.method
        following = METHODS[(METHODS.index(method) + 1) % len(METHODS)] if method in METHODS else METHODS[0]
        self.home.edit(lambda session: edits.set_method(session, following))

    def do_profile(self) -> None:
        other = "published" if self.home.session.scenario.profile == "verified" else "verified"
        self.home.edit(lambda session: edits.set_profile(session, other))

    def do_free(self) -> None:
        """Judge against what is free now, or against everything a process can reach."""
        free = not self.home.session.scenario.free
        self.home.edit(lambda session: edits.set_free(session, free))
        machine = self.home.answers.scenario(self.home.session).machine
        unread = free and machine is not None and not machine.free_bytes
        words = "against free memory" if free else "against the whole memory"
        self.home.tell(f"{words}; what is free is known of this machine alone, the target local" if unread else words)

    def _edit_chip(self, chip: Chip) -> None:
        """A field over the chip; the focus goes back to where it was."""
        back = self.focused if isinstance(self.focused, LinePanel) else None
        least = max(len(chip.value) + 4, 14 if chip.id != "target" else 30)
        start, wide = self.chips.span_of(chip.id, least)
        value = "" if chip.value in ("none", "auto") else chip.value
        hint = "up/down: " + ", ".join(chip.choices) if chip.choices else _CHIP_HINTS.get(chip.id, "")
        self.ask(
            self.chips,
            Region(start, 0, wide, 1),
            value,
            Asking(hint, lambda text: self._set_chip(chip.id, text), choices=chip.choices),
            back,
        )

    def _set_chip(self, chip: str, text: str) -> bool:
        home = self.home
        runtimes = home.answers.facts.runtimes
        if chip == "target":
            try:
                home.answers.machine(text.strip())
            except ValueError as refused:
                home.tell(str(refused), bad=True)
                return False
            return home.edit(lambda session: edits.set_target(session, text))
        changes: dict[str, Any] = {
            "runtime": lambda session: edits.set_runtime(session, text, runtimes),
            "method": lambda session: edits.set_method(session, text),
            "kv": lambda session: edits.set_kv(session, text),
            "seqs": lambda session: edits.set_sequences(session, text),
            "ubatch": lambda session: edits.set_ubatch(session, text),
            "overhead": lambda session: edits.set_overhead(session, text),
            "profile": lambda session: edits.set_profile(session, text),
        }
        return home.edit(changes[chip])

    def edit_focused_chip(self) -> None:
        self._edit_chip(self.chips.current)

    def step_chip(self, step: int) -> None:
        """The next or previous choice of the chip under the cursor, or a number doubled or halved."""
        chip = self.chips.current
        if chip.choices:
            value = chip.value.replace(" ", "-") if chip.id == "method" else chip.value
            at = chip.choices.index(value) if value in chip.choices else 0
            self._set_chip(chip.id, chip.choices[(at + step) % len(chip.choices)])
        elif chip.id in ("seqs", "ubatch"):
            number = int(chip.value) if chip.value.isdigit() else 512
            self._set_chip(chip.id, str(max(number // 2, 1) if step > 0 else number * 2))


def plain_title(text: str) -> Any:
    """A border title that is not read as markup and holds nothing hidden."""
    return Content(safe(text))


_CHIP_HINTS = {
    "target": "2x rtx-3090, 8xh200, 24GiB; empty for none",
    "seqs": "concurrent sequences",
    "ubatch": "tokens at once, or auto",
    "overhead": "percent",
}
