"""`vram-tui detect`: the local hardware, what was read of it and what failed."""

from typing import Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.exporters.table import Column, Table, nothing, number, words
from vram_tui.hardware.detect import Detection, detect
from vram_tui.quantities import format_memory, unit_label


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="What this machine has.")
    parser.add_argument(
        "--timeout", type=float, default=3.0, metavar="SECONDS", help="patience with a driver that hangs"
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    detection = detect(workspace(arguments).catalog.hardware, timeout_s=arguments.timeout)
    if arguments.json:
        print_json(as_json(detection))
    else:
        print_table(_table(detection, arguments.units), arguments)
    return 0


def as_json(detection: Detection) -> dict[str, Any]:
    return {
        "machine": detection.machine.name,
        "host": {
            "cpu": detection.host.cpu,
            "ram_bytes": detection.host.ram_bytes,
            "free_bytes": detection.host.free_bytes,
        },
        "devices": [
            {
                "id": found.device.id,
                "name": found.device.name,
                "total_bytes": found.total_bytes,
                "usable_bytes": found.device.usable_bytes,
                "free_bytes": found.free_bytes,
                "source": found.source,
            }
            for found in detection.devices
        ],
        "integrated": [str(one) for one in detection.integrated],
        "notes": [{"reader": note.reader, "text": note.text} for note in detection.notes],
    }


def _table(detection: Detection, unit: str) -> Table:
    label = unit_label(unit)
    columns = (
        Column("device"),
        Column("total", "right", label, "bytes"),
        Column("usable", "right", label, "bytes"),
        Column("free", "right", label, "bytes"),
        Column("read from"),
    )

    def size(count: int | None) -> Any:
        return nothing("unknown") if count is None else number(count, format_memory(count, unit))

    rows = [
        (
            words(found.device.name, "bold"),
            size(found.total_bytes),
            size(found.device.usable_bytes),
            size(found.free_bytes),
            words(found.source),
        )
        for found in detection.devices
    ]
    host = detection.host
    rows.append(
        (
            words(f"RAM ({host.cpu})" if host.cpu else "RAM"),
            size(host.ram_bytes),
            nothing(),
            size(host.free_bytes),
            words("host"),
        )
    )
    notes = tuple(f"{note.reader}: {note.text}" for note in detection.notes)
    return Table(detection.machine.name, columns, tuple(rows), notes)
