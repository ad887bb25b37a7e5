"""Bytes of the weights in a format: file, loaded part, device and host."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from vram_tui.estimator.blocks import Experts, Tensor
from vram_tui.estimator.facts import Facts, Format
from vram_tui.estimator.formats import tensor_bytes, whole_row
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.mixtures import Mixture, is_quantized
from vram_tui.estimator.model import Model
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.tensors import file_layers, trunk_tensors
from vram_tui.estimator.units import pad

ROW_MULTIPLE = 512
"""CUDA lengthens quantized tensors so that their last row can be read in steps of this many elements."""
ALIGNMENT_BYTES = 128
"""Every tensor starts on such a boundary in a CUDA buffer."""

HOST_ROLES = frozenset(("embedding", "per_layer_embedding", "embedding_norm", "embedding_norm_bias"))
"""Tensors of the input layer: llama.cpp keeps them in RAM whatever is offloaded."""
REPEATED_ROLES = frozenset(("rope_factors",))
"""Tensors that belong to every layer: each buffer with layers has its copy."""
FIRST_LAYER_ROLES = frozenset(("per_layer_projection", "per_layer_projection_norm"))
"""Tensors of the whole model that lie where the first layer does."""
LOADED_ALWAYS = frozenset(("indexer_k_norm", "indexer_k_norm_bias"))
"""Tensors that llama.cpp's loader reads even in MTP layers that it does not load otherwise."""


class Group(NamedTuple):
    """Equal tensors with what the mixtures ask of each: its layer, its number among its class, whether it is MTP's."""

    tensor: Tensor
    places: tuple[tuple[int, int, bool], ...]


class Census(NamedTuple):
    """What the mixtures ask of a model, gathered once."""

    groups: tuple[Group, ...]
    layers: int
    values: int
    experts: int
    gqa: int
    has_head: bool
    architecture: str
    parameters: int


class Part(NamedTuple):
    """Bytes of one layer's dense tensors, of its experts and of the largest of each, in one kind of buffer."""

    dense: int = 0
    experts: int = 0
    largest_dense: int = 0
    largest_expert: int = 0

    @property
    def total(self) -> int:
        return self.dense + self.experts

    @property
    def largest(self) -> int:
        return max(self.largest_dense, self.largest_expert)


class LayerBytes(NamedTuple):
    """Bytes by layer (MTP layers last, 0 where not loaded), on an accelerator and, unpadded, in RAM.

    `head` is the output layer, `host_head` what it adds in RAM (nothing where it is tied: the input embedding is
    there); `repeated` are tensors that every buffer with layers holds once; `embedding` is the input layer in RAM.
    Layers, head and `repeated` add up to the device bytes of an accelerator that holds everything.
    """

    layers: tuple[Part, ...]
    host_layers: tuple[Part, ...]
    head: int
    host_head: int
    repeated: int
    embedding: int


@lru_cache(maxsize=32)
def census(model: Model) -> Census:
    """The tensors of the model's GGUF file, equal ones together, with their places for the mixtures."""
    tensors = sorted(trunk_tensors(model, file=True), key=lambda row: (row.layer, row.tensor.role))
    numbers: dict[str, int] = {}
    found: dict[Tensor, list[tuple[int, int, bool]]] = {}
    for layer, tensor, mtp in tensors:
        number = 0
        if is_quantized(tensor):
            number = numbers.get(tensor.cls, 0)
            numbers[tensor.cls] = number + 1
        found.setdefault(tensor, []).append((layer, number, mtp))
    first = next(model.layers(), None)
    layers = (*model.layers(), *model.mtp_layers())
    return Census(
        groups=tuple(Group(tensor, tuple(places)) for tensor, places in found.items()),
        layers=file_layers(model),
        values=numbers.get("v", 0),
        experts=max(
            (layer.feed_forward.count for layer in layers if isinstance(layer.feed_forward, Experts)), default=0
        ),
        gqa=first.mixer.gqa(model.frame(file=True)) if first and first.mixer else 0,
        has_head="out" in numbers,
        architecture=model.gguf.architecture,
        parameters=sum(
            row.tensor.elements for row in trunk_tensors(model, file=False) if row.tensor.counted and not row.mtp
        ),
    )


def mixture(counted: Census, file_type: Format, facts: Facts, *, imatrix: bool) -> Mixture:
    """The rules of a GGUF file type for one model."""

    def named(rule: str) -> bool:
        known = facts.name_rules.get(rule)
        return known is not None and counted.architecture in known.architectures and known.layers in (0, counted.layers)

    return Mixture(
        file_type=file_type.id,
        base=file_type.base_type,
        layers=counted.layers,
        values=counted.values,
        experts=counted.experts,
        gqa=counted.gqa,
        has_head=counted.has_head,
        imatrix=imatrix,
        plain_down=named("plain_down"),
        wide_values=counted.gqa > 1 and named("wide_values"),
    )


def typed_tensors(
    model: Model, quant: str, facts: Facts, *, imatrix: bool
) -> Iterator[tuple[Tensor, str, tuple[tuple[int, bool], ...]]]:
    """Tensors of a GGUF file with their ggml type: (tensor, type, the (layer, mtp) of each such tensor)."""
    counted = census(model)
    rules = mixture(counted, facts.formats[quant], facts, imatrix=imatrix)
    for tensor, places in counted.groups:
        by_type: dict[str, list[tuple[int, bool]]] = {}
        if tensor.cls in ("v", "down", "gate", "up") and is_quantized(tensor):
            for layer, number, mtp in places:
                by_type.setdefault(rules.type_of(tensor, layer, number), []).append((layer, mtp))
        else:
            by_type[rules.type_of(tensor, 0, 0)] = [(layer, mtp) for layer, _, mtp in places]
        for type_name, rows in by_type.items():
            yield tensor, type_name, tuple(rows)


def weigh(model: Model, quant: str, facts: Facts, *, imatrix: bool, mtp: bool) -> Weights:
    """Bytes of a model in a format: an id of `facts.formats`, or "bpw:X" for X bits per parameter.

    Raises KeyError for a format nobody knows, Refusal (a ValueError) for one that this model cannot have.
    """
    if quant.startswith("bpw:"):
        return _flat(model, bits_per_weight(quant), mtp)
    kind = facts.formats[quant].kind
    if kind == "server":
        from vram_tui.estimator.server_weights import weigh_server

        return weigh_server(model, quant, facts, mtp=mtp)
    if kind != "gguf":
        raise Refusal(f"{quant} is a tensor type, not a format of whole models", "quant")
    file_bytes = loaded = device = host = 0
    counted = census(model)
    for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
        size = tensor_bytes(type_name, tensor.shape)
        held = sum(mtp or not of_mtp or tensor.role in LOADED_ALWAYS for _, of_mtp in rows)
        file_bytes += size * len(rows)
        loaded += size * held
        if tensor.role in HOST_ROLES:
            host += size * held
        if tensor.role not in HOST_ROLES or (tensor.role == "embedding" and not counted.has_head):
            device += held * device_bytes(type_name, tensor.shape)
    return Weights(file_bytes, loaded, device, host, counted.parameters)


def device_bytes(type_name: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor in the buffer of an accelerator: its last row whole, aligned."""
    return pad(tensor_bytes(type_name, shape) + whole_row(type_name, shape[0], ROW_MULTIPLE), ALIGNMENT_BYTES)


def bits_per_weight(quant: str) -> float:
    """The X of "bpw:X". Raises ValueError where it is no number between 0.5 and 32."""
    try:
        bits = float(quant.removeprefix("bpw:"))
    except ValueError:
        bits = 0.0
    if not 0.5 <= bits <= 32:
        raise Refusal(f"{quant}: bits per weight are a number from 0.5 to 32", "quant")
    return bits


def _flat(model: Model, bits: float, mtp: bool) -> Weights:
    counted = census(model)
    elements = {True: 0, False: 0}
    host = copied = 0
    for tensor, places in counted.groups:
        for _, _, of_mtp in places:
            elements[of_mtp] += tensor.elements
        if tensor.role in HOST_ROLES:
            host += tensor.elements
            copied += tensor.elements if tensor.role == "embedding" and not counted.has_head else 0
    loaded = elements[False] + (elements[True] if mtp else 0)

    def size(count: int) -> int:
        return round(count * bits / 8)

    return Weights(
        size(sum(elements.values())), size(loaded), size(loaded - host + copied), size(host), counted.parameters
    )


def layer_bytes(model: Model, quant: str, facts: Facts, *, imatrix: bool, mtp: bool = False) -> LayerBytes:
    """Bytes of every layer in a format; raises what `weigh` raises."""
    if quant.startswith("bpw:"):
        whole = weigh(model, quant, facts, imatrix=imatrix, mtp=mtp)
        return spread_by_elements(model, whole, mtp=mtp)
    counted = census(model)
    device, host = (_Tally(counted.layers) for _ in range(2))
    embedding = 0
    for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
        size, plain = device_bytes(type_name, tensor.shape), tensor_bytes(type_name, tensor.shape)
        tied = tensor.role == "embedding" and not counted.has_head
        if tensor.role in HOST_ROLES:
            embedding += plain
            device.head += size if tied else 0
            continue
        for layer, of_mtp in rows:
            if layer < 0 or mtp or not of_mtp or tensor.role in LOADED_ALWAYS:
                device.add(layer, tensor.role, size)
                host.add(layer, tensor.role, plain)
    return LayerBytes(device.parts(), host.parts(), device.head, host.head, device.repeated, embedding)


def of_experts(role: str) -> bool:
    """Whether a tensor goes where `--n-cpu-moe` sends a layer's experts: their matrices, biases and scales."""
    return "_exps" in role or role == "expert_scale"


class _Tally:
    """Bytes summed by layer."""

    def __init__(self, layers: int) -> None:
        self._layers = [[0, 0, 0, 0] for _ in range(layers)]
        self.head = self.repeated = 0

    def add(self, layer: int, role: str, size: int) -> None:
        if layer < 0 and role in REPEATED_ROLES:
            self.repeated += size
        elif layer < 0 and role not in FIRST_LAYER_ROLES:
            self.head += size
        else:
            row, kind = self._layers[max(layer, 0)], of_experts(role)
            row[kind] += size
            row[2 + kind] = max(row[2 + kind], size)

    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(*row) for row in self._layers)


def spread_by_elements(model: Model, whole: Weights, *, mtp: bool = False) -> LayerBytes:
    """Known totals spread over the layers by their elements, where nothing says how many bytes a tensor takes."""
    counted = census(model)
    tally = _Tally(counted.layers)
    for tensor, places in counted.groups:
        for layer, _, of_mtp in places:
            if tensor.role not in HOST_ROLES and (mtp or not of_mtp):
                tally.add(layer, tensor.role, tensor.elements)
            elif tensor.role == "embedding" and not counted.has_head:
                tally.head += tensor.elements
    parts = tally.parts()
    elements = sum(part.total for part in parts) + tally.head + tally.repeated
    seen = given = 0

    def share(count: int) -> int:
        """Bytes of the next so many elements: what was rounded away before is given then."""
        nonlocal seen, given
        seen += count
        before, given = given, seen * whole.device_bytes // max(elements, 1)
        return given - before

    rate = whole.device_bytes / max(elements, 1)
    layers = tuple(
        Part(
            share(part.dense), share(part.experts), round(part.largest_dense * rate), round(part.largest_expert * rate)
        )
        for part in parts
    )
    head = share(tally.head + tally.repeated)
    return LayerBytes(layers, layers, head, head if counted.has_head else 0, 0, whole.host_bytes)
