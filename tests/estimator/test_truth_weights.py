"""Weights to the byte, against what llama.cpp's quantizer and loader state for 53 models."""

from collections import Counter
from typing import Any

import pytest

from tests.estimator.truth_models import facts, subjects
from tests.truth import rows
from vram_tui.estimator.formats import TYPES, tensor_bytes
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.tensors import trunk_tensors
from vram_tui.estimator.weights import layer_bytes, typed_tensors, weigh

FILE_TYPES = 33


@pytest.mark.parametrize("row", rows("gguf_weights"), ids=lambda row: str(row["model"]))
def test_every_file_type_has_its_exact_size(row: dict[str, Any]) -> None:
    subject = subjects()[row["model"]]
    assert len(row["weights"]) == FILE_TYPES
    for quant, expected in row["weights"].items():
        plain, better = subject.weights(quant, imatrix=False), subject.weights(quant, imatrix=True)
        found = {
            "bytes": plain.file_bytes,
            "loaded_bytes": plain.loaded_bytes,
            "bytes_imatrix": better.file_bytes,
        }
        assert found == expected, quant


@pytest.mark.parametrize("row", rows("gguf_weights"), ids=lambda row: str(row["model"]))
def test_file_has_the_tensors_that_llamacpp_creates(row: dict[str, Any]) -> None:
    tensors = trunk_tensors(subjects()[row["model"]].model, file=True)
    assert len(tensors) == row["n_tensors"]
    assert sum(entry.tensor.elements for entry in tensors) == row["n_params"]


@pytest.mark.parametrize("row", rows("gguf_weights"), ids=lambda row: str(row["model"]))
def test_every_type_holds_as_many_tensors_and_bytes(row: dict[str, Any]) -> None:
    for quant, expected in row["by_type"].items():
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for tensor, kind, places in typed_tensors(subjects()[row["model"]].model, quant, facts(), imatrix=False):
            # Tables of integers take four bytes an element too: they are counted with the floats.
            counts[kind.lower()] += len(places)
            sizes[kind.lower()] += len(places) * tensor_bytes(kind, tensor.shape)
        integers = expected.get("i32", [0, 0])
        wanted = {kind.lower(): tuple(pair) for kind, pair in expected.items() if kind != "i32"}
        floats = wanted["f32"]
        wanted["f32"] = (floats[0] + integers[0], floats[1] + integers[1])
        assert {kind: (counts[kind], sizes[kind]) for kind in counts} == wanted, quant


def test_one_gpu_and_its_host_hold_what_llamacpp_places_there() -> None:
    wrong = []
    for row in rows("llamacpp_allocations"):
        if row["device"] == "cuda1" and "error" not in row:
            weights = subjects()[row["model"]].weights(row["quant"], imatrix=False)
            placed = (weights.device_bytes, weights.host_bytes)
            if placed != (row["weights_gpu_bytes"], row["weights_host_bytes"]):
                wrong.append((row["model"], placed))
    assert not wrong


@pytest.mark.parametrize("quant", ["Q4_K_M", "IQ2_XXS", "MXFP4_MOE", "F16"])
def test_layers_and_head_add_up_to_the_device(quant: str) -> None:
    for name, subject in subjects().items():
        for imatrix in (False, True):
            parts = layer_bytes(subject.model, quant, facts(), imatrix=imatrix)
            whole = subject.weights(quant, imatrix=imatrix)
            held = sum(part.total for part in parts.layers) + parts.head + parts.repeated
            assert held == whole.device_bytes, name
            assert parts.embedding == whole.host_bytes, name


def test_mtp_layers_are_loaded_only_when_asked() -> None:
    for subject in subjects().values():
        without, loaded = subject.weights("Q4_K_M"), subject.weights("Q4_K_M", mtp=True)
        assert loaded.file_bytes == without.file_bytes == loaded.loaded_bytes
        assert (loaded.loaded_bytes > without.loaded_bytes) == (subject.profile.mtp_layers > 0)


def test_custom_bits_are_bits_of_every_parameter_of_the_file() -> None:
    subject = subjects()["Llama-3.1-8B"]
    weights = weigh(subject.model, "bpw:4", facts(), imatrix=True, mtp=False)
    assert weights.file_bytes == round(8_030_261_312 / 2)
    assert weights.device_bytes + weights.host_bytes == weights.loaded_bytes


@pytest.mark.parametrize("quant", ["bpw:", "bpw:x", "bpw:0", "bpw:nan", "bpw:33", "bpw:-4"])
def test_impossible_custom_bits_are_refused(quant: str) -> None:
    with pytest.raises(Refusal, match="bits per weight"):
        subjects()["Llama-3.1-8B"].weights(quant)


def test_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        subjects()["Llama-3.1-8B"].weights("Q9_Z")


def test_every_ggml_type_is_told_in_words_and_every_file_type_has_a_base() -> None:
    known = facts()
    assert known.tensor_types.keys() == TYPES.keys()
    gguf = [form for form in known.formats.values() if form.kind == "gguf"]
    assert len(gguf) >= FILE_TYPES
    assert all(form.base_type in TYPES and form.bits_per_weight > 0 for form in gguf)
