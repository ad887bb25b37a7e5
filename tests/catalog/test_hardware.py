"""The shipped hardware catalogue: facts, sources, aliases, and hardware as people write it."""

import json
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.shipped import FOLDER, shipped
from vram_tui.catalog.hardware import Accelerator, HardwareCatalogue, Node
from vram_tui.catalog.hardware_check import check_hardware
from vram_tui.catalog.hardware_files import HardwareFileError, load_hardware
from vram_tui.catalog.hardware_text import HardwareError, parse_hardware, suggest
from vram_tui.estimator.devices import Device

GIB = 1 << 30
MIB = 1 << 20


def test_every_file_passes_the_strict_schema() -> None:
    assert [str(fault) for fault in check_hardware(FOLDER)] == []


def test_it_is_large_enough() -> None:
    assert len(shipped().accelerators) >= 250
    assert len(shipped().nodes) >= 150


def test_every_record_has_a_source_that_can_be_followed_and_a_date() -> None:
    records: list[Accelerator | Node] = [*shipped().accelerators.values(), *shipped().nodes.values()]
    for record in records:
        followed = [text for text in record.sources if not text.startswith("driver log")]
        assert followed, record.id
        assert record.checked >= "2026-01-01", record.id


def test_a_price_always_has_its_date() -> None:
    for entry in shipped().accelerators.values():
        assert (entry.device.price_usd is None) == (entry.device.price_date is None), entry.id
    for node in shipped().nodes.values():
        assert (node.price_usd_hour is None) == (node.price_date is None), node.id


def test_a_process_never_reaches_more_than_there_is() -> None:
    for entry in shipped().accelerators.values():
        assert 0 < entry.device.usable_bytes <= entry.device.memory_bytes, entry.id


@pytest.mark.parametrize(
    ("known", "memory_mib", "usable_mib"),
    [
        ("rtx-4090-24gb", 24_564, 24_210),
        ("rtx-3090-24gb", 24_576, 24_124),
        ("h100-sxm5-80gb", 81_559, 81_081),
        ("m3-ultra-512gb", 512 * 1024, 475_136),
        ("strix-halo-128gb", 128 * 1024, 64 * 1024),
        ("mi300x-192gb", 196_592, 196_592),
    ],
)
def test_memory_of_cards_that_were_measured(known: str, memory_mib: int, usable_mib: int) -> None:
    device = shipped().accelerators[known].device
    assert (device.memory_bytes, device.usable_bytes) == (memory_mib * MIB, usable_mib * MIB)


def test_b200_has_the_size_it_reports_not_the_one_it_is_sold_under() -> None:
    entry = shipped().accelerators["b200-sxm-192gb"]
    assert entry.device.memory_bytes == 183_359 * MIB
    assert entry.device.usable_basis == "fitted"
    assert entry.device.usable_bytes < entry.device.memory_bytes


def test_tiers_ascend_and_their_glyphs_are_never_wide() -> None:
    tiers = shipped().tiers
    assert [tier.id for tier in tiers] == ["consumer", "datacenter", "cluster"]
    assert tiers[0].usable_bytes == 24_210 * MIB
    assert tiers[0].nominal_bytes == 24 * GIB
    assert tiers[1].nominal_bytes == 80 * GIB
    for tier in tiers:
        assert unicodedata.east_asian_width(tier.glyph) in {"N", "Na"}
        assert len(tier.glyph) == len(tier.ascii) == 1
        assert tier.ascii.isascii()
        if tier.reference:
            assert shipped().accelerators[tier.reference].device.usable_bytes == tier.usable_bytes
    assert len({tier.glyph for tier in tiers}) == len({tier.ascii for tier in tiers}) == len(tiers)


def test_plain_form_survives_json() -> None:
    again = HardwareCatalogue.from_plain(json.loads(json.dumps(shipped().to_plain())))
    assert again.accelerators == shipped().accelerators
    assert again.nodes == shipped().nodes
    assert (again.tiers, again.reserves, again.apple_limits) == (
        shipped().tiers,
        shipped().reserves,
        shipped().apple_limits,
    )


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("4090", ["rtx-4090-24gb"]),
        ("rtx-4090", ["rtx-4090-24gb"]),
        ("NVIDIA GeForce RTX 4090", ["rtx-4090-24gb"]),
        ("4090 laptop", ["rtx-4090-laptop-16gb"]),
        ("4090 48gb", ["rtx-4090-48gb-mod"]),
        ("3090", ["rtx-3090-24gb"]),
        ("h100", ["h100-sxm5-80gb"]),
        ("h200", ["h200-sxm-141gb"]),
        ("b200", ["b200-sxm-192gb"]),
        ("m3 ultra 256", ["m3-ultra-256gb"]),
        ("m4 max 128gb", ["m4-max-40c-128gb"]),
        ("strix halo", ["strix-halo-128gb"]),
        ("AI Max+ 395", ["strix-halo-128gb"]),
        ("dgx spark", ["dgx-spark-gb10-128gb"]),
        ("GB10", ["dgx-spark-gb10-128gb"]),
        ("rtx pro 6000", ["rtx-pro-6000-blackwell-ws-96gb"]),
        ("mi300x", ["mi300x-192gb"]),
        ("Radeon RX 7900XTX", ["rx-7900-xtx-24gb"]),
        ("a6000", ["rtx-a6000-48gb"]),
        ("t4", ["t4-16gb"]),
        ("2x rtx-3090", ["rtx-3090-24gb"] * 2),
        ("2 x RTX 3090", ["rtx-3090-24gb"] * 2),
        ("2 × 3090", ["rtx-3090-24gb"] * 2),
        ("8xh200", ["h200-sxm-141gb"] * 8),
        ("2x ai max+ 395", ["strix-halo-128gb"] * 2),
        ("rtx-4090+rtx-3090", ["rtx-4090-24gb", "rtx-3090-24gb"]),
        ("2x3090 + 4090", ["rtx-3090-24gb", "rtx-3090-24gb", "rtx-4090-24gb"]),
        ("dgx-h100", ["h100-sxm5-80gb"] * 8),
        ("p5.48xlarge", ["h100-sxm5-80gb"] * 8),
        ("mi250x", ["mi250x-128gb"] * 2),
    ],
)
def test_what_people_type(text: str, ids: list[str]) -> None:
    machine = parse_hardware(text, shipped())
    assert [device.id for device in machine.devices] == ids


@pytest.mark.parametrize(
    ("text", "usable_bytes"),
    [
        ("24GiB", 24 * GIB),
        ("24 gib", 24 * GIB),
        ("24GB", 24 * 10**9),
        ("23.5GiB", int(23.5 * GIB)),
        ("500MiB", 500 * MIB),
    ],
)
def test_a_size_is_a_device_of_exactly_that(text: str, usable_bytes: int) -> None:
    (device,) = parse_hardware(text, shipped()).devices
    assert device.usable_bytes == device.memory_bytes == usable_bytes


def test_cpu_is_a_host_without_devices() -> None:
    machine = parse_hardware("CPU", shipped(), host_ram_bytes=64 * GIB)
    assert machine.devices == ()
    assert machine.host_ram_bytes == 64 * GIB


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("4060 ti", {"rtx-4060-ti-8gb", "rtx-4060-ti-16gb"}),
        ("m3 ultra", {"m3-ultra-96gb", "m3-ultra-256gb", "m3-ultra-512gb"}),
        ("2x 3080", {"rtx-3080-10gb", "rtx-3080-12gb"}),
    ],
)
def test_an_ambiguous_name_lists_the_candidates(text: str, candidates: set[str]) -> None:
    with pytest.raises(HardwareError, match="ambiguous") as caught:
        parse_hardware(text, shipped())
    assert set(caught.value.candidates) == candidates


@pytest.mark.parametrize(
    ("text", "meant"), [("rtx-4091", "rtx-4090-24gb"), ("mi300", "mi300x-192gb"), ("h10", "h100-sxm5-80gb")]
)
def test_a_mistyped_name_suggests(text: str, meant: str) -> None:
    with pytest.raises(HardwareError) as caught:
        parse_hardware(text, shipped())
    assert meant in caught.value.candidates
    assert meant in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "+", "4090+", "0x4090", "2000x4090", "9x gb200-nvl72 + 800x4090", "0GiB", "x" * 500]
)
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(HardwareError):
        parse_hardware(text, shipped())


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[0-9]{0,3} ?x ?[a-z0-9 +.-]{0,20}(gib|gb)?", fullmatch=True)))
def test_no_text_crashes_it(text: str) -> None:
    candidates: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    try:
        devices = parse_hardware(text, shipped()).devices
    except HardwareError as error:
        candidates = error.candidates
    assert all(known in shipped().accelerators or known in shipped().nodes for known in candidates)
    assert all(device.usable_bytes > 0 for device in devices)


@given(st.sampled_from(sorted((*shipped().accelerators, *shipped().nodes))), st.integers(1, 4))
def test_every_id_and_alias_leads_back(known: str, count: int) -> None:
    alone = parse_hardware(known, shipped())
    assert len(parse_hardware(f"{count}x {known}", shipped()).devices) == count * len(alone.devices)
    record = shipped().accelerators.get(known) or shipped().nodes[known]
    for alias in record.aliases:
        assert known in shipped().find(alias)


def test_a_node_keeps_its_link_and_price() -> None:
    machine = parse_hardware("p5.48xlarge", shipped())
    assert machine.interconnect is not None
    assert machine.interconnect.kind == "nvlink"
    assert machine.price_usd_hour == 55.04
    assert machine.price_date == "2026-07-20"
    two = parse_hardware("2x p5.48xlarge", shipped())
    assert two.price_usd_hour == 110.08
    assert two.interconnect is not None
    assert two.interconnect.group == 8


def test_a_sliced_instance_gets_its_share() -> None:
    (device,) = parse_hardware("gcp-g4-standard-24", shipped()).devices
    whole = shipped().accelerators["rtx-pro-6000-blackwell-server-96gb"].device
    assert device.memory_bytes == whole.memory_bytes // 2


def test_loose_cards_talk_over_pcie_even_where_a_bridge_is_sold() -> None:
    machine = parse_hardware("2x rtx-3090", shipped())
    assert machine.interconnect is not None
    assert machine.interconnect.kind == "pcie"


def test_suggestions_of_nothing() -> None:
    assert suggest("+++", shipped()) == ()


def _copy(folder: Path, text: str, name: str = "accelerators/mine.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


MINE = """
vendor = "NVIDIA"

[device.rtx-4090-24gb]
name = "My 4090"
kind = "consumer"
device_class = "cuda-ada"
memory = { nominal_gb = 24, driver_mib = 24_000, basis = "reported" }
confidence = "high"
sources = ["my own machine"]
checked = 2026-11-01
"""


def test_a_users_folder_overlays_the_shipped_one(tmp_path: Path) -> None:
    _copy(tmp_path, MINE)
    both = load_hardware(FOLDER, tmp_path)
    assert both.accelerators["rtx-4090-24gb"].device.name == "My 4090"
    assert both.accelerators["rtx-4090-24gb"].device.usable_bytes == (24_000 - 498) * MIB
    assert len(both.accelerators) == len(shipped().accelerators)
    assert both.tiers == shipped().tiers


@pytest.mark.parametrize(
    ("old", "new", "field", "line"),
    [
        ('name = "My 4090"', "nam = 1", "device.rtx-4090-24gb.nam", 5),
        ('kind = "consumer"', 'kind = "toaster"', "device.rtx-4090-24gb.kind", 6),
        ("driver_mib = 24_000", "driver_mib = 12_000", "device.rtx-4090-24gb.memory", 8),
        ('sources = ["my own machine"]', "sources = []", "device.rtx-4090-24gb.sources", 10),
        ("checked = 2026-11-01", "", "device.rtx-4090-24gb.checked", 4),
        ("24_000", '"24"', "device.rtx-4090-24gb.memory.driver_mib", 8),
    ],
)
def test_a_fault_names_file_line_and_field(tmp_path: Path, old: str, new: str, field: str, line: int) -> None:
    path = _copy(tmp_path, MINE.replace(old, new))
    faults = check_hardware(tmp_path)
    assert (path, field, line) in [(fault.path, fault.field, fault.line) for fault in faults]


def test_unknown_references_are_faults(tmp_path: Path) -> None:
    _copy(tmp_path, MINE + 'same_driver_name_as = ["nobody"]\n')
    node = '[node.x]\nname = "x"\naccelerator = "nobody"\ncount = 1\nsources = ["a"]\nchecked = 2026-11-01\n'
    _copy(tmp_path, node, "nodes.toml")
    fields = {fault.field for fault in check_hardware(tmp_path)}
    assert fields == {"device.rtx-4090-24gb.same_driver_name_as", "node.x.accelerator"}
    with pytest.raises(HardwareFileError, match="nobody"):
        load_hardware(tmp_path)


@pytest.mark.parametrize(
    "text", ["[device", "[device.a]\nname = 'b'\n", "device = 3\n", "reserve = [1]\n", "limits = 1\n"]
)
def test_a_broken_file_names_itself(tmp_path: Path, text: str) -> None:
    path = _copy(tmp_path, text)
    with pytest.raises(HardwareFileError) as caught:
        load_hardware(tmp_path)
    assert caught.value.path == path
    assert check_hardware(tmp_path)


def test_reading_needs_no_pydantic() -> None:
    code = "import sys, vram_tui.catalog.hardware_text, vram_tui.catalog.hardware_files, vram_tui.hardware.detect\n"
    code += "print([m for m in ('pydantic', 'tomli', 'textual', 'pynvml') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent / "tui")}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert printed.stdout.strip() == "[]"


def test_reserves_take_the_first_rule_that_fits() -> None:
    catalogue = shipped()
    assert catalogue.usable_bytes("cuda-ada", 8 * GIB) == (8 * GIB - 397 * MIB, "fitted")
    assert catalogue.usable_bytes("cuda-pascal", 8 * GIB) == (8 * GIB - int(8 * GIB * 0.0142), "fitted")
    assert catalogue.usable_bytes("amd-gfx1103", 32 * GIB, unified=True)[0] == 16 * GIB
    assert catalogue.usable_bytes("tpu", 32 * GIB) == (32 * GIB, "nominal")


def test_aliases_never_shadow_an_id() -> None:
    entry = shipped().accelerators["rtx-4090-24gb"]
    thief = replace(entry, device=replace(entry.device, id="thief"), aliases=("rtx-3090-24gb",))
    catalogue = HardwareCatalogue([*shipped().accelerators.values(), thief])
    assert catalogue.find("rtx-3090-24gb") == ("rtx-3090-24gb",)
    assert catalogue.find("RTX 3090 24GB") == ("rtx-3090-24gb",)
