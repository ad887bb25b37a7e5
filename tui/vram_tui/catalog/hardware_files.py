"""Read the hardware part of a catalogue folder: `accelerators/*.toml`, `nodes.toml`, `tiers.toml`."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vram_tui.catalog.hardware import Accelerator, AppleLimits, Ecc, HardwareCatalogue, Node, Reserve
from vram_tui.catalog.kinds import LARGEST, first_wrong
from vram_tui.estimator.devices import Basis, Device, Interconnect, Tier
from vram_tui.estimator.units import GIB, MIB
from vram_tui.text import safe

_Record = TypeVar("_Record")


class HardwareFileError(ValueError):
    """A hardware file that cannot be used: `path`, the `record` (or "") and what is wrong."""

    def __init__(self, path: Path, record: str, reason: str) -> None:
        self.path = path
        self.record = record
        self.reason = reason
        super().__init__(f"{path}: {record + ': ' if record else ''}{reason}")


def load_hardware(*roots: Path) -> HardwareCatalogue:
    """The catalogue of these folders; an entry of a later folder replaces the one of the same id.

    Reads what is there and checks no more than it needs: `hardware_schema` validates. Raises HardwareFileError.
    """
    accelerator_files = [
        (path, _read(path)) for root in roots for path in sorted((root / "accelerators").glob("*.toml"))
    ]
    # A later folder's rules go first, so that they win.
    reserves = tuple(rule for path, content in reversed(accelerator_files) for rule in _reserves(path, content))
    limits = AppleLimits()
    for path, content in accelerator_files:
        if "limits" in content:
            limits = _guarded(path, "limits", partial(_apple_limits, content["limits"]))
    rules = HardwareCatalogue(reserves=reserves, apple_limits=limits)
    accelerators: dict[str, Accelerator] = {}
    for path, content in accelerator_files:
        vendor = str(content.get("vendor", ""))
        for known, row in _tables(path, content, "device").items():
            accelerators[known] = _guarded(path, known, partial(_accelerator, known, vendor, row, rules))
    nodes: dict[str, Node] = {}
    tiers: tuple[Tier, ...] = ()
    for root in roots:
        path = root / "nodes.toml"
        for known, row in _tables(path, _read(path), "node").items() if path.is_file() else ():
            nodes[known] = _guarded(path, known, partial(_node, known, row))
            if nodes[known].accelerator not in accelerators:
                raise HardwareFileError(path, known, f"unknown accelerator {nodes[known].accelerator!r}")
        path = root / "tiers.toml"
        if path.is_file():
            tiers = read_tiers(path)
    return HardwareCatalogue(accelerators.values(), nodes.values(), tiers, reserves, limits)


def load_hardware_file(path: Path, known: HardwareCatalogue) -> dict[str, Accelerator]:
    """The accelerators of one file, under its own rules and then those of `known`. Raises HardwareFileError."""
    content = _read(path)
    rules = HardwareCatalogue(reserves=(*_reserves(path, content), *known.reserves), apple_limits=known.apple_limits)
    vendor = str(content.get("vendor", ""))
    return {
        device: _guarded(path, device, partial(_accelerator, device, vendor, row, rules))
        for device, row in _tables(path, content, "device").items()
    }


def read_tiers(path: Path) -> tuple[Tier, ...]:
    """The fit tiers of a `tiers.toml`. Raises HardwareFileError."""
    return tuple(_guarded(path, str(row.get("id")), partial(_tier, row)) for row in _read(path)["tier"])


def _read(path: Path) -> dict[str, Any]:
    # tomli's compiled wheel is three times as fast as the standard library.
    import tomli

    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError, RecursionError) as error:
        raise HardwareFileError(path, "", str(error)) from error


def _tables(path: Path, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    tables = content.get(key, {})
    if not isinstance(tables, dict) or not all(isinstance(row, dict) for row in tables.values()):
        raise HardwareFileError(path, key, f"must be tables such as [{key}.some-id]")
    return tables


def _guarded(path: Path, known: str, build: Callable[[], _Record]) -> _Record:
    try:
        return build()
    except KeyError as error:
        raise HardwareFileError(path, known, f"field {error.args[0]!r} is missing") from error
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise HardwareFileError(path, known, safe(str(error))) from error


def _strings(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(text) for text in row.get(key, ()))


def _accelerator(known: str, vendor: str, row: Mapping[str, Any], rules: HardwareCatalogue) -> Accelerator:
    memory, tflops, ecc = row["memory"], row.get("tflops", {}), row.get("ecc")
    found = Accelerator(
        device=_device(known, vendor, row, rules),
        confidence=row["confidence"],
        checked=str(row["checked"]),
        sources=tuple(row["sources"]),
        aliases=_strings(row, "aliases"),
        status=row.get("status", "released"),
        released=row.get("released"),
        memory_type=memory.get("type"),
        memory_basis=memory["basis"],
        dies=row.get("dies", 1),
        compute_capability=row.get("compute_capability"),
        gfx=row.get("gfx"),
        gpu_cores=row.get("gpu_cores"),
        driver_names=_strings(row, "driver_names"),
        pci_ids=_strings(row, "pci_ids"),
        same_driver_name_as=_strings(row, "same_driver_name_as"),
        ecc=Ecc(**ecc) if ecc else None,
        fp32_tflops=tflops.get("fp32"),
        tflops_basis=tflops.get("basis"),
        note="; ".join(text for text in (row.get("note"), row.get("tdp_note")) if text) or None,
        disagreements=_strings(row, "disagreements"),
    )
    for part in (found, found.device, *((found.ecc,) if found.ecc else ())):
        if fault := first_wrong(part):
            name, value, mend = fault
            raise ValueError(f"{name} cannot be {value!r}: write {mend}")
    return found


def _device(known: str, vendor: str, row: Mapping[str, Any], rules: HardwareCatalogue) -> Device:
    tflops, link, price = row.get("tflops", {}), row.get("link", {}), row.get("price", {})
    unified = row.get("unified", False)
    total_bytes, usable_bytes, basis = _memory(row["device_class"], row["kind"], unified, row["memory"], rules)
    return Device(
        id=known,
        name=row["name"],
        vendor=vendor,
        kind=row["kind"],
        device_class=row["device_class"],
        memory_bytes=total_bytes,
        usable_bytes=usable_bytes,
        usable_basis=basis,
        unified=unified,
        bandwidth_gbs=row.get("bandwidth_gbs"),
        fp16_tflops=tflops.get("fp16"),
        fp8_tflops=tflops.get("fp8"),
        int8_tflops=tflops.get("int8"),
        fp4_tflops=tflops.get("fp4"),
        tdp_w=row.get("tdp_w"),
        price_usd=price.get("usd"),
        price_date=price.get("date"),
        price_basis=price.get("basis"),
        pcie=link.get("pcie"),
        peer_kind=link.get("peer"),
        peer_gbs=link.get("peer_gbs"),
        peer_built_in=link.get("peer_built_in", False),
    )


def _memory(
    device_class: str, kind: str, unified: bool, memory: Mapping[str, Any], rules: HardwareCatalogue
) -> tuple[int, int, Basis]:
    """Total and reachable bytes: the driver's figures where known, else the size on the box and the class's rule."""
    for key in ("driver_mib", "driver_bytes", "nominal_gb", "usable_mib"):
        size = memory.get(key, 1)
        if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size <= LARGEST:
            raise ValueError(f"memory.{key} cannot be {size!r}: write a number")
    if "driver_mib" in memory:
        total_bytes = memory["driver_mib"] * MIB
    else:
        total_bytes = memory.get("driver_bytes") or int(memory["nominal_gb"] * GIB)
    if "usable_mib" in memory:
        return total_bytes, min(memory["usable_mib"] * MIB, total_bytes), "measured"
    if kind == "apple":
        limit = rules.apple_limits.limit_bytes(total_bytes)
        if limit is not None:
            inferred = total_bytes // GIB in rules.apple_limits.inferred_gib
            return total_bytes, limit, "fitted" if inferred else "measured"
    usable_bytes, basis = rules.usable_bytes(device_class, total_bytes, unified=unified)
    return total_bytes, usable_bytes, basis


def _node(known: str, row: Mapping[str, Any]) -> Node:
    price, link = row.get("price", {}), row.get("interconnect")
    return Node(
        id=known,
        name=row["name"],
        accelerator=row["accelerator"],
        count=row["count"],
        checked=str(row["checked"]),
        sources=tuple(row["sources"]),
        aliases=_strings(row, "aliases"),
        fraction=row.get("fraction", 1.0),
        provider=row.get("provider"),
        instance=row.get("instance"),
        price_usd_hour=price.get("usd_hour"),
        price_date=price.get("date"),
        price_basis=_price_basis(price),
        price_region=price.get("region"),
        interconnect=Interconnect(**link) if link else None,
        topology=row.get("topology"),
        peer_to_peer=row.get("peer_to_peer"),
        inter_node=row.get("inter_node"),
        note=row.get("note"),
    )


def _price_basis(price: Mapping[str, Any]) -> str | None:
    if not price:
        return None
    return f"{price['basis']}, at the latest by then" if price.get("undated_source") else str(price["basis"])


def _reserves(path: Path, content: Mapping[str, Any]) -> tuple[Reserve, ...]:
    return _guarded(path, "reserve", lambda: tuple(map(_reserve, content.get("reserve", ()))))


def _reserve(rule: Mapping[str, Any]) -> Reserve:
    found = Reserve(**rule)
    if fault := first_wrong(found):
        raise ValueError(f"{fault[0]} cannot be {fault[1]!r}: write {fault[2]}")
    return found


def _apple_limits(table: Mapping[str, Any]) -> AppleLimits:
    new, old = table["macos_26_mib"], table["older_mib"]
    return AppleLimits(
        rows=tuple(sorted((int(size), new[size], old[size]) for size in new)),
        inferred_gib=tuple(table.get("inferred_gib", ())),
        sources=tuple(table["sources"]),
        checked=str(table["checked"]),
    )


def _tier(row: Mapping[str, Any]) -> Tier:
    nominal, usable = row.get("nominal_gib"), row.get("usable_mib")
    return Tier(
        id=row["id"],
        label=row["label"],
        short=row["short"],
        glyph=row["glyph"],
        ascii=row["ascii"],
        nominal_bytes=None if nominal is None else int(nominal * GIB),
        usable_bytes=None if usable is None else usable * MIB,
        reference=row.get("reference"),
        source=row["source"],
    )
