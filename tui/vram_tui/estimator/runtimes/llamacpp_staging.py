"""Weights in RAM that llama.cpp copies to the first device for every large batch (`--op-offload`, on by default)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.splitting import RAM
from vram_tui.estimator.stored import known_format
from vram_tui.estimator.weights import (
    FIRST_LAYER_ROLES,
    HOST_ROLES,
    REPEATED_ROLES,
    census,
    device_bytes,
    of_experts,
    typed_tensors,
)

if TYPE_CHECKING:
    from vram_tui.estimator.runtimes.llamacpp_split import Spread
    from vram_tui.estimator.subject import Subject

Staged = tuple[tuple[tuple[str, int], ...], ...]


def staged_weights(subject: "Subject", quant: str, scenario: Scenario, facts: Facts, found: "Spread") -> Staged:
    """(role, bytes on the device) of what lies in RAM of each layer of the trunk and, last, of the head.

    Of formats whose tensors nobody knows one by one: as many bytes as their share of the elements.
    """
    from vram_tui.estimator.overrides import placer

    place = placer(scenario.override_tensor, 1 << 20)
    in_ram, head_in_ram = found.split.in_ram, found.split.head == RAM
    layers: list[dict[str, int]] = [{} for _ in range(found.layer_count)]
    head: dict[str, int] = {}
    for role, layer, size in _sizes(subject, quant, scenario, facts):
        sent = place(layer, role)
        if layer >= found.layer_count:
            continue
        if role in REPEATED_ROLES:
            for rows in layers[:in_ram]:
                rows[role] = size
        elif layer < 0 and role not in FIRST_LAYER_ROLES:
            if sent == RAM or (sent is None and head_in_ram):
                head["head" if role == "embedding" else role] = size
        elif sent == RAM or (sent is None and (layer < in_ram or (layer < found.cpu_experts and of_experts(role)))):
            layers[max(layer, 0)][role] = size
    return (*(tuple(rows.items()) for rows in layers), tuple(head.items()))


def _sizes(subject: "Subject", quant: str, scenario: Scenario, facts: Facts) -> Iterator[tuple[str, int, int]]:
    """(role, layer, bytes) of every weight; the layer of the model-wide ones is -1."""
    model, known = subject.model, known_format(subject, quant)
    counted = census(model)
    if known not in facts.formats or facts.formats[known].kind != "gguf":
        weights = subject.weights(quant, scenario.imatrix)
        rate = weights.loaded_bytes / max(weights.parameters, 1)
        for tensor, places in counted.groups:
            if tensor.role not in HOST_ROLES:
                yield from ((tensor.role, layer, round(tensor.elements * rate)) for layer, _, _ in places)
        return
    ratio = 1.0
    if known != quant:
        whole = (subject.weights(name, scenario.imatrix).loaded_bytes for name in (quant, known))
        ratio = next(whole) / max(next(whole), 1)
    for tensor, type_name, rows in typed_tensors(model, known, facts, imatrix=scenario.imatrix):
        tied = tensor.role == "embedding" and not counted.has_head
        if tensor.role in HOST_ROLES and not tied:
            continue
        size = device_bytes(type_name, tensor.shape)
        yield from ((tensor.role, layer, round(size * ratio)) for layer, _ in rows)
