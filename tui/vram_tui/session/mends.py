"""What would make a cell fit, each with its new total and the edit that does it."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from vram_tui.estimator.memory import MAX_TOKENS, Memory
from vram_tui.estimator.records import record
from vram_tui.quantities import format_tokens
from vram_tui.session import comparing, edits
from vram_tui.session.answers import Answers
from vram_tui.session.explaining import Asked, memory_of
from vram_tui.session.state import Row, Session

SMALLEST_UBATCH = 64
FULL_CACHES = ("f32", "f16", "bf16")


@record
class Goal:
    """What a cell should fit: the target machine, or the class below the cell's own."""

    name: str
    holds: Callable[[Memory, int], bool]
    largest: Callable[[Memory], int]


@record
class Mend:
    """One way to need less: the cell it leads to, its bytes on the devices, and whether they fit the goal."""

    title: str
    total_bytes: int
    fits: bool
    asked: Asked
    edit: Callable[[Session], Session]


def goal(answers: Answers, session: Session, asked: Asked) -> Goal:
    """The machine where one is set, else the nearest class below the cell's (the smallest for those in it)."""
    if asked.scenario.machine is not None:
        return Goal(
            session.target or "the machine",
            lambda memory, tokens: memory.fits(tokens) is True,
            lambda memory: memory.largest_ctx_usable() or 0,
        )
    found = memory_of(answers, asked)
    method = asked.scenario.method
    at = answers.tier(found.at(asked.tokens), method) if isinstance(found, Memory) and asked.tokens else 0
    tier = answers.facts.tiers[max(at - 1, 0)]
    limit = (tier.nominal_bytes if method == "bytes-per-weight" else tier.usable_bytes) or 0
    return Goal(tier.short, lambda memory, tokens: memory.at(tokens) <= limit, lambda memory: memory.largest_ctx(limit))


def largest_contexts(answers: Answers, asked: Asked) -> tuple[tuple[str, int, int], ...]:
    """Short name, limit in bytes and largest context in tokens of every class that has a limit."""
    memory = memory_of(answers, asked)
    if isinstance(memory, str):
        return ()
    nominal = asked.scenario.method == "bytes-per-weight"
    found = []
    for tier in answers.facts.tiers:
        limit = tier.nominal_bytes if nominal else tier.usable_bytes
        if limit is not None:
            found.append((tier.short, limit, memory.largest_ctx(limit)))
    return tuple(found)


def mends(answers: Answers, session: Session, asked: Asked) -> tuple[Mend, ...]:
    """The ways to need less than the cell does, those of one kind together; empty where there is no figure."""
    now = memory_of(answers, asked)
    if isinstance(now, str) or not asked.tokens:
        return ()
    aim = goal(answers, session, asked)
    total = now.at(asked.tokens)
    found: list[Mend] = []
    for title, other, edit in _ways(answers, session, asked, now, aim):
        memory = _at_point(answers, other)
        if memory is None:
            continue
        needs = memory.at(other.tokens)
        if needs < total and all(title != known.title for known in found):
            found.append(Mend(title, needs, aim.holds(memory, other.tokens), other, edit))
    return tuple(found)


def _at_point(answers: Answers, asked: Asked) -> Memory | None:
    """The memory at the context that is asked for alone; None where it is refused."""
    scenario = asked.scenario
    if scenario.method == "difference":
        scenario = replace(scenario, method="exact")
    try:
        return answers.at_point(asked.model, asked.row.asked, scenario, asked.tokens)
    except (ValueError, KeyError, NotImplementedError):
        return None


_Way = tuple[str, Asked, Callable[[Session], Session]]


def _ways(answers: Answers, session: Session, asked: Asked, now: Memory, aim: Goal) -> Iterator[_Way]:
    yield from _quantizations(answers, asked, now, aim)
    yield from _caches(answers, asked)
    seqs = asked.scenario.seqs
    for fewer in dict.fromkeys((seqs // 2, 1)):
        if 1 <= fewer < seqs:
            words = f"{fewer} sequence{'s' if fewer > 1 else ''} instead of {seqs}"
            yield _scenario_way(words, asked, "seqs", str(fewer), seqs=fewer)
    runtime = answers.facts.runtimes.get(asked.scenario.runtime)
    own = runtime.defaults.get("ubatch", 512) if runtime else 512
    ubatch = asked.scenario.ubatch or int(own)
    if ubatch // 2 >= SMALLEST_UBATCH:
        yield _scenario_way(f"ubatch {ubatch // 2}", asked, "ubatch", str(ubatch // 2), ubatch=ubatch // 2)
    yield from _contexts(answers, session, asked, now, aim)
    yield from _offloads(answers, asked, now, aim)


def _quantizations(answers: Answers, asked: Asked, now: Memory, aim: Goal) -> Iterator[_Way]:
    """The next smaller format that the runtime loads, and the largest one that fits."""
    formats = answers.facts.formats
    own = formats.get(asked.row.quant)
    kind = own.kind if own else "gguf"
    smaller = [
        form
        for form in sorted(formats.values(), key=lambda form: -form.bits_per_weight)
        if form.kind == kind
        and asked.scenario.runtime in form.runtimes
        and form.bits_per_weight < (asked.row.bits or now.weights.bits_per_weight)
        and (own is None or form.bits_per_weight < own.bits_per_weight)
    ]

    def with_format(form: Any) -> Asked:
        return replace(asked, row=Row(form.id, runtime=asked.row.runtime))

    def fits(form: Any) -> bool:
        memory = _at_point(answers, with_format(form))
        return memory is not None and aim.holds(memory, asked.tokens)

    chosen = smaller[:1]
    if smaller and not aim.holds(now, asked.tokens):
        at = bisect_left(smaller, True, key=fits)
        chosen += smaller[at : at + 1]
    for form in chosen:
        other = with_format(form)
        yield f"{form.id}", other, _row_edit(asked, other.row)


def _caches(answers: Answers, asked: Asked) -> Iterator[_Way]:
    scenario = asked.scenario
    if scenario.kv_k not in FULL_CACHES and scenario.kv_v not in FULL_CACHES:
        return
    for kind in ("q8_0", "fp8"):
        way = _scenario_way(f"{kind} cache", asked, "kv", kind, kv_k=kind, kv_v=kind)
        if isinstance(memory_of(answers, way[1]), Memory):
            yield way
            return


def _contexts(answers: Answers, session: Session, asked: Asked, now: Memory, aim: Goal) -> Iterator[_Way]:
    """The next smaller context of the grid, and the largest that fits."""
    shorter = [tokens for tokens in session.grid.contexts if 0 < tokens < asked.tokens]
    chosen = [max(shorter)] if shorter else []
    reach = aim.largest(now)
    if 0 < reach < asked.tokens:
        step = 1024 if reach >= 1024 else 256
        chosen.append(min(reach // step * step, MAX_TOKENS))
    for tokens in chosen:
        yield f"context {format_tokens(tokens)}", replace(asked, tokens=tokens), _context_edit(tokens)


def _offloads(answers: Answers, asked: Asked, now: Memory, aim: Goal) -> Iterator[_Way]:
    """Experts or layers left to the CPU, as few as make it fit; nothing where the runtime does not move any."""
    if aim.holds(now, asked.tokens) or asked.column is not None:
        return
    profile = answers.library.subject(asked.model).profile
    layers = profile.layer_count
    total = now.at(asked.tokens)

    def moved(**changes: Any) -> Memory | None:
        memory = _at_point(answers, replace(asked, scenario=replace(asked.scenario, **changes)))
        return memory if memory is not None and memory.at(asked.tokens) < total else None

    def fits_with(name: str, count: int) -> bool:
        value = layers - count if name == "ngl" else count
        memory = moved(**{name: value})
        return memory is not None and aim.holds(memory, asked.tokens)

    for name in ("n_cpu_moe", "ngl"):
        if name == "n_cpu_moe" and profile.experts < 2:
            continue
        if moved(**{name: 0 if name == "ngl" else layers}) is None:
            continue
        count = bisect_left(range(layers + 1), True, key=lambda count: fits_with(name, count))
        if count > layers:
            continue
        words = f"experts of {count} layers on the CPU" if name == "n_cpu_moe" else f"{count} layers on the CPU"
        value = count if name == "n_cpu_moe" else layers - count
        yield _scenario_way(words, asked, name, str(value), **{name: value})


def _scenario_way(title: str, asked: Asked, option: str, text: str, **changes: Any) -> _Way:
    other = replace(asked, scenario=replace(asked.scenario, **changes))
    if asked.column is not None:
        column = asked.column
        return title, other, lambda session: comparing.set_option(session, column, option, text)
    return title, other, lambda session: replace(session, scenario=replace(session.scenario, **changes))


def _row_edit(asked: Asked, row: Row) -> Callable[[Session], Session]:
    if asked.column is not None:
        column = asked.column
        return lambda session: comparing.set_quant(session, column, row.asked)

    def choose(session: Session) -> Session:
        rows = session.grid.rows
        if row in rows:
            return replace(session, row=rows.index(row))
        if len(rows) >= edits.MAX_ROWS:
            raise edits.EditError(f"{edits.MAX_ROWS} rows are as many as there can be")
        at = min(session.row + 1, len(rows))
        grid = replace(session.grid, rows=(*rows[:at], row, *rows[at:]))
        return replace(session, grid=grid, row=at)

    return choose


def _context_edit(tokens: int) -> Callable[[Session], Session]:
    def choose(session: Session) -> Session:
        contexts = session.grid.contexts
        if tokens in contexts:
            return replace(session, column=contexts.index(tokens))
        if len(contexts) >= edits.MAX_COLUMNS:
            raise edits.EditError(f"{edits.MAX_COLUMNS} columns are as many as there can be")
        at = next((index for index, other in enumerate(contexts) if other == 0 or other > tokens), len(contexts))
        grid = replace(session.grid, contexts=(*contexts[:at], tokens, *contexts[at:]))
        return replace(session, grid=grid, column=at)

    return choose
