"""The compiled catalogue: one file that a start reads instead of hundreds of TOML files.

`python -m vram_tui.catalog.compiled [FILE]` builds it whole. Layout: magic, length and checksum of the header, the
header as JSON (list rows, offsets), then JSON bodies, then tables of weight bytes. Nothing in it is code.
"""

import json
import os
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import finalize

from vram_tui import __version__
from vram_tui.catalog.locate import PACKAGE, cache_dir, catalog_root
from vram_tui.catalog.summaries import Summary, from_row, summarize, to_row

if TYPE_CHECKING:
    from vram_tui.estimator.curves import Curve
    from vram_tui.estimator.facts import Facts
    from vram_tui.estimator.profile import Profile
    from vram_tui.estimator.traffic import Shape

MAGIC = b"vram-tui catalogue 6\n"
NAME = "compiled.bin"
_PREFIX = struct.Struct("<II")
_WEIGHTS = struct.Struct("<6Q")
_REFUSED = (1 << 64) - 1
KEPT_TABLES = 16
_KINDS = ("bodies", "folded", "weights", "curves")
"""Sections that every model may have: their places are one flat row of numbers each."""


class CompiledError(ValueError):
    """A compiled catalogue that cannot be used: damaged, or written by another version."""


class Row(NamedTuple):
    """Bytes of a model in a format: as Weights has them, and as Read has them."""

    file_bytes: int
    loaded_bytes: int
    device_bytes: int
    host_bytes: int
    always_bytes: int
    expert_bytes: int


class Compiled:
    """A compiled catalogue, open. Rows are read at once, everything else when asked, and little of it is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._table = lru_cache(maxsize=KEPT_TABLES)(self._read_table)
        self._last: tuple[str, list[Any]] = ("", [])
        self._reading = Lock()
        try:
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            finalize(self, os.close, self._file)
            self._header, self._start = _header(self._file)
            self.rows: tuple[Summary, ...] = tuple(map(from_row, self._header.pop("rows")))
            self._places = {kind: array("Q", self._header.pop(kind)) for kind in _KINDS}
            self.stamp: str = self._header["stamp"]
            self.code: str = self._header["code"]
            self._formats = {name: index for index, name in enumerate(self._header["formats"])}
            self._numbers = {row.id: index for index, row in enumerate(self.rows)}
        except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error) as error:
            raise CompiledError(f"{path}: {error}") from error

    def facts(self) -> "Facts":
        from vram_tui.catalog.facts_plain import facts_from_plain

        return facts_from_plain(self._read(self._header["facts"]))

    def hardware(self) -> dict[str, Any]:
        found: dict[str, Any] = self._read(self._header["hardware"])
        return found

    def entry_data(self, known: str) -> dict[str, Any]:
        found: dict[str, Any] = self._read(self._place("bodies", self._numbers[known]))
        return found

    def profile(self, known: str) -> "Profile":
        from vram_tui.estimator.profile import Profile

        return Profile.from_plain(self._folded(known)[0])

    def shape(self, known: str) -> "Shape":
        from vram_tui.estimator.traffic import Shape

        return Shape.from_plain(self._folded(known)[1])

    def _folded(self, known: str) -> list[Any]:
        """Profile and shape of a model, both asked for soon after each other."""
        if self._last[0] != known:
            self._last = (known, self._read(self._place("folded", self._numbers[known])))
        return self._last[1]

    def weights(self, known: str, quant: str, imatrix: bool) -> "Row | None":
        """Bytes in a format; None where the table has none: fold the blocks instead."""
        column = self._formats.get(quant)
        table = None if column is None else self._table(self._numbers[known])
        if table is None or column is None:
            return None
        found = _WEIGHTS.unpack_from(table, _WEIGHTS.size * (2 * column + imatrix))
        return None if found[0] == _REFUSED else Row(*found)

    def curves(self, known: str) -> "tuple[Curve, Curve] | None":
        """llama.cpp's compute buffers with default settings, device and host; None where they are not kept."""
        from vram_tui.estimator.curves import Curve

        place = self._place("curves", self._numbers[known])
        if not place[1]:
            return None
        device, host = (Curve(tuple(contexts), tuple(values)) for contexts, values in self._read(place))
        return device, host

    def listed(self, known: str) -> int | None:
        """Bytes in the default format and scenario at the list's context; None where they are not kept."""
        found: int | None = self._header["listed"][self._numbers[known]]
        return found

    def kept_weights(self, known: str, text: int) -> bytes | None:
        """The whole table of a model whose file has this checksum."""
        index = self._kept(known, text)
        return None if index is None else self._table(index)

    def kept_curves(self, known: str, text: int) -> bytes | None:
        """The curves, as they are written, of a model whose file has this checksum."""
        index = self._kept(known, text)
        place = (0, 0, 0) if index is None else self._place("curves", index)
        return self._slice(place) if place[1] else None

    def kept_listed(self, known: str, text: int) -> int | None:
        """What the list says of a model whose file has this checksum."""
        index = self._kept(known, text)
        return None if index is None else self._header["listed"][index]

    def _kept(self, known: str, text: int) -> int | None:
        index = self._numbers.get(known)
        return None if index is None or self._header["texts"][index] != text else index

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(self._formats)

    def _read_table(self, index: int) -> bytes | None:
        place = self._place("weights", index)
        return self._slice(place) if place[1] else None

    def _place(self, kind: str, index: int) -> Sequence[int]:
        """Offset, length and checksum of a model's section; of length 0 where it has none."""
        return self._places[kind][3 * index : 3 * index + 3]

    def _read(self, place: Sequence[int]) -> Any:
        return json.loads(self._slice(place))

    def _slice(self, place: Sequence[int]) -> bytes:
        """The bytes of a section. Raises CompiledError when they are not what was written."""
        offset, length, checksum = place
        with self._reading:
            os.lseek(self._file, self._start + offset, os.SEEK_SET)
            found = os.read(self._file, length)
        if zlib.crc32(found) != checksum:
            raise CompiledError(f"{self.path} is damaged")
        return found


def _header(file: int) -> tuple[dict[str, Any], int]:
    """The header, and where the sections begin."""
    begin = os.read(file, len(MAGIC) + _PREFIX.size)
    if begin[: len(MAGIC)] != MAGIC:
        raise ValueError("is no compiled catalogue")
    length, checksum = _PREFIX.unpack_from(begin, len(MAGIC))
    text = os.read(file, length)
    if zlib.crc32(text) != checksum:
        raise ValueError("is damaged")
    header: dict[str, Any] = json.loads(text)
    start = len(begin) + length
    if header["version"] != __version__ or header["end"] != os.fstat(file).st_size - start:
        raise ValueError("was written by another version, or is cut short")
    return header, start


# -- building ------------------------------------------------------------------------------------------------------


class Source(NamedTuple):
    """One entry to compile: its id, its tables, and the checksum of its text."""

    id: str
    data: dict[str, Any]
    text: int


def build(root: Path, *, stamp: str = "", code: str = "", weigh_all: bool, old: Compiled | None = None) -> bytes:
    """The compiled form of a catalogue folder. Without `weigh_all` it keeps the weights and curves that `old` has."""
    from vram_tui.catalog.facts import load_facts
    from vram_tui.catalog.facts_plain import to_plain
    from vram_tui.catalog.hardware_files import load_hardware

    facts, blob = load_facts(root), bytearray()
    formats = list(facts.formats)
    kept = old if old is not None and old.code == code and old.formats == tuple(formats) else None
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for source in sources(root):
        for name, value in zip(_COLUMNS, _packed(source, facts, kept, blob, weigh_all=weigh_all), strict=True):
            columns[name].append(value)
    for kind in _KINDS:
        columns[kind] = [number for place in columns[kind] for number in place or (0, 0, 0)]
    header: dict[str, Any] = {
        "version": __version__,
        "stamp": stamp,
        "code": code,
        "formats": formats,
        **columns,
        "facts": _append(blob, _dump(to_plain(facts))),
        "hardware": _append(blob, _dump(load_hardware(root).to_plain())),
    }
    header["end"] = len(blob)
    text = _dump(header)
    return b"".join((MAGIC, _PREFIX.pack(len(text), zlib.crc32(text)), text, blob))


_COLUMNS = ("rows", "bodies", "folded", "weights", "curves", "listed", "texts")
"""What the header says of every entry, in the order of `_packed`."""


def _packed(
    source: Source, facts: "Facts", kept: Compiled | None, blob: bytearray, *, weigh_all: bool
) -> tuple[object, ...]:
    """One entry: its sections are added to `blob`, what the header says of it is returned."""
    from vram_tui.catalog.entries import read_entry
    from vram_tui.estimator.profile import profile
    from vram_tui.estimator.traffic import shape

    entry = read_entry(source.id, source.data)
    folded = profile(entry.model)
    body = _append(blob, _dump(source.data))
    fold = _append(blob, _dump([folded.to_plain(), shape(entry.model).to_plain()]))
    table = kept.kept_weights(source.id, source.text) if kept else None
    if table is None and weigh_all:
        table = _table(entry.model, list(facts.formats), facts)
    weights = _append(blob, table) if table else None
    lines = kept.kept_curves(source.id, source.text) if kept else None
    size = kept.kept_listed(source.id, source.text) if kept else None
    if lines is None and weigh_all:
        lines, size = _curves(entry.model, facts)
    curves = _append(blob, lines) if lines else None
    return to_row(summarize(entry, folded)), body, fold, weights, curves, size, source.text


def sources(root: Path) -> Iterable[Source]:
    """The entries of a catalogue folder, by id without regard to case."""
    import tomli

    models = root / "models"
    for path in sorted(models.glob("*/*.toml"), key=lambda one: one.as_posix().casefold()):
        text = path.read_text(encoding="utf-8")
        yield Source(path.relative_to(models).with_suffix("").as_posix(), tomli.loads(text), zlib.crc32(text.encode()))


def _append(blob: bytearray, data: bytes) -> tuple[int, int, int]:
    """Offset, length and checksum of a section."""
    place = len(blob)
    blob.extend(data)
    return place, len(data), zlib.crc32(data)


def _table(model: Any, formats: list[str], facts: "Facts") -> bytes:
    from vram_tui.estimator.traffic import read_bytes
    from vram_tui.estimator.weights import weigh

    table = bytearray()
    for quant in formats:
        for imatrix in (False, True):
            try:
                found = weigh(model, quant, facts, imatrix=imatrix, mtp=False)
                read = read_bytes(model, quant, facts, imatrix=imatrix)
                row = (found.file_bytes, found.loaded_bytes, found.device_bytes, found.host_bytes, *read)
            except (ValueError, KeyError):
                row = (_REFUSED,) * 6
            table += _WEIGHTS.pack(*row)
    return bytes(table)


def _curves(model: Any, facts: "Facts") -> tuple[bytes, int | None]:
    """The compute buffers with default settings, and what the list says of the model."""
    from vram_tui.estimator.compiling import compile as compile_memory
    from vram_tui.estimator.runtimes.llamacpp_compute import DEFAULT
    from vram_tui.estimator.scenario import DEFAULT_QUANT, LIST_TOKENS, Scenario
    from vram_tui.estimator.subject import FoldedSubject

    subject = FoldedSubject("", model, facts)
    lines = _dump([[curve.contexts, curve.values] for curve in subject.compute(DEFAULT)])
    try:
        return lines, compile_memory(subject, DEFAULT_QUANT, Scenario(), facts).at(LIST_TOKENS)
    except (ValueError, KeyError):
        return lines, None


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode()


# -- finding, and keeping up with a checkout -----------------------------------------------------------------------


def open_compiled(root: Path) -> tuple[Compiled | None, str]:
    """The compiled form of a catalogue folder, rebuilt where files changed; and a sentence when something is odd.

    An installed catalogue carries its own; one that is edited in place gets one in the user's cache.
    """
    shipped = root / NAME
    if shipped.is_file():
        try:
            return Compiled(shipped), ""
        except CompiledError as error:
            return None, f"{error}; reading the TOML files instead"
    folder = cache_dir()
    if folder is None:
        return None, ""
    path = folder / f"catalogue-{zlib.crc32(str(root).encode()):08x}.bin"
    stamp, code = fingerprint(root)
    old, trouble = _open(path)
    if old is not None and old.stamp == stamp:
        return old, ""
    try:
        write_atomically(path, build(root, stamp=stamp, code=code, weigh_all=False, old=old))
        return Compiled(path), trouble and f"{trouble}; compiled again"
    except OSError as error:
        return None, f"{path}: {error.strerror}; reading the TOML files instead"
    except CompiledError as error:
        return None, f"{error}; reading the TOML files instead"
    except ValueError:
        # A faulty TOML file: reading them one by one names it and goes on with the rest.
        return None, ""


def _open(path: Path) -> tuple[Compiled | None, str]:
    if not path.is_file():
        return None, ""
    try:
        return Compiled(path), ""
    except CompiledError as error:
        return None, str(error)


def fingerprint(root: Path) -> tuple[str, str]:
    """What the files of a catalogue look like from outside, and the code that compiles them."""
    code = "\n".join(_stats(PACKAGE / "estimator")) + "\n".join(_stats(PACKAGE / "catalog"))
    code += "\n".join(line for line in _stats(root, deep=False) if ".toml" in line)
    code_mark = f"{zlib.crc32(code.encode()):08x}"
    return f"{zlib.crc32(chr(10).join(_stats(root)).encode()):08x}{code_mark}", code_mark


def _stats(folder: Path, *, deep: bool = True) -> list[str]:
    found = []
    with os.scandir(folder) as items:
        for item in items:
            if item.is_dir():
                if deep and item.name not in ("__pycache__", "schema"):
                    found += _stats(Path(item.path))
            elif item.name.endswith((".toml", ".py")):
                stat = item.stat()
                found.append(f"{item.path} {stat.st_size} {stat.st_mtime_ns}")
    return sorted(found)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file or leave the old one: beside it first, then moved over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Build the whole file: into the user's cache for this checkout, or into the file that is named."""
    root = catalog_root()
    stamp, code = fingerprint(root)
    if arguments:
        path = Path(arguments[0])
    else:
        folder = cache_dir()
        if folder is None:
            print("name a file: this system has no cache folder", file=sys.stderr)
            return 2
        path = folder / f"catalogue-{zlib.crc32(str(root).encode()):08x}.bin"
    old, _ = _open(path)
    write_atomically(path, build(root, stamp=stamp, code=code, weigh_all=True, old=old))
    print(f"{path}: {len(Compiled(path).rows)} models, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
