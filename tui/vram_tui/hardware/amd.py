"""AMD GPUs from the amdgpu driver's files in sysfs (importing `amdsmi` without ROCm prints and raises)."""

from dataclasses import replace
from pathlib import Path

from vram_tui.hardware.host import meminfo
from vram_tui.hardware.readings import Reading, Result, address, drm_devices, pci_id, read_int, read_text
from vram_tui.text import safe

_VENDOR = 0x1002
_NAME_CHARS = 120

# Targets of processors with a GPU inside, from LLVM's "User Guide for AMDGPU Backend", table of processors (APU).
_INTEGRATED = frozenset(
    {
        *("gfx801", "gfx810", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036"),
        *("gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"),
    }
)
# The firmware of a desktop processor without a known target sets aside this much at the most; no card has so little.
_CARVE_OUT_BYTES = 2 << 30


def read_amd(root: Path = Path("/")) -> Result:
    """Every GPU under `/sys/class/drm` of vendor 1002. Integrated ones report what they may map of RAM (GTT)."""
    targets = _targets(root)
    readings: list[Reading] = []
    notes: list[str] = []
    for device in drm_devices(root, _VENDOR):
        total = read_int(device / "mem_info_vram_total")
        identity, place = pci_id(device), address(device)
        gfx = targets.get(place or "")
        if total is None:
            notes.append(f"AMD GPU {identity or '?'}: no mem_info_vram_total; is the amdgpu driver loaded?")
        used = read_int(device / "mem_info_vram_used")
        name = safe(read_text(device / "product_name") or f"AMD GPU {identity or ''}".strip(), _NAME_CHARS)
        integrated = gfx in _INTEGRATED or (gfx is None and total is not None and total <= _CARVE_OUT_BYTES)
        free = None if total is None or used is None else max(total - used, 0)
        reading = Reading(name, "AMD", "amdgpu", total, free, pci_id=identity, address=place, gfx=gfx)
        readings.append(_shared(reading, device, meminfo(root)) if integrated else reading)
    return Result(tuple(readings), tuple(notes))


def _shared(reading: Reading, device: Path, ram: dict[str, int]) -> Reading:
    """A GPU inside the processor: it fills the larger of the memory set aside at start and the memory mapped later."""
    carved, mapped = reading.total_bytes, read_int(device / "mem_info_gtt_total")
    reading = replace(
        reading,
        integrated=True,
        ram_bytes=ram.get("MemTotal", 0) + (carved or 0) or None,
        shared_bytes=mapped,
    )
    if mapped is None or (carved is not None and carved >= mapped):
        return reading
    used = read_int(device / "mem_info_gtt_used")
    left = (None if used is None else max(mapped - used, 0), ram.get("MemAvailable"))
    free = min((size for size in left if size is not None), default=None)
    return replace(reading, total_bytes=mapped, free_bytes=free)


def _targets(root: Path) -> dict[str, str]:
    """PCI address → gfx target, from the compute driver's topology; empty where it is not loaded."""
    targets: dict[str, str] = {}
    try:
        nodes = sorted((root / "sys/class/kfd/kfd/topology/nodes").iterdir())
    except OSError:
        return targets
    for node in nodes:
        values: dict[str, int] = {}
        for line in (read_text(node / "properties") or "").splitlines():
            key, _, value = line.partition(" ")
            if value.strip().isdecimal() and value.strip().isascii():
                values[key] = int(value)
        version, location = values.get("gfx_target_version", 0), values.get("location_id")
        if version and location is not None:
            bus, slot, function = location >> 8 & 0xFF, location >> 3 & 0x1F, location & 7
            place = f"{values.get('domain', 0):04x}:{bus:02x}:{slot:02x}.{function}"
            targets[place] = f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
    return targets
