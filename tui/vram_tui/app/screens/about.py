"""About one model: its family in the order of release, and what a page publishes beside what is verified."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.evidence import Claim, Evidence, EvidenceSheet
from vram_tui.app.widgets.family_list import FamilyList, Relative
from vram_tui.app.widgets.line_panel import LinePanel, fitted
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.units import GIB
from vram_tui.quantities import format_tokens, unit_label
from vram_tui.session import edits
from vram_tui.session.evidence import compared
from vram_tui.session.explaining import Asked, AskedFact, Target, asked_in_grid, memory_of
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Row, Session
from vram_tui.text import safe

WIDE = 110
SAME_SHARE = 0.02
"""A page's memory figure within this share of ours agrees with it."""


class About(HouseScreen):
    """Family and timeline on the left, evidence on the right; one at a time where space is short."""

    CSS_PATH = "about.tcss"
    name_in_registry = "about"

    def __init__(self, model: str = "") -> None:
        super().__init__()
        self.model = model
        self.family = FamilyList("family")
        self.sheet = EvidenceSheet("evidence")
        self._facts: list[Target] = []

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.family, self.sheet)

    def compose(self) -> ComposeResult:
        yield self.chips
        with Horizontal(id="pair"):
            yield self.family
            yield self.sheet
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.model = self.model or self.home.session.model
        self.fill()
        at = next((index for index, one in enumerate(self.family.relatives) if one.id == self.model), 0)
        self.family.cursor = at
        self.family.moved = self._follow  # type: ignore[method-assign]
        self.go_to(self.sheet)

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def go_to(self, panel: LinePanel) -> None:
        super().go_to(panel)
        self._arrange()

    def _arrange(self) -> None:
        narrow = self.app.size.width < WIDE
        self.family.display = not narrow or self.focused is self.family
        self.sheet.display = not narrow or self.focused is not self.family
        self.set_class(narrow, "-single")
        entry = self.home.answers.library.entry(self.model)
        family = f"{entry.family} family"
        if narrow:
            room = self.app.size.width - len(family) - 12
            name = fitted(safe(entry.name, 80), max(room, 8), self.home.glyphs.more)
            self.sheet.border_title = plain_title(f"[{name}]  {family}")
            self.family.border_title = plain_title(f"{name}  [{family}]")
        else:
            self.sheet.border_title, self.family.border_title = plain_title(entry.name), plain_title(family)
        self.family.border_subtitle = plain_title(f"{self.home.key_map.key_of('open')} goes to the model")

    # Content

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self.fill()

    def fill(self) -> None:
        self._fill_family()
        self._fill_evidence()
        self._arrange()

    def _fill_family(self) -> None:
        answers, session = self.home.answers, self.home.session
        entries = answers.library.entries
        family = next(one.family for one in entries if one.id == self.model)
        relatives = [self._relative(one, session) for one in entries if one.family == family]
        relatives.sort(key=lambda one: (one.released or date.min, one.parameters), reverse=True)
        tokens = session.selected_context
        at = format_tokens(tokens) if tokens else "its own context"
        heading = f"Memory in {unit_label(session.units)}, {session.selected_row.label} at {at}"
        self.family.fill(heading, relatives)

    def _relative(self, summary: Any, session: Session) -> Relative:
        cells = self.home.answers.cells(replace(session, model=summary.id), session.selected_row)
        return Relative(
            summary.id,
            summary.name,
            summary.parameters,
            summary.active,
            "MoE" in summary.kind,
            summary.released,
            cells[session.column],
            summary.id in session.marks,
        )

    def _fill_evidence(self) -> None:
        answers = self.home.answers
        entry = answers.library.entry(self.model)
        summary = next(one for one in answers.library.entries if one.id == self.model)
        claims = [Claim(one.label, one.verified, one.published, one.differs) for one in compared(entry, summary)]
        self._facts = [AskedFact(self.model, claim.label) for claim in claims]
        figures = self._figures(entry.published)
        page = entry.published.source if entry.published is not None else ""
        notes = [*entry.notes]
        if entry.partial:
            fields = ", ".join(entry.partial_fields) or "some of this"
            notes.append(f"Partial: no source states {fields}.")
        else:
            notes.append("Complete: every field is stated by a source.")
        if entry.parameters_published:
            reading = entry.parameters_counts.replace("+", " + ")
            notes.append(f"{entry.parameters_published:,} parameters: {entry.parameters_source}, counted as {reading}.")
        if entry.checked:
            notes.append(f"Checked {entry.checked}.")
        self.sheet.fill(Evidence(claims, figures, page, notes, entry.sources))

    def _figures(self, page: object) -> list[Claim]:
        """The page's memory figures beside ours for the same cell."""
        answers, session = self.home.answers, self.home.session
        found: list[Claim] = []
        for figure in getattr(page, "figures", ()):
            scenario = replace(answers.scenario(session), method="exact", profile="verified")
            asked = Asked(self.model, Row(figure.quant), figure.context, scenario)
            memory = memory_of(answers, asked)
            ours = memory.at(figure.context) if isinstance(memory, Memory) else None
            theirs = round(figure.gib * GIB)
            words = memory_words(ours, session.units) if ours is not None else str(memory)
            percent = round((theirs - ours) * 100 / ours) if ours else 0
            off = f", {percent:+d} %" if percent else ", the same" if ours else ""
            differs = ours is None or abs(theirs - ours) > ours * SAME_SHARE
            label = f"{figure.quant} {format_tokens(figure.context)}"
            found.append(Claim(label, words, f"{memory_words(theirs, session.units)}{off}", differs))
            self._facts.append(asked)
        return found

    # Actions

    def _follow(self) -> None:
        """The sheet shows the model under the family's cursor."""
        chosen = self.family.chosen
        if chosen and chosen.id != self.model:
            self.model = chosen.id
            self.sheet.cursor = self.sheet.top = 0
            self._fill_evidence()
            self._arrange()

    def do_open(self) -> None:
        if self.focused is self.family:
            self.home.look(model=self.model, filter="")
            self.app.pop_screen()
        else:
            self.do_explain()

    def do_mark(self) -> None:
        model = self.model
        self.home.edit(lambda session: edits.toggle_mark(session, model))

    def explain_targets(self) -> tuple[Sequence[Target], int]:
        if self.focused is self.family:
            session = replace(self.home.session, model=self.model)
            return [asked_in_grid(self.home.answers, session, session.row, session.column)], 0
        return self._facts, self.sheet.cursor

    def copy_text(self) -> tuple[str, str]:
        panel = self.family if self.focused is self.family else self.sheet
        return panel.text, "the sheet"
