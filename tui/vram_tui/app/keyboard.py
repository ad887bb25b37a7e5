"""Keys in the order they were typed: a key that opens a field is followed by its text, whatever the queues hold."""

from typing import Protocol

from textual import events

from vram_tui.app.key_map import KeyMap
from vram_tui.app.screens.base import HouseScreen


class Performer(Protocol):
    """Who does what the keys stand for: the app."""

    key_map: KeyMap

    def perform(self, action: str) -> None: ...
    def tell(self, text: str, *, bad: bool = False) -> None: ...


def take_key(app: Performer, event: events.Key, screen: HouseScreen) -> bool:
    """Do what a key stands for; False leaves it to Textual."""
    if screen.footer.message:
        screen.footer.message = None
        screen.footer.draw()
    if screen.field.is_open:
        _take_field_key(app, event, screen)
        return True
    if event.key == "ctrl+c":
        app.tell(f"{app.key_map.key_of('quit')} quits")
        return True
    typed = event.character if event.is_printable and event.character else event.key
    action = app.key_map.actions.get("space" if typed == " " else typed)
    if action:
        app.perform(action)
    return bool(action)


def _take_field_key(app: Performer, event: events.Key, screen: HouseScreen) -> None:
    """A key while a field is open."""
    asking = screen.field.asking
    if event.key == "enter":
        screen.field_accepted()
    elif event.key in ("escape", "ctrl+c"):
        screen.field_cancelled()
    elif event.key in ("tab", "shift+tab"):
        screen.field_accepted()
        if not screen.field.is_open:
            app.perform("next-panel" if event.key == "tab" else "previous-panel")
    elif asking and asking.follows_list and event.key in ("up", "down", "pageup", "pagedown"):
        screen.move_list(event.key)
    else:
        screen.field.take(event)
