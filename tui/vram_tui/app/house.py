"""What widgets and screens may ask of the app: state, answers, colours; and how they hand an edit up."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from textual.app import App

from vram_tui.app.actions import Situation
from vram_tui.app.glyphs import Glyphs
from vram_tui.app.key_map import KeyMap
from vram_tui.app.themes import Palette
from vram_tui.catalog.entries import Entry
from vram_tui.session.answers import Answers
from vram_tui.session.state import Session

Edit = Callable[[Session], Session]


class House(Protocol):
    """The app as its rooms see it."""

    palette: Palette
    glyphs: Glyphs
    key_map: KeyMap
    answers: Answers
    notices: list[str]
    """What a start had to say, every sentence whole."""

    @property
    def session(self) -> Session: ...
    @property
    def situation(self) -> Situation: ...
    def edit(self, change: Edit) -> bool:
        """Do an edit and show it; False (and the reason is told) where it is refused."""
        ...

    def look(self, **changes: Any) -> None:
        """Change where the person looks: nothing to undo."""
        ...

    def tell(self, text: str, *, bad: bool = False) -> None:
        """A sentence in the footer, until the next key."""
        ...

    def copy(self, text: str, what: str) -> bool:
        """Put a text on the terminal's clipboard and tell what came of it; False where it cannot be."""
        ...

    def adopt(self, entry: Entry) -> None:
        """Take in a model that was just written to the user's catalogue, and select it."""
        ...

    def search(self, text: str) -> Sequence[Any]:
        """Summaries that the filter language leaves, best first."""
        ...

    def perform(self, action: str) -> None:
        """Do an action by its id, or tell why not."""
        ...

    def open_screen(self, name: str) -> None:
        """Put a screen of the registry on top."""
        ...


def house(app: App[Any]) -> House:
    """The app, for whoever needs more than Textual's own."""
    return cast(House, app)
