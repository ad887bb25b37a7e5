"""What all servers share: plan, weights of a rank, and the Memory that their terms add up to."""

from collections.abc import Sequence
from typing import Protocol

from vram_tui.estimator.devices import Device
from vram_tui.estimator.facts import Constant, Facts
from vram_tui.estimator.memory import CachePart, Cost, DeviceMemory, Memory, Reach
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.layers import stage_layers
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.server_weights import Rule, rule_of, tower_bytes
from vram_tui.estimator.sharding import Plan, illegal, rank_weights
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB, ceil_div


@record
class Held:
    """What the caches of one stage's ranks take for the requests of a replica."""

    reaches: tuple[Reach, ...]
    costs: tuple[Cost, ...]
    parts: tuple[CachePart, ...] = ()
    warnings: tuple[str, ...] = ()


@record
class Setting:
    """One way of serving, resolved: what every runtime's rules are asked with. `requests` are those of a replica."""

    model: Model
    scenario: Scenario
    facts: Facts
    plan: Plan
    rule: Rule
    requests: int
    device: Device | None

    @property
    def memory_gib(self) -> float | None:
        """The size of the card in GiB, None for an unlimited device."""
        return self.device.memory_bytes / GIB if self.device else None


class Rules(Protocol):
    """A runtime behind this protocol: how it caches, what else it holds, what a process may use."""

    def caches(self, setting: Setting, layers: Sequence[Layer]) -> Held: ...

    def costs(self, setting: Setting, layers: Sequence[Layer]) -> tuple[Cost, ...]: ...

    def usable(self, setting: Setting, usable_bytes: int) -> int: ...


def constant_cost(name: str, group: str, known: Constant, unit_bytes: int, scale: float = 1.0) -> Cost:
    """A cost that is a constant of the runtime, times `scale`."""
    size = round(known.value * scale * unit_bytes)
    return Cost(name, group, size, basis=known.basis, source=known.source, error=known.error)


def resolve(subject: Subject, quant: str, scenario: Scenario, facts: Facts, *, uneven: bool = False) -> Setting:
    """The plan and the rest of a server scenario. Raises Refusal with the reason where it cannot be."""
    rule = rule_of(quant, facts)
    known = facts.formats.get(quant)
    if known is not None and known.runtimes and scenario.runtime not in known.runtimes:
        loads = ", ".join(known.runtimes)
        raise Refusal(f"{scenario.runtime} does not load {quant} (what does: {loads})", "quant")
    devices = scenario.machine.devices if scenario.machine else ()
    if len({device.id for device in devices}) > 1 and not uneven:
        raise Refusal("a server's ranks must be equal cards: mixed ones are for llama.cpp and its kin", "gpus")
    plan = _plan(subject.model, scenario, rule, len(devices), uneven)
    if devices and plan.devices > len(devices):
        raise Refusal(f"{plan.text} needs {plan.devices} devices, {len(devices)} are there", "gpus")
    reason = illegal(subject.model, plan, rule, uneven=uneven)
    if reason:
        if (scenario.tp, scenario.pp, scenario.ep, scenario.dp) == (None,) * 4 and len(devices) > 1:
            raise Refusal(f"no plan cuts the model over {len(devices)} devices: {reason}", "gpus")
        raise Refusal(reason, "ep" if reason.startswith("ep") else "pp" if reason.startswith("pp") else "tp")
    smallest = min(devices, key=lambda device: device.usable_bytes, default=None)
    requests = ceil_div(max(scenario.seqs, 1), plan.dp)
    return Setting(subject.model, scenario, facts, plan, rule, requests, smallest)


def _plan(model: Model, scenario: Scenario, rule: Rule, count: int, uneven: bool) -> Plan:
    """The plan that the scenario states; what it leaves open takes the rest of the devices as tensor parallel."""
    asked = (scenario.tp, scenario.pp, scenario.ep, scenario.dp)
    pp, ep, dp = scenario.pp or 1, scenario.ep or 1, scenario.dp or 1
    tp = scenario.tp or max(1, count // (pp * dp) if count else (ep // dp if scenario.ep else 1))
    if asked == (None, None, None, None) and count > 1:
        return default_plan(model, rule, count, uneven=uneven)
    return Plan(tp, pp, ep, dp)


def default_plan(model: Model, rule: Rule, count: int, *, uneven: bool = False) -> Plan:
    """What the engines' recipes take for `count` devices: tensor parallel, whole experts where slices cannot be,
    stages only between nodes. The plain tensor-parallel plan where nothing is legal, so that its reason is told."""
    nodes = ceil_div(count, 8)
    choices = [Plan(count), Plan(count, ep=count)]
    if nodes > 1 and count % nodes == 0:
        choices += [Plan(count // nodes, nodes), Plan(count // nodes, nodes, count // nodes)]
    for plan in choices:
        if not illegal(model, plan, rule, uneven=uneven):
            return plan
    return choices[0]


def assemble(subject: Subject, quant: str, setting: Setting, rules: Rules) -> Memory:
    """The Memory of a plan: weights, caches and the rest on every rank of every stage."""
    model, scenario, plan = setting.model, setting.scenario, setting.plan
    weights = rank_weights(model, setting.rule, plan, mtp=scenario.mtp)
    towers = tower_bytes(model)
    devices: list[DeviceMemory] = []
    parts: tuple[CachePart, ...] = ()
    warnings: tuple[str, ...] = ()
    for stage, layers in enumerate(stage_layers(model, plan, mtp=scenario.mtp)):
        held = rules.caches(setting, layers)
        costs = [
            Cost(
                "weights",
                "weights",
                weights.stage_bytes[stage],
                formula="tensors of a rank",
                numbers=(("plan", plan.text), ("stage", stage)),
                source="shapes of the model's tensors",
            ),
            *held.costs,
            *rules.costs(setting, layers),
        ]
        if towers and stage == 0:
            costs.append(Cost("towers", "weights", towers, formula="parameters · 2 bytes", basis="assumed", error=0.1))
        parts += held.parts
        warnings += tuple(text for text in held.warnings if text not in warnings)
        for _ in range(plan.tp * plan.dp):
            devices.append(_rank(len(devices), setting, rules, held, tuple(costs)))
    whole = subject.weights(quant, scenario.imatrix, scenario.mtp)
    table = Cost("weights", "weights", whole.host_bytes if setting.rule.host_embedding else 0)
    return Memory(
        quant=quant,
        weights=whole,
        devices=tuple(devices),
        host=DeviceMemory("host", costs=(table,)),
        cache_parts=parts,
        warnings=warnings,
        native_tokens=model.context_tokens,
        runtime=scenario.runtime,
    )


def _rank(index: int, setting: Setting, rules: Rules, held: Held, costs: tuple[Cost, ...]) -> DeviceMemory:
    found = setting.scenario.machine
    if found is None or not found.devices:
        return DeviceMemory(f"rank {index}", held.reaches, costs)
    budget = found.budget_bytes(index, free=setting.scenario.free)
    return DeviceMemory(found.devices[index].name, held.reaches, costs, usable_bytes=rules.usable(setting, budget))
