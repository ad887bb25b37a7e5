"""The half of the app that holds the session: edits, undo, one frame for a burst of keys, saving."""

import os
import threading
from dataclasses import replace
from time import monotonic
from typing import Any

from textual.driver import Driver

from vram_tui.app.house import Edit
from vram_tui.app.pacing import LATEST_FRAME_SECONDS, PacedApp
from vram_tui.app.screens.base import HouseScreen
from vram_tui.session.edits import EditError, History
from vram_tui.session.state import Session
from vram_tui.session.storage import Store

SAVE_AFTER_SECONDS = 1.5


class SessionApp(PacedApp):
    """Mixed in before App: holds a history of sessions, shows the present one and keeps it on disk."""

    def __init__(self, store: Store, driver: type[Driver] | None) -> None:
        super().__init__(driver)
        self.store = store
        self._history = History(Session())
        self._shown = self._history.present
        self._shown_at = 0.0
        self._waiting = False
        self._showing = False
        self._save_lock = threading.Lock()
        self._save_timer: Any = None
        self._save_due = 0.0

    def begin(self, session: Session) -> None:
        """The session of a start; nothing lies before it."""
        self._history = History(session)
        self._shown = session

    @property
    def can_undo(self) -> bool:
        return bool(self._history.past)

    @property
    def can_redo(self) -> bool:
        return bool(self._history.future)

    def tell(self, text: str, *, bad: bool = False) -> None:
        """A sentence in the footer, until the next key."""
        if isinstance(self.screen, HouseScreen):
            self.screen.footer.message = (text, bad)
            self.screen.footer.draw()

    def copy(self, text: str, what: str) -> bool:
        """Put a text on the terminal's clipboard and tell what came of it; False where it cannot be."""
        from vram_tui.app.clipboard import copying

        outcome = copying(text, what, os.environ)
        if outcome.sequence:
            self.send(outcome.sequence)
        self.tell(outcome.words, bad=outcome.bad)
        return not outcome.bad

    def send(self, sequence: str) -> None:
        """Write to the terminal what no widget draws."""
        if self._driver is not None:
            self._driver.write(sequence)

    @property
    def session(self) -> Session:
        return self._history.present

    def edit(self, change: Edit) -> bool:
        try:
            self._follow(self._history.edited(change(self.session)))
        except EditError as refused:
            self.tell(str(refused), bad=True)
            return False
        return True

    def look(self, **changes: Any) -> None:
        self._follow(self._history.seen(replace(self.session, **changes)))

    def do_undo(self) -> None:
        self._follow(self._history.undone())

    def do_redo(self) -> None:
        self._follow(self._history.redone())

    def _follow(self, history: History) -> None:
        """Take a new history and show it, together with what more keys are waiting."""
        self._history = history
        if self.message_queue_size and monotonic() - self._shown_at < LATEST_FRAME_SECONDS:
            if not self._waiting:
                self._waiting = True
                self.call_later(self._show)
        else:
            self._show()

    def _show(self) -> None:
        self._waiting = False
        if self._showing:
            return  # what a screen changes while it follows a change is shown after that one, never inside it
        self._showing = True
        try:
            while self._shown is not self._history.present:
                old, self._shown = self._shown, self._history.present
                self._shown_at = monotonic()
                if isinstance(self.screen, HouseScreen):
                    self.screen.session_changed(old, self._shown)
                    self._save_soon()
        finally:
            self._showing = False

    def _save_soon(self) -> None:
        if self.store.path is None:
            return
        self._save_due = monotonic() + SAVE_AFTER_SECONDS
        if self._save_timer is None:
            self._save_timer = self.set_timer(SAVE_AFTER_SECONDS, self._save_when_due)

    def _save_when_due(self) -> None:
        """Save in a thread, or wait on where more was done meanwhile."""
        left = self._save_due - monotonic()
        if left > 0.01:
            self._save_timer = self.set_timer(left, self._save_when_due)
            return
        self._save_timer = None
        self.run_worker(self._save_and_tell, thread=True, exit_on_error=False, group="save")

    def _save_and_tell(self) -> None:
        if fault := self.save_now():
            self.call_from_thread(self.tell, fault, bad=True)

    def save_now(self) -> str | None:
        """Write the session; a sentence where that failed."""
        with self._save_lock:
            return self.store.save(self.session)
