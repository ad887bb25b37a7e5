"""A comparison as a table that leaves the program: specifications, then memory with what is best."""

from collections.abc import Sequence

from vram_tui.app.tables import marks, scenario_words
from vram_tui.exporters.table import Cell, Column, Table, nothing, words
from vram_tui.quantities import format_memory, format_tokens, unit_label
from vram_tui.session import comparing
from vram_tui.session.answers import Answers
from vram_tui.session.comparing import Line, Value, columns_of
from vram_tui.session.state import NATIVE, Session


def comparison_table(answers: Answers, session: Session, axis: str = "contexts") -> Table:
    """One row per line of the comparison, one column per model; notes say under what the figures hold."""
    columns = columns_of(session)
    summaries = {summary.id: summary for summary in answers.library.entries}
    entries = [answers.library.entry(column.model) for column in columns]
    headings = [
        f"{entry.name} {comparing.row_of(answers, session, column).label}" if axis == "contexts" else entry.name
        for column, entry in zip(columns, entries, strict=True)
    ]
    facts = comparing.fact_lines([(entry, summaries[entry.id]) for entry in entries])
    label = unit_label(session.units)
    memory = comparing.memory_lines(answers, session, axis)
    rows = [
        (words(line.label, "bold"), *(words(value.text) for value in line.values), _best(line, headings))
        for line in facts
    ]
    for line in memory:
        cells = [_figure(value, answers, session) for value in line.values]
        rows.append((words(f"{line.label}, {label}", "bold"), *cells, _best(line, headings)))
    notes = [scenario_words(session, answers)]
    if axis != "contexts":
        context = session.selected_context
        notes.append(f"at {format_tokens(context)}" if context != NATIVE else "at each model's own context")
    refusals = {value.cell.reason for line in memory for value in line.values if value.cell and value.cell.reason}
    notes += [f"{column.model}: {column.own}" for column in columns if column.own]
    return Table(
        "Comparison",
        (Column(""), *(Column(name) for name in headings), Column("best")),
        tuple(rows),
        (*notes, *sorted(refusals)),
        marks(answers),
    )


def _best(line: Line, headings: Sequence[str]) -> Cell:
    names = [name for name, value in zip(headings, line.values, strict=True) if value.best]
    return words(f"{line.word}: {', '.join(names)}") if names else nothing("")


def _figure(value: Value, answers: Answers, session: Session) -> Cell:
    figure = value.cell
    if figure is None or figure.bytes is None:
        return nothing()
    at = f" at {value.text}" if value.text else ""
    text = format_memory(figure.bytes, session.units) + at
    return Cell(text, figure.bytes, answers.facts.tiers[figure.tier].id)
