"""Small copies of what `/sys` and `/proc` hold on real machines, written under a temporary root."""

from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30

# Text of /proc/meminfo as the kernel prints it (a DGX Spark, and a 128 GB Strix Halo with 512 MiB set aside).
MEMINFO_SPARK = (
    "MemTotal:       127600748 kB\nMemFree:        98304000 kB\nMemAvailable:   119537664 kB\nBuffers: 12 kB\n"
)
MEMINFO_HALO = "MemTotal:       130926592 kB\nMemFree:        101234567 kB\nMemAvailable:   125829120 kB\n"
MEMINFO_DESKTOP = "MemTotal:       65701936 kB\nMemFree:         2097152 kB\nMemAvailable:   52428800 kB\n"


def write(root: Path, place: str, text: str) -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def host(root: Path, meminfo: str = MEMINFO_DESKTOP, cpu: str = "AMD Ryzen 9 7950X 16-Core Processor") -> None:
    write(root, "proc/meminfo", meminfo)
    write(root, "proc/cpuinfo", f"processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: {cpu}\n\n")
    write(root, "proc/self/cgroup", "0::/user.slice/session-2.scope\n")


def card(root: Path, number: int, vendor: int, device: int, address: str, **files: str) -> Path:
    """One `/sys/class/drm/cardN` with its PCI device folder, and a connector beside it as real trees have."""
    place = f"sys/class/drm/card{number}"
    write(root, f"{place}/device/vendor", f"0x{vendor:04x}\n")
    write(root, f"{place}/device/device", f"0x{device:04x}\n")
    write(root, f"{place}/device/uevent", f"DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_SLOT_NAME={address}\n")
    write(root, f"sys/class/drm/card{number}-DP-1/status", "disconnected\n")
    for name, text in files.items():
        write(root, f"{place}/device/{name}", text)
    return root / place


def kfd(root: Path, node: int, *, target: int, bus: int, simd: int) -> None:
    """One node of the compute topology; `target` as 110501 for gfx1151. Node 0 is the processor."""
    lines = {
        "cpu_cores_count": 0 if target else 32,
        "simd_count": simd,
        "gfx_target_version": target,
        "vendor_id": 4098 if target else 0,
        "location_id": bus << 8,
        "domain": 0,
    }
    text = "".join(f"{key} {value}\n" for key, value in lines.items())
    write(root, f"sys/class/kfd/kfd/topology/nodes/{node}/properties", text)


def amd_desktop(root: Path) -> None:
    """A Radeon RX 7900 XTX beside the small GPU of a Ryzen 7950X."""
    host(root)
    card(
        root,
        1,
        0x1002,
        0x744C,
        "0000:03:00.0",
        mem_info_vram_total=f"{24560 * MIB}\n",
        mem_info_vram_used=f"{1024 * MIB}\n",
        mem_info_gtt_total=f"{32081 * MIB}\n",
        mem_info_gtt_used=f"{50 * MIB}\n",
    )
    card(
        root,
        0,
        0x1002,
        0x164E,
        "0000:0f:00.0",
        mem_info_vram_total=f"{512 * MIB}\n",
        mem_info_vram_used=f"{60 * MIB}\n",
        mem_info_gtt_total=f"{32081 * MIB}\n",
        mem_info_gtt_used=f"{20 * MIB}\n",
    )
    kfd(root, 0, target=0, bus=0, simd=0)
    kfd(root, 1, target=110000, bus=3, simd=192)
    kfd(root, 2, target=100306, bus=0x0F, simd=4)


def strix_halo(root: Path) -> None:
    """A Ryzen AI Max+ 395 with 128 GB, 512 MiB of it set aside, GTT at its default of half of RAM."""
    host(root, MEMINFO_HALO, "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S")
    card(
        root,
        0,
        0x1002,
        0x1586,
        "0000:c4:00.0",
        mem_info_vram_total=f"{512 * MIB}\n",
        mem_info_vram_used=f"{150 * MIB}\n",
        mem_info_gtt_total=f"{63929 * MIB}\n",
        mem_info_gtt_used=f"{300 * MIB}\n",
    )
    kfd(root, 0, target=0, bus=0, simd=0)
    kfd(root, 1, target=110501, bus=0xC4, simd=80)


def intel_arc(root: Path) -> None:
    """An Arc B580 with resizable BAR beside the GPU of a Core processor."""
    host(root, cpu="Intel(R) Core(TM) i5-14600K")
    card(root, 0, 0x8086, 0xA780, "0000:00:02.0")
    windows = (
        "0x0000000080000000 0x0000000080ffffff 0x0000000000140204\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000004000000000 0x00000042ffffffff 0x000000000014220c\n"
    )
    card(root, 1, 0x8086, 0xE20B, "0000:04:00.0", resource=windows)


def nvidia_without_bindings(root: Path) -> None:
    """An RTX 3090 whose kernel module is loaded."""
    host(root)
    card(root, 0, 0x10DE, 0x2204, "0000:01:00.0")
    information = "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 150\nBus Location: \t 0000:01:00.0\n"
    write(root, "proc/driver/nvidia/gpus/0000:01:00.0/information", information)
    write(root, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n")
    write(root, "sys/bus/pci/devices/0000:01:00.0/device", "0x2204\n")


def jetson(root: Path) -> None:
    """A Jetson AGX Orin 64GB developer kit."""
    host(root, "MemTotal:       64349180 kB\nMemAvailable:   60000000 kB\n", cpu="")
    write(root, "proc/device-tree/model", "NVIDIA Jetson AGX Orin Developer Kit\0")
