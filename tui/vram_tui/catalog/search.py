"""The query language of the model list: words that match loosely, and conditions such as `>30b` or `ctx>=128k`."""

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from vram_tui.catalog.summaries import Summary
from vram_tui.estimator.records import record
from vram_tui.estimator.units import GB, GIB, MIB

Memory = Callable[[str], int | None]
Test = Callable[[Summary, Memory | None], bool]

_TOKEN = re.compile(r'(-?)([A-Za-z]+:)?"([^"]*)"|(\S+)')
_COMPARISON = re.compile(r"([a-z]*)(<=|>=|<|>|=)(.*)")
_NUMBER = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?)([a-z]*)")
_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
_COUNTS = {"k": 1e3, "m": 1e6, "b": 1e9, "": 1e9, "t": 1e12}
_MEMORY = {"gib": GIB, "gb": GB, "mib": MIB, "g": GIB, "tib": GIB << 10, "tb": GB * 1000}
_TOKENS = {"": 1, "k": 1 << 10, "m": 1 << 20}

_FIELDS: dict[str, Callable[[Summary], Sequence[str]]] = {
    "licence": lambda row: (row.license,),
    "license": lambda row: (row.license,),
    "vendor": lambda row: (row.vendor,),
    "family": lambda row: (row.family,),
    "tag": lambda row: row.tags,
    "by": lambda row: (row.vendor, row.id.partition("/")[0]),
    "kind": lambda row: (row.kind,),
    "modality": lambda row: row.modalities,
    "id": lambda row: (row.id,),
    "name": lambda row: (row.name,),
}
_WORDS: dict[str, Test] = {
    "moe": lambda row, _: "MoE" in row.kind,
    "dense": lambda row, _: row.kind == "dense",
    "hybrid": lambda row, _: row.kind.startswith("hybrid"),
    "recurrent": lambda row, _: row.kind == "recurrent",
    "partial": lambda row, _: row.partial,
    "own": lambda row, _: row.own,
}


class Term(NamedTuple):
    """One part of a query that a model must meet."""

    test: Test
    negated: bool = False


@record
class Query:
    """A query, read. `problems` are sentences about parts that mean nothing yet; they are left out."""

    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    problems: tuple[str, ...] = ()


def parse_query(text: str) -> Query:
    """Any text is a query: what cannot be read is a problem, never an error."""
    words: list[str] = []
    without: list[str] = []
    terms: list[Term] = []
    problems: list[str] = []
    for match in _TOKEN.finditer(text[:500]):
        minus, field, quoted, bare = match.groups()
        token = bare if bare is not None else (field or "") + quoted
        negated = bool(minus) or (bare is not None and len(token) > 1 and token.startswith("-"))
        token = token.lstrip("-").casefold() if negated else token.casefold()
        if not token:
            continue
        try:
            test = _named_family(quoted) if field == "family:" and quoted else _test(token)
        except ValueError as error:
            problems.append(str(error))
            continue
        if test is not None:
            terms.append(Term(test, negated))
        else:
            (without if negated else words).append(token)
    return Query(tuple(words), tuple(without), tuple(terms), tuple(problems))


def _named_family(name: str) -> Test:
    """A family in quotes is that family alone, not every one whose name holds the word."""
    wanted = name.casefold()
    return lambda row, _: row.family.casefold() == wanted


def _test(token: str) -> Test | None:
    if token in _WORDS:
        return _WORDS[token]
    name, colon, value = token.partition(":")
    if colon and name in _FIELDS:
        if not value:
            raise ValueError(f"{name}: wants a word, such as {name}:{'mit' if name.startswith('licen') else 'qwen'}")
        return _field_test(_FIELDS[name], value)
    comparison = _COMPARISON.fullmatch(token)
    return _comparison(*comparison.groups()) if comparison else None


def _field_test(read: Callable[[Summary], Sequence[str]], value: str) -> Test:
    wanted = value.replace("-", "").replace(" ", "")
    return lambda row, _: any(wanted in one.casefold().replace("-", "").replace(" ", "") for one in read(row))


def _comparison(name: str, sign: str, value: str) -> Test:
    compare = _OPERATORS[sign]
    if name in ("released", "year", "date"):
        return _released(sign, value)
    number = _NUMBER.fullmatch(value)
    if not number:
        raise ValueError(f"{name}{sign} wants a number, such as >30b, <=24gib or ctx>=128k")
    amount, unit = float(number[1].replace(",", "").replace("_", "")), number[2]
    if name in ("ctx", "context"):
        tokens = amount * _unit(unit, _TOKENS, "tokens: 4096, 128k or 1m")
        return lambda row, _: row.context > 0 and compare(row.context, tokens)
    if name in ("mem", "memory", "vram") or (not name and unit in _MEMORY):
        limit = amount * _unit(unit or "gib", _MEMORY, "memory: 24gib or 24gb")
        return lambda row, memory: _memory_holds(row, memory, compare, limit)
    if name in ("", "params", "parameters", "active"):
        count = amount * _unit(unit, _COUNTS, "parameters: 500m, 30b or 1t")
        return (
            (lambda row, _: compare(row.active, count))
            if name == "active"
            else lambda row, _: compare(row.parameters, count)
        )
    raise ValueError(f"{name[:20]} cannot be compared: params, active, ctx, memory and released can")


def _unit(unit: str, known: dict[str, float] | dict[str, int], words: str) -> float:
    if unit not in known:
        raise ValueError(f"{unit[:20]} is no unit of {words}")
    return float(known[unit])


def _memory_holds(row: Summary, memory: Memory | None, compare: Callable[[float, float], bool], limit: float) -> bool:
    found = memory(row.id) if memory else None
    return found is not None and compare(found, limit)


def _released(sign: str, value: str) -> Test:
    parts = value.split("-")
    if not all(part.isdigit() for part in parts) or not 1 <= len(parts) <= 3:
        raise ValueError("released wants a date: 2025, 2025-06 or 2025-06-30")
    wanted, compare = tuple(int(part) for part in parts), _OPERATORS[sign]
    return lambda row, _: row.released is not None and compare(_cut(row.released, len(wanted)), wanted)


def _cut(when: date, parts: int) -> tuple[int, ...]:
    return (when.year, when.month, when.day)[:parts]


class Searcher:
    """Rows with their text made ready once: a keystroke is a scan over a few hundred short strings."""

    def __init__(self, rows: Sequence[Summary]) -> None:
        self._rows = tuple(rows)
        self._texts = tuple(
            (
                row.name.casefold(),
                _squashed(f"{row.name}\n{row.id}"),
                "\n".join((row.name, row.id, row.family, row.vendor, " ".join(row.tags), row.kind)).casefold(),
            )
            for row in rows
        )

    def search(self, text: str, memory: Memory | None = None) -> tuple[Summary, ...]:
        """Rows that meet every part of the query: in their own order without words, else best match first."""
        query = parse_query(text)
        found: list[tuple[float, int, Summary]] = []
        patterns = [(word, _squashed(word), _loose(word)) for word in query.words]
        for index, (row, (name, squashed, everything)) in enumerate(zip(self._rows, self._texts, strict=True)):
            score = 0.0
            for word, joined, loose in patterns:
                one = _score(word, name, everything) or (4.0 if joined and joined in squashed else 0.0)
                one = one or (1.0 if len(word) > 1 and loose.search(name) else 0.0)
                if not one:
                    break
                score += one
            else:
                if any(word in everything for word in query.without):
                    continue
                if all(term.test(row, memory) is not term.negated for term in query.terms):
                    found.append((-score, index, row))
        if query.words:
            found.sort()
        return tuple(row for _, _, row in found)


def _loose(word: str) -> re.Pattern[str]:
    """The letters in order with a few others between them, starting at the start of a word."""
    return re.compile(r"(?:^|[\s\-./(])" + r"[^\n]{0,6}?".join(map(re.escape, word[:40])))


def _squashed(text: str) -> str:
    return text.casefold().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", " -_./()")


def _score(word: str, name: str, everything: str) -> float:
    """How well a word is met as it stands; 0 where it is not."""
    place = name.find(word)
    if place < 0:
        return 3.0 if word in everything else 0.0
    near = len(word) / (len(name) + 1)
    if place == 0:
        return 10.0 + near
    return (8.0 if not name[place - 1].isalnum() else 6.0) + near
