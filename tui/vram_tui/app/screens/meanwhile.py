"""What the home screen does while no key is pressed: rate the list, find what runs the cell, warm the next models."""

from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from textual.timer import Timer

from vram_tui.app.screens import import_soon
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.breakdown import Breakdown
from vram_tui.app.widgets.model_list import ModelList
from vram_tui.estimator.memory import Memory
from vram_tui.session.answers import Cell
from vram_tui.session.state import Row, Session

if TYPE_CHECKING:
    from vram_tui.session.running import Runners

    Base = HouseScreen
else:
    Base = object  # mixed into a screen: declaring one more class of widgets takes most of a millisecond

REST_SECONDS = 0.25
"""What takes longer than a key may is worked out when the cursor has rested so long."""
RATE_SECONDS = 0.008
"""Models are rated for so long between two looks at the keyboard."""
PAUSE_SECONDS = 0.01
RATE_AFTER_SECONDS = 0.1
"""Fit glyphs come after the first paint."""


class Meanwhile(Base):
    """Mixed in before HouseScreen: the list and the breakdown, and the work on them that keys do not wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.models = ModelList("models")
        self.breakdown = Breakdown("breakdown")
        self._rating: Timer | None = None
        self._resting: Timer | None = None
        self._runners: Runners | None = None
        self._warm_for: object = None

    def everything(self) -> Iterable[str]:
        """All models that are to be rated."""
        return ()

    # The cell

    def fill_breakdown(self, session: Session, cell: Cell, memory: Memory | str) -> None:
        """The cell at once, and what runs it: at once too where that is at hand, else when the cursor rests."""
        row, runners, running = session.selected_row, self._runners, None
        known = isinstance(memory, str) or cell.bytes is None
        if runners is not None and not isinstance(memory, str) and runners.at_hand(session, row, cell):
            known, running = True, runners.find(session, row, cell, memory)
        self.breakdown.fill(row, cell, memory, running)
        if self._resting is not None:
            self._resting.stop()
        self._resting = None
        if not known or self._warm_for != (session.model, session.scenario, session.target):
            self._resting = self.set_timer(REST_SECONDS, lambda: self._rested(session, row, cell, memory))

    def _rested(self, session: Session, row: Row, cell: Cell, memory: Memory | str) -> None:
        """The cursor has rested: find what runs the cell, then make the next keys quick."""
        from vram_tui.session.running import Runners

        self._resting = None
        self._runners = self._runners or Runners(self.home.answers)
        if not isinstance(memory, str) and cell.bytes is not None:
            self.breakdown.fill(row, cell, memory, self._runners.find(session, row, cell, memory))
        self._warm_for = (session.model, session.scenario, session.target)
        rows = session.grid.rows
        self._warm(session, [(model, row) for model in self.models.neighbours() for row in rows])

    def _warm(self, session: Session, work: list[tuple[str, Row]]) -> None:
        """Compile the models above and below a row at a time: the next arrow key finds them ready."""
        self._resting = None
        if work and self.is_current:
            model, row = work[0]
            self.home.answers.cells(replace(session, model=model), row)
            self._resting = self.set_timer(PAUSE_SECONDS, lambda: self._warm(session, work[1:]))

    # The list

    def start_rating(self) -> None:
        self.models.scrolled = self.rate_again
        self._rate_models()
        self.run_worker(import_soon, thread=True, exit_on_error=False, group="import")

    def rate_again(self) -> None:
        """Other models are in sight, or all have to be rated anew."""
        if self._rating is not None:
            self._rating.stop()
        self._rate_models()

    def _rate_models(self) -> None:
        """Fit glyphs, those in sight first and all others a few at a time, so that no key waits for them."""
        if not self.is_current:
            return  # whoever looks at another screen waits for that one
        session, answers, rated = self.home.session, self.home.answers, self.models.ratings
        in_sight = [model for model in self.models.in_sight() if model not in rated]
        missing = in_sight or [model for model in self.everything() if model not in rated]
        end = perf_counter() + RATE_SECONDS
        for model in missing:
            rated[model] = answers.rating(session, model)
            if perf_counter() > end or self.app.message_queue_size:
                break
        if in_sight:
            self.models.draw()
        if missing:
            self._rating = self.set_timer(PAUSE_SECONDS, self._rate_models)
