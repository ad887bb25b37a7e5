"""A model into the person's catalogue: choose where from, look at what was read, confirm."""

from math import inf
from pathlib import Path
from time import monotonic

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region
from textual.worker import Worker, get_current_worker

from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.import_sheets import Review, ReviewSheet, Sources
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.importers import caches
from vram_tui.importers.preview import HUB, Preview, preview, save
from vram_tui.session import edits
from vram_tui.session.state import Row, Session
from vram_tui.text import safe

WIDE = 100
TICK_SECONDS = 0.25


class Import(HouseScreen):
    """Sources on the left, the review on the right; on a narrow screen one of them at a time."""

    CSS_PATH = "importing.tcss"
    name_in_registry = "import"

    def __init__(self) -> None:
        super().__init__()
        self.sources = Sources()
        self.sheet = ReviewSheet("review")
        self._reading = ""
        """What is being read now; empty when nothing is."""
        self._asked: tuple[str, str] = ("", "")
        """Reference and label of what stands for review, or waits for leave to use the network."""
        self._worker: Worker[None] | None = None
        self._looking: Worker[None] | None = None
        self._since = 0.0

    @property
    def panels(self) -> tuple[LinePanel, ...]:
        return (self.sources, self.sheet)

    def compose(self) -> ComposeResult:
        yield self.chips
        with Horizontal(id="pair"):
            yield self.sources
            yield self.sheet
        yield self.footer
        yield self.field

    def on_mount(self) -> None:
        self.set_class(not self.home.glyphs.unicode, "-ascii")
        self.sources.border_title, self.sheet.border_title = "Import from", "What was read"
        self._say("Choose a file of this machine, or enter on the first line to type a path.", "dim")
        self._arrange(self.app.size.width)
        self.go_to(self.sources)
        self.set_interval(TICK_SECONDS, self._tick)
        self._looking = self.run_worker(self._look_around, thread=True, group="caches")
        self._tick()

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(event.size.width)

    def _arrange(self, width: int) -> None:
        narrow = width < WIDE
        self.set_class(narrow, "-single")
        review = self.focused is self.sheet
        self.sources.display = not (narrow and review)
        self.sheet.display = not narrow or review

    def go_to(self, panel: LinePanel) -> None:
        super().go_to(panel)
        self._arrange(self.app.size.width)

    def session_changed(self, old: Session, new: Session) -> None:
        super().session_changed(old, new)
        self.sources.draw()
        self.sheet.draw()

    def _say(self, words: str, style: str, read: Preview | None = None, *keys: str) -> None:
        self.sheet.review = Review(words, style, read, keys)
        self.sheet.top = 0
        self.sheet.draw()

    def _tick(self) -> None:
        """A sign of life while something runs."""
        dots = "." * (1 + int(monotonic() / TICK_SECONDS) % 3)
        looking = self._looking is not None and self._looking.is_running
        state = f"looking for models on this machine{dots}" if looking else ""
        if not looking and not self.sources.models:
            state = "no models of Ollama, LM Studio, llama.cpp or the hub on this machine"
        if state != self.sources.state:
            self.sources.state = state
            self.sources.draw()
        if self._reading:
            taken = monotonic() - self._since
            key = self.home.key_map.key_of("back")
            self._say(f"reading {safe(self._reading)} {dots} {taken:.0f} s, {key} cancels", "accent")

    # Workers

    def _look_around(self) -> None:
        worker = get_current_worker()
        # The walk stops at its deadline: a cancelled one has reached it.
        models = caches.found(clock=lambda: inf if worker.is_cancelled else monotonic())
        if not worker.is_cancelled:
            self.app.call_from_thread(self._found, models)

    def _found(self, models: tuple[caches.LocalModel, ...]) -> None:
        self.sources.models = tuple(sorted(models, key=lambda model: (model.source, model.name.casefold())))
        self.sources.state = ""
        self.sources.draw()

    def _read(self, reference: str, label: str = "", known: str = "") -> None:
        self._asked = (reference, label)
        self._reading, self._since = label or reference, monotonic()
        facts = self.home.answers.facts

        def work() -> None:
            worker = get_current_worker()
            try:
                found: Preview | str = preview(reference, facts, known=known, label=label)
            except (ValueError, OSError) as refused:
                found = str(refused)
            except Exception as defect:
                # A strange file must not end the session, whatever it does to a reader.
                found = f"{reference}: cannot be read ({type(defect).__name__}: {defect})"
            if not worker.is_cancelled:
                self.app.call_from_thread(self._was_read, found)

        self._worker = self.run_worker(work, thread=True, exclusive=True, group="read")
        self.go_to(self.sheet)
        self._tick()

    def _was_read(self, found: Preview | str) -> None:
        self._reading = ""
        if isinstance(found, str):
            self._say(found, "error")
            self.go_to(self.sources)
            self.home.tell(safe(found, 300), bad=True)
            return
        keys = self.home.key_map
        where = (
            f"{keys.key_of('open')} writes {_short(found.path)}" if found.path else "there is no folder to write it to"
        )
        change = f"{keys.key_of('edit')} changes the id, {keys.key_of('back')} leaves it"
        if found.exists:
            self._say("You have an entry of that id already: it would be replaced.", "warn", found, where, change)
        else:
            self._say("Read, and nothing is written yet.", "good", found, where, change)

    # Actions

    def do_filter(self) -> None:
        """The line that takes a path."""
        self.go_to(self.sources)
        self.sources.do_first()
        region = Region(2, 0, self.sources.size.width - 2, 1)
        hint = "a .gguf, config.json, model folder, or hub:ORG/NAME"
        self.ask(self.sources, region, self.sources.typed, Asking(hint, self._typed))

    def _typed(self, text: str) -> bool:
        self.sources.typed = text.strip()
        self.sources.draw()
        if self.sources.typed:
            self.call_later(self._take, self.sources.typed)
        return True

    def _take(self, text: str) -> None:
        if not text.startswith(HUB):
            self._read(text)
            return
        self._asked = (text, "")
        keys = self.home.key_map
        self._say(
            f"{text} is read over the network: headers alone, at most 256 MiB and 60 seconds, from the hub "
            "(HF_ENDPOINT), with HF_TOKEN where that is set.",
            "warn",
            None,
            f"{keys.key_of('open')} asks the hub, {keys.key_of('back')} leaves it",
        )
        self.go_to(self.sheet)

    def do_open(self) -> None:
        if self._reading:
            return
        if self.focused is not self.sheet:
            chosen = self.sources.chosen
            if chosen is None:
                self.do_filter()
            else:
                self._read(str(chosen.path), chosen.name)
            return
        read = self.sheet.review.read
        if read is not None:
            self._write(read)
        elif self._asked[0].startswith(HUB) and self.sheet.review.style == "warn":
            self._read(self._asked[0])

    def do_edit(self) -> None:
        """Another id for what was read."""
        read = self.sheet.review.read
        if read is None:
            self.do_filter()
            return
        self.go_to(self.sheet)
        region = Region(0, 0, self.sheet.size.width, 1)
        self.ask(self.sheet, region, read.entry.id, Asking("an id: VENDOR/MODEL", self._rename))

    def _rename(self, text: str) -> bool:
        reference, label = self._asked
        self.call_later(self._read, reference, label, text.strip())
        return True

    def _write(self, read: Preview) -> None:
        home = self.home
        if home.situation.restricted:
            home.tell("nothing is imported in restricted mode", bad=True)
            return
        try:
            path = save(read, overwrite=read.exists)
        except (OSError, ValueError) as refused:
            reason = str(refused)
            self._say(f"not written: {reason}", "error", read)
            home.tell(safe(f"not written: {reason}", 300), bad=True)
            return
        home.adopt(read.entry)
        self._show_format(read.found.quant)
        self.app.pop_screen()
        home.tell(f"imported {safe(read.entry.name, 80)} into {safe(str(path), 200)}")

    def _show_format(self, quant: str | None) -> None:
        """The grid's cursor on the row of the file's own format, which is added where it is missing."""
        if not quant:
            return
        home = self.home
        quants = [row.quant for row in home.session.grid.rows]
        if quant in quants:
            home.look(row=quants.index(quant))
        else:
            home.edit(lambda session: edits.with_row(session, Row(quant)))

    def do_back(self) -> None:
        """First what runs is cancelled, then the review is left, then the screen."""
        if self._reading and self._worker:
            self._worker.cancel()
            self._reading = ""
            self._say("cancelled", "dim")
            self.go_to(self.sources)
        elif self._looking is not None and self._looking.is_running:
            self._looking.cancel()
            self._looking = None
            self._tick()
        elif self.focused is self.sheet:
            self._say("", "dim")
            self.go_to(self.sources)
        else:
            self.app.pop_screen()

    def copy_text(self) -> tuple[str, str]:
        read = self.sheet.review.read
        return (read.toml, "the entry") if read else (self.sheet.review.words, "the message")


def _short(path: Path) -> str:
    """A path with the home folder as people write it."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
