"""Find the right hardware: everything that runs the chosen cell, ranked, with plan, reach, speed and price."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from textual.geometry import Region

from vram_tui.app.screens.base import plain_title
from vram_tui.app.screens.ranked import FIT_STYLES, RankedScreen
from vram_tui.app.widgets.field import Asking
from vram_tui.app.widgets.line_panel import Run
from vram_tui.app.widgets.ranking import Heading, Ranking, Shown
from vram_tui.catalog.offers import offers
from vram_tui.estimator.placing import (
    HARDWARE_SORTS,
    Offer,
    Placement,
    Placer,
    loads,
    matches,
    sort_placements,
    without_twins,
)
from vram_tui.estimator.scenario import Scenario
from vram_tui.exporters.rankings import hardware_table, plan_words, price_words, reach_words, speed_words
from vram_tui.exporters.table import Table
from vram_tui.quantities import format_memory, format_tokens, unit_label
from vram_tui.session import edits
from vram_tui.session.explaining import Asked, Target, asked_in_grid, memory_of
from vram_tui.session.specs import memory_words
from vram_tui.text import safe

HEADINGS = (
    Heading("used", "used / usable", 13, 1),
    Heading("bar", "", 10, 6, right=False),
    Heading("reach", "context", 7, 3),
    Heading("decode", "tok/s", 6, 2),
    Heading("band", "+/-", 3, 8),
    Heading("price", "price", 11, 4),
    Heading("plan", "plan", 16, 7, right=False),
    Heading("prefill", "prompt/s", 8, 9),
    Heading("power", "watts", 7, 10),
    Heading("date", "price of", 8, 11),
)


class Hardware(RankedScreen):
    """Ranks the catalogue's hardware for the cell that is selected in the grid."""

    CSS_PATH = "ranked.tcss"
    name_in_registry = "hardware"
    filter_hint = "words: a name, a vendor, consumer, apple, node, rent, buy, fits"

    def __init__(self) -> None:
        super().__init__(Ranking("ranking", HEADINGS, self._shown))
        self.ranking.name_title = "hardware"
        self.sort = "price"
        self.placements: tuple[Placement, ...] = ()
        self._placer: Placer | None = None
        self.rows: list[Placement] = []
        self._offers: tuple[Offer, ...] = ()
        self._found: list[Placement] = []
        self._question: Asked | None = None
        self._refused = ""

    # The cell

    @property
    def asked(self) -> Asked:
        session = self.home.session
        return asked_in_grid(self.home.answers, session, session.row, session.column)

    def follow(self) -> None:
        if self._question is None:
            return
        if self._same(self.asked):
            self._show()
        else:
            self.begin()

    def _same(self, asked: Asked) -> bool:
        """Whether the ranking on the screen answers this question; the target has no part in it."""
        now = self._question
        if now is None or (now.model, now.row, now.tokens) != (asked.model, asked.row, asked.tokens):
            return False
        return _bare(now) == _bare(asked)

    # Ranking

    def begin(self) -> None:
        answers = self.home.answers
        asked, before = self.asked, self._question
        self._question = asked
        if before is not None:
            if before.model != asked.model:
                self.placements = ()
                self.put_in_order()
            self._show()
            self.say_anew(bool(self.placements))
        if not self._offers:
            self._offers = offers(answers.library.hardware)
        self._found, self._refused = [], ""
        scenario = _bare(asked)
        profile = scenario.profile if answers.has_published(asked.model) else "verified"
        found = memory_of(answers, asked)
        if isinstance(found, str) or not asked.tokens:
            self._refused = found if isinstance(found, str) else "no source states the native context"
            self.cancel()
            self._done()
            return
        subject = answers.library.subject(asked.model, profile)
        self._placer = placer = Placer(subject, asked.row.asked, asked.tokens, scenario, answers.facts)
        self.run(self._place(placer, scenario.runtime), self._done)

    def _place(self, placer: Placer, runtime: str) -> Iterator[None]:
        facts = self.home.answers.facts
        for offer in self._offers:
            if loads(runtime, facts, offer.unit.devices):
                self._found.append(placer.place(offer))
            yield
        # The first page is made exact before it is shown; what lies below, when it comes into sight.
        first = sort_placements(without_twins(self._found), self.sort)[: self.size.height]
        for one in first:
            self._found[self._found.index(one)] = placer.settle(one)
            yield

    def progress(self) -> None:
        if self.whole and self.placements:
            return  # another context of the same model: its rows stay until all are there
        self.whole = False
        self._done()

    def _done(self) -> None:
        chosen = self.chosen if self.ranking.cursor_moved else None
        self.placements = tuple(without_twins(self._found))
        self.put_in_order()
        if chosen is not None:
            self.ranking.keep(next((at for at, one in enumerate(self.rows) if one.text == chosen.text), 0))

    def put_in_order(self) -> None:
        words = [word for word in self.ranking.filter.casefold().split() if word != "fits"]
        only = "fits" in self.ranking.filter.casefold().split()
        text = " ".join(words)
        kept = [one for one in self.placements if matches(one.offer, words=text) and (one.fits or not only)]
        self.rows = list(sort_placements(kept, self.sort))
        self.ranking.message = self._refused or "no hardware matches: esc clears the filter"
        self.ranking.fill(len(self.rows))
        self._show()

    # Drawing

    def _show(self) -> None:
        session, asked = self.home.session, self.asked
        fitting = sum(one.fits for one in self.placements)
        label = unit_label(session.units)
        self.ranking.border_title = plain_title(f"Hardware, {label}")
        count = f"{len(self.placements)}" if self.whole else f"the first {len(self.placements)}"
        self.ranking.border_subtitle = plain_title(f"{fitting} of {count} hold it, by {self.sort}")
        name = safe(self.home.answers.library.entry(asked.model).name, 80)
        at = f"at {format_tokens(asked.tokens)}" if asked.tokens else ""
        first = [Run(f"{name}  {asked.row.label} {at}", "bold")]
        memory = memory_of(self.home.answers, asked)
        if not isinstance(memory, str) and asked.tokens:
            need = memory.devices[0].at(asked.tokens) if len(memory.devices) == 1 else memory.at(asked.tokens)
            first.append(Run(f"{memory_words(need, session.units)} on one device", "accent"))
        keys = self.home.key_map
        first.append(Run(f"left and right: other contexts, {keys.key_of('edit')}: other cell", "dim"))
        self.headlines.fill([first, self._best()])
        self.ranking.draw()

    def _best(self) -> list[Run]:
        """The cheapest to buy, the cheapest to rent, the fastest."""
        fitting = [one for one in self.placements if one.fits]
        bought = [one for one in fitting if one.price_usd is not None]
        rented = [one for one in fitting if one.machine.price_usd_hour is not None]
        quick = [one for one in fitting if one.decode_tok_s is not None]
        parts: list[Run] = []
        if bought:
            best = min(bought, key=lambda one: one.price_usd or 0.0)
            parts.append(Run(f"to buy {best.text} {price_words(best)}", "good"))
        if rented:
            best = min(rented, key=lambda one: one.machine.price_usd_hour or 0.0)
            parts.append(Run(f"to rent {best.text} {price_words(best)}", "good"))
        if quick:
            best = max(quick, key=lambda one: one.decode_tok_s or 0.0)
            parts.append(Run(f"fastest {best.text} {speed_words(best.decode_tok_s or 0.0)} tok/s", "good"))
        if not parts and self.placements:
            parts.append(Run("nothing of the catalogue holds this cell", "warn"))
        return parts

    def _shown(self, index: int) -> Shown:
        one = self.rows[index]
        if not one.exact and self._placer is not None and not self.working:
            one = self.rows[index] = self._placer.settle(one)
        units, none = self.home.session.units, self.home.glyphs.none
        used, usable = format_memory(one.used_bytes, units), format_memory(one.usable_bytes, units)
        figures = f"{used} / {usable}" if one.used_bytes else f"{none} / {usable}"
        native = self.home.answers.library.entry(self.asked.model).context_native or 0
        whole = bool(native) and one.largest_ctx >= native
        watts = one.machine.tdp_w
        cells = {
            "used": (figures, FIT_STYLES[one.fit] if one.fits else ""),
            "bar": (self.ranking.bar(one.used_bytes / max(one.usable_bytes, 1)), "bar-weights"),
            "reach": (reach_words(one.largest_ctx, native), "good" if whole else ""),
            "price": (price_words(one), "bold"),
            "plan": (plan_words(one), "dim"),
            "power": (f"{watts:,}" if watts else none, ""),
            "date": ((one.price_date or "")[:7] if price_words(one) else "", "dim"),
            **self.speed_cells(one.speed),
        }
        target = self.home.session.target.casefold()
        mark = f"{self.home.glyphs.mark} " if target == one.text.casefold() else ""
        name = one.offer.id if one.offer.kind == "instance" else one.machine.name
        return Shown(self.sign(one.fit), FIT_STYLES[one.fit], mark + name, cells, faint=not one.fits)

    # Actions

    @property
    def chosen(self) -> Placement | None:
        at = self.ranking.selected
        return self.rows[at] if at is not None and at < len(self.rows) else None

    def do_open(self) -> None:
        """The plan of the row under the cursor."""
        one = self.chosen
        if one is not None and self._question is not None:
            from vram_tui.app.screens.plan import PlanScreen

            self.app.push_screen(PlanScreen(self._question, one))

    def do_target(self) -> None:
        """The row under the cursor becomes the machine that everything is judged against."""
        one = self.chosen
        if one is None or self.focused is not self.ranking:
            super().do_target()
        elif self.home.edit(lambda session: edits.set_target(session, one.text)):
            self.home.tell(f"judged against {one.text} from now on")

    def do_sort(self) -> None:
        self.next_sort(tuple(HARDWARE_SORTS))

    def do_edit(self) -> None:
        """Another format or context, or both."""
        if self.focused is not self.ranking:
            self.edit_focused_chip()
            return
        asked = self.asked
        self.ask(
            self.ranking,
            Region(0, 0, max(self.ranking.size.width, 20), 1),
            f"{asked.row.asked} {format_tokens(asked.tokens).replace(',', '')}",
            Asking("a format and a context, such as Q4_K_M 128K", self._set_cell),
        )

    def _set_cell(self, text: str) -> bool:
        formats = self.home.answers.facts.formats
        return self.home.edit(lambda session: edits.choose_cell(session, text, formats))

    def explain_targets(self) -> tuple[Sequence[Target], int]:
        cell = self.launch_cell()
        return ((cell,), 0) if self.chosen and cell.tokens else ((), 0)

    def launch_cell(self) -> Asked:
        """The cell on the machine of the row under the cursor."""
        one, asked = self.chosen, self.asked
        return asked if one is None else replace(asked, scenario=replace(asked.scenario, machine=one.machine))

    def export_table(self) -> Table:
        asked, home = self.asked, self.home
        entry = home.answers.library.entry(asked.model)
        title = f"{entry.name}, {asked.row.label} at {format_tokens(asked.tokens)}, {asked.scenario.runtime}"
        return hardware_table(self.rows, title, entry.context_native or 0, home.session.units)


def _bare(asked: Asked) -> Scenario:
    """The scenario without the machine; a difference of methods is ranked by the exact one."""
    method = "exact" if asked.scenario.method == "difference" else asked.scenario.method
    return replace(asked.scenario, machine=None, method=method)
