"""One frame at a time: while the line is behind, changes collect, and the next frame shows where they led."""

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual._compositor import CompositorUpdate
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size
from textual.screen import Screen

from vram_tui.app.partial import Drawn
from vram_tui.app.screens.painting import WholeFrames

LATEST_FRAME_SECONDS = 0.05
"""A burst of keys is shown as one change, but not later than this."""

if TYPE_CHECKING:
    Base = App[None]
else:
    Base = object  # mixed into the app: declaring one more class of widgets takes most of a millisecond


class PacedApp(Base):
    """Mixed in before App: paints no faster than the terminal takes it; without a writer that tells, at once."""

    def __init__(self, driver: type[Driver] | None) -> None:
        super().__init__(driver_class=driver)
        self._held = False
        self._missed = False
        self._painted: tuple[Screen[Any], Size] | None = None
        self._painted_at = 0.0

    @property
    def in_a_burst(self) -> bool:
        """More keys are waiting, and it is not long ago that something was shown."""
        return self.message_queue_size > 0 and monotonic() - self._painted_at < LATEST_FRAME_SECONDS

    def _end_batch(self) -> None:
        super()._end_batch()
        if not self._batch_count and self._running and self.screen_stack:
            screen = self.screen
            if isinstance(screen, WholeFrames):
                screen.call_later(screen.paint_held_back)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if self._held and renderable is not None:
            self._missed = True
        forget = getattr(self._driver, "forget", None)
        if forget is not None and self._running and not self._closed and not self._batch_count:
            if (screen, self.size) != self._painted:
                # Another screen is written whole, so that it also wipes away what others wrote on the terminal.
                self._painted = (screen, self.size)
                forget()
            if isinstance(renderable, CompositorUpdate):
                renderable = Drawn(renderable.render_segments(self.console))
                if not renderable.text and self.cursor_position == self._previous_cursor_position:
                    return  # the terminal shows it already
        super()._display(screen, renderable)
        self._painted_at = monotonic()
        pace = getattr(self._driver, "pace", None)
        if pace is not None and pace.behind and not self._held:
            self._held = True
            self._begin_batch()
            pace.when_drained(self._resume_from_thread)

    def _resume_from_thread(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._resume)

    def _resume(self) -> None:
        if not self._held:
            return
        self._held = False
        self._end_batch()
        if not self._running or not self.screen_stack:
            return
        if self._missed:
            self._missed = False
            self.screen.refresh()
        self.screen.check_idle()
