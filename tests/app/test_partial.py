"""Frames of what changed: the quick way to paint shows what Textual's own way shows, and a key is painted at once."""

import pytest
from rich.segment import Segment
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from tests.app.conftest import MakeApp
from tests.app.sharing import settle
from vram_tui.app import themes
from vram_tui.app.partial import Patch, quick_full_update, quick_partial_update
from vram_tui.app.screens.explore import Explore
from vram_tui.app.widgets.line_panel import LinePanel

SIZES = ((120, 40), (80, 24), (200, 50), (60, 18), (50, 10))
WAYS = {
    "home": (),
    "grid": ("tab", "down", "right"),
    "field": ("tab", "e"),
    "search": ("slash", "q", "w"),
    "comparison": ("space", "down", "space", "c"),
    "explanation": ("tab", "equals_sign"),
    "export over a screen": ("x",),
    "keys": ("question_mark",),
    "palette": ("colon",),
}


def told(strip: Strip) -> list[Segment]:
    """What a strip draws, without the notes for the mouse."""
    return list(strip.discard_meta().simplify())


def painted(patch: object, width: int) -> list[list[Segment]]:
    """The lines of a whole frame. Raises AssertionError where a cell is painted twice or not at all."""
    assert isinstance(patch, Patch)
    lines: dict[int, list[Strip]] = {}
    ends: dict[int, int] = {}
    for y, x, strip in patch.pieces:
        assert x == ends.get(y, 0)
        ends[y] = x + strip.cell_length
        lines.setdefault(y, []).append(strip)
    assert set(ends.values()) == {width}
    return [told(Strip.join(lines[y])) for y in sorted(lines)]


def assert_same(pilot: Pilot[None]) -> None:
    compositor = pilot.app.screen._compositor
    quick = painted(quick_full_update(compositor), compositor.size.width)
    for y, (line, wanted) in enumerate(zip(quick, compositor.render_strips(), strict=True)):
        assert line == told(wanted), f"line {y}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", WAYS)
async def test_a_whole_frame_is_the_one_that_textual_draws(make_app: MakeApp, way: str, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press(*WAYS[way])
        await settle(pilot)
        assert_same(pilot)


@pytest.mark.parametrize("theme", themes.NAMES)
async def test_so_it_is_in_every_theme(make_app: MakeApp, theme: str) -> None:
    app = make_app(theme=theme)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "down")
        await settle(pilot)
        assert_same(pilot)


async def test_so_it_is_without_colours(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert_same(pilot)


async def test_a_part_of_a_frame_is_painted_wherever_it_lies(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "e")
        await settle(pilot)
        compositor = app.screen._compositor
        wanted = compositor.render_strips()
        for region in (Region(0, 0, 120, 2), Region(30, 5, 12, 30), Region(35, 20, 60, 1), Region(118, 38, 9, 9)):
            compositor._dirty_regions = {region}
            patch = quick_partial_update(compositor)
            assert isinstance(patch, Patch)
            inside = region.intersection(compositor.size.region)
            for y in inside.line_range:
                line = Strip.join([strip for at, _, strip in patch.pieces if at == y])
                assert told(line) == told(wanted[y].crop(inside.x, inside.right))
            assert quick_partial_update(compositor) is None


async def test_what_a_key_changes_is_painted_before_the_next_turn(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, Explore)
        app.look(row=app.session.row + 1)
        assert screen.grid._repaint_required
        screen.paint_now()
        assert not any(panel._repaint_required for panel in screen.query(LinePanel))
        assert not screen._compositor._dirty_regions


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_a_theme_of_sixteen_colours_sends_the_terminal_its_own(make_app: MakeApp, theme: str) -> None:
    app = make_app(theme=theme)
    async with app.run_test(size=(80, 24)):
        for strip in app.screen._compositor.render_strips():
            colors = [color for _, style, _ in strip if style for color in (style.color, style.bgcolor) if color]
            assert not [color for color in colors if color.triplet]
