"""What is measured: starts, keys and screens of the installed program, each many times, beside a bare Textual app."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.interface import bare
from benchmarks.interface.line import Line, Step

SIZES = ((120, 40), (80, 24))
UP, DOWN, RIGHT, LEFT, PAGE_DOWN, HOME, ESCAPE, TAB = (
    b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[6~", b"\x1b[H", b"\x1b", b"\t",
)  # fmt: skip
SEARCH = b"qwen3 coder 30b a3b i"
SCREENS = ((b"c", b"Compare 2"), (b"g", b"Hardware, "), (b"w", b"What fits, "))
BURST = 100
_FIGURE = re.compile(r"Q8_0 +\d+\.\d\d")
ESTIMATE = ("estimate", "glm-5.1", "--quant", "Q4_K_M", "--ctx", "128K")
ONE_CELL = """
from timeit import repeat
from vram_tui.catalog import load_catalog
from vram_tui.estimator.compiling import compile
from vram_tui.estimator.scenario import Scenario
catalog = load_catalog(user=False)
memory = compile(catalog.subject("zai-org/GLM-5.1"), "Q4_K_M", Scenario(), catalog.facts)
assert isinstance(memory.at(131072), int)
print(min(repeat(lambda: memory.at(131072), number=20000, repeat=7)) / 20000 * 1e6)
"""


class Programs(NamedTuple):
    """How each program is started: the dashboard, and the interpreter of the same environment."""

    dashboard: tuple[str, ...]
    python: str
    env: Mapping[str, str]

    def bare(self, *arguments: str) -> tuple[str, ...]:
        return (self.python, str(Path(bare.__file__)), *arguments)


class Counts(NamedTuple):
    """How often each is measured."""

    starts: int
    keys: int
    bursts: int
    idle_seconds: float


WHOLE, QUICK = Counts(12, 24, 10, 8.0), Counts(4, 8, 4, 2.0)

Figures = dict[str, list[float]]
"""Name of a measure → its samples."""


def environment(home: Path) -> dict[str, str]:
    """A person of their own, in a terminal of today."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    return {**kept, **folders, "HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


def useful(screen: str) -> bool:
    """List, specification, grid and the selected cell can be read."""
    return (
        all(words in screen for words in ("Models", "params" if "[Grid]" in screen else "parameters", "weights"))
        and _FIGURE.search(screen) is not None
    )


def measure(programs: Programs, counts: Counts, say: Callable[[str], object]) -> Figures:
    """All samples."""
    figures: Figures = {}
    say("starts")
    _starts(programs, counts, figures)
    for size in SIZES:
        say(f"keys at {size[0]}x{size[1]}")
        _session(programs, counts, size, figures)
    say("a bare table")
    _bare_table(programs, counts, figures)
    say("commands")
    _commands(programs, counts, figures)
    return figures


def _add(figures: Figures, name: str, *values: float) -> None:
    figures.setdefault(name, []).extend(values)


@contextmanager
def _dashboard(programs: Programs, size: tuple[int, int]) -> Iterator[tuple[Line, float]]:
    with Line(programs.dashboard, size, programs.env) as line:
        yield line, line.until(useful)


def _starts(programs: Programs, counts: Counts, figures: Figures) -> None:
    """Starts one after the other in turn, so that a busy moment of the machine meets all of them."""
    for turn in range(counts.starts + 1):
        found: Figures = {}
        for size in SIZES:
            mark = f"{size[0]}x{size[1]}"
            with Line(programs.bare(), size, programs.env) as line:
                _add(found, f"bare start {mark}", line.until(lambda text: bare.READY in text))
                _add(found, "bare peak", line.peak_mb())
            with _dashboard(programs, size) as (line, ms):
                _add(found, f"start {mark}", ms)
                _add(found, f"start bytes {mark}", sum(len(piece.data) for piece in line.pieces))
                if size == SIZES[0]:
                    line.read(1.0)
                    _first_openings(line, turn, found)
                    _add(found, "peak with all screens", line.peak_mb())
        with Line(programs.bare("rows"), SIZES[0], programs.env) as line:
            _add(found, "table start", line.until(lambda text: bare.LAST_COLUMN in text and "Family 4" in text))
        if turn:  # the first of all reads from the disk
            for name, values in found.items():
                _add(figures, name, *values)


def _first_openings(line: Line, turn: int, figures: Figures) -> None:
    """The three screens, each opened for the first time in this process, in another order every time."""
    for key in (b" ", DOWN, b" "):
        line.press(key)
    turned = turn % len(SCREENS)
    for key, title in (*SCREENS[turned:], *SCREENS[:turned]):
        _add(figures, f"opening {title.decode().strip(' ,')}", line.press(key, 0.5).frame_ms(title))
        line.press(ESCAPE, 0.3)


def _session(programs: Programs, counts: Counts, size: tuple[int, int], figures: Figures) -> None:
    """One program at rest, key after key."""
    mark = f"{size[0]}x{size[1]}"

    def note(name: str, step: Step) -> None:
        for part, value in zip(("ms", "bytes", "frames"), step[:3], strict=True):
            _add(figures, f"{name} {part} {mark}", value)

    with _dashboard(programs, size) as (line, _):
        line.rest()
        for _ in range(counts.keys):
            note("list key", line.press(DOWN))
            # What takes longer than a key may comes when the cursor rests.
            _add(figures, f"rest bytes {mark}", sum(len(piece.data) for piece in line.read(0.3)))
        line.press(HOME, 0.4)
        for _ in range(counts.keys // 2):
            note("page down", line.press(PAGE_DOWN))
        line.press(HOME)
        line.rest()
        for turn in range(counts.bursts):
            note("burst", line.press((DOWN if turn % 2 == 0 else UP) * BURST, 0.2))
        line.rest()
        for _ in range(counts.bursts):
            line.press(b"/")
            note("paste", line.press(b"\x1b[200~" + SEARCH + b"\x1b[201~", 0.3))
            line.press(ESCAPE, 0.3)
            line.press(ESCAPE, 0.3)
            note("search typed at once", line.press(b"/" + SEARCH, 0.3))
            line.press(ESCAPE, 0.3)
            line.press(ESCAPE, 0.3)
        line.rest()
        line.press(TAB)
        # Around a corner of the grid and back: a row or a column further with every key.
        for turn in range(counts.keys):
            note("grid key", line.press((RIGHT, DOWN, LEFT, UP)[turn % 4]))
        line.rest()
        before, begun = line.cpu_seconds(), time.monotonic()
        sent = sum(len(piece.data) for piece in line.read(counts.idle_seconds, counts.idle_seconds))
        seconds = time.monotonic() - begun
        _add(figures, f"idle bytes {mark}", sent / seconds)
        _add(figures, f"idle cpu {mark}", (line.cpu_seconds() - before) / seconds * 100)
        _add(figures, f"peak {mark}", line.peak_mb())


def _bare_table(programs: Programs, counts: Counts, figures: Figures) -> None:
    for size in SIZES:
        mark = f"{size[0]}x{size[1]}"
        with Line(programs.bare("rows"), size, programs.env) as line:
            line.until(lambda text: bare.LAST_COLUMN in text)
            line.rest()
            for name, key, times in (("list key", DOWN, counts.keys), ("page down", PAGE_DOWN, counts.keys // 2)):
                for _ in range(times):
                    step = line.press(key)
                    _add(figures, f"table {name} ms {mark}", step.ms)
                    _add(figures, f"table {name} bytes {mark}", step.size_bytes)


def _commands(programs: Programs, counts: Counts, figures: Figures) -> None:
    pair: tuple[tuple[str, Sequence[str]], ...] = (
        ("nothing", (programs.python, "-c", "pass")),
        ("estimate", (*programs.dashboard, *ESTIMATE)),
    )
    for turn in range(counts.starts + 1):
        for name, command in pair:
            begun = time.monotonic()
            subprocess.run(command, env=dict(programs.env), check=True, capture_output=True)
            if turn:
                _add(figures, name, (time.monotonic() - begun) * 1e3)
    done = subprocess.run(
        (programs.python, "-c", ONE_CELL), env=dict(programs.env), check=True, capture_output=True, text=True
    )
    _add(figures, "one cell", float(done.stdout))


def middle(figures: Figures, name: str) -> float:
    """The median of a measure. Raises KeyError where it was not taken."""
    return median(figures[name])
