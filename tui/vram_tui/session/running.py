"""What runs the selected cell, and how fast: the target, else the reference card of its class, else several of them."""

from dataclasses import dataclass, replace

from vram_tui.estimator.devices import Machine
from vram_tui.estimator.fits import offload_of
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.placing import Offer, Placer, loads, plan_of
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import Speed, speed, speed_of
from vram_tui.estimator.subject import Subject
from vram_tui.session.answers import Answers, Cell
from vram_tui.session.state import Row, Session

COUNTS = (2, 3, 4, 6, 8, 16, 32)
"""How many cards of the largest class with a size are tried for a cell that one of them does not hold."""
KEPT = 256


@dataclass(frozen=True, slots=True)
class Running:
    """A machine for the cell. `plan` is empty on one device; `largest_ctx` 0 where nothing fits or nobody knows."""

    name: str
    plan: str = ""
    speed: Speed | None = None
    largest_ctx: int = 0


class Runners:
    """Answers kept by what they depend on; a class of hardware stands for itself with its reference card."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._found: dict[tuple[str, str, Scenario, int], Running | None] = {}
        self._warm: set[str] = set()

    def at_hand(self, session: Session, row: Row, cell: Cell) -> bool:
        """Whether `find` answers within a fraction of a millisecond."""
        open_ended = not session.target and self._answers.facts.tiers[cell.tier].reference is None
        return self._key(session, row, cell) in self._found or (session.model in self._warm and not open_ended)

    def find(self, session: Session, row: Row, cell: Cell, memory: Memory) -> Running | None:
        """The machine, its plan and speed; None where nothing is known that runs it."""
        key = self._key(session, row, cell)
        if key not in self._found:
            if len(self._found) >= KEPT:
                self._found.clear()
            self._warm.add(session.model)
            try:
                self._found[key] = self._find(session, row, cell, memory)
            except (ValueError, KeyError):  # a format or a machine about which something is not known
                self._found[key] = None
        return self._found[key]

    def _key(self, session: Session, row: Row, cell: Cell) -> tuple[str, str, Scenario, int]:
        return session.model, row.asked, self._scenario(session, row), cell.tokens

    def _scenario(self, session: Session, row: Row) -> Scenario:
        scenario = self._answers.scenario(session, row.runtime)
        return replace(scenario, method="exact") if scenario.method == "difference" else scenario

    def _find(self, session: Session, row: Row, cell: Cell, memory: Memory) -> Running | None:
        answers, scenario, quant = self._answers, self._scenario(session, row), row.asked
        subject = answers.subject(session.model, scenario)
        if scenario.machine is not None:
            return self._on_target(subject, quant, scenario, cell, memory, session.target)
        if session.target:
            return None  # not read yet
        tiers = answers.facts.tiers
        reference = tiers[cell.tier].reference
        if reference is not None:
            machine = answers.machine(reference)
            if machine is None or not loads(scenario.runtime, answers.facts, machine.devices):
                return None
            limit = tiers[cell.tier]
            budget = limit.nominal_bytes if scenario.method == "bytes-per-weight" else limit.usable_bytes
            rate = speed(subject, quant, cell.tokens, replace(scenario, machine=machine), answers.facts)
            return Running(machine.name, "", rate, memory.largest_ctx(budget or 0))
        return self._on_several(subject, quant, scenario, cell)

    def _on_target(
        self, subject: Subject, quant: str, scenario: Scenario, cell: Cell, memory: Memory, name: str
    ) -> Running:
        machine, facts = scenario.machine, self._answers.facts
        assert machine is not None
        reach = memory.largest_ctx_usable() or 0
        plan = _words(plan_of(memory, machine, memory.runtime == "llama.cpp"), machine)
        if cell.fit == "offload":
            away = memory.at(cell.tokens) - sum(device.usable_bytes or 0 for device in memory.devices)
            left = offload_of(subject, quant, memory.weights, max(away, 0), scenario)
            return Running(name, plan, speed(subject, quant, cell.tokens, scenario, facts, offload=left), reach)
        return Running(name, plan, speed_of(subject, quant, cell.tokens, scenario, facts, memory), reach)

    def _on_several(self, subject: Subject, quant: str, scenario: Scenario, cell: Cell) -> Running | None:
        """The fewest cards of the largest class with a size that hold the cell together."""
        answers = self._answers
        reference = next((tier.reference for tier in reversed(answers.facts.tiers) if tier.reference), None)
        machine = answers.machine(reference) if reference else None
        if reference is None or machine is None or not loads(scenario.runtime, answers.facts, machine.devices):
            return None
        offer = Offer(reference, "datacenter", machine, COUNTS)
        if scenario.method == "bytes-per-weight":
            # The rule knows nothing of what every card repeats: its total is shared out as it is.
            limit = next((tier.nominal_bytes for tier in reversed(answers.facts.tiers) if tier.nominal_bytes), 0) or 1
            count = next((count for count in COUNTS if (cell.bytes or 0) <= count * limit), 0)
            if not count:
                return None
            several = offer.machine(count)
            rate = speed(subject, quant, cell.tokens, replace(scenario, machine=several), answers.facts)
            return Running(several.name, _words(Plan(1, count), several), rate)
        placer = Placer(subject, quant, cell.tokens, replace(scenario, machine=None), answers.facts)
        placed = placer.settle(placer.place(offer))
        if not placed.fits:
            return None
        return Running(placed.machine.name, _words(placed.plan, placed.machine), placed.speed, placed.largest_ctx)


def _words(plan: Plan, machine: Machine) -> str:
    """How the devices share the work."""
    count = len(machine.devices)
    if count <= 1:
        return ""
    return f"layers over {count}" if plan.tp == 1 and plan.pp == count else plan.text
