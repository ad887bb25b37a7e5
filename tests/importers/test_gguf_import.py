"""Header-only GGUF files of measured models: weights, caches and states as llama.cpp allocated them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.importers.headers import MODELS, WEIGHTS, facts, metadata, model_of, write_keys, write_model
from tests.truth import rows
from vram_tui.estimator.estimate import estimate
from vram_tui.estimator.formats import TYPES
from vram_tui.estimator.scenario import Scenario
from vram_tui.importers.files import subject_from_path
from vram_tui.importers.found import Found
from vram_tui.importers.gguf_file import GgufFile, parse_gguf
from vram_tui.importers.gguf_import import from_gguf
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import header
from vram_tui.importers.source import BytesSource, ReadError

TODAY = date(2026, 11, 25)
NAMES = sorted(MODELS)
OTHER_TYPES = sorted(set(WEIGHTS["Qwen3-8B"]) - {"Q4_K_M"})


def allocation(name: str, seqs: int, cache: str) -> dict[str, Any]:
    """One measured allocation of a model on one device."""
    return next(
        row
        for row in rows("llamacpp_allocations")
        if row["model"] == name
        and "error" not in row
        and (row["device"], row["n_seq"], row["type_k"]) == ("cuda1", seqs, cache)
    )


def answers(found: Found, row: dict[str, Any]) -> tuple[int, int]:
    """(cache bytes, state bytes) under the settings of an allocation."""
    scenario = Scenario(
        kv_k=row["type_k"],
        kv_v=row["type_v"],
        seqs=row["n_seq"],
        kv_unified=row["kv_unified"],
        ubatch=row["n_ubatch"],
        flash_attn=row["flash_attn"],
        swa_full=row["swa_full"],
    )
    answer = estimate(found.subject, row["quant"], row["n_ctx"], scenario, facts())
    return answer.kv_bytes, answer.state_bytes


@pytest.mark.parametrize("name", NAMES)
def test_a_header_with_tensors_gives_the_allocated_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(MODELS[name], "Q4_K_M", path)
    found = subject_from_path(path, facts())
    assert (found.quant, found.notes) == ("Q4_K_M", ())
    for seqs, cache in ((1, "f16"), (4, "f16")):
        row = allocation(name, seqs, cache)
        weights = found.subject.weights("Q4_K_M")
        assert (weights.device_bytes, weights.host_bytes) == (row["weights_gpu_bytes"], row["weights_host_bytes"])
        assert answers(found, row) == (row["kv_bytes"], row["recurrent_bytes"])


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_another_file_type_gives_its_bytes_with_and_without_importance_matrix(number: int, tmp_path: Path) -> None:
    name, quant = NAMES[number], OTHER_TYPES[number * 7 % len(OTHER_TYPES)]
    true = WEIGHTS[name][quant]
    path = tmp_path / "model.gguf"
    for imatrix, size in ((True, true["bytes_imatrix"]), (False, true["bytes"])):
        write_model(MODELS[name], quant, path, imatrix=imatrix)
        found = subject_from_path(path, facts())
        weights = found.subject.weights(found.quant or "")
        assert found.quant == quant
        assert weights.file_bytes == size
    assert weights.loaded_bytes == true["loaded_bytes"]
    # The sum over layers is the whole.
    spread = found.subject.layer_bytes(quant)
    assert spread.head + spread.repeated + sum(part.total for part in spread.layers) == weights.device_bytes


@pytest.mark.parametrize("name", NAMES)
def test_key_values_alone_give_the_same_caches(name: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.gguf"
    write_keys(MODELS[name], path)
    found = subject_from_path(path, facts())
    assert found.stored is None
    assert found.quant == "BF16"
    row = allocation(name, 1, "f16")
    assert answers(found, row) == (row["kv_bytes"], row["recurrent_bytes"])
    # What no key-value tells: which optional tensors are there, and whether the head is the embedding.
    assert found.subject.weights("Q4_K_M").device_bytes == pytest.approx(row["weights_gpu_bytes"], rel=0.055)


@pytest.mark.parametrize("name", NAMES)
def test_key_values_and_tensors_give_the_same_blocks(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(MODELS[name], "Q8_0", path)
    profile = subject_from_path(path, facts()).subject.profile
    expected = model_of(MODELS[name])
    assert profile.layer_count == expected.layer_count
    assert profile.context_tokens == expected.context_tokens


def read(
    row: dict[str, Any],
    tensors: Any,
    quant: str = "Q4_K_M",
    name: str = "m.gguf",
    more: Mapping[str, object] | None = None,
) -> Found:
    """The import of a header in memory."""
    file: GgufFile = parse_gguf(BytesSource(header({**metadata(row, quant), **(more or {})}, tensors), name))
    return from_gguf(file, facts(), today=TODAY)


QWEN = MODELS["Qwen3-8B"]


def qwen_tensors() -> list[tuple[str, tuple[int, ...], int]]:
    return list(typed_file_tensors(model_of(QWEN), "Q4_K_M", facts()))


def test_a_mixture_made_by_hand_weighs_what_its_tensors_weigh() -> None:
    mixed = [
        (name, ne, TYPES["Q8_0"].id if name.endswith("attn_v.weight") else type_id)
        for name, ne, type_id in qwen_tensors()
    ]
    found = read(QWEN, mixed, name="Qwen3-8B-UD-Q4_K_XL.gguf")
    assert found.quant == "file:UD-Q4_K_XL"
    assert any("custom mixture" in note and "Q4_K_M" in note for note in found.notes)
    by_kind = {kind.id: kind for kind in TYPES.values()}
    total = 0
    for _, ne, type_id in mixed:
        elements = 1
        for side in ne:
            elements *= side
        total += elements // by_kind[type_id].block_elements * by_kind[type_id].block_bytes
    assert found.subject.weights(found.quant).file_bytes == total
    # Other formats are those of the blocks, and the engines are those of the format it is like.
    plain = read(QWEN, qwen_tensors())
    assert found.subject.weights("Q6_K") == plain.subject.weights("Q6_K")
    assert found.subject.weights("Q4_K_M") == plain.subject.weights("Q4_K_M")
    answer = estimate(found.subject, found.quant, 4096, Scenario(), facts())
    assert answer.weights.file_bytes == total
    with pytest.raises(ValueError, match="vllm does not load"):
        estimate(found.subject, found.quant, 4096, Scenario(runtime="vllm"), facts())


def test_without_a_stated_type_the_tensors_name_it() -> None:
    keys = {key: value for key, value in metadata(QWEN).items() if key != "general.file_type"}
    file = parse_gguf(BytesSource(header(keys, qwen_tensors()), "m.gguf"))
    assert from_gguf(file, facts(), today=TODAY).quant == "Q4_K_M"


def test_a_tied_model_has_its_embedding_twice() -> None:
    tied = [row for row in qwen_tensors() if row[0] != "output.weight"]
    found, plain = read(QWEN, tied), read(QWEN, qwen_tensors())
    assert found.subject.model.tied_embeddings
    stored, whole = found.stored, plain.stored
    assert stored is not None
    assert whole is not None
    assert stored.host_bytes == whole.host_bytes
    assert stored.device_bytes > whole.device_bytes - whole.head_bytes + stored.host_bytes // 2


def test_differences_from_the_blocks_are_told() -> None:
    tensors = [row for row in qwen_tensors() if row[0] != "blk.7.ffn_norm.weight"]
    tensors.append(("blk.3.strange.weight", (4096, 77), TYPES["F32"].id))
    notes = " ".join(read(QWEN, tensors).notes)
    assert "blk.3.strange.weight (4096×77)" in notes
    assert "blk.7.ffn_norm.weight" in notes


def test_optional_tensors_that_are_there_are_counted() -> None:
    biases = [
        (f"blk.{layer}.attn_{side}.bias", (width,), TYPES["F32"].id)
        for layer in range(36)
        for side, width in (("q", 4096), ("k", 1024), ("v", 1024))
    ]
    found = read(QWEN, [*qwen_tensors(), *biases])
    assert found.notes == ()
    assert found.quant == "Q4_K_M"
    plain = read(QWEN, qwen_tensors())
    more = found.subject.weights("F16").file_bytes - plain.subject.weights("F16").file_bytes
    assert more == 4 * 36 * (4096 + 1024 + 1024)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"general.architecture": "frobnicator"}, "embedding_length is missing"),
        ({"general.type": "adapter"}, "is of type adapter, not a model"),
        ({"qwen3.block_count": 0}, "block_count"),
        ({"qwen3.block_count": 1 << 40}, "block_count"),
        ({"qwen3.embedding_length": -5}, "embedding_length"),
        ({"qwen3.embedding_length": "wide"}, "embedding_length"),
        ({"qwen3.embedding_length": 0}, "a width of 0"),
        ({"qwen3.block_count": 2000}, "2000 layers"),
        ({"qwen3.block_count": 1000, "qwen3.feed_forward_length": [*range(256, 1256)]}, "1000 of them different"),
        ({"qwen3.attention.sliding_window": float("inf")}, "sliding_window"),
    ],
)
def test_impossible_metadata_end_in_one_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(ReadError, match=words) as caught:
        read(QWEN, [], more=change)
    assert str(caught.value).isprintable()


def test_an_unknown_architecture_must_look_like_a_plain_decoder() -> None:
    keys = {key.replace("qwen3", "newcomer"): value for key, value in metadata(QWEN, "Q4_K_M").items()}
    keys["general.architecture"] = "newcomer"
    file = parse_gguf(BytesSource(header(keys, qwen_tensors()), "m.gguf"))
    found = from_gguf(file, facts(), today=TODAY)
    assert found.subject.weights("Q8_0") == read(QWEN, qwen_tensors()).subject.weights("Q8_0")
    strange = [
        (name.replace("attn_q", "time_mix"), (*ne[:-1], ne[-1] + 256), kind) for name, ne, kind in qwen_tensors()
    ]
    file = parse_gguf(BytesSource(header(keys, strange), "m.gguf"))
    with pytest.raises(ReadError, match=r"'newcomer' is not known.*gguf_traits"):
        from_gguf(file, facts(), today=TODAY)
