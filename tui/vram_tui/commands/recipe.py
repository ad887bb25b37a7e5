"""`vram-tui recipe`: the commands that start a cell on a machine, or why it does not fit there and what would."""

from typing import Any

from vram_tui.commands.common import Parser, add_common, print_json, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options, given
from vram_tui.exporters.recipes.launch import Cell, Launch, launch, nearest
from vram_tui.text import safe


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="The commands that start a model on a machine.")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument(
        "--on", metavar="HARDWARE", help="the machine: 4090, 2x rtx-3090, 8xh200, 24GiB, a node, cpu, local"
    )
    add_common(parser)
    add_options(parser)
    arguments = parser.parse_args(argv)
    desk = workspace(arguments)
    options = given(_with_machine(vars(arguments)))
    chosen = desk.choose(arguments.model, options.get("profile", "verified"))
    quant = str(options.get("quant", chosen.quant))
    cell = Cell(chosen.subject, chosen.name, quant, desk.context(chosen, options), desk.scenario(options))
    try:
        found = launch(cell, desk.facts)
        instead = nearest(cell, desk.facts) if found.fits is False else ()
    except KeyError:
        raise CommandError(f"no format '{quant[:40]}' (see vram-tui quants)", "quant") from None
    if found.recipe is None and found.fits is None:
        raise CommandError(found.reason, "quant")
    if arguments.json:
        print_json(_json(cell, found, instead))
    elif found.fits is False:
        _print_reason(cell, found, instead)
    elif found.recipe:
        print(found.recipe.text, end="")
    return 1 if found.fits is False else 0


def _with_machine(values: dict[str, Any]) -> dict[str, Any]:
    """`--on` is this command's word for `--gpus`. Raises CommandError where both are given and differ."""
    on, gpus = values.get("on"), values.get("gpus")
    if on and gpus and on != gpus:
        raise CommandError("--on and --gpus name two machines; give one of them", "on")
    return {**values, "gpus": on or gpus}


def _print_reason(cell: Cell, found: Launch, instead: tuple[tuple[str, Cell], ...]) -> None:
    machine = cell.scenario.machine
    print(safe(f"does not fit on {machine.name if machine else 'this machine'}: {found.reason}", 2000))
    for words, _ in instead:
        print(safe(f"would fit: {words}"))


def _json(cell: Cell, found: Launch, instead: tuple[tuple[str, Cell], ...]) -> dict[str, Any]:
    machine = cell.scenario.machine
    shown = found.recipe if found.fits is not False else None
    return {
        "model": cell.subject.id,
        "quant": cell.quant,
        "ctx": cell.ctx,
        "runtime": cell.scenario.runtime,
        "on": machine.name if machine else None,
        "fits": found.fits,
        "reason": found.reason or None,
        "plan": found.plan or None,
        "used_bytes": found.used_bytes,
        "usable_bytes": found.usable_bytes,
        "largest_ctx": found.largest_ctx,
        "steps": [_step(step) for step in shown.steps] if shown else [],
        "notes": list(shown.notes) if shown else [],
        "nearest": [_near(words, other) for words, other in instead],
    }


def _step(step: Any) -> dict[str, str]:
    return {"comment": step.comment, "command": step.command, "language": step.language}


def _near(words: str, other: Cell) -> dict[str, Any]:
    machine = other.scenario.machine
    return {
        "words": words,
        "quant": other.quant,
        "ctx": other.ctx,
        "kv": _pair(other.scenario.kv_k, other.scenario.kv_v),
        "ngl": other.scenario.ngl,
        "on": machine.name if machine else None,
    }


def _pair(k: str, v: str) -> str:
    return k if k == v else f"{k}:{v}"
