"""Fuzz the file readers: ``python -m tests.fuzz.fuzz_gguf --seconds 60 --seed 1``.

Valid GGUF, safetensors and config.json texts are damaged at random. Each must be read, or refused by
a ReadError of one printable line, in under a second; memory may not grow by 100 MB. A fault prints
the seed and the number of its case, and ``--case N`` repeats it alone.
"""

import argparse
import json
import random
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from vram_tui.estimator.formats import TYPES
from vram_tui.importers.gguf_file import parse_gguf
from vram_tui.importers.gguf_writer import header
from vram_tui.importers.json_config import parse_object
from vram_tui.importers.safetensors_file import parse_safetensors, shard_names
from vram_tui.importers.source import BytesSource, ReadError

MAX_CASE_SECONDS = 1.0
MAX_GROWTH_BYTES = 100 << 20

_METADATA: dict[str, object] = {
    "general.architecture": "llama",
    "general.alignment": 32,
    "general.name": "模型",
    "llama.block_count": 2,
    "llama.rope.freq_base": 1e6,
    "llama.attention.head_count_kv": [8, 4, 2],
    "general.tags": ["one", "two"],
    "tokenizer.ggml.tokens": ["a", "bc", "def"],
    "tokenizer.ggml.scores": [0.5, 1.5, 2.5],
    "tokenizer.ggml.add_bos_token": True,
}
_TENSORS = tuple(
    (f"blk.{n}.w", (256, n + 1), TYPES[name].id) for n, name in enumerate(("F32", "Q4_K", "MXFP4", "BF16"))
)
_STORED = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]},
    "b": {"dtype": "F8_E4M3", "shape": [3], "data_offsets": [32, 35]},
}
_STORED_TEXT = json.dumps(_STORED).encode()
_INDEX = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
_CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "rope_scaling": {"factor": 8.0, "list": [1, None, True]},
    "s": "\ud55c",
}

_Reader = Callable[[bytes], object]
TARGETS: dict[str, tuple[bytes, _Reader]] = {
    "gguf": (header(_METADATA, _TENSORS), lambda data: parse_gguf(BytesSource(data, "f.gguf"))),
    "gguf-v2": (header(_METADATA, _TENSORS, 2), lambda data: parse_gguf(BytesSource(data, "f.gguf"))),
    "safetensors": (
        struct.pack("<Q", len(_STORED_TEXT)) + _STORED_TEXT + bytes(35),
        lambda data: parse_safetensors(BytesSource(data, "f.safetensors")),
    ),
    "index": (json.dumps(_INDEX).encode(), lambda data: shard_names(data, "f.index.json")),
    "config": (json.dumps(_CONFIG, indent=1).encode(), lambda data: parse_object(data, "config.json")),
}
_NUMBERS = (
    0,
    1,
    7,
    8,
    9,
    31,
    255,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 40,
    1 << 61,
    1 << 63,
    (1 << 64) - 1,
)
_TOKENS = tuple(
    b'{ } [ ] " , : \\ NaN Infinity 1e999 \\ud800 \x00 \xff\xfe \xef\xbb\xbf \x1b[31m {"a":1,"a":2} null'.split()
)


class FuzzError(AssertionError):
    """A reader broke its promise."""


@dataclass(slots=True)
class Report:
    """What a run saw."""

    cases: int = 0
    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    growth_bytes: int = 0


def _damage(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(8):
        case 0:
            data[at : at + 8] = struct.pack("<Q", chance.choice(_NUMBERS))
        case 1:
            data[at : at + 4] = struct.pack("<I", chance.choice(_NUMBERS) & 0xFFFFFFFF)
        case 2:
            data[at : at + 1] = bytes([chance.randrange(256)])
        case 3:
            del data[at:]
        case 4:
            del data[at : at + chance.randrange(1, 20)]
        case 5:
            data[at:at] = data[at : at + chance.randrange(1, 60)] * chance.choice((1, 2, 50))
        case 6:
            data[at:at] = chance.choice(_TOKENS) * chance.choice((1, 1, 200))
        case _:
            data[at : at + 4] = chance.randbytes(chance.randrange(12))


def run_case(seed: int, case: int, report: Report) -> None:
    """Run one case; it depends on ``seed`` and ``case`` alone."""
    chance = random.Random(f"{seed}:{case}")
    name = chance.choice(tuple(TARGETS))
    valid, read = TARGETS[name]
    data = bytearray(valid)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        _damage(data, chance)
    begun = time.process_time()
    try:
        read(bytes(data))
        report.read += 1
    except ReadError as error:
        if not str(error).isprintable():
            raise FuzzError(f"{name}, seed {seed}, case {case}: {str(error)!r} is not printable") from None
        report.refused += 1
    except Exception as error:
        raise FuzzError(f"{name}, seed {seed}, case {case}: {error!r}") from error
    took = time.process_time() - begun
    report.slowest_s = max(report.slowest_s, took)
    if took > MAX_CASE_SECONDS:
        raise FuzzError(f"{name}, seed {seed}, case {case}: took {took:.2f} s")
    report.cases += 1


def _peak_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def fuzz(seconds: float, seed: int = 1) -> Report:
    """Run cases for ``seconds``; FuzzError at the first that breaks the promise."""
    report = Report()
    before, end = _peak_bytes(), time.monotonic() + seconds
    case = 0
    while time.monotonic() < end:
        run_case(seed, case, report)
        case += 1
    report.growth_bytes = _peak_bytes() - before
    if report.growth_bytes > MAX_GROWTH_BYTES:
        raise FuzzError(f"seed {seed}: memory grew by {report.growth_bytes >> 20} MiB")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="repeat this one case")
    options = parser.parse_args()
    try:
        if options.case is None:
            report = fuzz(options.seconds, options.seed)
        else:
            run_case(options.seed, options.case, report := Report())
    except FuzzError as fault:
        print(f"FAULT {fault}")
        return 1
    print(
        f"{report.cases} cases: {report.read} read, {report.refused} refused, "
        f"slowest {report.slowest_s * 1000:.1f} ms, memory +{report.growth_bytes >> 20} MiB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
