"""Read the headers of safetensors files and sharded sets: every tensor's dtype, shape and exact bytes."""

import math
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vram_tui.estimator.records import record
from vram_tui.importers.json_config import ConfigError, parse_object
from vram_tui.importers.source import FileSource, ReadError, Source, read_whole

INDEX_NAME = "model.safetensors.index.json"
# The format allows 100 MB of header; a file of 65,536 tensors needs about ten. More than this
# cannot be unfolded in the memory that a look at a file may take.
MAX_HEADER_BYTES = 16 << 20
MAX_FORMAT_HEADER_BYTES = 100_000_000
MAX_MARKS = 1_000_000
MAX_TENSORS = 65_536
MAX_SET_TENSORS = 524_288
MAX_SHARDS = 1_000
MAX_INDEX_BYTES = 32 << 20
_BROKEN = "the file is truncated or damaged: fetch it again"

# Bits of one element; source: the Dtype enum of the safetensors crate.
DTYPE_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}


class SafetensorsError(ReadError):
    """A safetensors file or set that cannot be used."""


@record
class StoredTensor:
    """One tensor as stored; ``bytes`` is what its data takes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@record
class SafetensorsFile:
    """The headers of one safetensors file, or of all shards of a set."""

    name: str
    metadata: dict[str, str]
    tensors: tuple[StoredTensor, ...]
    header_bytes: int
    size_bytes: int
    parts: tuple[str, ...]

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors: the format has no padding between them."""
        return sum(tensor.bytes for tensor in self.tensors)

    def bytes_by_dtype(self) -> dict[str, int]:
        """Bytes of the tensors of each dtype, largest first."""
        totals: Counter[str] = Counter()
        for tensor in self.tensors:
            totals[tensor.dtype] += tensor.bytes
        return dict(totals.most_common())

    def elements_by_dtype(self) -> dict[str, int]:
        """Elements of the tensors of each dtype, largest first (packed formats count their words)."""
        totals: Counter[str] = Counter()
        for tensor in self.tensors:
            totals[tensor.dtype] += tensor.elements
        return dict(totals.most_common())


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _tensor(source: Source, name: str, entry: Any) -> tuple[int, StoredTensor]:
    """Check one entry of the header; return where its data starts, and the tensor."""
    where = f"tensor {name}"
    if not isinstance(entry, dict):
        raise SafetensorsError(source.name, where, "is not described by an object", _BROKEN)
    dtype, shape, offsets = (entry.get(field) for field in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or not isinstance(shape, list) or not all(map(_whole, shape)):
        raise SafetensorsError(source.name, where, "lacks a dtype or a shape", _BROKEN)
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(map(_whole, offsets)) and offsets[0] <= offsets[1]):
        raise SafetensorsError(source.name, f"{where}, data_offsets", "are no two rising numbers", _BROKEN)
    tensor = StoredTensor(name, dtype, tuple(shape), offsets[1] - offsets[0])
    bits = DTYPE_BITS.get(dtype)
    if bits is not None and tensor.elements * bits != tensor.bytes * 8:
        problem = f"takes {tensor.bytes} bytes, but {dtype} of its shape takes {tensor.elements * bits / 8:g}"
        raise SafetensorsError(source.name, where, problem, _BROKEN)
    return offsets[0], tensor


def _header(source: Source) -> tuple[int, dict[str, Any]]:
    """Return the header's length and its JSON."""
    if source.size == 0:
        raise SafetensorsError(source.name, "", "is empty", "fetch the file again")
    if source.size < 10:
        raise SafetensorsError(source.name, "byte 0", "is too short for a header", _BROKEN)
    length = struct.unpack("<Q", source.read(0, 8))[0]
    if length > MAX_FORMAT_HEADER_BYTES or source.read(8, 1) != b"{":
        raise SafetensorsError(source.name, "byte 0", "no safetensors header", "name a .safetensors file")
    if length > source.size - 8:
        problem = f"a header of {length} bytes in a file of {source.size}"
        raise SafetensorsError(source.name, "byte 0", problem, _BROKEN)
    if length > MAX_HEADER_BYTES:
        problem = f"a header of {length} bytes (at most {MAX_HEADER_BYTES} are read)"
        raise SafetensorsError(source.name, "byte 0", problem, "split the model into shards")
    try:
        data = source.read(8, length)
        return length, parse_object(data, source.name, limit_bytes=MAX_HEADER_BYTES, limit_marks=MAX_MARKS)
    except ConfigError as error:
        raise SafetensorsError(source.name, f"header {error.where}".rstrip(), error.problem, _BROKEN) from None


def parse_safetensors(source: Source) -> SafetensorsFile:
    """Return the header of one file; SafetensorsError where it is damaged, hostile or not one.

    Known dtypes must agree with shape and bytes; of an unknown dtype the stored bytes are taken.
    A file that ends with its header is taken; one whose data breaks off is not.
    """
    length, entries = _header(source)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise SafetensorsError(source.name, "__metadata__", "is no table of texts", _BROKEN)
    if len(entries) > MAX_TENSORS:
        raise SafetensorsError(source.name, "header", f"more than {MAX_TENSORS} tensors", "split the model into shards")
    placed = [_tensor(source, name, entry) for name, entry in entries.items()]
    placed.sort(key=lambda pair: pair[0])
    end = 0
    for start, tensor in placed:
        if start != end:
            problem = f"starts at byte {start} of the data, not at {end}"
            raise SafetensorsError(source.name, f"tensor {tensor.name}, data_offsets", problem, _BROKEN)
        end += tensor.bytes
    present = source.size - 8 - length
    if present not in (0, end):
        problem = f"holds {present} bytes of tensors, its header says {end}"
        raise SafetensorsError(source.name, f"byte {source.size}", problem, _BROKEN)
    tensors = tuple(tensor for _, tensor in placed)
    return SafetensorsFile(source.name, metadata, tensors, 8 + length, source.size, (source.name,))


def shard_names(index: bytes, name: str) -> tuple[str, ...]:
    """Return the files that an index names, in order.

    The tensors are read from the shards' own headers, so only the distinct file names matter here:
    the index of a trillion-parameter model has 200,000 entries, not worth unfolding.
    """
    found = {match[1] for match in re.finditer(rb':\s*"([^"\\]{1,512}\.safetensors)"', index)}
    names = sorted(raw.decode("utf-8", "replace") for raw in found)
    if not names or len(names) > MAX_SHARDS:
        problem = f"names {len(names)} shards (1 to {MAX_SHARDS} are read)"
        raise SafetensorsError(name, "weight_map", problem, "fetch the index again")
    for shard in names:
        if "/" in shard or shard.startswith("."):
            problem = f"names the file {shard} outside its folder"
            raise SafetensorsError(name, "weight_map", problem, "fetch the index again")
    return tuple(names)


def join_shards(name: str, shards: Iterable[SafetensorsFile]) -> SafetensorsFile:
    """Return the shards of a set as one: all tensors, sums of bytes."""
    shards = tuple(shards)
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        for tensor in shard.tensors:
            if tensor.name in tensors:
                raise SafetensorsError(shard.name, f"tensor {tensor.name}", "is in an earlier shard too", _BROKEN)
            tensors[tensor.name] = tensor
        if len(tensors) > MAX_SET_TENSORS:
            problem = f"the set has more than {MAX_SET_TENSORS} tensors"
            raise SafetensorsError(name, "", problem, "this is no usable set")
    return SafetensorsFile(
        name,
        {key: value for shard in shards for key, value in shard.metadata.items()},
        tuple(tensors.values()),
        sum(shard.header_bytes for shard in shards),
        sum(shard.size_bytes for shard in shards),
        tuple(shard.name for shard in shards),
    )


def choose_files(names: Iterable[str], folder: str) -> str:
    """Of the file names in a folder return the one to read: the index, model.safetensors, or the only one."""
    weights = sorted(name for name in names if name.endswith((".safetensors", ".safetensors.index.json")))
    for wanted in (INDEX_NAME, "model.safetensors"):
        if wanted in weights:
            return wanted
    if len(weights) == 1:
        return weights[0]
    problem = f"holds {len(weights)} safetensors files and no {INDEX_NAME}"
    raise SafetensorsError(folder, "", problem, "name one of the files, or fetch the index")


def _read_file(path: Path) -> SafetensorsFile:
    with FileSource(path) as source:
        return parse_safetensors(source)


def read_safetensors(path: str | os.PathLike[str]) -> SafetensorsFile:
    """Read a .safetensors file, an index with its shards, or a folder that holds either."""
    path = Path(path)
    if path.is_dir():
        try:
            names = os.listdir(path)
        except OSError as error:
            raise SafetensorsError(str(path), "", f"cannot be listed ({error.strerror})", "check its rights") from None
        path /= choose_files(names, str(path))
    if not path.name.endswith(".index.json"):
        return _read_file(path)
    shards = shard_names(read_whole(path, MAX_INDEX_BYTES), str(path))
    for shard in shards:
        if not (path.parent / shard).exists():
            problem = f"one of {len(shards)} shards is missing"
            raise SafetensorsError(str(path.parent / shard), "", problem, "put it beside the others")
    return join_shards(str(path), (_read_file(path.parent / shard) for shard in shards))
