"""How much of a model goes on the devices: the most layers or experts that fit, and what llama.cpp's `--fit` takes."""

from collections.abc import Callable
from dataclasses import replace

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.curves import STEP_TOKENS
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import AtOnePoint, Subject
from vram_tui.estimator.units import MIB

AUTO = "auto"
FIT_MARGIN_BYTES = 1024 * MIB
"""What `--fit` leaves free on every device (`--fit-target`)."""
FIT_TOKENS = 4096
"""The shortest context that `--fit` shrinks to (`--fit-ctx`). Source of both: llama.cpp common/arg.cpp, b11549."""


@record
class FitChoice:
    """What `--fit` decides: the context, layers and experts, whether they fit, and a sentence that says so."""

    ctx: int
    ngl: int
    n_cpu_moe: int
    fits: bool
    text: str


def settled(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> Scenario:
    """The scenario with numbers where it says `auto`: as few layers and experts in RAM as hold `ctx` tokens.

    Experts go first where both are open. A `ctx` of 0 stands for the shortest that `--fit` takes. Where nothing
    limits the devices all goes there; where nothing fits, as much as can be stays in RAM.
    """
    if AUTO not in (scenario.ngl, scenario.n_cpu_moe):
        return scenario
    layers = len(subject.layer_bytes(quant, scenario.imatrix, scenario.mtp).layers)
    holds = _holder(subject, quant, ctx or FIT_TOKENS, scenario, facts)
    found = scenario
    if scenario.n_cpu_moe == AUTO:
        whole = replace(scenario, ngl=None if scenario.ngl == AUTO else scenario.ngl)
        count = fewest(layers, lambda number: holds(replace(whole, n_cpu_moe=number)))
        found = replace(whole, n_cpu_moe=layers if count is None else count)
        if count is not None or scenario.ngl != AUTO:
            return found
    count = fewest(layers + 1, lambda number: holds(replace(found, ngl=layers + 1 - number)))
    return replace(found, ngl=0 if count is None else layers + 1 - count)


def fewest(most: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest number from 0 to `most` with which it holds; None where it does with none.

    Nothing in RAM spares the copies that large batches need, so 0 is asked by itself. Sought from the end that has
    room: with several devices the numbers that hold need not follow each other.
    """
    return next((number for number in range(most + 1) if holds(number)), None)


def _holder(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> Callable[[Scenario], bool]:
    """Whether a scenario's devices hold the context. The buffers are followed only where all else fits."""
    point = AtOnePoint(subject)
    budgets = budgets_of(scenario)

    def holds(asked: Scenario) -> bool:
        if budgets is None:
            return True
        memory = compile_memory(point, quant, asked, facts)
        point.tokens = memory.devices[0].tokens(ctx)
        pairs = tuple(zip(memory.devices, budgets, strict=True))
        if any(device.costs_at(ctx) > budget for device, budget in pairs):
            return False
        return all(device.at(ctx) <= budget for device, budget in pairs)

    return holds


def budgets_of(scenario: Scenario) -> tuple[int, ...] | None:
    """Bytes that each device of a scenario may hold; None without devices."""
    machine = scenario.machine
    if machine is None or not machine.devices:
        return None
    return tuple(machine.budget_bytes(index, free=scenario.free) for index in range(len(machine.devices)))


def fit_choice(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, *, fixed_ctx: bool = False
) -> FitChoice | None:
    """What llama.cpp's `--fit` (on by default) would run on the scenario's machine; None without devices.

    It keeps a margin on each device. Where all layers do not fit at `ctx` tokens it takes a shorter context, though
    not one that was asked for (`fixed_ctx`); then experts of the first layers go to RAM, then whole layers.
    Source: llama.cpp common/fit.cpp.
    """
    machine = scenario.machine
    if machine is None or not machine.devices:
        return None
    margin = _with_margin(machine)
    asked = replace(scenario, machine=margin, ngl=None, n_cpu_moe=None, tensor_split=())
    layers = len(subject.layer_bytes(quant, scenario.imatrix, scenario.mtp).layers)
    memory = compile_memory(subject, quant, asked, facts)
    shortest = ctx if fixed_ctx else min(FIT_TOKENS, ctx)
    reach = memory.largest_within(budgets_of(asked) or ())
    if reach >= shortest:
        taken = min(ctx, reach)
        return FitChoice(taken, layers + 1, 0, True, _said(taken, ctx, layers + 1, 0, layers))
    both = replace(asked, ngl=AUTO, n_cpu_moe=AUTO if subject.profile.experts > 1 else None)
    found = settled(subject, quant, shortest, both, facts)
    ngl = layers + 1 if found.ngl is None else int(found.ngl)
    experts = int(found.n_cpu_moe or 0)
    fits = _holder(subject, quant, shortest, asked, facts)(found)
    return FitChoice(shortest, ngl, experts, fits, _said(shortest, ctx, ngl, experts, layers))


def _with_margin(machine: Machine) -> Machine:
    devices = tuple(
        replace(device, usable_bytes=max(device.usable_bytes - FIT_MARGIN_BYTES, STEP_TOKENS))
        for device in machine.devices
    )
    free = machine.free_bytes and tuple(
        None if left is None else max(left - FIT_MARGIN_BYTES, STEP_TOKENS) for left in machine.free_bytes
    )
    return replace(machine, devices=devices, free_bytes=free)


def _said(ctx: int, asked: int, ngl: int, experts: int, layers: int) -> str:
    parts = [f"a context of {ctx:,} tokens" + (f" instead of {asked:,}" if ctx < asked else "")]
    parts.append("all layers on the GPU" if ngl > layers else f"{ngl} of {layers + 1} layers on the GPU")
    if experts:
        parts.append(f"the experts of {experts} layers in RAM")
    return "llama.cpp's --fit would take " + ", ".join(parts) + "."
