"""A path as a model: a GGUF file or any part of a set, a config.json, a model folder, safetensors."""

import os
from datetime import date
from pathlib import Path

from vram_tui.estimator.facts import Facts
from vram_tui.importers.found import Found
from vram_tui.importers.source import ReadError

_CONFIG = "config.json"
_SHARDS = (".safetensors", ".safetensors.index.json")


def subject_from_path(
    path: str | os.PathLike[str], facts: Facts, *, today: date | None = None, label: str = ""
) -> Found:
    """Read the headers behind a path; never the tensors. `label` names the model where its path does not.

    Raises ReadError (a ValueError of one line) for anything that cannot be used.
    """
    path = Path(path).expanduser()
    today = today or date.today()
    name = path.name.lower()
    if path.is_dir():
        return _folder(path, facts, today)
    if name.endswith(_SHARDS):
        return _safetensors(path, facts, today)
    if name.endswith(".json"):
        return _config(path, None, facts, today)
    return _gguf(path, facts, today, label)


def _gguf(path: Path, facts: Facts, today: date, label: str = "") -> Found:
    from vram_tui.importers.gguf_import import from_gguf
    from vram_tui.importers.gguf_parts import read_gguf

    return from_gguf(read_gguf(path), facts, today=today, origin=os.path.abspath(path), label=label)


def _folder(path: Path, facts: Facts, today: date) -> Found:
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise ReadError(str(path), "", f"cannot be listed ({error.strerror})", "check its rights") from None
    if _CONFIG in names:
        weights = path if any(name.endswith(_SHARDS) for name in names) else None
        return _config(path / _CONFIG, weights, facts, today)
    files = [name for name in names if name.lower().endswith(".gguf") and "mmproj" not in name.lower()]
    from vram_tui.importers.gguf_parts import part_names

    first = {part_names(name)[0] for name in files}
    if len(first) == 1:
        return _gguf(path / files[0], facts, today)
    if first:
        raise ReadError(str(path), "", f"holds {len(first)} GGUF models", "name one of the files")
    raise ReadError(str(path), "", "holds no config.json and no .gguf", "name a model's file or folder")


def _safetensors(path: Path, facts: Facts, today: date) -> Found:
    config = path.parent / _CONFIG
    if not config.exists():
        problem = "has no config.json beside it: tensors alone do not say how a model attends"
        raise ReadError(str(path), "", problem, "put the model's config.json into the folder")
    return _config(config, path, facts, today)


def _config(path: Path, weights: Path | None, facts: Facts, today: date) -> Found:
    from vram_tui.importers.hf_import import from_config
    from vram_tui.importers.json_config import read_config

    config = read_config(path)
    read = None
    if weights is not None:
        from vram_tui.importers.safetensors_file import read_safetensors

        read = read_safetensors(weights)
    vendor, name = _names(path)
    origin = os.path.abspath(weights or path)
    return from_config(config, facts, today=today, origin=origin, vendor=vendor, name=name, weights=read)


def _names(config: Path) -> tuple[str, str]:
    """Vendor and model by the folder: a hub cache says both, any other folder names the model."""
    folder = Path(os.path.abspath(config)).parent
    for part in folder.parts:
        if part.startswith("models--") and part.count("--") == 2:
            _, vendor, name = part.split("--")
            return vendor, name
    named = config.name if config.name != _CONFIG else ""
    return "", named.removesuffix(".json").removesuffix(_CONFIG) or folder.name
