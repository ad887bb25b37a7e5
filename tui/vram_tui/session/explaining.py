"""What stands behind a figure, as data: the cell or the fact that was asked for, its parts, their sum, its notes."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from vram_tui.estimator.memory import Memory, Term
from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import DEFAULT_QUANT, LIST_TOKENS, Scenario
from vram_tui.quantities import format_tokens
from vram_tui.session.answers import Answers
from vram_tui.session.state import Row, Session

Number = int | float | str

"""The context that the fit glyph of a list row stands for."""


@record
class Asked:
    """A figure of memory: a model, a format, a context and the whole scenario with its machine.

    `column` is the place in a comparison that it belongs to; None is the grid.
    """

    model: str
    row: Row
    tokens: int
    scenario: Scenario
    column: int | None = None


@record
class AskedFact:
    """A figure of the specification sheet, by its label."""

    model: str
    label: str


Target = Asked | AskedFact


@record
class Part:
    """One summand. `value` is in the unit of the whole; `group` is a group of memory terms or empty."""

    name: str
    value: float
    group: str = ""
    formula: str = ""
    numbers: tuple[tuple[str, Number], ...] = ()
    basis: str = "exact"
    source: str = ""
    error: float = 0.0


@record
class Explained:
    """A figure and its parts, whose values add up to `total`.

    `unit` is one of bytes, parameters, bytes/token, bytes/sequence, count, or empty where the figure is words;
    `words` is the figure as it stands on the sheet. `low` and `high` bound it; `reason` says why there is no figure.
    """

    title: str
    unit: str
    total: float | None
    parts: tuple[Part, ...] = ()
    words: str = ""
    low: float = 0.0
    high: float = 0.0
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    reason: str = ""


def asked_in_grid(answers: Answers, session: Session, row: int, column: int) -> Asked:
    """The figure in a place of the requirements grid."""
    chosen = session.grid.rows[row]
    tokens = answers.tokens(session.model, session.grid.contexts[column])
    return Asked(session.model, chosen, tokens, answers.scenario(session, chosen.runtime))


def asked_in_list(answers: Answers, session: Session, model: str) -> Asked:
    """The figure behind the fit glyph of a list row."""
    return Asked(model, Row(DEFAULT_QUANT), LIST_TOKENS, answers.scenario(session))


def memory_of(answers: Answers, asked: Asked) -> Memory | str:
    """The compiled memory behind a figure, or why there is none; a difference of methods explains the exact one."""
    scenario = asked.scenario
    if scenario.method == "difference":
        scenario = replace(scenario, method="exact")
    return answers.compiled(asked.model, asked.row.asked, scenario)


def explain(answers: Answers, asked: Target) -> Explained:
    """The parts of a figure."""
    if isinstance(asked, AskedFact):
        from vram_tui.session.counts import explain_fact

        summary = next(one for one in answers.library.entries if one.id == asked.model)
        return explain_fact(answers.library.entry(asked.model), summary, asked.label)
    return _explain_memory(answers, asked)


def _falls(memory: Memory, tokens: int) -> Iterator[str]:
    """Where more context takes less: the allocator uses space again that another part of the graph needed before."""
    for device in memory.devices:
        peak = device.peak
        ends = peak.fall(device.tokens(tokens)) if peak else None
        if peak and ends and peak.stage:
            first, last = map(peak.stage, ends)
            then = f"then in {last}" if first != last else "which finds free room there"
            between = f"between {format_tokens(ends[0])} and {format_tokens(ends[1])} tokens"
            yield f"The {peak.name} falls {between}: it is largest in the {first}, {then}."


def _explain_memory(answers: Answers, asked: Asked) -> Explained:
    name = answers.library.entry(asked.model).name
    at = f" at {format_tokens(asked.tokens)}" if asked.tokens else ""
    title = f"{name}, {_quant_words(asked.row)}{at}"
    found = memory_of(answers, asked)
    if isinstance(found, str) or not asked.tokens:
        reason = found if isinstance(found, str) else "no source states the native context"
        return Explained(title, "bytes", None, reason=reason)
    low, high = found.error_band(asked.tokens)
    notes = list(found.warnings)
    if found.native_tokens and asked.tokens > found.native_tokens:
        notes.append(f"Beyond the native context of {format_tokens(found.native_tokens)}.")
    notes += [*_falls(found, asked.tokens), *_of_the_pool(answers, asked)]
    if asked.scenario.method == "difference":
        notes.append("The grid shows bytes per weight minus the exact method; these are the terms of the exact one.")
    return Explained(
        title,
        "bytes",
        found.at(asked.tokens),
        tuple(part_of(term) for term in found.terms(asked.tokens)),
        low=low,
        high=high,
        notes=tuple(notes),
    )


def _of_the_pool(answers: Answers, asked: Asked) -> tuple[str, ...]:
    """What a server makes of its cards; empty for runtimes that set nothing apart."""
    from vram_tui.estimator.pools import pool_of

    scenario = asked.scenario
    try:
        subject = answers.subject(asked.model, scenario)
        pool = pool_of(subject, asked.row.asked, asked.tokens, scenario, answers.facts)
    except (KeyError, ValueError):
        return ()
    return pool.sentences(asked.tokens) if pool else ()


def _quant_words(row: Row) -> str:
    return f"{row.label} {row.bits:g} bits" if row.bits is not None else row.label


def part_of(term: Term) -> Part:
    numbers = tuple(term.numbers.items())
    return Part(term.name, term.bytes, term.group, term.formula, numbers, term.basis, term.source, term.error)


_SPOKEN = {"matrix elements": "matrix", "micro-batch": "ubatch", "(bytes of a K row + bytes of a V row)": "row_bytes"}
"""Words of formulas that stand for a number of another name."""


def put_in(formula: str, numbers: Mapping[str, Number]) -> str:
    """The formula with its numbers in the places of their names; empty where it names none of them."""
    text = formula
    for words, name in _SPOKEN.items():
        if name in numbers:
            text = text.replace(words, name)
    values = {name: _number(value) for name, value in numbers.items()}
    spoken = {name.replace("_", " "): value for name, value in values.items()} | values
    if not spoken:
        return ""
    names = "|".join(re.escape(name) for name in sorted(spoken, key=len, reverse=True))
    filled, count = re.subn(rf"(?<!\w)({names})(?!\w)", lambda match: spoken[match[0]], text)
    return filled if count else ""


_ARITHMETIC = re.compile(r"[\d.,\s×*+/()-]+")


def worked(part: Part) -> str:
    """The formula with its numbers put in, where that is arithmetic which gives the value; else empty."""
    filled = put_in(part.formula, dict(part.numbers))
    sum_ = filled.replace("bytes", "").replace(",", "").replace("×", "*")
    if not filled or not _ARITHMETIC.fullmatch(sum_):
        return ""
    try:
        value = _evaluated(ast.parse(sum_.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return ""
    return filled if abs(value - part.value) <= max(0.51, part.value * 1e-9) else ""


_OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _evaluated(node: ast.expr) -> float:
    """Sums and products of numbers. Raises ValueError for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
    raise ValueError("no arithmetic")


def _number(value: Number) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def number_words(numbers: tuple[tuple[str, Number], ...]) -> str:
    """Names and values on one line."""
    spoken = ((name.replace("_", " ") if name != "mib" else "MiB", value) for name, value in numbers)
    return ", ".join(f"{name} {_number(value)}" for name, value in spoken)
