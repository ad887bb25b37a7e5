"""`docs/command-line.md`: every command, its arguments and options, from the parsers that read them."""

import argparse
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any
from unittest.mock import patch

from scripts.writing import code, document, table

from vram_tui.cli import COMMANDS
from vram_tui.commands import dashboard
from vram_tui.commands.common import Parser
from vram_tui.commands.options import OPTIONS, Option
from vram_tui.estimator.scenario import DEFAULT_QUANT, Scenario

INTRODUCTION = """
`vram-tui` alone opens the dashboard. Each of its answers is also a command: a table as wide as the terminal for people,
`--json` for programs. Nothing is coloured when the output goes into a pipe, and sizes in JSON are whole bytes.

| exit code | meaning |
| --- | --- |
| 0 | answered, and it fits where that was asked |
| 1 | answered: it does not fit |
| 2 | bad usage or bad input; one line on the error output says what, where, and how to mend it |
| 3 | found nothing |

A MODEL is an id of the catalogue or an unambiguous part of one (`glm-5.1`), or a path: a `.gguf` file (any part of a
split set), a `config.json`, a `.safetensors` file, a folder that holds a model. A HARDWARE is an accelerator or a node
(`4090`, `mi300x`), a number of them (`2x rtx-3090`, `8xh200`), a sum (`rtx-4090+rtx-3090`), a size (`24GiB`), `cpu`, or
`local` for the machine it runs on. Tokens may be written as `32768`, `32K` or `1M`; K is 1,024.
"""

SHARED = """
These belong to every command that estimates. The same names, with `_` for `-`, are the fields of a line for
`estimate --batch`: `{"id": 1, "model": "glm-5.1", "quant": "Q4_K_M", "ctx": "128K", "kv_unified": false}`.
"""

BATCH = """
`vram-tui estimate --batch FILE` (or `-`) reads JSON Lines and answers each with one line: the object that
`estimate --json` prints, with the `id` it was given. `model` may also be a whole Hugging Face configuration. A bad line
is answered with `{"id": …, "error": "…", "field": "…"}` in its place, and the rest goes on.
"""

WORDS = {"model": "catalogue id or part of it, or a path", "shell": "your shell"}
"""For arguments that explain themselves on the command line."""

COMMON = {"help", "json", "units", "markdown", "csv", "catalog"}


class _Stopped(Exception):  # noqa: N818 - ends a run once its parser is known
    """Carries the parser of a command out of it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser that a command reads its arguments with."""

    def stop(self: argparse.ArgumentParser, argv: Sequence[str]) -> Any:
        raise _Stopped(self)

    module = import_module(f"vram_tui.commands.{COMMANDS[name][0]}")
    with patch.object(Parser, "parse_args", stop):
        try:
            module.run(name, [])
        except _Stopped as stopped:
            return stopped.parser
    raise AssertionError(f"{name} reads no arguments")


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest != "help"]


def _shown(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(action.metavar if isinstance(action.metavar, str) else action.dest)
    names = [name for name in action.option_strings if not name.startswith("--no-")] or action.option_strings
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return code(names[-1] + value)


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.metavar if isinstance(action.metavar, str) else action.dest.upper()


def _synopsis(name: str, parser: argparse.ArgumentParser) -> str:
    words = ["vram-tui", name] if name else ["vram-tui"]
    for action in _actions(parser):
        if not action.option_strings:
            word = _value(action)
            several = " …" if action.nargs in ("+", "*") else ""
            words.append(f"[{word}{several}]" if action.nargs in ("?", "*") else word + several)
    return code(" ".join([*words, "[options]"]))


def _rows(parser: argparse.ArgumentParser, leave_out: set[str]) -> Iterator[tuple[str, str]]:
    for action in _actions(parser):
        if action.dest not in leave_out:
            yield (
                _shown(action),
                (action.help or WORDS.get(action.dest, "")).replace("%(default)s", str(action.default)),
            )


def _command(name: str, parser: argparse.ArgumentParser) -> list[str]:
    estimates = any(action.dest == "runtime" for action in parser._actions)
    shared = {option.field for option in OPTIONS}
    own = {action.dest for action in _actions(parser) if "Q,.." in str(action.metavar) or "C,.." in str(action.metavar)}
    rows = list(_rows(parser, (shared - own if estimates else set()) | (COMMON if name else set())))
    summary = COMMANDS[name][1] if name else "the screens, driven from the keyboard"
    lines = [f"## {name or 'vram-tui'}", "", summary[:1].upper() + summary[1:].rstrip(".") + ".", ""]
    lines += [_synopsis(name, parser), ""]
    if rows:
        lines += [*table(("argument", "meaning"), rows), ""]
    also = [code(f"--{name}") for name in ("json", "markdown", "csv", "units", "catalog") if _has(parser, name)]
    if name and also:
        lines.append(f"Also {', '.join(also)}{', and the options of an estimate' if estimates else ''}.")
    return lines


def _has(parser: argparse.ArgumentParser, dest: str) -> bool:
    return any(action.dest == dest for action in parser._actions)


def _default(option: Option) -> str:
    if option.name == "quant":
        return f"the file's own; {code(DEFAULT_QUANT)}"
    if option.name == "ctx":
        return "the model's native context"
    if option.name == "kv":
        return code(Scenario().kv_k)
    value = getattr(Scenario(), option.scenario, None) if option.scenario else None
    if value is None or value == ():
        return "the runtime's" if option.scenario in RUNTIME_S else ""
    return ("on" if value else "off") if isinstance(value, bool) else code(f"{value:g}" if option.flag else str(value))


RUNTIME_S = {"ubatch", "gpu_memory_utilization", "mem_fraction_static", "max_batched_tokens"}


def _option(option: Option) -> tuple[str, str, str]:
    shown = f"--{option.name}, --no-{option.name}" if option.flag else f"--{option.name} {option.metavar}"
    choices = f": {', '.join(map(code, option.choices))}" if option.choices else ""
    return code(shown), option.help + choices, _default(option)


def page() -> str:
    commands = [_command(name, parser_of(name)) for name in COMMANDS]
    output = [
        "## Output, for all commands",
        "",
        *table(
            ("option", "meaning"),
            [(_shown(action), str(action.help)) for action in _actions(parser_of("show")) if action.dest in COMMON],
        ),
    ]
    shared = ["## Options of an estimate", "", SHARED.strip(), ""]
    shared += table(("option", "meaning", "default"), map(_option, OPTIONS))
    return document(
        "Command line",
        [INTRODUCTION.strip()],
        _command("", dashboard.parser()),
        *commands,
        output,
        shared,
        ["## Many at once", "", BATCH.strip()],
    )
