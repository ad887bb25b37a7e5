"""Published beside verified: every field with both values, whose they are, and whether they agree."""

from collections.abc import Sequence

from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, padded, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.estimator.records import record
from vram_tui.text import safe

LABEL = 15
SIDE_BY_SIDE = 56


@record
class Claim:
    """One field: what the blocks say, what the page says (empty: nothing), and whether that differs."""

    label: str
    verified: str
    published: str = ""
    differs: bool = False


@record
class Evidence:
    """All claims about a model, the page's memory figures beside ours, and the sources."""

    claims: Sequence[Claim]
    figures: Sequence[Claim] = ()
    page: str = ""
    notes: Sequence[str] = ()
    sources: Sequence[str] = ()


class EvidenceSheet(Sheet):
    """The claims with a cursor, so that each can be explained."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.evidence = Evidence(())

    def fill(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.draw()

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        found = self.evidence
        lines: list[Line] = []
        stops: list[Stop] = []
        half = (width - LABEL - 2) // 2
        both = bool(found.page)
        lines.append(self._row("", "verified", "published" if both else "", half, "family"))
        for claim in found.claims:
            first = len(lines)
            lines += self._claim(claim, half, both)
            stops.append(Stop(first, len(lines)))
        if found.figures:
            lines += [EMPTY, self._row("memory", "ours, exact", "the page says", half, "family")]
            for claim in found.figures:
                first = len(lines)
                lines += self._claim(claim, half, both)
                stops.append(Stop(first, len(lines)))
        if both:
            lines += [EMPTY, (Run("Published by", "family"),)]
            lines += [(Run(line, "dim"),) for line in wrapped(safe(found.page, 200), width)]
        if found.notes:
            lines += [EMPTY, (Run("Evidence", "family"),)]
            lines += [(Run(line),) for note in found.notes for line in wrapped(safe(note, 400), width)]
        if found.sources:
            lines += [EMPTY, (Run("Verified against", "family"),)]
            lines += [(Run(line, "dim"),) for source in found.sources for line in wrapped(safe(source, 300), width)]
        return lines, stops

    def _row(self, label: str, left: str, right: str, half: int, style: str) -> Line:
        return (Run(padded(label, LABEL), style), Run(padded(left, half + 2), style), Run(right, style))

    def _claim(self, claim: Claim, half: int, both: bool) -> list[Line]:
        width = half if both else half * 2
        left = wrapped(safe(claim.verified, 200), width) or [""]
        right = wrapped(safe(claim.published, 200), half - 2) if both else []
        mark = f"{self.glyphs.differs} " if claim.differs else "  "
        lines: list[Line] = []
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else ""
            other = right[index] if index < len(right) else ""
            sign = (mark if index == 0 else "  ") if other else ""
            lines.append(
                (
                    Run(padded(claim.label if index == 0 else "", LABEL), "dim"),
                    Run(padded(one, width + 2)),
                    Run(sign, "warn"),
                    Run(other, "" if claim.differs else "dim"),
                )
            )
        return lines
