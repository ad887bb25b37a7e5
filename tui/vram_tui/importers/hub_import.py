"""A repository of the hub as a model: its configuration and safetensors headers, or one GGUF file's header."""

from datetime import date

from vram_tui.estimator.facts import Facts
from vram_tui.importers.found import Found
from vram_tui.importers.gguf_import import from_gguf
from vram_tui.importers.gguf_parts import part_names
from vram_tui.importers.hf_import import from_config
from vram_tui.importers.hub import Hub, HubError, HubRepository, parse_reference

PREFERRED = "Q4_K_M"
"""The file that is read where a repository has many and none is named."""
LISTED = 8


def subject_from_hub(reference: str, facts: Facts, *, today: date, hub: Hub | None = None) -> Found:
    """Read `hub:org/name`, or one file `hub:org/name/file.gguf`, within the limits of `hub`.

    Raises ReadError (a ValueError of one line).
    """
    vendor, _, rest = reference.removeprefix("hub:").partition("/")
    name, _, path = rest.partition("/")
    hub = hub or Hub()
    repository = hub.repository(parse_reference(f"hub:{vendor}/{name}"))
    paths = {file.path for file in repository.files}
    origin = f"hub:{repository.name}"
    if path and path not in paths:
        raise HubError(origin, "", f"has no file {path}", f"it has {_some(repository)}")
    if not path and "config.json" in paths:
        weights = hub.safetensors(repository) if any(_is_weights(one) for one in paths) else None
        config = hub.config(repository)
        return from_config(config, facts, today=today, origin=origin, vendor=vendor, name=name, weights=weights)
    chosen = path or _choose(repository)
    return from_gguf(hub.gguf(repository, chosen), facts, today=today, origin=f"{origin}/{chosen}")


def _is_weights(path: str) -> bool:
    return "/" not in path and path.endswith((".safetensors", ".safetensors.index.json"))


def _models(repository: HubRepository) -> list[str]:
    """The GGUF models of a repository, each split set by its first part."""
    folders = ((file.path.rpartition("/"), file.path) for file in repository.gguf_files())
    return sorted({f"{where}{slash}{part_names(last)[0]}" for (where, slash, last), _ in folders})


def _choose(repository: HubRepository) -> str:
    models = _models(repository)
    preferred = [one for one in models if PREFERRED.casefold() in one.rpartition("/")[2].casefold()]
    for candidates in (models, preferred):
        if len(candidates) == 1:
            return candidates[0]
    problem = f"holds {len(models)} GGUF models" if models else "holds no config.json and no GGUF model"
    mend = f"name a file: hub:{repository.name}/FILE of {_some(repository)}" if models else "name another repository"
    raise HubError(f"hub:{repository.name}", "", problem, mend)


def _some(repository: HubRepository) -> str:
    models = _models(repository)
    more = f" and {len(models) - LISTED} more" if len(models) > LISTED else ""
    return ", ".join(models[:LISTED]) + more if models else "no GGUF file"
