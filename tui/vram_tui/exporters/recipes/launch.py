"""A cell to be launched on a machine: whether it fits there, the plan, the commands, and what would fit instead."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.plans import NODE_DEVICES, Choice, machine_of, plans, why_not
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.speed import SERVERS
from vram_tui.estimator.stored import OWN, StoredSubject, format_of
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB
from vram_tui.exporters.recipes import Placement, Recipe, RecipeRequest, recipe
from vram_tui.quantities import format_tokens

COUNTS = (2, 3, 4, 6, 8, 16, 32)
"""How many devices of the machine's kind are tried where one machine does not hold the cell."""
LEAST_TOKENS = 1024
HUB = "hub:"


@dataclass(frozen=True, slots=True)
class Cell:
    """What is to be run. The scenario names the runtime and, where there is one, the machine."""

    subject: Subject
    name: str
    quant: str
    ctx: int
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Launch:
    """The answer. `fits` is None without a machine; `reason` says why it does not fit or cannot be started at all.

    `recipe` is None only where the runtime refuses; a format that it never loads leaves `fits` None. `used_bytes` and
    `usable_bytes` are those of the fullest device.
    """

    recipe: Recipe | None
    plan: str = ""
    fits: bool | None = None
    reason: str = ""
    used_bytes: int | None = None
    usable_bytes: int | None = None
    largest_ctx: int | None = None


def launch(cell: Cell, facts: Facts) -> Launch:
    """How to start the cell on its scenario's engine and machine. Raises KeyError for an unknown format."""
    scenario = replace(cell.scenario, method="exact")
    cell = replace(cell, scenario=scenario)
    machine = scenario.machine
    if strange := not_loaded(cell, facts):
        return Launch(None, reason=strange)
    try:
        if machine is None or not machine.devices or scenario.runtime not in SERVERS:
            return _alone(cell, facts)
        choices = plans(cell.subject, cell.quant, cell.ctx, scenario, facts)
    except Refusal as refusal:
        return Launch(None, fits=False if machine else None, reason=refusal.reason)
    held = [choice for choice in choices if choice.memory is not None]
    if not held:
        reason = why_not(cell.subject, cell.quant, cell.ctx, scenario, facts)
        return Launch(None, fits=False, reason=reason)
    return _planned(cell, held[0] if held[0].fits else max(held, key=lambda choice: choice.slack_bytes), machine)


def not_loaded(cell: Cell, facts: Facts) -> str:
    """Why the runtime cannot load the format on any machine, in a sentence; empty where it can."""
    runtime = cell.scenario.runtime
    if cell.quant.startswith("bpw:") or runtime in (known := format_of(cell.subject, cell.quant, facts)).runtimes:
        return ""
    near = stand_in(cell, facts)
    closest = f"; of its own formats {near} is closest" if near else ""
    return f"{runtime} does not load {known.id} ({', '.join(known.runtimes)} do){closest}"


def stand_in(cell: Cell, facts: Facts) -> str:
    """The format closest in bits that the scenario's runtime loads; empty where it loads none."""
    bits = format_of(cell.subject, cell.quant, facts).bits_per_weight
    loaded = [
        known
        for known in facts.formats.values()
        if cell.scenario.runtime in known.runtimes and known.rule.get("scope") != "experts"
    ]
    return min(loaded, key=lambda known: abs(known.bits_per_weight - bits)).id if loaded else ""


def _alone(cell: Cell, facts: Facts) -> Launch:
    """On an engine without ranks, or with the plan that the scenario spells out itself."""
    memory = compile_memory(cell.subject, cell.quant, cell.scenario, facts)
    placement = Placement.of(cell.scenario)
    machine = cell.scenario.machine
    if machine is not None and not machine.devices:
        placement = replace(placement, ngl=0)
    fits = memory.fits(cell.ctx)
    fullest = max(memory.devices, key=lambda device: device.at(cell.ctx) - (device.usable_bytes or 0))
    used, usable = fullest.at(cell.ctx), fullest.usable_bytes
    name = fullest.name if len(memory.devices) > 1 else "it"
    reason = "" if fits is not False else _too_much(name, used, usable or 0)
    return _launch(cell, placement, memory, "", reason, used, usable)


def _planned(cell: Cell, choice: Choice, machine: Machine) -> Launch:
    plan = choice.plan
    group = machine.interconnect.group if machine.interconnect and machine.interconnect.group else 0
    per_node = max(group, NODE_DEVICES)
    placement = Placement(
        devices=plan.devices,
        devices_per_node=per_node if plan.devices > per_node else 0,
        tp=plan.tp,
        pp=plan.pp,
        ep=plan.ep,
        dp=plan.dp,
    )
    assert choice.memory is not None
    text = plan.text if plan.devices > 1 else ""
    return _launch(cell, placement, choice.memory, text, choice.reason, choice.worst_bytes, choice.usable_bytes)


def _launch(
    cell: Cell, placement: Placement, memory: Memory, plan: str, reason: str, used: int, usable: int | None
) -> Launch:
    largest = memory.largest_ctx_usable()
    file, repo = _source(cell)
    request = RecipeRequest(
        model=cell.subject.id,
        name=cell.name,
        quant=cell.quant.removeprefix(OWN),
        ctx=cell.ctx,
        scenario=cell.scenario,
        placement=placement,
        file=file,
        repo=repo,
        largest_ctx=largest,
        layers=cell.subject.profile.layer_count,
    )
    fits = memory.fits(cell.ctx) if not reason else False
    made = recipe(request)
    made = replace(made, notes=(*made.notes, *_remarks(cell, memory)))
    return Launch(made, plan, fits, reason, used, usable, largest)


def _remarks(cell: Cell, memory: Memory) -> tuple[str, ...]:
    """What must be known of the memory besides: its warnings, and a context that the model was not made for."""
    native = memory.native_tokens
    if not native or memory.ctx_per_seq(cell.ctx) <= native or cell.ctx <= native:
        return memory.warnings
    beyond = f"The model's native context is {native:,} tokens: beyond it the engine needs a scaled position embedding."
    return (*memory.warnings, beyond)


def _source(cell: Cell) -> tuple[str, str]:
    """File and repository that hold the model in this format, as far as an import left them."""
    stored = cell.subject.files.get(cell.quant) if isinstance(cell.subject, StoredSubject) else None
    if stored is None or not stored.path:
        return "", ""
    if stored.path.startswith(HUB):
        return "", "/".join(stored.path.removeprefix(HUB).split("/")[:2])
    return stored.path, ""


def _too_much(name: str, used: int, usable: int) -> str:
    return f"{name} needs {used / GIB:.1f} GiB, {usable / GIB:.1f} GiB can be used"


# What would fit instead


def nearest(cell: Cell, facts: Facts) -> tuple[tuple[str, Cell], ...]:
    """The cells closest to one that does not fit, each with words: less context, fewer bits, smaller cache, more cards.

    Empty without a machine, and where nothing helps.
    """
    if cell.scenario.machine is None:
        return ()
    cell = replace(cell, scenario=replace(cell.scenario, method="exact"))
    ways = (_less_context, _fewer_bits, _smaller_cache, _more_devices)
    return tuple(found for way in ways if (found := next(way(cell, facts), None)) is not None)


def _holds(cell: Cell, facts: Facts) -> bool:
    try:
        return launch(cell, facts).fits is True
    except KeyError:
        return False


def _less_context(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    largest = launch(cell, facts).largest_ctx or 0
    if LEAST_TOKENS <= largest < cell.ctx:
        tokens = largest // LEAST_TOKENS * LEAST_TOKENS
        yield f"{cell.quant.removeprefix(OWN)} at {format_tokens(tokens)}", replace(cell, ctx=tokens)


def _fewer_bits(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    """The same context in the largest smaller format that the runtime loads."""
    if cell.quant.startswith("bpw:"):
        return
    own = format_of(cell.subject, cell.quant, facts)
    smaller = [
        known
        for known in facts.formats.values()
        if cell.scenario.runtime in known.runtimes and known.bits_per_weight < own.bits_per_weight
    ]
    for known in sorted(smaller, key=lambda known: -known.bits_per_weight):
        other = replace(cell, quant=known.id)
        if _holds(other, facts):
            yield f"{known.id} at {format_tokens(cell.ctx)}", other


def _smaller_cache(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    kind = "fp8" if cell.scenario.runtime in SERVERS else "q8_0"
    if cell.scenario.kv_k in ("f16", "bf16", "f32", "auto"):
        other = replace(cell, scenario=replace(cell.scenario, kv_k=kind, kv_v=kind))
        if _holds(other, facts):
            yield f"a {kind} cache", other


def _more_devices(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    machine = cell.scenario.machine
    if machine is None or not machine.devices or not machine.uniform:
        return
    for count in COUNTS:
        if count > len(machine.devices):
            other = replace(cell, scenario=replace(cell.scenario, machine=machine_of(machine.devices[0], count)))
            if _holds(other, facts):
                yield other.scenario.machine.name if other.scenario.machine else "", other
