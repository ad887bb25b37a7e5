"""Copying as the screens do it: the sequence for the terminal, and a sentence for the person."""

from collections.abc import Mapping

from vram_tui.estimator.records import record
from vram_tui.exporters.clipboard import ClipboardError, osc52


@record
class Copying:
    """What to send to the terminal (empty where it can take nothing) and what to say about it."""

    sequence: str
    words: str
    bad: bool = False


def copying(text: str, what: str, env: Mapping[str, str]) -> Copying:
    """`what` names the text in a word or two: "the figure", "the grid as CSV"."""
    try:
        found = osc52(text, env)
    except ClipboardError as refused:
        return Copying("", str(refused), bad=True)
    if not found.sequence:
        return Copying("", found.warning, bad=True)
    doubt = f"; {found.warning}" if found.warning else ""
    return Copying(found.sequence, f"copied {what}, {size_words(text)}{doubt}")


def size_words(text: str) -> str:
    """The size of a text in UTF-8."""
    count = len(text.encode("utf-8", "backslashreplace"))
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1000:,.0f} kB"
