"""What this machine has: every reader in its own thread, none of them able to hang or break the program."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.hardware_text import parse_hardware
from vram_tui.estimator.devices import Device, Machine, built_in_link
from vram_tui.estimator.records import record
from vram_tui.hardware.amd import read_amd
from vram_tui.hardware.apple import macos_major, read_apple
from vram_tui.hardware.host import read_host
from vram_tui.hardware.intel import read_intel
from vram_tui.hardware.match import device_of, match
from vram_tui.hardware.nvml import read_jetson, read_nvidia_proc, read_nvml
from vram_tui.hardware.readings import Host, Reading, Result
from vram_tui.text import safe

TIMEOUT_S = 3.0

Reader = Callable[[Path], Result]
READERS: Mapping[str, Reader] = {
    "host": read_host,
    "NVML": read_nvml,
    "NVIDIA module": read_nvidia_proc,
    "Jetson": read_jetson,
    "amdgpu": read_amd,
    "Intel": read_intel,
    "Apple": read_apple,
}


@record
class Detected:
    """One device of this machine. `total_bytes` and `free_bytes` are the driver's, `None` where it does not say;
    `accelerator` is the catalogue id, `None` for a device that the catalogue does not know."""

    device: Device
    total_bytes: int | None
    free_bytes: int | None
    source: str
    accelerator: str | None


@record
class Note:
    """One thing that could not be read or deserves to be known, and the reader that says so."""

    reader: str
    text: str


@record
class Detection:
    """The machine to plan for, what was read for it, and what was not.

    `machine` has no devices where no GPU was found. `integrated` names GPUs that are not counted as cards. With a
    given HARDWARE text, `machine` is that hardware on this host, and `devices` still tells what is here.
    """

    machine: Machine
    devices: tuple[Detected, ...]
    host: Host
    notes: tuple[Note, ...]
    integrated: tuple[str, ...] = ()


def detect(
    catalogue: HardwareCatalogue,
    *,
    timeout_s: float = TIMEOUT_S,
    root: Path = Path("/"),
    hardware: str | None = None,
    readers: Mapping[str, Reader] = READERS,
) -> Detection:
    """Read this machine within `timeout_s` seconds, whatever the drivers do.

    `root` is where `/sys` and `/proc` are looked for. `hardware` overrides what was found (HardwareError if it names
    none). Never raises for what a reader does: each failure becomes a note.
    """
    results, notes = _run(readers, root, timeout_s)
    host = _host(results)
    readings = _merge(results)
    found, integrated, more = _devices(readings, catalogue)
    notes.extend(more)
    if hardware is not None:
        machine = parse_hardware(hardware, catalogue, host_ram_bytes=host.ram_bytes)
    else:
        machine = _machine(found, host)
    return Detection(machine, tuple(found), host, tuple(notes), tuple(integrated))


def _run(readers: Mapping[str, Reader], root: Path, timeout_s: float) -> tuple[dict[str, Result], list[Note]]:
    """Every reader's result, and a note for each that failed or was not done in time."""
    results: dict[str, Result] = {}
    failed: dict[str, str] = {}

    def work(name: str, reader: Reader) -> None:
        try:
            results[name] = reader(root)
        except Exception as error:  # a driver's library may raise anything: it is told, never fatal
            failed[name] = f"could not be read: {type(error).__name__}: {safe(str(error))}"

    deadline = time.monotonic() + timeout_s
    # Daemons: a thread that hangs in a driver must not keep the program from ending.
    threads = {
        name: threading.Thread(target=work, args=(name, reader), name=f"detect {name}", daemon=True)
        for name, reader in readers.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(deadline - time.monotonic(), 0.0))
    # A copy: a reader that comes late must change nothing any more.
    done, told = dict(results), dict(failed)
    notes: list[Note] = []
    for name in readers:
        if name in done:
            notes.extend(Note(name, text) for text in done[name].notes)
        else:
            notes.append(Note(name, told.get(name, f"did not answer within {timeout_s:g} s")))
    return {name: done[name] for name in readers if name in done}, notes


def _host(results: Mapping[str, Result]) -> Host:
    host = Host()
    for result in results.values():
        if result.host is not None:
            told = result.host
            host = Host(told.cpu or host.cpu, told.ram_bytes or host.ram_bytes, told.free_bytes or host.free_bytes)
    return host


def _merge(results: Mapping[str, Result]) -> list[Reading]:
    """All readings, without those that say less about a device that a better reader has told."""
    readings: list[Reading] = []
    for name, result in results.items():
        if name in {"NVIDIA module", "Jetson"} and any(reading.vendor == "NVIDIA" for reading in readings):
            continue
        readings.extend(result.readings)
    return readings


def _devices(readings: list[Reading], catalogue: HardwareCatalogue) -> tuple[list[Detected], list[str], list[Note]]:
    """The devices to count, the names of integrated GPUs that are not, and notes on what was not clear."""
    cards: list[Detected] = []
    shared: list[Detected] = []
    aside: list[str] = []
    notes: list[Note] = []
    for reading in readings:
        found = match(reading, catalogue)
        entry = found.entry
        if reading.integrated and entry is None and reading.vendor != "Apple":
            aside.append(reading.name)
            continue
        device = device_of(reading, entry, catalogue)
        if reading.vendor == "Apple":
            device = _apple(device, reading, catalogue)
        if entry is None:
            notes.append(Note(reading.source, f"{reading.name} is not in the catalogue: its speed is unknown"))
        elif found.others:
            others = " or ".join(found.others)
            notes.append(Note(reading.source, f"{reading.name} is taken for {entry.id}; it may be {others}"))
        if device.memory_bytes <= 0:
            notes.append(Note(reading.source, f"{reading.name} is left out: its memory is unknown"))
            continue
        detected = Detected(
            device, reading.total_bytes, reading.free_bytes, reading.source, entry.id if entry else None
        )
        (shared if device.unified else cards).append(detected)
    if cards and shared:
        # With cards at hand, runtimes leave the processor's GPU alone.
        aside.extend(one.device.name for one in shared)
        shared = []
    if aside:
        notes.append(Note("detect", f"integrated GPU, not counted: {', '.join(aside)}"))
    return cards or shared, aside, notes


def _apple(device: Device, reading: Reading, catalogue: HardwareCatalogue) -> Device:
    """What Metal lets the GPU use here: a limit set by hand, else the one of this macOS and memory."""
    ram = reading.ram_bytes or 0
    limit = reading.shared_bytes or catalogue.apple_limits.limit_bytes(ram, macos_major())
    if limit is None:
        return device
    return replace(device, memory_bytes=ram, usable_bytes=min(limit, ram), usable_basis="measured")


def _machine(found: list[Detected], host: Host) -> Machine:
    devices = tuple(one.device for one in found)
    counts = Counter(device.name for device in devices)
    names = [name if count == 1 else f"{count}x {name}" for name, count in counts.items()]
    return Machine(
        name=" + ".join(names) or host.cpu or "CPU",
        devices=devices,
        host_ram_bytes=host.ram_bytes,
        host_free_bytes=host.free_bytes,
        interconnect=built_in_link(devices),
        free_bytes=tuple(one.free_bytes for one in found),
        source="detected",
    )
