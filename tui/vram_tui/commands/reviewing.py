"""One entry of the catalogue as its contributor needs to see it: recounted, as the screen shows it, what is missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vram_tui.commands.errors import CommandError
from vram_tui.commands.show import compiled, contexts_of, specifications_of
from vram_tui.commands.tables import grid_table, spec_table
from vram_tui.commands.workspace import Workspace
from vram_tui.exporters.table import Cell, Column, Table, nothing, number, words
from vram_tui.quantities import format_memory, unit_label

if TYPE_CHECKING:
    from vram_tui.catalog.entries import Entry
    from vram_tui.catalog.hardware import Accelerator
    from vram_tui.estimator.devices import Machine

QUANTS = ("Q4_K_M", "Q8_0", "F16")
CTX = 8192
SHOWN_DEVICES = 3
"""A file with more devices is summed up, unless one of them is asked for."""
SHOWN_MODELS = 8


def review_model(path: Path, desk: Workspace, unit: str) -> Iterator[Table]:
    """The count of the blocks, the specification, a small grid, and what is missing. The file has no faults."""
    import tomli

    from vram_tui.catalog.entries import read_entry
    from vram_tui.catalog.gaps import model_gaps

    entry = read_entry(f"{path.parent.name}/{path.stem}", tomli.loads(path.read_text(encoding="utf-8")), str(path))
    desk.catalog.adopt(entry)
    chosen = desk.choose(entry.id)
    yield _counts(entry)
    yield spec_table(entry, specifications_of(desk, chosen))
    scenario = desk.scenario({})
    rows = [(quant, compiled(desk, chosen, quant, scenario)) for quant in QUANTS]
    yield grid_table(chosen, rows, contexts_of(None, chosen), desk.facts, unit)
    yield _missing(model_gaps(entry))


def _counts(entry: "Entry") -> Table:
    """Every count of the blocks beside what is published."""
    from vram_tui.catalog.counting import counted
    from vram_tui.estimator.profile import profile

    columns = (
        Column("parameters"),
        Column("blocks", "right"),
        Column("published", "right"),
        Column("difference", "right"),
    )
    readings = {"main": "main"}
    if entry.parameters_counts:
        readings = {f"published total ({entry.parameters_counts})": entry.parameters_counts, **readings}
    if entry.model.mtp:
        readings["multi-token prediction"] = "mtp"
    found = [
        (name, counted(entry.model, reading), entry.parameters_published if reading == entry.parameters_counts else 0)
        for name, reading in readings.items()
    ]
    found.append(("active for a token", profile(entry.model).active_parameters, entry.active_advertised))
    rows = tuple(
        (
            words(name),
            number(blocks, f"{blocks:,}"),
            number(published, f"{published:,}") if published else nothing(),
            _difference(blocks, published) if published else nothing(),
        )
        for name, blocks, published in found
    )
    return Table(f"{entry.id}, recounted", columns, rows)


def _difference(found: int, published: int) -> Cell:
    return number(found - published, "equal" if found == published else f"{found / published - 1:+.3%}")


def review_accelerators(path: Path, wanted: str, desk: Workspace, unit: str) -> Iterator[Table]:
    """The accelerators of a file (or the one wanted): facts, the models they run, what is missing. Raises CommandError.

    The file has no faults.
    """
    from vram_tui.catalog.hardware_files import load_hardware_file

    found = load_hardware_file(path, desk.catalog.hardware)
    if wanted and wanted not in found:
        raise CommandError(f"{path} has no device {wanted[:60]!r}; it has {', '.join(list(found)[:8])}", "id")
    shown = [found[wanted]] if wanted else list(found.values())
    if len(shown) > SHOWN_DEVICES:
        yield _summed_up(shown)
        return
    for accelerator in shown:
        yield from _accelerator(accelerator, desk, unit)


def _summed_up(accelerators: "list[Accelerator]") -> Table:
    from vram_tui.catalog.gaps import accelerator_gaps

    rows = tuple(
        (words(one.id), words("; ".join(gap.partition(":")[0] for gap in accelerator_gaps(one)) or "nothing"))
        for one in accelerators
    )
    note = "--id DEVICE shows one as the screen does, and what each missing fact costs"
    return Table(f"{len(rows)} accelerators", (Column("device"), Column("missing")), rows, (note,))


def _accelerator(accelerator: "Accelerator", desk: Workspace, unit: str) -> Iterator[Table]:
    from vram_tui.catalog.gaps import accelerator_gaps
    from vram_tui.estimator.devices import Machine, halves

    device, label = accelerator.device, unit_label(unit)
    kind = f" of {accelerator.memory_type}" if accelerator.memory_type else ""
    facts = (
        ("name", device.name),
        ("kind", f"{device.kind}, {device.device_class}, {accelerator.status}"),
        ("memory", f"{format_memory(device.memory_bytes, unit)} {label}{kind} ({accelerator.memory_basis})"),
        ("a process reaches", f"{format_memory(device.usable_bytes, unit)} {label} ({device.usable_basis})"),
        ("bandwidth", f"{device.bandwidth_gbs:,g} GB/s" if device.bandwidth_gbs else "unknown"),
        ("architecture", accelerator.compute_capability or accelerator.gfx or "unknown"),
        ("FP16", f"{device.fp16_tflops:,g} TFLOPS, dense" if device.fp16_tflops else "unknown"),
        ("power", f"{device.tdp_w} W" if device.tdp_w else "unknown"),
        ("price", f"${device.price_usd:,.0f}, {device.price_date}" if device.price_usd else "unknown"),
        ("found by", ", ".join((accelerator.id, *accelerator.aliases))),
        ("drivers call it", ", ".join((*accelerator.driver_names, *accelerator.pci_ids)) or "unknown"),
    )
    rows = tuple((words(name), words(value)) for name, value in facts)
    notes = tuple(f"source: {source}" for source in accelerator.sources)
    notes += tuple(f"sources disagree: {text}" for text in accelerator.disagreements)
    yield Table(accelerator.id, (Column("fact"), Column("value")), rows, notes)
    yield _runs(Machine(device.name, halves(device, accelerator.dies)), desk, unit)
    yield _missing(accelerator_gaps(accelerator))


def _runs(machine: "Machine", desk: Workspace, unit: str) -> Table:
    """The largest models that the machine runs, as `vram-tui fits` ranks them."""
    from vram_tui.commands.options import scenario_from
    from vram_tui.estimator.fits import DEFAULT_FORMATS, Fitter, sort_fits
    from vram_tui.exporters.rankings import fits_table

    fitter = Fitter(DEFAULT_FORMATS, CTX, scenario_from({}), machine, desk.facts)
    subjects = (desk.catalog.subject(row.id) for row in desk.catalog.entries)
    fitting = [one for one in map(fitter.fit, subjects) if one.fit in ("fits", "tight")]
    shown = [fitter.settle(desk.catalog.subject(one.model), one) for one in sort_fits(fitting, "parameters")]
    note = f"{len(fitting)} of {len(desk.catalog.entries)} models fit"
    return fits_table(shown[:SHOWN_MODELS], f"{machine.name}, the largest that fit at 8K", unit, (note,))


def _missing(gaps: Iterator[str]) -> Table:
    found = tuple(gaps)
    return Table("Missing" if found else "Nothing is missing", (), (), found)
