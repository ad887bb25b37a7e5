"""A table as TOML: one `[[rows]]` per row, raw values under the columns' names."""

from typing import Any

from vram_tui.exporters.json_text import plain
from vram_tui.exporters.table import Table


def render(table: Table) -> str:
    """The same data as JSON gives, without the values that are not there: TOML has no null."""
    import tomli_w

    return _escaped(tomli_w.dumps(_without_none(plain(table))))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {_whole(name): _without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return _whole(value) if isinstance(value, str) else value


def _whole(text: str) -> str:
    """TOML is UTF-8: half a surrogate pair cannot be written."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(text: str) -> str:
    """What does not print stands inside of strings only, so an escape means the same."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
