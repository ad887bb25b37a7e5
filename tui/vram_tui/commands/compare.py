"""`vram-tui compare`: two to six models side by side, over contexts or over quantizations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options, given
from vram_tui.commands.workspace import DEFAULT_QUANT, Chosen, Workspace
from vram_tui.quantities import parse_tokens

if TYPE_CHECKING:
    from vram_tui.catalog import Summary
    from vram_tui.catalog.entries import Entry
    from vram_tui.catalog.hardware import HardwareCatalogue
    from vram_tui.estimator.subject import Subject
    from vram_tui.session.answers import Answers
    from vram_tui.session.comparing import Column, Line, Value
    from vram_tui.session.state import Row, Session

FEWEST, MOST = 2, 6


def run(name: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"vram-tui {name}",
        description="Models side by side: specifications, memory, and what needs least.",
        epilog="A MODEL may have a quantization of its own: glm-4.7-flash@Q8_0.",
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help=f"{FEWEST} to {MOST} of them")
    parser.add_argument("--quant", metavar="Q,..", help="several: one line each, at one context; default Q4_K_M")
    parser.add_argument("--ctx", metavar="C,..", help="default: 1K,8K,32K,128K and each model's native context")
    add_common(parser, formats=True)
    add_options(parser, leave_out=("quant", "ctx"))
    arguments = parser.parse_args(argv)
    if not FEWEST <= len(arguments.models) <= MOST:
        raise CommandError(f"compares {FEWEST} to {MOST} models, not {len(arguments.models)}", "model")
    desk = workspace(arguments)
    options = given({key: value for key, value in vars(arguments).items() if key not in ("quant", "ctx")})
    answers, session = _set_up(desk, arguments.models, arguments.quant, arguments.ctx, options)
    session = replace(session, units=arguments.units)
    several = len(session.grid.rows) > 1
    if several and len(session.grid.contexts) > 1:
        raise CommandError("several quantizations go with one context: give one --ctx", "ctx")
    axis = "quantizations" if several else "contexts"
    if arguments.json:
        print_json(_json(answers, session, axis))
    else:
        from vram_tui.app.comparison_table import comparison_table

        print_table(comparison_table(answers, session, axis), arguments)
    return 0


class Gathered:
    """The catalogue, with models of files among its entries."""

    def __init__(self, desk: Workspace) -> None:
        self._catalog = desk.catalog
        self.facts = desk.facts
        self._own: dict[str, tuple[Summary, Entry, Subject]] = {}

    def add(self, chosen: Chosen) -> None:
        """Make an entry of a model that was read from a file."""
        from vram_tui.catalog.entries import Entry
        from vram_tui.catalog.summaries import summarize

        model = chosen.subject.model
        entry = Entry(
            id=chosen.id,
            name=chosen.name,
            family="",
            vendor="",
            license="unknown",
            released=None,
            modalities=("text", *(tower.kind for tower in model.towers)),
            tags=(),
            about="",
            model=model,
            sources=(),
            checked=None,
            context_native=chosen.native_tokens,
            origin="file",
        )
        self._own[chosen.id] = (summarize(entry, chosen.subject.profile), entry, chosen.subject)

    @property
    def entries(self) -> "Sequence[Summary]":
        return (*(summary for summary, _, _ in self._own.values()), *self._catalog.entries)

    @property
    def hardware(self) -> "HardwareCatalogue":
        return self._catalog.hardware

    def entry(self, model: str, /) -> Any:
        return self._own[model][1] if model in self._own else self._catalog.entry(model)

    def subject(self, model: str, /, profile: str = "verified") -> "Subject":
        return self._own[model][2] if model in self._own else self._catalog.subject(model, profile)

    def listed_bytes(self, model: str, /) -> int | None:
        return None if model in self._own else self._catalog.listed_bytes(model)

    def adopt(self, entry: Any, /) -> None:
        self._catalog.adopt(entry)

    def search(self, query: str, memory: Callable[[str], int | None] | None = None) -> Sequence[Any]:
        return self._catalog.search(query, memory)


def _set_up(
    desk: Workspace, models: Sequence[str], quants: str | None, contexts: str | None, options: dict[str, Any]
) -> "tuple[Answers, Session]":
    """What the dashboard would hold: columns, a grid of the asked lines, the scenario and its machine."""
    from vram_tui.commands.options import scenario_from
    from vram_tui.session.answers import Answers
    from vram_tui.session.local import is_local
    from vram_tui.session.state import DEFAULT_GRID, Grid, Session

    library = Gathered(desk)
    columns = [_column(desk, library, text, named=quants is not None) for text in models]
    texts = tuple(column.text for column in columns)
    twice = next((text for index, text in enumerate(texts) if text in texts[:index]), None)
    if twice:
        raise CommandError(f"{twice} is there twice: give one of them a quantization, as in {twice}@Q8_0", "model")
    rows = tuple(_row(part, desk) for part in (quants or DEFAULT_QUANT).split(",") if part.strip())
    tokens = _contexts(contexts) if contexts else DEFAULT_GRID.contexts
    target = options.get("gpus", "")
    session = Session(
        scenario=scenario_from(options),
        grid=Grid(rows, tokens),
        target=target,
        marks=tuple(dict.fromkeys(column.model for column in columns)),
        columns=texts,
        model=columns[0].model,
        row=0,
        column=0,
    )
    answers = Answers(library)
    if is_local(target):
        answers.local.read(desk.catalog.hardware)
        answers.machine_read()
    answers.machine(target)
    return answers, session


def _column(desk: Workspace, library: Gathered, text: str, *, named: bool) -> "Column":
    """A column of what was typed: a model, perhaps with its quantization; a GGUF file brings its own."""
    from vram_tui.session.comparing import Column

    name, _, quant = text.rpartition("@") if "@" in text else (text, "", "")
    chosen = desk.choose(name)
    known = any(summary.id == chosen.id for summary in desk.catalog.entries)
    if not known:
        library.add(chosen)
    own = _row(quant, desk).asked if quant else "" if known or named else chosen.quant
    return Column(chosen.id, own)


def _row(text: str, desk: Workspace) -> "Row":
    from vram_tui.session.edits import EditError, read_row

    try:
        return read_row(text, desk.facts.formats)
    except EditError as refused:
        raise CommandError(str(refused), "quant") from None


def _contexts(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(parse_tokens(part) for part in text.split(",") if part.strip()))
    except ValueError as error:
        raise CommandError(f"--ctx: {error}", "ctx") from None


def _json(answers: "Answers", session: "Session", axis: str) -> dict[str, Any]:
    """Columns, facts with winners, and memory in bytes."""
    from vram_tui.session.comparing import columns_of, fact_lines, memory_lines, row_of

    columns = columns_of(session)
    summaries = {summary.id: summary for summary in answers.library.entries}
    models = [(answers.library.entry(column.model), summaries[column.model]) for column in columns]
    shown = [row_of(answers, session, column).asked if axis == "contexts" else None for column in columns]
    return {
        "columns": [{"model": column.model, "quant": quant} for column, quant in zip(columns, shown, strict=True)],
        "facts": [_fact(line) for line in fact_lines(models)],
        "over": axis,
        "memory": [_memory(line) for line in memory_lines(answers, session, axis)],
    }


def _fact(line: "Line") -> dict[str, Any]:
    best = [index for index, value in enumerate(line.values) if value.best]
    return {
        "name": line.label,
        "values": [value.text for value in line.values],
        "differs": line.differs,
        "best": {line.word: best} if best else None,
    }


def _memory(line: "Line") -> dict[str, Any]:
    best = [index for index, value in enumerate(line.values) if value.best]
    return {
        "name": line.label,
        "cells": [_cell(value) for value in line.values],
        "least": best or None,
    }


def _cell(value: "Value") -> dict[str, Any]:
    cell = value.cell
    assert cell is not None
    if cell.bytes is None:
        return {"ctx": cell.tokens or None, "total_bytes": None, "refused": cell.reason}
    fits = None if not cell.fit else cell.fit in ("fits", "tight")
    return {"ctx": cell.tokens, "total_bytes": cell.bytes, "over_bytes": value.over_bytes, "fits": fits}
