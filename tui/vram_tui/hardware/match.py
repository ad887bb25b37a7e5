"""Which catalogue entry a driver's reading is: by driver name (longest first) or PCI id, and by memory."""

from dataclasses import replace

from vram_tui.catalog.hardware import Accelerator, HardwareCatalogue
from vram_tui.estimator.devices import Basis, Device
from vram_tui.estimator.records import record
from vram_tui.hardware.readings import Reading

# A driver reports up to this share less than the size on the box (ECC takes 1/16, firmware the rest) …
_BELOW = 0.12
# … and a machine with unified memory hides what its firmware keeps.
_BELOW_UNIFIED = 0.2
_ABOVE = 0.03
# Two totals of the same card under different drivers differ by less.
_SAME = 0.01
_CLASS_OF_VENDOR = {"NVIDIA": "cuda", "AMD": "amd", "Intel": "intel", "Apple": "metal"}


@record
class Match:
    """The entry (`None` when the catalogue has none) and the others that fit the reading as well."""

    entry: Accelerator | None = None
    others: tuple[str, ...] = ()


def match(reading: Reading, catalogue: HardwareCatalogue) -> Match:
    """The entry whose driver name or PCI id and memory fit; a modified card only where no other one fits.

    Several cards share one name or one PCI id: memory decides. Where that leaves several, the slowest is taken, so
    that no promise is too high, and the others are named.
    """
    for group in _candidates(reading, catalogue):
        fitting = [entry for entry in group if _fits(entry, reading)]
        plain = [entry for entry in fitting if entry.status != "modified"] or fitting
        if plain:
            plain.sort(key=lambda entry: (abs(_distance(entry, reading)), entry.device.bandwidth_gbs or 0.0))
            best = plain[0]
            return Match(best, tuple(entry.id for entry in plain[1:] if _alike(best, entry, reading)))
    return Match()


def device_of(reading: Reading, entry: Accelerator | None, catalogue: HardwareCatalogue) -> Device:
    """The device as it is here: the catalogue's facts with this driver's total, and what a process reaches of it."""
    if entry is None:
        return _unknown(reading, catalogue)
    device = entry.device
    if entry.dies > 1 and reading.total_bytes is not None:
        device = catalogue.devices_of(entry.id)[0]
    total = reading.total_bytes
    if total is None:
        return device
    if reading.integrated:
        usable, basis = _usable_unified(reading, device, total, catalogue)
    elif device.usable_basis == "measured" and abs(total - device.memory_bytes) <= _SAME * total:
        usable, basis = min(device.usable_bytes, total), device.usable_basis
    elif reading.reserved_bytes:
        usable, basis = total - reading.reserved_bytes, "measured"
    else:
        usable, basis = catalogue.usable_bytes(device.device_class, total, unified=device.unified)
    return replace(device, memory_bytes=total, usable_bytes=usable, usable_basis=basis)


def _usable_unified(reading: Reading, device: Device, total: int, catalogue: HardwareCatalogue) -> tuple[int, Basis]:
    if reading.source == "amdgpu":
        # The total is already the part of RAM that the driver maps.
        return total, "measured"
    if device.usable_basis == "measured":
        return min(device.usable_bytes, total), "measured"
    return catalogue.usable_bytes(device.device_class, total, unified=True)


def _unknown(reading: Reading, catalogue: HardwareCatalogue) -> Device:
    device_class = _CLASS_OF_VENDOR.get(reading.vendor, "unknown")
    if reading.gfx:
        device_class = f"{device_class}-{reading.gfx}"
    total = reading.total_bytes or 0
    usable, basis = catalogue.usable_bytes(device_class, total, unified=reading.integrated)
    if reading.reserved_bytes:
        usable, basis = total - reading.reserved_bytes, "measured"
    if reading.source == "amdgpu" and reading.integrated:
        usable, basis = total, "measured"
    words = "".join(letter if letter.isalnum() else " " for letter in reading.name.casefold()).split()
    return Device(
        id="-".join(words) or "unknown",
        name=reading.name,
        vendor=reading.vendor,
        kind="unknown",
        device_class=device_class,
        memory_bytes=total,
        usable_bytes=usable,
        usable_basis=basis,
        unified=reading.integrated,
    )


def _candidates(reading: Reading, catalogue: HardwareCatalogue) -> list[list[Accelerator]]:
    """Groups to try in turn: the entries of the longest driver name in the reading, then those of the PCI id."""
    name = f" {reading.name.casefold()} "
    laptop = " laptop " in name
    by_name: dict[str, list[Accelerator]] = {}
    by_pci: list[Accelerator] = []
    for entry in catalogue.accelerators.values():
        if entry.device.vendor != reading.vendor:
            continue
        for driver_name in entry.driver_names:
            known = f" {driver_name.casefold()} "
            if known in name and (" laptop " in known) == laptop:
                by_name.setdefault(known, []).append(entry)
        if reading.pci_id and reading.pci_id in entry.pci_ids:
            by_pci.append(entry)
    named = by_name[max(by_name, key=len)] if by_name else []
    return [group for group in (named, by_pci) if group]


def _told(reading: Reading, entry: Accelerator) -> int | None:
    """The size to compare with the entry's: RAM for a GPU that shares it, else the driver's total for the board."""
    if entry.device.unified:
        return reading.ram_bytes or reading.total_bytes
    return None if reading.total_bytes is None else reading.total_bytes * entry.dies


def _distance(entry: Accelerator, reading: Reading) -> float:
    told = _told(reading, entry)
    return 0.0 if told is None else told / entry.device.memory_bytes - 1


def _fits(entry: Accelerator, reading: Reading) -> bool:
    if reading.integrated and not entry.device.unified:
        return False
    below = _BELOW_UNIFIED if entry.device.unified else _BELOW
    return -below <= _distance(entry, reading) <= _ABOVE


def _alike(best: Accelerator, entry: Accelerator, reading: Reading) -> bool:
    return abs(_distance(entry, reading) - _distance(best, reading)) <= _SAME
