"""Paths and repositories as models: configurations, model folders with safetensors, split sets, caches, the hub."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.test_configs import blocks, copies
from tests.importers.headers import MODELS, facts, metadata, model_of, write_model
from tests.importers.test_safetensors_file import described, raw
from vram_tui.catalog import load_catalog
from vram_tui.catalog.counting import counted
from vram_tui.estimator.tensors import trunk_tensors
from vram_tui.importers.files import subject_from_path
from vram_tui.importers.gguf_file import parse_gguf
from vram_tui.importers.gguf_parts import part_names
from vram_tui.importers.gguf_writer import header, write_header
from vram_tui.importers.hf_config import model_from_config
from vram_tui.importers.hub import Hub, HubFile, HubRepository
from vram_tui.importers.hub_import import subject_from_hub
from vram_tui.importers.source import BytesSource, ReadError

TODAY = date(2026, 11, 25)
SMALL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def checkpoint(config: dict[str, Any], **more: tuple[str, list[int]]) -> bytes:
    """The header of a safetensors file with every tensor of the configuration's model."""
    tensors: dict[str, tuple[str, list[int]]] = {}
    for number, (layer, tensor, _) in enumerate(trunk_tensors(model_from_config(config).model, file=False)):
        where = f"model.layers.{layer}" if layer >= 0 else "model"
        tensors[f"{where}.{tensor.role}.{number}.weight"] = ("BF16", list(reversed(tensor.shape)))
    return raw(described(**tensors, **more))


def folder(path: Path, config: dict[str, Any], **more: tuple[str, list[int]]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    (path / "model.safetensors").write_bytes(checkpoint(config, **more))
    return path


@pytest.mark.parametrize("known", sorted(copies()))
def test_a_published_configuration_imports_to_the_shipped_blocks(known: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(copies()[known]))
    found = subject_from_path(path, facts())
    assert blocks(found.subject.model) == blocks(CATALOG.entry(known).model)
    assert found.quant is None


CATALOG = load_catalog(user=False)


def test_a_model_folder_has_its_exact_bytes_beside_the_derived_ones(tmp_path: Path) -> None:
    found = subject_from_path(folder(tmp_path / "tiny", SMALL), facts())
    parameters = counted(found.subject.model, "main")
    assert found.notes == ()
    assert found.entry.id == "local/tiny"
    weights = found.subject.weights("file:BF16")
    assert (weights.file_bytes, weights.device_bytes, weights.host_bytes) == (2 * parameters, 2 * parameters, 0)
    assert weights.bits_per_weight == 16
    assert found.subject.weights("Q4_K_M").file_bytes < 2 * parameters


def test_a_safetensors_file_and_its_index_are_the_same_model(tmp_path: Path) -> None:
    path = folder(tmp_path / "tiny", SMALL)
    index = path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model.safetensors"}}')
    expected = subject_from_path(path, facts()).subject.weights("file:BF16")
    for name in ("model.safetensors", index.name):
        assert subject_from_path(path / name, facts()).subject.weights("file:BF16") == expected


def test_parameters_that_the_blocks_lack_are_told(tmp_path: Path) -> None:
    path = folder(tmp_path / "tiny", SMALL, **{"model.layers.0.strange.weight": ("BF16", [10, 10])})
    (note,) = subject_from_path(path, facts()).notes
    assert "100 more than the blocks" in note


def test_an_encoder_is_counted_apart_and_mtp_layers_are_not_loaded(tmp_path: Path) -> None:
    more = {"vision_tower.block.weight": ("BF16", [7, 7]), "model.layers.3.extra.weight": ("BF16", [5, 5])}
    found = subject_from_path(folder(tmp_path / "tiny", SMALL, **more), facts())
    assert [(tower.kind, tower.parameters) for tower in found.subject.model.towers] == [("vision", 49)]
    weights = found.subject.weights("file:BF16")
    assert weights.file_bytes - weights.loaded_bytes == 50
    assert found.subject.weights("file:BF16", mtp=True).device_bytes == weights.file_bytes


def test_a_hub_cache_folder_knows_vendor_and_name(tmp_path: Path) -> None:
    snapshot = folder(tmp_path / "models--some--thing-7B" / "snapshots" / "abc", SMALL)
    found = subject_from_path(snapshot, facts())
    assert (found.entry.id, found.entry.name) == ("some/thing-7B", "thing-7B")


def test_any_part_of_a_split_set_is_the_whole_model(tmp_path: Path) -> None:
    row = MODELS["Qwen3-0.6B"]
    whole = tmp_path / "whole.gguf"
    write_model(row, "Q4_K_M", whole)
    tensors = parse_gguf(BytesSource(whole.read_bytes())).tensors
    parts = part_names("set-00001-of-00003.gguf")
    for number, name in enumerate(parts):
        keys: dict[str, Any] = metadata(row, "Q4_K_M") if number == 0 else {}
        share = [(tensor.name, tensor.ne, tensor.type_id) for tensor in tensors[number::3]]
        write_header({**keys, "split.no": number, "split.count": 3}, share, tmp_path / name)
    expected = subject_from_path(whole, facts()).subject.weights("Q4_K_M")
    for name in parts:
        found = subject_from_path(tmp_path / name, facts())
        assert found.quant == "Q4_K_M"
        assert found.entry.id == "local/set"
        assert found.subject.weights("Q4_K_M") == expected


def test_a_folder_with_one_gguf_model_is_that_model(tmp_path: Path) -> None:
    write_model(MODELS["Qwen3-0.6B"], "Q8_0", tmp_path / "a-Q8_0.gguf")
    (tmp_path / "mmproj-a.gguf").write_bytes(b"")
    assert subject_from_path(tmp_path, facts()).quant == "Q8_0"
    write_model(MODELS["Qwen3-0.6B"], "Q8_0", tmp_path / "b.gguf")
    with pytest.raises(ReadError, match="2 GGUF models"):
        subject_from_path(tmp_path, facts())


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "no config.json"), ("alone.safetensors", "no config.json beside it"), ("missing.gguf", "cannot be opened")],
)
def test_what_makes_no_model_says_so(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "alone.safetensors").write_bytes(raw({}))
    with pytest.raises(ReadError, match=words):
        subject_from_path(tmp_path / name if name else tmp_path, facts())


def test_an_unknown_type_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "frobnicator"}')
    with pytest.raises(ReadError, match=r"'frobnicator' is not known.*import a GGUF") as caught:
        subject_from_path(path, facts())
    assert str(path) in str(caught.value)


class Shelf(Hub):
    """A hub without a network: files in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__("http://127.0.0.1:9", "")
        self.files = files

    def repository(self, name: str) -> HubRepository:
        files = (HubFile(path, len(data)) for path, data in sorted(self.files.items()))
        return HubRepository(name, "c0ffee", tuple(files))

    def get(self, path: str, limit: int, *, first: int | None = None, query: str = "") -> bytes:
        return self.files[path.partition("/resolve/c0ffee/")[2]][first or 0 :][:limit]


def shelved_gguf(quant: str) -> bytes:
    from vram_tui.importers.gguf_names import typed_file_tensors

    row = MODELS["Qwen3-0.6B"]
    return header(metadata(row, quant), typed_file_tensors(model_of(row), quant, facts()))


def test_a_repository_with_a_configuration_is_that_model() -> None:
    shelf = Shelf({"config.json": json.dumps(SMALL).encode(), "model.safetensors": checkpoint(SMALL)})
    found = subject_from_hub("hub:org/tiny", facts(), today=TODAY, hub=shelf)
    assert (found.entry.id, found.entry.sources) == ("org/tiny", ("hub:org/tiny",))
    assert found.subject.weights("file:BF16").file_bytes == 2 * counted(found.subject.model, "main")


def test_a_repository_of_ggufs_gives_the_usual_file_or_the_named_one() -> None:
    shelf = Shelf({f"m-{quant}.gguf": shelved_gguf(quant) for quant in ("Q4_K_M", "Q8_0")})
    found = subject_from_hub("hub:org/m-GGUF", facts(), today=TODAY, hub=shelf)
    assert (found.quant, found.entry.id) == ("Q4_K_M", "org/m-GGUF")
    named = subject_from_hub("hub:org/m-GGUF/m-Q8_0.gguf", facts(), today=TODAY, hub=shelf)
    assert named.quant == "Q8_0"
    assert named.stored is not None
    assert named.stored.path == "hub:org/m-GGUF/m-Q8_0.gguf"
    with pytest.raises(ReadError, match=r"no file x\.gguf; it has m-Q4_K_M\.gguf, m-Q8_0\.gguf"):
        subject_from_hub("hub:org/m-GGUF/x.gguf", facts(), today=TODAY, hub=shelf)
    del shelf.files["m-Q4_K_M.gguf"]
    shelf.files["n-Q8_0.gguf"] = b""
    with pytest.raises(ReadError, match="2 GGUF models; name a file"):
        subject_from_hub("hub:org/m-GGUF", facts(), today=TODAY, hub=shelf)
    with pytest.raises(ReadError, match="no model of the hub"):
        subject_from_hub("hub:nothing", facts(), today=TODAY, hub=shelf)
