"""A short list over the screen that follows what is typed into the field: models to add."""

from collections.abc import Sequence
from typing import Any

from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted
from vram_tui.quantities import format_parameters
from vram_tui.text import safe


class Picker(LinePanel, can_focus=False):
    """Models that a text leaves, one of them chosen; the first line is under the field."""

    GROUND = "panel"

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.found: Sequence[Any] = ()
        self.cursor = 0

    def fill(self, found: Sequence[Any]) -> None:
        self.found, self.cursor = found, 0
        self.draw()

    @property
    def chosen(self) -> Any | None:
        return self.found[self.cursor] if self.cursor < len(self.found) else None

    def move(self, key: str) -> None:
        page = max(self.size.height - 2, 1)
        step = {"up": -1, "down": 1, "pageup": -page, "pagedown": page}[key]
        self.cursor = min(max(self.cursor + step, 0), max(len(self.found) - 1, 0))
        self.draw()

    def draw(self) -> None:
        if not self.is_attached or not self.size.height:
            return
        width, room = self.size.width, self.size.height - 2
        top = min(max(self.cursor - room // 2, 0), max(len(self.found) - room, 0))
        lines: list[Line] = [(Run("/ ", "key"),), EMPTY]
        shown = range(top, min(top + room, len(self.found)))
        lines += [self._line(self.found[at], at == self.cursor, width) for at in shown]
        if not self.found:
            lines.append((Run("no model matches", "dim"),))
        self.show(lines)

    def _line(self, model: Any, here: bool, width: int) -> Line:
        size = format_parameters(model.parameters)
        lead = self.glyphs.cursor if here else " "
        name = fitted(safe(model.name, 80), width - len(size) - 3, self.glyphs.more)
        gap = " " * (width - len(name) - len(size) - 2)
        style = "cursor" if here else ""
        return (Run(f"{lead} {name}", style), Run(gap + size, style or "dim"))
