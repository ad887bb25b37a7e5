"""`vram-tui fits`: what a machine runs, ranked; the machine is the one at hand unless another is named."""

import argparse
from typing import Any

from vram_tui.commands.common import Parser, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.commands.options import given
from vram_tui.commands.ranking import first, read
from vram_tui.commands.workspace import Workspace
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.fits import DEFAULT_FORMATS, MODEL_SORTS, Fitter, sort_fits
from vram_tui.estimator.scenario import Scenario
from vram_tui.exporters.rankings import fit_json, fits_table
from vram_tui.quantities import format_tokens

DEFAULT_CTX = 8192


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="What a machine runs, each model in its best format.")
    parser.add_argument(
        "hardware", nargs="*", metavar="HARDWARE", help="2x rtx-3090, 24GiB, a node, cpu; this machine if left out"
    )
    parser.add_argument("--filter", default="", metavar="WORDS", help="models that match: '>30b moe licence:mit'")
    parser.add_argument("--kind", metavar="KIND", help="this kind alone: Dense, MoE …")
    parser.add_argument("--vendor", metavar="NAME", help="models of this vendor alone")
    arguments = read(parser, argv, MODEL_SORTS, "parameters", "fit")
    desk = workspace(arguments)
    options = given(vars(arguments))
    machine, notes = _machine(desk, " ".join(arguments.hardware), options)
    subjects = _subjects(desk, arguments)
    if not subjects:
        raise NothingFoundError("no models match")
    scenario = desk.scenario({key: value for key, value in options.items() if key != "gpus"})
    ctx = int(options.get("ctx", DEFAULT_CTX))
    fitter = _fitter(options, ctx, scenario, machine, desk)
    found = [fitter.settle(subject, fitter.fit(subject)) for subject in subjects]
    # What a machine of unknown RAM would have to leave there is no fit yet.
    kept = ("fits", "tight", "offload") if machine.host_ram_bytes is not None else ("fits", "tight")
    fitting = [one for one in found if one.fit in kept]
    rows = sort_fits(found if arguments.all else fitting, arguments.sort)
    shown = first(rows, arguments.limit)
    if arguments.json:
        print_json({
            "hardware": machine.name, "usable_bytes": machine.usable_bytes, "ctx": ctx, "runtime": scenario.runtime,
            "fitting": len(fitting), "notes": list(notes), "models": [fit_json(one) for one in shown],
        })  # fmt: skip
    else:
        title = f"{machine.name} · {format_tokens(ctx)} · {scenario.runtime}"
        head = f"{len(fitting)} of {len(found)} models fit, {len(shown)} shown"
        print_table(fits_table(shown, title, arguments.units, (head, *notes)), arguments)
    return 0 if fitting else 1


def _fitter(options: dict[str, Any], ctx: int, scenario: Scenario, machine: Machine, desk: Workspace) -> Fitter:
    quants = (options["quant"],) if "quant" in options else DEFAULT_FORMATS
    try:
        return Fitter(quants, ctx, scenario, machine, desk.facts)
    except KeyError as unknown:
        raise CommandError(f"no format '{str(unknown.args[0])[:40]}' (see vram-tui quants)", "quant") from None


def _machine(desk: Workspace, text: str, options: dict[str, Any]) -> tuple[Machine, tuple[str, ...]]:
    """The machine that was named, or the one at hand with what could not be read of it."""
    named = text or options.get("gpus", "")
    if text and options.get("gpus", text) != text:
        raise CommandError("HARDWARE and --gpus name two machines; give one of them", "gpus")
    if named and named.lower() not in ("local", "here"):
        return desk.machine(named), ()
    from vram_tui.hardware.detect import detect

    found = detect(desk.catalog.hardware)
    notes = tuple(f"{note.reader}: {note.text}" for note in found.notes)
    if not found.machine.devices and not found.machine.host_ram_bytes:
        raise CommandError("neither a GPU nor the size of the RAM could be read: name the hardware", "gpus")
    return found.machine, notes


def _subjects(desk: Workspace, arguments: argparse.Namespace) -> list[Any]:
    def same(wanted: str | None, value: str) -> bool:
        return wanted is None or wanted.casefold() in value.casefold()

    rows = desk.catalog.search(arguments.filter) if arguments.filter else desk.catalog.entries
    kept = [row for row in rows if same(arguments.kind, row.kind) and same(arguments.vendor, row.vendor)]
    return [desk.catalog.subject(row.id) for row in kept]
