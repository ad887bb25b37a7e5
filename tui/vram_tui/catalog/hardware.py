"""The hardware catalogue in memory: accelerators, nodes, fit tiers, and finding them by what people type."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from vram_tui.estimator.devices import Basis, Device, Interconnect, Machine, Tier, built_in_link, class_chain, halves
from vram_tui.estimator.records import record
from vram_tui.estimator.units import GIB, MIB

# Words that people leave out or put in front as they like.
_NOISE = frozenset({"nvidia", "geforce", "amd", "radeon", "instinct", "intel", "apple", "google", "aws", "tesla"})
_WORD = re.compile(r"[a-z0-9.]+")


def search_key(text: str) -> str:
    """What is left of a name for comparison: `NVIDIA GeForce RTX-4090` and `rtx4090` are the same."""
    words = _WORD.findall(text.casefold())
    return "".join(word for word in words if word not in _NOISE) or "".join(words)


@record
class Ecc:
    """How error correction changes the total: its default, and the driver's MiB in the other state."""

    default: bool
    driver_mib_on: int | None = None
    driver_mib_off: int | None = None


@record
class Accelerator:
    """One entry of `accelerators/*.toml`: the device, how to recognise it, and where its facts come from.

    `dies` is the number of devices that software sees on one board; `device` describes the whole board.
    """

    device: Device
    confidence: str
    checked: str
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    status: str = "released"
    released: str | None = None
    memory_type: str | None = None
    memory_basis: str = "nominal"
    dies: int = 1
    compute_capability: str | None = None
    gfx: str | None = None
    gpu_cores: int | None = None
    driver_names: tuple[str, ...] = ()
    pci_ids: tuple[str, ...] = ()
    same_driver_name_as: tuple[str, ...] = ()
    ecc: Ecc | None = None
    fp32_tflops: float | None = None
    tflops_basis: str | None = None
    note: str | None = None
    disagreements: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The table's name in the file."""
        return self.device.id


@record
class Node:
    """One entry of `nodes.toml`: several accelerators in one machine, or a cloud instance with its price by the hour.

    `fraction` is the share of one accelerator that a sliced instance gets.
    """

    id: str
    name: str
    accelerator: str
    count: int
    checked: str
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    fraction: float = 1.0
    provider: str | None = None
    instance: str | None = None
    price_usd_hour: float | None = None
    price_date: str | None = None
    price_basis: str | None = None
    price_region: str | None = None
    interconnect: Interconnect | None = None
    topology: str | None = None
    peer_to_peer: str | None = None
    inter_node: str | None = None
    note: str | None = None


@record
class Reserve:
    """What a driver keeps of a device's memory: `mib` or a `share`, for a class and up to a size."""

    device_class: str
    basis: Basis
    source: str
    unified: bool = False
    up_to_mib: int | None = None
    mib: int | None = None
    share: float | None = None


@record
class AppleLimits:
    """Metal's recommendedMaxWorkingSetSize in MiB by memory in GiB: (size, macOS 26 and later, older macOS)."""

    rows: tuple[tuple[int, int, int], ...] = ()
    inferred_gib: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    checked: str = ""

    def limit_bytes(self, ram_bytes: int, macos: int | None = None) -> int | None:
        """Bytes the GPU may use under that major version of macOS (the newest if `None`); `None` without a table.

        A size that is not in the table gets the share of the next smaller one (of the smallest, below it).
        """
        if not self.rows:
            return None
        size_gib = ram_bytes / GIB
        row = max((row for row in self.rows if row[0] <= size_gib), default=min(self.rows))
        limit_mib = row[1] if macos is None or macos >= 26 else row[2]
        return limit_mib * MIB if row[0] == size_gib else int(ram_bytes * limit_mib / (row[0] * 1024))


class HardwareCatalogue:
    """All known hardware, by id and by alias. Later files may have replaced entries of earlier ones."""

    __slots__ = ("_keys", "accelerators", "apple_limits", "nodes", "reserves", "tiers")

    def __init__(
        self,
        accelerators: Iterable[Accelerator] = (),
        nodes: Iterable[Node] = (),
        tiers: Iterable[Tier] = (),
        reserves: Iterable[Reserve] = (),
        apple_limits: AppleLimits | None = None,
    ) -> None:
        self.accelerators: dict[str, Accelerator] = {entry.id: entry for entry in accelerators}
        self.nodes: dict[str, Node] = {node.id: node for node in nodes}
        self.tiers: tuple[Tier, ...] = tuple(tiers)
        self.reserves: tuple[Reserve, ...] = tuple(reserves)
        self.apple_limits: AppleLimits = apple_limits or AppleLimits()
        self._keys: dict[str, tuple[str, ...]] | None = None

    @property
    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """Search key → ids, of accelerators and nodes together; built when first asked."""
        if self._keys is None:
            keys: dict[str, dict[str, None]] = {}
            for entry in self.accelerators.values():
                for text in (entry.id, entry.device.name, *entry.aliases):
                    keys.setdefault(search_key(text), {})[entry.id] = None
            for node in self.nodes.values():
                for text in (node.id, *node.aliases):
                    keys.setdefault(search_key(text), {})[node.id] = None
            # An id is never ambiguous, whatever aliases others claim.
            for known in (*self.accelerators, *self.nodes):
                keys[search_key(known)] = {known: None}
            self._keys = {key: tuple(ids) for key, ids in keys.items()}
        return self._keys

    def find(self, text: str) -> tuple[str, ...]:
        """Ids that an id, a name or an alias stands for: none, one, or the candidates of an ambiguous one."""
        wanted = text.strip().casefold()
        if wanted in self.accelerators or wanted in self.nodes:
            return (wanted,)
        return self.keys.get(search_key(text), ())

    def name_of(self, known: str) -> str:
        """The name of an accelerator or node."""
        node = self.nodes.get(known)
        return node.name if node else self.accelerators[known].device.name

    def devices_of(self, accelerator: str) -> tuple[Device, ...]:
        """What software sees of one board: one device, or one for each die."""
        entry = self.accelerators[accelerator]
        return halves(entry.device, entry.dies)

    def machine_of(self, node_id: str) -> Machine:
        """A node or cloud instance with its devices written out."""
        node = self.nodes[node_id]
        devices = self.devices_of(node.accelerator) * node.count
        if node.fraction != 1.0:
            devices = tuple(_slice(device, node.fraction) for device in devices)
        return Machine(
            name=node.name,
            devices=devices,
            interconnect=node.interconnect or built_in_link(devices),
            price_usd_hour=node.price_usd_hour,
            price_date=node.price_date,
            price_basis=node.price_basis,
        )

    def usable_bytes(self, device_class: str, total_bytes: int, *, unified: bool = False) -> tuple[int, Basis]:
        """What a process reaches of a driver's total on a device that nobody measured, by the first rule that fits."""
        chain = set(class_chain(device_class))
        for rule in self.reserves:
            if rule.device_class not in chain or (rule.unified and not unified):
                continue
            if rule.up_to_mib is not None and total_bytes > rule.up_to_mib * MIB:
                continue
            kept = rule.mib * MIB if rule.mib is not None else int(total_bytes * (rule.share or 0.0))
            return max(total_bytes - kept, 0), rule.basis
        return total_bytes, "nominal"

    def to_plain(self) -> dict[str, Any]:
        """The catalogue as JSON types, fields at their default left out."""
        return {
            "accelerators": [_plain(entry) for entry in self.accelerators.values()],
            "nodes": [_plain(node) for node in self.nodes.values()],
            "tiers": [_plain(tier) for tier in self.tiers],
            "reserves": [_plain(rule) for rule in self.reserves],
            "apple_limits": _plain(self.apple_limits),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "HardwareCatalogue":
        """The inverse of `to_plain`."""
        limits = plain["apple_limits"]
        return cls(
            accelerators=[_accelerator(row) for row in plain["accelerators"]],
            nodes=[_node(row) for row in plain["nodes"]],
            tiers=[Tier(**row) for row in plain["tiers"]],
            reserves=[Reserve(**row) for row in plain["reserves"]],
            apple_limits=AppleLimits(
                rows=tuple((size, new, old) for size, new, old in limits.get("rows", ())),
                inferred_gib=tuple(limits.get("inferred_gib", ())),
                sources=tuple(limits.get("sources", ())),
                checked=limits.get("checked", ""),
            ),
        )


def _slice(device: Device, fraction: float) -> Device:
    """A virtual share of a device: memory, bandwidth and rates in proportion."""

    def part(value: float | None) -> float | None:
        return None if value is None else value * fraction

    return replace(
        device,
        name=f"{device.name} ({fraction:g} of one)",
        memory_bytes=int(device.memory_bytes * fraction),
        usable_bytes=int(device.usable_bytes * fraction),
        usable_basis="assumed",
        bandwidth_gbs=part(device.bandwidth_gbs),
        fp16_tflops=part(device.fp16_tflops),
        fp8_tflops=part(device.fp8_tflops),
        int8_tflops=part(device.int8_tflops),
        fp4_tflops=part(device.fp4_tflops),
        tdp_w=None,
        price_usd=None,
        price_date=None,
        price_basis=None,
    )


def _plain(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their default; nested records likewise."""
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        row[field.name] = _plain(value) if hasattr(value, "__dataclass_fields__") else value
    return row


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _accelerator(row: Mapping[str, Any]) -> Accelerator:
    values = _tuples(row)
    values["device"] = Device(**row["device"])
    if "ecc" in row:
        values["ecc"] = Ecc(**row["ecc"])
    return Accelerator(**values)


def _node(row: Mapping[str, Any]) -> Node:
    values = _tuples(row)
    if "interconnect" in row:
        values["interconnect"] = Interconnect(**row["interconnect"])
    return Node(**values)
