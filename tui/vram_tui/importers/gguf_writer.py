"""Write a GGUF header without its tensors: for tests, and to put a described model before llama.cpp."""

import os
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from vram_tui.estimator.formats import TYPES_BY_ID
from vram_tui.importers.gguf_file import KINDS, SCALARS, Skipped, TensorInfo

_U64 = struct.Struct("<Q")


def _text(text: str) -> bytes:
    raw = text.encode()
    return _U64.pack(len(raw)) + raw


def _kind(value: object) -> int:
    """The GGUF type a converter would choose for a Python value."""
    match value:
        case bool():
            return KINDS.index("bool")
        case int():
            if value < 0:
                return KINDS.index("int32" if value >= -(1 << 31) else "int64")
            return KINDS.index("uint32" if value < 1 << 32 else "uint64")
        case float():
            return KINDS.index("float32")
        case str():
            return KINDS.index("string")
        case list() | tuple() | Skipped():
            return KINDS.index("array")
    raise TypeError(f"GGUF cannot hold a {type(value).__name__}")


def _items(items: list[Any] | tuple[Any, ...]) -> bytes:
    kinds = {_kind(item) for item in items} or {KINDS.index("uint32")}
    if kinds <= {KINDS.index(name) for name in ("uint32", "int32", "uint64", "int64")}:
        wide = any(not -(1 << 31) <= item < 1 << 31 for item in items)
        kinds = {KINDS.index("int64" if wide else "int32")} if len(kinds) > 1 else kinds
    if len(kinds) > 1:
        raise TypeError("a GGUF array holds values of one type")
    kind = kinds.pop()
    head = struct.pack("<IQ", kind, len(items))
    return head + b"".join(_scalar(kind, item) for item in items)


def _scalar(kind: int, value: Any) -> bytes:
    return _text(value) if kind == KINDS.index("string") else struct.pack(f"<{SCALARS[kind]}", value)


def _value(value: object) -> bytes:
    kind = _kind(value)
    head = struct.pack("<I", kind)
    if isinstance(value, Skipped):
        unit = 8 if value.kind == "string" else struct.calcsize(SCALARS[KINDS.index(value.kind)])
        return head + struct.pack("<IQ", KINDS.index(value.kind), value.count) + bytes(unit * value.count)
    if isinstance(value, list | tuple):
        return head + _items(value)
    return head + _scalar(kind, value)


def lay_out(tensors: Iterable[tuple[str, tuple[int, ...], int]], alignment: int = 32) -> tuple[TensorInfo, ...]:
    """Give each (name, ne, type_id) its offset, in order, each padded to ``alignment``."""
    placed, offset = [], 0
    for name, ne, type_id in tensors:
        tensor = TensorInfo(name, tuple(ne), type_id, offset)
        if tensor.elements % TYPES_BY_ID[type_id].block_elements:
            raise ValueError(f"{name}: {ne} is no whole number of {TYPES_BY_ID[type_id].name} blocks")
        placed.append(tensor)
        offset += -(-tensor.bytes // alignment) * alignment
    return tuple(placed)


def header(
    metadata: Mapping[str, object],
    tensors: Iterable[tuple[str, tuple[int, ...], int]] = (),
    version: int = 3,
) -> bytes:
    """Return a GGUF header, padded to where the tensors' data would start.

    ``metadata``: bool, int, float, str, flat lists of them, or ``Skipped(kind, count)`` for an
    array of that many zeros or empty strings (a vocabulary whose words do not matter).
    """
    alignment = metadata.get("general.alignment", 32)
    assert isinstance(alignment, int)
    placed = lay_out(tensors, alignment)
    parts = [struct.pack("<4sIQQ", b"GGUF", version, len(placed), len(metadata))]
    parts += [_text(key) + _value(value) for key, value in metadata.items()]
    for tensor in placed:
        count = len(tensor.ne)
        parts.append(
            _text(tensor.name) + struct.pack(f"<I{count}QIQ", count, *tensor.ne, tensor.type_id, tensor.offset)
        )
    raw = b"".join(parts)
    return raw + bytes(-len(raw) % alignment)


def write_header(
    metadata: Mapping[str, object],
    tensors: Iterable[tuple[str, tuple[int, ...], int]],
    path: str | os.PathLike[str],
    *,
    extend: bool = False,
    version: int = 3,
) -> int:
    """Write a header-only GGUF to ``path`` and return the size in bytes.

    With ``extend`` the file is lengthened, as a hole, to the size the whole model would have: all
    offsets are then valid and a runtime can map it.
    """
    tensors = tuple(tensors)
    raw = header(metadata, tensors, version)
    size = len(raw)
    with open(path, "wb") as file:
        file.write(raw)
        if extend and tensors:
            alignment = metadata.get("general.alignment", 32)
            assert isinstance(alignment, int)
            last = lay_out(tensors, alignment)[-1]
            size += -(-(last.offset + last.bytes) // alignment) * alignment
            file.truncate(size)
    return size
