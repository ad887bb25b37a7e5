"""Frames of what changed: the quick way to paint a panel's lines shows what Textual's own way shows, and at once."""

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from tests.app.conftest import MakeApp
from tests.app.sharing import settle
from vram_tui.app import themes
from vram_tui.app.canvas import Piece
from vram_tui.app.partial import Span, _framed_pieces, _plain_pieces
from vram_tui.app.screens.explore import Explore
from vram_tui.app.widgets.line_panel import LinePanel


def drawn(pieces: list[Piece]) -> list[tuple[int, int, Strip]]:
    return [(y, x, strip.simplify()) for y, x, strip in pieces]


def panels_with_spans(pilot: Pilot[None]) -> list[tuple[LinePanel, list[Span]]]:
    """Every panel in sight with all of its lines, the first and the last cut at their sides."""
    found = []
    for panel in pilot.app.screen.query(LinePanel):
        inner = panel.content_region
        if panel.display and inner.area:
            lines = [Span(y, inner.x, inner.right, panel.region) for y in inner.line_range]
            lines[0] = lines[0]._replace(x1=inner.x + 3)
            lines[-1] = lines[-1]._replace(x2=inner.right - 5)
            found.append((panel, lines))
    return found


@pytest.mark.parametrize("theme", themes.NAMES)
async def test_a_panel_painted_the_quick_way_looks_the_same(make_app: MakeApp, theme: str) -> None:
    app = make_app(theme=theme)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "down", "right", "tab")
        await settle(pilot)
        shown = panels_with_spans(pilot)
        assert len(shown) >= 5
        for panel, spans in shown:
            quick = _plain_pieces(panel, spans)
            assert quick, panel
            assert drawn(quick) == drawn(_framed_pieces(panel, spans)), panel


async def test_without_colours_and_on_a_frame_the_quick_way_is_not_taken(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        panel, spans = panels_with_spans(pilot)[1]
        edge = Span(panel.region.y, panel.region.x, panel.region.right, panel.region)
        assert not _plain_pieces(panel, [edge, *spans])
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        assert not any(_plain_pieces(panel, spans) for panel, spans in panels_with_spans(pilot))


async def test_what_a_key_changes_is_painted_before_the_next_turn(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, Explore)
        row = app.session.row
        app.look(row=row + 1)
        changed = [panel for panel in screen.query(LinePanel) if panel._repaint_required]
        assert screen.grid in changed
        screen.paint_now()
        assert not any(panel._repaint_required for panel in screen.query(LinePanel))
        assert not screen._compositor._dirty_regions


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_a_theme_of_sixteen_colours_sends_the_terminal_its_own(make_app: MakeApp, theme: str) -> None:
    app = make_app(theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        for panel, spans in panels_with_spans(pilot):
            for _, _, strip in _framed_pieces(panel, spans):
                colors = [color for _, style, _ in strip if style for color in (style.color, style.bgcolor) if color]
                assert not [color for color in colors if color.triplet], panel
