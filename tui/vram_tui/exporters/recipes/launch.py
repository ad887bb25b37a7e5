"""A cell to be launched on a machine: whether it fits there, the plan, the commands, and what would fit instead."""

from collections.abc import Iterator
from dataclasses import replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.placing import SPLITTER, even_reach, evenly, loads
from vram_tui.estimator.plans import NODE_DEVICES, Choice, machine_of, plans, why_not
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.speed import SERVERS
from vram_tui.estimator.speed_constants import engine_of
from vram_tui.estimator.stored import OWN, StoredSubject, format_of
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB
from vram_tui.exporters.recipes import Placement, Recipe, RecipeRequest, recipe
from vram_tui.quantities import format_tokens

COUNTS = (2, 3, 4, 6, 8, 16, 32)
"""How many devices of the machine's kind are tried where one machine does not hold the cell."""
LEAST_TOKENS = 1024
HUB = "hub:"


@record
class Cell:
    """What is to be run. The scenario names the runtime and, where there is one, the machine."""

    subject: Subject
    name: str
    quant: str
    ctx: int
    scenario: Scenario


@record
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


@record
class Held:
    """What the fullest device holds, and how far the context reaches there. `note` says what stays elsewhere."""

    fits: bool | None
    used_bytes: int
    usable_bytes: int | None
    largest_ctx: int | None
    note: str = ""


def launch(cell: Cell, facts: Facts) -> Launch:
    """How to start the cell on its scenario's engine and machine. Raises KeyError for an unknown format."""
    scenario = replace(cell.scenario, method="exact")
    cell = replace(cell, scenario=scenario)
    machine = scenario.machine
    if strange := not_loaded(cell, facts):
        return Launch(None, reason=strange)
    if machine is not None and not loads(scenario.runtime, facts, machine.devices):
        return Launch(None, fits=False, reason=f"{scenario.runtime} does not run on such devices")
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
    """On an engine without ranks, or without a machine to lay ranks over."""
    scenario, ctx = cell.scenario, cell.ctx
    memory = compile_memory(cell.subject, cell.quant, scenario, facts)
    placement, machine = Placement.of(scenario), scenario.machine
    if machine is not None and not machine.devices:
        placement = replace(placement, ngl=0)
    fullest = max(memory.devices, key=lambda device: device.at(ctx) - (device.usable_bytes or 0))
    held = Held(memory.fits(ctx), fullest.at(ctx), fullest.usable_bytes, memory.largest_ctx_usable())
    count = len(machine.devices) if machine else 1
    splits = engine_of(scenario.runtime, facts).id == SPLITTER
    if machine is not None and splits and machine.uniform and len(memory.devices) < count:
        budget = machine.budget_bytes(0, free=scenario.free)
        used = evenly(memory, ctx, count)[0]
        held = Held(used <= budget, used, budget, even_reach(memory, ctx, budget, count))
    if held.fits is not False:
        return _launch(cell, placement, memory, held)
    away = _in_ram(memory, ctx, held, machine, count) if splits else 0
    if away and scenario.ngl == "auto":
        note = f"About {away / GIB:.1f} GiB of the weights stay in RAM, which is slow."
        return _launch(cell, placement, memory, replace(held, fits=True, note=note))
    name = fullest.name if count > 1 else "it"
    return _launch(cell, placement, memory, held, reason=_too_much(name, held.used_bytes, held.usable_bytes or 0))


def _in_ram(memory: Memory, ctx: int, held: Held, machine: Machine | None, count: int) -> int:
    """Bytes of the weights that must stay in RAM for the rest to fit; 0 where that does not help."""
    away = (held.used_bytes - (held.usable_bytes or 0)) * count
    if machine is None or not machine.devices or machine.unified or away >= memory.group_bytes(ctx, "weights"):
        return 0
    ram = machine.host_ram_bytes
    return away if ram is None or memory.host.at(ctx) + away <= ram else 0


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
    held = Held(choice.fits, choice.worst_bytes, choice.usable_bytes, choice.memory.largest_ctx_usable())
    return _launch(cell, placement, choice.memory, held, plan=text, reason=choice.reason)


def _launch(
    cell: Cell, placement: Placement, memory: Memory, held: Held, *, plan: str = "", reason: str = ""
) -> Launch:
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
        largest_ctx=None if held.note else held.largest_ctx,
        layers=cell.subject.profile.layer_count,
    )
    made = recipe(request)
    notes = (*made.notes, *((held.note,) if held.note else ()), *_remarks(cell, memory))
    made = replace(made, notes=notes)
    return Launch(made, plan, held.fits, reason, held.used_bytes, held.usable_bytes, held.largest_ctx)


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
    """The cells closest to one that does not fit, each with words: less context, fewer bits, smaller cache, RAM, cards.

    Empty without a machine, and where nothing helps.
    """
    if cell.scenario.machine is None:
        return ()
    cell = replace(cell, scenario=replace(cell.scenario, method="exact"))
    ways = (_less_context, _fewer_bits, _smaller_cache, _partly_in_ram, _more_devices)
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


def _partly_in_ram(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    other = replace(cell, scenario=replace(cell.scenario, ngl="auto"))
    if cell.scenario.ngl is None and _holds(other, facts):
        yield "a part of the weights in RAM (slow)", other


def _more_devices(cell: Cell, facts: Facts) -> Iterator[tuple[str, Cell]]:
    machine = cell.scenario.machine
    if machine is None or not machine.devices or not machine.uniform:
        return
    for count in COUNTS:
        if count > len(machine.devices):
            other = replace(cell, scenario=replace(cell.scenario, machine=machine_of(machine.devices[0], count)))
            if _holds(other, facts):
                yield other.scenario.machine.name if other.scenario.machine else "", other
