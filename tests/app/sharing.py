"""What the journeys of export, recipes and imports share: a terminal that takes text, and what it was sent."""

import base64
import re
from typing import Any

import pytest
from textual.pilot import Pilot

from vram_tui.app.app import VramApp
from vram_tui.app.screens.base import HouseScreen

_COPIED = re.compile("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07")
_NAMES = {
    " ": "space",
    ".": "full_stop",
    "/": "slash",
    "-": "minus",
    "_": "underscore",
    ":": "colon",
    "~": "tilde",
}


class Terminal:
    """Collects what is written past the widgets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        for name in ("TMUX", "STY", "TERM_PROGRAM", "VTE_VERSION", "XTERM_VERSION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        self._monkeypatch = monkeypatch

    def watch(self, app: VramApp) -> None:
        self._monkeypatch.setattr(app, "send", self.sent.append)

    def called(self, term: str, **env: str) -> None:
        """What the terminal says it is."""
        for name, value in {"TERM": term, **env}.items():
            self._monkeypatch.setenv(name, value)

    @property
    def clipboard(self) -> str:
        """The text that the last sequence puts on the clipboard."""
        found = _COPIED.search(self.sent[-1])
        assert found, self.sent
        return base64.b64decode(found[1]).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


async def type_text(pilot: Pilot[Any], text: str) -> None:
    for sign in text:
        await pilot.press(_NAMES.get(sign, sign))


async def settle(pilot: Pilot[Any]) -> None:
    """Until no worker runs and all of them are shown."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def told(app: VramApp) -> str:
    """The sentence in the footer."""
    screen = app.screen
    assert isinstance(screen, HouseScreen)
    return screen.footer.message[0] if screen.footer.message else ""


def shown(app: VramApp) -> str:
    """All lines of the screen on top."""
    from vram_tui.app.widgets.line_panel import LinePanel

    return "\n".join(panel.text for panel in app.screen.query(LinePanel))
