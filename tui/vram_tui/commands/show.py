"""`vram-tui show` and `vram-tui grid`: the spec sheet, and quantizations over contexts."""

from typing import TYPE_CHECKING, Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options, given
from vram_tui.commands.tables import grid_table, spec_table
from vram_tui.commands.workspace import Chosen, Workspace
from vram_tui.quantities import parse_tokens

if TYPE_CHECKING:
    from vram_tui.estimator.memory import Memory
    from vram_tui.estimator.scenario import Scenario


def run(name: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"vram-tui {name}",
        description="Spec sheet and requirements grid." if name == "show" else "The requirements grid.",
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--quant", metavar="Q,..", help="rows; default: those of a first start")
    parser.add_argument("--ctx", metavar="C,..", help="columns; default: 1K,8K,32K,128K and the native context")
    add_common(parser, formats=True)
    add_options(parser, leave_out=("quant", "ctx"))
    arguments = parser.parse_args(argv)
    desk = workspace(arguments)
    options = given({key: value for key, value in vars(arguments).items() if key not in ("quant", "ctx")})
    chosen = desk.choose(arguments.model, options.get("profile", "verified"))
    scenario = desk.scenario(options)
    contexts = contexts_of(arguments.ctx, chosen)
    rows = [(quant, compiled(desk, chosen, quant, scenario)) for quant in _quants(arguments.quant, chosen)]
    nominal = scenario.method != "exact"
    if arguments.json:
        answer = _json(desk, chosen, rows, contexts, nominal)
        print_json({**_sheet(desk, chosen), **answer} if name == "show" else answer)
        return 0
    if name == "show" and _known(desk, chosen):
        print_table(_spec(desk, chosen), arguments)
        print()
    print_table(grid_table(chosen, rows, contexts, desk.facts, arguments.units, nominal=nominal), arguments)
    return 0


def compiled(desk: Workspace, chosen: Chosen, quant: str, scenario: "Scenario") -> "Memory | str":
    """The compiled memory, or the sentence of its refusal. Raises CommandError for an unknown format."""
    from vram_tui.estimator.refusals import Refusal

    try:
        return desk.memory(chosen, quant, scenario)
    except Refusal as refusal:
        return str(refusal)
    except KeyError:
        raise CommandError(f"no format '{quant[:40]}' (see vram-tui quants)", "quant") from None


def _quants(text: str | None, chosen: Chosen) -> list[str]:
    if text:
        return [part.strip() for part in text.split(",") if part.strip()]
    from vram_tui.session.state import DEFAULT_GRID

    rows = [row.quant for row in DEFAULT_GRID.rows]
    return rows if chosen.quant in rows else [chosen.quant, *rows]


def contexts_of(text: str | None, chosen: Chosen) -> list[int]:
    """The contexts that a person lists, else the usual ones up to the native one."""
    if text:
        try:
            return [parse_tokens(part) for part in text.split(",") if part.strip()]
        except ValueError as error:
            raise CommandError(f"--ctx: {error}", "ctx") from None
    native = chosen.native_tokens
    usual = [tokens for tokens in (1 << 10, 8 << 10, 32 << 10, 128 << 10) if not native or tokens < native]
    return [*usual, native] if native else usual


def _json(
    desk: Workspace, chosen: Chosen, rows: list[tuple[str, Any]], contexts: list[int], nominal: bool
) -> dict[str, Any]:
    grid: list[dict[str, Any]] = []
    for quant, memory in rows:
        if isinstance(memory, str):
            grid.append({"quant": quant, "refused": memory})
            continue
        cells = [
            {
                "ctx": ctx,
                "total_bytes": memory.at(ctx),
                "tier": desk.facts.tier_of(memory.at(ctx), nominal=nominal).id,
                "fits": memory.fits(ctx),
            }
            for ctx in contexts
        ]
        grid.append({"quant": quant, "bits_per_weight": memory.weights.bits_per_weight, "cells": cells})
    return {"model": chosen.id, "contexts": contexts, "grid": grid}


def _known(desk: Workspace, chosen: Chosen) -> bool:
    return any(row.id == chosen.id for row in desk.catalog.entries)


def _spec(desk: Workspace, chosen: Chosen) -> Any:
    entry = desk.catalog.entry(chosen.id)
    return spec_table(entry, specifications_of(desk, chosen))


def specifications_of(desk: Workspace, chosen: Chosen) -> list[tuple[str, str, str]]:
    """Label, verified value, published value where it differs."""
    from vram_tui.session.specs import facts_of, headline_of

    entry = desk.catalog.entry(chosen.id)
    facts = (*headline_of(entry, desk.catalog.summary(chosen.id)), *facts_of(entry))
    return [(fact.label, fact.value, fact.published) for fact in facts]


def _sheet(desk: Workspace, chosen: Chosen) -> dict[str, Any]:
    if not _known(desk, chosen):
        return {}
    entry = desk.catalog.entry(chosen.id)
    return {
        "name": entry.name,
        "family": entry.family,
        "vendor": entry.vendor,
        "license": entry.license,
        "released": entry.released.isoformat() if entry.released else None,
        "modalities": list(entry.modalities),
        "tags": list(entry.tags),
        "about": entry.about,
        "evidence": entry.evidence,
        "partial_fields": list(entry.partial_fields),
        "context_native": entry.context_native or None,
        "specifications": [
            {"fact": label, "value": value, "published": published or None}
            for label, value, published in specifications_of(desk, chosen)
        ],
        "sources": list(entry.sources),
    }
