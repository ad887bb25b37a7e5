"""GGUF headers: what is written is read back, sizes are exact, every fault is told in one line."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vram_tui.estimator.formats import TYPES
from vram_tui.importers.gguf_file import (
    REMOVED,
    GgufError,
    GgufFile,
    Skipped,
    parse_gguf,
)
from vram_tui.importers.gguf_parts import part_names, read_gguf
from vram_tui.importers.gguf_writer import header, write_header
from vram_tui.importers.source import BytesSource

Q4_K, Q6_K, F32 = TYPES["Q4_K"].id, TYPES["Q6_K"].id, TYPES["F32"].id
METADATA: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Größe \x1b[31m",
    "llama.block_count": 2,
    "llama.attention.head_count_kv": [8, 4],
    "llama.rope.freq_base": 10000.0,
    "llama.some_flag": True,
    "llama.negative": -7,
    "llama.wide": 1 << 40,
    "general.tags": ["one", "two"],
    "tokenizer.ggml.tokens": ["a", "bc", "def"] * 1000,
    "tokenizer.ggml.scores": Skipped("float32", 3000),
}
TENSORS = (
    ("token_embd.weight", (256, 3000), Q6_K),
    ("blk.0.attn_norm.weight", (250,), F32),
    ("blk.0.ffn_down_exps.weight", (512, 256, 4), Q4_K),
)


def parse(data: bytes) -> GgufFile:
    return parse_gguf(BytesSource(data, "model.gguf"))


def fault(data: bytes) -> str:
    with pytest.raises(GgufError) as caught:
        parse(data)
    message = str(caught.value)
    assert message.startswith("model.gguf")
    assert message.isprintable()
    assert "; " in message
    return message


@pytest.mark.parametrize("version", [2, 3])
def test_reads_back_what_was_written(version: int) -> None:
    read = parse(header(METADATA, TENSORS, version))
    assert read.version == version
    assert read.metadata["llama.attention.head_count_kv"] == (8, 4)
    assert read.metadata["general.tags"] == ("one", "two")
    assert read.metadata["tokenizer.ggml.tokens"] == Skipped("string", 3000)
    assert read.vocabulary == 3000
    for key in ("general.name", "llama.rope.freq_base", "llama.some_flag", "llama.negative", "llama.wide"):
        assert read.metadata[key] == METADATA[key]
        assert type(read.metadata[key]) is type(METADATA[key])
    assert [(t.name, t.ne, t.type_id) for t in read.tensors] == list(TENSORS)


def test_bytes_are_exact() -> None:
    read = parse(header(METADATA, TENSORS))
    embedding, norm, down = (tensor.bytes for tensor in read.tensors)
    assert (embedding, norm, down) == (3000 * 210, 1000, 2 * 256 * 4 * 144)
    assert read.tensor_bytes == embedding + norm + down
    # 630,000 and 1,000 are no multiples of the alignment of 32.
    assert read.file_bytes == 630_016 + 1_024 + down
    assert read.header_bytes == len(header(METADATA, TENSORS))


def test_extended_file_has_the_whole_size(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    size = write_header(METADATA, TENSORS, path, extend=True)
    read = read_gguf(path)
    assert size == path.stat().st_size == read.size_bytes == read.header_bytes + read.file_bytes


def test_key_values_alone_are_a_file() -> None:
    read = parse(header(METADATA))
    assert read.tensors == ()
    assert read.metadata["general.architecture"] == "llama"


@pytest.mark.parametrize("alignment", [1, 32, 256])
def test_alignment_of_the_file_counts(alignment: int) -> None:
    read = parse(header({"general.alignment": alignment}, [("a", (3,), F32), ("b", (5,), F32)]))
    assert read.file_bytes == sum(-(-size // alignment) * alignment for size in (12, 20))


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_is_measured_in_blocks(name: str) -> None:
    kind = TYPES[name]
    read = parse(header({}, [("t", (kind.block_elements * 3, 5), kind.id)]))
    assert read.tensor_bytes == 15 * kind.block_bytes
    assert read.tensors[0].elements == 15 * kind.block_elements


def test_published_bits_per_weight() -> None:
    """From the tables of llama.cpp's quantize tool."""
    bits = {"Q4_0": 4.5, "Q8_0": 8.5, "Q2_K": 2.625, "Q6_K": 6.5625, "IQ1_S": 1.5625, "IQ4_XS": 4.25, "MXFP4": 4.25}
    assert {name: TYPES[name].bits_per_weight for name in bits} == bits


@pytest.mark.parametrize("type_id", [*REMOVED, 43, 99, 0xFFFFFFFF])
def test_unknown_types_are_named(type_id: int) -> None:
    data = bytearray(header({}, [("blk.0.odd", (32,), F32)]))
    at = data.index(b"blk.0.odd") + len("blk.0.odd") + 12
    data[at : at + 4] = struct.pack("<I", type_id)
    assert "tensor blk.0.odd" in (message := fault(bytes(data)))
    assert REMOVED.get(type_id, str(type_id)) in message


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _file(tensors: int = 0, keys: int = 0, rest: bytes = b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, tensors, keys) + rest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"GGUF", "ends after"),
        (b"GGML" + bytes(100), "no GGUF"),
        (b"\x1b]0;owned\x07" + bytes(100), "no GGUF"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "big-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(100), "version 1"),
        (b"GGUF" + struct.pack("<I", 4) + bytes(100), "version 4"),
        (_file(tensors=1 << 63), "tensors"),
        (_file(keys=1 << 63), "key-values"),
        (_file(keys=1, rest=struct.pack("<Q", 1 << 32) + bytes(8)), "4294967296 bytes"),
        (_file(keys=1, rest=_string("k") + struct.pack("<IQ", 8, 1 << 32)), "value of k"),
        (_file(keys=1, rest=_string("k") + struct.pack("<IIQ", 9, 8, 1 << 61)), "value of k"),
        (_file(keys=1, rest=_string("k") + struct.pack("<IIQ", 9, 4, 1 << 63)), "value of k"),
        (_file(keys=1, rest=_string("k") + struct.pack("<IIQ", 9, 9, 1)), "array of arrays"),
        (_file(keys=1, rest=_string("k") + struct.pack("<II", 77, 0)), "unknown type 77"),
        (
            _file(keys=1, rest=_string("tokenizer.t") + struct.pack("<IIQ", 9, 8, 2) + bytes(7) + b"\x7f" * 9),
            "tokenizer",
        ),
        (_file(keys=2, rest=(_string("k") + struct.pack("<II", 4, 0)) * 2), "twice"),
        (_file(keys=1, rest=_string("general.alignment") + struct.pack("<II", 4, 3)), "general.alignment"),
        (_file(keys=1, rest=_string("general.alignment") + struct.pack("<II", 4, 0)), "general.alignment"),
        (_file(tensors=1, rest=_string("t") + struct.pack("<IQQQ", 9, 1, 1, 1)), "9 dimensions"),
        (_file(tensors=1, rest=_string("t") + struct.pack("<I4QIQ", 4, *[1 << 32] * 4, 0, 0)), "shape"),
        (_file(tensors=1, rest=_string("t") + struct.pack("<IQIQ", 1, 0, 0, 0)), "shape"),
        (_file(tensors=1, rest=_string("t") + struct.pack("<IQIQ", 1, 33, 12, 0)), "multiple of Q4_K"),
        (_file(tensors=1, rest=_string("t") + struct.pack("<IQIQ", 1, 32, 0, 64)), "starts at 64"),
        (_file(tensors=2, rest=(_string("t") + struct.pack("<IQIQ", 1, 32, 0, 0)) * 2), "twice"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_faults_are_named(data: bytes, words: str) -> None:
    assert words in fault(data)


def test_data_that_breaks_off_is_told() -> None:
    data = header({}, [("a", (8,), F32), ("b", (8,), F32)])
    assert "1 of 64 bytes of tensors are missing" in fault(data + bytes(63))
    assert parse(data + bytes(64)).size_bytes == len(data) + 64


def test_every_truncation_is_told() -> None:
    data = header({"a": "text", "b": [1, 2], "c": ["x", "y"]}, [("t", (32, 2), F32)])
    for length in range(len(data.rstrip(b"\0"))):
        fault(data[:length])


def test_long_values_are_passed_over() -> None:
    read = parse(header({"tokenizer.huggingface.json": "x" * (2 << 20), "llama.many": [1] * 5000, "llama.end": 5}))
    assert read.metadata["tokenizer.huggingface.json"] == Skipped("text", 2 << 20)
    assert read.metadata["llama.many"] == Skipped("uint32", 5000)
    assert read.metadata["llama.end"] == 5


def write_set(folder: Path, count: int = 3) -> list[Path]:
    paths = []
    for number, name in enumerate(part_names(f"model-00001-of-{count:05}.gguf")):
        metadata: dict[str, object] = {"split.no": number, "split.count": count, "split.tensors.count": count}
        if number == 0:
            metadata["general.architecture"] = "llama"
        paths.append(folder / name)
        write_header(metadata, [(f"blk.{number}.w", (64, number + 1), F32)], paths[-1], extend=True)
    return paths


@pytest.mark.parametrize("given_part", [0, 2])
def test_any_part_stands_for_the_set(tmp_path: Path, given_part: int) -> None:
    paths = write_set(tmp_path)
    read = read_gguf(paths[given_part])
    assert [tensor.name for tensor in read.tensors] == ["blk.0.w", "blk.1.w", "blk.2.w"]
    assert [tensor.part for tensor in read.tensors] == [0, 1, 2]
    assert read.metadata["general.architecture"] == "llama"
    assert read.size_bytes == sum(path.stat().st_size for path in paths) == read.header_bytes + read.file_bytes
    assert len(read.parts) == 3


def test_missing_part_is_named(tmp_path: Path) -> None:
    paths = write_set(tmp_path)
    paths[1].unlink()
    with pytest.raises(GgufError, match=r"00002-of-00003\.gguf: part 2 of 3 .* missing"):
        read_gguf(paths[0])


def test_parts_of_different_sets_are_told(tmp_path: Path) -> None:
    paths = write_set(tmp_path)
    write_set(tmp_path, count=2)[1].rename(paths[1])
    with pytest.raises(GgufError, match=r"00002-of-00003\.gguf: split\.no"):
        read_gguf(paths[0])


def test_renamed_part_is_told(tmp_path: Path) -> None:
    path = write_set(tmp_path)[0].rename(tmp_path / "model.gguf")
    with pytest.raises(GgufError, match="split set"):
        read_gguf(path)


@pytest.mark.parametrize("name", ["m-00000-of-00003.gguf", "m-00004-of-00003.gguf", "m-00001-of-99999.gguf"])
def test_impossible_part_numbers_are_told(name: str) -> None:
    with pytest.raises(GgufError):
        part_names(name)


VALID = header({**METADATA, "tokenizer.ggml.tokens": ["a", "b"], "tokenizer.ggml.scores": [1.0, 2.0]}, TENSORS)


@settings(max_examples=400, deadline=1000)
@given(st.data())
def test_damaged_headers_end_in_a_word_or_an_answer(data: st.DataObject) -> None:
    raw = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(
            st.sampled_from([b"\xff" * 8, bytes(8), b"\x80", struct.pack("<Q", 1 << 63)]) | st.binary(max_size=8)
        )
        raw[at : at + data.draw(st.integers(0, 8))] = piece
        raw = raw or bytearray(b"G")
    try:
        read = parse(bytes(raw))
    except GgufError as error:
        message = str(error)
    else:
        message = ""
        assert read.file_bytes >= read.tensor_bytes >= 0
    assert message.isprintable()


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.booleans()
        | st.integers(-(1 << 63), (1 << 63) - 1)
        | st.text(max_size=30)
        | st.lists(st.integers(0, 1 << 31), max_size=5)
        | st.lists(st.text(max_size=5), min_size=1, max_size=5),
        max_size=6,
    ),
    st.lists(st.tuples(st.sampled_from(sorted(TYPES)), st.integers(1, 4), st.integers(1, 9)), max_size=6),
)
def test_round_trip(metadata: dict[str, object], shapes: list[tuple[str, int, int]]) -> None:
    metadata.pop("general.alignment", None)
    tensors = [(f"t{n}", (TYPES[i].block_elements * a, b), TYPES[i].id) for n, (i, a, b) in enumerate(shapes)]
    read = parse(header(metadata, tensors))
    kept = {key: value for key, value in read.metadata.items() if not isinstance(value, Skipped)}
    for key, value in metadata.items():
        if key in kept:
            assert kept[key] == (tuple(value) if isinstance(value, list) else value)
    assert set(read.metadata) == set(metadata)
    assert [(t.name, t.ne, t.type_id) for t in read.tensors] == tensors
