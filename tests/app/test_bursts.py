"""Keys and sizes that come faster than frames: every key acts on what the keys before it left, not on what is drawn."""

import pytest
from textual.events import Key, Resize
from textual.geometry import Size
from textual.pilot import Pilot

from tests.app.library import Sample
from tests.app.sharing import settle
from vram_tui.app import keeping
from vram_tui.app.app import Options, VramApp
from vram_tui.app.screens.explore import Explore

SIGNS = {"slash": "/", "colon": ":", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">"}


@pytest.fixture(autouse=True)
def _slow_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown before a whole burst is taken, as on a busy machine."""
    monkeypatch.setattr(keeping, "LATEST_FRAME_SECONDS", 60)


def on_grid() -> VramApp:
    return VramApp(Sample(), options=Options(model="zai-org/GLM-5.1"))


async def burst(app: VramApp, pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        app.post_message(Key(key, SIGNS.get(key, key if len(key) == 1 else None)))
    await settle(pilot)


async def test_columns_removed_in_one_burst_are_the_ones_under_the_cursor() -> None:
    app = on_grid()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", *["up"] * 12, "home", "right", "right")
        before = app.session.grid.contexts
        await burst(app, pilot, "minus", "minus", "minus", "greater_than_sign")
        assert app.session.grid.contexts == before[:2]


async def test_rows_removed_in_one_burst_and_then_edited() -> None:
    app = on_grid()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", *["down"] * 12, "up", "up", "up", *["left"] * 7)
        assert isinstance(app.screen, Explore)
        before = app.session.grid.rows
        await burst(app, pilot, *["minus"] * 5, "greater_than_sign", "less_than_sign", "e")
        assert app.session.grid.rows == before[:5]
        assert app.screen.field.is_open  # on the line below the last row, where it asks for another one
        assert app.screen.grid.cursor.place == "add-row"


async def test_a_size_that_changes_between_an_edit_and_its_figures() -> None:
    app = on_grid()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "down")
        assert isinstance(app.screen, Explore)
        grid = app.screen.grid
        await pilot.press("x")
        rows = len(app.session.grid.rows)
        await pilot.press("u")
        app.edit(lambda session: session.__class__(model=session.model))
        for width, height in ((160, 50), (80, 24), (60, 18), (1, 1), (120, 40)):
            app.post_message(Resize(Size(width, height), Size(width, height)))
            grid.draw()
        await pilot.press("escape")
        await settle(pilot)
        assert len(grid.cells) == len(app.session.grid.rows) == rows


@pytest.mark.parametrize(("key", "opens"), [("i", "e"), ("g", "slash"), ("w", "slash")])
async def test_what_is_typed_after_the_key_that_opens_a_screen_belongs_to_it(key: str, opens: str) -> None:
    app = on_grid()
    async with app.run_test(size=(120, 40)) as pilot:
        before = app.session
        await burst(app, pilot, key, opens, *"abcbqtp")
        assert app.screen.name_in_registry in ("import", "hardware", "what-fits")  # type: ignore[attr-defined]
        assert app.screen.field.value == "abcbqtp"  # type: ignore[attr-defined]
        assert app.session == before


async def test_what_is_typed_after_the_palette_s_key_is_its_search() -> None:
    app = on_grid()
    async with app.run_test(size=(120, 40)) as pilot:
        before = app.session
        await burst(app, pilot, "colon", *"units")
        assert type(app.screen).__name__ == "Palette"
        assert app.screen.query_one("Input").value == "units"  # type: ignore[attr-defined]
        assert app.session == before
