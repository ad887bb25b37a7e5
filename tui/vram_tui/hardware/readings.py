"""What a driver says about one device or the host, before the catalogue is asked what it is."""

from dataclasses import field
from pathlib import Path

from vram_tui.estimator.records import record

LIMIT_BYTES = 1 << 16


@record
class Reading:
    """One GPU as its driver tells it. Sizes are bytes; `None` means that the driver does not say.

    `reserved_bytes` is what the driver keeps of the total. `integrated` marks a GPU without memory of its own;
    `shared_bytes` is then what it may map of RAM, `ram_bytes` the RAM of the machine it belongs to.
    """

    name: str
    vendor: str
    source: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    reserved_bytes: int | None = None
    pci_id: str | None = None
    address: str | None = None
    gfx: str | None = None
    integrated: bool = False
    ram_bytes: int | None = None
    shared_bytes: int | None = None


@record
class Host:
    """The machine around the devices. RAM is what this process may use: a container's limit counts."""

    cpu: str | None = None
    ram_bytes: int | None = None
    free_bytes: int | None = None


@record
class Result:
    """What one reader found, and one sentence for everything it could not read."""

    readings: tuple[Reading, ...] = ()
    notes: tuple[str, ...] = field(default=())
    host: Host | None = None


def read_text(path: Path) -> str | None:
    """The start of a small text file without its padding; `None` if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES)
    except (OSError, ValueError):
        return None
    return raw.decode("utf-8", "replace").strip("\0 \t\r\n")


def read_int(path: Path) -> int | None:
    """A file that holds one number, decimal or 0x-hexadecimal; `None` if it does not."""
    text = read_text(path)
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None


def pci_id(device: Path) -> str | None:
    """`vendor:device` in hexadecimal of a PCI device's sysfs folder."""
    vendor, number = read_int(device / "vendor"), read_int(device / "device")
    return None if vendor is None or number is None else f"{vendor:04x}:{number:04x}"


def address(device: Path) -> str | None:
    """The PCI address (`0000:03:00.0`) of a sysfs device folder, from `uevent` or its real name."""
    for line in (read_text(device / "uevent") or "").splitlines():
        if line.startswith("PCI_SLOT_NAME="):
            return line.partition("=")[2]
    try:
        return device.resolve().name
    except (OSError, RuntimeError):
        return None


def drm_devices(root: Path, vendor: int) -> list[Path]:
    """The sysfs folders of this PCI vendor's graphics devices, in the order of their card numbers."""
    try:
        cards = [path for path in (root / "sys/class/drm").iterdir() if path.name[4:].isdecimal()]
    except OSError:
        return []
    cards = [card for card in cards if card.name.startswith("card")]
    cards.sort(key=lambda card: int(card.name[4:]))
    return [card / "device" for card in cards if read_int(card / "device/vendor") == vendor]
