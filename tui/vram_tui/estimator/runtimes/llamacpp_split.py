"""llama.cpp's layers over several devices and the RAM beside them: what each of them holds, to the byte."""

from dataclasses import replace
from typing import TYPE_CHECKING

from vram_tui.estimator.caches import Caches, CacheSettings, caches
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.profile import Profile
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.splitting import RAM, Split, split_layers

if TYPE_CHECKING:
    from vram_tui.estimator.overrides import Moved
    from vram_tui.estimator.runtimes.llamacpp_staging import Staged
    from vram_tui.estimator.subject import Subject

_NEIGHBOURS = 2
"""Layers on both sides of a device's that can shape its graph: what is handed over, and gates that wait for it."""
_TOLD = 5
"""Layers of a run of like ones whose memory events a graph tells: three to meet all neighbours, and the last two."""


@record
class Spread:
    """Where a model lies: the place of each layer, the weights' bytes, and which experts stay in RAM."""

    split: Split
    weights: "Moved"
    cpu_experts: int
    """Layers from the first whose experts stay in RAM."""
    layer_count: int
    """Layers of the trunk: what lies behind them in the file is MTP's."""

    @property
    def partial(self) -> bool:
        """Whether something beside the input layer is computed from RAM, or sent elsewhere by a pattern."""
        return not self.split.whole or self.cpu_experts > 0 or bool(self.weights.by_place)

    def span(self, place: int) -> tuple[int, int]:
        """Layers of the trunk at a place."""
        first, after = self.split.span(place)
        return min(first, self.layer_count), min(after, self.layer_count)

    def device_bytes(self, place: int) -> int:
        """Weights on a device."""
        rest = self.weights.rest
        first, after = self.split.span(place)
        total = self.weights.by_place.get(place, 0)
        total += rest.head if self.split.head == place else 0
        total += rest.repeated if after > first else 0
        for number in range(first, after):
            part = rest.layers[number]
            total += part.dense if number < self.cpu_experts else part.total
        return total

    def host_bytes(self) -> tuple[int, int]:
        """Weights in RAM beside the input layer: (whole layers and the head, experts and single tensors)."""
        rest = self.weights.rest
        first, after = self.split.span(RAM)
        whole = sum(part.total for part in rest.host_layers[first:after])
        whole += rest.host_head if self.split.head == RAM else 0
        whole += rest.repeated if after > first else 0
        single = self.weights.by_place.get(RAM, 0)
        single += sum(part.experts for part in rest.host_layers[after : self.cpu_experts])
        return whole, single


def spread(subject: "Subject", quant: str, scenario: Scenario, facts: Facts) -> Spread:
    """Place every tensor as a scenario with a machine says. Raises Refusal where it cannot be."""
    from vram_tui.estimator.overrides import Moved, moved

    machine = scenario.machine
    count = len(machine.devices) if machine else 1
    whole = subject.layer_bytes(quant, scenario.imatrix, scenario.mtp)
    layers = len(whole.layers)
    split = split_layers(layers, shares(scenario), _number(scenario.ngl, "ngl"))
    experts = min(_number(scenario.n_cpu_moe, "n_cpu_moe") or 0, layers)
    if not any(part.experts for part in whole.layers[:experts]):
        experts = 0
    sent = Moved(whole)
    if scenario.override_tensor:
        patterns, imatrix, mtp = scenario.override_tensor, scenario.imatrix, scenario.mtp
        sent = moved(subject.model, quant, facts, whole, patterns, count, imatrix=imatrix, mtp=mtp)
    return Spread(split, sent, experts, subject.profile.layer_count)


def spreads(scenario: Scenario) -> bool:
    """Whether a scenario asks for more than everything on one device."""
    machine = scenario.machine
    if machine is not None and not machine.devices:
        return False
    several = machine is not None and len(machine.devices) > 1
    return several or scenario.ngl is not None or bool(scenario.n_cpu_moe) or bool(scenario.override_tensor)


def shares(scenario: Scenario) -> tuple[float, ...]:
    """Parts of the layers by device: what the scenario gives, else the bytes that each has free."""
    machine = scenario.machine
    if machine is None:
        return (1.0,)
    count, given = len(machine.devices), scenario.tensor_split
    if len(given) > count:
        raise Refusal(f"the tensor split has {len(given)} parts for {count} devices", "tensor_split")
    if given:
        if min(given) < 0 or sum(given) <= 0:
            raise Refusal("the parts of a tensor split are not negative, and one is above 0", "tensor_split")
        return (*given, *(0.0,) * (count - len(given)))
    return tuple(float(machine.budget_bytes(index, free=scenario.free)) for index in range(count))


def _number(value: int | str | None, field: str) -> int | None:
    if isinstance(value, str):
        raise Refusal(f"{field} is a number of layers or auto, not {value!r}", field)
    if value is not None and value < 0:
        raise Refusal(f"{field} is a number of layers from 0, not {value}", field)
    return value


def span_caches(profile: Profile, first: int, after: int, settings: CacheSettings) -> Caches:
    """The caches and states of some layers of the trunk."""
    return caches(of_layers(profile, first, after), settings)


def of_layers(profile: Profile, first: int, after: int) -> Profile:
    """The profile of some layers alone; cache groups that they lack stay, with no layers."""
    layers = profile.layers[first:after]
    kinds = [profile.kinds[number] for number in layers]
    counts = [0] * len(profile.caches)
    for kind in kinds:
        for index in kind.caches:
            counts[index] += 1
    return replace(
        profile,
        layers=layers,
        caches=tuple(group._replace(layers=count) for group, count in zip(profile.caches, counts, strict=True)),
        conv_state=sum(kind.conv_state for kind in kinds),
        matrix_state=sum(kind.matrix_state for kind in kinds),
        recurrent_layers=sum(kind.recurrent for kind in kinds),
        accumulators=sum(kind.accumulators for kind in kinds),
        # Layers without a mixer get caches only where no layer of the model has a state.
        bare_layers=0 if profile.recurrent_layers else sum(kind.bare for kind in kinds),
    )


def device_settings(
    settings: ComputeSettings, found: Spread, profile: Profile, place: int, devices: int, staged: "Staged" = ()
) -> ComputeSettings | None:
    """What shapes the buffer of one device; None where it computes nothing.

    Micro-batches overlap, with copies of every input, only where all is offloaded. The first device also computes
    large batches of what lies in RAM, with copies of those weights (`staged`).
    """
    if not found.partial and devices > 1:
        settings = replace(settings, devices=devices)
    first, after = found.span(place)
    if place == 0 and staged:
        in_ram = found.span(RAM)[1]
        first, after = 0, max(after, in_ram)
        return replace(settings, first=first, after=after, ram_layers=in_ram, staged=staged)
    if first == after and found.split.head != place:
        return None
    whole = first == 0 and after == found.layer_count
    if whole:
        return settings
    first, after = earliest_alike(profile, first, after)
    return replace(settings, first=first, after=after)


def earliest_alike(profile: Profile, first: int, after: int) -> tuple[int, int]:
    """The earliest and fewest layers of the trunk whose graph is that of these: it is followed once for all of them.

    They are like these layers and stand between like neighbours. The ends of the trunk are like nothing else, nor
    are layers without a mixer; and of layers that are all alike the graph tells five, but for sparse ones, which keep
    a constant each.
    """
    layers = profile.layers
    if any(kind.bare for kind in profile.kinds):
        return first, after
    around = layers[max(first - _NEIGHBOURS, 0) : after + _NEIGHBOURS]
    sparse = any(group.kind in ("indexer", "compressed") for group in profile.caches)
    if len(set(around)) == 1 and not sparse and after - first > _TOLD:
        first, after = (after - _TOLD, after) if after == len(layers) else (first, first + _TOLD)
    if first < _NEIGHBOURS or after + _NEIGHBOURS > len(layers):
        return first, after
    size, wanted = after - first, layers[first - _NEIGHBOURS : after + _NEIGHBOURS]
    for start in range(_NEIGHBOURS, first):
        if layers[start - _NEIGHBOURS : start + size + _NEIGHBOURS] == wanted:
            return start, start + size
    return first, after
