"""What a screen shows, in the shape in which it leaves the program."""

from typing import Any

from vram_tui.estimator.memory import Memory
from vram_tui.exporters.table import Cell, Column, Mark, Table, nothing, number, words
from vram_tui.quantities import format_memory, format_parameters, format_tokens, unit_label
from vram_tui.session.answers import Answers
from vram_tui.session.answers import Cell as Figure
from vram_tui.session.specs import facts_of, headline_of, memory_words
from vram_tui.session.state import Row, Session
from vram_tui.text import safe

NAME_CHARS = 120


def marks(answers: Answers) -> tuple[Mark, ...]:
    """The fit classes as a legend names them."""
    return tuple(Mark(tier.id, tier.glyph, tier.label, tier.ascii) for tier in answers.facts.tiers)


def scenario_words(session: Session, answers: Answers) -> str:
    """Under what the figures hold, on one line."""
    scenario = session.scenario
    kv = scenario.kv_k if scenario.kv_k == scenario.kv_v else f"{scenario.kv_k}:{scenario.kv_v}"
    parts = [scenario.runtime, f"cache {kv}", f"{scenario.seqs} sequence{'s' if scenario.seqs > 1 else ''}"]
    if scenario.ubatch:
        parts.append(f"ubatch {scenario.ubatch}")
    if scenario.method != "exact":
        parts.append(f"{scenario.method.replace('-', ' ')}, overhead {scenario.overhead_percent:g} %")
    if scenario.profile != "verified":
        parts.append(f"{scenario.profile} profile")
    if session.target:
        parts.append(f"on {session.target}")
    return ", ".join(parts)


def grid_table(answers: Answers, session: Session) -> Table:
    """The requirements grid. In the method "difference" a figure is what the rule of thumb gives beyond the exact."""
    entry = answers.library.entry(session.model)
    label = unit_label(session.units)
    rows = [(row, answers.of_row(session, row), answers.cells(session, row)) for row in session.grid.rows]
    own = any(row.runtime for row in session.grid.rows)
    figures = rows[0][2]
    columns = (
        Column("quantization"),
        *((Column("runtime"),) if own else ()),
        Column("bits/weight", "right"),
        *(Column(format_tokens(cell.tokens) if cell.tokens else "native", "right", label, "bytes") for cell in figures),
    )
    lines, notes = [], [scenario_words(session, answers)]
    for row, memory, cells in rows:
        runtime = (words(row.runtime or session.scenario.runtime),) if own else ()
        lines.append(
            (
                words(row.label, "bold"),
                *runtime,
                _bits(row, memory),
                *(_figure(cell, answers, session) for cell in cells),
            )
        )
        if isinstance(memory, str):
            notes.append(f"{row.label}: {memory}")
    if any(cell.beyond for cell in figures):
        notes.append(
            f"the native context is {format_tokens(entry.context_native)}: columns beyond it need a scaled one"
        )
    if session.scenario.method == "difference":
        notes.append("bytes per weight minus the exact method")
    return Table(f"{entry.name}, memory in {label}", columns, tuple(lines), tuple(notes), marks(answers))


def _bits(row: Row, memory: Memory | str) -> Cell:
    if row.bits is not None:
        return number(row.bits, f"{row.bits:.2f}")
    if isinstance(memory, str):
        return nothing()
    bits = memory.weights.bits_per_weight
    return number(round(bits, 4), f"{bits:.2f}")


def _figure(cell: Figure, answers: Answers, session: Session) -> Cell:
    if cell.bytes is None:
        return nothing()
    tier = answers.facts.tiers[cell.tier].id
    if cell.rule_bytes is None:
        return Cell(format_memory(cell.bytes, session.units), cell.bytes, tier)
    off = cell.rule_bytes - cell.bytes
    return Cell(("+" if off >= 0 else "-") + format_memory(abs(off), session.units), off, tier)


def figure_words(answers: Answers, session: Session) -> str:
    """The selected figure as people say it in a message."""
    row, name = session.selected_row, safe(answers.library.entry(session.model).name, NAME_CHARS)
    cell = answers.cells(session, row)[min(session.column, len(session.grid.contexts) - 1)]
    at = f" at {format_tokens(cell.tokens)}" if cell.tokens else ""
    if cell.bytes is None:
        return f"{name} {row.label}{at}: {cell.reason}"
    return f"{name} {row.label}{at}: {memory_words(cell.bytes, session.units)} ({scenario_words(session, answers)})"


def row_words(answers: Answers, session: Session) -> str:
    """The selected row on one line."""
    row, name = session.selected_row, safe(answers.library.entry(session.model).name, NAME_CHARS)
    figures = [
        f"{format_tokens(cell.tokens)} {format_memory(cell.bytes, session.units)}"
        for cell in answers.cells(session, row)
        if cell.bytes is not None
    ]
    reason = answers.of_row(session, row)
    shown = f"{', '.join(figures)} {unit_label(session.units)}" if figures else reason
    return f"{name} {row.label}: {shown} ({scenario_words(session, answers)})"


def model_words(entry: Any, summary: Any) -> str:
    """A model on one line: id, parameters, context, licence."""
    parts = [summary.kind, f"{format_parameters(summary.parameters)} parameters"]
    if "MoE" in summary.kind:
        parts.append(f"{format_parameters(summary.active)} active")
    if summary.context:
        parts.append(f"{format_tokens(summary.context)} context")
    return f"{entry.id}: {', '.join([*parts, safe(summary.license, NAME_CHARS)])}"


def spec_table(entry: Any, summary: Any) -> Table:
    """The specification sheet, with the published page's word where it differs."""
    facts = [(fact.label, fact.value, fact.published) for fact in (*headline_of(entry, summary), *facts_of(entry))]
    headings = ("fact", "verified", "published") if any(fact[2] for fact in facts) else ("fact", "verified")
    rows = tuple(tuple(words(part) for part in fact[: len(headings)]) for fact in facts)
    notes = [entry.about] if entry.about else []
    notes += [f"source: {source}" for source in entry.sources]
    return Table(entry.name, tuple(map(Column, headings)), rows, tuple(notes))
