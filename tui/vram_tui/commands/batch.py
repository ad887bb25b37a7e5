"""JSON Lines in, JSON Lines out: every line answered in its place, many of them on all cores."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vram_tui.commands.common import workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import BY_FIELD, given
from vram_tui.commands.workspace import Workspace
from vram_tui.exporters.json_text import escaped

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

LINE_LIMIT_CHARS = 1 << 20
READ_BYTES = 1 << 20
KEPT_BYTES = 4 * LINE_LIMIT_CHARS + 4
"""Of a line that does not end: enough to be too long, whatever its characters are."""
SHARED_FROM_LINES = 200
"""Lines that have to wait at once before other processes are worth their start."""
CHUNK_LINES = 25
_OTHER_FIELDS = frozenset({"id", "model"})


def answer_batch(arguments: argparse.Namespace, source: str) -> None:
    """Answer the lines of a file, or of the standard input (`-`) as they come. Raises OSError of the file."""
    if source == "-":
        _print_answers(arguments, sys.stdin.buffer)
    else:
        with Path(source).expanduser().open("rb") as stream:
            _print_answers(arguments, stream)


def _print_answers(arguments: argparse.Namespace, stream: IO[bytes]) -> None:
    desk, pool = workspace(arguments), None
    try:
        for lines in _waiting_lines(stream):
            if len(lines) >= SHARED_FROM_LINES and _cores() > 1:
                pool = pool or _processes(arguments)
                for found in pool.map(_answer_chunk, _chunks(lines)):
                    print(found)
            else:
                for answer in answers(desk, lines):
                    print(_written(answer))
            sys.stdout.flush()
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def answers(desk: Workspace, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One object per line that is not blank: the estimate, or what is wrong with the line and its field."""
    for line in lines:
        if line.strip():
            yield _answer(desk, line)


def _waiting_lines(stream: IO[bytes]) -> Iterator[list[str]]:
    """The whole lines that are there, without waiting for more: who sends one line gets its answer at once."""
    rest = b""
    while piece := stream.read1(READ_BYTES) if hasattr(stream, "read1") else stream.read():
        *whole, rest = (rest + piece).split(b"\n")
        rest = rest[:KEPT_BYTES]
        if lines := [line.decode(errors="replace") for line in whole if line.strip()]:
            yield lines
    if rest.strip():
        yield [rest.decode(errors="replace")]


def _chunks(lines: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(lines[start : start + CHUNK_LINES]) for start in range(0, len(lines), CHUNK_LINES))


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


_desk: Workspace | None = None
"""Of a helping process."""


def _processes(arguments: argparse.Namespace) -> "ProcessPoolExecutor":
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(_cores(), initializer=_start, initargs=(arguments,))


def _start(arguments: argparse.Namespace) -> None:
    global _desk
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _desk = workspace(arguments)


def _answer_chunk(lines: tuple[str, ...]) -> str:
    assert _desk is not None
    return "\n".join(map(_written, answers(_desk, lines)))


def _written(answer: dict[str, Any]) -> str:
    """One line of JSON that every reader takes and no terminal acts on."""
    try:
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # an identity such as 1e999, which JSON cannot hold
        return _written({**answer, "id": None})
    return text if text.isprintable() else escaped(text)


def _answer(desk: Workspace, line: str) -> dict[str, Any]:
    identity: Any = None
    try:
        request = _request(line)
        identity = request.get("id")
        unknown = [field for field in request if field not in BY_FIELD and field not in _OTHER_FIELDS]
        if unknown:
            raise CommandError(f"unknown field '{unknown[0][:60]}'; known are {', '.join(BY_FIELD)}", unknown[0][:60])
        model = request.get("model")
        if not isinstance(model, str | dict) or not model:
            raise CommandError("must be a model id, a path or a configuration object", "model")
        return {"id": identity, **desk.answer(model, given(request)).to_json()}
    except CommandError as error:
        return {"id": identity, "error": str(error), "field": error.field}
    except (ValueError, OSError, KeyError) as error:
        return {"id": identity, "error": str(error), "field": getattr(error, "field", "")}


def _request(line: str) -> dict[str, Any]:
    if len(line) > LINE_LIMIT_CHARS:
        raise CommandError(f"the line is longer than {LINE_LIMIT_CHARS:,} characters", "")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"the line is no JSON: {error}", "") from None
    if not isinstance(request, dict):
        raise CommandError("the line is no JSON object", "")
    return request
