"""`vram-tui validate` on one file: faults with their mend, else the entry as it will be shown and what is missing."""

import json
from pathlib import Path

import pytest

from vram_tui.catalog.load import load_catalog
from vram_tui.catalog.locate import catalog_root
from vram_tui.cli import main

MODEL = """
name = "Small 1B"
family = "Small"
vendor = "Nobody"
license = "mit"
released = "2026-01"
modalities = ["text"]
about = "A dense model of sixteen layers, made up for a test."
sources = ["a test"]
checked = 2026-11-25

[parameters]
published = 1_235_814_400
counts = "main"

[architecture]
hidden_size = 2048
vocab_size = 128_256
tied_embeddings = true

[mixer]
attention = { kind = "attention", heads = 32, kv_heads = 8, head_dim = 64 }

[feed_forward]
mlp = { kind = "gated", size = 8192 }

[[stack]]
repeat = 16
layers = ["attention+mlp"]
"""

CARD = """
vendor = "Nobody"

[device.test-card-16gb]
name = "Test Card"
kind = "consumer"
device_class = "cuda-ada"
aliases = ["test card"]
memory = { nominal_gb = 16, basis = "nominal", type = "GDDR6" }
bandwidth_gbs = 500
confidence = "low"
sources = ["a test"]
checked = 2026-11-25
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_model_is_recounted_shown_and_what_is_missing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "nobody/small-1b.toml", MODEL)
    assert main(["validate", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "nobody/small-1b, recounted" in shown
    assert "1,235,814,400  1,235,814,400       equal" in shown
    assert "full attention" in shown
    assert "Q4_K_M" in shown
    missing = shown.partition("Missing")[2]
    for field in ("context.native", "parameters.source", "gguf.architecture", "architecture.native_dtype"):
        assert f"\n{field}: " in missing
    assert "released" not in missing


def test_a_wrong_count_is_a_fault_and_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "nobody/small-1b.toml", MODEL.replace("kv_heads = 8", "kv_heads = 4"))
    assert main(["validate", str(path)]) == 2
    shown = capsys.readouterr().out
    assert "parameters.published: is 1,235,814,400, but the blocks hold 1,219,037,184 (main); correct" in shown
    assert "recounted" not in shown


def test_an_accelerator_is_shown_with_what_it_runs_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "accelerators/nobody.toml", CARD)
    assert main(["validate", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "16.0 GiB of GDDR6 (nominal)" in shown
    assert "15.5 GiB (fitted)" in shown, "the shipped rules say what a driver keeps"
    assert "the largest that fit at 8K" in shown
    for field in ("memory.usable_mib", "tflops.fp16", "tdp_w", "price", "driver_names, pci_ids", "confidence"):
        assert f"\n{field}: " in shown


def test_faults_of_accelerators_are_told_with_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "accelerators/nobody.toml", CARD.replace("bandwidth_gbs = 500", "bandwith_gbs = 500"))
    assert main(["validate", str(path), "--json"]) == 2
    (fault,) = json.loads(capsys.readouterr().out)
    assert (fault["line"], fault["field"]) == (10, "device.test-card-16gb.bandwith_gbs")


def test_of_a_long_file_one_device_is_shown_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    path = catalog_root() / "accelerators" / "nvidia.toml"
    assert main(["validate", str(path)]) == 0
    assert "--id DEVICE shows one" in capsys.readouterr().out
    assert main(["validate", str(path), "--id", "rtx-4090-24gb"]) == 0
    assert "23.6 GiB (measured)" in capsys.readouterr().out
    assert main(["validate", str(path), "--id", "no-such"]) == 2


def test_your_own_accelerators_join_the_shipped_ones(tmp_path: Path) -> None:
    written(tmp_path, "accelerators/nobody.toml", CARD)
    found = load_catalog(user_dir=tmp_path / "models")
    assert found.hardware.find("test card") == ("test-card-16gb",)
    assert "rtx-4090-24gb" in found.hardware.accelerators
    assert found.notices == ()


def test_a_broken_file_of_your_own_is_told_and_the_shipped_ones_stay(tmp_path: Path) -> None:
    written(tmp_path, "accelerators/nobody.toml", CARD.replace('name = "Test Card"', ""))
    found = load_catalog(user_dir=tmp_path / "models")
    assert "field 'name' is missing" in found.notices[-1]
    assert "rtx-4090-24gb" in found.hardware.accelerators
