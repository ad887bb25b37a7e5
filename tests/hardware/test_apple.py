"""Apple machines through a fake `sysctl`, and the limit that Metal sets."""

from functools import partial
from pathlib import Path

import pytest

from tests.hardware.shipped import shipped
from vram_tui.hardware import detect as detecting
from vram_tui.hardware.apple import macos_major, read_apple

GIB = 1 << 30
MIB = 1 << 20


def mac(chip: str, ram_gib: int, macos: str, limit_mib: int = 0) -> dict[str, bytes]:
    return {
        "hw.memsize": (ram_gib * GIB).to_bytes(8, "little"),
        "machdep.cpu.brand_string": chip.encode() + b"\0",
        "kern.osproductversion": macos.encode() + b"\0",
        "iogpu.wired_limit_mb": limit_mib.to_bytes(4, "little"),
    }


@pytest.mark.parametrize(
    ("chip", "ram_gib", "macos", "limit_mib", "expected", "usable_mib"),
    [
        ("Apple M3 Ultra", 256, "26.1", 0, "m3-ultra-256gb", 228_065),
        ("Apple M3 Ultra", 256, "15.6", 0, "m3-ultra-256gb", 212_992),
        ("Apple M1 Max", 64, "14.2", 0, "m1-max-64gb", 49_152),
        ("Apple M4 Max", 128, "26.0", 0, "m4-max-40c-128gb", 110_100),
        ("Apple M4 Max", 36, "26.0", 0, "m4-max-32c-36gb", 28_753),
        ("Apple M2 Ultra", 192, "15.1", 180_000, "m2-ultra-192gb", 180_000),
        ("Apple M9 Pro", 48, "26.2", 0, None, 38_338),
    ],
)
def test_limit_by_macos_memory_and_hand(
    monkeypatch: pytest.MonkeyPatch,
    chip: str,
    ram_gib: int,
    macos: str,
    limit_mib: int,
    expected: str | None,
    usable_mib: int,
) -> None:
    sysctl = mac(chip, ram_gib, macos, limit_mib).get
    monkeypatch.setattr(detecting, "macos_major", partial(macos_major, sysctl))
    found = detecting.detect(shipped(), root=Path("/nowhere"), readers={"Apple": partial(read_apple, sysctl=sysctl)})
    (one,) = found.devices
    assert one.accelerator == expected
    assert one.device.usable_bytes == usable_mib * MIB
    assert one.device.memory_bytes == ram_gib * GIB
    assert one.device.unified
    assert found.host.ram_bytes == ram_gib * GIB


def test_an_intel_mac_has_no_shared_gpu() -> None:
    result = read_apple(sysctl=mac("Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz", 32, "15.0").get)
    assert result.readings == ()
    assert "no GPU" in result.notes[0]


def test_a_silent_sysctl_is_told() -> None:
    result = read_apple(sysctl=lambda name: None)
    assert result.readings == ()
    assert result.notes


def test_a_size_between_the_measured_ones_takes_the_share_of_the_smaller() -> None:
    limits = shipped().apple_limits
    share = (limits.limit_bytes(64 * GIB) or 0) / (64 * GIB)
    assert limits.limit_bytes(80 * GIB) == pytest.approx(share * 80 * GIB, abs=1024)
