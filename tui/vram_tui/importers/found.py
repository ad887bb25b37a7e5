"""What an import found: a model to estimate with, and a draft of its entry for the user's catalogue."""

import re

from vram_tui.catalog.entries import Entry
from vram_tui.catalog.kinds import first_wrong
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.stored import StoredFile, StoredSubject
from vram_tui.text import safe

_STRANGE = re.compile(r"[^A-Za-z0-9_.+-]+")
_EDGE = "-._+"
MAX_PART_CHARS = 96
LOCAL = "local"
"""The vendor of a model whose file names none."""


@record
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


MAX_LAYERS, MAX_DIFFERENT = 1024, 256
"""More layers, or more that differ, than any model has: what folds them is not made for it."""


def strange(model: Model) -> str:
    """What makes blocks no model, in words; empty where nothing does."""
    if not model.hidden_size or not model.vocab_size:
        return "has a width of 0"
    different = model.distinct_layers()
    if model.layer_count > MAX_LAYERS or len(different) > MAX_DIFFERENT:
        most = f"at most {MAX_LAYERS:,} and {MAX_DIFFERENT}"
        return f"has {model.layer_count} layers, {len(different)} of them different: {most}"
    if not all(layer.halves for layer in different):
        return "has a layer with neither attention nor a feed-forward"
    blocks = [half for layer in different for half in (layer.mixer, layer.feed_forward)]
    blocks += [part for half in blocks for part in getattr(half, "parts", ())]
    for block in (*blocks, *(getattr(half, "indexer", None) for half in blocks), model):
        if block is not None and (fault := first_wrong(block)):
            return f"has {fault[0]} {words(repr(fault[1]), 40)} in its {block.__class__.__name__.lower()}"
    return ""


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
