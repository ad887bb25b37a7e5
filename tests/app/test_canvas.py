"""Only cells that differ are written, and the terminal shows what it would have shown with all of them."""

import random
from typing import Any

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from vram_tui.app.canvas import Canvas, Piece

WIDTH, HEIGHT = 40, 8
STYLES = [
    None,
    Style(color="#010203", bgcolor="#090909"),
    Style(color="#040506", bgcolor="#090909", bold=True),
    Style(color="red", bgcolor="#090909", underline=True),
    Style(color="green"),
    Style(bold=True),
    Style(bgcolor="red", reverse=True),
    Style(color="blue", bgcolor="bright_red", strike=True),
]
NARROW = "ab ─✓⠶"
WIDE = NARROW + "模가"
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def strip_of(dice: random.Random, width: int, signs: str) -> Strip:
    """Text of that many cells in a few styles."""
    segments: list[Segment] = []
    left = width
    while left:
        segment = Segment("".join(dice.choice(signs) for _ in range(dice.randint(1, 6))), dice.choice(STYLES))
        if segment.cell_length <= left:
            segments.append(segment)
            left -= segment.cell_length
    return Strip(segments, width)


def frame_of(dice: random.Random, signs: str) -> list[Piece]:
    """All lines; or stretches of some, where no sign takes two cells: half a sign is never written."""
    if signs == WIDE or dice.random() < 0.3:
        return [Piece(y, 0, strip_of(dice, WIDTH, signs)) for y in range(HEIGHT)]
    starts = [(y, dice.randint(0, WIDTH - 2)) for y in sorted(dice.sample(range(HEIGHT), 4))]
    return [Piece(y, x, strip_of(dice, dice.randint(1, WIDTH - x), signs)) for y, x in starts]


def whole(frame: list[Piece]) -> str:
    return "".join(f"\x1b[{y + 1};{x + 1}H{strip.render(CONSOLE)}" for y, x, strip in frame)


def visible(cell: Any) -> Any:
    """A cell as a person sees it: a blank has no colour and no weight of its own."""
    plain = cell.data == " " and not cell.reverse
    return cell._replace(fg="default", bold=False, italics=False) if plain else cell


def screen() -> tuple[pyte.Screen, pyte.Stream]:
    made = pyte.Screen(WIDTH, HEIGHT)
    return made, pyte.Stream(made)


@pytest.mark.parametrize("signs", [NARROW, WIDE])
@pytest.mark.parametrize("seed", range(25))
def test_the_terminal_shows_the_same(seed: int, signs: str) -> None:
    dice, canvas, saved = random.Random(seed), Canvas(), 0
    (one, first), (other, second) = screen(), screen()
    for _ in range(12):
        frame = frame_of(dice, signs)
        all_of_it, sent = whole(frame), canvas.written(frame, CONSOLE)
        first.feed(all_of_it)
        second.feed(sent)
        saved += len(all_of_it) - len(sent)
        assert one.display == other.display
        for y in range(HEIGHT):
            assert [visible(one.buffer[y][x]) for x in range(WIDTH)] == [
                visible(other.buffer[y][x]) for x in range(WIDTH)
            ]
    assert saved >= 0


def line(text: str, style: Style | None = None) -> list[Piece]:
    return [Piece(2, 3, Strip([Segment(text, style)]))]


def test_what_stands_there_is_not_written_again() -> None:
    canvas = Canvas()
    assert canvas.written(line("figures 1 and 2"), CONSOLE) == "\x1b[3;4Hfigures 1 and 2"
    assert canvas.written(line("figures 1 and 2"), CONSOLE) == ""
    assert canvas.written(line("figures 1 and 3"), CONSOLE) == "\x1b[3;18H3"
    assert canvas.written(line("fibures 1 and 4"), CONSOLE) == "\x1b[3;6Hb\x1b[18G4"
    assert canvas.written(line("fibures 1 and 4", Style(bold=True)), CONSOLE).count("fibures 1 and 4") == 1
    canvas.forget()
    assert canvas.written(line("fibures 1 and 4"), CONSOLE) == "\x1b[3;4Hfibures 1 and 4"


def test_signs_of_two_cells_are_written_whole() -> None:
    canvas = Canvas()
    canvas.written(line("a模b가c"), CONSOLE)
    assert canvas.written(line("a模b模c"), CONSOLE) == "\x1b[3;8H模"
    assert canvas.written(line("a模b12c"), CONSOLE) == "\x1b[3;8H12"
    assert canvas.written(line("a模b1é̀c"), CONSOLE) == "\x1b[3;9Hé̀"


def test_blanks_between_colours_need_none() -> None:
    blue, bold = Style(color="#010203", bgcolor="#090909"), Style(bold=True, bgcolor="#090909")
    strip = Strip([Segment("a", blue), Segment(" ", bold), Segment("b", blue)])
    assert Canvas().written([Piece(0, 0, strip)], CONSOLE) == "\x1b[1;1H\x1b[38;2;1;2;3;48;2;9;9;9ma b\x1b[0m"
