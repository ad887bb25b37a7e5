"""safetensors headers: exact bytes by tensor and dtype, sets through their index, faults in one line."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vram_tui.importers.safetensors_file import (
    DTYPE_BITS,
    INDEX_NAME,
    SafetensorsError,
    SafetensorsFile,
    parse_safetensors,
    read_safetensors,
)
from vram_tui.importers.source import BytesSource, ReadError


def raw(entries: Any, data_bytes: int = 0) -> bytes:
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data_bytes)


def described(**tensors: tuple[str, list[int]]) -> dict[str, Any]:
    entries, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        bits = DTYPE_BITS[dtype]
        for size in shape:
            bits *= size
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + bits // 8]}
        end += bits // 8
    return entries


def parse(data: bytes) -> SafetensorsFile:
    return parse_safetensors(BytesSource(data, "model.safetensors"))


def fault(data: bytes) -> str:
    with pytest.raises(SafetensorsError) as caught:
        parse(data)
    message = str(caught.value)
    assert message.startswith("model.safetensors")
    assert message.isprintable()
    return message


MODEL = described(embed=("BF16", [100, 8]), scale=("F8_E8M0", [7]), packed=("F4", [6, 2]), norm=("F32", []))


def test_bytes_are_exact() -> None:
    data = raw({"__metadata__": {"format": "pt"}, **MODEL}, 1600 + 7 + 6 + 4)
    read = parse(data)
    assert {tensor.name: tensor.bytes for tensor in read.tensors} == {"embed": 1600, "scale": 7, "packed": 6, "norm": 4}
    assert read.bytes_by_dtype() == {"BF16": 1600, "F8_E8M0": 7, "F4": 6, "F32": 4}
    assert read.elements_by_dtype() == {"BF16": 800, "F4": 12, "F8_E8M0": 7, "F32": 1}
    assert read.metadata == {"format": "pt"}
    assert read.header_bytes + read.tensor_bytes == read.size_bytes == len(data)


def test_header_alone_is_a_file() -> None:
    assert parse(raw(MODEL)).tensor_bytes == 1617


def test_order_in_the_header_does_not_matter() -> None:
    assert parse(raw(dict(reversed(MODEL.items())))).tensor_bytes == 1617


def test_unknown_dtype_counts_by_its_place() -> None:
    assert parse(raw({"a": {"dtype": "F5_NEW", "shape": [3], "data_offsets": [0, 99]}})).bytes_by_dtype() == {
        "F5_NEW": 99
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\1\0\0", "too short"),
        (struct.pack("<Q", 1 << 63) + b"{}" * 9, "no safetensors header"),
        (b"GGUF" + bytes(60), "no safetensors header"),
        (struct.pack("<Q", 50_000_000) + b"{}" * 9, "a header of 50000000 bytes in a file of 26"),
        (raw(b"{" + b" " * 20), "no JSON"),
        (raw(b'{"a": {}, "a": {}}'), "the key a twice"),
        (raw({"a": 1}), "tensor a"),
        (raw({"a": {"dtype": "F32", "shape": [1]}}), "data_offsets"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}), "data_offsets"),
        (raw({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}), "shape"),
        (raw({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "shape"),
        (raw({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}), "dtype"),
        (raw({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}), "takes 4 bytes, but F32"),
        (raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}), "starts at byte 4"),
        (raw({"__metadata__": {"a": 1}}), "__metadata__"),
        (raw(MODEL, 1600), "holds 1600 bytes of tensors"),
        (raw(MODEL, 1618), "holds 1618 bytes of tensors"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_faults_are_named(data: bytes, words: str) -> None:
    assert words in fault(data)


def write_set(folder: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for tensor, name in names.items():
        (folder / name).write_bytes(raw(described(**{tensor: ("F16", [10, 3])}), 60))
    index = {"metadata": {"total_size": 120}, "weight_map": names}
    (folder / INDEX_NAME).write_text(json.dumps(index))


@pytest.mark.parametrize("name", ["", INDEX_NAME])
def test_a_set_is_read_through_its_index(tmp_path: Path, name: str) -> None:
    write_set(tmp_path)
    (tmp_path / "consolidated.safetensors").write_bytes(b"another copy")
    read = read_safetensors(tmp_path / name)
    assert [tensor.name for tensor in read.tensors] == ["a", "b"]
    assert read.bytes_by_dtype() == {"F16": 120}
    assert len(read.parts) == 2
    assert read.size_bytes == read.header_bytes + 120


def test_missing_shard_is_named(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(SafetensorsError, match=r"model-00002-of-00002\.safetensors: one of 2 shards is missing"):
        read_safetensors(tmp_path)


@pytest.mark.parametrize("shard", ["../../etc/model.safetensors", "/model.safetensors", ".hidden.safetensors"])
def test_an_index_cannot_point_elsewhere(tmp_path: Path, shard: str) -> None:
    (tmp_path / INDEX_NAME).write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(SafetensorsError, match="outside its folder"):
        read_safetensors(tmp_path)


def test_a_tensor_in_two_shards_is_told(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(raw(described(a=("F16", [1]))))
    with pytest.raises(SafetensorsError, match="in an earlier shard too"):
        read_safetensors(tmp_path)


def test_folder_choices(tmp_path: Path) -> None:
    with pytest.raises(SafetensorsError, match="holds 0 safetensors files"):
        read_safetensors(tmp_path)
    (tmp_path / "only.safetensors").write_bytes(raw(MODEL))
    assert read_safetensors(tmp_path).tensor_bytes == 1617
    (tmp_path / "second.safetensors").write_bytes(raw(MODEL))
    with pytest.raises(SafetensorsError, match="holds 2 safetensors files"):
        read_safetensors(tmp_path)


VALID = raw({"__metadata__": {"format": "pt"}, **MODEL}, 1617)


@settings(max_examples=300, deadline=1000)
@given(
    st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=5)
)
def test_damage_ends_in_a_word_or_an_answer(damages: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(VALID)
    for at, length, piece in damages:
        data[at : at + length] = piece
    try:
        read = parse(bytes(data))
    except ReadError as error:
        message = str(error)
    else:
        message = ""
        assert read.header_bytes + read.tensor_bytes >= read.size_bytes
    assert message.isprintable()
