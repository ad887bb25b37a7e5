"""RAM and CPU of this machine, within the limits that a container sets."""

import ctypes
import sys
from pathlib import Path

from vram_tui.hardware.readings import Host, Result, read_int, read_text

# cgroup v1 writes "no limit" as the largest multiple of a page below 2^63.
_NO_LIMIT = 1 << 60


def read_host(root: Path = Path("/")) -> Result:
    """The host from `/proc` and the control groups (Linux), or the system call of Windows."""
    if sys.platform == "win32" and root == Path("/"):
        return _windows()
    memory = meminfo(root)
    total, free = memory.get("MemTotal"), memory.get("MemAvailable", memory.get("MemFree"))
    cpu = cpu_name(root)
    if total is None:
        return Result(notes=("could not read /proc/meminfo: RAM is unknown",), host=Host(cpu=cpu))
    limit, used = cgroup(root)
    notes: tuple[str, ...] = ()
    if limit is not None and limit < total:
        left = limit - (used or 0)
        notes = (f"this container may use {limit / 2**30:.1f} of {total / 2**30:.1f} GiB of RAM",)
        total, free = limit, max(min(left, free if free is not None else left), 0)
    return Result(notes=notes, host=Host(cpu, total, free))


def meminfo(root: Path) -> dict[str, int]:
    """`/proc/meminfo` in bytes; empty if it cannot be read."""
    values: dict[str, int] = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        key, _, rest = line.partition(":")
        number, *unit = rest.split() or [""]
        if number.isdecimal() and number.isascii():
            values[key] = int(number) * (1024 if unit == ["kB"] else 1)
    return values


def cpu_name(root: Path) -> str | None:
    """The processor's name, or the board's on machines whose `cpuinfo` has none."""
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return read_text(root / "proc/device-tree/model") or None


def cgroup(root: Path) -> tuple[int | None, int | None]:
    """The smallest memory limit of this process's control groups and the memory used under it, in bytes."""
    best: tuple[int | None, int | None] = (None, None)
    for line in (read_text(root / "proc/self/cgroup") or "0::/").splitlines():
        number, controllers, place = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            base, limit_name, used_name = root / "sys/fs/cgroup", "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            limit_name, used_name = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # Inside a container the path may name the host's tree: the folder itself is then the container's.
        for folder in _upwards(base, place):
            limit = read_int(folder / limit_name)
            if limit is not None and limit < _NO_LIMIT and (best[0] is None or limit < best[0]):
                best = (limit, read_int(folder / used_name))
    return best


def _upwards(base: Path, place: str) -> list[Path]:
    parts = [part for part in place.split("/") if part not in {"", ".", ".."}]
    return [base.joinpath(*parts[:end]) for end in range(len(parts), -1, -1)]


class _MemoryStatus(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    ]


def _windows() -> Result:
    import platform

    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    library = getattr(ctypes, "windll", None)
    if library is None or not library.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return Result(notes=("Windows did not tell the RAM",), host=Host(cpu=platform.processor() or None))
    told = ("on Windows only NVIDIA GPUs can be read; name others with --gpus",)
    return Result(notes=told, host=Host(platform.processor() or None, int(status.total), int(status.available)))
