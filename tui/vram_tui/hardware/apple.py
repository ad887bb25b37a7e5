"""Apple machines through `sysctl`, called in the C library."""

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path

from vram_tui.hardware.readings import Host, Reading, Result
from vram_tui.text import safe

Sysctl = Callable[[str], bytes | None]
_NAME_CHARS = 120


def read_apple(root: Path = Path("/"), sysctl: Sysctl | None = None) -> Result:
    """The chip and its memory. Whether a limit was set by hand (`iogpu.wired_limit_mb`) is told as the total."""
    if sysctl is None:
        if sys.platform != "darwin" or root != Path("/"):
            return Result()
        sysctl = _sysctl()
    ram = _number(sysctl("hw.memsize"))
    chip = _text(sysctl("machdep.cpu.brand_string"))
    host = Host(cpu=chip, ram_bytes=ram)
    if ram is None or not chip:
        return Result(notes=("sysctl told neither the chip nor its memory",), host=host)
    if not chip.startswith("Apple"):
        return Result(notes=(f"{chip} has no GPU that shares the machine's memory",), host=host)
    limit_mib = _number(sysctl("iogpu.wired_limit_mb"))
    reading = Reading(
        chip,
        "Apple",
        "sysctl",
        total_bytes=ram,
        integrated=True,
        ram_bytes=ram,
        shared_bytes=limit_mib << 20 if limit_mib else None,
    )
    return Result((reading,), host=host)


def macos_major(sysctl: Sysctl | None = None) -> int | None:
    """The major version of macOS, `None` elsewhere."""
    if sysctl is None:
        if sys.platform != "darwin":
            return None
        sysctl = _sysctl()
    major = (_text(sysctl("kern.osproductversion")) or "").partition(".")[0]
    return int(major) if major.isdecimal() and major.isascii() else None


def _number(raw: bytes | None) -> int | None:
    return int.from_bytes(raw, sys.byteorder) if raw and len(raw) <= 8 else None


def _text(raw: bytes | None) -> str | None:
    return safe(raw.rstrip(b"\0").decode("utf-8", "replace").strip(), _NAME_CHARS) or None if raw else None


def _sysctl() -> Sysctl:
    library = ctypes.CDLL(None)

    def ask(name: str) -> bytes | None:
        size = ctypes.c_size_t(0)
        key = name.encode("ascii")
        if library.sysctlbyname(key, None, ctypes.byref(size), None, ctypes.c_size_t(0)) or not size.value:
            return None
        buffer = ctypes.create_string_buffer(size.value)
        if library.sysctlbyname(key, buffer, ctypes.byref(size), None, ctypes.c_size_t(0)):
            return None
        return buffer.raw[: size.value]

    return ask
