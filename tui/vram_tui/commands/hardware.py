"""`vram-tui hardware`: what runs this cell, ranked: cards, several cards, machines, instances for rent."""

from dataclasses import replace
from typing import Any

from vram_tui.commands.common import Parser, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.commands.options import given
from vram_tui.commands.ranking import first, read
from vram_tui.commands.workspace import Chosen, Workspace
from vram_tui.estimator.placing import (
    HARDWARE_SORTS,
    Offer,
    Placement,
    Placer,
    matches,
    rank_hardware,
    sort_placements,
)
from vram_tui.estimator.scenario import Scenario
from vram_tui.exporters.rankings import hardware_table, placement_json
from vram_tui.quantities import format_tokens


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="Hardware that runs a model, ranked.")
    parser.add_argument("model", metavar="MODEL", help="catalogue id or part of it, .gguf, config.json, folder")
    parser.add_argument("--kind", metavar="KIND", help="this kind alone: consumer, datacenter, apple, node, instance …")
    parser.add_argument("--vendor", metavar="NAME", help="this vendor alone")
    arguments = read(parser, argv, HARDWARE_SORTS, "price", "hold it")
    desk = workspace(arguments)
    options = given(vars(arguments))
    chosen = desk.choose(arguments.model, options.get("profile", "verified"))
    quant, ctx = str(options.get("quant", chosen.quant)), desk.context(chosen, options)
    scenario = desk.scenario(options)
    offered = _offers(desk, options.get("gpus"), arguments.kind, arguments.vendor)
    if not offered:
        raise NothingFoundError("no hardware of that kind and vendor")
    ranked = _ranked(chosen, quant, ctx, scenario, desk, offered)
    fitting = [one for one in ranked if one.fits]
    rows = sort_placements(ranked if arguments.all or not fitting else fitting, arguments.sort)
    shown = first(rows, arguments.limit)
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


def _ranked(
    chosen: Chosen, quant: str, ctx: int, scenario: Scenario, desk: Workspace, offered: list[Offer]
) -> tuple[Placement, ...]:
    """Every offer with the cell on it. Raises CommandError for an unknown format, NothingFoundError for a runtime that
    runs on none of them."""
    asked = replace(scenario, machine=None)
    try:
        ranked = rank_hardware(chosen.subject, quant, ctx, asked, desk.facts, offered)
    except KeyError:
        raise CommandError(f"no format '{quant[:40]}' (see vram-tui quants)", "quant") from None
    if not ranked:
        raise NothingFoundError(f"{scenario.runtime} runs on none of these")
    # What does not hold it spread evenly holds it in no way; the others are made exact.
    placer = Placer(chosen.subject, quant, ctx, asked, desk.facts)
    return tuple(placer.settle(one) if one.fits else one for one in ranked)


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
