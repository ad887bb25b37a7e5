"""One machine for one cell: memory on every device, the plans tried, why not fewer devices, the launch command."""

from dataclasses import replace

from rich.cells import cell_len
from textual.app import ComposeResult

from vram_tui.app.screens.base import HouseScreen, plain_title
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, padded, width_of, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.app.widgets.stacked_bar import group_pieces, stacked
from vram_tui.estimator.memory import GROUPS, DeviceMemory, Memory
from vram_tui.estimator.placing import Placement, explain_placement
from vram_tui.estimator.plans import Choice
from vram_tui.exporters.rankings import plan_words, price_words, reach_words, speed_words
from vram_tui.exporters.recipes.launch import Cell, Launch, launch
from vram_tui.quantities import format_memory, format_tokens
from vram_tui.session import edits
from vram_tui.session.explaining import Asked, memory_of
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Session
from vram_tui.text import safe

SHOWN_DEVICES = 16
SHOWN_PLANS = 8


class PlanSheet(Sheet):
    """The lines of a plan; sections are the stops."""

    def __init__(self) -> None:
        super().__init__("plan")
        self.sections: list[tuple[str, list[Line]]] = []

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        screen = self.screen
        assert isinstance(screen, PlanScreen)
        lines: list[Line] = []
        stops: list[Stop] = []
        for title, body in screen.sections(width):
            if lines:
                lines.append(EMPTY)
            first = len(lines)
            lines += [(Run(title, "family"),), *body]
            stops.append(Stop(first, len(lines)))
        return lines, stops


class PlanScreen(HouseScreen):
    """The plan of one placement; enter makes its machine the target."""

    CSS_PATH = "ranked.tcss"
    name_in_registry = "plan"

    def __init__(self, asked: Asked, placement: Placement) -> None:
        super().__init__()
        self.placement = placement
        self.asked = replace(asked, scenario=replace(asked.scenario, machine=placement.machine))
        self.sheet = PlanSheet()
        self._choices: tuple[Choice, ...] = ()
        self._fewer = ""
        self._launch: Launch | None = None

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.sheet, self.chips)

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.sheet
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.go_to(self.sheet)
        self._reckon()

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        if old.scenario != new.scenario:
            now = self.home.answers.scenario(new, self.asked.row.runtime)
            self.asked = replace(self.asked, scenario=replace(now, machine=self.placement.machine))
            self._reckon()
        self.sheet.draw()

    def _reckon(self) -> None:
        answers, asked = self.home.answers, self.asked
        profile = asked.scenario.profile if answers.has_published(asked.model) else "verified"
        subject = answers.library.subject(asked.model, profile)
        scenario = replace(asked.scenario, method="exact")
        name = answers.library.entry(asked.model).name
        quant, tokens, facts = asked.row.asked, asked.tokens, answers.facts
        self._choices, self._fewer = explain_placement(subject, quant, tokens, scenario, facts, self.placement)
        try:
            self._launch = launch(Cell(subject, name, quant, tokens, scenario), facts)
        except (KeyError, ValueError):
            self._launch = None
        at = f"{name}, {asked.row.label} at {format_tokens(tokens)}, {scenario.runtime}"
        self.sheet.border_title = plain_title(safe(at, 200))
        keys = self.home.key_map
        self.sheet.border_subtitle = plain_title(f"{keys.key_of('open')} judges everything against this machine")
        self.sheet.draw()

    # What stands there

    def sections(self, width: int) -> list[tuple[str, list[Line]]]:
        found: list[tuple[str, list[Line]]] = [
            (safe(self.placement.machine.name, 120), self._headline(width)),
            ("Memory", self._memory(width)),
        ]
        if len(self._choices) > 1:
            found.append(("Plans", self._plans(width)))
        if self._fewer:
            found.append(("Why not fewer", [(Run(line),) for line in wrapped(safe(self._fewer, 300), width)]))
        if self._launch and self._launch.recipe:
            commands = self._launch.recipe.text.rstrip().splitlines()
            wide = [piece for line in commands for piece in _folded(safe(line), width)]
            styled: list[Line] = [(Run(line, "dim" if line.startswith("#") else ""),) for line in wide]
            found.append((f"Start it with {self._launch.recipe.engine}", styled))
        return found

    def _headline(self, width: int) -> list[Line]:
        one, units = self.placement, self.home.session.units
        device, machine = one.machine.devices[0], one.machine
        native = self.home.answers.library.entry(self.asked.model).context_native or 0
        verdict = {"fits": "fits", "tight": "fits, hardly anything to spare", "no": "does not fit"}[one.fit]
        parts = [Run(verdict, "good" if one.fits else "warn"), Run(plan_words(one), "bold")]
        if one.largest_ctx:
            parts.append(Run(f"up to {reach_words(one.largest_ctx, native)} tokens"))
        if one.speed:
            decode, prefill = one.speed.decode, one.speed.prefill
            parts.append(Run(f"{speed_words(decode.tokens_per_s)} tok/s +/- {decode.band * 100:.0f}% ({decode.basis})"))
            if prefill:
                parts.append(Run(f"prompt {speed_words(prefill.tokens_per_s)} tok/s +/- {prefill.band * 100:.0f}%"))
        facts = [
            f"{len(machine.devices)}x {device.name}" if len(machine.devices) > 1 else device.name,
            f"{memory_words(device.usable_bytes, units)} usable each ({device.usable_basis})",
        ]
        if device.bandwidth_gbs:
            facts.append(f"{device.bandwidth_gbs:,.0f} GB/s")
        if machine.interconnect:
            facts.append(machine.interconnect.name)
        if machine.tdp_w:
            facts.append(f"{machine.tdp_w:,} W")
        if price := price_words(one):
            basis = machine.price_basis or device.price_basis or ""
            facts.append(f"{price} ({one.price_date or 'no date'}{', ' + basis if basis else ''})")
        return [*_flowing(parts, width), *_flowing([Run(safe(text, 200), "dim") for text in facts], width)]

    def _memory(self, width: int) -> list[Line]:
        """A bar for every device, equal ones together."""
        found = memory_of(self.home.answers, self.asked)
        if isinstance(found, str):
            return [(Run(line, "warn"),) for line in wrapped(safe(found), width)]
        count = len(self.placement.machine.devices)
        if len(found.devices) != count:
            return self._even(found, count, width)
        lines: list[Line] = []
        tokens = self.asked.tokens
        groups: list[tuple[int, int, DeviceMemory]] = []
        for index, device in enumerate(found.devices):
            if groups and groups[-1][2].at(tokens) == device.at(tokens):
                groups[-1] = (groups[-1][0], index, groups[-1][2])
            else:
                groups.append((index, index, device))
        for first, last, device in groups[:SHOWN_DEVICES]:
            label = f"device {first}" if first == last else f"devices {first} to {last}, each"
            lines += self._device(label if count > 1 else "device", device, width)
        if len(groups) > SHOWN_DEVICES:
            lines.append((Run(f"and {len(groups) - SHOWN_DEVICES} more", "dim"),))
        host = found.host.at(tokens)
        if host:
            lines.append((Run(f"RAM beside them {memory_words(host, self.home.session.units)}", "dim"),))
        return lines

    def _device(self, label: str, device: DeviceMemory, width: int) -> list[Line]:
        units, tokens = self.home.session.units, self.asked.tokens
        sizes = {group: float(device.group_bytes(tokens, group)) for group in GROUPS}
        used = device.at(tokens)
        usable = device.usable_bytes or self.placement.usable_bytes
        bar, legend = stacked(
            group_pieces(sizes, self.home.glyphs), float(max(usable, used)), width, self.home.glyphs,
            lambda size: format_memory(size, units),
        )  # fmt: skip
        figures = f"{format_memory(used, units)} of {memory_words(usable, units)}"
        head = (Run(label), Run(" " * max(width - len(label) - len(figures), 1)), Run(figures, "bold"))
        return [head, bar, tuple(legend)]

    def _even(self, found: Memory, count: int, width: int) -> list[Line]:
        one, units = self.placement, self.home.session.units
        figures = f"{format_memory(one.used_bytes, units)} of {memory_words(one.usable_bytes, units)}"
        share = min(one.used_bytes / max(one.usable_bytes, 1), 1.0)
        full = round(share * width)
        glyphs = self.home.glyphs
        label = f"each of {count} devices, layers spread evenly"
        head = (Run(label), Run(" " * max(width - len(label) - len(figures), 1)), Run(figures, "bold"))
        return [head, (Run(glyphs.bar * full, "bar-weights"), Run(glyphs.rest * (width - full), "rule"))]

    def _plans(self, width: int) -> list[Line]:
        units = self.home.session.units
        lines: list[Line] = []
        for choice in self._choices[:SHOWN_PLANS]:
            text = padded(choice.plan.text, 22)
            if choice.memory is None:
                rows = wrapped(safe(choice.reason, 200), max(width - 22, 20))
                lines.append((Run(text, "dim"), Run(rows[0], "dim")))
                continue
            figures = f"{format_memory(choice.worst_bytes, units)} of {format_memory(choice.usable_bytes, units)}"
            speed = f"  {speed_words(choice.speed.decode.tokens_per_s)} tok/s" if choice.speed else ""
            sign = self.home.glyphs.fits if choice.fits else self.home.glyphs.no
            lines.append((Run(text), Run(f"{sign} {figures}", "good" if choice.fits else "warn"), Run(speed, "bold")))
        if len(self._choices) > SHOWN_PLANS:
            lines.append((Run(f"and {len(self._choices) - SHOWN_PLANS} more", "dim"),))
        return lines

    # Actions

    def do_open(self) -> None:
        self.do_target()
        self.app.pop_screen()

    def do_target(self) -> None:
        text = self.placement.text
        if self.home.edit(lambda session: edits.set_target(session, text)):
            self.home.tell(f"judged against {text} from now on")

    def launch_cell(self) -> Asked:
        return self.asked

    def copy_text(self) -> tuple[str, str]:
        recipe = self._launch.recipe if self._launch else None
        return (recipe.text, "the command") if recipe else ("", "")


def _folded(line: str, width: int) -> list[str]:
    """A line of a command as it is, in several lines only where it is too long."""
    return [line] if cell_len(line) <= width else wrapped(line, width)


def _flowing(parts: list[Run], width: int) -> list[Line]:
    """Parts beside each other with two blanks between, on as many lines as they need."""
    lines: list[list[Run]] = [[]]
    for part in parts:
        for number, text in enumerate(wrapped(part.text, width)):
            line = lines[-1]
            if number or (line and width_of(line) + 2 + len(text) > width):
                line = []
                lines.append(line)
            if line:
                line.append(Run("  "))
            line.append(Run(text, part.style))
    return [tuple(line) for line in lines]
