"""A Hugging Face configuration as a model, with the exact bytes of the safetensors beside it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from vram_tui.catalog.counting import counted
from vram_tui.catalog.drafts import draft
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.model import Model, Tower
from vram_tui.estimator.stored import OWN, StoredFile, StoredSubject
from vram_tui.importers.found import Found, model_id, strange, words
from vram_tui.importers.hf_config import model_from_config
from vram_tui.importers.hf_keys import ConfigError
from vram_tui.importers.safetensors_file import SafetensorsFile, StoredTensor
from vram_tui.importers.source import ReadError

_LAYER = re.compile(r"(?:^|\.)layers\.(\d{1,5})\.")
_MTP = re.compile(r"(?:^|\.)(?:mtp|nextn)[._]")
_TOWER = re.compile(
    r"(?:^|[._])(?:vision|visual|vit|image|audio|mm|multi_modal|multimodal|projector)(?:[._]|$)", re.IGNORECASE
)
_AUDIO = re.compile(r"(?:^|[._])audio(?:[._]|$)", re.IGNORECASE)
_SIDE = re.compile(r"(?:scales?|scale_inv|zeros?|zero_point|qzeros|g_idx|absmax|quant_map|quant_state.*|biases)$")
_WHOLE = frozenset(("F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"))
"""Types of which one element is one parameter; others pack several into one."""
_LIKE = {"F32": "F32", "F16": "F16", "BF16": "BF16", "F8_E4M3": "FP8", "F8_E5M2": "FP8", "F4": "NVFP4"}
_METHODS = {"fp8": "FP8", "mxfp4": "MXFP4", "awq": "AWQ", "gptq": "GPTQ", "bitsandbytes": "NF4", "nvfp4": "NVFP4"}


def from_config(
    config: Mapping[str, Any],
    facts: Facts,
    *,
    today: date,
    origin: str,
    vendor: str = "",
    name: str = "",
    weights: SafetensorsFile | None = None,
) -> Found:
    """The model of a configuration. `origin` says where it was read: a path, or hub:org/name.

    Raises ReadError where the configuration makes no model.
    """
    try:
        converted = model_from_config(config)
    except ConfigError as error:
        raise ReadError(origin, "", str(error), "import a GGUF file of the model instead") from None
    if problem := strange(converted.model):
        raise ReadError(origin, "", problem, "mend the configuration")
    notes = [*converted.notes]
    if converted.unknown_keys:
        notes.append(f"keys that nothing here knows: {words(', '.join(converted.unknown_keys), 300)}")
    model = converted.model
    stored: tuple[StoredFile, ...] = ()
    if weights is not None:
        model = replace(model, towers=_towers(weights))
        notes = [note for note in notes if not (model.towers and "encoder is not counted" in note)]
        stored = (_stored(weights, model, config, facts, origin),)
        notes += _counted(weights, model)
    named = words(config.get("_name_or_path")).strip("/").split("/")
    if not vendor and len(named) == 2:
        vendor, name = named[0], name or named[1]
    entry = draft(
        model_id(vendor, name or words(config.get("model_type"))),
        model,
        source=origin if origin.startswith("hub:") else f"file:{words(name or 'config.json')}",
        checked=today,
        name=words(name),
        family=converted.model_type,
        model_type=converted.model_type,
        hf_class=words(converted.hf_class),
        native_dtype=words(converted.native_dtype),
        activation=words(converted.activation),
        position=converted.position,
        rope_theta=converted.rope_theta,
        modalities=converted.modalities,
        notes=tuple(notes),
    )
    entry = replace(entry, files=stored)
    return Found(entry.name, StoredSubject(entry.id, model, facts, stored), None, entry, tuple(notes))


def _is_mtp(name: str, model: Model) -> bool:
    layer = _LAYER.search(name)
    return bool(_MTP.search(name)) or (layer is not None and int(layer[1]) >= model.layer_count)


def _stored(weights: SafetensorsFile, model: Model, config: Mapping[str, Any], facts: Facts, origin: str) -> StoredFile:
    totals = weights.bytes_by_dtype()
    whole = weights.tensor_bytes or 1
    mtp = sum(one.bytes for one in weights.tensors if _is_mtp(one.name, model) and not _TOWER.search(one.name))
    like = _like(totals, config, facts)
    return StoredFile(
        quant=f"{OWN}{like}",
        like=like,
        kind="safetensors",
        tensor_bytes=weights.tensor_bytes,
        loaded_bytes=weights.tensor_bytes - mtp,
        device_bytes=weights.tensor_bytes - mtp,
        mtp_device_bytes=mtp,
        types=", ".join(f"{dtype} {100 * size / whole:.0f} %" for dtype, size in totals.items() if size * 100 >= whole),
        path=origin,
    )


def _like(totals: Mapping[str, int], config: Mapping[str, Any], facts: Facts) -> str:
    """The known format that the checkpoint is closest to: by its quantization method, else by most of its bytes."""
    quantization = config.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, Mapping) else None
    for known in (_METHODS.get(str(method)), *(_LIKE.get(dtype) for dtype in totals)):
        if known in facts.formats:
            return str(known)
    return "BF16" if "BF16" in facts.formats else next(iter(facts.formats))


def _text_tensors(weights: SafetensorsFile) -> list[StoredTensor]:
    return [one for one in weights.tensors if not _TOWER.search(one.name) and not _SIDE.search(one.name)]


def _towers(weights: SafetensorsFile) -> tuple[Tower, ...]:
    """Encoders beside the language model, counted from their tensors."""
    counts = {"vision": 0, "audio": 0}
    for one in weights.tensors:
        if _TOWER.search(one.name) and one.dtype in _WHOLE and not _SIDE.search(one.name):
            counts["audio" if _AUDIO.search(one.name) else "vision"] += one.elements
    return tuple(Tower(kind, count) for kind, count in counts.items() if count)


def _counted(weights: SafetensorsFile, model: Model) -> list[str]:
    """The parameters of the tensors beside those of the blocks, where the two differ or cannot be compared."""
    tensors = _text_tensors(weights)
    if any(one.dtype not in _WHOLE for one in tensors):
        packed = sorted({one.dtype for one in tensors} - _WHOLE)
        return [f"parameters cannot be counted in the tensors: {', '.join(packed)} pack several into one"]
    stored = sum(one.elements for one in tensors)
    derived = counted(model, "main+mtp") - sum(tower.parameters for tower in model.towers)
    if stored == derived:
        return []
    more = f"{abs(stored - derived):,} {'more' if stored > derived else 'fewer'}"
    return [f"the tensors hold {stored:,} parameters, {more} than the blocks derive"]
