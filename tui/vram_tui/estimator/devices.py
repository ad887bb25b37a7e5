"""What a model runs on: one device, a machine of several, and the tiers a total is judged against."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from vram_tui.estimator.records import record

Basis = Literal["measured", "fitted", "assumed", "nominal"]

TIGHT_SHARE = 0.05
"""A fit that leaves less than this share of a device is called tight."""


@record
class Device:
    """One device as software sees it: a card, a die of a two-die board, or a machine with unified memory.

    `memory_bytes` is the total that the driver reports; `usable_bytes` what one process can reach of it, with
    `usable_basis` saying how that is known. Bandwidth and link figures are GB/s (10^9 bytes), rates are dense TFLOPS;
    `None` means that nobody published the figure. `peer_gbs` is the device-to-device link (both directions), and
    `peer_built_in` tells a link that every machine with this device has from a bridge that is sold apart.
    """

    id: str
    name: str
    vendor: str
    kind: str
    device_class: str
    memory_bytes: int
    usable_bytes: int
    usable_basis: Basis = "assumed"
    unified: bool = False
    bandwidth_gbs: float | None = None
    fp16_tflops: float | None = None
    fp8_tflops: float | None = None
    int8_tflops: float | None = None
    fp4_tflops: float | None = None
    tdp_w: int | None = None
    price_usd: float | None = None
    price_date: str | None = None
    price_basis: str | None = None
    pcie: str | None = None
    peer_kind: str | None = None
    peer_gbs: float | None = None
    peer_built_in: bool = False

    @property
    def nvlink_gbs(self) -> float | None:
        """GB/s of the NVLink of this device in both directions, `None` without one."""
        return self.peer_gbs if self.peer_kind == "nvlink" else None


@record
class Interconnect:
    """How the devices of a machine talk to each other.

    `kind` is `nvlink`, `xgmi`, `pcie`, `thunderbolt`, `ethernet`, `roce`, `ici` or `neuronlink`; `gbs_per_device`
    counts both directions; `group` is the number of devices that the link joins (the rest is reached over PCIe).
    """

    kind: str
    name: str
    gbs_per_device: float | None = None
    group: int | None = None


@record
class Machine:
    """Devices that a plan may spread a model over, each written out, and the host that holds them.

    `free_bytes` runs parallel to `devices`; an entry is `None` where the free memory is not known, and the whole is
    `None` for hardware that nobody asked (a catalogue entry). `price_usd_hour` is what renting it costs.
    """

    name: str
    devices: tuple[Device, ...]
    host_ram_bytes: int | None = None
    host_bandwidth_gbs: float | None = None
    interconnect: Interconnect | None = None
    free_bytes: tuple[int | None, ...] | None = None
    source: str = "catalogue"
    host_free_bytes: int | None = None
    price_usd_hour: float | None = None
    price_date: str | None = None
    price_basis: str | None = None

    def __post_init__(self) -> None:
        if self.free_bytes is not None and len(self.free_bytes) != len(self.devices):
            raise ValueError("free_bytes must have one entry for each device")

    @property
    def usable_bytes(self) -> int:
        """Bytes that a process reaches on all devices together."""
        return sum(device.usable_bytes for device in self.devices)

    @property
    def unified(self) -> bool:
        """Whether every device shares its memory with the CPU."""
        return bool(self.devices) and all(device.unified for device in self.devices)

    @property
    def uniform(self) -> bool:
        """Whether all devices are of one kind, as a tensor-parallel group needs."""
        return len({device.id for device in self.devices}) <= 1

    @property
    def tdp_w(self) -> int | None:
        """Watts of all devices together, `None` if one of them is not known."""
        watts = [device.tdp_w for device in self.devices]
        return sum(w for w in watts if w is not None) if watts and None not in watts else None

    @property
    def price_usd(self) -> float | None:
        """Purchase price of all devices together, `None` if one of them has none."""
        prices = [device.price_usd for device in self.devices]
        return sum(p for p in prices if p is not None) if prices and None not in prices else None

    def budget_bytes(self, index: int, *, free: bool = False) -> int:
        """Bytes that a plan may fill on device `index`; with `free`, at most what is free now."""
        usable = self.devices[index].usable_bytes
        left = self.free_bytes[index] if free and self.free_bytes else None
        return usable if left is None else min(usable, left)


@record
class Tier:
    """A class of hardware that a total is sorted into: the first tier whose `usable_bytes` holds it.

    `nominal_bytes` is the size on the box (the method that counts bytes per weight compares with it); a tier without
    sizes takes everything that is left.
    """

    id: str
    label: str
    short: str
    glyph: str
    ascii: str
    nominal_bytes: int | None
    usable_bytes: int | None
    reference: str | None
    source: str


def tier_of(total_bytes: int, tiers: tuple[Tier, ...], *, nominal: bool = False) -> Tier:
    """The first tier that holds `total_bytes`, the last one if none does; `nominal` compares with the size on the box.

    Raises ValueError when there are no tiers.
    """
    if not tiers:
        raise ValueError("no fit tiers")
    for tier in tiers:
        size = tier.nominal_bytes if nominal else tier.usable_bytes
        if size is None or total_bytes <= size:
            return tier
    return tiers[-1]


def class_chain(device_class: str) -> Iterator[str]:
    """The class and the wider ones it belongs to: `cuda-ampere-datacenter`, `cuda-ampere`, `cuda`.

    Constants are looked up along this chain, so that an unknown chip falls back to its family.
    """
    parts = device_class.split("-")
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])


def built_in_link(devices: tuple[Device, ...]) -> Interconnect | None:
    """The interconnect of loose devices put into one machine: their own link where it is always there, else PCIe."""
    if len(devices) < 2:
        return None
    first = devices[0]
    alike = all(device.id == first.id for device in devices)
    if alike and first.peer_built_in and first.peer_kind:
        return Interconnect(first.peer_kind, f"{first.peer_kind} {first.peer_gbs:g} GB/s", first.peer_gbs)
    if all(device.unified for device in devices):
        return Interconnect("ethernet", "network")
    return Interconnect("pcie", min((device.pcie for device in devices if device.pcie), default="PCIe"))


def halves(device: Device, dies: int) -> tuple[Device, ...]:
    """A board with several dies as software sees it: `dies` devices with an equal share of everything."""
    if dies == 1:
        return (device,)

    def share(value: float | None) -> float | None:
        return None if value is None else value / dies

    die = replace(
        device,
        name=f"{device.name} (1 of {dies} dies)",
        memory_bytes=device.memory_bytes // dies,
        usable_bytes=device.usable_bytes // dies,
        bandwidth_gbs=share(device.bandwidth_gbs),
        fp16_tflops=share(device.fp16_tflops),
        fp8_tflops=share(device.fp8_tflops),
        int8_tflops=share(device.int8_tflops),
        fp4_tflops=share(device.fp4_tflops),
        tdp_w=None if device.tdp_w is None else device.tdp_w // dies,
        price_usd=share(device.price_usd),
    )
    return (die,) * dies
