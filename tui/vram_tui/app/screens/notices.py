"""What was wrong at the start, every sentence in full."""

from textual.app import ComposeResult

from vram_tui.app.house import house
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.text import safe

NOTICE_CHARS = 4000


class NoticeSheet(Sheet):
    """One stop per notice."""

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        lines: list[Line] = []
        stops: list[Stop] = []
        for notice in house(self.app).notices:
            first = len(lines)
            lines += [(Run(line),) for line in wrapped(safe(notice, NOTICE_CHARS), width)]
            stops.append(Stop(first, len(lines)))
            lines.append(EMPTY)
        if not lines:
            lines = [(Run("Nothing was wrong: settings, models and session were read whole.", "dim"),)]
        return lines, stops


class Notices(HouseScreen):
    """Everything that a start had to say."""

    CSS_PATH = "notices.tcss"
    name_in_registry = "notices"

    def __init__(self) -> None:
        super().__init__()
        self.sheet = NoticeSheet("notices")

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.sheet, self.chips)

    @property
    def opens(self) -> bool:
        return False

    def compose(self) -> ComposeResult:
        yield self.chips
        yield self.sheet
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.sheet.border_title = "Notices of this start"
        self.go_to(self.sheet)

    def copy_text(self) -> tuple[str, str]:
        return "\n".join(safe(notice, NOTICE_CHARS) for notice in self.home.notices), "the notices"
