"""What a machine runs: every model in its best format, with its reach, what is left, and its speed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from textual.geometry import Region

from vram_tui.app.local import read_machine
from vram_tui.app.screens.base import plain_title
from vram_tui.app.screens.ranked import FIT_STYLES, RankedScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import Run
from vram_tui.app.widgets.ranking import Heading, Ranking, Shown
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.fits import MODEL_SORTS, Fitter, ModelFit, sort_fits
from vram_tui.estimator.scenario import Scenario
from vram_tui.exporters.rankings import fits_table, reach_words
from vram_tui.exporters.table import Table
from vram_tui.quantities import MAX_CONTEXT, format_memory, format_parameters, format_tokens, unit_label
from vram_tui.session import edits
from vram_tui.session.explaining import Asked, Target
from vram_tui.session.local import is_local
from vram_tui.session.specs import memory_words
from vram_tui.session.state import NATIVE, Row
from vram_tui.text import safe

HEADINGS = (
    Heading("size", "size", 6, 5),
    Heading("quant", "best format", 11, 1, right=False),
    Heading("reach", "context", 7, 2),
    Heading("spare", "to spare", 9, 3),
    Heading("decode", "tok/s", 6, 4),
    Heading("used", "used / usable", 13, 6),
    Heading("bar", "", 10, 7, right=False),
    Heading("band", "+/-", 3, 8),
    Heading("prefill", "prompt/s", 8, 9),
)


class WhatFits(RankedScreen):
    """Ranks the catalogue's models for the target machine; without a target for the one at hand."""

    CSS_PATH = "ranked.tcss"
    name_in_registry = "what-fits"
    filter_hint = "words, >30b, moe, ctx>=128k, licence:mit"

    def __init__(self) -> None:
        super().__init__(Ranking("ranking", HEADINGS, self._shown))
        self.ranking.name_title = "model"
        self.sort = "parameters"
        self.fits: tuple[ModelFit, ...] = ()
        self.rows: list[ModelFit] = []
        self._found: list[ModelFit] = []
        self._fitter: Fitter | None = None
        self._question: object = None
        self._names: dict[str, Any] = {}
        self._ranked_for: Machine | None = None

    # The machine

    @property
    def machine(self) -> Machine | None:
        """The target, or the machine at hand; None while that is being read."""
        answers, target = self.home.answers, self.home.session.target
        return answers.local.machine if not target or is_local(target) else answers.machine(target)

    @property
    def at_hand(self) -> bool:
        return not self.home.session.target or is_local(self.home.session.target)

    def machine_read(self) -> None:
        self.begin()

    @property
    def context(self) -> int:
        chosen = self.home.session.selected_context
        return MAX_CONTEXT if chosen == NATIVE else chosen

    def _scenario(self) -> Scenario:
        scenario = self.home.answers.scenario(self.home.session)
        return replace(scenario, machine=None, method="exact" if scenario.method == "difference" else scenario.method)

    def follow(self) -> None:
        if self._question is None:
            return
        if self._asking() == self._question:
            self._show()
        else:
            self.begin()

    def _asking(self) -> object:
        session = self.home.session
        return (self.machine, self.context, self._scenario(), tuple(row.asked for row in session.grid.rows))

    # Ranking

    def begin(self) -> None:
        machine = self.machine
        self._names = {summary.id: summary for summary in self.home.answers.library.entries}
        self._question = self._asking()
        if machine is None:
            self.ranking.message = "reading what this machine has"
            read_machine(self.app)
            self.cancel()
            self.fits = ()
            self.put_in_order()
            return
        if machine != self._ranked_for:
            self.fits = ()
        self._ranked_for = machine
        self.ranking.message = "ranking"
        self.put_in_order()
        self.say_anew(bool(self.fits))
        quants = tuple(dict.fromkeys(row.asked for row in self.home.session.grid.rows))
        self._found = []
        self._fitter = Fitter(quants, self.context, self._scenario(), machine, self.home.answers.facts)
        self.run(self._rank(self._fitter), self._done)

    def _rank(self, fitter: Fitter) -> Iterator[None]:
        for summary in self.home.answers.library.entries:
            self._found.append(fitter.fit(self._subject(summary.id)))
            yield
        # The first page is made exact before it is shown; what lies below, when it comes into sight.
        order = sort_fits(self._found, self.sort)
        for one in order[: self.ranking.page]:
            self._found[self._found.index(one)] = fitter.settle(self._subject(one.model), one)
            yield

    def _subject(self, model: str) -> Any:
        answers, profile = self.home.answers, self.home.session.scenario.profile
        return answers.library.subject(model, profile if answers.has_published(model) else "verified")

    def progress(self) -> None:
        if self.whole and self.fits:
            return  # another context on the same machine: its rows stay until all are there
        self.whole = False
        self._done()

    def _done(self) -> None:
        chosen = self.chosen if self.ranking.cursor_moved else None
        self.fits = tuple(self._found)
        self.put_in_order()
        if chosen is not None:
            self.ranking.keep(next((at for at, one in enumerate(self.rows) if one.model == chosen.model), 0))

    def put_in_order(self) -> None:
        text = self.ranking.filter
        kept = self.fits
        if text.strip():
            matching = {summary.id for summary in self.home.search(text)}
            kept = tuple(one for one in kept if one.model in matching)
        self.rows = list(sort_fits(kept, self.sort))
        if self.fits:
            self.ranking.message = "no model matches: esc clears the filter"
        self.ranking.fill(len(self.rows))
        self._show()

    # Drawing

    def _show(self) -> None:
        session, machine = self.home.session, self.machine
        fitting = sum(one.fit in ("fits", "tight") for one in self.fits)
        partly = sum(one.fit == "offload" for one in self.fits)
        self.ranking.border_title = plain_title(f"What fits, {unit_label(session.units)}")
        count = f"{len(self.fits)}" if self.whole else f"the first {len(self.fits)}"
        self.ranking.border_subtitle = plain_title(
            f"{fitting} of {count} fit{f', {partly} with RAM' if partly else ''}, by {self.sort}"
        )
        self.headlines.fill([self._machine_line(machine), self._notes_line(machine)])
        self.ranking.draw()

    def _machine_line(self, machine: Machine | None) -> list[Run]:
        units, free = self.home.session.units, self.home.session.scenario.free
        key = self.home.key_map.key_of("target")
        if machine is None:
            return [Run("This machine", "bold"), Run("is being read", "dim")]
        name = f"This machine: {machine.name}" if self.at_hand else machine.name
        parts = [Run(name, "bold")]
        if machine.devices:
            room = sum(machine.budget_bytes(index, free=free) for index in range(len(machine.devices)))
            parts.append(Run(f"{memory_words(room, units)} {'free' if free else 'usable'}", "accent"))
        if ram := machine.host_free_bytes if free else machine.host_ram_bytes:
            parts.append(Run(f"RAM {memory_words(ram, units)}", "accent" if not machine.devices else "dim"))
        context = self.home.session.selected_context
        at = f"at {format_tokens(context)}" if context else "at each model's own context"
        return [*parts, Run(at, "bold"), Run(f"{key}: other hardware", "dim")]

    def _notes_line(self, machine: Machine | None) -> list[Run]:
        """What could not be read, or how to choose."""
        detection = self.home.answers.local.detection
        if self.at_hand and detection is not None:
            notes = [f"{note.reader}: {note.text}" for note in detection.notes]
            if not detection.machine.devices:
                notes.insert(0, "no GPU found: everything in RAM, on the processor")
            if notes:
                return [Run(text, "warn") for text in notes]
        keys = self.home.key_map
        return [Run(f"left and right: other contexts, {keys.key_of('free')}: free memory, {keys.key_of('open')}: to "
                    "the model", "dim")]  # fmt: skip

    def _shown(self, index: int) -> Shown:
        one = self.rows[index]
        if not one.exact and self._fitter is not None and not self.working:
            # The rows in sight are made exact; the order was found from the estimate.
            one = self.rows[index] = self._fitter.settle(self._subject(one.model), one)
        units, glyphs = self.home.session.units, self.home.glyphs
        fits = one.fit != "no"
        native = one.native_ctx
        whole = bool(native) and one.largest_ctx >= native
        used, usable = format_memory(one.used_bytes, units), format_memory(one.usable_bytes, units)
        lacking = one.headroom_bytes < 0
        summary = self._names.get(one.model)
        spare = format_memory(abs(one.headroom_bytes), units)
        cells = {
            "quant": (one.quant, "bold" if fits else ""),
            "reach": (reach_words(one.largest_ctx, native) if fits else glyphs.none, "good" if whole else ""),
            "spare": (f"RAM {format_memory(one.ram_bytes, units)}", "mark-1")
            if one.offload
            else (f"-{spare}" if lacking else spare, ""),
            "size": (format_parameters(summary.parameters if summary else one.parameters), "dim"),
            "used": (f"{used} / {usable}", ""),
            "bar": (self.ranking.bar(one.used_bytes / max(one.usable_bytes, 1)), "bar-weights"),
            **self.speed_cells(one.speed),
        }
        mark = f"{glyphs.mark} " if one.model in self.home.session.marks else ""
        name = safe(summary.name if summary else one.model, 80)
        return Shown(self.sign(one.fit), FIT_STYLES[one.fit], mark + name, cells, faint=not fits)

    # Actions

    @property
    def chosen(self) -> ModelFit | None:
        at = self.ranking.selected
        return self.rows[at] if at is not None and at < len(self.rows) else None

    def do_open(self) -> None:
        """To the model, with this cell selected."""
        one = self.chosen
        if one is None:
            return
        formats = self.home.answers.facts.formats
        if self.home.edit(lambda session: edits.choose_cell(session, one.quant.removeprefix("bpw:"), formats)):
            self.home.look(model=one.model, filter="")
            self._turn_to("explore")

    def do_mark(self) -> None:
        one = self.chosen
        if one is not None:
            self.home.edit(lambda session: edits.toggle_mark(session, one.model))

    def do_target(self) -> None:
        """Other hardware: an empty text is the machine at hand."""
        target = self.home.session.target
        self.ask(
            self.ranking,
            Region(0, 0, max(self.ranking.size.width, 20), 1),
            "" if is_local(target) else target,
            Asking("2x rtx-3090, 8xh200, 24GiB, cpu; empty: this machine", self._set_machine),
        )

    def _set_machine(self, text: str) -> bool:
        return self._set_chip("target", text)

    def do_sort(self) -> None:
        self.next_sort(tuple(MODEL_SORTS))

    def do_edit(self) -> None:
        """Another context."""
        if self.focused is not self.ranking:
            self.edit_focused_chip()
            return
        formats = self.home.answers.facts.formats
        context = self.home.session.selected_context
        self.ask(
            self.ranking,
            Region(0, 0, max(self.ranking.size.width, 20), 1),
            format_tokens(context).replace(",", "") if context else "native",
            Asking(
                "a context, such as 32K, or native",
                lambda text: self.home.edit(lambda session: edits.choose_cell(session, text, formats)),
            ),
        )

    def _cell(self, one: ModelFit) -> Asked:
        return Asked(one.model, Row(one.quant), one.ctx, replace(self._scenario(), machine=self.machine))

    def explain_targets(self) -> tuple[Sequence[Target], int]:
        one = self.chosen
        return ((self._cell(one),), 0) if one else ((), 0)

    def launch_cell(self) -> Asked | None:
        one = self.chosen
        return self._cell(one) if one else None

    def export_table(self) -> Table:
        machine, fitter = self.machine, self._fitter
        rows = [fitter.settle(self._subject(one.model), one) if fitter else one for one in self.rows]
        context = self.home.session.selected_context
        at = f"at {format_tokens(context)}" if context else "at each model's own context"
        name = machine.name if machine else "this machine"
        return fits_table(rows, f"{name}, {at}, {self._scenario().runtime}", self.home.session.units)
