"""Import in two steps, for the screen and the command line: look at what was read, then write it."""

import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from vram_tui.catalog.entries import Entry
from vram_tui.catalog.locate import user_models_dir
from vram_tui.catalog.user import save_user_entry, user_path
from vram_tui.catalog.writing import user_entry_text
from vram_tui.estimator.facts import Facts
from vram_tui.importers.files import subject_from_path
from vram_tui.importers.found import Found
from vram_tui.quantities import format_memory, format_parameters, format_tokens

HUB = "hub:"


@dataclass(frozen=True, slots=True)
class Preview:
    """A model as it would be written. `path` is None where the system names no folder for it."""

    found: Found
    entry: Entry
    path: Path | None
    exists: bool
    """A file of the user's is in the way: saving needs `overwrite`."""

    @property
    def toml(self) -> str:
        return user_entry_text(self.entry)

    def rows(self, unit: str = "gib") -> tuple[tuple[str, str], ...]:
        """(what, value) for a person: what was read."""
        entry, profile, stored = self.entry, self.found.subject.profile, self.found.stored
        rows = [
            ("id", entry.id),
            ("name", entry.name),
            ("architecture", entry.model.gguf.architecture or entry.model_type),
            ("parameters", format_parameters(profile.parameters)),
            ("active", format_parameters(profile.active_parameters)),
            ("layers", f"{profile.layer_count}"),
            ("hidden size", f"{profile.hidden_size:,}"),
            ("vocabulary", f"{profile.vocab_size:,}"),
            ("context", format_tokens(entry.context_native) if entry.context_native else "not stated"),
            ("format", self.found.quant or (stored.quant if stored else "not stated")),
        ]
        if stored:
            size = {"gib": "GiB", "gb": "GB"}[unit]
            rows += [
                ("tensor types", stored.types),
                ("tensors", f"{format_memory(stored.tensor_bytes, unit)} {size}, {stored.tensor_bytes:,} bytes"),
                ("on the device", f"{format_memory(stored.device_bytes, unit)} {size}"),
                ("in RAM", f"{format_memory(stored.host_bytes, unit)} {size}"),
            ]
        return tuple((what, value) for what, value in rows if value)

    def to_json(self) -> dict[str, Any]:
        """What was read, with whole bytes."""
        profile, stored = self.found.subject.profile, self.found.stored
        return {
            "id": self.entry.id,
            "name": self.entry.name,
            "source": self.entry.sources[0],
            "architecture": self.entry.model.gguf.architecture or None,
            "quant": self.found.quant,
            "parameters": profile.parameters,
            "active_parameters": profile.active_parameters,
            "layers": profile.layer_count,
            "context_tokens": self.entry.context_native or None,
            "file": {
                "quant": stored.quant,
                "tensor_bytes": stored.tensor_bytes,
                "loaded_bytes": stored.loaded_bytes,
                "device_bytes": stored.device_bytes,
                "host_bytes": stored.host_bytes,
                "types": stored.types,
            }
            if stored
            else None,
            "notes": list(self.found.notes),
            "path": str(self.path) if self.path else None,
            "exists": self.exists,
            "toml": self.toml,
        }


def preview(
    reference: str | os.PathLike[str],
    facts: Facts,
    *,
    known: str = "",
    label: str = "",
    folder: Path | None = None,
    today: date | None = None,
) -> Preview:
    """Read a path, or `hub:org/name` by the network; nothing is written.

    `known` is the id to give it, `label` what another program calls the file. It may take seconds for the hub, tens
    of milliseconds for files: call it in a worker. Raises ReadError and ValueError of one line.
    """
    today = today or date.today()
    text = os.fspath(reference)
    if text.startswith(HUB):
        from vram_tui.importers.hub_import import subject_from_hub

        found = subject_from_hub(text, facts, today=today)
    else:
        found = subject_from_path(text, facts, today=today, label=label)
    entry = replace(found.entry, id=known) if known else found.entry
    folder = folder or user_models_dir()
    path = user_path(folder, entry.id) if folder else None
    return Preview(found, entry, path, path is not None and path.exists())


def save(shown: Preview, *, overwrite: bool = False) -> Path:
    """Write the entry into the user's catalogue, whole and for its owner alone.

    Raises FileExistsError unless `overwrite`, OSError where it cannot be written.
    """
    if shown.path is None:
        raise OSError("this system names no folder for configuration: set XDG_CONFIG_HOME")
    return save_user_entry(shown.path.parent.parent, shown.entry, replace=overwrite)
