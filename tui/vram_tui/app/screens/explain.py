"""Where a figure comes from: a stacked bar, every term, the ways to need less, and what stands beside the total."""

from collections.abc import Sequence
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from vram_tui.app.glyphs import FIT_WORDS
from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.explanation import Headline, Mends, Terms
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.estimator.memory import Memory
from vram_tui.session import comparing
from vram_tui.session.explaining import Asked, Explained, Target, asked_in_grid, explain, memory_of
from vram_tui.session.losses import losses_of
from vram_tui.session.mends import goal, largest_contexts, mends
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Session
from vram_tui.session.uncounted import uncounted

WIDE = 96


class Explain(HouseScreen):
    """Explains one figure; left and right go to its neighbours."""

    CSS_PATH = "explain.tcss"
    name_in_registry = "explain"

    def __init__(self, targets: Sequence[Target] = (), at: int = 0) -> None:
        super().__init__()
        self.targets = list(targets)
        self.at = at
        self.headline = Headline("headline")
        self.terms = Terms("terms")
        self.mends = Mends("mends")
        self.explained: Explained | None = None

    @property
    def asked(self) -> Target:
        return self.targets[self.at]

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.terms, self.mends) if isinstance(self.asked, Asked) else (self.terms,)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.headline
        with Horizontal(id="pair"):
            yield self.terms
            yield self.mends
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        if not self.targets:
            session = self.home.session
            self.targets = [asked_in_grid(self.home.answers, session, session.row, session.column)]
        self._arrange(self.app.size.width)
        self.go_to(self.terms)
        self.fill()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width)

    def _arrange(self, width: int) -> None:
        narrow = width < WIDE
        both = isinstance(self.asked, Asked) if self.targets else True
        self.mends.display = both and (not narrow or self.focused is self.mends)
        self.terms.display = not (both and narrow and self.focused is self.mends)
        self.set_class(narrow or not both, "-single")
        if narrow and both:
            names = ("[Terms]  Make it fit", "Terms  [Make it fit]")
            self.terms.border_title, self.mends.border_title = map(plain_title, names)
        else:
            self.terms.border_title, self.mends.border_title = "Terms", "Make it fit"
        key = self.home.key_map.key_of("open")
        self.mends.border_subtitle = plain_title(f"{key} applies")

    def go_to(self, panel: LinePanel) -> None:
        super().go_to(panel)
        self._arrange(self.app.size.width)

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self.targets = [self._now(target, new) for target in self.targets]
        self.fill()

    def _now(self, target: Target, session: Session) -> Target:
        """The same figure under another scenario, or at the place of the grid or comparison that it stands for."""
        if not isinstance(target, Asked):
            return target
        answers = self.home.answers
        if target.column is not None:
            columns = comparing.columns_of(session)
            if target.column >= len(columns) or columns[target.column].model != target.model:
                return target
            row = comparing.row_of(answers, session, columns[target.column])
            return comparing.asked_in_column(answers, session, target.column, row, target.tokens)
        return replace(target, scenario=answers.scenario(session, target.row.runtime))

    def fill(self) -> None:
        """Show the figure of now."""
        answers, session = self.home.answers, self.home.session
        asked = self.asked
        found = self.explained = explain(answers, asked)
        self.headline.border_title = plain_title(found.title)
        count = len(self.targets)
        self.headline.border_subtitle = plain_title(f"{self.at + 1} of {count}, left and right" if count > 1 else "")
        verdicts, scale = self._verdicts(asked, found)
        self.headline.fill(found, verdicts, scale)
        self.terms.fill(found)
        if isinstance(asked, Asked):
            ways = mends(answers, session, asked)
            aim = goal(answers, session, asked).name
            losses = losses_of(answers.facts, asked.row)
            self.mends.fill(ways, aim, largest_contexts(answers, asked), uncounted(answers, asked), losses)

    def _verdicts(self, asked: Target, found: Explained) -> tuple[list[tuple[str, str]], float]:
        """What the total means, and the size that its bar is drawn against."""
        if not isinstance(asked, Asked) or found.total is None:
            return [], 0.0
        answers, session = self.home.answers, self.home.session
        memory = memory_of(answers, asked)
        assert isinstance(memory, Memory)
        total = round(found.total)
        at = answers.tier(total, asked.scenario.method)
        tier = answers.facts.tiers[at]
        limit = tier.nominal_bytes if asked.scenario.method == "bytes-per-weight" else tier.usable_bytes
        words = f"fits {tier.short}" if limit is not None else tier.label
        verdicts = [(f"{tier.glyph if self.home.glyphs.unicode else tier.ascii} {words}", f"mark-{min(at, 2)}")]
        native = answers.library.entry(asked.model).context_native or 0
        fit = answers.cell_of(memory, asked.tokens, native, asked.scenario.method).fit
        if fit:
            verdicts.insert(0, (f"{FIT_WORDS[fit]} on {session.target}", "good" if fit == "fits" else "warn"))
            sizes = [device.usable_bytes or 0 for device in memory.devices]
            limit = sum(sizes)
        if found.high > found.low:
            low, high = (memory_words(round(size), session.units) for size in (found.low, found.high))
            verdicts.append((f"{low} to {high}", "dim"))
        return verdicts, float(limit or 0)

    # Actions

    def _turn(self, step: int) -> None:
        if len(self.targets) > 1:
            self.at = (self.at + step) % len(self.targets)
            self.fill()
            self._arrange(self.app.size.width)
            if self.focused is self.mends and not isinstance(self.asked, Asked):
                self.go_to(self.terms)

    def do_left(self) -> None:
        self._turn(-1)

    def do_right(self) -> None:
        self._turn(1)

    @property
    def opens(self) -> bool:
        return isinstance(self.asked, Asked)

    def do_open(self) -> None:
        """Apply the way under the cursor; from the terms, go to the ways."""
        if self.focused is not self.mends:
            if isinstance(self.asked, Asked):
                self.go_to(self.mends)
            return
        mend = self.mends.chosen
        if mend is None:
            return
        before = self.targets[self.at]
        self.targets[self.at] = mend.asked
        if not self.home.edit(mend.edit):
            self.targets[self.at] = before
            return
        self.fill()
        undo = self.home.key_map.key_of("undo")
        total = memory_words(mend.total_bytes, self.home.session.units)
        self.home.tell(f"{mend.title}: {total} ({undo} takes an edit back)")

    def copy_text(self) -> tuple[str, str]:
        return "\n".join((self.headline.text, "", self.terms.text)), "the explanation"

    def launch_cell(self) -> Asked | None:
        return self.asked if isinstance(self.asked, Asked) else None
