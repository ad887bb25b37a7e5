"""`docs/catalogue-sweep.md`: which entries llama.cpp loads, and where its figures are not ours."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from vram_tui.exporters.markdown import render
from vram_tui.exporters.table import Column, Table, number, words
from vram_tui.verify.comparing import Comparison, Line
from vram_tui.verify.library import BUILD

CLOSE = 0.01
UNKNOWN = "unknown model architecture"
CACHES = "KV cache and state"
TERMS = ("weights", CACHES, "compute buffer", "output buffer")
COUNTED = ("weights", CACHES, "output buffer")
"""Terms that must be equal; the compute buffer follows a graph whose parts are not all known."""
ROUNDED = 1e-6
"""Share of the weights that rounding every tensor in RAM up to 32 bytes adds at most; it is not counted."""
REASONS = {
    (("gemma3n", "gemma4"), "weights"): "on the CPU, read without mapping the file, the tied table is there twice",
    (("hy_v3",), "weights"): "this build loads the feed-forward of the drafting block, and does not run it",
    (("bailingmoe3",), CACHES): "this build caches the drafting block together with the trunk",
    (("nemotron", "phimoe"), "refused"): "this build takes the queries to be as wide as the model",
}
"""Why figures of these architectures differ, or why llama.cpp does not load their headers."""
WARNED = "the estimate carries a warning"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One entry. No comparisons: llama.cpp has no such architecture, or `fault` says why no header came about."""

    model: str
    architecture: str
    comparisons: tuple[Comparison, ...] = ()
    fault: str = ""
    warned: bool = False
    """Whether the estimate says that its compute buffer is rough."""

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for one in self.comparisons for line in one.lines)

    @property
    def refusal(self) -> str:
        """Why llama.cpp does not load it, in its words; empty where it does."""
        found = next((one.their_refusal for one in self.comparisons if one.their_refusal), "")
        return found.removeprefix("error loading model: ")

    @property
    def known(self) -> bool:
        """Whether this build of llama.cpp has the architecture."""
        return bool(self.comparisons or self.fault) and UNKNOWN not in self.refusal

    @property
    def our_refusal(self) -> str:
        return next((one.our_refusal for one in self.comparisons if one.our_refusal), "")

    def worst(self, terms: Sequence[str] = TERMS) -> Line | None:
        """The line that is furthest off; None where all are equal."""
        off = [line for line in self.lines if line.term in terms and not line.exact]
        return max(off, key=lambda line: abs(line.error), default=None)

    @property
    def miscounted(self) -> Line | None:
        """The line furthest off of those that must be equal, None where they are."""
        found = self.worst(COUNTED)
        return None if found and found.term == "weights" and abs(found.error) <= ROUNDED else found

    @property
    def grade(self) -> str:
        """What became of it."""
        if not self.known:
            return "unknown"
        if self.fault or self.our_refusal or self.refusal:
            return "refused"
        worst = self.worst()
        if worst is None:
            return "exact"
        return "close" if abs(worst.error) <= CLOSE and not self.miscounted else "different"

    @property
    def holds(self) -> bool:
        """Whether it is loaded with the same weights, caches and output buffer, or why not is known."""
        if self.grade == "refused":
            return bool(self.reason("refused"))
        return not self.miscounted or bool(self.reason(self.miscounted.term))

    def reason(self, term: str) -> str:
        """Why this term differs, as far as that is known; "refused" for the whole."""
        known = next((why for (names, what), why in REASONS.items() if self.architecture in names and what == term), "")
        return known or (WARNED if self.warned and term == "compute buffer" else "")

    @property
    def told(self) -> str:
        """The outcome in one line."""
        reason = self.fault or self.refusal or self.our_refusal
        worst = self.miscounted or self.worst()
        if self.grade in ("unknown", "refused"):
            return f"{self.grade}: {reason or 'the entry names no architecture of llama.cpp'}"
        return f"{self.grade}: {_off(worst)}" if worst else self.grade


def _off(line: Line) -> str:
    return f"{line.where} {line.term} {line.ours - line.theirs:+,} bytes ({line.error:+.3%})"


def page(found: Sequence[Outcome], quant: str, ctx_tokens: int) -> str:
    """The whole page as Markdown."""
    introduction = f"""# The catalogue through llama.cpp

Written by `python -m benchmarks.sweep --write`. From every entry a header is written, as a GGUF file has it but without
weights, and llama.cpp's own allocator (PyPI's xllamacpp {BUILD}) is asked what it would reserve for it: on the CPU and
on one simulated GPU, {quant}, {ctx_tokens:,} tokens or what is native if that is less, one sequence, default settings.

This checks that blocks, names, key-values and arithmetic are llama.cpp's. It does not check that an entry states what
the published weights are: that is what its sources and the count of its parameters are for.
"""
    tables = [_grades(found), _terms(found), _refused(found), _different(found), _close(found), _unknown(found)]
    return "\n".join([introduction, *(render(table) for table in tables if table.rows)])


def _graded(found: Sequence[Outcome], grade: str) -> list[Outcome]:
    return [outcome for outcome in found if outcome.grade == grade]


def _grades(found: Sequence[Outcome]) -> Table:
    meanings = (
        ("exact", "every term is equal to the byte, on both machines"),
        ("close", "caches and output are equal, weights but for rounding; the compute buffer is within 1 %"),
        ("different", "a compute buffer is further off, or another term differs"),
        ("refused", "llama.cpp knows the architecture and does not load the header, or we do not answer"),
        ("unknown", "this build of llama.cpp has no such architecture, or none is known to us"),
    )
    rows = [(words(what), words(means), number(len(_graded(found, what)))) for what, means in meanings]
    rows.append((words("all"), words("entries of the catalogue"), number(len(found))))
    return Table("Entries", (Column("outcome"), Column("what it means"), Column("entries", "right")), tuple(rows))


def _terms(found: Sequence[Outcome]) -> Table:
    lines: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for outcome in found:
        for line in outcome.lines:
            lines[line.where, line.term].append(line)
    rows = []
    for (where, term), every in lines.items():
        errors = sorted(abs(line.error) for line in every)
        share = sum(error <= CLOSE for error in errors) / len(errors)
        exact = sum(line.exact for line in every)
        rows.append(
            (
                words(where),
                words(term),
                number(len(every)),
                number(exact),
                number(share, f"{share:.1%}"),
                number(errors[-1], f"{errors[-1]:.2%}"),
            )
        )
    columns = (
        Column("where"),
        Column("term"),
        Column("compared", "right"),
        Column("equal", "right"),
        Column("within 1 %", "right"),
        Column("worst", "right"),
    )
    return Table("Terms", columns, tuple(rows))


def _refused(found: Sequence[Outcome]) -> Table:
    rows = tuple(
        (
            words(one.model),
            words(one.architecture),
            words(one.fault or one.refusal or f"ours: {one.our_refusal}"),
            words(one.reason("refused")),
        )
        for one in _graded(found, "refused")
    )
    return Table("Refused", (Column("entry"), Column("architecture"), Column("told"), Column("because")), rows)


def _different(found: Sequence[Outcome]) -> Table:
    rows = []
    for outcome in _graded(found, "different"):
        off = sorted((line for line in outcome.lines if abs(line.error) > CLOSE), key=lambda line: -abs(line.error))
        counted = (line for line in outcome.lines if line.term in COUNTED and abs(line.error) > ROUNDED)
        off += [line for line in counted if line not in off]
        rows += [
            (
                words(outcome.model),
                words(outcome.architecture),
                words(f"{line.where} {line.term}"),
                number(line.theirs),
                number(line.ours),
                number(line.error, f"{line.error:+.2%}"),
                words(outcome.reason(line.term)),
            )
            for line in off
        ]
    columns = (
        Column("entry"),
        Column("architecture"),
        Column("term"),
        Column("llama.cpp", "right", "bytes"),
        Column("vram-tui", "right", "bytes"),
        Column("difference", "right"),
        Column("because"),
    )
    return Table("Different", columns, tuple(rows))


def _close(found: Sequence[Outcome]) -> Table:
    """By architecture: how far their compute buffers are off at most."""
    rows = []
    ordered = sorted(_graded(found, "close"), key=lambda outcome: outcome.architecture)
    for architecture, group in groupby(ordered, key=lambda outcome: outcome.architecture):
        entries = tuple(group)
        worst = max((line for one in entries if (line := one.worst())), key=lambda line: abs(line.error))
        rows.append(
            (
                words(architecture),
                number(len(entries)),
                words(f"{worst.where} {worst.term}"),
                number(worst.ours - worst.theirs, f"{worst.ours - worst.theirs:+,}"),
                number(worst.error, f"{worst.error:+.4%}"),
            )
        )
    columns = (
        Column("architecture"),
        Column("entries", "right"),
        Column("worst term"),
        Column("off by", "right", "bytes"),
        Column("difference", "right"),
    )
    return Table("Within 1 %", columns, tuple(rows))


def _unknown(found: Sequence[Outcome]) -> Table:
    rows = tuple(
        (words(one.model), words(one.architecture), words(one.refusal or "no architecture of llama.cpp is known"))
        for one in _graded(found, "unknown")
    )
    return Table("Not known to this build", (Column("entry"), Column("architecture"), Column("reason")), rows)
