"""A GGUF file as a model: blocks from its metadata, checked against its tensors, weights from the tensors."""

from dataclasses import replace
from datetime import date
from pathlib import PurePath

from vram_tui.catalog.drafts import draft
from vram_tui.catalog.entries import Entry
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.model import Model
from vram_tui.estimator.stored import StoredFile, StoredSubject
from vram_tui.importers.found import Found, model_id, strange, words
from vram_tui.importers.gguf_blocks import model_from_metadata
from vram_tui.importers.gguf_check import Differences, compare, settle
from vram_tui.importers.gguf_file import GgufError, GgufFile
from vram_tui.importers.gguf_keys import BlocksError
from vram_tui.importers.gguf_parts import part_names
from vram_tui.importers.gguf_tensors import bytes_by_type, shares, stated_type, stored_file
from vram_tui.importers.gguf_traits import TRAITS

ALWAYS_TIED = frozenset(("gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "cohere2", "command-r"))
"""Architectures whose head is the embedding in every published model: asked only where no tensor list tells."""
MAX_VOCABULARY = 1 << 32
UNEXPLAINED_PERCENT = 1
"""Of an unknown architecture, the share of elements that its blocks may leave unexplained."""


def from_gguf(file: GgufFile, facts: Facts, *, today: date, origin: str = "", label: str = "") -> Found:
    """The model of a file's header. `origin` is where it lies: a path, or hub:org/name/file; `label` a better name.

    Raises GgufError where the metadata make no model.
    """
    kind = file.metadata.get("general.type", "model")
    if kind != "model":
        problem = f"is of type {words(kind, 40) or '?'}, not a model"
        raise GgufError(file.name, "general.type", problem, "name the language model's file")
    notes: list[str] = []
    model = _model(file, notes)
    differences = compare(model, file.tensors) if file.tensors else Differences()
    _refuse_strangers(file, model, differences)
    notes += differences.notes()
    quant = stated_type(file, facts)
    stored: tuple[StoredFile, ...] = ()
    if file.tensors:
        agrees = not differences.extra and not differences.lacking
        own = stored_file(file, model, facts, agrees=agrees)
        if own.quant not in facts.formats:
            said = f"not those of {quant}" if quant else "those of no file type"
            notes.append(f"custom mixture: the tensors are {said} ({shares(bytes_by_type(file))})")
        stored, quant = (replace(own, path=words(origin or file.name, 1000)),), own.quant
    entry = replace(_entry(file, model, tuple(notes), today, origin, label), files=stored)
    return Found(entry.name, StoredSubject(entry.id, model, facts, stored), quant, entry, tuple(notes))


def _model(file: GgufFile, notes: list[str]) -> Model:
    shapes = {tensor.name: tensor.ne for tensor in file.tensors}
    architecture = words(file.metadata.get("general.architecture"), 60)
    tied: bool = architecture in ALWAYS_TIED
    if shapes:
        tied = "output.weight" not in shapes
    elif not tied:
        notes.append("the file lists no tensors: they are derived, with a head of its own beside the embedding")
    try:
        model = model_from_metadata(
            file.metadata, vocab_size=_vocabulary(file, architecture), tied=tied, tensors=shapes or None
        )
        if problem := strange(model):
            raise GgufError(file.name, "metadata", problem, "convert the model again")
        return settle(model, file.tensors) if shapes else model
    except BlocksError as error:
        raise GgufError(file.name, "metadata", str(error), "convert the model again") from None
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, GgufError):
            raise
        problem = f"hold a value of a form that no model has ({error})"
        raise GgufError(file.name, "metadata", problem, "convert the model again") from None


def _vocabulary(file: GgufFile, architecture: str) -> int:
    for tensor in file.tensors:
        if tensor.name == "token_embd.weight" and len(tensor.ne) == 2:
            return tensor.ne[1]
    stated = file.vocabulary or file.metadata.get(f"{architecture}.vocab_size")
    if type(stated) is not int or not 0 < stated < MAX_VOCABULARY:
        mend = "give it its tokenizer or a tensor list"
        raise GgufError(file.name, f"{architecture}.vocab_size", "nothing states the size of the vocabulary", mend)
    return stated


def _refuse_strangers(file: GgufFile, model: Model, differences: Differences) -> None:
    """An architecture without traits is read as a plain decoder, which its tensors must bear out."""
    architecture = model.gguf.architecture
    if architecture in TRAITS:
        return
    whole = sum(tensor.elements for tensor in file.tensors)
    if not whole or differences.extra_elements * 100 > whole * UNEXPLAINED_PERCENT:
        problem = f"{words(architecture, 60)!r} is not known, and its tensors are not those of a plain decoder"
        raise GgufError(file.name, "general.architecture", problem, "add a line to importers/gguf_traits.py")


def _entry(file: GgufFile, model: Model, notes: tuple[str, ...], today: date, origin: str, label: str) -> Entry:
    said = file.metadata
    last = PurePath(label or file.name).name
    stem = part_names(last)[0].partition("-00001-of-")[0]
    stem = stem[: -len(".gguf")] if stem.lower().endswith(".gguf") else stem
    vendor = words(said.get("general.organization")) or words(said.get("general.author"))
    hub = origin.split("/")[:2] if origin.startswith("hub:") else []
    theta = said.get(f"{model.gguf.architecture}.rope.freq_base")
    entry = draft(
        model_id(hub[0].removeprefix("hub:"), hub[1]) if len(hub) == 2 else model_id(vendor, stem),
        model,
        source=origin if hub else f"file:{words(last)}",
        checked=today,
        name=words(said.get("general.name")) or words(stem),
        family=words(said.get("general.basename")) or model.gguf.architecture,
        license=words(said.get("general.license")),
        rope_theta=float(theta) if isinstance(theta, int | float) and 0 < theta < 1e30 else 0.0,
        notes=notes,
    )
    return replace(entry, vendor=vendor) if vendor else entry
