"""Rankings as tables and as JSON: hardware for one cell, models for one machine."""

from collections.abc import Sequence
from typing import Any

from vram_tui.estimator.fits import ModelFit
from vram_tui.estimator.placing import Placement
from vram_tui.estimator.speed import Speed
from vram_tui.exporters.table import Cell, Column, Mark, Raw, Table, nothing, number, words
from vram_tui.quantities import format_memory, format_tokens, unit_label

MARKS = (
    Mark("fits", "▪", "fits", "y"),
    Mark("tight", "▫", "fits, less than 5 % to spare", "~"),
    Mark("offload", "◃", "fits with a part in RAM", "%"),
    Mark("no", "✗", "does not fit", "x"),
)


def plan_words(placement: Placement) -> str:
    """How the devices share the work."""
    count = len(placement.machine.devices)
    if count == 1:
        return "one device"
    plan = placement.plan
    return f"layers over {count}" if plan.tp == 1 and plan.pp == count else plan.text


def reach_words(largest: int, native: int) -> str:
    """The largest context, no longer than the model's own."""
    if not largest:
        return "none"
    if native and largest >= native:
        return format_tokens(native)
    return f"{largest >> 10}K" if largest >= 1 << 10 else str(largest)


def speed_words(tokens_per_s: float) -> str:
    """Three digits are more than the band holds."""
    return f"{tokens_per_s:.1f}" if tokens_per_s < 9.95 else f"{tokens_per_s:,.0f}"


def price_words(placement: Placement) -> str:
    """The price to buy, or by the hour."""
    hourly, price = placement.machine.price_usd_hour, placement.price_usd
    if hourly is not None:
        return f"${hourly:,.2f}/h"
    return f"${price:,.0f}" if price is not None else ""


def hardware_table(
    placements: Sequence[Placement], title: str, native: int, unit: str = "gib", notes: tuple[str, ...] = ()
) -> Table:
    """The ranking of hardware; `native` is the model's own context."""
    label = unit_label(unit)
    columns = (
        Column("hardware"),
        Column("plan"),
        Column("used", "right", label, "bytes"),
        Column("usable", "right", label, "bytes"),
        Column("largest context", "right", "tokens", "tokens"),
        Column("decode", "right", "tokens/s"),
        Column("band", "right"),
        Column("prefill", "right", "tokens/s"),
        Column("power", "right", "W"),
        Column("price", "right", "USD"),
        Column("of", "right"),
    )
    rows = []
    for one in placements:
        watts, price = one.machine.tdp_w, price_words(one)
        hourly = one.machine.price_usd_hour
        rows.append(
            (
                Cell(one.text, one.text, one.fit, "bold"),
                words(plan_words(one)),
                number(one.used_bytes, format_memory(one.used_bytes, unit)),
                number(one.usable_bytes, format_memory(one.usable_bytes, unit)),
                number(one.largest_ctx, reach_words(one.largest_ctx, native)),
                *_speeds(one.speed),
                number(watts) if watts else nothing(),
                Cell(price, one.price_usd if hourly is None else hourly) if price else nothing(),
                words(one.price_date[:7]) if price and one.price_date else nothing(),
            )
        )
    return Table(title, columns, tuple(rows), notes, MARKS)


def fits_table(fits: Sequence[ModelFit], title: str, unit: str = "gib", notes: tuple[str, ...] = ()) -> Table:
    """The ranking of models on one machine."""
    label = unit_label(unit)
    columns = (
        Column("model"),
        Column("format"),
        Column("used", "right", label, "bytes"),
        Column("to spare", "right", label, "bytes"),
        Column("largest context", "right", "tokens", "tokens"),
        Column("decode", "right", "tokens/s"),
        Column("band", "right"),
        Column("prefill", "right", "tokens/s"),
    )
    rows = tuple(
        (
            Cell(one.model, one.model, one.fit, "bold"),
            words(one.quant),
            number(one.used_bytes, format_memory(one.used_bytes, unit)),
            number(one.headroom_bytes, format_memory(one.headroom_bytes, unit)),
            number(one.largest_ctx, reach_words(one.largest_ctx, one.native_ctx)),
            *_speeds(one.speed),
        )
        for one in fits
    )
    return Table(title, columns, rows, notes, MARKS)


def _speeds(speed: Speed | None) -> tuple[Cell, Cell, Cell]:
    if speed is None:
        return nothing(), nothing(), nothing()
    decode, prefill = speed.decode, speed.prefill
    return (
        number(round(decode.tokens_per_s, 3), speed_words(decode.tokens_per_s)),
        number(decode.band, f"± {decode.band:.0%}"),
        number(round(prefill.tokens_per_s, 3), speed_words(prefill.tokens_per_s)) if prefill else nothing(),
    )


def speed_json(speed: Speed | None) -> dict[str, Raw] | None:
    """Rates as the JSON of an estimate has them."""
    if speed is None:
        return None
    return {
        "decode_tok_s": speed.decode.tokens_per_s,
        "prefill_tok_s": speed.prefill.tokens_per_s if speed.prefill else None,
        "band": speed.decode.band,
        "basis": speed.decode.basis,
        "throughput_tok_s": speed.throughput,
        "first_token_s": speed.first_token_s,
    }


def placement_json(one: Placement) -> dict[str, Any]:
    """One row of the hardware ranking; bytes are those of the fullest device."""
    machine = one.machine
    return {
        "hardware": one.text,
        "id": one.offer.id,
        "name": machine.name,
        "kind": one.offer.kind,
        "vendor": one.offer.vendor,
        "count": one.count,
        "devices": len(machine.devices),
        "plan": {"tp": one.plan.tp, "pp": one.plan.pp, "ep": one.plan.ep, "dp": one.plan.dp},
        "fits": one.fits,
        "fit": one.fit,
        "used_bytes": one.used_bytes,
        "usable_bytes": one.usable_bytes,
        "largest_ctx": one.largest_ctx,
        "speed": speed_json(one.speed),
        "tdp_w": machine.tdp_w,
        "price_usd": one.price_usd,
        "price_usd_hour": machine.price_usd_hour,
        "price_date": one.price_date,
        "reason": one.reason or None,
    }


def fit_json(one: ModelFit) -> dict[str, Any]:
    """One row of the ranking of models."""
    offload = one.offload
    return {
        "model": one.model,
        "quant": one.quant,
        "ctx": one.ctx,
        "fits": one.fit in ("fits", "tight"),
        "fit": one.fit,
        "used_bytes": one.used_bytes,
        "usable_bytes": one.usable_bytes,
        "headroom_bytes": one.headroom_bytes,
        "largest_ctx": one.largest_ctx,
        "native_ctx": one.native_ctx or None,
        "speed": speed_json(one.speed),
        "offload": {"weights": offload.weights, "experts": offload.experts, "layers": offload.layers}
        if offload
        else None,
        "ram_bytes": one.ram_bytes,
        "reason": one.reason or None,
    }
