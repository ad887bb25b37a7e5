"""The first line: the scenario as chips that are edited in place, and the target machine on the right."""

from typing import Protocol

from textual import events

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, fitted, width_of
from vram_tui.estimator.records import record
from vram_tui.session.edits import KV_TYPES
from vram_tui.session.state import METHODS, Session
from vram_tui.text import safe


@record
class Chip:
    """One part of the scenario: `choices` where there are few; `rank` 1 is the last to go when space is short."""

    id: str
    label: str
    value: str
    rank: int
    choices: tuple[str, ...] = ()


def chips_of(session: Session, runtimes: tuple[str, ...]) -> tuple[Chip, ...]:
    """The chips of a session in their order on the line."""
    scenario = session.scenario
    rule = scenario.method != "exact"
    kv = scenario.kv_k if scenario.kv_k == scenario.kv_v else f"{scenario.kv_k}:{scenario.kv_v}"
    found = [
        Chip("runtime", "", scenario.runtime, 1, runtimes),
        Chip("method", "", scenario.method.replace("-", " "), 2, METHODS),
        Chip("kv", "kv", kv, 3, KV_TYPES),
        Chip("seqs", "seqs", str(scenario.seqs), 4),
        Chip("ubatch", "ubatch", str(scenario.ubatch or "auto"), 6),
    ]
    if rule:
        found.append(Chip("overhead", "overhead", f"{scenario.overhead_percent:g}%", 5))
    if scenario.profile != "verified":
        found.append(Chip("profile", "profile", scenario.profile, 5, ("verified", "published")))
    return tuple(found)


class ChipEditor(Protocol):
    """Who knows how a chip is set: the screen."""

    def step_chip(self, step: int) -> None: ...
    def edit_focused_chip(self) -> None: ...


class Chips(LinePanel):
    """Left and right choose a chip, up and down take the next choice, enter edits it."""

    GROUND = "panel"

    def __init__(self, editor: ChipEditor) -> None:
        super().__init__("chips")
        self._editor = editor
        self.cursor = 0
        self._spans: list[tuple[int, int, str]] = []

    def _chips(self) -> list[Chip]:
        home = house(self.app)
        session = home.session
        label = "free on" if session.scenario.free and session.target else "target"
        target = Chip("target", label, safe(session.target, 60) or "none", 2)
        return [*chips_of(session, tuple(home.answers.facts.runtimes)), target]

    @property
    def current(self) -> Chip:
        chips = self._chips()
        return chips[min(self.cursor, len(chips) - 1)]

    def select(self, chip_id: str) -> Chip:
        chips = self._chips()
        self.cursor = next((index for index, chip in enumerate(chips) if chip.id == chip_id), 0)
        self.draw()
        return chips[self.cursor]

    def span_of(self, chip_id: str, least: int) -> tuple[int, int]:
        """First cell and width of a field over a chip's value: at least `least`, and no chip beside it cut in two."""
        first = next((start for start, _, name in self._spans if name == chip_id), 0)
        first = max(min(first, self.size.width - least), 0)
        for index, (start, end, _) in enumerate(self._spans):
            before = self._spans[index - 1][1] if index else 0
            if before < first + least < end + 1 and start > first:
                return first, min(end + 1, self.size.width) - first
        return first, least

    def draw(self) -> None:
        if self.is_attached and self.size.width:
            self.show([self._line(self.size.width)])

    def _line(self, width: int) -> Line:
        chips = self._chips()
        here = chips[min(self.cursor, len(chips) - 1)].id if self.has_focus else ""
        kept = list(chips)
        while self._width(kept) > width:
            spare = [chip for chip in kept if chip.id != here]
            if len(kept) <= 2 or not spare:
                break
            kept.remove(max(spare, key=lambda chip: chip.rank))
        runs: list[Run] = [Run(" vram-tui ", "brand")]
        self._spans = []
        for chip in kept:
            text = fitted(chip.value, 28, self.glyphs.more)
            label = chip.label
            if chip.id == "target":
                tail = len(label) + (1 if label else 0) + len(text) + 1
                runs.append(Run(" " * max(width - width_of(runs) - tail, 2)))
            else:
                runs.append(Run("  "))
            if label:
                runs.append(Run(label + " ", "dim"))
            start = width_of(runs)
            style = "cursor" if chip.id == here else "good" if chip.id == "target" and chip.value != "none" else "bold"
            runs.append(Run(text, style))
            self._spans.append((start, start + len(text), chip.id))
        return tuple(runs)

    def _width(self, chips: list[Chip]) -> int:
        total = 12
        for chip in chips:
            total += 2 + (len(chip.label) + 1 if chip.label else 0) + min(len(chip.value), 28)
        return total

    def _move(self, step: int) -> None:
        self.cursor = (self.cursor + step) % len(self._chips())
        self.draw()

    def do_left(self) -> None:
        self._move(-1)

    def do_right(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._editor.step_chip(-1)

    def do_down(self) -> None:
        self._editor.step_chip(1)

    def do_open(self) -> None:
        self._editor.edit_focused_chip()

    def do_edit(self) -> None:
        self.do_open()

    def do_first(self) -> None:
        self._move(-self.cursor)

    def do_last(self) -> None:
        self._move(len(self._chips()) - 1 - self.cursor)

    def on_click(self, event: events.Click) -> None:
        for index, (start, end, _) in enumerate(self._spans):
            if start - 8 <= event.x < end:
                if event.x >= start or index == 0 or event.x >= self._spans[index - 1][1]:
                    self.select(self._spans[index][2])
                    house(self.app).perform("edit")
                return
