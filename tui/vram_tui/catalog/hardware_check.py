"""Check hardware files: their form, references between them, ids given twice; every fault with its line."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tomli
from pydantic import ValidationError

from vram_tui.catalog.hardware_schema import AcceleratorFile, NodesFile, TiersFile


@dataclass(frozen=True, slots=True)
class HardwareFault:
    """One thing wrong in a hardware file; `field` is dotted, `line` counts from 1 where it is known."""

    path: Path
    field: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


def check_accelerators(path: Path, known: Collection[str] = ()) -> list[HardwareFault]:
    """Every fault of one file of accelerators; `known` are ids of other files that it may refer to."""
    faults: list[HardwareFault] = []
    parsed = _parse(path, AcceleratorFile, faults)
    devices = parsed.device if parsed else {}
    for device, row in devices.items():
        faults.extend(
            _fault(path, f"device.{device}.same_driver_name_as", f"no device {other!r}")
            for other in row.same_driver_name_as
            if other not in devices and other not in known
        )
    return faults


def check_hardware(root: Path) -> list[HardwareFault]:
    """Every fault of the hardware files under `root`: form, unknown references, ids given twice."""
    faults: list[HardwareFault] = []
    devices: dict[str, Path] = {}
    same: list[tuple[Path, str, str]] = []
    for path in sorted((root / "accelerators").glob("*.toml")):
        parsed = _parse(path, AcceleratorFile, faults)
        for known, row in parsed.device.items() if parsed else ():
            if known in devices:
                faults.append(_fault(path, f"device.{known}", f"is also in {devices[known].name}; remove one"))
            devices[known] = path
            same.extend((path, known, other) for other in row.same_driver_name_as)
    for path, known, other in same:
        if other not in devices:
            faults.append(_fault(path, f"device.{known}.same_driver_name_as", f"no device {other!r}"))
    nodes = _parse(root / "nodes.toml", NodesFile, faults) if (root / "nodes.toml").is_file() else None
    for known, node in nodes.node.items() if nodes else ():
        if node.accelerator not in devices:
            faults.append(_fault(root / "nodes.toml", f"node.{known}.accelerator", f"no device {node.accelerator!r}"))
        if known in devices:
            faults.append(_fault(root / "nodes.toml", f"node.{known}", "is also the id of an accelerator"))
    tiers = _parse(root / "tiers.toml", TiersFile, faults) if (root / "tiers.toml").is_file() else None
    faults.extend(
        _fault(root / "tiers.toml", f"tier.{tier.id}.reference", f"no device {tier.reference!r}")
        for tier in (tiers.tier if tiers else ())
        if tier.reference and tier.reference not in devices
    )
    return faults


_File = TypeVar("_File", AcceleratorFile, NodesFile, TiersFile)


def _parse(path: Path, model: type[_File], faults: list[HardwareFault]) -> _File | None:
    try:
        return model.model_validate(tomli.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(HardwareFault(path, "", str(error)))
    except tomli.TOMLDecodeError as error:
        faults.append(HardwareFault(path, "", error.msg, error.lineno))
    except ValidationError as error:
        faults.extend(
            _fault(path, ".".join(str(part) for part in fault["loc"]), fault["msg"]) for fault in error.errors()
        )
    return None


def _fault(path: Path, field: str, message: str) -> HardwareFault:
    return HardwareFault(path, field, message, _line(path, field))


def _line(path: Path, field: str) -> int | None:
    """The line of `device.<id>.<key>…` in a file with one table for each record; its header if the key is absent."""
    parts = field.split(".")
    header: int | None = None
    for number, line in _lines(path):
        if header is None:
            if any(line.startswith(f"[{'.'.join(parts[:end])}]") for end in range(len(parts), 1, -1)):
                header = number
        elif line.startswith("["):
            break
        elif len(parts) > 2 and re.match(rf"{re.escape(parts[2])}\s*=", line):
            return number
    return header


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    except (OSError, UnicodeDecodeError):
        return
