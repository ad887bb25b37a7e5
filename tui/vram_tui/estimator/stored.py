"""Files that hold a model: their own exact bytes, beside what the blocks give in every other format."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from vram_tui.estimator.facts import Facts, Format
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.subject import AtOnePoint, FoldedSubject, Subject

if TYPE_CHECKING:
    from vram_tui.estimator.traffic import Traffic
    from vram_tui.estimator.weights import LayerBytes

OWN = "file:"
"""Starts the name of a format that only one file has: a mixture made by hand, or a checkpoint as published."""

MATRICES = 3
"""Large matrices of a layer's feed-forward: up, gate and down."""


@record
class StoredFile:
    """What one file (or set of files) holds, summed from its tensors.

    `quant` is an id of the facts' formats where the file is exactly that mixture, else a name of its own that starts
    with "file:"; `like` is the known format that it is closest to, whose runtimes load it. `tensor_bytes` leave out
    the header, `loaded_bytes` also multi-token-prediction layers; `device_bytes` are what one accelerator holds when
    everything is offloaded (padding and a tied head's copy counted), `host_bytes` the embedding tables in RAM.
    `layers` are runs of (how many layers, dense bytes, expert bytes) on the device, and with `head_bytes` add up to
    `device_bytes`; empty where the file does not say.
    """

    quant: str
    like: str
    kind: str
    tensor_bytes: int
    loaded_bytes: int
    device_bytes: int
    host_bytes: int = 0
    mtp_device_bytes: int = 0
    """What the multi-token-prediction layers add on the device where they are loaded."""
    head_bytes: int = 0
    layers: tuple[tuple[int, int, int], ...] = ()
    types: str = ""
    """Shares of the tensor types, for people: "Q4_K 71 %, Q6_K 28 %"."""
    path: str = ""

    def weights(self, parameters: int, *, mtp: bool) -> Weights:
        loaded = self.tensor_bytes if mtp else self.loaded_bytes
        device = self.device_bytes + (self.mtp_device_bytes if mtp else 0)
        return Weights(self.tensor_bytes, loaded, device, self.host_bytes, parameters)

    def layer_bytes(self, *, mtp: bool, tied: bool) -> "LayerBytes":
        """Device bytes by layer, taken to be as many in RAM. Raises Refusal where the file does not say."""
        from vram_tui.estimator.weights import LayerBytes, Part

        if not self.layers:
            raise Refusal(f"{self.quant}: the entry does not say how its bytes spread over the layers", "quant")
        rows = [Part(dense, experts) for count, dense, experts in self.layers for _ in range(count)]
        if mtp and self.mtp_device_bytes:
            last = rows[-1]
            rows[-1] = last._replace(dense=last.dense + self.mtp_device_bytes)
        # An expert matrix is a third of a layer's experts, the largest dense one seldom more than of the rest.
        parts = tuple(
            row._replace(largest_dense=row.dense // MATRICES, largest_expert=row.experts // MATRICES) for row in rows
        )
        return LayerBytes(parts, parts, self.head_bytes, 0 if tied else self.head_bytes, 0, self.host_bytes)


class StoredSubject(FoldedSubject):
    """A model with files: exact for their own formats, folded for the rest."""

    def __init__(self, subject_id: str, model: Model, facts: Facts, files: tuple[StoredFile, ...]) -> None:
        super().__init__(subject_id, model, facts)
        self.files: Mapping[str, StoredFile] = {file.quant: file for file in reversed(files)}

    @property
    def formats(self) -> dict[str, Format]:
        """The formats that only these files have, by id."""
        return {quant: self._format(file) for quant, file in self.files.items() if quant not in self._facts.formats}

    def _format(self, file: StoredFile) -> Format:
        bits = round(file.weights(self.profile.parameters, mtp=False).bits_per_weight, 4)
        label = f"the file's own: {file.quant.removeprefix(OWN)}"
        known = self._facts.formats[file.like]
        return replace(known, id=file.quant, label=label, bits_per_weight=bits, nominal_bits=bits, quality=())

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        file = self.files.get(quant)
        if file is None:
            return super().weights(quant, imatrix, mtp)
        return file.weights(self.profile.parameters, mtp=mtp)

    def traffic(self, quant: str, imatrix: bool = True) -> "Traffic":
        """What a step reads: of the closest known format, brought to the file's bytes."""
        file = self.files.get(quant)
        if file is None:
            return super().traffic(quant, imatrix)
        near = super().traffic(file.like, imatrix)
        ratio = file.loaded_bytes / max(super().weights(file.like, imatrix).loaded_bytes, 1)
        experts = tuple(replace(group, bytes=round(group.bytes * ratio)) for group in near.experts)
        return replace(near, always_bytes=round(near.always_bytes * ratio), experts=experts)

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> "LayerBytes":
        """Bytes by layer: of the file where it is the file's own format, else of the blocks."""
        file = self.files.get(quant)
        if file is None:
            return super().layer_bytes(quant, imatrix, mtp)
        from vram_tui.estimator.weights import census

        return file.layer_bytes(mtp=mtp, tied=not census(self.model).has_head)


def format_of(subject: Subject, quant: str, facts: Facts) -> Format:
    """The format of that id: of the facts, or one that only this subject's file has.

    Raises KeyError for an unknown format, Refusal for the own format of another model's file.
    """
    if quant.startswith(OWN) and quant not in facts.formats:
        stored = _stored(subject)
        if stored is None or quant not in stored.formats:
            raise Refusal(f"{quant} is the mixture of one imported file, which is not of this model", "quant")
        return stored.formats[quant]
    return facts.formats[quant]


def known_format(subject: Subject, quant: str) -> str:
    """The format of the facts that `quant` is, or is closest to."""
    stored = _stored(subject)
    file = stored.files.get(quant) if stored else None
    return file.like if file else quant


def _stored(subject: Subject) -> StoredSubject | None:
    whole = subject.whole if isinstance(subject, AtOnePoint) else subject
    return whole if isinstance(whole, StoredSubject) else None
