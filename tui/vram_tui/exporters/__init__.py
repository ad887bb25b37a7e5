"""Figures out to where people work: tables in several formats, files, the clipboard, launch recipes."""

from collections.abc import Callable
from importlib import import_module

from vram_tui.exporters.table import Table

_MODULES = {
    "plain": ("plain", "txt"),
    "markdown": ("markdown", "md"),
    "csv": ("csv_text", "csv"),
    "json": ("json_text", "json"),
    "toml": ("toml_text", "toml"),
    "svg": ("svg", "svg"),
}
FORMATS: tuple[str, ...] = tuple(_MODULES)
SUFFIXES: dict[str, str] = {name: f".{suffix}" for name, (_, suffix) in _MODULES.items()}
"""The ending that a file of each format has."""


def render(table: Table, format: str) -> str:  # noqa: A002 - the word that people use
    """The table as text of one of FORMATS, ending in a line feed. Raises ValueError for an unknown format."""
    if format not in _MODULES:
        raise ValueError(f"unknown format '{format[:40]}': choose from {', '.join(FORMATS)}")
    module = import_module(f"vram_tui.exporters.{_MODULES[format][0]}")
    writer: Callable[[Table], str] = module.render
    return writer(table)
