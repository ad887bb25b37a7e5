"""Plain tables: aligned, within the terminal, numbers whole, colour only where wanted."""

import io
import os
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exporters.samples import GRID, tables
from vram_tui.exporters.columns import narrowest, pad, width, wrap
from vram_tui.exporters.plain import lay_out, print_plain
from vram_tui.exporters.table import Column, Table, number, words

PATHS = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal and how it encodes."""

    def __init__(self, terminal: bool = True, code: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._code = terminal, code

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._code

    def isatty(self) -> bool:
        return self._terminal


def _printed(stream: Terminal, **env: str) -> str:
    print_plain(GRID, stream, {"TERM": "xterm", **env})
    return stream.getvalue()


def test_a_pipe_gets_no_colour_and_no_wrapping() -> None:
    text = _printed(Terminal(terminal=False), COLUMNS="40")
    assert "\x1b" not in text
    assert "KLD 0.021 on a model of 30B" in text


def test_a_terminal_is_filled_to_its_width_or_to_80() -> None:
    narrow = _ANSI.sub("", _printed(Terminal(), COLUMNS="60"))
    assert 55 < max(map(width, narrow.splitlines())) <= 60
    unknown = _ANSI.sub("", _printed(Terminal(), COLUMNS="x"))
    assert max(map(width, unknown.splitlines())) <= 80


def test_a_terminal_gets_colour_unless_it_is_refused() -> None:
    assert "\x1b[32m✓ 17.5" in _printed(Terminal())
    assert "\x1b" not in _printed(Terminal(), NO_COLOR="1")
    assert "\x1b" not in _printed(Terminal(), TERM="dumb")
    assert "\x1b" in _printed(Terminal(), NO_COLOR="")


@pytest.mark.parametrize("columns", [200, 80, 60, 45])
def test_lines_stay_within_the_terminal_and_figures_stay_whole(columns: int) -> None:
    text = lay_out(GRID, columns)
    assert max(map(width, text.splitlines())) <= columns
    for figure in ("4.83", "16.00", "17.5", "56.2", "1019.2", "1234.5", "0.021", "30B"):
        assert figure in text


def test_columns_that_do_not_fit_come_in_blocks_under_the_first_one() -> None:
    table = Table(
        "",
        (Column("name"), *(Column(f"c{i}", "right") for i in range(9))),
        ((words("row"), *(number(10**6) for _ in range(9))),),
    )
    lines = lay_out(table, 36).splitlines()
    assert max(map(width, lines)) <= 36
    assert sum(line.startswith("row ") for line in lines) > 1
    assert " ".join(lines).count("1,000,000") == 9


def test_right_aligned_figures_end_in_one_column() -> None:
    lines = lay_out(GRID).splitlines()
    ends = [line.index(figure) + len(figure) for line, figure in zip(lines[5:7], ("4.83", "16.00"), strict=True)]
    assert ends[0] == ends[1]


def test_a_stream_that_takes_ascii_only_gets_plain_twins() -> None:
    text = _printed(Terminal(code="ascii"))
    text.encode("ascii")
    assert "v 17.5" in text
    assert "> needs several GPUs or a cluster" in text


@given(tables(), st.integers(10, 120), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_table_is_laid_out_alike_with_and_without_colour(table: Table, columns: int, ascii_glyphs: bool) -> None:
    colored = lay_out(table, columns, color=True, ascii_glyphs=ascii_glyphs)
    plain = _ANSI.sub("", colored)
    assert plain.replace("\n", "").isprintable()
    assert lay_out(table, 10_000, color=True).count("\n") <= lay_out(table, columns, color=True).count("\n")


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("表計算", 6), ("e\u0301", 1), ("", 0), ("✓", 1), ("a\u200b", 1), ("ｆ", 2)]
)
def test_width_counts_what_a_terminal_shows(text: str, columns: int) -> None:
    assert width(text) == columns


def test_pad_counts_columns_not_characters() -> None:
    assert pad("表", 4) == "表  "
    assert pad("表", 4, "right") == "  表"


def test_wrap_breaks_at_blanks_then_at_joints_then_anywhere_but_never_in_numbers() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("org/some-long-model", 10) == ["org/some-", "long-model"]
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrap("x 1,234,567.25 y", 4) == ["x", "1,234,567.25", "y"]
    assert wrap("on 2026-04-07 here", 6) == ["on", "2026-04-07", "here"]


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"], include_characters=" "), max_size=60),
    st.integers(1, 30),
)
def test_wrap_loses_nothing_and_keeps_to_the_width_where_numbers_allow(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= max(columns, narrowest(text)) for line in lines)


def test_a_plain_table_costs_no_heavy_import() -> None:
    import subprocess

    code = (
        "import sys; import vram_tui.exporters.plain, vram_tui.exporters.clipboard, vram_tui.exporters.recipes;"
        "print(sorted({'rich', 'textual', 'pydantic', 'tomli_w', 'csv', 'html'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | PATHS
    )
    assert done.stdout.strip() == "[]"
