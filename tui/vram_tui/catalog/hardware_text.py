"""Hardware as people write it (`4090`, `2x rtx-3090`, `8xh200`, `24GiB`, `cpu`) turned into a machine."""

import re
from dataclasses import replace

from vram_tui.catalog.hardware import HardwareCatalogue, search_key
from vram_tui.estimator.devices import Device, Machine, built_in_link
from vram_tui.estimator.units import GB, GIB, MIB

LIMIT_CHARS = 200
LIMIT_DEVICES = 1024
CANDIDATES = 8

_COUNT = re.compile(r"(\d{1,9})\s*(?:[x*×]\s*|\s+(?=[^\d\s.]))(.+)", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(gib|gb|mib|mb)", re.IGNORECASE | re.ASCII)
_UNITS = {"gib": GIB, "gb": GB, "mib": MIB, "mb": 10**6}


class HardwareError(ValueError):
    """Text that names no hardware, or several. `candidates` are ids that were perhaps meant, best first."""

    def __init__(self, text: str, reason: str, candidates: tuple[str, ...] = ()) -> None:
        self.text = text
        self.reason = reason
        self.candidates = candidates
        meant = f": {', '.join(candidates)}" if candidates else ""
        super().__init__(f"hardware {text!r} {reason}{meant}")


def parse_hardware(
    text: str,
    catalogue: HardwareCatalogue,
    *,
    host_ram_bytes: int | None = None,
    host_bandwidth_gbs: float | None = None,
) -> Machine:
    """The machine that `text` describes: terms joined by `+`, each an id, alias or size with an optional count.

    `24GiB` is a device of exactly that usable size about which nothing else is known (`GB` counts 10^9 bytes), `cpu` a
    machine without devices; the host's memory is what the caller knows of it. Raises HardwareError.
    """
    shown = text[:LIMIT_CHARS]
    if len(text) > LIMIT_CHARS:
        raise HardwareError(shown, f"is longer than {LIMIT_CHARS} characters")
    if not text.strip():
        raise HardwareError(shown, "is empty; try an id such as rtx-4090, a size such as 24GiB, or cpu")
    machine = _whole(text.strip(), catalogue)
    if machine is None:
        # Some names carry a plus themselves, so the whole was tried first.
        machines = [_term(term.strip(), shown, catalogue) for term in text.split("+")]
        devices = tuple(device for part in machines for device in part.devices)
        if len(machines) == 1:
            machine = machines[0]
        else:
            name = " + ".join(part.name for part in machines)
            machine = Machine(name, devices, interconnect=built_in_link(devices), source="given")
    if len(machine.devices) > LIMIT_DEVICES:
        raise HardwareError(shown, f"has more than {LIMIT_DEVICES} devices")
    return replace(machine, host_ram_bytes=host_ram_bytes, host_bandwidth_gbs=host_bandwidth_gbs, source="given")


def suggest(text: str, catalogue: HardwareCatalogue, limit: int = CANDIDATES) -> tuple[str, ...]:
    """Ids that look like `text`: those that contain it first, then similar spellings."""
    # difflib costs 8 ms at import and is needed for a mistyped name only.
    from difflib import get_close_matches

    wanted = search_key(text)
    if not wanted:
        return ()
    found: dict[str, None] = {}
    keys = catalogue.keys
    near = [key for key in keys if wanted in key]
    near.sort(key=lambda key: (not key.startswith(wanted), len(key), key))
    for key in (*near, *get_close_matches(wanted, keys, n=limit, cutoff=0.7)):
        for known in keys[key]:
            found.setdefault(known)
    return tuple(found)[:limit]


def _whole(text: str, catalogue: HardwareCatalogue) -> Machine | None:
    """The machine if the text, with or without a count, is one known name that holds a plus of its own."""
    if "+" not in text:
        return None
    counted = _COUNT.fullmatch(text)
    for count, name in ((1, text), (int(counted[1]), counted[2]) if counted else (0, "")):
        known = next(iter(catalogue.find(name)), None) if name.strip("+ ") else None
        entry = catalogue.accelerators.get(known) if known else None
        # The search ignores punctuation: the plus must be in the name, or the term is a sum.
        if entry and any("+" in alias for alias in entry.aliases) and 1 <= count <= LIMIT_DEVICES:
            return _times(count, _machine(entry.id, catalogue))
    return None


def _term(term: str, text: str, catalogue: HardwareCatalogue) -> Machine:
    if not term:
        raise HardwareError(text, "has an empty term beside a +")
    found = catalogue.find(term)
    if len(found) == 1:
        return _machine(found[0], catalogue)
    count, rest = 1, term
    counted = None if found or _SIZE.fullmatch(term) else _COUNT.fullmatch(term)
    if counted:
        count, rest = int(counted[1]), counted[2].strip()
        if not 1 <= count <= LIMIT_DEVICES:
            raise HardwareError(text, f"has a count that is not between 1 and {LIMIT_DEVICES}")
    return _times(count, _single(rest, text, catalogue))


def _single(name: str, text: str, catalogue: HardwareCatalogue) -> Machine:
    if name.casefold() == "cpu":
        return Machine("CPU", ())
    size = _SIZE.fullmatch(name)
    if size:
        return _sized(name, float(size[1]) * _UNITS[size[2].lower()], text)
    found = catalogue.find(name)
    if len(found) == 1:
        return _machine(found[0], catalogue)
    if found:
        raise HardwareError(text, "is ambiguous", found[:CANDIDATES])
    near = suggest(name, catalogue)
    raise HardwareError(text, "is not known; did you mean" if near else "is not known", near)


def _sized(name: str, size_bytes: float, text: str) -> Machine:
    if size_bytes < MIB:
        raise HardwareError(text, "is smaller than 1 MiB")
    usable = int(size_bytes)
    device = Device(
        id=name.replace(" ", "").lower(),
        name=name,
        vendor="",
        kind="size",
        device_class="unknown",
        memory_bytes=usable,
        usable_bytes=usable,
        usable_basis="nominal",
    )
    return Machine(name, (device,))


def _machine(known: str, catalogue: HardwareCatalogue) -> Machine:
    if known in catalogue.nodes:
        return catalogue.machine_of(known)
    devices = catalogue.devices_of(known)
    return Machine(catalogue.name_of(known), devices, interconnect=built_in_link(devices))


def _times(count: int, machine: Machine) -> Machine:
    if count == 1 or not machine.devices:
        return machine
    if count * len(machine.devices) > LIMIT_DEVICES:
        raise HardwareError(machine.name, f"times {count} is more than {LIMIT_DEVICES} devices")
    devices = machine.devices * count
    link, price = machine.interconnect, machine.price_usd_hour
    if link and link.group is None and len(machine.devices) > 1:
        # What joins the devices of one node does not join the nodes.
        link = replace(link, group=len(machine.devices))
    return Machine(
        name=f"{count}x {machine.name}",
        devices=devices,
        interconnect=link or built_in_link(devices),
        price_usd_hour=None if price is None else price * count,
        price_date=machine.price_date,
        price_basis=machine.price_basis,
    )
