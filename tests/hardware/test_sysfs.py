"""AMD, Intel, Jetson and bare machines, from small copies of their `/sys` and `/proc`."""

from pathlib import Path

import pytest

from tests.hardware import trees
from tests.hardware.shipped import shipped
from tests.hardware.trees import GIB, MIB
from vram_tui.catalog.hardware_text import HardwareError
from vram_tui.hardware.amd import read_amd
from vram_tui.hardware.detect import detect
from vram_tui.hardware.host import read_host
from vram_tui.hardware.intel import read_intel
from vram_tui.hardware.readings import Host


def test_amd_card_counts_and_the_processors_gpu_does_not(tmp_path: Path) -> None:
    trees.amd_desktop(tmp_path)
    found = detect(shipped(), root=tmp_path)
    (one,) = found.devices
    assert one.accelerator == "rx-7900-xtx-24gb"
    assert one.device.usable_bytes == 24_560 * MIB
    assert one.free_bytes == 23_536 * MIB
    assert found.integrated == ("AMD GPU 1002:164e",)
    assert any("not counted" in note.text for note in found.notes)


def test_amd_target_comes_from_the_compute_topology(tmp_path: Path) -> None:
    trees.amd_desktop(tmp_path)
    readings = read_amd(tmp_path).readings
    assert [(reading.address, reading.gfx) for reading in readings] == [
        ("0000:0f:00.0", "gfx1036"),
        ("0000:03:00.0", "gfx1100"),
    ]


@pytest.mark.parametrize(
    ("total_mib", "expected"), [(24_560, "rx-7900-xtx-24gb"), (20_464, "rx-7900-xt-20gb"), (16_368, "rx-7900-gre-16gb")]
)
def test_one_pci_id_many_cards(tmp_path: Path, total_mib: int, expected: str) -> None:
    trees.host(tmp_path)
    trees.card(tmp_path, 0, 0x1002, 0x744C, "0000:03:00.0", mem_info_vram_total=f"{total_mib * MIB}\n")
    found = detect(shipped(), root=tmp_path)
    (one,) = found.devices
    assert one.accelerator == expected
    # The GRE and the 7900M share id, memory and bandwidth: that is said.
    assert any("7900m" in note.text for note in found.notes) == (total_mib == 16_368)


def test_strix_halo_reaches_what_the_kernel_maps(tmp_path: Path) -> None:
    trees.strix_halo(tmp_path)
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.accelerator == "strix-halo-128gb"
    assert one.device.unified
    assert one.device.usable_bytes == 63_929 * MIB
    assert one.free_bytes == 63_629 * MIB
    assert one.device.bandwidth_gbs == 256


def test_strix_halo_with_a_large_carve_out(tmp_path: Path) -> None:
    trees.strix_halo(tmp_path)
    trees.write(tmp_path, "proc/meminfo", "MemTotal: 32505856 kB\nMemAvailable: 30000000 kB\n")
    trees.write(tmp_path, "sys/class/drm/card0/device/mem_info_vram_total", f"{96 * GIB}\n")
    trees.write(tmp_path, "sys/class/drm/card0/device/mem_info_gtt_total", f"{15 * GIB}\n")
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.accelerator == "strix-halo-128gb"
    assert one.device.usable_bytes == 96 * GIB
    assert one.free_bytes == 96 * GIB - 150 * MIB


def test_two_dies_of_one_board_are_two_devices(tmp_path: Path) -> None:
    trees.host(tmp_path)
    for number, bus in ((0, "c1"), (1, "c6")):
        trees.card(tmp_path, number, 0x1002, 0x740C, f"0000:{bus}:00.0", mem_info_vram_total=f"{65_520 * MIB}\n")
    found = detect(shipped(), root=tmp_path)
    assert [one.device.usable_bytes for one in found.devices] == [65_520 * MIB] * 2
    assert [one.device.bandwidth_gbs for one in found.devices] == [3277 / 2] * 2


def test_intel_card_by_its_window(tmp_path: Path) -> None:
    trees.intel_arc(tmp_path)
    assert [(reading.integrated, reading.total_bytes) for reading in read_intel(tmp_path).readings] == [
        (True, None),
        (False, 12 * GIB),
    ]
    found = detect(shipped(), root=tmp_path)
    assert [one.accelerator for one in found.devices] == ["arc-b580-12gb"]
    assert found.integrated == ("Intel GPU 8086:a780",)


def test_intel_without_resizable_bar_takes_the_catalogues_memory(tmp_path: Path) -> None:
    trees.intel_arc(tmp_path)
    small = "0x0000004000000000 0x000000400fffffff 0x000000000014220c\n"
    trees.write(tmp_path, "sys/class/drm/card1/device/resource", small)
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.accelerator == "arc-b580-12gb"
    assert one.total_bytes is None
    assert one.device.memory_bytes == shipped().accelerators["arc-b580-12gb"].device.memory_bytes


def test_jetson_shares_the_machines_memory(tmp_path: Path) -> None:
    trees.jetson(tmp_path)
    found = detect(shipped(), root=tmp_path)
    (one,) = found.devices
    assert one.accelerator == "jetson-agx-orin-64gb"
    assert one.device.usable_bytes < 64_349_180 * 1024
    assert one.free_bytes == 60_000_000 * 1024
    assert found.host.cpu == "NVIDIA Jetson AGX Orin Developer Kit"


def test_no_gpu_is_a_machine_without_devices(tmp_path: Path) -> None:
    trees.host(tmp_path)
    found = detect(shipped(), root=tmp_path)
    assert found.devices == ()
    assert found.machine.devices == ()
    assert found.machine.name == "AMD Ryzen 9 7950X 16-Core Processor"
    assert found.machine.host_ram_bytes == 65_701_936 * 1024
    assert found.machine.host_free_bytes == 52_428_800 * 1024


def test_no_sys_and_no_proc_says_so(tmp_path: Path) -> None:
    found = detect(shipped(), root=tmp_path / "nothing")
    assert found.machine.devices == ()
    assert found.machine.host_ram_bytes is None
    assert [note.text for note in found.notes] == ["could not read /proc/meminfo: RAM is unknown"]


def test_unreadable_files_are_not_fatal(tmp_path: Path) -> None:
    trees.amd_desktop(tmp_path)
    device = tmp_path / "sys/class/drm/card1/device"
    (device / "mem_info_vram_total").write_text("nonsense\n")
    (device / "mem_info_vram_used").unlink()
    found = detect(shipped(), root=tmp_path)
    assert any("mem_info_vram_total" in note.text for note in found.notes)


def test_given_hardware_overrides_and_keeps_the_host(tmp_path: Path) -> None:
    trees.amd_desktop(tmp_path)
    found = detect(shipped(), root=tmp_path, hardware="2x rtx-3090")
    assert [device.id for device in found.machine.devices] == ["rtx-3090-24gb"] * 2
    assert found.machine.host_ram_bytes == 65_701_936 * 1024
    assert found.machine.source == "given"
    assert [one.accelerator for one in found.devices] == ["rx-7900-xtx-24gb"]
    with pytest.raises(HardwareError):
        detect(shipped(), root=tmp_path, hardware="no such card")


def test_container_limits_count(tmp_path: Path) -> None:
    trees.host(tmp_path)
    trees.write(tmp_path, "sys/fs/cgroup/user.slice/session-2.scope/memory.max", "max\n")
    trees.write(tmp_path, "sys/fs/cgroup/user.slice/memory.max", f"{16 * GIB}\n")
    trees.write(tmp_path, "sys/fs/cgroup/user.slice/memory.current", f"{4 * GIB}\n")
    result = read_host(tmp_path)
    assert result.host == Host("AMD Ryzen 9 7950X 16-Core Processor", 16 * GIB, 12 * GIB)
    assert "16.0 of 62.7 GiB" in result.notes[0]


def test_first_version_of_control_groups(tmp_path: Path) -> None:
    trees.host(tmp_path)
    trees.write(tmp_path, "proc/self/cgroup", "5:memory:/docker/abc\n1:name=systemd:/docker/abc\n")
    trees.write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", f"{8 * GIB}\n")
    trees.write(tmp_path, "sys/fs/cgroup/memory/memory.usage_in_bytes", f"{GIB}\n")
    host = read_host(tmp_path).host
    assert host is not None
    assert (host.ram_bytes, host.free_bytes) == (8 * GIB, 7 * GIB)


def test_no_limit_of_the_first_version_is_no_limit(tmp_path: Path) -> None:
    trees.host(tmp_path)
    trees.write(tmp_path, "proc/self/cgroup", "5:memory:/\n")
    trees.write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    result = read_host(tmp_path)
    assert result.notes == ()
    assert result.host is not None
    assert result.host.ram_bytes == 65_701_936 * 1024
