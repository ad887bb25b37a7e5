"""The specification sheet: badges, headline figures, facts beside the about text; differences marked."""

from typing import Any

from textual import events

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded, width_of, wrapped
from vram_tui.session.specs import Fact, facts_of, headline_of, license_words
from vram_tui.text import safe

LABEL = 13
TWO_COLUMNS = 66


class SpecPanel(LinePanel):
    """Shows one entry with a cursor on one of its figures; scrolls when it is higher than its place."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.entry: Any = None
        self.summary: Any = None
        self.others = 0
        self.top = 0
        self.cursor = 0
        """Which of the figures `=` explains: those of the headline, then the facts, in the order of the sheet."""
        self._sheet: list[Line] = []
        self._places: dict[str, int] = {}
        self._made_for: object = None

    def fill(self, entry: Any, summary: Any, others: int) -> None:
        if entry is not self.entry:
            self.top = self.cursor = 0
        self.entry, self.summary, self.others = entry, summary, others
        self._made_for = None
        self.draw()

    @property
    def _chosen(self) -> str:
        """The label under the cursor; empty where nobody looks."""
        labels = list(self._places)
        return labels[min(self.cursor, len(labels) - 1)] if labels and self.has_focus else ""

    def sheet(self, width: int, height: int) -> list[Line]:
        """All lines for a width. What fits in `height` stands first: the about text is cut there and whole below."""
        if self.entry is None:
            return [(Run("no model", "dim"),)]
        lines = [self._name_line(width), EMPTY]
        figures = headline_of(self.entry, self.summary)
        facts = facts_of(self.entry)
        self._places = dict.fromkeys((fact.label for fact in (*figures, *facts)), 0)
        if width < TWO_COLUMNS:
            lines += [*self._facts(figures, width, len(lines)), EMPTY]
            lines += [*self._facts(facts, width, len(lines)), EMPTY]
            return [*lines, *self._about(width), EMPTY, *self._notes(width), *self._sources(width)]
        left = min(max(43, width * 55 // 100), 64)
        right = width - left - 2
        told = self._facts(facts, left, 0)
        if len(lines) + 3 + len(told) > height:
            lines = lines[:1]
        self._places.update(dict.fromkeys((fact.label for fact in figures), len(lines)))
        lines += [*self._strip_of(figures, width), EMPTY]
        self._places.update({fact.label: self._places[fact.label] + len(lines) for fact in facts})
        notes = self._notes(right)
        about = self._about(right)
        room = max(height - len(lines) - len(notes) - 1, 3)
        short = about if len(about) <= room else [*about[: room - 1], self._cut_line(about[room - 1], right)]
        lines += _beside(told, [*short, EMPTY, *notes], left + 2)
        if len(short) < len(about):
            lines += [EMPTY, (Run("About", "family"),), *self._about(width)]
        return [*lines, *self._sources(width)]

    def _name_line(self, width: int) -> Line:
        entry = self.entry
        badges = [safe(text, 24) for text in (entry.family, self.summary.kind, license_words(entry.license)) if text]
        tail = [run for index, text in enumerate(badges) for run in (Run(" "), Run(f" {text} ", f"badge-{index}"))]
        name, vendor = safe(entry.name, 80), safe(entry.vendor, 40)
        while tail and width_of(tail) + min(len(name), 20) > width:
            tail = tail[:-2]
        room = width - width_of(tail)
        head = [Run(fitted(name, room, self.glyphs.more), "bold")]
        if len(name) + len(vendor) + 3 <= room:
            head.append(Run(f"  {vendor}", "dim"))
        return (*head, Run(" " * (room - width_of(head))), *tail)

    def _strip_of(self, figures: tuple[Fact, ...], width: int) -> list[Line]:
        """The headline figures over their labels, each with what the page says beside it."""
        above: list[Run] = []
        below: list[Run] = []
        spans = [max(len(f.value) + (len(f.published) + 3 if f.published else 0), len(f.label)) for f in figures]
        gap = min(max((width - sum(spans)) // max(len(spans) - 1, 1), 1), 6)
        for figure, span in zip(figures, spans, strict=True):
            runs = [Run(figure.value, "cursor" if figure.label == self._chosen else "bold")]
            if figure.published:
                runs += [Run(f" {self.glyphs.differs} ", "warn"), Run(figure.published, "dim")]
            blank = " " * (span - width_of(runs) + gap)
            above += [*runs, Run(blank)]
            below.append(Run(padded(figure.label, span + gap), "dim"))
        return [_cut(above, width), _cut(below, width)]

    def _facts(self, facts: tuple[Fact, ...], width: int, first: int) -> list[Line]:
        """Labels and values, noting the line of each; `first` is where they begin on the sheet."""
        lines: list[Line] = []
        for fact in facts:
            room = width - LABEL
            self._places[fact.label] = first + len(lines)
            style = "cursor" if fact.label == self._chosen else ""
            label = Run(padded(fact.label, LABEL), style or "dim")
            value = wrapped(safe(fact.value, 200), room) or [""]
            said = f"{self.glyphs.differs} {safe(fact.published, 200)}" if fact.published else ""
            if said and len(value) == 1 and len(value[0]) + 1 + len(said) <= room:
                lines.append((label, Run(value[0], style), Run(" "), *self._said(said)))
                continue
            lines.append((label, Run(value[0], style)))
            lines += [(Run(" " * LABEL), Run(more)) for more in value[1:]]
            for index, more in enumerate(wrapped(said, room)):
                runs = self._said(more) if index == 0 else (Run(more, "dim"),)
                lines.append((Run(" " * LABEL), *runs))
        return lines

    def _said(self, text: str) -> tuple[Run, ...]:
        return (Run(text[:1], "warn"), Run(text[1:], "dim"))

    def _about(self, width: int) -> list[Line]:
        return [(Run(line),) for line in wrapped(safe(self.entry.about, 2000), width)]

    def _cut_line(self, line: Line, width: int) -> Line:
        """The last line of a text that goes on, cut at a word."""
        return (Run(fitted(line[0].text + " " + "x" * width, width, self.glyphs.more)),)

    def _notes(self, width: int) -> list[Line]:
        """Tags, differences, evidence, family and sources."""
        entry = self.entry
        home = house(self.app)
        tags = ", ".join(safe(tag, 40) for tag in entry.tags)
        lines: list[Line] = [(Run(line, "accent"),) for line in wrapped(tags, width)]
        notes: list[tuple[str, str]] = []
        if entry.published is not None:
            key = home.key_map.key_of("profile")
            used = home.session.scenario.profile
            notes.append((f"{self.glyphs.differs} a published page; {used} in use ({key})", "warn"))
        if entry.partial:
            fields = ", ".join(safe(name, 40) for name in entry.partial_fields) or "some of this"
            notes.append((f"partial: no source states {fields}", "warn"))
        if self.others:
            key = home.key_map.key_of("family")
            notes.append((f"{self.others} more of the family {safe(entry.family, 40)} ({key})", "dim"))
        if entry.sources:
            checked = f", checked {entry.checked}" if entry.checked else ""
            notes.append((f"{len(entry.sources)} sources{checked}", "dim"))
        for text, style in notes:
            lines += [(Run(line, style),) for line in wrapped(text, width)]
        return lines

    def _sources(self, width: int) -> list[Line]:
        lines: list[Line] = [EMPTY, (Run("Sources", "family"),)] if self.entry.sources else []
        for source in self.entry.sources:
            lines += [(Run(line, "dim"),) for line in wrapped(safe(source, 300), width)]
        return lines

    def draw(self) -> None:
        height = self.size.height
        if not self.is_attached or not height:
            return
        asked = (self.size, self.has_focus, self.cursor)
        if asked != self._made_for:
            self._sheet, self._made_for = self.sheet(*self.size), asked
        last = max(len(self._sheet) - height, 0)
        self.top = min(self.top, last)
        left = last - self.top
        self.border_subtitle = f"{self.glyphs.down} {left} more line{'s' * (left > 1)}" if left else ""
        self.show(self._sheet[self.top : self.top + height])

    def _scroll(self, step: int) -> None:
        self.top = min(max(self.top + step, 0), max(len(self._sheet) - self.size.height, 0))
        self.draw()

    def _move(self, step: int) -> None:
        """To another figure, which comes into sight; past the last one the sheet scrolls on."""
        cursor = min(max(self.cursor + step, 0), max(len(self._places) - 1, 0))
        if cursor == self.cursor:
            self._scroll(step)
            return
        self.cursor = cursor
        place = self._places[list(self._places)[cursor]]
        self.top = max(min(self.top, place if cursor else 0), place + 2 - self.size.height)
        self.draw()

    def do_open(self) -> None:
        house(self.app).perform("about")

    def do_up(self) -> None:
        self._move(-1)

    def do_down(self) -> None:
        self._move(1)

    def do_left(self) -> None:
        self._move(-1)

    def do_right(self) -> None:
        self._move(1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        lines = [place for place in self._places.values() if offset and place <= self.top + offset.y]
        if lines:
            self.cursor = list(self._places.values()).index(lines[-1])
            self.draw()

    def do_page_up(self) -> None:
        self._scroll(-max(self.size.height - 2, 1))

    def do_page_down(self) -> None:
        self._scroll(max(self.size.height - 2, 1))

    def do_first(self) -> None:
        self._scroll(-len(self._sheet))

    def do_last(self) -> None:
        self._scroll(len(self._sheet))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)


def _cut(runs: list[Run], width: int) -> Line:
    """Runs in at most `width` cells, dropped whole from the right."""
    kept: list[Run] = []
    used = 0
    for run in runs:
        used += len(run.text)
        if used > width:
            kept.append(Run(run.text.rstrip(), run.style))
            if width_of(kept) > width:
                kept.pop()
            break
        kept.append(run)
    return tuple(kept)


def _beside(left: list[Line], right: list[Line], column: int) -> list[Line]:
    lines: list[Line] = []
    for index in range(max(len(left), len(right))):
        first = left[index] if index < len(left) else EMPTY
        second = right[index] if index < len(right) else EMPTY
        gap = (Run(" " * max(column - width_of(first), 0)),) if second else ()
        lines.append((*first, *gap, *second))
    return lines
