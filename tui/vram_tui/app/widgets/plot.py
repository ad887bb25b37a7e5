"""Memory against context as lines in braille: log x, a letter on each line, a level for each tier and the target."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from vram_tui.app.glyphs import Glyphs
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, fitted, padded
from vram_tui.estimator.records import record
from vram_tui.estimator.units import GB, GIB
from vram_tui.quantities import format_tokens, unit_label
from vram_tui.session.answers import Answers
from vram_tui.session.state import Session
from vram_tui.text import safe

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOG_FROM = 8
"""Where the largest figure is this many times the smallest, memory is drawn on a log scale."""
STAMP_EVERY, STAMP_STEP = 18, 5
"""Cells between two letters of a line, and how far the letters of the next line stand from them."""


@record
class Series:
    """One line: its name, its bytes at a context, its style, and the letter that stands on it.

    Beyond `native` tokens (0: nobody knows) it is drawn with gaps.
    """

    name: str
    at: Callable[[int], int]
    style: str
    letter: str = ""
    native: int = 0


@record
class Level:
    """A horizontal line: a tier or a machine."""

    name: str
    bytes: int
    style: str


def levels_of(answers: Answers, session: Session) -> list[Level]:
    """A level for every class with a limit, and for the target machine."""
    nominal = session.scenario.method == "bytes-per-weight"
    found = [
        Level(tier.short, size, f"mark-{min(index, 2)}")
        for index, tier in enumerate(answers.facts.tiers)
        if (size := tier.nominal_bytes if nominal else tier.usable_bytes)
    ]
    machine = answers.scenario(session).machine
    if machine is not None:
        free = session.scenario.free
        room = sum(machine.budget_bytes(index, free=free) for index in range(len(machine.devices)))
        found.append(Level(safe(session.target, 20), room or machine.usable_bytes, "good"))
    return found


class Canvas:
    """Cells of 2 × 4 dots (or single characters without braille), each with the style drawn last."""

    def __init__(self, width: int, height: int, braille: bool) -> None:
        self.width, self.height, self.braille = width, height, braille
        self.dots = [[0] * width for _ in range(height)]
        self.signs = [[" "] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]
        self.stamps: dict[tuple[int, int], Run] = {}

    def stamp(self, column: int, row: int, sign: str, style: str) -> None:
        """A character over whatever a cell shows; row counts cells from the top."""
        self.stamps[row, column] = Run(sign, style)

    def is_blank(self, column: int, row: int) -> bool:
        return (row, column) not in self.stamps and not self.dots[row][column] and self.signs[row][column] == " "

    @property
    def rows(self) -> int:
        return self.height * (4 if self.braille else 1)

    @property
    def columns(self) -> int:
        return self.width * (2 if self.braille else 1)

    def set(self, x: int, y: int, style: str, sign: str) -> None:
        """A dot at a column and a row counted from the bottom."""
        if not (0 <= x < self.columns and 0 <= y < self.rows):
            return
        row = self.rows - 1 - y
        if self.braille:
            self.dots[row // 4][x // 2] |= DOTS[row % 4][x % 2]
            self.styles[row // 4][x // 2] = style
        else:
            self.signs[row][x] = sign
            self.styles[row][x] = style

    def line(self, row: int) -> list[Run]:
        signs = [chr(0x2800 + dots) if dots else " " for dots in self.dots[row]] if self.braille else self.signs[row]
        runs: list[Run] = []
        for column, (sign, style) in enumerate(zip(signs, self.styles[row], strict=True)):
            if stamp := self.stamps.get((row, column)):
                sign, style = stamp
            if runs and (runs[-1].style == style or sign == " "):
                runs[-1] = Run(runs[-1].text + sign, runs[-1].style)
            else:
                runs.append(Run(sign, style))
        return runs


class Frame(NamedTuple):
    """The scales of a plot: contexts from left to right, bytes from `low` to `top` on so many rows of dots."""

    first: int
    last: int
    low: float
    top: float
    rows: int

    @property
    def steep(self) -> bool:
        """Whether memory is drawn on a log scale."""
        return self.low > 0 and self.top / self.low > LOG_FROM

    def y_of(self, count: float) -> int:
        """The row of dots, from the bottom, on which so many bytes stand."""
        scaled: Callable[[float], float] = math.log if self.steep else float
        bottom = scaled(self.low)
        return round((scaled(count) - bottom) / (scaled(self.top) - bottom) * (self.rows - 1))

    def bytes_at(self, share: float) -> float:
        """The bytes at a share of the height."""
        low, top = self.low, self.top
        return low * (top / low) ** share if self.steep else low + (top - low) * share

    def tokens_at(self, share: float) -> int:
        """The context at a share of the width."""
        return max(round(self.first * 2 ** (math.log2(self.last / self.first) * share)), 1)


def plot_lines(
    series: Sequence[Series],
    levels: Sequence[Level],
    contexts: tuple[int, int],
    size: tuple[int, int],
    units: str,
    glyphs: Glyphs,
    cursor: int = 0,
) -> list[Line]:
    """The plot in `size` (width, height) cells, with its axes and the names of the lines on the right.

    `cursor` is a context that an upright line marks (0: none).
    """
    width, height = size
    first, last = contexts
    if not series or height < 5 or width < 30 or last <= first:
        return [(Run("nothing to plot here", "dim"),)]
    unit = GB if units == "gb" else GIB
    top = max(line.at(last) for line in series) * 1.08
    low = min(line.at(first) for line in series) * 0.9
    near = [level for level in levels if low <= level.bytes <= top * 1.6]
    top = max([top, *(level.bytes * 1.03 for level in near)])
    series = [replace(line, letter=line.letter or LETTERS[at % len(LETTERS)]) for at, line in enumerate(series)]
    names = max(len(line.name) for line in series) + 4
    right = min(max(names, *(len(level.name) + 3 for level in near)) if near else names, width // 3)
    left = max(len(_number(top / unit)), 4) + 1
    canvas = Canvas(width - left - right, height - 2, glyphs.unicode)
    frame = Frame(first, last, low, top, canvas.rows)
    _draw(canvas, frame, series, near)
    if cursor:
        _mark(canvas, column_of(cursor, contexts, canvas.width))
    labels = _labels(series, near, last, canvas, frame.y_of, glyphs)
    lines: list[Line] = []
    for row in range(canvas.height):
        value = frame.bytes_at((canvas.height - 1 - row) / max(canvas.height - 1, 1))
        ticked = row % 3 == 0 or row == canvas.height - 1
        axis = padded(_number(value / unit), left - 1, right=True) + " " if ticked else " " * left
        label = labels.get(row)
        tail = [Run(" " + fitted(label.text, right - 1, glyphs.more), label.style)] if label else []
        lines.append((Run(axis, "dim"), *canvas.line(row), *tail))
    lines.append(_axis(first, last, left, canvas.width))
    words = "context in tokens, each step doubles" + ("; memory on a log scale too" if frame.steep else "")
    lines.append((Run(padded(unit_label(units), left) + fitted(words, width - left, glyphs.more), "dim"),))
    return lines


def _draw(canvas: Canvas, frame: Frame, series: Sequence[Series], levels: Sequence[Level]) -> None:
    """Levels, then the lines over them, then the letters on the lines."""
    for level in levels:
        for x in range(0, canvas.columns, 4 if canvas.braille else 2):
            canvas.set(x, frame.y_of(level.bytes), level.style, "-")
    for line in series:
        before = -1
        for x in range(canvas.columns):
            tokens = frame.tokens_at(x / (canvas.columns - 1))
            y = frame.y_of(line.at(tokens))
            if line.native and tokens > line.native and x // 3 % 2:
                before = -1
                continue
            for step in range(min(y, before) if before >= 0 else y, max(y, before) + 1):
                canvas.set(x, step, line.style, line.letter)
            before = y
    if canvas.braille:
        _stamp(series, canvas, frame)


def _mark(canvas: Canvas, column: int) -> None:
    """An upright line where nothing else stands."""
    for row in range(canvas.height):
        if canvas.is_blank(column, row):
            canvas.stamp(column, row, "⡇" if canvas.braille else "|", "dim")


def _labels(
    series: Sequence[Series],
    levels: Sequence[Level],
    last: int,
    canvas: Canvas,
    y_of: Callable[[float], int],
    glyphs: Glyphs,
) -> dict[int, Run]:
    """A name on the right for every line, and for as many levels as have a row; each moved to the nearest free one."""
    spare = canvas.height - len(series)
    levels = levels[len(levels) - max(spare, 0) :] if spare < len(levels) else levels
    wanted = [(y_of(line.at(last)), f"{line.letter} {line.name}", line.style) for line in series]
    wanted += [(y_of(level.bytes), f"{'╌' if glyphs.unicode else '-'} {level.name}", level.style) for level in levels]
    scale = 4 if canvas.braille else 1
    wanted.sort(reverse=True)
    places: list[int] = []
    for y, _, _ in wanted:
        row = min(max(canvas.height - 1 - y // scale, 0), canvas.height - 1)
        places.append(max(row, places[-1] + 1) if places else row)
    # Names pushed below the last row move up together, in their order; what has no row left goes without.
    for index in range(len(places) - 1, -1, -1):
        last_row = canvas.height - 1 if index == len(places) - 1 else places[index + 1] - 1
        places[index] = min(places[index], last_row)
    found = zip(places, wanted, strict=True)
    return {row: Run(text, style) for row, (_, text, style) in found if row >= 0}


def _stamp(series: Sequence[Series], canvas: Canvas, frame: Frame) -> None:
    """The letter of every line at a few places on it, each line's beside those of the others."""
    for index, line in enumerate(series):
        for column in range(2 + index * STAMP_STEP % STAMP_EVERY, canvas.width, STAMP_EVERY):
            tokens = frame.tokens_at(column / max(canvas.width - 1, 1))
            row = canvas.height - 1 - frame.y_of(line.at(tokens)) // 4
            if (row, column) not in canvas.stamps and 0 <= row < canvas.height:
                canvas.stamp(column, row, line.letter, line.style)


def column_of(tokens: int, contexts: tuple[int, int], width: int) -> int:
    """The cell in which a context stands, in a plot of `width` cells."""
    first, last = contexts
    share = math.log2(min(max(tokens, first), last) / first) / math.log2(last / first)
    return round(share * (width - 1))


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _axis(first: int, last: int, left: int, width: int) -> Line:
    """Powers of two under the plot: every one, or every second, third …, so that they stand clear of each other."""
    span = math.log2(last / first)
    start = (first - 1).bit_length()
    powers = range(start, last.bit_length())
    for every in range(1, len(powers) + 1):
        text = [" "] * (left + width + 6)
        free, clear = 0, True
        for power in powers[::every]:
            name = format_tokens(1 << power)
            at = left + round((power - math.log2(first)) / span * (width - 1)) - len(name) // 2
            clear = clear and at >= free and at + len(name) <= len(text)
            text[at : at + len(name)] = name
            free = at + len(name) + 1
        if clear:
            break
    return (Run("".join(text).rstrip(), "dim"),)


class Plot(LinePanel):
    """The plot of what the screen hands it."""

    def __init__(self, widget_id: str | None = None) -> None:
        super().__init__(widget_id)
        self._asked: tuple[Sequence[Series], Sequence[Level], tuple[int, int], str] | None = None
        self.cursor = 0
        """The context that the upright line marks; 0 is none."""

    def fill(self, series: Sequence[Series], levels: Sequence[Level], contexts: tuple[int, int], units: str) -> None:
        self._asked = (series, levels, contexts, units)
        self.draw()

    def draw(self) -> None:
        if self.is_attached and self.size.height and self._asked:
            series, levels, contexts, units = self._asked
            size = (self.size.width, self.size.height)
            self.show(plot_lines(series, levels, contexts, size, units, self.glyphs, self.cursor))
