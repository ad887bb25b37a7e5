"""The person's configuration file: theme, keys, units, mouse, hardware; every fault is told with its mend."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vram_tui.estimator.records import record
from vram_tui.text import safe

FILE = "config.toml"


@record
class Settings:
    """What `config.toml` may say. `keys` maps an action to the keys that do it; `gpus` names the target machine.

    `None` means that the file does not say.
    """

    theme: str | None = None
    ascii: bool = False
    mouse: bool = True
    units: str | None = None
    gpus: str | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


KINDS: Mapping[str, type] = {"theme": str, "ascii": bool, "mouse": bool, "units": str, "gpus": str, "keys": dict}

HELP: Mapping[str, str] = {
    "theme": "Colour theme.",
    "ascii": "Plain ASCII signs and borders, for terminals and fonts that lack the others.",
    "mouse": "Take the mouse; false leaves it to the terminal, for selecting text.",
    "units": "Memory in GiB (1,024³ bytes) or GB (1,000³ bytes).",
    "gpus": "The machine to judge against while none was chosen, written as on the command line.",
    "keys": "Other keys for actions: the action's name, then one key or a list of keys; an empty list takes its keys.",
}
"""What each setting does, for the documentation."""


def default_path() -> Path | None:
    """Where the configuration is looked for; None where the system names no such place."""
    from platformdirs import user_config_path

    try:
        folder = user_config_path("vram-tui", appauthor=False)
    except (RuntimeError, OSError):
        return None
    return folder / FILE if folder.is_absolute() else None


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the nearest known name, or nothing."""
    near = get_close_matches(name, list(known), 1, 0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def load_settings(path: Path | None) -> tuple[Settings, tuple[str, ...]]:
    """The settings in a file and a sentence for each fault; a missing file is no fault."""
    if path is None:
        return Settings(), ()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Settings(), ()
    except OSError as error:
        return Settings(), (f"{path}: {error.strerror}",)
    import tomli

    try:
        plain = tomli.loads(content.decode())
    except (ValueError, RecursionError) as error:
        return Settings(), (f"{path}: {safe(str(error), 160)}",)
    settings, faults = read_settings(plain)
    return settings, tuple(f"{path}: {fault}" for fault in faults)


def read_settings(plain: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """Settings from a table; what is wrong is left out and told."""
    faults: list[str] = []
    good: dict[str, Any] = {}
    for name, value in plain.items():
        kind = KINDS.get(name)
        if kind is None:
            faults.append(f"{safe(name, 60)} is no setting{nearest(name, KINDS)}")
        elif not isinstance(value, kind):
            words = {str: "a text", bool: "true or false", dict: "a table"}
            faults.append(f"{name} is {words[kind]}")
        elif name == "units" and value not in ("gib", "gb"):
            faults.append("units is gib or gb")
        else:
            good[name] = value
    if "keys" in good:
        good["keys"] = _read_keys(good["keys"], faults)
    return Settings(**good), tuple(faults)


def _read_keys(plain: Mapping[str, Any], faults: list[str]) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {}
    for action, value in plain.items():
        chosen = [value] if isinstance(value, str) else value
        if isinstance(chosen, list) and all(isinstance(key, str) and key and safe(key, 40) == key for key in chosen):
            keys[action] = tuple(chosen)
        else:
            faults.append(f"keys.{safe(action, 60)} is a key or a list of keys")
    return keys
