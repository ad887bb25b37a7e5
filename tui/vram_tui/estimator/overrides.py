"""Tensors that a person sends elsewhere, as `--override-tensor PATTERN=BUFFER` does: their bytes there and here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import field

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.formats import tensor_bytes
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.splitting import RAM
from vram_tui.estimator.tensor_names import tensor_name
from vram_tui.estimator.weights import (
    FIRST_LAYER_ROLES,
    HOST_ROLES,
    LOADED_ALWAYS,
    REPEATED_ROLES,
    LayerBytes,
    Part,
    device_bytes,
    of_experts,
    typed_tensors,
)

_BUFFER = re.compile(r"[A-Za-z]+(\d+)")


@record
class Moved:
    """What patterns send elsewhere: bytes by place, the largest tensor of them in RAM, and all that stays."""

    rest: LayerBytes
    by_place: Mapping[int, int] = field(default_factory=dict)
    largest_in_ram: int = 0


def moved(
    model: Model, quant: str, facts: Facts, whole: LayerBytes, patterns: tuple[str, ...], devices: int, *,
    imatrix: bool, mtp: bool,
) -> Moved:  # fmt: skip
    """Apply patterns in their order: the first that is found in a tensor's name places it.

    Raises Refusal for a pattern that is none, names no device or finds no tensor, and for formats whose single
    tensors are not known.
    """
    if not patterns:
        return Moved(whole)
    if quant not in facts.formats or facts.formats[quant].kind != "gguf":
        raise Refusal(f"tensors of {quant} cannot be placed one by one: their sizes are not known", "override_tensor")
    rules = [_rule(pattern, devices) for pattern in patterns]
    found = [False] * len(rules)
    layers, host = [list(part) for part in whole.layers], [list(part) for part in whole.host_layers]
    head, host_head = whole.head, whole.host_head
    by_place: dict[int, int] = {}
    largest = 0
    for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
        if tensor.role in HOST_ROLES or tensor.role in REPEATED_ROLES:
            continue
        here, there = device_bytes(type_name, tensor.shape), tensor_bytes(type_name, tensor.shape)
        for layer, of_mtp in rows:
            if of_mtp and not mtp and tensor.role not in LOADED_ALWAYS:
                continue
            number = _first(rules, tensor_name(layer, tensor.role))
            if number is None:
                continue
            found[number] = True
            place = rules[number][1]
            by_place[place] = by_place.get(place, 0) + (there if place == RAM else here)
            if place == RAM and layer >= 0:
                largest = max(largest, there)
            if layer < 0 and tensor.role not in FIRST_LAYER_ROLES:
                head, host_head = head - here, host_head - there
            else:
                kind = int(of_experts(tensor.role))
                layers[max(layer, 0)][kind] -= here
                host[max(layer, 0)][kind] -= there
    for pattern, used in zip(patterns, found, strict=True):
        if not used:
            raise Refusal(f"{pattern!r} finds none of the tensors of this model by their names", "override_tensor")
    rest = whole._replace(
        layers=tuple(Part(*row) for row in layers),
        host_layers=tuple(Part(*row) for row in host),
        head=head,
        host_head=host_head,
    )
    return Moved(rest, by_place, largest)


def placer(patterns: tuple[str, ...], devices: int) -> Callable[[int, str], int | None]:
    """Where patterns send a tensor of a layer and role; None where they do not. Raises Refusal like `moved`."""
    rules = [_rule(pattern, devices) for pattern in patterns]

    def place(layer: int, role: str) -> int | None:
        number = _first(rules, tensor_name(layer, role)) if rules else None
        return None if number is None else rules[number][1]

    return place


def _rule(pattern: str, devices: int) -> tuple[re.Pattern[str], int]:
    text, equals, buffer = pattern.partition("=")
    if not equals or not text or not buffer:
        raise Refusal(f"{pattern!r} is not PATTERN=BUFFER", "override_tensor")
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise Refusal(f"{text!r} is no regular expression: {error}", "override_tensor") from None
    if buffer.upper() == "CPU":
        return compiled, RAM
    named = _BUFFER.fullmatch(buffer)
    if named is None or int(named[1]) >= devices:
        raise Refusal(f"there is no buffer {buffer!r}: CPU, or CUDA0 to CUDA{devices - 1}", "override_tensor")
    return compiled, int(named[1])


def _first(rules: list[tuple[re.Pattern[str], int]], name: str) -> int | None:
    return next((number for number, (pattern, _) in enumerate(rules) if pattern.search(name)), None)
