"""A small box over the screen: which format, where to, and then it is written or copied."""

import os
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import ModalScreen

from vram_tui.app.clipboard import size_words
from vram_tui.app.house import house
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import EMPTY, Line, LinePanel, Run, fitted, padded, wrapped
from vram_tui.exporters import SUFFIXES, render
from vram_tui.exporters.files import ExportError, write_export
from vram_tui.exporters.recipes.shell import slug
from vram_tui.exporters.table import Table
from vram_tui.text import safe

FORMATS = ("markdown", "csv", "json", "toml", "svg", "plain")
WORDS = {"markdown": "Markdown", "csv": "CSV", "json": "JSON", "toml": "TOML", "svg": "SVG", "plain": "text"}
PLACES = ("clipboard", "file")
KEPT = ("keep it", "overwrite")
LABEL = 8
WIDTH = 66
FAULT_LINES = 3


class Choices(LinePanel):
    """One line per question; left and right choose the answer."""

    def __init__(self, table: Table) -> None:
        super().__init__("choices")
        self.table = table
        self.format = FORMATS[0]
        self.place = PLACES[0]
        self.path = ""
        self.overwrite = False
        self.exists = False
        self.fault = ""
        self.cursor = 0
        self._spans: list[tuple[int, int, int, str]] = []
        self._texts: dict[str, str] = {}

    @property
    def text_out(self) -> str:
        """What would be written, in the format of now."""
        if self.format not in self._texts:
            self._texts[self.format] = render(self.table, self.format)
        return self._texts[self.format]

    @property
    def questions(self) -> tuple[str, ...]:
        """The lines that the cursor goes through."""
        found = ["format", "to"]
        if self.place == "file":
            found += ["name", "exists"] if self.exists else ["name"]
        return tuple(found)

    @property
    def question(self) -> str:
        return self.questions[min(self.cursor, len(self.questions) - 1)]

    def answers_of(self, question: str) -> tuple[str, ...]:
        if question == "format":
            return FORMATS
        if question == "exists":
            return KEPT
        return PLACES[:1] if house(self.app).situation.restricted else PLACES

    def draw(self) -> None:
        if not self.is_attached or not self.size.width:
            return
        width = self.size.width
        rows, columns = len(self.table.rows), len(self.table.columns)
        about = f"{rows} row{'s' if rows != 1 else ''}, {columns} columns, {size_words(self.text_out)}"
        lines: list[Line] = [
            (Run(fitted(safe(self.table.title), width, self.glyphs.more), "bold"),),
            (Run(about, "dim"),),
            EMPTY,
        ]
        self._spans = []
        for question in self.questions:
            lines.append(self._line(question, len(lines), width))
        if house(self.app).situation.restricted:
            lines.append((Run("restricted: no files are written", "dim"),))
        if self.fault:
            lines += [EMPTY, *((Run(line, "error"),) for line in wrapped(self.fault, width)[:FAULT_LINES])]
        # Its height follows what it has to say; drawing again at the new size changes nothing.
        self.styles.height = len(lines) + 2
        self.show(lines)

    def _line(self, question: str, y: int, width: int) -> Line:
        here = question == self.question
        lead = Run(padded((self.glyphs.cursor if here else " ") + question, LABEL), "accent" if here else "dim")
        if question == "name":
            shown = fitted(safe(self.path), width - LABEL - 1, self.glyphs.more)
            return (lead, Run(" "), Run(shown, "cursor" if here else "bold"))
        chosen = {"format": self.format, "to": self.place, "exists": KEPT[self.overwrite]}[question]
        runs, x = [lead], LABEL
        for answer in self.answers_of(question):
            text = WORDS.get(answer, answer)
            mark = f"[{text}]" if answer == chosen else f" {text} "
            runs.append(Run(mark, ("cursor" if here else "bold") if answer == chosen else ""))
            self._spans.append((y, x, x + len(mark), answer))
            x += len(mark)
        return tuple(runs)

    def choose(self, question: str, answer: str) -> None:
        if question == "format":
            suffix = SUFFIXES[self.format]
            self.path = self.path.removesuffix(suffix) + SUFFIXES[answer] if self.path.endswith(suffix) else self.path
            self.format = answer
        elif question == "to":
            self.place = answer
        else:
            self.overwrite = answer == KEPT[1]
        self.look()

    def look(self) -> None:
        """Whether a file of that name is there already, for the question about it."""
        self.exists = self.place == "file" and Path(self.path).expanduser().is_file()
        self.overwrite = self.overwrite and self.exists
        self.fault = ""
        self.draw()

    def _step(self, step: int) -> None:
        question = self.question
        if question == "name":
            return
        answers = self.answers_of(question)
        now = {"format": self.format, "to": self.place, "exists": KEPT[self.overwrite]}[question]
        self.choose(question, answers[(answers.index(now) + step) % len(answers)])

    def do_left(self) -> None:
        self._step(-1)

    def do_right(self) -> None:
        self._step(1)

    def do_up(self) -> None:
        self.cursor = max(self.cursor - 1, 0)
        self.draw()

    def do_down(self) -> None:
        self.cursor = min(self.cursor + 1, len(self.questions) - 1)
        self.draw()

    def name_region(self) -> Region:
        """Where the file's name stands, for the field."""
        return Region(LABEL + 1, 3 + self.questions.index("name"), self.size.width - LABEL - 1, 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = offset.y - 3
        if 0 <= row < len(self.questions):
            self.cursor = row
            if self.question == "name":
                house(self.app).perform("open")
                return
        for y, start, end, answer in self._spans:
            if y == offset.y and start <= offset.x < end:
                self.choose(self.question, answer)
                return
        self.draw()


class Export(HouseScreen, ModalScreen[None]):
    """Takes a table out of the program."""

    CSS_PATH = "export.tcss"
    name_in_registry = "export"

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.choices = Choices(table)

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.choices,)

    def compose(self) -> ComposeResult:
        yield self.choices
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.choices.border_title = "Export"
        self.choices.border_subtitle = "arrows choose, enter does it"
        self.choices.path = f"{slug(self.choices.table.title, 'table').lower()}{SUFFIXES[self.choices.format]}"
        self._arrange()
        self.go_to(self.choices)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        self.choices.styles.width = min(WIDTH, self.app.size.width - 2)

    def do_open(self) -> None:
        """Do it; on the file's name, edit that first."""
        if self.choices.question == "name":
            self.do_edit()
        else:
            self._do()

    def do_edit(self) -> None:
        choices = self.choices
        if choices.place != "file":
            return
        self.ask(choices, choices.name_region(), choices.path, Asking("a file; enter writes it", self._named))

    def _named(self, text: str) -> bool:
        self.choices.path = text.strip()
        self.choices.look()
        # After the field is closed: a success takes this box away, field and all.
        self.call_later(self._do)
        return True

    def do_copy(self) -> None:
        self._copy()

    def _do(self) -> None:
        if self.choices.place == "clipboard":
            self._copy()
        else:
            self._write()

    def _copy(self) -> None:
        choices, home = self.choices, self.home
        from vram_tui.app.clipboard import copying

        outcome = copying(choices.text_out, f"the table as {WORDS[choices.format]}", os.environ)
        if outcome.bad:
            self._refused(outcome.words)
            if not home.situation.restricted:
                choices.place = "file"
                choices.cursor = choices.questions.index("name")
                choices.draw()
            return
        self.app.pop_screen()
        home.copy(choices.text_out, f"the table as {WORDS[choices.format]}")

    def _write(self) -> None:
        choices, home = self.choices, self.home
        if home.situation.restricted:
            self._refused("no files are written in restricted mode")
            return
        choices.look()
        if choices.exists and not choices.overwrite:
            self._refused("a file of that name exists: choose another name, or overwrite it")
            choices.cursor = choices.questions.index("exists")
            choices.draw()
            return
        try:
            path = write_export(choices.text_out, choices.path, choices.overwrite)
        except ExportError as refused:
            self._refused(str(refused))
            return
        self.app.pop_screen()
        home.tell(f"wrote {safe(str(path))}, {size_words(choices.text_out)}")

    def _refused(self, why: str) -> None:
        self.choices.fault = why
        self.choices.draw()
