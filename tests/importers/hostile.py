"""Build files that attack a reader, and read one of them under limits: ``python hostile.py PATH``."""

import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

MEMORY_BYTES = 100 << 20


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(tensors: int, keys: int, rest: bytes = b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, tensors, keys) + rest


def array(kind: int, count: int) -> bytes:
    return gguf(0, 1, text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, kind, count))


def nested(depth: int) -> bytes:
    return gguf(0, 1, text(b"k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * depth)


def safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def tensors_at_the_limit() -> bytes:
    """32,768 tensors with the longest names, of characters that need four bytes each; the last one is bad."""
    names = [("🦙" + str(number).rjust(252, "x")).encode() for number in range(32_768)]
    rows = [text(name) + struct.pack("<IQIQ", 1, 1, 24, 32 * number) for number, name in enumerate(names)]
    return gguf(32_768, 0, b"".join(rows[:-1]) + text(names[-1]) + struct.pack("<IQIQ", 1, 1, 99, 0))


def keys_at_the_limit() -> bytes:
    """16,384 keys with arrays of 4,096 numbers; the last one is bad."""
    values = struct.pack("<IIQ", 9, 0, 4096) + bytes(4096)
    rows = [text(str(number).rjust(256, "k").encode()) + values for number in range(16_383)]
    return gguf(0, 16_384, b"".join(rows) + text(b"last") + struct.pack("<I", 77))


FILES: dict[str, Callable[[], bytes]] = {
    "empty.gguf": lambda: b"",
    "magic.gguf": lambda: b"NOPE" * 100,
    "random.gguf": lambda: b"GGUF\x03\0\0\0" + bytes(range(256)) * 4000,
    "tensor-count.gguf": lambda: gguf(1 << 63, 0),
    "key-count.gguf": lambda: gguf(0, 1 << 63),
    "key-4gib.gguf": lambda: gguf(0, 1, struct.pack("<Q", 1 << 32) + bytes(100)),
    "value-4gib.gguf": lambda: gguf(0, 1, text(b"k") + struct.pack("<IQ", 8, 1 << 32) + bytes(100)),
    "strings-2-63.gguf": lambda: array(8, 1 << 63),
    "numbers-2-63.gguf": lambda: array(12, 1 << 63),
    "strings-many.gguf": lambda: array(8, 2_000_000) + bytes(8 * 2_000_000 - 1),
    "strings-too-many.gguf": lambda: array(8, 6_000_000) + bytes(8 * 6_000_000),
    "recursive-array.gguf": lambda: nested(1_000_000),
    "tensors-at-the-limit.gguf": tensors_at_the_limit,
    "keys-at-the-limit.gguf": keys_at_the_limit,
    "empty.safetensors": lambda: b"",
    "length-2-63.safetensors": lambda: struct.pack("<Q", 1 << 63) + b"{}",
    "length-beyond.safetensors": lambda: struct.pack("<Q", 90_000_000) + b"{" + bytes(1000),
    "large-header.safetensors": lambda: safetensors(b"{" + b" " * 90_000_000 + b"}"),
    "lists.safetensors": lambda: safetensors(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"),
    "lists-at-the-limit.safetensors": lambda: safetensors(b'{"a":[' + b"[]," * 499_000 + b"[]]}"),
    "wide-text.safetensors": lambda: safetensors(b'{"a":"' + "🦙".encode() + b"x" * (15 << 20) + b'"}'),
    "deep.safetensors": lambda: safetensors(b'{"a":' * 100_000),
    "same-key.safetensors": lambda: safetensors(b"{" + b'"a":1,' * 400_000 + b'"a":1}'),
    "index.safetensors.index.json": lambda: b'{"weight_map":{' + b'"a":"../x.safetensors",' * 1_000_000 + b"}}",
    "empty/config.json": lambda: b"",
    "deep/config.json": lambda: b"[" * 390_000,
    "large/config.json": lambda: b'{"a":' + b"1" * 50_000_000 + b"}",
    "digits/config.json": lambda: b'{"a":' + b"1" * 4_000_000 + b"}",
    "lists/config.json": lambda: b"[" + b"[]," * 190_000 + b"[]]",
    "truncated/config.json": lambda: json.dumps({"a": ["text"] * 10_000}).encode()[:-9],
}


def read(path: Path) -> None:
    """Read ``path`` with the reader for its name."""
    from vram_tui.importers.gguf_parts import read_gguf
    from vram_tui.importers.json_config import read_config
    from vram_tui.importers.safetensors_file import read_safetensors

    if path.name == "config.json":
        read_config(path)
    elif path.suffix == ".gguf":
        read_gguf(path)
    else:
        read_safetensors(path)


def main() -> None:
    """Print the error's message on stdout, and the seconds of processor and of clock on stderr."""
    from vram_tui.importers import gguf_file, json_config, safetensors_file
    from vram_tui.importers.source import ReadError

    assert gguf_file
    assert json_config
    assert safetensors_file
    if sys.platform == "linux":
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    clocks = time.process_time(), time.monotonic()
    try:
        read(Path(sys.argv[1]))
    except ReadError as error:
        print(error)
    print(time.process_time() - clocks[0], time.monotonic() - clocks[1], file=sys.stderr)


if __name__ == "__main__":
    main()
