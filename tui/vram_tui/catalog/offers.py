"""The catalogue's hardware as offers: cards by the number that machines take, whole machines, instances for rent."""

from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.estimator.devices import Device, Machine, built_in_link
from vram_tui.estimator.placing import Offer

CARD_COUNTS = (1, 2, 3, 4, 6, 8)
"""Cards that people put into one machine."""
LOOSE_KINDS = frozenset(("consumer", "workstation", "datacenter"))
"""Kinds that are sold as cards; the others are machines of their own."""


def offers(catalogue: HardwareCatalogue) -> tuple[Offer, ...]:
    """Every accelerator and node that is or was for sale; what is only announced is left out."""
    found = []
    for entry in catalogue.accelerators.values():
        if entry.status == "announced":
            continue
        devices: tuple[Device, ...] = catalogue.devices_of(entry.id)
        unit = Machine(entry.device.name, devices, interconnect=built_in_link(devices))
        counts = CARD_COUNTS if entry.device.kind in LOOSE_KINDS else (1,)
        found.append(Offer(entry.id, entry.device.kind, unit, counts))
    for node in catalogue.nodes.values():
        if catalogue.accelerators[node.accelerator].status != "announced":
            kind = "instance" if node.provider or node.price_usd_hour is not None else "node"
            found.append(Offer(node.id, kind, catalogue.machine_of(node.id)))
    return tuple(found)
