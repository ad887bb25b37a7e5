"""Models side by side: what a column is, its edits, and the aligned lines with differences and winners."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from vram_tui.estimator.records import record
from vram_tui.quantities import format_parameters, format_tokens
from vram_tui.session import edits
from vram_tui.session.answers import Answers, Cell
from vram_tui.session.counts import cache_parts
from vram_tui.session.edits import EditError
from vram_tui.session.explaining import Asked
from vram_tui.session.specs import facts_of, headline_of, state_bytes
from vram_tui.session.state import NATIVE, Row, Session

MAX_COLUMNS = edits.MAX_MARKS
AXES = ("contexts", "quantizations")

_SETTERS: dict[str, Callable[[Session, str, Answers], Session]] = {
    "kv": lambda session, text, answers: edits.set_kv(session, text),
    "seqs": lambda session, text, answers: edits.set_sequences(session, text),
    "ubatch": lambda session, text, answers: edits.set_ubatch(session, text),
    "runtime": lambda session, text, answers: edits.set_runtime(session, text, answers.facts.runtimes),
}
OPTIONS = tuple(_SETTERS)
"""What a column may have of its own beside its quantization."""


@record
class Column:
    """One column: a model, perhaps at a quantization of its own, perhaps with other options than the scenario's."""

    model: str
    quant: str = ""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """`id@Q8_0 kv=q8_0`: how sessions and saved comparisons keep it."""
        head = f"{self.model}@{self.quant}" if self.quant else self.model
        return " ".join((head, *(f"{name}={value}" for name, value in self.options)))

    @property
    def own(self) -> str:
        """What a person may edit: everything but the model."""
        return " ".join((*((self.quant,) if self.quant else ()), *(f"{name}={value}" for name, value in self.options)))


_TEXT = re.compile(r"(?P<model>.*?)(?:@(?P<quant>[^@\s]*))?(?P<options>(?:\s+[a-z-]+=\S*)*)\s*", re.DOTALL)


def read_column(text: str) -> Column:
    """A column as its text has it; options that this version does not know are left out."""
    match = _TEXT.fullmatch(text)
    assert match is not None
    pairs = (part.partition("=") for part in match["options"].split())
    options = tuple((name, value) for name, _, value in pairs if name in _SETTERS and value)
    return Column(match["model"].strip(), match["quant"] or "", options)


# Edits ---------------------------------------------------------------------------------------------------------------


def columns_of(session: Session) -> tuple[Column, ...]:
    """The columns: those that were set up, then marked models without one; before any mark the model in view."""
    kept = [column for column in map(read_column, session.columns) if column.model in session.marks]
    seen = {column.model for column in kept}
    found = (*kept, *(Column(mark) for mark in session.marks if mark not in seen))
    return found[:MAX_COLUMNS] or ((Column(session.model),) if session.model else ())


def _with(session: Session, columns: Sequence[Column]) -> Session:
    marks = tuple(dict.fromkeys(column.model for column in columns))
    return replace(session, columns=tuple(column.text for column in columns), marks=marks)


def add_column(session: Session, column: Column, at: int) -> Session:
    """One more column behind the one at a place."""
    columns = list(columns_of(session))
    if len(columns) >= MAX_COLUMNS:
        raise EditError(f"{MAX_COLUMNS} columns are as many as a comparison shows: drop one first")
    if column in columns:
        raise EditError(f"'{column.text}' is a column already: give this one its own quantization")
    columns.insert(min(at + 1, len(columns)), column)
    return _with(session, columns)


def drop_column(session: Session, at: int) -> Session:
    columns = list(columns_of(session))
    if len(columns) < 2:
        raise EditError("the last column stays: add another one first")
    del columns[at]
    return _with(session, columns)


def move_column(session: Session, at: int, step: int) -> Session:
    columns = list(columns_of(session))
    other = at + step
    if not 0 <= other < len(columns):
        raise EditError("that is the end already")
    columns[at], columns[other] = columns[other], columns[at]
    return _with(session, columns)


def set_column(session: Session, at: int, text: str, answers: Answers) -> Session:
    """Quantization and options of a column: `Q8_0 kv=q8_0 seqs=4`; nothing gives it back to the scenario."""
    quant, options = "", []
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals:
            if quant:
                raise EditError(f"one quantization a column: '{quant}' or '{word[:30]}'")
            quant = edits.read_row(word, answers.facts.formats).asked
        elif name not in _SETTERS:
            raise EditError(f"no option '{name[:30]}': there are {', '.join(OPTIONS)}")
        else:
            _SETTERS[name](session, value, answers)
            options.append((name, value))
    return _replaced(session, at, quant=quant, options=tuple(options))


def set_quant(session: Session, at: int, quant: str) -> Session:
    return _replaced(session, at, quant=quant)


def set_option(session: Session, at: int, name: str, value: str) -> Session:
    """One option of a column, the others kept."""
    options = dict(columns_of(session)[at].options) | {name: value}
    return _replaced(session, at, options=tuple(options.items()))


def _replaced(session: Session, at: int, **changes: Any) -> Session:
    columns = list(columns_of(session))
    columns[at] = replace(columns[at], **changes)
    return _with(session, columns)


def save_comparison(session: Session, text: str) -> Session:
    return edits.save_comparison(session, text, tuple(column.text for column in columns_of(session)))


def use_comparison(session: Session, text: str, known: Callable[[str], bool]) -> Session:
    """The columns saved under a name, as far as their models are still known."""
    for saved in session.comparisons:
        if saved.name == text.strip():
            columns = [column for column in map(read_column, saved.value) if known(column.model)]
            if not columns:
                raise EditError(f"no model of '{saved.name}' is in the catalogue")
            return _with(session, columns[:MAX_COLUMNS])
    names = ", ".join(saved.name for saved in session.comparisons)
    raise EditError(
        f"no comparison '{text.strip()[:40]}'" + (f": there are {names}" if names else ": none is saved yet")
    )


# Figures -------------------------------------------------------------------------------------------------------------


def view_of(answers: Answers, session: Session, column: Column) -> Session:
    """The session as a column sees it: its model, its options."""

    def apply(view: Session, option: tuple[str, str]) -> Session:
        try:
            return _SETTERS[option[0]](view, option[1], answers)
        except EditError:
            return view

    return reduce(apply, column.options, replace(session, model=column.model))


def row_of(answers: Answers, session: Session, column: Column) -> Row:
    """The quantization of a column: its own, or the one chosen for all."""
    if column.quant:
        try:
            return edits.read_row(column.quant, answers.facts.formats)
        except EditError:
            pass
    return session.selected_row


def asked_in_column(answers: Answers, session: Session, at: int, row: Row, context: int) -> Asked:
    """The figure of a column for a quantization and a context."""
    column = columns_of(session)[at]
    view = view_of(answers, session, column)
    scenario = answers.scenario(view, row.runtime)
    return Asked(column.model, row, answers.tokens(column.model, context), scenario, at)


@record
class Value:
    """What one column says on a line. `cell` and `asked` are there for figures of memory, `fact` for the sheet's."""

    text: str
    number: float | None = None
    cell: Cell | None = None
    asked: Asked | None = None
    fact: str = ""
    best: bool = False
    over_bytes: int | None = None
    """How much more than the best of the line."""


@record
class Line:
    """One aligned line: `word` says what is best about the best ("least", "most", "newest"), empty where nothing is.

    `pick` is the index of the grid's column or row that a line of memory stands for, None on lines of facts.
    """

    label: str
    values: tuple[Value, ...]
    differs: bool = False
    word: str = ""
    pick: int | None = None


_WINS: dict[str, tuple[str, Callable[[Sequence[float]], float]]] = {
    "active": ("least", min),
    "context": ("most", max),
    "released": ("newest", max),
    "cache": ("least", min),
    "state": ("least", min),
}

FACTS = (
    "parameters",
    "active",
    "context",
    "architecture",
    "attention",
    "layers",
    "hidden",
    "heads",
    "KV heads x dim",
    "cache",
    "state",
    "experts",
    "feed-forward",
    "vocabulary",
    "modality",
    "licence",
    "released",
)


def fact_lines(models: Sequence[tuple[Any, Any]]) -> tuple[Line, ...]:
    """The specification of entries (each with its summary) as aligned lines."""
    sheets = [_sheet(entry, summary) for entry, summary in models]
    lines = []
    for label in FACTS:
        values = [sheet.get(label, ("none", None, label)) for sheet in sheets]
        if any(label in sheet for sheet in sheets):
            lines.append(_line(label, [Value(text, number, fact=fact) for text, number, fact in values]))
    return tuple(lines)


def _sheet(entry: Any, summary: Any) -> Mapping[str, tuple[str, float | None, str]]:
    """Label → text, number that a winner is judged by, label of the sheet that explains it."""
    facts = {fact.label: fact.value for fact in (*headline_of(entry, summary), *facts_of(entry))}
    active = entry.active_advertised or summary.active
    numbers: dict[str, float | None] = {
        "parameters": summary.parameters,
        "active": active,
        "context": entry.context_native or None,
        "released": entry.released.toordinal() if entry.released else None,
        "cache": sum(part.value for part in cache_parts(entry.model)),
        "state": state_bytes(entry.model),
    }
    facts.setdefault("active", format_parameters(active))
    facts["KV heads x dim"] = " x ".join(facts[name] for name in ("KV heads", "head dim") if name in facts) or "none"
    facts["licence"] = _license(entry)
    explained = {"KV heads x dim": "KV heads"}
    return {label: (facts[label], numbers.get(label), explained.get(label, label)) for label in FACTS if label in facts}


def _license(entry: Any) -> str:
    from vram_tui.session.specs import license_words

    return license_words(entry.license)


def _line(label: str, values: list[Value]) -> Line:
    differs = len({value.text for value in values}) > 1
    word, best_of = _WINS.get(label, ("", min))
    numbers = [value.number for value in values if value.number is not None]
    if word and differs and len(numbers) == len(values) and len(set(numbers)) > 1:
        # What reads the same is as good.
        best = values[numbers.index(best_of(numbers))].text
        values = [replace(value, best=value.text == best) for value in values]
    else:
        word = ""
    return Line(label, tuple(values), differs, word)


def memory_lines(answers: Answers, session: Session, axis: str = "contexts") -> tuple[Line, ...]:
    """Memory of every column: over the grid's contexts at one quantization, or over its rows at one context."""
    columns = columns_of(session)
    views = [view_of(answers, session, column) for column in columns]
    if axis == "contexts":
        rows = [row_of(answers, session, column) for column in columns]
        by_column = [answers.cells(view, row) for view, row in zip(views, rows, strict=True)]
        lines = []
        for index, context in enumerate(session.grid.contexts):
            label = format_tokens(context) if context != NATIVE else "longest"
            values = [
                _memory_value(answers, session, at, rows[at], context, cells[index], context == NATIVE)
                for at, cells in enumerate(by_column)
            ]
            lines.append(_memory_line(label, values, index, context != NATIVE))
        return tuple(lines)
    context = session.selected_context
    lines = []
    for index, row in enumerate(session.grid.rows):
        cells = [answers.cells(view, row)[session.column] for view in views]
        values = [
            _memory_value(answers, session, at, row, context, cell, context == NATIVE) for at, cell in enumerate(cells)
        ]
        lines.append(_memory_line(row.label, values, index, context != NATIVE))
    return tuple(lines)


def _memory_value(
    answers: Answers, session: Session, at: int, row: Row, context: int, cell: Cell, name_it: bool
) -> Value:
    asked = asked_in_column(answers, session, at, row, context)
    text = format_tokens(cell.tokens) if name_it and cell.tokens else ""
    return Value(text, cell.bytes, cell, asked)


def _memory_line(label: str, values: list[Value], pick: int, comparable: bool) -> Line:
    """Winners are named only where all columns answer the same question."""
    sizes = [value.cell.bytes for value in values if value.cell and value.cell.bytes is not None]
    differs = len(set(sizes)) > 1 or len(sizes) not in (0, len(values))
    if not comparable or len(sizes) < 2 or len(set(sizes)) < 2:
        return Line(label, tuple(values), differs, "", pick)
    least = min(sizes)
    found = []
    for value in values:
        size = value.cell.bytes if value.cell else None
        over = size - least if size is not None else None
        found.append(replace(value, best=size == least, over_bytes=over))
    return Line(label, tuple(found), differs, "least", pick)
