"""The app: one session, one key map, one set of answers; screens come and go around them."""

import gc
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from textual import events
from textual.app import App
from textual.color import Color
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from vram_tui.app import themes
from vram_tui.app.actions import BY_ID, Situation
from vram_tui.app.glyphs import ASCII, UNICODE
from vram_tui.app.keeping import SessionApp
from vram_tui.app.key_map import key_map
from vram_tui.app.keyboard import take_key
from vram_tui.app.screens import SCREENS
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.widgets.line_panel import LinePanel
from vram_tui.catalog.entries import Entry
from vram_tui.estimator.records import record
from vram_tui.session.answers import Answers, Library
from vram_tui.session.edits import set_units
from vram_tui.session.listing import newest
from vram_tui.session.local import is_local
from vram_tui.session.settings import Settings
from vram_tui.session.state import UNITS, Session
from vram_tui.session.storage import Store

NOTICE_EVERY_SECONDS = 0.05
DEEPEST_SCREENS = 12
"""Screens that may lie on each other: each costs memory, and a key to come back."""


@record
class Options:
    """What the command line says about the dashboard; empty means that it says nothing."""

    model: str = ""
    restricted: bool = False
    ascii: bool = False
    few_colors: bool = False
    mouse: bool = True
    theme: str = ""
    units: str = ""
    target: str = ""


class VramApp(SessionApp, App[None], inherit_bindings=False):
    """Holds the session and hands it to the screen on top; every key and every edit passes through here."""

    TITLE = "vram-tui"
    CSS_PATH = "screens/explore.tcss"  # of the home screen, so that a start parses style sheets once
    MODES = {"explore": lambda: _home_screen()}  # noqa: RUF012 - Textual's own class attribute
    DEFAULT_MODE = "explore"
    COMMANDS = {lambda: import_module("vram_tui.app.palette").ActionProvider}  # noqa: RUF012 - Textual's own
    ENABLE_COMMAND_PALETTE = True
    PAUSE_GC_ON_SCROLL = True

    def __init__(
        self,
        library: Library,
        *,
        options: Options | None = None,
        settings: Settings | None = None,
        store: Store | None = None,
        answers: Answers | None = None,
        notices: Sequence[str] = (),
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(store or Store(None), driver)
        self.options = options or Options()
        self.settings = settings or Settings()
        self.answers = answers or Answers(library)
        self.library = library
        self.glyphs = ASCII if self.options.ascii or self.settings.ascii else UNICODE
        self.key_map, key_faults = key_map(self.settings.keys)
        self.notices = [*notices, *key_faults]
        self.begin(self._first_session())
        for theme in themes.OURS:
            self.register_theme(theme)
        # Set before anything is parsed: a change of theme parses every style sheet again.
        self.set_reactive(App.theme, self._first_theme())
        self._refresh_truecolor_filter(self.ansi_theme)  # a theme of sixteen colours keeps the terminal's own
        if self.no_color:
            # Textual chose its filter before it knew the theme: grey is a colour too.
            self._filters = [NoColor() if isinstance(known, Monochrome) else known for known in self._filters]
        variables = self.get_css_variables()
        self.stylesheet.set_variables(variables)
        self.palette = self._palette(variables)

    # Starting

    def _first_session(self) -> Session:
        """What was saved, under what the command line and the settings say."""
        session, told = self.store.load() if self.store.path else (Session(), ())
        self.notices += told
        known = {summary.id for summary in self.library.entries}
        model = self.options.model if self.options.model in known else session.model
        marks = tuple(mark for mark in session.marks if mark in known)
        units = self.options.units or self.settings.units or session.units
        target = self.options.target or session.target or self.settings.gpus or ""
        try:
            self.answers.machine(target)
        except ValueError as fault:
            self.notices.append(str(fault))
            target = ""
        model = model if model in known else newest(self.library.entries)
        return replace(session, model=model, marks=marks, units=units, target=target, filter="")

    def _first_theme(self) -> str:
        wanted = self.options.theme or self.settings.theme or self.session.theme
        if wanted and wanted not in self.available_themes:
            self.notices.append(f"no theme {wanted}: there are {', '.join(themes.NAMES)}")
            wanted = ""
        return wanted or (themes.ANSI if self.no_color or self.options.few_colors else themes.DEFAULT)

    def on_mount(self) -> None:
        self.call_after_refresh(_collect_from_now_on)
        if is_local(self.session.target):
            self.call_after_refresh(self._read_machine)
        if self.notices:
            self._tell_notices()

    def _tell_notices(self) -> None:
        """As soon as there is a footer to tell them in: at a start the first screen stands later than the app."""
        if isinstance(self.screen, HouseScreen) and self.screen.footer.size.width:
            what = f"notices: {len(self.notices)}, {self.key_map.key_of('notices')} shows them whole"
            self.tell(f"{what}: {self.notices[0]}", bad=True)
        else:
            self.set_timer(NOTICE_EVERY_SECONDS, self._tell_notices)

    def _read_machine(self) -> None:
        from vram_tui.app.local import read_machine

        read_machine(self)

    def leave_from_thread(self, number: int) -> None:
        """Save and restore the terminal when the connection or the system ends us."""
        self.save_now()
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                self._loop.call_soon_threadsafe(lambda: self.exit(return_code=128 + number))

    # Colours

    def get_theme_variable_defaults(self) -> dict[str, str]:
        theme = self.current_theme
        if theme.ansi:
            return {"dim": "ansi_bright_black", "rule": "ansi_bright_black", "cursor": "ansi_blue"}
        text = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#1c1c1c"))
        ground = Color.parse(theme.background or ("#121212" if theme.dark else "#f5f5f5"))
        shades = {"dim": 0.38, "rule": 0.75, "cursor": 0.8}
        return {name: text.blend(ground, share).hex6 for name, share in shades.items()}

    def _palette(self, variables: Mapping[str, str]) -> themes.Palette:
        return themes.Palette(variables, ansi=self.current_theme.ansi, plain=self.no_color)

    def do_theme(self) -> None:
        names = themes.NAMES
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]
        self.palette = self._palette(self.get_css_variables())
        for screen in self.screen_stack:
            for panel in screen.query(LinePanel):
                panel.restyle(self.palette)
        self.look(theme=self.theme)
        self.tell(f"theme {self.theme}")

    def clear_selection(self) -> None:
        """Textual asks for this when a field is mounted: from Python 3.12 on that is before the first screen stands."""
        if self.screen_stack:
            super().clear_selection()

    @property
    def situation(self) -> Situation:
        session = self.session
        top = self.screen if self.screen_stack else None
        return Situation(
            screen=top.name_in_registry if isinstance(top, HouseScreen) else "",
            screens=frozenset(SCREENS),
            marks=len(session.marks),
            can_undo=self.can_undo,
            can_redo=self.can_redo,
            has_published=bool(session.model) and self.answers.has_published(session.model),
            restricted=self.options.restricted,
            models=len(self.library.entries),
            panels=len(top.panels) if isinstance(top, HouseScreen) else 1,
            opens=top.opens if isinstance(top, HouseScreen) else True,
        )

    # Keys and actions

    async def on_event(self, event: events.Event) -> None:
        """Keys are handled here, in the order they were typed: a key that opens a field is followed by its text."""
        screen = self.screen if isinstance(event, events.Key) and not event.is_forwarded else None
        if not (isinstance(screen, HouseScreen) and isinstance(event, events.Key) and take_key(self, event, screen)):
            await super().on_event(event)
        elif not self.message_queue_size:
            screen.paint_now()

    def perform(self, action: str) -> None:
        known = BY_ID[action]
        if known.depends and (reason := known.reason(self.situation)):
            self.tell(reason)
            return
        if known.opens and len(self.screen_stack) > DEEPEST_SCREENS:
            self.tell(
                f"{DEEPEST_SCREENS} screens lie below this one: {self.key_map.key_of('back')} leads back", bad=True
            )
            return
        focused = self.screen.focused
        for place in (*(focused.ancestors_with_self if focused else (self.screen,)), self):
            method = getattr(place, known.method, None)
            if method is not None:
                method()
                return
        if known.opens:
            self.open_screen(known.opens)

    def open_screen(self, name: str) -> None:
        """Put a screen of the registry on top."""
        self.push_screen(load_screen(name))

    def search(self, text: str) -> Sequence[Any]:
        """Summaries that the filter language leaves, best first."""
        return self.library.search(text, lambda model: self.answers.list_bytes(self.session, model))

    def adopt(self, entry: Entry) -> None:
        """Take in a model that was just written to the user's catalogue, and select it."""
        self.library.adopt(entry)
        self.answers.forget(entry.id)
        self.look(model=entry.id, filter="")

    def do_back(self) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def do_keys(self) -> None:
        from vram_tui.app.screens.help import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help())

    def do_palette(self) -> None:
        from vram_tui.app.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(placeholder="an action, by name", id="--command-palette"))

    def do_units(self) -> None:
        other = UNITS[(UNITS.index(self.session.units) + 1) % len(UNITS)]
        self.edit(lambda session: set_units(session, other))

    def do_suspend(self) -> None:
        self.action_suspend_process()

    def do_quit(self) -> None:
        self.save_now()  # what went wrong is told when the terminal is back
        self.exit()


def load_screen(name: str) -> Screen[Any]:
    """A new screen of the registry; its module is imported when it is first asked for."""
    module, _, cls = SCREENS[name].partition(":")
    screen: Screen[Any] = getattr(import_module(module), cls)()
    return screen


def _home_screen() -> Screen[Any]:
    """The first screen. Its style sheet is the app's and has the colours of now: Textual need not parse it again."""
    screen = load_screen("explore")
    screen._css_update_count = screen.app._css_update_count
    return screen


def _collect_from_now_on() -> None:
    """What a start made stays; collect only what comes after it."""
    gc.freeze()
    gc.enable()
