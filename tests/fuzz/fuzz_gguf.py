"""Fuzz the file readers: ``python -m tests.fuzz.fuzz_gguf --seconds 60 --seed 1``.

Valid GGUF, safetensors and config.json texts are damaged at random. Each must be read, or refused by
a ReadError of one printable line, in under three seconds; memory may not grow by 100 MB. Whole headers and
configurations become entries, and what was read is estimated: a figure, or a refusal in words. A fault prints
target, seed and case, and ``--target NAME --case N`` repeats it alone.
"""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import tomli

from tests.fuzz.damage import HOSTILE, bytes_damaged, tree_damaged
from tests.fuzz.engine import FuzzError, Target, main
from vram_tui.catalog import load_catalog
from vram_tui.catalog.entries import read_entry
from vram_tui.catalog.writing import user_entry_text
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.formats import TYPES
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.importers.found import Found
from vram_tui.importers.gguf_file import GgufFile, parse_gguf
from vram_tui.importers.gguf_import import from_gguf
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import header
from vram_tui.importers.hf_import import from_config
from vram_tui.importers.json_config import parse_object
from vram_tui.importers.safetensors_file import parse_safetensors, shard_names
from vram_tui.importers.source import BytesSource, ReadError

TODAY = date(2026, 11, 25)
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


@cache
def facts() -> Facts:
    return load_catalog(user=False).facts


def refused_in_words(error: Exception) -> bool:
    """False, for a refusal of one printable line; everything else breaks the promise."""
    if not str(error) or not str(error).isprintable():
        raise FuzzError(f"{type(error).__name__}: {str(error)!r} is not one printable line") from error
    return False


def damaged(valid: bytes, read: Callable[[bytes], object]) -> Target:
    """A reader of bytes that raises ReadError alone."""

    def run(chance: random.Random) -> bool:
        try:
            read(bytes_damaged(valid, chance))
        except ReadError as error:
            return refused_in_words(error)
        return True

    return run


def estimated(subject: Subject, chance: random.Random) -> None:
    """Whatever was read has figures that are whole and not negative, or is refused in words."""
    quant = chance.choice(("Q4_K_M", "Q8_0", "F16", "bpw:3.7"))
    try:
        memory = compile_memory(subject, quant, Scenario(), facts())
        totals = [memory.at(ctx) for ctx in (1, 4096, 1 << 20)]
    except Refusal as error:
        refused_in_words(error)
        return
    if any(not isinstance(total, int) or total < 0 for total in totals):
        raise FuzzError(f"figures {totals}")


@cache
def configurations() -> tuple[dict[str, Any], ...]:
    """Published configurations, one of each kind of model."""
    import lzma
    from pathlib import Path

    folder = Path(__file__).parents[1] / "catalog"
    kinds: dict[str, dict[str, Any]] = {}
    with lzma.open(folder / "configs.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            found = json.loads(line)
            found = found.get("config", found)
            kinds.setdefault(str(found.get("model_type")), found)
    return tuple(kinds.values())


def taken_in(found: Found, chance: random.Random) -> bool:
    """The entry of what was read comes back from its own text, and its figures hold."""
    text = user_entry_text(found.entry)
    if not text.replace("\n", "").isprintable():
        raise FuzzError("the entry's text holds what does not print")
    again = read_entry(found.entry.id, tomli.loads(text))
    if again.model != found.entry.model:
        raise FuzzError("the model does not come back from the entry's text")
    if chance.random() < 0.25:  # which costs as much as all the rest
        estimated(found.subject, chance)
    return True


def import_config(chance: random.Random) -> bool:
    """A published config.json with wounds."""
    data = json.dumps(tree_damaged(chance.choice(configurations()), chance)).encode()
    try:
        found = from_config(
            parse_object(data, "config.json"),
            facts(),
            today=TODAY,
            origin="/m/config.json",
            name=chance.choice(HOSTILE),
        )
    except ReadError as error:
        return refused_in_words(error)
    return taken_in(found, chance)


@cache
def gguf_files() -> tuple[GgufFile, ...]:
    """Headers with tensor lists of files that llama.cpp loaded, one of each architecture."""
    from tests.importers.headers import MODELS, metadata, model_of

    files: dict[str, GgufFile] = {}
    for row in MODELS.values():
        architecture = row["gguf"]["general.architecture"]
        if architecture not in files:
            tensors = typed_file_tensors(model_of(row), "Q4_K_M", facts())
            data = header(metadata(row, "Q4_K_M"), tensors)
            files[architecture] = parse_gguf(BytesSource(data, "model.gguf"))
    return tuple(files.values())


def import_gguf(chance: random.Random) -> bool:
    """A real header with wounds in its key-values, and sometimes in its tensor list."""
    file = chance.choice(gguf_files())
    values = tree_damaged(dict(file.metadata), chance)
    tensors = list(file.tensors)
    for _ in range(chance.choice((0, 0, 1, 3))):
        del tensors[chance.randrange(len(tensors))]
    wounded = replace(file, metadata=values, tensors=tuple(tensors if chance.random() < 0.8 else ()))
    try:
        found = from_gguf(wounded, facts(), today=TODAY, label=chance.choice(HOSTILE))
    except ReadError as error:
        return refused_in_words(error)
    return taken_in(found, chance)


TARGETS: dict[str, Target] = {
    "gguf": damaged(header(_METADATA, _TENSORS), lambda data: parse_gguf(BytesSource(data, "f.gguf"))),
    "gguf-v2": damaged(header(_METADATA, _TENSORS, 2), lambda data: parse_gguf(BytesSource(data, "f.gguf"))),
    "safetensors": damaged(
        struct.pack("<Q", len(_STORED_TEXT)) + _STORED_TEXT + bytes(35),
        lambda data: parse_safetensors(BytesSource(data, "f.safetensors")),
    ),
    "index": damaged(json.dumps(_INDEX).encode(), lambda data: shard_names(data, "f.index.json")),
    "config": damaged(json.dumps(_CONFIG, indent=1).encode(), lambda data: parse_object(data, "config.json")),
    "import-config": import_config,
    "import-gguf": import_gguf,
}


if __name__ == "__main__":
    raise SystemExit(main(TARGETS, __doc__))
