"""Estimates and grids as tables: one cell term by term, rows of quantizations over contexts, the spec sheet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vram_tui.exporters.table import Cell, Column, Mark, Table, nothing, number, words
from vram_tui.quantities import format_memory, format_tokens, unit_label

if TYPE_CHECKING:
    from vram_tui.catalog.entries import Entry
    from vram_tui.commands.workspace import Chosen
    from vram_tui.estimator.estimate import DeviceUse, Estimate
    from vram_tui.estimator.facts import Facts
    from vram_tui.estimator.memory import Memory


def tier_marks(facts: "Facts") -> tuple[Mark, ...]:
    return tuple(Mark(tier.id, tier.glyph, tier.label, tier.ascii) for tier in facts.tiers)


def estimate_table(answer: "Estimate", facts: "Facts", unit: str = "gib") -> Table:
    """One cell, term by term, with what bounds it below."""
    label = unit_label(unit)
    columns = (Column("term"), Column("memory", "right", label, "bytes"), Column("basis"), Column("how"))
    rows = [
        (
            words(term.name),
            number(term.bytes, format_memory(term.bytes, unit)),
            words(_basis(term.basis, term.error)),
            words(filled(term.formula, term.numbers)),
        )
        for term in answer.terms
    ]
    total = Cell(format_memory(answer.total_bytes, unit), answer.total_bytes, answer.tier, "bold")
    rows.append((words("total", "bold"), total, words(""), words(_devices(answer, unit))))
    title = f"{answer.model} · {answer.quant} · {format_tokens(answer.ctx)} · {answer.runtime}"
    return Table(title, columns, tuple(rows), tuple(_remarks(answer, unit)), tier_marks(facts))


def filled(formula: str, numbers: Mapping[str, int | float | str]) -> str:
    """A formula with its numbers beside it."""
    shown = ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in numbers.items()
    )
    return f"{formula} ({shown})" if formula and shown else formula or shown


def _basis(basis: str, error: float) -> str:
    return f"{basis} ± {error:.0%}" if error else basis


def _devices(answer: "Estimate", unit: str) -> str:
    if len(answer.devices) < 2:
        return ""
    uses = Counter(f"{device.name}: {format_memory(device.used_bytes, unit)}" for device in answer.devices)
    return ", ".join(f"{count} × {use}" if count > 1 else use for use, count in uses.items())


def _remarks(answer: "Estimate", unit: str) -> list[str]:
    label = unit_label(unit)
    found = []
    if answer.low_bytes != answer.high_bytes:
        found.append(
            f"between {format_memory(answer.low_bytes, unit)} and {format_memory(answer.high_bytes, unit)} {label}"
        )
    host = answer.weights.host_bytes + (answer.compute_host_bytes or 0) + (answer.output_bytes or 0)
    if host:
        found.append(f"beside it in RAM: {format_memory(host, unit)} {label}")
    uses = Counter(_use(device, unit) for device in answer.devices if device.usable_bytes is not None)
    found += [f"{count} × {use}" if count > 1 else use for use, count in uses.items()]
    if answer.largest_ctx is not None:
        found.append(
            f"largest context there: {format_tokens(answer.largest_ctx)}"
            if answer.largest_ctx
            else "no context fits there"
        )
    if answer.speed:
        speed = answer.speed
        found.append(f"about {speed['decode_tok_s']:.3g} tokens/s ± {speed['band']:.0%}")
    if answer.pool:
        found += answer.pool.sentences(answer.ctx)
    return [*found, *answer.warnings]


def _use(device: "DeviceUse", unit: str) -> str:
    usable = device.usable_bytes or 0
    left = usable - device.used_bytes
    verdict = f"{format_memory(left, unit)} to spare" if left >= 0 else f"{format_memory(-left, unit)} too much"
    held = f"{format_memory(device.used_bytes, unit)} of {format_memory(usable, unit)} {unit_label(unit)}"
    return f"{device.name}: {held}, {verdict}"


def grid_table(
    chosen: "Chosen",
    rows: Sequence[tuple[str, "Memory | str"]],
    contexts: Sequence[int],
    facts: "Facts",
    unit: str = "gib",
    *,
    nominal: bool = False,
) -> Table:
    """Quantizations over contexts; a refused row has dashes, and its reason is a note."""
    label = unit_label(unit)
    columns = (
        Column("quantization"),
        Column("bits/weight", "right"),
        *(Column(format_tokens(ctx), "right", label, "bytes") for ctx in contexts),
    )
    lines, notes = [], []
    for quant, memory in rows:
        if isinstance(memory, str):
            lines.append((words(quant, "bold"), nothing(), *(nothing() for _ in contexts)))
            notes.append(f"{quant}: {memory}")
            continue
        bits = memory.weights.bits_per_weight
        totals = [(total, facts.tier_of(total, nominal=nominal).id) for total in map(memory.at, contexts)]
        cells = (Cell(format_memory(total, unit), total, tier) for total, tier in totals)
        lines.append((words(quant, "bold"), number(bits, f"{bits:.2f}"), *cells))
    if chosen.native_tokens and any(ctx > chosen.native_tokens for ctx in contexts):
        notes.append(
            f"native context: {format_tokens(chosen.native_tokens)}; columns beyond it need a scaled position embedding"
        )
    return Table(f"{chosen.name}, memory in {label}", columns, tuple(lines), tuple(notes), tier_marks(facts))


def spec_table(entry: "Entry", facts_of: Sequence[tuple[str, str, str]]) -> Table:
    """The spec sheet: what is stated, and where a published page says something else."""
    headings = ("fact", "verified", "published") if any(other for _, _, other in facts_of) else ("fact", "verified")
    rows = tuple(tuple(words(part) for part in fact[: len(headings)]) for fact in facts_of)
    notes = [entry.about] if entry.about else []
    if entry.partial:
        notes.append(f"partial entry: no source states {', '.join(entry.partial_fields) or 'some of its facts'}")
    notes += [f"source: {source}" for source in entry.sources]
    return Table(entry.name, tuple(map(Column, headings)), rows, tuple(notes))
