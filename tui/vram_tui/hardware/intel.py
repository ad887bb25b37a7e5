"""Intel GPUs from sysfs (drivers i915 and xe)."""

from pathlib import Path

from vram_tui.hardware.readings import Reading, Result, address, drm_devices, pci_id, read_int, read_text

_VENDOR = 0x8086
# The graphics inside an Intel processor always sits here.
_INTEGRATED_PLACE = "00:02.0"
_SMALLEST_CARD_BYTES = 1 << 30


def read_intel(root: Path = Path("/")) -> Result:
    """Every GPU under `/sys/class/drm` of vendor 8086; free memory only where the driver tells it."""
    readings = []
    for device in drm_devices(root, _VENDOR):
        identity, place = pci_id(device), address(device)
        integrated = bool(place and place.endswith(_INTEGRATED_PLACE))
        readings.append(
            Reading(
                f"Intel GPU {identity or ''}".strip(),
                "Intel",
                "sysfs",
                total_bytes=None if integrated else _total_bytes(device),
                free_bytes=None if integrated else read_int(device.parent / "lmem_avail_bytes"),
                pci_id=identity,
                address=place,
                integrated=integrated,
            )
        )
    return Result(tuple(readings))


def _total_bytes(device: Path) -> int | None:
    """Local memory as a driver file tells it, else the largest window the card opens (all of it with resizable BAR)."""
    for told in (device.parent / "lmem_total_bytes", device / "tile0/physical_vram_size_bytes"):
        size = read_int(told)
        if size:
            return size
    largest = 0
    for line in (read_text(device / "resource") or "").splitlines():
        try:
            start, end, _flags = (int(field, 16) for field in line.split())
        except ValueError:
            continue
        largest = max(largest, end - start + 1 if end > start else 0)
    return largest if largest >= _SMALLEST_CARD_BYTES else None
