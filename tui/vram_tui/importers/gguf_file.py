"""Read the header of a GGUF file (v2, v3): key-values and tensor infos, never the tensors."""

import math
import struct
from collections.abc import Sequence

from vram_tui.estimator.formats import TYPES_BY_ID, GgmlType
from vram_tui.estimator.records import record
from vram_tui.importers.source import ReadError, Source

MAX_HEADER_BYTES = 256 << 20
MAX_KEY_VALUES = 16_384
MAX_TENSORS = 32_768
MAX_NAME_BYTES = 256
MAX_STRINGS = 2_000_000  # in all arrays together; the largest vocabularies with merges hold 0.8 million
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 1 << 20
KEPT_ITEMS = 4_096  # longer arrays, and all of tokenizer.*, keep their length alone
KEPT_TEXT_BYTES = 1 << 20
KEPT_BYTES = 8 << 20  # of all values together; what lies beyond is Skipped
_WINDOW_BYTES = 1 << 20

_STRING, _ARRAY, _BOOL = 8, 9, 7
_U32, _U64, _HEAD = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<4sI")
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
KINDS = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"),
    *("bool", "string", "array", "uint64", "int64", "float64"),
)
# Ids that once had a meaning (ggml/include/ggml.h); llama.cpp refuses such files too.
REMOVED = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}
BROKEN = "the file is truncated or damaged: fetch it again"


class GgufError(ReadError):
    """A GGUF file that cannot be used."""


@record
class Skipped:
    """A value that was passed over: an array of ``count`` × ``kind``, or a ``text`` of ``count`` bytes."""

    kind: str
    count: int

    def __len__(self) -> int:
        return self.count


Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...] | Skipped


@record
class TensorInfo:
    """A tensor's place: ``ne`` is ggml's order (ne[0] is the row), ``offset`` counts from its part's data."""

    name: str
    ne: tuple[int, ...]
    type_id: int
    offset: int
    part: int = 0

    @property
    def kind(self) -> GgmlType:
        return TYPES_BY_ID[self.type_id]

    @property
    def elements(self) -> int:
        return math.prod(self.ne)

    @property
    def bytes(self) -> int:
        """Exact bytes, without padding: whole blocks of the type."""
        return self.elements // self.kind.block_elements * self.kind.block_bytes


@record
class GgufFile:
    """The header of one GGUF file, or of a whole split set."""

    name: str
    version: int
    alignment: int
    metadata: dict[str, Value]
    tensors: tuple[TensorInfo, ...]
    header_bytes: int
    """Bytes before the tensors' data, padding included, over all parts."""
    size_bytes: int
    """What lies on the disk, over all parts."""
    parts: tuple[str, ...]

    @property
    def file_bytes(self) -> int:
        """Bytes of all tensors, each padded to the alignment: the data section without the header."""
        return sum(_padded(tensor.bytes, self.alignment) for tensor in self.tensors)

    @property
    def tensor_bytes(self) -> int:
        """Bytes of all tensors without padding."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def vocabulary(self) -> int | None:
        """Number of entries of ``tokenizer.ggml.tokens``; None where the file holds no tokenizer."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        return len(tokens) if isinstance(tokens, Skipped) else None


def _padded(length: int, alignment: int) -> int:
    return -(-length // alignment) * alignment


class _Cursor:
    """Reads forward through a source by windows, and never past the header's limit."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._end = min(source.size, MAX_HEADER_BYTES)
        self._window = b""
        self._start = 0
        self.position = 0
        self._strings_left = MAX_STRINGS
        self._kept_left = KEPT_BYTES

    @property
    def left(self) -> int:
        return self._end - self.position

    def fail(self, where: str, problem: str, mend: str = BROKEN) -> GgufError:
        return GgufError(self._source.name, f"byte {self.position}, {where}", problem, mend)

    def check(self, length: int, where: str) -> None:
        if length <= self.left:
            return
        if self._source.size > self._end:
            raise self.fail(where, f"header goes on beyond {MAX_HEADER_BYTES >> 20} MiB", "this is no usable header")
        raise self.fail(where, f"needs {length} bytes but the file ends after {max(self.left, 0)}")

    def _index(self, length: int, where: str) -> int:
        """Make ``length`` bytes from here available in the window; return where they start in it."""
        index = self.position - self._start
        if index < 0 or index + length > len(self._window):
            self.check(length, where)
            self._start = self.position
            self._window = self._source.read(self.position, min(max(length, _WINDOW_BYTES), self.left))
            if len(self._window) < length:
                raise self.fail(where, "the file ended while it was read")
            return 0
        return index

    def take(self, length: int, where: str) -> bytes:
        index = self._index(length, where)
        self.position += length
        return self._window[index : index + length]

    def skip(self, length: int, where: str) -> None:
        self.check(length, where)
        self.position += length

    def u32(self, where: str) -> int:
        return int(_U32.unpack(self.take(4, where))[0])

    def u64(self, where: str) -> int:
        return int(_U64.unpack(self.take(8, where))[0])

    def text(self, limit: int, where: str) -> str:
        length = self.u64(where)
        if length > limit:
            raise self.fail(where, f"a name of {length} bytes (at most {limit})")
        return self.take(length, where).decode("utf-8", "replace")

    def keep(self, cost: int) -> bool:
        """Whether a value of that many bytes may still be held in memory."""
        if cost > self._kept_left:
            return False
        self._kept_left -= cost
        return True

    def count_strings(self, count: int, where: str) -> None:
        self.check(8 * count, where)
        if count > self._strings_left:
            raise self.fail(where, f"more than {MAX_STRINGS} strings in arrays", "this is no usable header")
        self._strings_left -= count

    def skip_strings(self, count: int, where: str) -> None:
        unpack = _U64.unpack_from
        index, window = self.position - self._start, self._window
        for _ in range(count):
            if index + 8 > len(window):
                self.position = self._start + index
                index, window = self._index(8, where), self._window
            index += 8 + unpack(window, index)[0]
        self.position = self._start + index
        self.check(0, where)


def _numbers(cursor: _Cursor, kind: int, count: int, where: str) -> tuple[Scalar, ...]:
    code = SCALARS[kind]
    values = struct.unpack(f"<{count}{code}", cursor.take(count * struct.calcsize(code), where))
    return tuple(map(bool, values)) if kind == _BOOL else values


def _string(cursor: _Cursor, where: str) -> str | Skipped:
    length = cursor.u64(where)
    if length > KEPT_TEXT_BYTES or not cursor.keep(length):
        cursor.skip(length, where)
        return Skipped("text", length)
    return cursor.take(length, where).decode("utf-8", "replace")


def _array(cursor: _Cursor, key: str, where: str) -> Value:
    kind, count = cursor.u32(where), cursor.u64(where)
    if kind == _ARRAY:
        raise cursor.fail(where, "an array of arrays", "no reader takes that: write the file again")
    kept = count <= KEPT_ITEMS and not key.startswith("tokenizer.") and cursor.keep(40 * count)
    if kind == _STRING:
        cursor.count_strings(count, where)
        if not kept:
            cursor.skip_strings(count, where)
            return Skipped("string", count)
        texts = [_string(cursor, where) for _ in range(count)]
        return tuple(text if isinstance(text, str) else "" for text in texts)
    if kind not in SCALARS:
        raise cursor.fail(where, f"unknown type {kind} of an array")
    length = count * struct.calcsize(SCALARS[kind])
    cursor.check(length, where)
    if kept:
        return _numbers(cursor, kind, count, where)
    cursor.skip(length, where)
    return Skipped(KINDS[kind], count)


def _metadata(cursor: _Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for number in range(1, count + 1):
        key = cursor.text(MAX_NAME_BYTES, f"key {number} of {count}")
        where = f"value of {key}"
        if key in metadata:
            raise cursor.fail(where, "the key is there twice", "write the file again")
        kind = cursor.u32(where)
        if kind == _ARRAY:
            metadata[key] = _array(cursor, key, where)
        elif kind == _STRING:
            metadata[key] = _string(cursor, where)
        elif kind in SCALARS:
            metadata[key] = _numbers(cursor, kind, 1, where)[0]
        else:
            raise cursor.fail(where, f"unknown type {kind}")
    return metadata


def _check_type(cursor: _Cursor, where: str, type_id: int, ne: tuple[int, ...]) -> None:
    if type_id in REMOVED:
        mend = "quantize the model again with a current llama.cpp"
        raise cursor.fail(where, f"has the removed type {REMOVED[type_id]} (id {type_id})", mend)
    if type_id not in TYPES_BY_ID:
        raise cursor.fail(where, f"has the unknown type id {type_id}", "only a newer version or a fork knows it")
    kind = TYPES_BY_ID[type_id]
    row = ne[0] if ne else 1
    if row % kind.block_elements:
        raise cursor.fail(where, f"has rows of {row}, not a multiple of {kind.name}'s {kind.block_elements}")


def _tensors(cursor: _Cursor, count: int) -> list[TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for number in range(1, count + 1):
        where = f"tensor {number} of {count}"
        name = cursor.text(MAX_NAME_BYTES, where)
        where = f"tensor {name}"
        if name in tensors:
            raise cursor.fail(where, "the tensor is there twice", "write the file again")
        dimensions = cursor.u32(where)
        if dimensions > MAX_DIMENSIONS:
            raise cursor.fail(where, f"has {dimensions} dimensions (at most {MAX_DIMENSIONS})")
        *ne, type_id, offset = struct.unpack(f"<{dimensions}QIQ", cursor.take(8 * dimensions + 12, where))
        if not 0 < math.prod(ne) < 1 << 63:
            raise cursor.fail(where, f"has an impossible shape {'×'.join(map(str, ne))}")
        _check_type(cursor, where, type_id, tuple(ne))
        tensors[name] = TensorInfo(name, tuple(ne), type_id, offset)
    return list(tensors.values())


def _head(cursor: _Cursor, source: Source) -> int:
    if source.size == 0:
        raise GgufError(source.name, "", "is empty", "fetch the file again")
    magic, version = _HEAD.unpack(cursor.take(8, "magic"))
    if magic != b"GGUF":
        raise GgufError(source.name, "byte 0", f"no GGUF: it starts with {magic!r}", "name a .gguf file")
    where = "byte 4"
    if version and version & 0xFFFF == 0:
        raise GgufError(source.name, where, "is a big-endian GGUF", "use the little-endian file of the model")
    if version == 1:
        raise GgufError(source.name, where, "is GGUF version 1", "convert the model again: only 2 and 3 are read")
    if version not in (2, 3):
        raise GgufError(source.name, where, f"is GGUF version {version}", "only 2 and 3 are read")
    return int(version)


def _check_data(source: Source, header_bytes: int, alignment: int, tensors: Sequence[TensorInfo]) -> None:
    """Offsets must follow one another as llama.cpp demands; the data is whole, or left out altogether."""
    expected = end = 0
    for tensor in tensors:
        if tensor.offset != expected:
            problem = f"starts at {tensor.offset} of the data, not at {expected}"
            raise GgufError(source.name, f"tensor {tensor.name}", problem, "write the file again")
        end = expected + tensor.bytes
        expected = _padded(end, alignment)
    present = source.size - header_bytes
    if 0 < present < end:
        problem = f"{end - present} of {end} bytes of tensors are missing"
        raise GgufError(source.name, f"byte {source.size}", problem, "finish the download")


def parse_gguf(source: Source) -> GgufFile:
    """Return the header of one GGUF file; GgufError where it is damaged, hostile or not one.

    A file that ends with its header (no tensor data at all) is taken; one whose data breaks off is not.
    """
    cursor = _Cursor(source)
    version = _head(cursor, source)
    counts = {"tensors": (cursor.u64("tensor count"), MAX_TENSORS, 24)}
    counts["key-values"] = (cursor.u64("key-value count"), MAX_KEY_VALUES, 13)
    for what, (count, limit, least_bytes) in counts.items():
        if count > limit or count * least_bytes > cursor.left:
            raise cursor.fail(f"count of {what}", f"claims {count} {what} (at most {limit}, and what the file holds)")
    metadata = _metadata(cursor, counts["key-values"][0])
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise GgufError(source.name, "general.alignment", f"is {alignment!r}, not a power of two", BROKEN)
    tensors = _tensors(cursor, counts["tensors"][0])
    header_bytes = _padded(cursor.position, alignment)
    _check_data(source, header_bytes, alignment, tensors)
    return GgufFile(
        source.name, version, alignment, metadata, tuple(tensors), header_bytes, source.size, (source.name,)
    )
