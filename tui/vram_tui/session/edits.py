"""Small immutable edits of a session, each refused with a reason or done; undo and redo are one mechanism."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import ClassVar, TypeVar

from vram_tui.estimator.facts import Format, RuntimeFacts
from vram_tui.estimator.front_ends import default_seqs
from vram_tui.estimator.records import record
from vram_tui.quantities import parse_tokens
from vram_tui.session.state import METHODS, NATIVE, UNITS, Grid, Named, Row, Session, clamped, with_view_of

T = TypeVar("T")

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "fp8")
MAX_ROWS = 40
MAX_COLUMNS = 24
MAX_MARKS = 6
MIN_BITS, MAX_BITS = 0.5, 64.0


class EditError(ValueError):
    """An edit that cannot be; the message says why and what would do."""


def _with_grid(
    session: Session, rows: tuple[Row, ...] | None = None, contexts: tuple[int, ...] | None = None
) -> Session:
    grid = Grid(session.grid.rows if rows is None else rows, session.grid.contexts if contexts is None else contexts)
    return clamped(replace(session, grid=grid))


def _moved(items: tuple[T, ...], index: int, step: int) -> tuple[T, ...]:
    other = index + step
    if not 0 <= other < len(items):
        raise EditError("that is the end already")
    found = list(items)
    found[index], found[other] = found[other], found[index]
    return tuple(found)


# Contexts ------------------------------------------------------------------------------------------------------------


def read_context(text: str) -> int:
    """Tokens as typed; `native` stands for each model's own context. Raises EditError."""
    if text.strip().lower() in ("native", "max"):
        return NATIVE
    try:
        return parse_tokens(text)
    except ValueError as refused:
        raise EditError(str(refused)) from None


def add_context(session: Session, text: str) -> Session:
    """A column after the selected one, which becomes the selected one."""
    tokens = read_context(text)
    contexts = session.grid.contexts
    if tokens in contexts:
        raise EditError(f"'{text.strip()[:40]}' is a column already")
    if len(contexts) >= MAX_COLUMNS:
        raise EditError(f"{MAX_COLUMNS} columns are as many as there can be")
    at = min(session.column + 1, len(contexts))
    return replace(_with_grid(session, contexts=(*contexts[:at], tokens, *contexts[at:])), column=at)


def retype_context(session: Session, column: int, text: str) -> Session:
    tokens = read_context(text)
    contexts = list(session.grid.contexts)
    if tokens in contexts and contexts[column] != tokens:
        raise EditError(f"'{text.strip()[:40]}' is a column already")
    contexts[column] = tokens
    return _with_grid(session, contexts=tuple(contexts))


def delete_context(session: Session, column: int) -> Session:
    contexts = session.grid.contexts
    if len(contexts) == 1:
        raise EditError("the last column stays: retype it instead")
    return _with_grid(session, contexts=contexts[:column] + contexts[column + 1 :])


def move_context(session: Session, column: int, step: int) -> Session:
    moved = _with_grid(session, contexts=_moved(session.grid.contexts, column, step))
    return replace(moved, column=column + step)


# Quantizations -------------------------------------------------------------------------------------------------------


def read_row(text: str, formats: Mapping[str, Format]) -> Row:
    """A format by id or label in any case, or bits per weight (`4.25`, `bpw:4.25`). Raises EditError."""
    typed = text.strip()
    known = {name.casefold(): form.id for form in formats.values() for name in (form.label, form.id)}
    if (found := known.get(typed.casefold())) is not None:
        return Row(found)
    number = typed.casefold().removeprefix("bpw:").strip()
    try:
        bits = float(number)
    except ValueError:
        near = get_close_matches(typed.casefold(), known, 1, 0.4)
        hint = f": did you mean {known[near[0]]}?" if near else ": name one, or give bits per weight such as 4.25"
        raise EditError(f"no format '{typed[:40]}'{hint}") from None
    return replace(Row(f"bpw:{_checked_bits(bits):g}"), bits=bits)


def _checked_bits(bits: float) -> float:
    if not MIN_BITS <= bits <= MAX_BITS:
        raise EditError(f"bits per weight lie between {MIN_BITS:g} and {MAX_BITS:g}")
    return bits


def add_row(session: Session, text: str, formats: Mapping[str, Format]) -> Session:
    """A row after the selected one, which becomes the selected one."""
    return with_row(session, read_row(text, formats))


def with_row(session: Session, row: Row) -> Session:
    """A row after the selected one, which becomes the selected one."""
    rows = session.grid.rows
    if row in rows:
        raise EditError(f"'{row.label}' is a row already")
    if len(rows) >= MAX_ROWS:
        raise EditError(f"{MAX_ROWS} rows are as many as there can be")
    at = min(session.row + 1, len(rows))
    return replace(_with_grid(session, rows=(*rows[:at], row, *rows[at:])), row=at)


def _with_row(session: Session, index: int, row: Row) -> Session:
    rows = list(session.grid.rows)
    if row in rows and rows[index] != row:
        raise EditError(f"'{row.label}' is a row already")
    rows[index] = row
    return _with_grid(session, rows=tuple(rows))


def retype_row(session: Session, index: int, text: str, formats: Mapping[str, Format]) -> Session:
    return _with_row(session, index, replace(read_row(text, formats), runtime=session.grid.rows[index].runtime))


def set_bits(session: Session, index: int, text: str) -> Session:
    """Other bits per weight for a row; an empty text gives the format its own back."""
    row, typed = session.grid.rows[index], text.strip()
    if not typed:
        if row.quant.startswith("bpw:"):
            raise EditError("a custom row needs its bits per weight")
        return _with_row(session, index, replace(row, bits=None))
    try:
        bits = _checked_bits(float(typed))
    except EditError:
        raise
    except ValueError:
        raise EditError(f"'{typed[:40]}' is no number of bits per weight") from None
    quant = f"bpw:{bits:g}" if row.quant.startswith("bpw:") else row.quant
    return _with_row(session, index, replace(row, quant=quant, bits=bits))


def set_row_runtime(session: Session, index: int, text: str, runtimes: Mapping[str, object]) -> Session:
    """A runtime for this row alone; an empty text takes the scenario's again."""
    typed = text.strip()
    runtime = _one_of("runtime", typed, tuple(runtimes)) if typed else None
    return _with_row(session, index, replace(session.grid.rows[index], runtime=runtime))


def delete_row(session: Session, index: int) -> Session:
    rows = session.grid.rows
    if len(rows) == 1:
        raise EditError("the last row stays: retype it instead")
    return _with_grid(session, rows=rows[:index] + rows[index + 1 :])


def move_row(session: Session, index: int, step: int) -> Session:
    return replace(_with_grid(session, rows=_moved(session.grid.rows, index, step)), row=index + step)


# Scenario ------------------------------------------------------------------------------------------------------------


def _one_of(what: str, typed: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if choice.casefold() == typed.casefold():
            return choice
    near = get_close_matches(typed.casefold(), [choice.casefold() for choice in choices], 1, 0.4)
    raise EditError(
        f"no {what} '{typed[:40]}': " + (f"did you mean {near[0]}?" if near else "one of " + ", ".join(choices))
    )


def _whole(what: str, typed: str, most: int) -> int:
    try:
        number = int(typed.replace(",", "").replace("_", ""))
    except ValueError:
        raise EditError(f"{what} is a whole number, not '{typed[:40]}'") from None
    if not 1 <= number <= most:
        raise EditError(f"{what} lies between 1 and {most:,}")
    return number


def set_runtime(session: Session, text: str, runtimes: Mapping[str, RuntimeFacts]) -> Session:
    """Another runtime, with its own number of parallel requests where nobody changed that of the one before."""
    scenario, runtime = session.scenario, _one_of("runtime", text.strip(), tuple(runtimes))
    seqs = scenario.seqs
    if scenario.runtime in runtimes and seqs == default_seqs(runtimes[scenario.runtime]):
        seqs = default_seqs(runtimes[runtime])
    return replace(session, scenario=replace(scenario, runtime=runtime, seqs=seqs))


def set_kv(session: Session, text: str) -> Session:
    """Cache types: one for both, or `K:V`."""
    k, _, v = text.strip().partition(":")
    kv_k = _one_of("cache type", k.strip(), KV_TYPES)
    kv_v = _one_of("cache type", v.strip(), KV_TYPES) if v else kv_k
    return replace(session, scenario=replace(session.scenario, kv_k=kv_k, kv_v=kv_v))


def set_sequences(session: Session, text: str) -> Session:
    return replace(
        session, scenario=replace(session.scenario, seqs=_whole("the number of sequences", text.strip(), 4096))
    )


def set_ubatch(session: Session, text: str) -> Session:
    """Tokens computed at once; `auto` or nothing is the runtime's own."""
    typed = text.strip().lower()
    ubatch = None if typed in ("", "auto") else _whole("ubatch", typed, 1 << 20)
    return replace(session, scenario=replace(session.scenario, ubatch=ubatch))


def set_overhead(session: Session, text: str) -> Session:
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        raise EditError(f"overhead is a percentage, not '{text.strip()[:40]}'") from None
    if not 0 <= percent <= 200:
        raise EditError("overhead lies between 0 and 200 %")
    return replace(session, scenario=replace(session.scenario, overhead_percent=percent))


def set_method(session: Session, text: str) -> Session:
    method = _one_of("method", text.strip().replace(" ", "-"), METHODS)
    return replace(session, scenario=replace(session.scenario, method=method))


def set_profile(session: Session, profile: str) -> Session:
    return replace(
        session, scenario=replace(session.scenario, profile=_one_of("profile", profile, ("verified", "published")))
    )


def set_units(session: Session, units: str) -> Session:
    return replace(session, units=_one_of("unit", units, UNITS))


def set_target(session: Session, text: str) -> Session:
    return replace(session, target=text.strip())


def set_free(session: Session, free: bool) -> Session:
    """Judge against the memory that is free now, or against all that a process can reach."""
    return replace(session, scenario=replace(session.scenario, free=free))


def choose_cell(session: Session, text: str, formats: Mapping[str, Format]) -> Session:
    """Select a format, a context or both by name (`Q4_K_M 128K`); what the grid lacks is added to it."""
    words = text.split()
    if not words:
        raise EditError("a format and a context, such as Q4_K_M 128K")
    for word in words:
        try:
            session = _choose_context(session, read_context(word))
        except EditError:
            session = _choose_row(session, read_row(word, formats), word, formats)
    return session


def _choose_context(session: Session, tokens: int) -> Session:
    if tokens in session.grid.contexts:
        return replace(session, column=session.grid.contexts.index(tokens))
    after = sum(0 < known < tokens for known in session.grid.contexts)
    return add_context(replace(session, column=after - 1), str(tokens))


def _choose_row(session: Session, row: Row, text: str, formats: Mapping[str, Format]) -> Session:
    for index, known in enumerate(session.grid.rows):
        if known.asked == row.asked:
            return replace(session, row=index)
    return add_row(session, text, formats)


# Marks and names -----------------------------------------------------------------------------------------------------


def toggle_mark(session: Session, model: str) -> Session:
    if model in session.marks:
        return replace(session, marks=tuple(mark for mark in session.marks if mark != model))
    if len(session.marks) >= MAX_MARKS:
        raise EditError(f"{MAX_MARKS} models are as many as a comparison shows: unmark one first")
    return replace(session, marks=(*session.marks, model))


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 60 or not name.isprintable():
        raise EditError("a name has 1 to 60 printable characters")
    return name


def save_grid(session: Session, text: str) -> Session:
    name = _name(text)
    kept = tuple(saved for saved in session.grids if saved.name != name)
    return replace(session, grids=(*kept, Named(name, session.grid)))


def use_grid(session: Session, text: str) -> Session:
    for saved in session.grids:
        if saved.name == text.strip():
            return clamped(replace(session, grid=saved.value))
    names = ", ".join(saved.name for saved in session.grids)
    raise EditError(f"no grid '{text.strip()[:40]}'" + (f": there are {names}" if names else ": none is saved yet"))


def save_comparison(session: Session, text: str, models: tuple[str, ...]) -> Session:
    name = _name(text)
    kept = tuple(saved for saved in session.comparisons if saved.name != name)
    return replace(session, comparisons=(*kept, Named(name, models)))


# Undo and redo -------------------------------------------------------------------------------------------------------


@record
class History:
    """The present session between what was and what was undone."""

    present: Session
    past: tuple[Session, ...] = ()
    future: tuple[Session, ...] = ()

    KEPT: ClassVar[int] = 200

    def edited(self, session: Session) -> "History":
        """One step forward; a step that changes nothing is none."""
        if with_view_of(session, self.present) == self.present:
            return self.seen(session)
        return History(session, (*self.past[-self.KEPT :], self.present))

    def seen(self, session: Session) -> "History":
        """The same document looked at from elsewhere."""
        return History(session, self.past, self.future)

    def undone(self) -> "History":
        if not self.past:
            raise EditError("nothing to undo")
        earlier = clamped(with_view_of(self.past[-1], self.present))
        return History(earlier, self.past[:-1], (self.present, *self.future))

    def redone(self) -> "History":
        if not self.future:
            raise EditError("nothing to redo")
        later = clamped(with_view_of(self.future[0], self.present))
        return History(later, (*self.past, self.present), self.future[1:])
