"""Find models that other programs keep on this machine: Ollama, LM Studio, llama.cpp, the Hugging Face hub."""

import json
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vram_tui.estimator.records import record
from vram_tui.importers.gguf_parts import part_names
from vram_tui.importers.source import ReadError, read_whole

MAX_ENTRIES = 20_000
MAX_SECONDS = 2.0
MAX_DEPTH = 6
MAX_MANIFEST_BYTES = 1 << 20
_OLLAMA_MODEL = "application/vnd.ollama.image.model"


@record
class LocalModel:
    """A model found on this machine: a GGUF file (the first part of a set), or a folder with a config.json."""

    source: str
    name: str
    path: Path
    size_bytes: int


@dataclass(slots=True)
class _Walk:
    """A walk over folders that ends: by entries, by depth, by time; it enters no linked folder."""

    deadline: float
    clock: Callable[[], float]
    entries_left: int = MAX_ENTRIES
    sizes: dict[Path, int] = field(default_factory=dict)

    def over(self) -> bool:
        return self.entries_left <= 0 or self.clock() > self.deadline

    def files(self, folder: Path, depth: int = 0) -> Iterator[Path]:
        """Yield the regular files (or links to such) below ``folder``, in the order of their names."""
        if depth > MAX_DEPTH or self.over():
            return
        folders: list[Path] = []
        found: list[Path] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self.entries_left -= 1
                    if self.over():
                        break
                    path = folder / entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    elif self.size_of(path):
                        found.append(path)
        except OSError:
            return
        yield from sorted(found)
        for path in sorted(folders):
            yield from self.files(path, depth + 1)

    def size_of(self, path: Path) -> int:
        """Bytes of a regular file, through a link if need be; 0 for anything else."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return 0
        if not stat.S_ISREG(status.st_mode):
            return 0
        self.sizes[path] = status.st_size
        return status.st_size


def _is_model(name: str) -> bool:
    # A projector (mmproj) belongs to a model and is none itself.
    return name.lower().endswith(".gguf") and "mmproj" not in name.lower()


def _models(source: str, root: Path, walk: _Walk, prefix: str = "") -> Iterator[LocalModel]:
    """Yield GGUF files (a split set once) and folders with a config.json and safetensors below ``root``."""
    files = list(walk.files(root))
    present = set(files)
    weights: Counter[Path] = Counter()
    for path in files:
        if path.suffix == ".safetensors":
            weights[path.parent] += walk.sizes[path]
    for path in files:
        where = prefix + path.relative_to(root).as_posix()
        if _is_model(path.name):
            try:
                parts = [path.with_name(name) for name in part_names(path.name)]
            except ReadError:
                continue
            here = [part for part in parts if part in present]
            if path == here[0]:
                yield LocalModel(source, where, path, sum(walk.sizes[part] for part in here))
        elif path.name == "config.json" and path.parent in weights:
            name = where.removesuffix("config.json").rstrip("/") or path.parent.name
            yield LocalModel(source, name, path.parent, weights[path.parent])


def _ollama_name(parts: tuple[str, ...]) -> str:
    """``registry/namespace/model/tag`` as the person types it: ``model:tag`` from the default library."""
    *where, tag = parts
    if where[:1] == ["registry.ollama.ai"]:
        where = where[1:]
    if where[:1] == ["library"]:
        where = where[1:]
    return "/".join(where) + ":" + tag


def _ollama(source: str, root: Path, walk: _Walk) -> Iterator[LocalModel]:
    manifests = root / "manifests"
    for path in walk.files(manifests):
        parts = path.relative_to(manifests).parts
        if len(parts) < 3:
            continue
        try:
            layers = json.loads(read_whole(path, MAX_MANIFEST_BYTES))["layers"]
            digests = [layer["digest"] for layer in layers if layer.get("mediaType") == _OLLAMA_MODEL]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        for digest in digests[:1]:
            kind, _, value = str(digest).partition(":")
            if kind == "sha256" and len(value) == 64 and value.isalnum():
                blob = root / "blobs" / f"sha256-{value}"
                if size := walk.size_of(blob):
                    yield LocalModel(source, _ollama_name(parts), blob, size)


def _snapshot(repository: Path) -> Path | None:
    """The folder of a hub repository's present revision: refs/main, else the newest snapshot."""
    snapshots = repository / "snapshots"
    try:
        revision = read_whole(repository / "refs" / "main", 200).decode("ascii").strip()
        if revision.isalnum() and (snapshots / revision).is_dir():
            return snapshots / revision
    except ValueError:
        pass
    try:
        folders = [path for path in snapshots.iterdir() if path.is_dir() and not path.is_symlink()]
        return max(folders, key=lambda path: (path.stat().st_mtime, path.name), default=None)
    except OSError:
        return None


def _hub(source: str, root: Path, walk: _Walk) -> Iterator[LocalModel]:
    try:
        repositories = sorted(path for path in root.iterdir() if path.name.startswith("models--"))
    except OSError:
        return
    for repository in repositories:
        walk.entries_left -= 1
        if walk.over():
            return
        snapshot = _snapshot(repository)
        if snapshot is not None:
            name = repository.name.removeprefix("models--").replace("--", "/")
            for model in _models(source, snapshot, walk, f"{name}/"):
                yield LocalModel(source, model.name, model.path, model.size_bytes)


_READERS: dict[str, Callable[[str, Path, _Walk], Iterator[LocalModel]]] = {
    "Ollama": _ollama,
    "LM Studio": _models,
    "llama.cpp": _models,
    "Hugging Face": _hub,
}


def places(env: Mapping[str, str] | None = None, home: Path | None = None) -> tuple[tuple[str, Path], ...]:
    """Return (program, folder) for every cache that may exist, by environment and convention."""
    env = os.environ if env is None else env
    home = Path(os.path.expanduser("~")) if home is None else home
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    ollama = (
        [Path(env["OLLAMA_MODELS"])]
        if env.get("OLLAMA_MODELS")
        else [home / ".ollama/models", Path("/usr/share/ollama/.ollama/models"), Path("/var/lib/ollama/models")]
    )
    llama = home / "Library/Caches/llama.cpp" if sys.platform == "darwin" else cache / "llama.cpp"
    hub = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE")
    hub_home = Path(env.get("HF_HOME") or cache / "huggingface")
    return (
        *(("Ollama", path) for path in ollama),
        ("LM Studio", _lm_studio(home) / "models"),
        ("LM Studio", home / ".cache/lm-studio/models"),
        ("llama.cpp", Path(env.get("LLAMA_CACHE") or llama)),
        ("Hugging Face", Path(hub) if hub else hub_home / "hub"),
    )


def _lm_studio(home: Path) -> Path:
    try:
        pointer = read_whole(home / ".lmstudio-home-pointer", 4096).decode().strip()
    except ValueError:
        pointer = ""
    return Path(pointer) if pointer.startswith("/") else home / ".lmstudio"


def found(
    env: Mapping[str, str] | None = None,
    home: Path | None = None,
    *,
    max_seconds: float = MAX_SECONDS,
    max_entries: int = MAX_ENTRIES,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[LocalModel, ...]:
    """Return the models in the local caches, by program and name.

    Looks for at most ``max_seconds`` and ``max_entries``, opens manifests alone (no model), enters no
    linked folder, and passes over what it cannot read. A file reached by two ways is listed once.
    """
    walk = _Walk(clock() + max_seconds, clock, max_entries)
    seen: set[tuple[str, Path]] = set()
    models = []
    for source, root in places(env, home):
        for model in _READERS[source](source, root, walk):
            if (model.name, model.path) not in seen:
                seen.add((model.name, model.path))
                models.append(model)
    return tuple(models)
