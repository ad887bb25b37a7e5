"""`docs/keys.md`: every action, from the registry."""

from scripts.writing import code, document, table

from vram_tui.app.actions import ALL, Action
from vram_tui.app.key_map import key_name

INTRODUCTION = """
The program is driven wholly from the keyboard; the mouse works too. `?` shows this map on the screen, with your own
keys in it; `ctrl+p` or `:` finds an action by its name. In a text field only `esc`, `enter`, `tab`, the arrows and
`ctrl+p` are commands: every letter is text.

The last column is the name by which [`config.toml`](configuration.md) gives an action other keys.
"""


def _row(action: Action) -> tuple[str, ...]:
    keys = " ".join(code(key_name(key)) for key in action.keys)
    where = ", ".join(name.replace("-", " ") for name in action.screens) or "everywhere"
    return keys, action.title, action.help, where, code(action.id)


def page() -> str:
    parts: list[list[str]] = []
    for group in dict.fromkeys(action.group for action in ALL):
        rows = [_row(action) for action in ALL if action.group == group]
        parts += [[f"## {group}"], table(("key", "action", "what it does", "screens", "name"), rows)]
    return document("Keys", [INTRODUCTION.strip()], *parts)
