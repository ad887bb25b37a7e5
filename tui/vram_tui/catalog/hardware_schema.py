"""What the hardware files may hold, as a strict schema: for checks, documentation and editors, never at a start."""

import datetime
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

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
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Memory(_Strict):
    """`nominal_gb` is the size on the box; `driver_mib` (or `driver_bytes`) what the driver reports of it."""

    nominal_gb: Positive
    """Size on the box, in GiB as vendors count them."""
    driver_mib: Mib | None = None
    """What the driver reports in all, in MiB: the total of nvidia-smi."""
    driver_bytes: Annotated[int, Field(gt=0)] | None = None
    """The same in bytes, where a source gives bytes."""
    usable_mib: Mib | None = None
    """What a process can reach, in MiB, where somebody measured it: the total that CUDA shows."""
    basis: Literal["reported", "inferred", "nominal"]
    """How the total is known."""
    type: Text | None = None
    """Kind of memory, such as GDDR6X."""

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
    """Whose figures these are."""


class Link(_Strict):
    """The slot, and the link to other devices (GB/s in both directions)."""

    pcie: Text | None = None
    """Slot, such as "4.0 x16"."""
    peer: Literal["nvlink", "xgmi", "ici", "neuronlink", "roce"] | None = None
    """Link to other devices."""
    peer_gbs: Positive | None = None
    """Its rate in GB/s, both directions together."""
    peer_built_in: bool = False
    """The link is always there, not an option of the server."""


class Price(_Strict):
    usd: Positive
    """US dollars."""
    date: Date
    """When that was the price."""
    basis: Text
    """Kind of price, such as "launch MSRP"."""


class EccState(_Strict):
    default: bool
    """On as shipped."""
    driver_mib_on: Mib | None = None
    """What the driver reports with it, in MiB."""
    driver_mib_off: Mib | None = None
    """What the driver reports without it, in MiB."""


class AcceleratorRow(_Strict):
    """One `[device.<id>]`."""

    name: Text
    """Name as people write it."""
    kind: Literal["consumer", "laptop", "workstation", "datacenter", "unified", "apple", "tpu"]
    """What it is sold as."""
    device_class: Id
    """Architecture class that constants of runtimes are looked up by, such as cuda-ada."""
    status: Literal["released", "announced", "modified"] = "released"
    """modified: sold with memory that its maker never offered."""
    released: Date | None = None
    """Day, month or year of release."""
    aliases: list[Alias] = []
    """Short names that people type."""
    memory: Memory
    """Its memory."""
    unified: bool = False
    """CPU and accelerator share the memory."""
    dies: Annotated[int, Field(ge=1, le=8)] = 1
    """Dies that the driver shows as devices of their own."""
    bandwidth_gbs: Positive | None = None
    """Memory bandwidth in GB/s."""
    tflops: Tflops = Tflops()
    """Arithmetic rates."""
    link: Link = Link()
    """Slot and link to other devices."""
    tdp_w: Annotated[int, Field(gt=0)] | None = None
    """Power limit in watts."""
    price: Price | None = None
    """A dated price."""
    compute_capability: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")] | None = None
    """CUDA's number of the architecture."""
    gfx: Annotated[str, StringConstraints(pattern=r"^gfx[0-9a-f]+$")] | None = None
    """AMD's number of the architecture."""
    gpu_cores: Count | None = None
    """Cores of an integrated GPU, where they tell variants apart."""
    driver_names: list[Text] = []
    """Names by which drivers report it: detection matches these."""
    pci_ids: list[PciId] = []
    """vendor:device numbers, for detection."""
    same_driver_name_as: list[Id] = []
    """Devices that a driver calls the same."""
    ecc: EccState | None = None
    """Error correction, where it costs memory."""
    tdp_note: Text | None = None
    """A remark on the power limit."""
    note: Text | None = None
    """What a person should know."""
    disagreements: list[Text] = []
    """Where sources say different things, and which was taken."""
    confidence: Literal["high", "medium", "low"]
    """How well the sources agree."""
    sources: Sources
    """Where the facts come from."""
    checked: datetime.date
    """Day on which the entry was last checked."""


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
    """Who made the devices of this file."""
    reserve: list[ReserveRow] = []
    """What drivers keep of devices that nobody measured; the first rule that matches holds."""
    limits: LimitsTable | None = None
    """Apple alone: Metal's limits."""
    device: dict[Id, AcceleratorRow]
    """Accelerators by id."""


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
    """Name as people write it."""
    accelerator: Id
    """Id of its accelerators."""
    count: Count
    """How many of them."""
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of one accelerator, for instances with a part of a card."""
    provider: Text | None = None
    """Who rents it out."""
    instance: Text | None = None
    """Name of the instance there."""
    aliases: list[Alias] = []
    """Short names that people type."""
    price: HourlyPrice | None = None
    """A dated price per hour."""
    interconnect: InterconnectRow | None = None
    """Link between the accelerators."""
    topology: Text | None = None
    """How they are wired."""
    peer_to_peer: Text | None = None
    """Whether cards reach each other directly."""
    inter_node: Text | None = None
    """Link to other nodes."""
    note: Text | None = None
    """What a person should know."""
    sources: Sources
    """Where the facts come from."""
    checked: datetime.date
    """Day on which the entry was last checked."""


class NodesFile(_Strict):
    """`nodes.toml`."""

    node: dict[Id, NodeRow]
    """Nodes and instances by id."""


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


def schema_text() -> str:
    """The JSON schema that editors complete `accelerators/<vendor>.toml` from."""
    schema = AcceleratorFile.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
