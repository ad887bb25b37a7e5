"""Fewer bytes draw the same picture: whatever the driver sends, a terminal shows what Textual would have sent."""

import random

import pyte
import pytest

from vram_tui.app.driver import Pen, changed, step, thrifty

COLORS = ("", "31", "92", "38;5;200", "38;2;1;2;3", "38;2;4;5;6")
GROUNDS = ("", "41", "102", "48;5;20", "48;2;9;9;9", "48;2;8;8;8")
FLAGS = ("1", "3", "4", "7", "9")


def frame(dice: random.Random) -> str:
    """Text at places, in styles that are reset after each stretch, as Textual writes them."""
    parts = []
    for _ in range(dice.randint(1, 12)):
        if dice.random() < 0.7:
            parts.append(f"\x1b[{dice.randint(1, 8)};{dice.randint(1, 30)}H")
        codes = [dice.choice(COLORS), dice.choice(GROUNDS), *dice.sample(FLAGS, dice.randint(0, 2))]
        style = ";".join(code for code in codes if code)
        text = "".join(dice.choice("ab ─✓") for _ in range(dice.randint(0, 9)))
        parts.append(f"\x1b[{style}m{text}\x1b[0m" if style else text)
    return "".join(parts)


def shown(frames: list[str]) -> object:
    screen = pyte.Screen(40, 10)
    stream = pyte.Stream(screen)
    for one in frames:
        stream.feed(one)
    return {y: {x: line[x] for x in range(40)} for y, line in ((y, screen.buffer[y]) for y in range(10))}


@pytest.mark.parametrize("seed", range(40))
def test_a_terminal_shows_the_same(seed: int) -> None:
    dice = random.Random(seed)
    frames = [frame(dice) for _ in range(6)]
    pen, sent = Pen(), []
    for one in frames:
        data, pen = thrifty(one, pen)
        sent.append(data)
    assert shown(sent) == shown(frames)
    assert len("".join(sent)) <= len("".join(frames))


@pytest.mark.parametrize("seed", range(40))
def test_a_step_leads_where_it_should(seed: int) -> None:
    dice = random.Random(seed)

    def pen() -> Pen:
        return Pen(dice.choice(COLORS), dice.choice(GROUNDS), tuple(sorted(dice.sample((*FLAGS, "2"), 2))))

    before, after = pen(), pen()
    codes = step(before, after).removeprefix("\x1b[").removesuffix("m")
    reached = changed(before, codes) if before != after else before
    assert (reached.ink, reached.ground, set(reached.flags)) == (after.ink, after.ground, set(after.flags))


def test_a_move_needs_no_pen() -> None:
    style = "\x1b[1;38;2;1;2;3;48;2;9;9;9m"
    data, _ = thrifty(f"\x1b[2;3H{style}a\x1b[0m\x1b[5;6H{style}b\x1b[0m", Pen())
    assert data == "\x1b[2;3H\x1b[1;38;2;1;2;3;48;2;9;9;9ma\x1b[5;6Hb\x1b[m"
    bold, _ = thrifty(f"{style}a\x1b[0m\x1b[38;2;1;2;3;48;2;9;9;9mb\x1b[0m", Pen())
    assert bold.endswith("a\x1b[22mb\x1b[m")
