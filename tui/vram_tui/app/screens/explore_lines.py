"""Lines of the home screen that belong to no panel of their own."""

from collections.abc import Sequence
from typing import Any

from textual.content import Content

from vram_tui.app.glyphs import Glyphs
from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, fitted, width_of
from vram_tui.estimator.devices import Tier
from vram_tui.estimator.memory import Memory
from vram_tui.session.losses import Loss
from vram_tui.session.specs import headline_of, license_words
from vram_tui.session.state import Session
from vram_tui.text import safe


def bits_words(memory: Memory | str, session: Session, index: int) -> str:
    """Bits per weight of a row: its own, else what the weights come to."""
    row = session.grid.rows[index]
    if row.bits is not None:
        return f"{row.bits:.2f}"
    return "" if isinstance(memory, str) else f"{memory.weights.bits_per_weight:.2f}"


def short_sheet(entry: Any, summary: Any, width: int, glyphs: Glyphs) -> list[Line]:
    """Name and figures in two lines, for the size where the sheet is a tab; what a page says otherwise is marked."""
    released = f"{summary.released:%b %Y}" if summary.released else ""
    name = Run(fitted(safe(summary.name, 80), width, glyphs.more), "bold")
    first = [name]
    for text in (safe(summary.vendor, 40), safe(license_words(summary.license), 30), released):
        if text and width_of(first) + 2 + len(text) <= width:
            first += [Run("  "), Run(text, "dim")]
    second: list[Run] = []
    for fact in headline_of(entry, summary)[: 4 if "MoE" in summary.kind else 3]:
        label = {"parameters": " params", "architecture": ""}.get(fact.label, f" {fact.label}")
        mark = [Run(f" {glyphs.differs}", "warn")] if fact.published else []
        figure = [Run(fact.value, "bold"), *mark, Run(f"{label}   ", "dim")]
        if width_of(second) + width_of(figure) - 3 <= width:
            second += figure
    return [tuple(first), tuple(second)]


def loss_note(loss: Loss) -> str:
    """What the column of losses was measured on."""
    return f"loss: {loss.measure} on {loss.model}"


def tier_legend(tiers: Sequence[Tier], width: int, glyphs: Glyphs, *, under_each_other: bool) -> list[Line]:
    """The classes with their signs: in full where there is room."""
    whole = sum(len(tier.label) + 5 for tier in tiers) - 3 <= width or under_each_other
    items: list[tuple[Run, ...]] = []
    for index, tier in enumerate(tiers):
        glyph = tier.glyph if glyphs.unicode else tier.ascii
        words = tier.label if whole else f"fits {tier.short}" if tier.usable_bytes and width >= 50 else tier.short
        items.append((Run(glyph + " ", f"mark-{min(index, 2)}"), Run(words, "dim"), Run("   ")))
    if under_each_other:
        return [*items, EMPTY]
    return [tuple(run for item in items for run in item)]


def target_legend(target: str, width: int, glyphs: Glyphs) -> Line:
    """What the signs say about the machine that everything is judged against."""
    signs = (glyphs.fits, glyphs.tight, glyphs.offload, glyphs.no)
    words = ("fits", "tight", "part offloaded", "no")
    if width < 62:
        words = ("fits", "tight", "partly", "no")
    room = width - 2 - sum(len(word) + 4 for word in words)
    name = fitted(safe(target, 60), room, glyphs.more) if room >= min(len(target), 8) else ""
    runs = [Run(f"{name}: ", "dim")] if name else []
    runs += [
        run
        for sign, word in zip(signs, words, strict=True)
        for run in (Run(f"{sign} ", "bold"), Run(f"{word}  ", "dim"))
    ]
    return tuple(runs)


def plain(text: str) -> Content:
    """A border title that is not read as markup and holds nothing hidden."""
    return Content(safe(text))
