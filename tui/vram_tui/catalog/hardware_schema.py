"""What the hardware files may hold, checked strictly: for `validate`, the tests and editors, never at a start."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tomli
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$", max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Alias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9 .+_-]*$", max_length=60)]
PciId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
# A day, a month or a year: sources are not always more exact.
Date = Annotated[str, StringConstraints(pattern=r"^20\d\d(-[01]\d(-[0-3]\d)?)?$")]
Count = Annotated[int, Field(gt=0, le=1024)]
Mib = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
Sources = Annotated[list[Text], Field(min_length=1)]
Basis = Literal["measured", "fitted", "assumed", "nominal"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Memory(_Strict):
    """`nominal_gb` is the size on the box; `driver_mib` (or `driver_bytes`) what the driver reports of it."""

    nominal_gb: Positive
    driver_mib: Mib | None = None
    driver_bytes: Annotated[int, Field(gt=0)] | None = None
    usable_mib: Mib | None = None
    basis: Literal["reported", "inferred", "nominal"]
    type: Text | None = None

    @model_validator(mode="after")
    def _agree(self) -> "Memory":
        if self.driver_mib is not None and self.driver_bytes is not None:
            raise ValueError("give driver_mib or driver_bytes, not both")
        if self.usable_mib is not None and self.driver_mib is not None and self.usable_mib > self.driver_mib:
            raise ValueError("usable_mib is more than driver_mib")
        total_gib = (self.driver_mib or 0) / 1024 or (self.driver_bytes or 0) / 2**30
        if total_gib and not 0.85 * self.nominal_gb <= total_gib <= 1.03 * self.nominal_gb:
            raise ValueError(f"the driver's {total_gib:.1f} GiB do not go with nominal_gb = {self.nominal_gb:g}")
        return self


class Tflops(_Strict):
    """Dense rates in TFLOPS (TOPS for int8); `fp16_acc16` accumulates in 16 bits."""

    fp32: Positive | None = None
    fp16: Positive | None = None
    fp16_acc16: Positive | None = None
    fp8: Positive | None = None
    int8: Positive | None = None
    fp4: Positive | None = None
    basis: Text | None = None


class Link(_Strict):
    """The slot, and the link to other devices (GB/s in both directions)."""

    pcie: Text | None = None
    peer: Literal["nvlink", "xgmi", "ici", "neuronlink", "roce"] | None = None
    peer_gbs: Positive | None = None
    peer_built_in: bool = False


class Price(_Strict):
    usd: Positive
    date: Date
    basis: Text


class EccState(_Strict):
    default: bool
    driver_mib_on: Mib | None = None
    driver_mib_off: Mib | None = None


class AcceleratorRow(_Strict):
    """One `[device.<id>]`."""

    name: Text
    kind: Literal["consumer", "laptop", "workstation", "datacenter", "unified", "apple", "tpu"]
    device_class: Id
    status: Literal["released", "announced", "modified"] = "released"
    released: Date | None = None
    aliases: list[Alias] = []
    memory: Memory
    unified: bool = False
    dies: Annotated[int, Field(ge=1, le=8)] = 1
    bandwidth_gbs: Positive | None = None
    tflops: Tflops = Tflops()
    link: Link = Link()
    tdp_w: Annotated[int, Field(gt=0)] | None = None
    price: Price | None = None
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")] | None = None
    gfx: Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]+$")] | None = None
    gpu_cores: Count | None = None
    driver_names: list[Text] = []
    pci_ids: list[PciId] = []
    same_driver_name_as: list[Id] = []
    ecc: EccState | None = None
    tdp_note: Text | None = None
    note: Text | None = None
    disagreements: list[Text] = []
    confidence: Literal["high", "medium", "low"]
    sources: Sources
    checked: datetime.date


class ReserveRow(_Strict):
    """What a driver keeps of a device that nobody measured: exactly one of `mib` and `share`."""

    device_class: Id
    unified: bool = False
    up_to_mib: Mib | None = None
    mib: Mib | None = None
    share: Annotated[float, Field(ge=0, lt=1)] | None = None
    basis: Basis
    source: Text

    @model_validator(mode="after")
    def _one(self) -> "ReserveRow":
        if (self.mib is None) == (self.share is None):
            raise ValueError("give exactly one of mib and share")
        return self


GibTable = dict[Annotated[str, StringConstraints(pattern=r"^\d+$")], Mib]


class LimitsTable(_Strict):
    """Metal's limit in MiB by memory in GiB."""

    macos_26_mib: GibTable
    older_mib: GibTable
    inferred_gib: list[int] = []
    sources: Sources
    checked: datetime.date

    @model_validator(mode="after")
    def _same_sizes(self) -> "LimitsTable":
        if set(self.macos_26_mib) != set(self.older_mib):
            raise ValueError("macos_26_mib and older_mib must list the same sizes")
        return self


class AcceleratorFile(_Strict):
    """`accelerators/<vendor>.toml`."""

    vendor: Text
    reserve: list[ReserveRow] = []
    limits: LimitsTable | None = None
    device: dict[Id, AcceleratorRow]


class HourlyPrice(_Strict):
    usd_hour: Positive
    date: Date
    basis: Text
    undated_source: bool = False
    region: Text | None = None


class InterconnectRow(_Strict):
    kind: Literal["nvlink", "xgmi", "pcie", "thunderbolt", "ethernet", "roce", "ici", "neuronlink"]
    name: Text
    gbs_per_device: Positive | None = None
    group: Count | None = None


class NodeRow(_Strict):
    """One `[node.<id>]`."""

    name: Text
    accelerator: Id
    count: Count
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    provider: Text | None = None
    instance: Text | None = None
    aliases: list[Alias] = []
    price: HourlyPrice | None = None
    interconnect: InterconnectRow | None = None
    topology: Text | None = None
    peer_to_peer: Text | None = None
    inter_node: Text | None = None
    note: Text | None = None
    sources: Sources
    checked: datetime.date


class NodesFile(_Strict):
    """`nodes.toml`."""

    node: dict[Id, NodeRow]


class TierRow(_Strict):
    """One fit tier; glyphs are one narrow character."""

    id: Id
    label: Text
    short: Text
    glyph: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    ascii: Annotated[str, StringConstraints(pattern=r"^[!-~]$")]
    nominal_gib: Positive | None = None
    usable_mib: Mib | None = None
    reference: Id | None = None
    source: Text


class TiersFile(_Strict):
    """`tiers.toml`: sizes ascend, and the last tier has none."""

    tier: Annotated[list[TierRow], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self) -> "TiersFile":
        *sized, last = self.tier
        if last.usable_mib is not None or any(tier.usable_mib is None for tier in sized):
            raise ValueError("every tier but the last has usable_mib, the last has none")
        sizes = [tier.usable_mib or 0 for tier in sized]
        if sizes != sorted(set(sizes)):
            raise ValueError("tiers must be listed from the smallest to the largest")
        return self


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
