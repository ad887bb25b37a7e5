"""NVIDIA GPUs: through NVML if its bindings are installed, else by name from `/proc`; and Jetson boards."""

import contextlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from vram_tui.hardware.host import meminfo
from vram_tui.hardware.readings import Reading, Result, drm_devices, pci_id, read_text
from vram_tui.text import safe

_VENDOR = 0x10DE
_NAME_CHARS = 120


def read_nvml(root: Path = Path("/")) -> Result:
    """Every GPU that NVML lists. Needs no CUDA context; asks memory in its second version, which tells the reserve.

    A GPU without memory of its own (GB10, Jetson) answers "not supported": its memory is the machine's.
    """
    try:
        with warnings.catch_warnings():
            # An older package of the same import name warns on standard error.
            warnings.simplefilter("ignore")
            import pynvml
    except ImportError:
        told = "an NVIDIA GPU is here, but nvidia-ml-py is not (extra `nvml`): its free memory is unknown"
        return Result(notes=(told,) if drm_devices(root, _VENDOR) or _proc_folders(root) else ())
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        missing = getattr(pynvml, "NVML_ERROR_LIBRARY_NOT_FOUND", None)
        absent = missing is not None and getattr(error, "value", None) == missing
        if absent and not drm_devices(root, _VENDOR):
            return Result()
        return Result(notes=(f"NVML did not start: {safe(str(error))}",))
    try:
        return _all(pynvml, root)
    except pynvml.NVMLError as error:
        return Result(notes=(f"NVML could not list the GPUs: {safe(str(error))}",))
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _all(nvml: Any, root: Path) -> Result:
    readings: list[Reading] = []
    notes: list[str] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            readings.append(_one(nvml, handle, root))
            if _sliced(nvml, handle):
                notes.append(f"GPU {index} is divided by MIG: its slices are not told apart here")
        except nvml.NVMLError as error:
            notes.append(f"GPU {index} could not be read: {safe(str(error))}")
    return Result(tuple(readings), tuple(notes))


def _one(nvml: Any, handle: Any, root: Path) -> Reading:
    name = nvml.nvmlDeviceGetName(handle)
    name = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    identity, address = _pci(nvml, handle)
    reading = Reading(safe(name, _NAME_CHARS), "NVIDIA", "nvml", pci_id=identity, address=address)
    try:
        memory = _memory(nvml, handle)
    except nvml.NVMLError_NotSupported:
        return _unified(reading, root)
    return replace(
        reading,
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        reserved_bytes=int(getattr(memory, "reserved", 0)) or None,
    )


def _unified(reading: Reading, root: Path) -> Reading:
    """A GPU that uses all of the machine's memory."""
    ram = meminfo(root)
    total = ram.get("MemTotal")
    free = ram.get("MemAvailable")
    return replace(reading, total_bytes=total, free_bytes=free, integrated=True, ram_bytes=total)


def _memory(nvml: Any, handle: Any) -> Any:
    version = getattr(nvml, "nvmlMemory_v2", None)
    if version is not None:
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, version=version)
        except (nvml.NVMLError_FunctionNotFound, TypeError):
            pass  # a driver or bindings from before the second version
    return nvml.nvmlDeviceGetMemoryInfo(handle)


def _pci(nvml: Any, handle: Any) -> tuple[str | None, str | None]:
    try:
        info = nvml.nvmlDeviceGetPciInfo(handle)
    except nvml.NVMLError:
        return None, None
    number = int(info.pciDeviceId)
    bus = info.busId.decode("ascii", "replace") if isinstance(info.busId, bytes) else str(info.busId)
    return f"{number & 0xFFFF:04x}:{number >> 16:04x}", safe(bus, _NAME_CHARS)


def _sliced(nvml: Any, handle: Any) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    except (nvml.NVMLError, AttributeError):
        return False


def read_nvidia_proc(root: Path = Path("/")) -> Result:
    """The NVIDIA GPUs by name, as the kernel module lists them: no memory figures."""
    readings: list[Reading] = []
    for folder in _proc_folders(root):
        fields = dict(_fields(read_text(folder / "information") or ""))
        if model := fields.get("Model"):
            identity = pci_id(root / "sys/bus/pci/devices" / folder.name)
            readings.append(Reading(safe(model, _NAME_CHARS), "NVIDIA", "proc", pci_id=identity, address=folder.name))
    return Result(tuple(readings))


def read_jetson(root: Path = Path("/")) -> Result:
    """A Jetson board, recognised by its device tree: the GPU shares all of the machine's memory."""
    model = read_text(root / "proc/device-tree/model") or ""
    if "jetson" not in model.casefold() and "tegra" not in model.casefold():
        return Result()
    chip = next((chip for chip in ("Thor", "Orin") if chip.casefold() in model.casefold()), model)
    name = "NVIDIA Thor" if chip == "Thor" else safe(chip, _NAME_CHARS)
    return Result((_unified(Reading(name, "NVIDIA", "device tree"), root),))


def _proc_folders(root: Path) -> list[Path]:
    try:
        return sorted((root / "proc/driver/nvidia/gpus").iterdir())
    except OSError:
        return []


def _fields(text: str) -> list[tuple[str, str]]:
    return [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
