"""`vram-tui hardware`: what runs this cell, ranked: cards, several cards, machines, instances for rent."""

from dataclasses import replace
from typing import Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.commands.options import add_options, given
from vram_tui.commands.workspace import Workspace
from vram_tui.estimator.placing import (
    HARDWARE_SORTS,
    Offer,
    Placement,
    Placer,
    matches,
    rank_hardware,
    sort_placements,
)
from vram_tui.exporters.rankings import hardware_table, placement_json
from vram_tui.quantities import format_tokens


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="Hardware that runs a model, ranked.")
    parser.add_argument("model", metavar="MODEL", help="catalogue id or part of it, .gguf, config.json, folder")
    parser.add_argument("--sort", default="price", metavar="KEY", help=f"by {', '.join(HARDWARE_SORTS)}")
    parser.add_argument("--kind", metavar="KIND", help="this kind alone: consumer, datacenter, apple, node, instance …")
    parser.add_argument("--vendor", metavar="NAME", help="this vendor alone")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N rows (20; 0: all)")
    parser.add_argument("--all", action="store_true", help="also what does not hold it")
    add_common(parser, formats=True)
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.sort not in HARDWARE_SORTS:
        raise CommandError(f"--sort: '{arguments.sort[:40]}' is not one of {', '.join(HARDWARE_SORTS)}", "sort")
    if arguments.limit < 0:
        raise CommandError("--limit must be at least 1, or 0 for all", "limit")
    desk = workspace(arguments)
    options = given(vars(arguments))
    chosen = desk.choose(arguments.model, options.get("profile", "verified"))
    quant, ctx = str(options.get("quant", chosen.quant)), desk.context(chosen, options)
    scenario = desk.scenario(options)
    offered = _offers(desk, options.get("gpus"), arguments.kind, arguments.vendor)
    if not offered:
        raise NothingFoundError("no hardware of that kind and vendor")
    try:
        asked = replace(scenario, machine=None)
        ranked = rank_hardware(chosen.subject, quant, ctx, asked, desk.facts, offered)
    except KeyError:
        raise CommandError(f"no format '{quant[:40]}' (see vram-tui quants)", "quant") from None
    if not ranked:
        raise NothingFoundError(f"{scenario.runtime} runs on none of these")
    # What does not hold it spread evenly holds it in no way; the others are made exact.
    placer = Placer(chosen.subject, quant, ctx, asked, desk.facts)
    ranked = tuple(placer.settle(one) if one.fits else one for one in ranked)
    fitting = [one for one in ranked if one.fits]
    rows = sort_placements(ranked if arguments.all or not fitting else fitting, arguments.sort)
    shown = rows[: arguments.limit] if arguments.limit else rows
    if arguments.json:
        print_json({
            "model": chosen.id, "quant": quant, "ctx": ctx, "runtime": scenario.runtime,
            "fitting": len(fitting), "hardware": [placement_json(one) for one in shown],
        })  # fmt: skip
    else:
        title = f"{chosen.name} · {quant} · {format_tokens(ctx)} · {scenario.runtime}"
        notes = _notes(ranked, fitting, shown)
        print_table(hardware_table(shown, title, chosen.native_tokens, arguments.units, notes), arguments)
    return 0 if fitting else 1


def _offers(desk: Workspace, gpus: str | None, kind: str | None, vendor: str | None) -> list[Offer]:
    """The catalogue's hardware; with `--gpus` that machine alone."""
    if gpus is not None:
        machine = desk.machine(gpus)
        if not machine.devices:
            raise CommandError("--gpus names no device: this ranking is about devices (see vram-tui fits cpu)", "gpus")
        return [Offer(gpus, machine.devices[0].kind, machine)]
    from vram_tui.catalog.offers import offers

    return [one for one in offers(desk.catalog.hardware) if matches(one, kind or "", vendor or "")]


def _notes(ranked: Any, fitting: list[Placement], shown: Any) -> tuple[str, ...]:
    found = [f"{len(fitting)} of {len(ranked)} hold it, {len(shown)} shown; memory is that of the fullest device"]
    if any(one.machine.price_usd_hour is not None for one in shown):
        found.append("prices by the hour are for the whole instance")
    return tuple(found)
