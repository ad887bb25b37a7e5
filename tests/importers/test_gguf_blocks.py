"""GGUF metadata to blocks: what a tensor list overrules, and what is refused."""

import json
import lzma
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.estimator.truth_models import facts, subjects
from tests.truth import rows
from vram_tui.estimator.blocks import Attention, Experts, Gated, Linear, Plain
from vram_tui.estimator.model import Model
from vram_tui.estimator.tensors import trunk_tensors
from vram_tui.estimator.weights import weigh
from vram_tui.importers.gguf_blocks import model_from_metadata
from vram_tui.importers.gguf_keys import BlocksError
from vram_tui.importers.gguf_names import file_tensors

PLAIN: dict[str, Any] = {
    "general.architecture": "new",
    "new.block_count": 2,
    "new.embedding_length": 64,
    "new.feed_forward_length": 128,
    "new.attention.head_count": 4,
    "new.attention.head_count_kv": 2,
    "new.context_length": 4096,
}


def read(tensors: dict[str, tuple[int, ...]] | None = None, **changed: object) -> Model:
    kv = {**PLAIN, **{f"new.{key.replace('__', '.')}": value for key, value in changed.items()}}
    return model_from_metadata(kv, vocab_size=1000, tied=False, tensors=tensors)


@pytest.mark.parametrize("row", rows("llamacpp_models"), ids=lambda row: str(row["model"]))
def test_a_files_own_tensor_list_gives_the_same_file(row: dict[str, Any]) -> None:
    expected = subjects()[row["model"]].model
    names = {entry.name: entry.tensor.shape for entry in file_tensors(expected)}
    found = model_from_metadata(row["gguf"], vocab_size=row["vocab"], tied=row["tie"], tensors=names)

    def shapes(model: Model) -> Counter[tuple[int, tuple[int, ...]]]:
        return Counter((entry.layer, entry.tensor.shape) for entry in trunk_tensors(model, file=True))

    assert shapes(found) - shapes(expected) == Counter()
    assert shapes(expected) - shapes(found) == Counter()
    for quant in ("Q4_K_M", "IQ2_M"):
        sizes = [weigh(model, quant, facts(), imatrix=True, mtp=False) for model in (found, expected)]
        # Where a file lacks tensors, the list cannot tell what the model has.
        assert replace(sizes[0], parameters=0) == replace(sizes[1], parameters=0), quant


def created() -> list[dict[str, Any]]:
    """Tensor lists that llama.cpp (b11549) itself makes of key-values: small widths, every optional tensor there."""
    with lzma.open(Path(__file__).with_name("gguf_created.jsonl.xz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("row", created(), ids=lambda row: str(row["metadata"]["general.architecture"]))
def test_the_traits_of_an_architecture_make_the_tensors_that_llamacpp_makes(row: dict[str, Any]) -> None:
    vocabulary = row["metadata"][f"{row['metadata']['general.architecture']}.vocab_size"]
    model = model_from_metadata(row["metadata"], vocab_size=vocabulary, tied=False, left_out=())
    found = Counter((entry.layer, entry.tensor.shape) for entry in trunk_tensors(model, file=True))
    expected: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for name, shape in row["tensors"]:
        layer = int(name.split(".")[1]) if name.startswith("blk.") else -1
        expected[layer, tuple(shape)] += 1
    assert found == expected


def test_an_unknown_architecture_is_the_plain_recipe() -> None:
    model = read()
    layer = next(model.layers())
    assert layer.mixer == Attention(4, 2, 16)
    assert layer.feed_forward == Gated(128)
    assert model.layer_count == 2
    assert model.context_tokens == 4096
    assert model.gguf.architecture == "new"


def test_a_tensor_list_overrules_the_recipe_of_an_unknown_architecture() -> None:
    tensors: dict[str, tuple[int, ...]] = {"token_embd.weight": (64, 1000)}
    for number in range(2):
        tensors |= {
            f"blk.{number}.attn_qkv.weight": (64, 128),
            f"blk.{number}.attn_qkv.bias": (128,),
            f"blk.{number}.attn_output.weight": (64, 64),
            f"blk.{number}.ffn_up.weight": (64, 128),
            f"blk.{number}.ffn_down.weight": (128, 64),
            f"blk.{number}.ffn_down.bias": (64,),
        }
    model = read(tensors)
    layer = next(model.layers())
    assert layer.mixer == Attention(4, 2, 16, bias="qkv")
    assert layer.feed_forward == Plain(128, bias=True)
    assert model.gguf.fused == ("qkv",)


def test_only_layers_with_a_router_have_experts() -> None:
    tensors: dict[str, tuple[int, ...]] = {
        "blk.0.ffn_gate.weight": (64, 128),
        "blk.1.ffn_gate_inp.weight": (64, 8),
        "blk.1.ffn_gate_exps.weight": (64, 32, 8),
    }
    for number in range(2):
        tensors |= {f"blk.{number}.attn_q.weight": (64, 64), f"blk.{number}.attn_v.weight": (64, 32)}
    model = read(tensors, expert_count=8, expert_used_count=2, expert_feed_forward_length=32)
    first, second = model.layers()
    assert isinstance(first.feed_forward, Gated)
    assert isinstance(second.feed_forward, Experts)


def test_a_search_may_have_removed_halves_of_a_layer() -> None:
    changed = {"attention.head_count": [4, 0], "attention.head_count_kv": [0, 0], "feed_forward_length": [0, 128]}
    kv = {**PLAIN, **{f"new.{key}": value for key, value in changed.items()}}
    first, second = model_from_metadata(kv, vocab_size=10, tied=True).layers()
    assert (first.mixer, first.feed_forward) == (Linear(), None)
    assert (second.mixer, second.feed_forward) == (None, Gated(128))


def test_a_pattern_of_windows_is_read_from_a_list() -> None:
    model = read(attention__sliding_window=512, attention__sliding_window_pattern=[True, False])
    assert [layer.mixer.window for layer in model.layers() if isinstance(layer.mixer, Attention)] == [512, 0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_count", 0),
        ("block_count", 1 << 20),
        ("block_count", "two"),
        ("block_count", None),
        ("embedding_length", -1),
        ("embedding_length", 64.5),
        ("embedding_length", float("nan")),
        ("embedding_length", float("inf")),
        ("embedding_length", []),
        ("attention.head_count", 1 << 50),
    ],
)
def test_impossible_keys_are_named(key: str, value: object) -> None:
    with pytest.raises(BlocksError, match=key):
        model_from_metadata({**PLAIN, f"new.{key}": value}, vocab_size=10, tied=None)


def test_a_file_without_an_architecture_is_refused() -> None:
    with pytest.raises(BlocksError, match="does not name its architecture"):
        model_from_metadata({}, vocab_size=10, tied=None)
