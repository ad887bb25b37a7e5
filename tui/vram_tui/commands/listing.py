"""`vram-tui models`, `gpus`, `quants`: the catalogue, filtered and sorted."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.commands.workspace import Workspace
from vram_tui.exporters.table import Column, Table, nothing, number, words
from vram_tui.quantities import format_memory, format_parameters, format_tokens, unit_label

_Row = TypeVar("_Row")

_MODEL_SORTS: dict[str, Callable[[Any], Any]] = {
    "family": lambda row: (row.family.casefold(), _newest(row), row.name.casefold()),
    "release": lambda row: (_newest(row), row.name.casefold()),
    "parameters": lambda row: (-row.parameters, row.name.casefold()),
    "context": lambda row: (-row.context, row.name.casefold()),
    "name": lambda row: row.name.casefold(),
}
_GPU_SORTS: dict[str, Callable[[Any], Any]] = {
    "memory": lambda row: (-row["memory_bytes"], row["id"]),
    "bandwidth": lambda row: (-(row["bandwidth_gbs"] or 0), row["id"]),
    "price": lambda row: (row["price_usd"] is None, row["price_usd"] or 0, row["id"]),
    "name": lambda row: row["name"].casefold(),
}


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description=f"The {name} of the catalogue.")
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="words and, for models, conditions: '>30b' moe licence:mit"
    )
    parser.add_argument("--sort", help="order of the rows")
    parser.add_argument("--kind", help="this kind alone")
    parser.add_argument("--vendor", help="this vendor alone")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N rows")
    add_common(parser, formats=True)
    arguments = parser.parse_args(argv)
    rows, table = {"models": _models, "gpus": _gpus, "quants": _quants}[name](workspace(arguments), arguments)
    if not rows:
        raise NothingFoundError(f"no {name} match")
    if arguments.json:
        print_json(rows)
    else:
        print_table(table, arguments)
    return 0


def _models(desk: Workspace, arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], Table]:
    query = " ".join(arguments.filter)
    found = [
        row
        for row in desk.catalog.search(query)
        if _same(arguments.kind, row.kind) and _same(arguments.vendor, row.vendor)
    ]
    if arguments.sort or not query:
        found.sort(key=_sorter(_MODEL_SORTS, arguments.sort or "family"))
    found = _limited(found, arguments.limit)
    columns = (
        Column("model"),
        Column("parameters", "right"),
        Column("active", "right"),
        Column("context", "right"),
        Column("kind"),
        Column("licence"),
        Column("released"),
    )
    lines = tuple(
        (
            words(row.id, "bold"),
            number(row.parameters, format_parameters(row.parameters)),
            number(row.active, format_parameters(row.active)),
            number(row.context, format_tokens(row.context)) if row.context else nothing("unknown"),
            words(row.kind),
            words(row.license),
            words(row.released_text) if row.released else nothing("unknown"),
        )
        for row in found
    )
    answers = [{**row._asdict(), "released": row.released_text or None} for row in found]
    return answers, Table(f"{len(found)} models", columns, lines)


def _newest(row: Any) -> int:
    return -row.released.toordinal() if row.released else 0


def _gpus(desk: Workspace, arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], Table]:
    from vram_tui.catalog.hardware import search_key

    wanted = [search_key(word) for word in arguments.filter]
    rows = [
        row
        for row in _hardware_rows(desk)
        if all(
            any(word in search_key(text) for text in (row["id"], row["name"], row["vendor"], row["kind"]))
            for word in wanted
        )
        and _same(arguments.kind, row["kind"])
        and _same(arguments.vendor, row["vendor"])
    ]
    rows.sort(key=_sorter(_GPU_SORTS, arguments.sort or "memory"))
    rows = _limited(rows, arguments.limit)
    unit = arguments.units
    columns = (
        Column("hardware"),
        Column("kind"),
        Column("devices", "right"),
        Column("memory", "right", unit_label(unit), "bytes"),
        Column("usable", "right", unit_label(unit), "bytes"),
        Column("bandwidth", "right", "GB/s"),
        Column("power", "right", "W"),
        Column("price", "right", "USD"),
    )
    lines = tuple(
        (
            words(row["id"], "bold"),
            words(row["kind"]),
            number(row["devices"]),
            number(row["memory_bytes"], format_memory(row["memory_bytes"], unit)),
            number(row["usable_bytes"], format_memory(row["usable_bytes"], unit)),
            *(number(row[key], f"{row[key]:,.0f}") if row[key] else nothing() for key in ("bandwidth_gbs", "tdp_w")),
            words(row["price"]) if row["price"] else nothing(),
        )
        for row in rows
    )
    return rows, Table(f"{len(rows)} accelerators, nodes and instances", columns, lines)


def _hardware_rows(desk: Workspace) -> list[dict[str, Any]]:
    hardware = desk.catalog.hardware
    rows = []
    for known in (*hardware.accelerators, *hardware.nodes):
        node = known in hardware.nodes
        devices = hardware.machine_of(known).devices if node else hardware.devices_of(known)
        machine = hardware.machine_of(known) if node else None
        first = devices[0]
        price = machine.price_usd if machine else first.price_usd
        hourly = machine.price_usd_hour if machine else None
        date = (machine.price_date if machine else first.price_date) or ""
        rows.append(
            {
                "id": known,
                "name": hardware.name_of(known),
                "vendor": first.vendor,
                "kind": ("instance" if hourly else "node") if machine else first.kind,
                "devices": len(devices),
                "memory_bytes": sum(device.memory_bytes for device in devices),
                "usable_bytes": sum(device.usable_bytes for device in devices),
                "bandwidth_gbs": first.bandwidth_gbs,
                "tdp_w": machine.tdp_w if machine else first.tdp_w,
                "price_usd": price,
                "price_usd_hour": hourly,
                "price_date": date or None,
                "price": f"{hourly:,.2f}/h {date[:7]}".strip()
                if hourly
                else f"{price:,.0f} {date[:7]}".strip()
                if price
                else "",
            }
        )
    return rows


def _quants(desk: Workspace, arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], Table]:
    wanted = [word.casefold() for word in arguments.filter]
    found = [
        form
        for form in desk.facts.formats.values()
        if all(word in f"{form.id} {form.label} {form.kind} {' '.join(form.runtimes)}".casefold() for word in wanted)
        and _same(arguments.kind, form.kind)
    ]
    if arguments.sort:
        found.sort(
            key=_sorter({"bits": lambda form: form.bits_per_weight, "name": lambda form: form.id}, arguments.sort)
        )
    found = _limited(found, arguments.limit)
    columns = (
        Column("format"),
        Column("bits per weight", "right"),
        Column("kind"),
        Column("loads it"),
        Column("quality evidence"),
    )
    lines = tuple(
        (
            words(form.id, "bold"),
            number(form.bits_per_weight, f"{form.bits_per_weight:.4g}"),
            words(form.kind),
            words(", ".join(form.runtimes)),
            words("; ".join(f"{measure} {value} ({on})" for measure, value, on in form.quality[:1]))
            if form.quality
            else nothing(),
        )
        for form in found
    )
    answers = [
        {
            "id": form.id,
            "label": form.label,
            "kind": form.kind,
            "bits_per_weight": form.bits_per_weight,
            "runtimes": list(form.runtimes),
            "quality": [list(one) for one in form.quality],
        }
        for form in found
    ]
    return answers, Table(f"{len(found)} formats", columns, lines)


def _same(wanted: str | None, value: str) -> bool:
    return wanted is None or wanted.casefold() in value.casefold()


def _sorter(sorts: dict[str, Callable[[Any], Any]], name: str) -> Callable[[Any], Any]:
    if name not in sorts:
        raise CommandError(f"--sort: '{name[:40]}' is not one of {', '.join(sorts)}", "sort")
    return sorts[name]


def _limited(rows: Sequence[_Row], limit: int | None) -> list[_Row]:
    if limit is not None and limit < 1:
        raise CommandError("--limit must be at least 1", "limit")
    return list(rows[:limit])
