"""Which key does what: the registry's defaults under the person's own wishes."""

from collections.abc import Mapping
from dataclasses import field

from vram_tui.app.actions import ALL, BY_ID
from vram_tui.estimator.records import record
from vram_tui.session.settings import nearest
from vram_tui.text import safe

_NAMES = {"escape": "esc", "delete": "del", "pageup": "pgup", "pagedown": "pgdn"}


def key_name(key: str) -> str:
    """A key as a person calls it."""
    return _NAMES.get(key, key)


_TYPED = {"esc": "escape", "del": "delete", "pgup": "pageup", "pgdn": "pagedown", "return": "enter", " ": "space"}


@record
class KeyMap:
    """Which key does what, after the person's own wishes."""

    actions: Mapping[str, str]
    """Key → action id."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Action id → its keys."""

    def key_of(self, action: str) -> str:
        """The first key of an action, as a person calls it; empty without one."""
        keys = self.keys.get(action, ())
        return key_name(keys[0]) if keys else ""

    def keys_of(self, action: str) -> str:
        return " ".join(key_name(key) for key in self.keys.get(action, ()))


def key_map(wishes: Mapping[str, tuple[str, ...]] | None = None) -> tuple[KeyMap, tuple[str, ...]]:
    """The key map with a person's wishes laid over the defaults, and a sentence for each wish that makes trouble."""
    faults: list[str] = []
    chosen: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name, keys in (wishes or {}).items():
        if name not in BY_ID:
            faults.append(f"keys: {safe(name, 60)} is no action{nearest(name, BY_ID)}")
            continue
        own = tuple(_TYPED.get(key, key) for key in keys)
        if clash := sorted(set(own) & taken):
            faults.append(f"keys: {', '.join(clash)} is asked for twice; {name} goes without")
        chosen[name] = tuple(key for key in own if key not in taken)
        taken.update(own)
    actions: dict[str, str] = {}
    keys_by_action: dict[str, tuple[str, ...]] = {}
    for action in ALL:
        kept = chosen.get(action.id)
        if kept is None:
            kept = tuple(key for key in action.keys if key not in taken)
            if action.keys and not kept:
                faults.append(f"keys: {action.id} has no key left")
        keys_by_action[action.id] = kept
        actions.update(dict.fromkeys(kept, action.id))
    return KeyMap(actions, keys_by_action), tuple(faults)
