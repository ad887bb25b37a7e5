"""Split GGUF sets: the names of their parts, and all parts as one file."""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from vram_tui.importers.gguf_file import BROKEN, MAX_TENSORS, GgufError, GgufFile, TensorInfo, parse_gguf
from vram_tui.importers.source import FileSource, Source

MAX_PARTS = 1_000
_PART = re.compile(r"-(\d{5})-of-(\d{5})(\.gguf)$", re.IGNORECASE)


def part_names(name: str) -> tuple[str, ...]:
    """Return the names of all parts of the split set that ``name`` belongs to, or ``name`` alone."""
    found = _PART.search(name)
    if found is None:
        return (name,)
    number, total = int(found[1]), int(found[2])
    if not 1 <= number <= total <= MAX_PARTS:
        raise GgufError(name, "", f"is part {number} of {total}", f"sets of 1 to {MAX_PARTS} parts are read")
    stem = name[: found.start()]
    return tuple(f"{stem}-{part:05}-of-{total:05}{found[3]}" for part in range(1, total + 1))


def _check_part(part: GgufFile, number: int, total: int) -> None:
    said = part.metadata.get("split.no"), part.metadata.get("split.count")
    if said not in ((number, total), (None, None)):
        problem = f"says it is part {said[0]} (from 0) of {said[1]}"
        raise GgufError(part.name, "split.no", problem, f"it should be {number} of {total}: fetch the set again")


def join_parts(parts: Sequence[GgufFile]) -> GgufFile:
    """Return a split set as one file: the first part's metadata, all tensors, sums of bytes."""
    if len(parts) == 1:
        if parts[0].metadata.get("split.count") not in (None, 0, 1):
            mend = "give it its name …-00001-of-0000N.gguf, beside its siblings"
            raise GgufError(parts[0].name, "split.count", "is one part of a split set", mend)
        return parts[0]
    tensors: dict[str, TensorInfo] = {}
    for number, part in enumerate(parts):
        _check_part(part, number, len(parts))
        if part.alignment != parts[0].alignment:
            raise GgufError(part.name, "general.alignment", "differs from the first part's", BROKEN)
        for tensor in part.tensors:
            if tensor.name in tensors:
                raise GgufError(part.name, f"tensor {tensor.name}", "is in an earlier part too", BROKEN)
            tensors[tensor.name] = replace(tensor, part=number)
        if len(tensors) > MAX_TENSORS:
            raise GgufError(part.name, "", f"the set has more than {MAX_TENSORS} tensors", "this is no usable set")
    wanted = parts[0].metadata.get("split.tensors.count", len(tensors))
    if wanted != len(tensors):
        problem = f"the set should have {wanted} tensors but has {len(tensors)}"
        raise GgufError(parts[0].name, "split.tensors.count", problem, "fetch the set again")
    return replace(
        parts[0],
        tensors=tuple(tensors.values()),
        header_bytes=sum(part.header_bytes for part in parts),
        size_bytes=sum(part.size_bytes for part in parts),
        parts=tuple(part.name for part in parts),
    )


def read_gguf_set(name: str, open_part: Callable[[str], Source]) -> GgufFile:
    """Read ``name`` and, where it is one part of a split set, all its siblings through ``open_part``."""
    return join_parts([parse_gguf(open_part(part)) for part in part_names(name)])


def read_gguf(path: str | os.PathLike[str]) -> GgufFile:
    """Read a local GGUF file, or the whole split set of which ``path`` is any part."""
    folder, names = Path(path).parent, part_names(Path(path).name)
    for number, name in enumerate(names, 1):
        if len(names) > 1 and not (folder / name).exists():
            problem = f"part {number} of {len(names)} of the split set is missing"
            raise GgufError(str(folder / name), "", problem, "put it beside the others")
    with ExitStack() as stack:
        return read_gguf_set(Path(path).name, lambda name: stack.enter_context(FileSource(folder / name)))
