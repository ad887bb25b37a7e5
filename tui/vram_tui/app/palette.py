"""Feeds the command palette with the actions of the registry, each with its key."""

from contextlib import suppress
from functools import partial

from textual import work
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.css.query import NoMatches

from vram_tui.app.actions import ALL, Action
from vram_tui.app.house import house

SKIPPED = ("up", "down", "left", "right", "page-up", "page-down", "first", "last", "palette")

LAST = 99


class ActionProvider(Provider):
    """Every action by name; one that cannot be done now says why when it is chosen."""

    def _line(self, action: Action) -> str:
        key = house(self.app).key_map.keys_of(action.id)
        return f"{action.title}  ({key})" if key else action.title

    async def discover(self) -> Hits:
        # What can be done now stands first, and of that what is used most.
        now = house(self.app).situation
        for action in sorted(ALL, key=lambda action: (action.reason(now) is not None, action.rank or LAST)):
            if action.id not in SKIPPED:
                yield DiscoveryHit(self._line(action), partial(self._perform, action.id), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in ALL:
            line = self._line(action)
            score = 0.0 if action.id in SKIPPED else max(matcher.match(line), matcher.match(action.help) * 0.5)
            if score > 0:
                yield Hit(score, matcher.highlight(line), partial(self._perform, action.id), help=action.help)

    def _perform(self, action: str) -> None:
        # The palette is still on top while it calls: the action belongs to the screen below.
        self.app.call_later(house(self.app).perform, action)


class Palette(CommandPalette):
    """Textual's palette, which may also be closed before its list stands, or chosen from twice at once."""

    # The magnifying glass is a picture that few terminals draw alike.
    DEFAULT_CSS = """
    Palette SearchIcon { display: none; }
    Palette CommandInput { padding-left: 2; }
    """

    def dismiss(self, result: None = None) -> AwaitComplete:
        return super().dismiss(result) if self.is_current else AwaitComplete()

    def _action_command_list(self, action: str) -> None:
        # A page is asked for before the list has any height: there is nothing to turn.
        with suppress(LookupError, NoMatches):
            super()._action_command_list(action)

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        gather = CommandPalette._gather_commands.__wrapped__  # type: ignore[attr-defined]
        with suppress(NoMatches):
            await gather(self, search_value)
