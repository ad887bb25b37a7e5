"""The sidebar: every model in families, sizes right-aligned, a mark and a fit glyph on each line."""

from collections.abc import Callable

from textual import events

from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded
from vram_tui.quantities import format_parameters
from vram_tui.session.answers import Rating
from vram_tui.session.listing import Item
from vram_tui.text import safe


class ModelList(LinePanel):
    """Shows `items` around the session's model. The first line is the filter."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self.items: list[Item] = []
        self.cursor = 0
        self.top = 0
        self.ratings: dict[str, Rating | None] = {}
        self.scrolled: Callable[[], object] | None = None
        """Called when other models come into sight."""
        self._total = 0
        self._drawn_top = -1

    @property
    def page(self) -> int:
        return max(self.size.height - 1, 1)

    def fill(self, items: list[Item], total: int, model: str) -> None:
        """Other items, with the cursor on a model where it is among them."""
        self.items, self._total = items, total
        self._drawn_top = -1
        self.border_subtitle = self._count()
        self.place(model)

    def _count(self) -> str:
        count = sum(1 for item in self.items if item.model)
        session = house(self.app).session
        of = str(count) if count == self._total else f"{count} of {self._total}"
        return f"{of} by {session.sort}"

    def place(self, model: str) -> None:
        """The cursor on a model (or on the first one), and the window around it."""
        for index, item in enumerate(self.items):
            if item.model and item.model.id == model:
                self.cursor = index
                break
        else:
            self.cursor = next((index for index, item in enumerate(self.items) if item.model), 0)
        self._scroll()
        self.draw()

    def in_sight(self) -> list[str]:
        """The models on the screen now."""
        return [item.model.id for item in self.items[self.top : self.top + self.page] if item.model]

    def neighbours(self) -> list[str]:
        """The models below and above the cursor."""
        below = (item.model for item in self.items[self.cursor + 1 :] if item.model)
        above = (item.model for item in reversed(self.items[: self.cursor]) if item.model)
        return [model.id for model in (next(below, None), next(above, None)) if model]

    def selected(self) -> str:
        item = self.items[self.cursor] if self.cursor < len(self.items) else None
        return item.model.id if item and item.model else ""

    def _scroll(self) -> None:
        """Keep the cursor in sight; past an edge jump by half a page, so that most keys move no line."""
        if not self.size.height:
            return
        page, last = self.page, max(len(self.items) - self.page, 0)
        heading = 1 if self.cursor and not self.items[self.cursor - 1].model else 0
        if self.cursor - heading < self.top:
            self.top = self.cursor - heading - page // 2
        elif self.cursor >= self.top + page:
            self.top = self.cursor - page // 2
        self.top = min(max(self.top, 0), last)

    def _move(self, step: int) -> None:
        if not self.items:
            return
        target = min(max(self.cursor + step, 0), len(self.items) - 1)
        direction = 1 if step > 0 else -1
        while 0 <= target < len(self.items) and not self.items[target].model:
            target += direction
        if not 0 <= target < len(self.items):
            target = next(index for index, item in enumerate(self.items) if item.model)
        if target != self.cursor:
            self.cursor = target
            self._scroll()
            house(self.app).look(model=self.selected())

    def do_up(self) -> None:
        self._move(-1)

    def do_down(self) -> None:
        self._move(1)

    def do_page_up(self) -> None:
        self._move(-self.page)

    def do_page_down(self) -> None:
        self._move(self.page)

    def do_first(self) -> None:
        self._move(-len(self.items))

    def do_last(self) -> None:
        self._move(len(self.items))

    def do_open(self) -> None:
        house(self.app).perform("show-grid")

    def resized(self) -> None:
        self._scroll()
        super().resized()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            house(self.app).perform("filter")
            return
        index = self.top + offset.y - 1
        if index < len(self.items) and self.items[index].model:
            self.cursor = index
            house(self.app).look(model=self.selected())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._wheel(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._wheel(-3)

    def _wheel(self, step: int) -> None:
        self.top = min(max(self.top + step, 0), max(len(self.items) - self.page, 0))
        self.draw()

    def draw(self) -> None:
        """Show the window of the list."""
        if not self.is_attached or not self.size.height:
            return
        if self.top != self._drawn_top and self.scrolled:
            self._drawn_top = self.top
            self.call_later(self.scrolled)
        session, width = house(self.app).session, self.size.width
        lines = [self._filter_line(session.filter, width)]
        marks = session.marks
        for index in range(self.top, min(self.top + self.page, len(self.items))):
            item = self.items[index]
            if item.model:
                lines.append(self._model_line(item, width, index == self.cursor, item.model.id in marks))
            else:
                lines.append((Run(fitted(safe(item.heading), width), "family"),))
        if not self.items:
            lines += [EMPTY, (Run("no model matches", "dim"),), (Run("esc clears the filter", "dim"),)]
        self.show(lines)

    def _filter_line(self, text: str, width: int) -> Line:
        if text:
            return (Run("/ ", "key"), Run(fitted(safe(text), width - 2), "bold"))
        return (Run("/", "key"), Run(" type to filter" if width >= 17 else " filter", "dim"))

    def _sign(self, model: str) -> tuple[str, str]:
        """The target's verdict on a model, else its class, and the style; a blank before it is rated."""
        if model not in self.ratings:
            return " ", "dim"
        found = self.ratings[model]
        if found is None:
            return self.glyphs.none, "dim"
        if found.fit:
            glyphs = self.glyphs
            return {
                "fits": (glyphs.fits, "mark-0"),
                "tight": (glyphs.tight, "mark-1"),
                "offload": (glyphs.offload, "mark-1"),
            }.get(found.fit, (glyphs.no, "dim"))
        tier = house(self.app).answers.facts.tiers[found.tier]
        return tier.glyph if self.glyphs.unicode else tier.ascii, f"mark-{min(found.tier, 2)}"

    def _model_line(self, item: Item, width: int, here: bool, marked: bool) -> Line:
        model = item.model
        size = format_parameters(model.parameters)
        if "MoE" in model.kind and width >= 28:
            size += f" A{_short(model.active)}"
        glyph, fit = self._sign(model.id)
        name = safe(model.name, 200)
        room = width - 5
        if len(name) > room and house(self.app).session.sort == "family":
            name = _without_family(name, safe(item.heading))
        if len(name) + 1 + len(size) > room:
            size = size.partition(" ")[0] if len(name) + 1 + len(size.partition(" ")[0]) <= room else ""
        name = fitted(name, room - len(size) - (1 if size else 0), self.glyphs.more)
        gap = " " * (room - len(name) - len(size))
        style = ("cursor" if self.has_focus else "cursor-blur") if here else ""
        faint = style or "dim"
        mark = self.glyphs.mark if marked else " "
        mark_style = style or "mark-0"
        lead = self.glyphs.cursor if here else " "
        end = f" {glyph} "
        if here:
            over = fit.replace("mark", "cursor") if self.has_focus and fit != "dim" else style
            return (Run(lead + mark + name + gap + size, style), Run(end, over))
        return (Run(lead, ""), Run(mark, mark_style), Run(name, ""), Run(gap + size, faint), Run(padded(end, 3), fit))


def _without_family(name: str, family: str) -> str:
    """A name that is too long, without the family that stands above it."""
    rest = name[len(family) :]
    same = name[: len(family)].casefold().replace("-", " ") == family.casefold().replace("-", " ")
    return rest.lstrip(" -") if same and rest[:1] in ("-", " ") else name


def _short(count: int) -> str:
    """Active parameters without decimals from 10 billion up."""
    return f"{count / 1e9:.0f}B" if count >= 9.95e9 else format_parameters(count)
