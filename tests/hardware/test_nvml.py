"""NVIDIA cards through a fake NVML, and what is told when NVML is not there."""

import sys
import threading
from pathlib import Path

import pytest

from tests.hardware import trees
from tests.hardware.fake_nvml import MIB, Card, NVMLError, module
from tests.hardware.shipped import shipped
from vram_tui.hardware.detect import READERS, Detection, detect

RTX_4090 = Card("NVIDIA GeForce RTX 4090", 24_564, 23_900, 347, 0x268410DE)
RTX_3090 = Card("NVIDIA GeForce RTX 3090", 24_576, 20_000, 325, 0x220410DE)


def told(detection: Detection) -> str:
    return " | ".join(note.text for note in detection.notes)


def test_two_mixed_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(RTX_4090, RTX_3090))
    trees.host(tmp_path)
    found = detect(shipped(), root=tmp_path)
    assert [one.accelerator for one in found.devices] == ["rtx-4090-24gb", "rtx-3090-24gb"]
    assert [one.device.memory_bytes for one in found.devices] == [24_564 * MIB, 24_576 * MIB]
    assert [one.device.usable_bytes for one in found.devices] == [24_210 * MIB, 24_124 * MIB]
    assert found.machine.free_bytes == (23_900 * MIB, 20_000 * MIB)
    assert found.machine.budget_bytes(1) == 24_124 * MIB
    assert found.machine.budget_bytes(1, free=True) == 20_000 * MIB
    assert found.machine.interconnect is not None
    assert found.machine.interconnect.kind == "pcie"
    assert found.machine.source == "detected"
    assert found.notes == ()


def test_two_equal_cards_are_counted_in_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(RTX_3090, RTX_3090))
    trees.host(tmp_path)
    assert detect(shipped(), root=tmp_path).machine.name == "2x GeForce RTX 3090"


@pytest.mark.parametrize(("total_mib", "expected"), [(8_188, "rtx-4060-ti-8gb"), (16_380, "rtx-4060-ti-16gb")])
def test_memory_tells_apart_cards_of_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total_mib: int, expected: str
) -> None:
    card = Card("NVIDIA GeForce RTX 4060 Ti", total_mib, total_mib, 0, 0x278810DE)
    monkeypatch.setitem(sys.modules, "pynvml", module(card))
    trees.host(tmp_path)
    assert [one.accelerator for one in detect(shipped(), root=tmp_path).devices] == [expected]


@pytest.mark.parametrize(
    ("name", "total_mib", "expected"),
    [
        ("NVIDIA GeForce RTX 4090 D", 24_564, "rtx-4090-d-24gb"),
        ("NVIDIA GeForce RTX 4090", 49_140, "rtx-4090-48gb-mod"),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", 16_384, "rtx-3080-laptop-16gb"),
        ("NVIDIA GeForce RTX 3080", 12_288, "rtx-3080-12gb"),
        ("NVIDIA H100 80GB HBM3", 81_559, "h100-sxm5-80gb"),
        ("NVIDIA B200", 183_359, "b200-sxm-192gb"),
        ("NVIDIA RTX A6000", 46_068, "rtx-a6000-48gb"),
        ("Tesla T4", 15_360, "t4-16gb"),
    ],
)
def test_longest_name_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, total_mib: int, expected: str
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(Card(name, total_mib, total_mib)))
    trees.host(tmp_path)
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.accelerator == expected
    assert 0.9 * total_mib * MIB < one.device.usable_bytes <= total_mib * MIB


def test_error_correction_lowers_what_a_process_reaches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("NVIDIA RTX A6000", 46_068, 45_000, 560)
    monkeypatch.setitem(sys.modules, "pynvml", module(card))
    trees.host(tmp_path)
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.device.usable_bytes == (46_068 - 560) * MIB


def test_unknown_card_is_used_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("NVIDIA GeForce RTX 6090\x1b[31m", 49_000, 48_000, 600, 0x999910DE)
    monkeypatch.setitem(sys.modules, "pynvml", module(card))
    trees.host(tmp_path)
    found = detect(shipped(), root=tmp_path)
    (one,) = found.devices
    assert one.accelerator is None
    assert one.device.usable_bytes == 48_400 * MIB
    assert one.device.device_class == "cuda"
    assert "\x1b" not in one.device.name + found.machine.name + told(found)
    assert "not in the catalogue" in told(found)


def test_gb10_answers_not_supported_and_uses_the_machines_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(Card("NVIDIA GB10", None, pci=0x2E1210DE)))
    trees.host(tmp_path, trees.MEMINFO_SPARK, cpu="")
    (one,) = detect(shipped(), root=tmp_path).devices
    assert one.accelerator == "dgx-spark-gb10-128gb"
    assert one.device.unified
    assert one.total_bytes == 127_600_748 * 1024
    assert one.device.usable_bytes == 122_502 * MIB
    assert one.free_bytes == 119_537_664 * 1024


def test_an_old_driver_still_tells_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(RTX_4090, old_driver=True))
    trees.host(tmp_path)
    (one,) = detect(shipped(), root=tmp_path).devices
    assert (one.total_bytes, one.free_bytes) == (24_564 * MIB, 23_900 * MIB)


def test_a_lost_card_does_not_hide_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module(Card("lost", 1, broken=True), RTX_3090))
    trees.host(tmp_path)
    found = detect(shipped(), root=tmp_path)
    assert [one.accelerator for one in found.devices] == ["rtx-3090-24gb"]
    assert "GPU 0 could not be read: GPU is lost" in told(found)


def test_mig_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card("NVIDIA H100 80GB HBM3", 81_559, 80_000, mig=True)
    monkeypatch.setitem(sys.modules, "pynvml", module(card))
    trees.host(tmp_path)
    assert "MIG" in told(detect(shipped(), root=tmp_path))


def test_bindings_missing_the_card_is_known_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    trees.nvidia_without_bindings(tmp_path)
    found = detect(shipped(), root=tmp_path)
    (one,) = found.devices
    assert one.accelerator == "rtx-3090-24gb"
    assert one.total_bytes is None
    assert one.free_bytes is None
    assert one.device.usable_bytes == 24_124 * MIB
    assert "nvidia-ml-py" in told(found)


def test_bindings_missing_without_a_card_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    trees.host(tmp_path)
    assert detect(shipped(), root=tmp_path).notes == ()


def test_library_missing_is_news_only_with_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = NVMLError(12, "NVML Shared Library Not Found")
    monkeypatch.setitem(sys.modules, "pynvml", module(init_error=missing))
    without, with_card = tmp_path / "without", tmp_path / "with"
    trees.host(without)
    trees.nvidia_without_bindings(with_card)
    assert detect(shipped(), root=without).notes == ()
    assert "NVML Shared Library Not Found" in told(detect(shipped(), root=with_card))


def test_a_driver_that_hangs_is_told_and_the_rest_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    hanging = module(RTX_4090)
    hanging.nvmlInit = lambda: released.wait(30) and None
    monkeypatch.setitem(sys.modules, "pynvml", hanging)
    trees.nvidia_without_bindings(tmp_path)
    try:
        found = detect(shipped(), root=tmp_path, timeout_s=0.3)
    finally:
        released.set()
    assert "did not answer within 0.3 s" in told(found)
    assert [one.accelerator for one in found.devices] == ["rtx-3090-24gb"]
    assert found.host.ram_bytes == 65_701_936 * 1024


def test_a_reader_that_raises_is_told(tmp_path: Path) -> None:
    def broken(root: Path) -> None:
        raise RuntimeError("libamdhip64.so \x1b]0;x\x07 is broken")

    trees.host(tmp_path)
    found = detect(shipped(), root=tmp_path, readers={"host": READERS["host"], "HIP": broken})  # type: ignore[dict-item]
    (note,) = found.notes
    assert note.reader == "HIP"
    assert "RuntimeError" in note.text
    assert "\x1b" not in note.text
    assert found.host.cpu is not None
