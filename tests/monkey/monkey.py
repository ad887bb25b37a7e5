"""A monkey at the dashboard: whatever it does, nothing breaks, nothing sticks, nothing grows, every cell is right."""

import asyncio
import ctypes
import gc
import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from textual.app import App
from textual.events import Key, MouseScrollDown, MouseScrollUp
from textual.pilot import OutOfBounds, Pilot

from tests.app.library import Sample
from vram_tui.app import app as app_module
from vram_tui.app.actions import ALL
from vram_tui.app.app import Options, VramApp
from vram_tui.app.screens.base import HouseScreen
from vram_tui.app.screens.explore import Explore
from vram_tui.estimator.estimate import estimate
from vram_tui.quantities import format_memory
from vram_tui.session.storage import Store

CHECK_EVERY, UNSTICK_EVERY = 20, 150
WARM_UP = 2000
"""Steps after which caches are full and memory may not grow any more."""
MAX_GROWTH_BYTES = 20 << 20
REMEMBERED = 40
PATIENCE = 50
"""Tenths of a second that figures may be on their way: the machine is busy with other things, too."""
LEFT_OUT = ("quit", "suspend")
NAMES = {
    " ": "space",
    "/": "slash",
    "-": "minus",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "=": "equals_sign",
    "?": "question_mark",
    ":": "colon",
    "!": "exclamation_mark",
}
TYPED = "0123456789kKmM.,:x_abcqwenzf4 >=<-%é模\u202e[]"
WORDS = ("32K", "4.25", "bpw:3", "2x rtx-3090", "24GiB", "q8_0", "vllm", "native", "qwen moe", ">30b", "[red]", "=1+1")
SIZES = ((120, 40), (80, 24), (60, 18), (160, 50), (40, 10), (1, 1), (500, 200), (75, 33))


class FaultError(AssertionError):
    """The monkey broke something; the text says with which seed, at which step, after which inputs."""


class Caged(VramApp):
    """The dashboard without its two ways out, which the palette offers too."""

    CSS_PATH = str(Path(app_module.__file__).parent / "screens" / "explore.tcss")

    def do_quit(self) -> None:
        self.tell("the cage is shut")

    do_suspend = do_quit


@dataclass(slots=True)
class Report:
    """What a run did."""

    steps: int = 0
    keys: int = 0
    mouse: int = 0
    resizes: int = 0
    cells: int = 0
    growth_bytes: int = 0
    screens: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        screens = ", ".join(f"{name} {count}" for name, count in sorted(self.screens.items()))
        return (
            f"{self.keys} keys, {self.mouse} mouse events, {self.resizes} resizes, {self.cells} cells compared, "
            f"memory {self.growth_bytes / (1 << 20):+.1f} MiB, steps on screens: {screens}"
        )


class Monkey:
    """Random keys, mouse events and sizes over all screens, with one seed for one course of events."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.report = Report()
        self.recent: deque[str] = deque(maxlen=REMEMBERED)
        self.verbose = verbose
        self._bytes_before = 0
        self._action_keys = [key for action in ALL if action.id not in LEFT_OUT for key in action.keys]

    async def run(self, steps: int, seconds: float = inf) -> Report:
        """So many steps, or so long, in a home of its own. Raises FaultError."""
        library = Sample()
        with tempfile.TemporaryDirectory() as folder, _home(Path(folder)):
            store = Store.at(Path(folder) / "state")
            app = Caged(library, options=Options(model="zai-org/GLM-5.1"), store=store)
            try:
                async with app.run_test(size=SIZES[0]) as pilot:
                    await self._play(app, pilot, steps, seconds)
                    session = app.session
                    app.save_now()
            except FaultError:
                raise
            except Exception as error:
                raise self._fault(f"{type(error).__name__}: {error}") from error
            kept, told = Store.at(Path(folder) / "state").load()
            if told or replace(kept, filter="") != replace(session, filter=""):
                raise self._fault(f"the session does not come back: {told}")
        return self.report

    async def _play(self, app: VramApp, pilot: Pilot[Any], steps: int, seconds: float) -> None:
        begun = time.monotonic()
        for step in range(1, steps + 1):
            if (taken := time.monotonic() - begun) > seconds:
                break
            await self._step(app, pilot)
            if app.return_code is not None or not app.is_running:
                raise self._fault("it ended")
            if step % CHECK_EVERY == 0:
                await self._check_cells(app, pilot)
            if step % UNSTICK_EVERY == 0:
                await self._check_unstuck(app, pilot)
            if not self._bytes_before and (
                step >= min(WARM_UP, steps // 2) or (step < WARM_UP and taken > seconds / 2)
            ):
                self._bytes_before = _resident_bytes()
            if self.verbose and step % 1000 == 0:
                print(step, self.report, f"{_resident_bytes() >> 20} MiB", flush=True)
        self.report.growth_bytes = _resident_bytes() - self._bytes_before
        # A run that ends before the caches are full only reports.
        if self.report.steps >= 2 * WARM_UP and self.report.growth_bytes > MAX_GROWTH_BYTES:
            raise self._fault(f"memory grew by {self.report.growth_bytes >> 20} MiB")

    async def _step(self, app: VramApp, pilot: Pilot[Any]) -> None:
        self.report.steps += 1
        screen = app.screen
        name = screen.name_in_registry if isinstance(screen, HouseScreen) else type(screen).__name__
        self.report.screens[name] = self.report.screens.get(name, 0) + 1
        chance = self.dice.random()
        if chance < 0.02:
            self.report.resizes += 1
            usual = self.dice.random() < 0.7
            size = self.dice.choice(SIZES[:4] if usual else SIZES)
            self._note(f"resize {size}")
            await pilot.resize_terminal(*size)
        elif chance < 0.10:
            await self._mouse(app, pilot)
        else:
            await self._keys(app, pilot)

    async def _mouse(self, app: VramApp, pilot: Pilot[Any]) -> None:
        self.report.mouse += 1
        width, height = app.size
        offset = (self.dice.randrange(max(width, 1)), self.dice.randrange(max(height, 1)))
        kind = self.dice.choice(("click", "click", "double_click", "hover", "scroll"))
        self._note(f"{kind} {offset}")
        try:
            if kind == "scroll":
                event = self.dice.choice((MouseScrollDown, MouseScrollUp))
                await pilot._post_mouse_events([event], offset=offset, button=0)
            else:
                await getattr(pilot, kind)(offset=offset)
        except OutOfBounds:  # the screen is smaller than it says while it is being resized
            return

    async def _keys(self, app: VramApp, pilot: Pilot[Any]) -> None:
        keys = self._chosen_keys(app)
        self.report.keys += len(keys)
        self._note(" ".join(keys))
        for key in keys:
            app.post_message(Key(key, _character(key)))
        await _settle(app)
        if self.dice.random() < 0.05:  # time for timers and frames
            await pilot.pause(0.02)

    def _chosen_keys(self, app: VramApp) -> list[str]:
        dice, screen = self.dice, app.screen
        typing = not isinstance(screen, HouseScreen) or screen.field.is_open
        if typing and dice.random() < 0.6:
            text = dice.choice(WORDS) if dice.random() < 0.4 else dice.choice(TYPED)
            # A name in an export's field stays in the monkey's own folder.
            return [NAMES.get(sign, sign) for sign in text if sign not in "/~"]
        if typing and dice.random() < 0.7:
            return [dice.choice(("enter", "escape", "tab", "up", "down", "ctrl+u", "backspace", "home", "left"))]
        if not isinstance(screen, Explore) and dice.random() < 0.06:
            return ["escape"]
        key = dice.choice(self._action_keys)
        if typing and key == "/":
            key = "escape"
        repeat = dice.randrange(1, 12) if dice.random() < 0.1 else 1
        return [NAMES.get(key, key)] * repeat

    async def _check_cells(self, app: VramApp, pilot: Pilot[Any]) -> None:
        """A figure that stands on the home screen is the estimator's own answer, asked afresh."""
        place = (self.dice.random(), self.dice.random())
        wrong = self._wrong_cell(app, place)
        for _ in range(PATIENCE):  # what was typed last may still be on its way to the figures
            if not wrong:
                break
            await pilot.pause(0.1)
            wrong = self._wrong_cell(app, place)
        if wrong:
            raise self._fault(wrong)

    def _wrong_cell(self, app: VramApp, place: tuple[float, float]) -> str:
        """What is wrong with the cell at a share of the rows and columns; nothing where the grid is not to be seen."""
        screen = app.screen
        if not isinstance(screen, Explore) or not screen.grid.display or not app.session.model:
            return ""
        session, grid, answers = app.session, screen.grid, app.answers
        if screen.has_class("-tiny") or not grid.cells or session.scenario.method == "difference":
            return ""
        index, column = int(place[0] * len(session.grid.rows)), int(place[1] * len(session.grid.contexts))
        if len(grid.cells) != len(session.grid.rows) or len(grid.cells[0]) != len(session.grid.contexts):
            return f"cells of another grid: {len(grid.cells)} rows"
        row, cell = session.grid.rows[index], grid.cells[index][column]
        scenario = answers.scenario(session, row.runtime)
        profile = scenario.profile if answers.has_published(session.model) else "verified"
        asked = f"{session.model} {row.asked} at {cell.tokens}"
        try:
            subject = app.library.subject(session.model, profile)
            wanted = (
                estimate(subject, row.asked, cell.tokens, scenario, answers.facts).total_bytes if cell.tokens else None
            )
        except (ValueError, KeyError):
            wanted = None
        if cell.bytes != wanted:
            return f"{asked}: the grid holds {cell.bytes}, the estimator says {wanted}"
        shown = range(grid.top, min(grid.top + grid.shown_rows, len(session.grid.rows)))
        if wanted is not None and index in shown and grid.first <= column < grid.first + grid.shown_columns:
            line = grid.text.splitlines()[len(grid.head) + 1 + index - grid.top]
            if format_memory(wanted, session.units) not in line:
                return f"{asked}: {format_memory(wanted, session.units)} is not in {line!r}"
        self.report.cells += 1
        return ""

    async def _check_unstuck(self, app: VramApp, pilot: Pilot[Any]) -> None:
        """Some escapes lead home from everywhere, and there the keys work."""
        for _ in range(20):
            screen = app.screen
            if isinstance(screen, Explore) and not screen.field.is_open and not app.session.filter:
                break
            await pilot.press("escape")
        else:
            raise self._fault(f"stuck on {' < '.join(type(screen).__name__ for screen in app.screen_stack)}")
        await pilot.press("escape", "home")
        await pilot.pause()
        before = app.session.model
        await pilot.press("down")
        for _ in range(5):
            await self._check_cells(app, pilot)
        if app.session.model == before and app.size.width >= 60 and app.size.height >= 18:
            place = f"{app.screen.focused!r} of {app.screen!r}, {before}, sorted by {app.session.sort}"
            raise self._fault(f"keys do nothing at {app.size}: {place}")

    def _note(self, event: str) -> None:
        self.recent.append(event)

    def _fault(self, what: str) -> FaultError:
        return FaultError(f"seed {self.seed}, step {self.report.steps}: {what}; before: {' | '.join(self.recent)}")


SIGNS = {name: sign for sign, name in NAMES.items()}


def _character(key: str) -> str | None:
    """What a key types."""
    return key if len(key) == 1 else SIGNS.get(key)


async def _settle(app: App[Any]) -> None:
    """Until what was typed has been taken, without waiting for the clock as a pilot does."""
    quiet = 0
    for _ in range(2000):
        await asyncio.sleep(0)
        quiet = 0 if app.message_queue_size or app.screen.message_queue_size else quiet + 1
        if quiet > 6:
            return


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """A folder to live and write in, and no network."""
    import socket

    names = {"HOME": folder, "XDG_STATE_HOME": folder / "state", "XDG_CONFIG_HOME": folder / "config"}
    names |= {"XDG_CACHE_HOME": folder / "cache", "XDG_DATA_HOME": folder / "data", "HF_HOME": folder / "hub"}
    before, here, connect = {name: os.environ.get(name) for name in names}, Path.cwd(), socket.socket.connect
    os.environ |= {name: str(path) for name, path in names.items()}
    os.chdir(folder)

    def refused(*_: object) -> None:
        raise OSError("no network for monkeys")

    socket.socket.connect = refused  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
        os.chdir(here)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _resident_bytes() -> int:
    """Resident memory after everything that can be let go was let go; 0 where the system does not say."""
    gc.collect()
    if sys.platform != "linux":
        return 0
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
