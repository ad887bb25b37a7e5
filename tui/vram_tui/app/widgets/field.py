"""The one text field: laid over a cell, a chip or the filter; takes keys in the order they were typed."""

from collections.abc import Callable

from textual import events
from textual.geometry import Region
from textual.widgets import Input

from vram_tui.estimator.records import record


@record
class Asking:
    """What an open field is for. `accept` returns False where it refused and the field stays open."""

    hint: str
    accept: Callable[[str], bool]
    changed: Callable[[str], None] | None = None
    cancelled: Callable[[], None] | None = None
    choices: tuple[str, ...] = ()
    follows_list: bool = False
    """Up and down move the list meanwhile (the filter)."""


class Field(Input):
    """Hidden until `ask` lays it over a region of the screen."""

    def __init__(self) -> None:
        super().__init__(id="field", compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.asking: Asking | None = None
        self.display = False

    @property
    def is_open(self) -> bool:
        return self.asking is not None

    def ask(self, region: Region, value: str, asking: Asking) -> None:
        """Open over a region with a value, the cursor behind it."""
        self.asking = asking
        self.styles.offset = (region.x, region.y)
        self.styles.width = region.width
        self.value = value
        self.cursor_position = len(value)
        self.remove_class("refused")
        self.display = True
        self.screen.set_focus(self, scroll_visible=False)

    def close(self) -> None:
        self.asking = None
        self.display = False

    def take(self, event: events.Key) -> None:
        """A key while the field is open: letters are text, a few keys edit it."""
        self.remove_class("refused")
        if event.is_printable and event.character is not None:
            self.insert_text_at_cursor(event.character)
        elif edit := _EDITS.get(event.key):
            edit(self)
        elif event.key in ("up", "down") and self.asking and self.asking.choices:
            self._choose(-1 if event.key == "up" else 1)
        else:
            return
        self.report()

    def _choose(self, step: int) -> None:
        choices = self.asking.choices if self.asking else ()
        at = choices.index(self.value) if self.value in choices else -1 if step > 0 else 0
        self.value = choices[(at + step) % len(choices)]
        self.cursor_position = len(self.value)

    def report(self) -> None:
        """Hand the text on, where somebody follows it while it is typed."""
        if self.asking and self.asking.changed:
            self.asking.changed(self.value)

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        text = event.text[:2000].splitlines()[0] if event.text.strip() else ""
        self.insert_text_at_cursor("".join(sign for sign in text if sign.isprintable())[:200])
        self.report()


_EDITS: dict[str, Callable[[Field], None]] = {
    "backspace": Field.action_delete_left,
    "delete": Field.action_delete_right,
    "left": Field.action_cursor_left,
    "right": Field.action_cursor_right,
    "home": Field.action_home,
    "end": Field.action_end,
    "ctrl+w": Field.action_delete_left_word,
    "ctrl+u": Field.action_delete_left_all,
    "ctrl+k": Field.action_delete_right_all,
    "ctrl+a": Field.action_home,
    "ctrl+e": Field.action_end,
}
