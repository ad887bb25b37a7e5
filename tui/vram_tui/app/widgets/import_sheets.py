"""The two sheets of an import: where models may come from, and what was read of one."""

from dataclasses import field

from rich.cells import cell_len

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, fitted, padded, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.estimator.records import record
from vram_tui.importers.caches import LocalModel
from vram_tui.importers.preview import Preview
from vram_tui.session.specs import memory_words
from vram_tui.text import safe

TEXT_CHARS = 4000
LABEL = 14


class Sources(Sheet):
    """The first line takes a path or a repository; below it what other programs keep on this machine."""

    keeps_cursor = True

    def __init__(self) -> None:
        super().__init__("sources")
        self.models: tuple[LocalModel, ...] = ()
        self.typed = ""
        self.state = ""

    @property
    def chosen(self) -> LocalModel | None:
        """The model under the cursor; None on the line that takes a path."""
        index = self.cursor - 1
        return self.models[index] if 0 <= index < len(self.models) else None

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        typed = safe(self.typed, 400) or "a path, or hub:ORG/NAME"
        lines: list[Line] = [(Run(fitted(f"/ {typed}", width, self.glyphs.more), "bold" if self.typed else "dim"),)]
        stops = [Stop(0, 1)]
        lines += [(Run(line, "dim"),) for line in wrapped(self.state, width)]
        source = ""
        units = house(self.app).session.units
        for model in self.models:
            if model.source != source:
                source = model.source
                lines.append((Run(fitted(safe(source), width), "family"),))
            size = memory_words(model.size_bytes, units)
            name = _tail(safe(model.name, 400), max(width - len(size) - 3, 8), self.glyphs.more)
            stops.append(Stop(len(lines), len(lines) + 1))
            lines.append((Run(" " + padded(name, width - len(size) - 1)), Run(size, "dim")))
        return lines, stops


def _tail(text: str, width: int, more: str) -> str:
    """The end of a path that is too long: there stands the file."""
    kept = text
    while cell_len(kept) > width - (kept is not text):
        kept = kept[max(1, (cell_len(kept) - width) // 2) :]
    return text if kept is text else more + kept


@record
class Review:
    """What stands on the right: a sentence in a style, and what was read where something was."""

    words: str = ""
    style: str = "dim"
    read: Preview | None = None
    keys: tuple[str, ...] = field(default_factory=tuple)


class ReviewSheet(Sheet):
    """What an import would write; nothing is written before it is confirmed."""

    review = Review()

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        review = self.review
        lines: list[Line] = [(Run(line, review.style),) for line in wrapped(safe(review.words, TEXT_CHARS), width)]
        lines += [(Run(line, "dim"),) for words in review.keys for line in wrapped(words, width)]
        read = review.read
        if read is None:
            return lines, []
        lines.append(EMPTY)
        for what, value in read.rows(house(self.app).session.units):
            first, *more = wrapped(safe(value, TEXT_CHARS), max(width - LABEL, 10)) or [""]
            lines.append((Run(padded(what, LABEL), "dim"), Run(first, "bold")))
            lines += [(Run(" " * LABEL), Run(line, "bold")) for line in more]
        for note in read.found.notes:
            lines += [(Run(line, "warn"),) for line in wrapped(f"{self.glyphs.dot} {safe(note, TEXT_CHARS)}", width)]
        lines += [EMPTY, (Run("The entry as it will be written", "family"),)]
        for text in read.toml.splitlines():
            shown = safe(text.replace("\t", "    "), TEXT_CHARS)
            lines.append((Run(fitted(shown, width, self.glyphs.more), "dim"),))
        return lines, []
