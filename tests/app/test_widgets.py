"""What the line-drawn widgets are made of, as text."""

import pytest

from vram_tui.app.driver import Pen, thrifty
from vram_tui.app.glyphs import ASCII, UNICODE
from vram_tui.app.widgets.grid_cursor import Cursor
from vram_tui.app.widgets.line_panel import fitted, wrapped
from vram_tui.app.widgets.plot import Level, Series, plot_lines
from vram_tui.estimator.units import GIB


def test_a_cut_falls_between_words_and_is_marked() -> None:
    assert fitted("a model of many words", 12) == "a model of⋯"
    assert fitted("short", 12) == "short"
    assert fitted("unbreakable", 5) == "unbr⋯"
    assert all(len(fitted("a model of many words", width)) <= width for width in range(30))


def test_wrapping_keeps_every_word() -> None:
    text = "one two three four averyveryverylongword five"
    lines = wrapped(text, 10)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, lines)) <= 10


@pytest.mark.parametrize("width", [-3, 0, 1])
def test_wrapping_where_there_is_no_room_at_all_ends(width: int) -> None:
    assert "".join(wrapped("模 two", width)) == "模two"


def test_a_thrifty_frame_draws_the_same() -> None:
    frame = "\x1b[38;2;1;2;3;48;2;9;9;9mab\x1b[0m\x1b[38;2;4;4;4;48;2;9;9;9mcd\x1b[0m\x1b[1mE\x1b[0m"
    sent, pen = thrifty(frame, Pen())
    assert sent == "\x1b[38;2;1;2;3;48;2;9;9;9mab\x1b[38;2;4;4;4mcd\x1b[0;1mE\x1b[m"
    assert pen == Pen()
    assert thrifty("plain", Pen()) == ("plain", Pen())


def test_the_cursor_of_the_grid_stays_on_places_that_exist() -> None:
    cursor = Cursor(0, 0, 2, 3)
    assert cursor.place == "figure"
    assert cursor.moved(0, -1).place == "bits"
    assert cursor.moved(0, -2).place == "quant"
    assert cursor.moved(0, -9) == cursor.moved(0, -2)
    assert cursor.moved(-1, 0).place == "context"
    assert cursor.moved(-1, 0).moved(0, 9).place == "add-context"
    assert cursor.moved(9, 0).place == "add-row"
    assert Cursor(5, 7, 6, 8).within(2, 3).place in ("figure", "add-row")


def _plot(width: int, height: int, *, ascii_only: bool = False) -> list[str]:
    series = [
        Series("Q4_K_M", lambda tokens: 17 * GIB + tokens * 98304, "line-0"),
        Series("Q8_0", lambda _: 30 * GIB, ""),
    ]
    levels = [Level("24 GB", 24 * GIB, "mark-0"), Level("800 GB", 800 * GIB, "mark-1")]
    glyphs = ASCII if ascii_only else UNICODE
    lines = plot_lines(series, levels, (1024, 1 << 17), (width, height), "gib", glyphs)
    return ["".join(run.text for run in line) for line in lines]


def test_a_plot_keeps_to_its_size_and_names_its_lines() -> None:
    for width, height in ((30, 6), (50, 12), (100, 20)):
        lines = _plot(width, height)
        assert len(lines) == height
        assert max(map(len, lines)) <= width
    text = "\n".join(_plot(80, 16))
    assert "Q4_K_M" in text
    assert "24 GB" in text
    assert "800 GB" not in text
    assert "128K" in text


def test_a_plain_plot_tells_lines_apart_by_letters() -> None:
    text = "\n".join(_plot(80, 16, ascii_only=True))
    assert text.isascii()
    assert "a Q4_K_M" in text
    assert "bbbb" in text
