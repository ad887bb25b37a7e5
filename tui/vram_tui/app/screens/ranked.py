"""What both rankings share: slices of work between keys, a filter, an order, the context and format asked about."""

from collections.abc import Callable, Iterator
from time import perf_counter

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.widgets import Static

from vram_tui.app.glyphs import FIT_WORDS
from vram_tui.app.screens.base import SMALLEST, HouseScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run
from vram_tui.app.widgets.ranking import Headlines, Ranking
from vram_tui.estimator.speed import Speed
from vram_tui.exporters.rankings import speed_words
from vram_tui.session.state import Session

SLICE_SECONDS = 0.012
"""Work between two looks at the keyboard."""
BREATH_SECONDS = 0.001
SHOWN_EVERY_SECONDS = 0.3
"""What is ranked so far is shown so often, until the whole ranking stands."""
FIT_STYLES = {"fits": "good", "tight": "mark-1", "offload": "mark-1", "no": "dim"}


class RankedScreen(HouseScreen):
    """A ranking under headlines. A subclass ranks in `work`, and says what the rows are."""

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self.headlines = Headlines("headlines")
        self.ranking = ranking
        self.sort = ""
        self.working = False
        self.whole = True
        """Whether the rows are all that there are, and not those of a ranking that goes on or was stopped."""
        self._turn = 0
        self._shown_at = 0.0

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.ranking, self.chips)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.headlines
        yield self.ranking
        yield self.footer
        yield Static(f"vram-tui needs {SMALLEST[0]} x {SMALLEST[1]} cells", id="too-small", markup=False)
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.set_class(self.app.size.width < SMALLEST[0] or self.app.size.height < SMALLEST[1], "-tiny")
        self.ranking.legend = self.legend()
        self.go_to(self.ranking)
        self.begin()

    def on_resize(self, event: events.Resize) -> None:
        tiny = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        self.set_class(tiny, "-tiny")

    def on_screen_resume(self) -> None:
        self.chips.draw()
        self.footer.draw()
        self.follow()

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self.follow()

    def follow(self) -> None:
        """Rank anew if the ranking on the screen answers another question than the session asks."""

    # Ranking

    def begin(self) -> None:
        """Rank anew: what is there stays in sight until the new ranking is ready."""

    def run(self, work: Iterator[None], done: Callable[[], None]) -> None:
        """Do the work in slices, so that keys are answered meanwhile; a later run takes its place."""
        self._turn += 1
        self.working = True
        self._shown_at = perf_counter()
        self._slice(self._turn, work, done)

    def _slice(self, turn: int, work: Iterator[None], done: Callable[[], None]) -> None:
        if turn != self._turn or not self.is_attached:
            return
        end = perf_counter() + SLICE_SECONDS
        for _ in work:
            if perf_counter() >= end:
                if perf_counter() - self._shown_at >= SHOWN_EVERY_SECONDS:
                    self.progress()
                    self._shown_at = perf_counter()
                # A timer, not a message to ourselves: only an empty queue lets keys and paints have their turn.
                self.set_timer(BREATH_SECONDS, lambda: self._slice(turn, work, done))
                return
        self.working = False
        self.whole = True
        done()

    def say_anew(self, old_rows: bool) -> None:
        """While the rows of an earlier question are still in sight, say so."""
        if old_rows:
            self.ranking.border_subtitle = "ranking anew"

    def progress(self) -> None:
        """Show what is ranked so far."""

    def cancel(self) -> bool:
        """Stop ranking; False where nothing was going on."""
        was, self.working = self.working, False
        self._turn += 1
        return was

    def put_in_order(self) -> None:
        """Filter and order what is ranked."""

    # Drawing

    def sign(self, fit: str) -> str:
        glyphs = self.home.glyphs
        return {"fits": glyphs.fits, "tight": glyphs.tight, "offload": glyphs.offload, "no": glyphs.no}[fit]

    def legend(self) -> Line:
        runs: list[Run] = []
        for fit in FIT_WORDS:
            runs += [Run(self.sign(fit) + " ", FIT_STYLES[fit]), Run(FIT_WORDS[fit] + "   ", "dim")]
        return tuple(runs)

    def speed_cells(self, speed: Speed | None) -> dict[str, tuple[str, str]]:
        """Decode and prefill with the band of the first."""
        if speed is None:
            none = (self.home.glyphs.none, "dim")
            return {"decode": none, "band": ("", ""), "prefill": none}
        prefill = speed.prefill
        return {
            "decode": (speed_words(speed.decode.tokens_per_s), "bold"),
            "band": (f"{speed.decode.band * 100:.0f}%", "dim"),
            "prefill": (speed_words(prefill.tokens_per_s), "") if prefill else (self.home.glyphs.none, "dim"),
        }

    # Actions

    def _turn_to(self, name: str) -> None:
        """To a screen that lies below, or to a new one on top."""
        stack = self.app.screen_stack
        if any(isinstance(screen, HouseScreen) and screen.name_in_registry == name for screen in stack):
            while len(stack) > 1 and getattr(stack[-1], "name_in_registry", "") != name:
                self.app.pop_screen()
                stack = self.app.screen_stack
        else:
            self.home.open_screen(name)

    def do_hardware(self) -> None:
        self._turn_to("hardware")

    def do_what_fits(self) -> None:
        self._turn_to("what-fits")

    def do_left(self) -> None:
        self._step_context(-1)

    def do_right(self) -> None:
        self._step_context(1)

    def _step_context(self, step: int) -> None:
        session = self.home.session
        column = session.column + step
        if 0 <= column < len(session.grid.contexts):
            self.home.look(column=column)
        else:
            self.home.tell("no further context in the grid: e types one")

    def do_filter(self) -> None:
        self.ask(
            self.ranking,
            Region(2, 0, max(self.ranking.size.width - 2, 8), 1),
            self.ranking.filter,
            Asking(
                self.filter_hint,
                lambda text: True,
                changed=self._filtered,
                cancelled=lambda: self._filtered(""),
                follows_list=True,
            ),
        )

    filter_hint = ""

    def _filtered(self, text: str) -> None:
        self.ranking.filter = text
        self.put_in_order()

    def move_list(self, key: str) -> None:
        moves = {
            "up": self.ranking.do_up,
            "down": self.ranking.do_down,
            "pageup": self.ranking.do_page_up,
            "pagedown": self.ranking.do_page_down,
        }
        moves[key]()

    def next_sort(self, sorts: tuple[str, ...]) -> None:
        self.sort = sorts[(sorts.index(self.sort) + 1) % len(sorts)]
        self.put_in_order()
        self.home.tell(f"sorted by {self.sort}")

    def do_back(self) -> None:
        if self.cancel():
            self.home.tell("stopped")
        elif self.ranking.filter:
            self._filtered("")
        elif self.focused is not self.ranking:
            self.go_to(self.ranking)
        else:
            self.app.pop_screen()
