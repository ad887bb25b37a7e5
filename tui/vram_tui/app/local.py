"""Read the machine at hand in a worker, and tell the screen on top when it is known."""

from dataclasses import replace
from typing import Any

from textual.app import App

from vram_tui.app.house import house
from vram_tui.app.screens.base import HouseScreen
from vram_tui.session.local import is_local


def read_machine(app: App[Any], *, again: bool = False) -> None:
    """Start reading unless it is known; `machine_read` of the screen on top is called when it is."""
    local = house(app).answers.local
    if local.detection is not None and not again:
        return
    catalogue = house(app).answers.library.hardware

    def work() -> None:
        local.read(catalogue, again=again)
        app.call_from_thread(_told, app)

    app.run_worker(work, thread=True, exclusive=True, group="machine", exit_on_error=False)


def _told(app: App[Any]) -> None:
    home = house(app)
    home.answers.machine_read()
    screen = app.screen
    if isinstance(screen, HouseScreen):
        if is_local(home.session.target):
            # Everything that is judged against the target is judged anew.
            screen.session_changed(replace(home.session, target=""), home.session)
        screen.machine_read()
