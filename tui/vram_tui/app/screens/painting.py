"""Whole frames: panels are drawn for a new size before it is painted, and nothing is painted that nobody would see."""

import asyncio
from typing import TYPE_CHECKING

from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from vram_tui.app.widgets.line_panel import LinePanel

if TYPE_CHECKING:
    Base = Screen[None]
else:
    Base = object  # a class of widgets takes most of a millisecond to declare: this one is mixed into a screen

LOOK_AGAIN_SECONDS = 0.004


class WholeFrames(Base):
    """Mixed in before Screen, whose frame of a new layout is empty: panels hear of their sizes after it."""

    _laid_out = False
    _held_back = False

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        self._laid_out = True
        super()._refresh_layout(size, scroll)

    def _compositor_refresh(self) -> None:
        if self.app._batch_count:
            # Textual would render the frame and throw it away; what has changed stays noted for the next.
            self._held_back = True
            return
        if getattr(self.app, "in_a_burst", False):
            # The last key of the burst paints; where it paints nothing, this does.
            if not self._held_back:
                asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self.paint_held_back)
            self._held_back = True
            return
        self._held_back = False
        if self._laid_out:
            self._laid_out = False
            late = [panel for panel in self.query(LinePanel) if panel.fit()]
            self._compositor.update_widgets(set(late))
        if self.size.region in self._compositor._dirty_regions:
            # Everything is painted now: what else asked to be is served with it.
            self._repaint_required = False
            for widget in (self, *self._compositor.visible_widgets):
                widget._exchange_repaint_regions()
        super()._compositor_refresh()

    def paint_held_back(self) -> None:
        """Paint what changed during a batch or a burst, now that it has ended."""
        if self._held_back and self.is_current:
            self._held_back = False
            self._compositor_refresh()

    def paint_now(self) -> None:
        """Paint what a key changed, not when eight more turns of the loop have carried the word from panel to screen.

        What needs more than paint (another layout, other styles, another screen) is left to Textual.
        """
        if not self.is_current or self.app._batch_count or self._needs_more_than_paint(self):
            return
        changed = {panel for panel in self._compositor.visible_widgets if panel._repaint_required}
        if any(map(self._needs_more_than_paint, changed)):
            return
        for panel in changed:
            panel._repaint_required = False
        self._compositor.update_widgets(changed)
        if changed or self._held_back:
            self._compositor_refresh()

    @staticmethod
    def _needs_more_than_paint(widget: Widget) -> bool:
        return widget._layout_required or widget._scroll_required or widget._refresh_styles_required
