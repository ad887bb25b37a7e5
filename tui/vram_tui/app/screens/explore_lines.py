"""Lines of the home screen that belong to no panel of their own."""

from typing import Any

from textual.content import Content

from vram_tui.app.widgets.line_panel import Line, Run, fitted, width_of
from vram_tui.estimator.memory import Memory
from vram_tui.quantities import format_parameters, format_tokens
from vram_tui.session.specs import license_words
from vram_tui.session.state import Session
from vram_tui.text import safe


def bits_words(memory: Memory | str, session: Session, index: int) -> str:
    """Bits per weight of a row: its own, else what the weights come to."""
    row = session.grid.rows[index]
    if row.bits is not None:
        return f"{row.bits:.2f}"
    return "" if isinstance(memory, str) else f"{memory.weights.bits_per_weight:.2f}"


def short_sheet(summary: Any, width: int, more: str) -> list[Line]:
    """Name and figures in two lines, for the size where the sheet is a tab."""
    released = f"{summary.released:%b %Y}" if summary.released else ""
    name = Run(fitted(safe(summary.name, 80), width, more), "bold")
    first = [name]
    for text in (safe(summary.vendor, 40), safe(license_words(summary.license), 30), released):
        if text and width_of(first) + 2 + len(text) <= width:
            first += [Run("  "), Run(text, "dim")]
    figures = [(format_parameters(summary.parameters), "params")]
    if "MoE" in summary.kind:
        figures.append((format_parameters(summary.active), "active"))
    figures.append((format_tokens(summary.context) if summary.context else "unknown", "context"))
    figures.append((summary.kind, ""))
    second: list[Run] = []
    for value, label in figures:
        pair = [Run(value, "bold"), Run(f" {label}   " if label else "   ", "dim")]
        if width_of(second) + width_of(pair) - 3 <= width:
            second += pair
    return [tuple(first), tuple(second)]


def plain(text: str) -> Content:
    """A border title that is not read as markup and holds nothing hidden."""
    return Content(safe(text))
