"""The selected cell in three lines: its total and what it means, a bar of its terms, the terms in figures."""

from vram_tui.app.glyphs import FIT_WORDS
from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, fitted, width_of
from vram_tui.app.widgets.stacked_bar import group_pieces, stacked
from vram_tui.estimator.memory import GROUPS, Memory
from vram_tui.quantities import format_memory, format_tokens
from vram_tui.session.answers import Cell
from vram_tui.session.specs import memory_words
from vram_tui.session.state import Row


def reach_words(tokens: int) -> str:
    """A largest context, rounded down to what reads well."""
    if tokens >= 1 << 20:
        return f"{tokens * 10 // (1 << 20) / 10:g}M"
    return f"{tokens >> 10}K" if tokens >= 1 << 10 else str(tokens)


class Breakdown(LinePanel, can_focus=False):
    """What the cursor's cell is made of."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self._asked: tuple[Row, Cell, Memory | str] | None = None

    def fill(self, row: Row, cell: Cell, memory: Memory | str) -> None:
        self._asked = (row, cell, memory)
        self.draw()

    def draw(self) -> None:
        if not self.is_attached or not self.size.width or self._asked is None:
            return
        row, cell, memory = self._asked
        width = self.size.width
        head = Run(f"{row.label} at {format_tokens(cell.tokens)}" if cell.tokens else row.label, "bold")
        if cell.bytes is None or isinstance(memory, str):
            self.show([(head,), (Run(fitted(cell.reason, width, self.glyphs.more), "warn"),), ()])
            return
        self.show([self._headline(head, cell, memory, width), *self._bar(cell, memory, width)])

    def _headline(self, head: Run, cell: Cell, memory: Memory, width: int) -> Line:
        """Total, class, verdict and reach; what does not fit is left away whole, from the right."""
        home = house(self.app)
        session, tiers = home.session, home.answers.facts.tiers
        tier = tiers[cell.tier]
        total = cell.bytes or 0
        runs = [head, Run("  "), Run(memory_words(total, session.units), f"mark-{min(cell.tier, 2)}")]
        parts: list[tuple[str, str]] = []
        if cell.rule_bytes is not None:
            off = (cell.rule_bytes - total) * 100 / total if total else 0
            parts.append((f"rule of thumb {memory_words(cell.rule_bytes, session.units)}, {off:+.0f} %", "warn"))
        if cell.beyond:
            parts.append(("beyond the native context", "warn"))
        if cell.fit:
            room = cell.headroom_bytes or 0
            words = "to spare" if room >= 0 else "too much"
            spare = f"{FIT_WORDS[cell.fit]} on {session.target}: {memory_words(abs(room), session.units)} {words}"
            parts.insert(0, (spare, "good" if cell.fit == "fits" else "warn"))
        limit = tier.nominal_bytes if session.scenario.method == "bytes-per-weight" else tier.usable_bytes
        if limit is None:
            parts.append((tier.label, "dim"))
        else:
            parts.append((f"fits {tier.short}, up to {reach_words(memory.largest_ctx(limit))}", "dim"))
        for text, style in parts:
            if width_of(runs) + 2 + len(text) <= width:
                runs += [Run("  "), Run(text, style)]
        return tuple(runs)

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
