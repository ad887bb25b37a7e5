"""Which plans a machine allows, which of them hold the model, and the fewest or cheapest devices that do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Device, Machine, built_in_link
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.serving import default_plan
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.server_weights import Rule, rule_of
from vram_tui.estimator.sharding import Plan, illegal
from vram_tui.estimator.speed import SERVERS, Speed, speed
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB, ceil_div

NODE_DEVICES = 8
"""Devices that one node joins; more are joined by a network, where stages or experts are cut, hardly tensors."""
COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""How many devices are tried: what nodes are sold with."""


@record
class Choice:
    """One plan on one machine. `reason` says in a sentence why it does not hold; empty where it does.

    `worst_bytes` and `usable_bytes` are those of the fullest rank, `slack_bytes` what is left there.
    """

    plan: Plan
    machine: Machine
    memory: Memory | None
    worst_bytes: int
    usable_bytes: int
    reason: str = ""
    speed: Speed | None = None

    @property
    def fits(self) -> bool:
        return not self.reason

    @property
    def slack_bytes(self) -> int:
        return self.usable_bytes - self.worst_bytes

    @property
    def price(self) -> tuple[bool, float]:
        """For sorting: what is for sale or for rent before what has no price, then by the price."""
        machine = self.machine
        price = machine.price_usd if machine.price_usd is not None else machine.price_usd_hour
        return (price is None, price or 0.0)


def machine_of(device: Device, count: int) -> Machine:
    """Loose devices of one kind in one machine."""
    devices = (device,) * count
    name = f"{count} × {device.name}" if count != 1 else device.name
    return Machine(name, devices, interconnect=built_in_link(devices))


def divisors(number: int) -> tuple[int, ...]:
    return tuple(each for each in range(1, number + 1) if number % each == 0)


def all_plans(count: int, *, experts: bool, pipelines: str = "nodes") -> Iterator[Plan]:
    """Every way to cut `count` devices. `pipelines`: stages only between "nodes", or "any" number of them.

    Replicas with attention of their own (dp) are tried where there are experts to spread over all of them.
    """
    nodes = ceil_div(count, NODE_DEVICES)
    stages = divisors(count) if pipelines == "any" else sorted({1, nodes} if count % nodes == 0 else {1})
    for pp in stages:
        ranks = count // pp
        yield Plan(ranks, pp)
        if not experts or ranks == 1:
            continue
        for dp in divisors(ranks):
            yield Plan(ranks // dp, pp, ranks, dp)


def legal_plans(model: Model, rule: Rule, count: int, *, pipelines: str = "nodes") -> tuple[tuple[Plan, str], ...]:
    """Every plan with the reason why it cannot be, in a sentence; an empty reason where it can."""
    experts = any(layer.feed_forward is not None and layer.feed_forward.kind == "experts" for layer in model.layers())
    return tuple((plan, illegal(model, plan, rule)) for plan in all_plans(count, experts=experts, pipelines=pipelines))


def plans(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, *, pipelines: str = "nodes"
) -> tuple[Choice, ...]:
    """All plans on the scenario's machine: those that hold first, the engines' own choice ahead, then the fastest.

    The same plan is met wherever a cell is asked for, with a plan or without. A scenario that states tp, pp, ep or dp
    keeps only the plans that agree. Runtimes without ranks have one choice. Raises Refusal without a machine, and
    where the format cannot be served at all.
    """
    machine = scenario.machine
    if machine is None or not machine.devices:
        raise Refusal("no device to run on", "gpus")
    if scenario.runtime not in SERVERS:
        return (_choice(subject, quant, ctx, scenario, facts, Plan(1)),)
    if not machine.uniform:
        raise Refusal("a server's ranks must be equal cards: mixed ones are for llama.cpp and its kin", "gpus")
    found = []
    count, rule = len(machine.devices), rule_of(quant, facts)
    usual = default_plan(subject.model, rule, count)
    for plan, reason in legal_plans(subject.model, rule, count, pipelines=pipelines):
        if not _agrees(plan, scenario):
            continue
        if reason:
            found.append(Choice(plan, machine, None, 0, 0, reason))
        else:
            found.append(_choice(subject, quant, ctx, scenario, facts, plan))
    return tuple(sorted(found, key=lambda choice: (not choice.fits, choice.plan != usual, *_rank(choice))))


def _agrees(plan: Plan, scenario: Scenario) -> bool:
    pairs = ((plan.tp, scenario.tp), (plan.pp, scenario.pp), (plan.ep, scenario.ep), (plan.dp, scenario.dp))
    return all(asked is None or have == asked for have, asked in pairs)


def _rank(choice: Choice) -> tuple[float, int, int]:
    rate = choice.speed.decode.tokens_per_s if choice.speed else 0.0
    return (-rate, choice.plan.pp, -choice.slack_bytes)


def _choice(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, plan: Plan) -> Choice:
    machine = scenario.machine
    assert machine is not None
    if scenario.runtime in SERVERS:
        scenario = replace(scenario, tp=plan.tp, pp=plan.pp, ep=plan.ep, dp=plan.dp)
    try:
        memory = compile_memory(subject, quant, scenario, facts)
    except Refusal as refusal:
        return Choice(plan, machine, None, 0, 0, refusal.reason)
    fullest = max(memory.devices, key=lambda device: device.at(ctx) - (device.usable_bytes or 0))
    need, usable = fullest.at(ctx), fullest.usable_bytes or 0
    reason = ""
    if need > usable:
        reason = f"{plan.text}: the fullest card needs {need / GIB:.1f} GiB, {usable / GIB:.1f} GiB can be used"
    known = None if reason else speed(subject, quant, ctx, scenario, facts, plan=plan)
    return Choice(plan, machine, memory, need, usable, reason, known)


def best(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, *, pipelines: str = "nodes"
) -> Choice | None:
    """The first plan that holds, None where none does (`why_not` says why)."""
    try:
        first = next(iter(plans(subject, quant, ctx, scenario, facts, pipelines=pipelines)), None)
    except Refusal:
        return None
    return first if first and first.fits else None


def why_not(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> str:
    """Why no plan holds on the scenario's machine, in a sentence; empty where one does.

    Of plans that are legal the one that lacks least speaks; else the tensor-parallel plan's reason, with the hint
    that a pipeline of single cards would hold it where that is so.
    """
    if scenario.machine is None or not scenario.machine.devices:
        return "no device to run on"
    try:
        tried = plans(subject, quant, ctx, scenario, facts)
    except Refusal as refusal:
        return refusal.reason
    if not tried:
        return "no plan on these devices agrees with the tp, pp, ep and dp asked for"
    if tried[0].fits:
        return ""
    legal = [choice for choice in tried if choice.memory is not None]
    if legal:
        return max(legal, key=lambda choice: choice.slack_bytes).reason
    count = len(scenario.machine.devices)
    reason = tried[0].reason
    if scenario.pp is None and (hint := best(subject, quant, ctx, scenario, facts, pipelines="any")):
        return f"{reason}; a pipeline over {count} devices would hold it ({hint.plan.text}), one after the other"
    return reason


@record
class Fewest:
    """The smallest machine that holds a model, and why one device fewer does not."""

    choice: Choice
    one_fewer: str


def fewest(
    subject: Subject,
    quant: str,
    ctx: int,
    scenario: Scenario,
    device: Device,
    facts: Facts,
    *,
    counts: Sequence[int] = COUNTS,
) -> Fewest | None:
    """The fewest devices of a kind that hold the requests, of the counts that are sold; None where none do."""
    for count in counts:
        on = replace(scenario, machine=machine_of(device, count))
        choice = best(subject, quant, ctx, on, facts)
        if choice:
            fewer = replace(scenario, machine=machine_of(device, count - 1))
            return Fewest(choice, why_not(subject, quant, ctx, fewer, facts))
    return None


def cheapest(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, machines: Iterable[Machine], facts: Facts
) -> tuple[Choice, ...]:
    """The best plan of every machine that holds the requests, the cheapest machine first, unpriced ones last."""
    found = []
    for machine in machines:
        choice = best(subject, quant, ctx, replace(scenario, machine=machine), facts)
        if choice:
            found.append(choice)
    return tuple(sorted(found, key=lambda choice: (*choice.price, choice.plan.devices)))
