"""The selected cell in four lines: its total and verdict, what runs it how fast, a bar of its terms, their figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vram_tui.app.glyphs import FIT_WORDS
from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, padded, width_of, wrapped
from vram_tui.app.widgets.stacked_bar import group_pieces, stacked
from vram_tui.estimator.memory import GROUPS, Memory
from vram_tui.quantities import format_memory, format_tokens
from vram_tui.session.answers import Cell
from vram_tui.session.losses import loss_of
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Row
from vram_tui.text import safe

if TYPE_CHECKING:
    from vram_tui.session.running import Running

LINES = 4
"""Lines that say everything; where there are fewer, verdict and speed share one."""
HEAD, TOTAL = 14, 9
"""Cells of a format with its context, and of a total, as most of them are."""


def reach_words(tokens: int, native: int = 0) -> str:
    """A largest context, rounded down to what reads well; no longer than the model's own."""
    if native and tokens >= native:
        return format_tokens(native)
    if tokens >= 1 << 20:
        return f"{tokens * 10 // (1 << 20) / 10:g}M"
    return f"{tokens >> 10}K" if tokens >= 1 << 10 else str(tokens)


Part = tuple[str, str]
"""A text and its style; an empty text is left away."""


class Breakdown(LinePanel, can_focus=False):
    """What the cursor's cell is made of, and what runs it. `running` comes a moment after the cell."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self._asked: tuple[Row, Cell, Memory | str, Running | None] | None = None

    def fill(self, row: Row, cell: Cell, memory: Memory | str, running: "Running | None" = None) -> None:
        self._asked = (row, cell, memory, running)
        self.draw()

    def draw(self) -> None:
        if not self.is_attached or not self.size.width or self._asked is None:
            return
        row, cell, memory, running = self._asked
        width, height = self.size
        head = Run(f"{row.label} at {format_tokens(cell.tokens)}" if cell.tokens else row.label, "bold")
        if cell.bytes is None or isinstance(memory, str):
            reason = [(Run(line, "warn"),) for line in wrapped(safe(cell.reason, 400), width)]
            self.show([(head,), *reason[: height - 1]])
            return
        total = memory_words(cell.bytes, house(self.app).session.units)
        # Padded, so that what stands behind does not move with every column.
        lead = [
            Run(padded(head.text, HEAD), "bold"),
            Run("  "),
            Run(padded(total, TOTAL), f"mark-{min(cell.tier, 2)}"),
        ]
        verdict, speed = self._verdict(cell, len(memory.devices)), self._speed(memory, running)
        if height >= LINES:
            lines = [self._joined(lead, [*verdict, self._lost(row)], width), self._joined([], speed, width)]
        else:
            lines = [self._joined(lead, [*verdict[:1], *speed[1:], *verdict[1:]], width)]
        self.show([*lines, *self._bar(cell, memory, width)])

    def _joined(self, runs: list[Run], parts: Sequence[Part], width: int) -> Line:
        """Parts behind each other; what does not fit is left away whole."""
        line = list(runs)
        for text, style in parts:
            gap = "  " if line else ""
            if text and width_of(line) + len(gap) + len(text) <= width:
                line += [Run(gap), Run(text, style)] if gap else [Run(text, style)]
        return tuple(line)

    def _verdict(self, cell: Cell, devices: int) -> list[Part]:
        """What the total means: on the target, in its class, beside the rule of thumb."""
        home = house(self.app)
        session, tier = home.session, home.answers.facts.tiers[cell.tier]
        total = cell.bytes or 0
        parts: list[Part] = []
        style = "good" if cell.fit == "fits" else "warn"
        if cell.fit:
            parts.append((f"{FIT_WORDS[cell.fit]} on {safe(session.target, 30)}", style))
        if cell.rule_bytes is not None:
            off = (cell.rule_bytes - total) * 100 / total if total else 0
            parts.append((f"rule of thumb {memory_words(cell.rule_bytes, session.units)}, {off:+.0f} %", "warn"))
        if cell.beyond:
            parts.append(("beyond native", "warn"))
        if cell.fit:
            room = cell.headroom_bytes or 0
            each = " per card" if devices > 1 else ""
            spare = f"{memory_words(abs(room), session.units)}{each} {'to spare' if room >= 0 else 'too much'}"
            parts.append((spare, style))
        else:
            parts.append((f"fits {tier.short}" if tier.usable_bytes else tier.short, "dim"))
        return parts

    def _lost(self, row: Row) -> Part:
        """What the format loses, with the model that this was measured on."""
        loss = loss_of(house(self.app).answers.facts, row)
        return (f"{loss.measure} {loss.value} on {loss.model}" if loss else "", "dim")

    def _speed(self, memory: Memory, running: "Running | None") -> list[Part]:
        """The machine, how fast it writes and reads with the bands, and how far it reaches."""
        if running is None:
            return []
        from vram_tui.exporters.rankings import speed_words

        rate = running.speed
        parts: list[Part] = [(safe(running.name, 30), "bold")]
        if rate is not None:
            parts.append((f"{speed_words(rate.decode.tokens_per_s)} tok/s +/- {rate.decode.band * 100:.0f} %", ""))
        else:
            parts.append(("speed unknown", "dim"))
        if running.largest_ctx:
            parts.append((f"up to {reach_words(running.largest_ctx, memory.native_tokens)}", "dim"))
        parts.append((running.plan, "dim"))
        if rate is not None and rate.prefill is not None:
            prompt = rate.prefill
            parts.append((f"prompt {speed_words(prompt.tokens_per_s)} +/- {prompt.band * 100:.0f} %", "dim"))
        return parts

    def _bar(self, cell: Cell, memory: Memory, width: int) -> list[Line]:
        """The terms to scale: against the machine or the class that holds them, else against their sum."""
        home = house(self.app)
        units, tiers = home.session.units, home.answers.facts.tiers
        sizes: dict[str, float] = {group: memory.group_bytes(cell.tokens, group) for group in GROUPS}
        total = cell.bytes or 1
        limit = tiers[cell.tier].usable_bytes
        devices = [device.usable_bytes for device in memory.devices if device.usable_bytes is not None]
        if devices and len(devices) == len(memory.devices):
            limit = sum(devices)
        scale = limit if limit and limit >= total else total
        pieces = group_pieces(sizes, self.glyphs)
        bar, legend = stacked(pieces, scale, width, self.glyphs, lambda size: format_memory(size, units))
        free = Run(f"free {format_memory(scale - total, units)}", "dim")
        if scale > total and width_of(legend) + len(free.text) <= width:
            legend.append(free)
        return [bar, tuple(legend)]
