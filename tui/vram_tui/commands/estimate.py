"""`vram-tui estimate`: one cell term by term, or JSON Lines in and out."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import BY_FIELD, add_options, given
from vram_tui.commands.tables import estimate_table
from vram_tui.commands.workspace import Workspace
from vram_tui.estimator.estimate import Estimate

LINE_LIMIT_CHARS = 1 << 20
_OTHER_FIELDS = frozenset({"id", "model"})


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="One cell of the grid, term by term.")
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="catalogue id or part of it, .gguf, config.json, folder"
    )
    parser.add_argument("--batch", metavar="FILE", help="JSON Lines in (`-`: standard input), JSON Lines out")
    add_common(parser)
    add_options(parser)
    arguments = parser.parse_args(argv)
    desk = workspace(arguments)
    if arguments.batch:
        if arguments.model:
            raise CommandError("--batch takes its models from the lines; leave MODEL out", "model")
        return _batch(desk, arguments.batch)
    if not arguments.model:
        raise CommandError("give a MODEL, or --batch FILE", "model")
    options = given(vars(arguments))
    answer = answer_one(desk, arguments.model, options)
    if arguments.json:
        print_json(answer.to_json())
    else:
        print_table(estimate_table(answer, desk.facts, arguments.units), arguments)
    return 1 if answer.fits is False else 0


def answer_one(desk: Workspace, model: str | Mapping[str, Any], options: Mapping[str, Any]) -> Estimate:
    """The estimate that a command line or a batch line asks for."""
    chosen = desk.choose(model, options.get("profile", "verified"))
    scenario = desk.scenario(options)
    return desk.cell(chosen, options.get("quant", chosen.quant), desk.context(chosen, options), scenario)


def _batch(desk: Workspace, source: str) -> int:
    if source == "-":
        _answer_lines(desk, sys.stdin)
    else:
        with Path(source).expanduser().open(encoding="utf-8", errors="replace") as lines:
            _answer_lines(desk, lines)
    return 0


def _answer_lines(desk: Workspace, lines: Iterable[str]) -> None:
    for answer in answers(desk, lines):
        print(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


def answers(desk: Workspace, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One object per line that is not blank: the estimate, or what is wrong with the line and its field."""
    for line in lines:
        if line.strip():
            yield _answer(desk, line)


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
        return {"id": identity, **answer_one(desk, model, given(request)).to_json()}
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
