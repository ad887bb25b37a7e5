"""One way to every figure: models compiled once per format and scenario, asked for any context."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import TIGHT_SHARE, Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import DEFAULT_QUANT, LIST_TOKENS, Scenario
from vram_tui.estimator.subject import AtOnePoint, Subject
from vram_tui.session.local import LocalMachine, is_local
from vram_tui.session.state import NATIVE, Row, Session
from vram_tui.text import safe

if TYPE_CHECKING:
    from vram_tui.catalog.hardware import HardwareCatalogue

KEPT_MEMORIES = 96
USUAL = Scenario()
"""The scenario for which a compiled catalogue brings the figures of its list."""
SPILLING_ENGINE = "llama.cpp"
"""The engine that can leave a part of the weights in host memory."""


class Summary(Protocol):
    """A model as the list needs it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def vendor(self) -> str: ...
    @property
    def license(self) -> str: ...
    @property
    def released(self) -> date | None: ...
    @property
    def parameters(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def modalities(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def partial(self) -> bool: ...


class Library(Protocol):
    """What is asked of a catalogue."""

    @property
    def entries(self) -> Sequence[Any]: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def hardware(self) -> "HardwareCatalogue": ...
    def entry(self, model: str, /) -> Any: ...
    def adopt(self, entry: Any, /) -> None: ...
    def search(self, query: str, memory: Callable[[str], int | None] | None = None) -> Sequence[Any]: ...
    def subject(self, model: str, /, profile: str = "verified") -> Subject: ...
    def listed_bytes(self, model: str, /) -> int | None: ...


Compile = Callable[[Subject, str, Scenario, Facts], Memory]


@record
class Cell:
    """One figure of the grid. `bytes` is None where there is none, and `reason` says why.

    `tier` indexes the facts' tiers; `fit` is empty without a target, else fits, tight, offload or no; `beyond` marks
    a context longer than the native one; `rule_bytes` is the rule of thumb's figure in the method "difference".
    """

    tokens: int
    bytes: int | None
    tier: int = 0
    fit: str = ""
    headroom_bytes: int | None = None
    beyond: bool = False
    reason: str = ""
    rule_bytes: int | None = None


class Rating(NamedTuple):
    """A model in the list, for the default format at `LIST_TOKENS`: its bytes, their tier, the target's verdict."""

    bytes: int
    tier: int
    fit: str = ""


class Answers:
    """Figures of a catalogue's models. Everything compiled is kept; a refusal is kept like an answer."""

    def __init__(self, library: Library, compiler: Compile | None = None) -> None:
        self.library = library
        self.facts = library.facts
        self._compiler = compiler or compile_memory
        self._memories: dict[tuple[str, str, Scenario], Memory | str] = {}
        self._machines: dict[str, Machine | None] = {"": None}
        self.local = LocalMachine()
        self._asked: tuple[Scenario, str | None, str] | None = None
        self._scenario = Scenario()
        self._listed_for: Scenario | None = None
        self._listed: dict[str, Rating | None] = {}

    def machine(self, target: str) -> Machine | None:
        """The machine a text names; None for no text. Raises ValueError with the mend for an unknown one.

        `local` is the machine at hand: None until it was read.
        """
        if is_local(target):
            return self.local.machine
        if target not in self._machines:
            from vram_tui.catalog.hardware_text import parse_hardware

            self._machines[target] = parse_hardware(target, self.library.hardware)
        return self._machines[target]

    def machine_read(self) -> None:
        """The machine at hand is known now: what was answered for it before is void."""
        self._asked = None

    def scenario(self, session: Session, runtime: str | None = None) -> Scenario:
        """The session's scenario on its target machine, for a row with or without a runtime of its own."""
        asked = (session.scenario, runtime, session.target)
        if asked != self._asked:
            try:
                machine = self.machine(session.target)
            except ValueError:
                machine = None
            self._scenario = replace(session.scenario, runtime=runtime or session.scenario.runtime, machine=machine)
            self._asked = asked
        return self._scenario

    def compiled(self, model: str, quant: str, scenario: Scenario) -> Memory | str:
        """The compiled memory, or the sentence with which it was refused."""
        key = (model, quant, scenario)
        found = self._memories.get(key)
        if found is None:
            if len(self._memories) >= KEPT_MEMORIES:
                self._memories.clear()
            found = self._memories[key] = self._compile(model, quant, scenario)
        return found

    def _compile(self, model: str, quant: str, scenario: Scenario) -> Memory | str:
        try:
            return self._compiler(self.subject(model, scenario), quant, scenario, self.facts)
        except (ValueError, KeyError, NotImplementedError) as refused:
            return safe(str(refused.args[0]) if refused.args else str(refused))

    def subject(self, model: str, scenario: Scenario) -> Subject:
        """The model in the profile of the scenario, where it has that one."""
        # Only the published profile needs the whole entry to be read first.
        published = scenario.profile != "verified" and self.has_published(model)
        return self.library.subject(model, scenario.profile if published else "verified")

    def forget(self, model: str) -> None:
        """Drop what was compiled of a model whose entry is another one now."""
        self._memories = {key: found for key, found in self._memories.items() if key[0] != model}

    def memory(self, model: str, quant: str, scenario: Scenario) -> Memory:
        """The compiled memory. Raises ValueError with the reason where the runtime refuses."""
        found = self.compiled(model, quant, scenario)
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def has_published(self, model: str) -> bool:
        return self.library.entry(model).published is not None

    def of_row(self, session: Session, row: Row) -> Memory | str:
        """The memory behind one row of the grid."""
        scenario = self.scenario(session, row.runtime)
        if scenario.method == "difference":
            scenario = replace(scenario, method="exact")
        return self.compiled(session.model, row.asked, scenario)

    def tokens(self, model: str, context: int) -> int:
        """A column's context for one model: its own where the column stands for the native one."""
        return context if context != NATIVE else self.library.entry(model).context_native or 0

    def cells(self, session: Session, row: Row) -> list[Cell]:
        """One row of the grid."""
        native = self.library.entry(session.model).context_native or 0
        found = self.of_row(session, row)
        rule: Memory | str = ""
        if session.scenario.method == "difference":
            scenario = replace(self.scenario(session, row.runtime), method="bytes-per-weight")
            rule = self.compiled(session.model, row.asked, scenario)
        cells = []
        for context in session.grid.contexts:
            tokens = context or native
            if isinstance(found, str) or not tokens:
                reason = found if isinstance(found, str) else "no source states the native context"
                cells.append(Cell(tokens, None, reason=reason))
            else:
                cells.append(self.cell_of(found, tokens, native, session.scenario.method, rule))
        return cells

    def cell_of(self, memory: Memory, tokens: int, native: int, method: str, rule: Memory | str = "") -> Cell:
        """One figure of a compiled memory; `rule` is that of the rule of thumb in the method "difference"."""
        total = memory.at(tokens)
        fit, headroom = self._fit(memory, tokens)
        return Cell(
            tokens,
            total,
            self.tier(total, method),
            fit,
            headroom,
            bool(native) and tokens > native,
            rule if isinstance(rule, str) else "",
            rule.at(tokens) if isinstance(rule, Memory) else None,
        )

    def tier(self, total_bytes: int, method: str = "exact") -> int:
        """Index of the first tier that holds the bytes; the rule of thumb is held against sizes on the box."""
        tiers = self.facts.tiers
        for index, tier in enumerate(tiers):
            limit = tier.nominal_bytes if method == "bytes-per-weight" else tier.usable_bytes
            if limit is None or total_bytes <= limit:
                return index
        return len(tiers) - 1

    def spills(self, runtime: str) -> bool:
        """Whether the runtime, or the one whose rules it follows, can leave weights in RAM."""
        known = self.facts.runtimes.get(runtime)
        return known is not None and SPILLING_ENGINE in (known.id, known.engine)

    def _fit(self, memory: Memory, tokens: int) -> tuple[str, int | None]:
        fits = memory.fits(tokens)
        if fits is None:
            return "", None
        headroom = min((device.usable_bytes or 0) - device.at(tokens) for device in memory.devices)
        if fits:
            usable = min(device.usable_bytes or 0 for device in memory.devices)
            return ("tight" if headroom < usable * TIGHT_SHARE else "fits"), headroom
        if self.spills(memory.runtime):
            usable = sum(device.usable_bytes or 0 for device in memory.devices)
            if memory.at(tokens) - memory.group_bytes(tokens, "weights") < usable:
                return "offload", headroom
        return "no", headroom

    def at_point(self, model: str, quant: str, scenario: Scenario, tokens: int) -> Memory:
        """The memory for one context alone, which is a tenth of the work. Raises what compiling raises."""
        point = AtOnePoint(self.subject(model, scenario))
        memory = self._compiler(point, quant, scenario, self.facts)
        point.tokens = memory.devices[0].tokens(tokens)
        return memory

    def rating(self, session: Session, model: str) -> Rating | None:
        """What the list says of a model; None where nothing answers."""
        scenario = self.scenario(session)
        if scenario.method == "difference":
            scenario = replace(scenario, method="exact")
        if scenario != self._listed_for:
            self._listed_for, self._listed = scenario, self.ratings_at_hand(session)
        if model not in self._listed:
            # The list asks for every model once and for one context: only the figures are worth keeping.
            self._listed[model] = self._rated(model, scenario)
        return self._listed[model]

    def _rated(self, model: str, scenario: Scenario) -> Rating | None:
        try:
            memory = self.at_point(model, DEFAULT_QUANT, scenario, LIST_TOKENS)
            total = memory.at(LIST_TOKENS)
        except (ValueError, KeyError, NotImplementedError):
            return None
        return Rating(total, self.tier(total, scenario.method), self._fit(memory, LIST_TOKENS)[0])

    def ratings_at_hand(self, session: Session) -> dict[str, Rating | None]:
        """What the list says of all models for which that is known already."""
        found: dict[str, Rating | None] = {}
        if self.scenario(session) == USUAL and self._compiler is compile_memory:
            for model in self.library.entries:
                kept = self.library.listed_bytes(model.id)
                if kept is not None:
                    found[model.id] = Rating(kept, self.tier(kept))
        return found

    def list_bytes(self, session: Session, model: str) -> int | None:
        """The bytes of a model in the list, for the filter and for sorting by memory."""
        found = self.rating(session, model)
        return found.bytes if found else None
