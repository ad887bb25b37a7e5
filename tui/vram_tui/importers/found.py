"""What an import found: a model to estimate with, and a draft of its entry for the user's catalogue."""

import re
from dataclasses import dataclass

from vram_tui.catalog.entries import Entry
from vram_tui.estimator.stored import StoredFile, StoredSubject
from vram_tui.text import safe

_STRANGE = re.compile(r"[^A-Za-z0-9_.+-]+")
_EDGE = "-._+"
MAX_PART_CHARS = 96
LOCAL = "local"
"""The vendor of a model whose file names none."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model read from files. `quant` is the format that they hold, None where nothing says; `notes` are sentences."""

    name: str
    subject: StoredSubject
    quant: str | None
    entry: Entry
    notes: tuple[str, ...] = ()

    @property
    def stored(self) -> StoredFile | None:
        """The exact bytes of the files, where their tensors could be read."""
        return next(iter(self.subject.files.values()), None)


def model_id(vendor: str, name: str) -> str:
    """`vendor/name` made of any two texts: strange characters become dashes."""
    return f"{_part(vendor) or LOCAL}/{_part(name) or 'model'}"


def _part(text: str) -> str:
    plain = _STRANGE.sub("-", text.strip()[: 4 * MAX_PART_CHARS])
    while ".." in plain:
        plain = plain.replace("..", ".")
    return plain.lstrip(_EDGE)[:MAX_PART_CHARS].rstrip(_EDGE)


def words(value: object, limit: int = 200) -> str:
    """A text from a file, harmless and short; empty for anything that is no text."""
    return safe(value.strip(), limit) if isinstance(value, str) else ""
