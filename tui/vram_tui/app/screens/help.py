"""The whole key map, made from the registry and the person's own keys."""

from textual.app import ComposeResult

from vram_tui.app.actions import ALL
from vram_tui.app.house import house
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, padded, wrapped

KEY = 12
TITLE = 24


class KeySheet(LinePanel):
    """Groups of actions with key, title and help; scrolls."""

    top = 0

    def sheet(self) -> list[Line]:
        keys, width = house(self.app).key_map, self.size.width
        title = TITLE if width >= 70 else 0
        lines: list[Line] = []
        for group in dict.fromkeys(action.group for action in ALL):
            lines += [*([EMPTY] if lines else []), (Run(group, "accent"),)]
            for action in ALL:
                if action.group != group:
                    continue
                words = wrapped(action.help if title else f"{action.title}. {action.help}", width - KEY - title)
                first = [Run(padded(keys.keys_of(action.id)[:KEY], KEY), "key")]
                if title:
                    first.append(Run(padded(action.title, title), "bold"))
                lines.append((*first, Run(words[0], "dim" if title else "")))
                lines += [(Run(" " * (KEY + title)), Run(more, "dim")) for more in words[1:]]
        return lines

    def draw(self) -> None:
        if self.is_attached and self.size.height:
            lines = self.sheet()
            self.top = min(max(self.top, 0), max(len(lines) - self.size.height, 0))
            self.show(lines[self.top : self.top + self.size.height])

    def _scroll(self, step: int) -> None:
        self.top += step
        self.draw()

    def do_up(self) -> None:
        self._scroll(-1)

    def do_down(self) -> None:
        self._scroll(1)

    def do_page_up(self) -> None:
        self._scroll(-self.size.height + 2)

    def do_page_down(self) -> None:
        self._scroll(self.size.height - 2)

    def do_first(self) -> None:
        self._scroll(-10_000)

    def do_last(self) -> None:
        self._scroll(10_000)

    def on_mouse_scroll_down(self) -> None:
        self._scroll(3)

    def on_mouse_scroll_up(self) -> None:
        self._scroll(-3)


class Help(HouseScreen):
    """Every key, by group."""

    CSS_PATH = "help.tcss"
    name_in_registry = "help"

    def __init__(self) -> None:
        super().__init__()
        self.keys = KeySheet("keys")

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.keys,)

    @property
    def opens(self) -> bool:
        return False

    def copy_text(self) -> tuple[str, str]:
        return "\n".join("".join(run.text for run in line).rstrip() for line in self.keys.sheet()), "the key map"

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.keys
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.keys.border_title = "Keys"
        self.keys.border_subtitle = "change them in config.toml, table keys"
        self.go_to(self.keys)
