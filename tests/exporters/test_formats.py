"""Tables come back from every machine format as they went in, whatever their texts say."""

import csv
import io
import json
import math
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exporters.samples import EVIL, GRID, MARKS, tables, texts
from vram_tui.exporters import FORMATS, SUFFIXES, render
from vram_tui.exporters.csv_text import neutral
from vram_tui.exporters.markdown import escape
from vram_tui.exporters.table import Cell, Column, Table, keys, words
from vram_tui.text import safe


def _printable(text: str) -> bool:
    return text.replace("\n", "").replace("\r\n", "").replace("\r", "").isprintable()


@given(tables(), st.sampled_from(FORMATS))
@settings(max_examples=150, deadline=None)
def test_nothing_that_a_terminal_acts_on_is_ever_written(table: Table, name: str) -> None:
    text = render(table, name)
    assert _printable(text)
    assert "\x1b" not in text
    text.encode("utf-8")
    if name != "csv":
        assert "\r" not in text
        assert text.endswith("\n")


def test_formats_have_names_and_endings() -> None:
    assert FORMATS == ("plain", "markdown", "csv", "json", "toml", "svg")
    assert SUFFIXES["markdown"] == ".md"
    with pytest.raises(ValueError, match=r"unknown format 'xlsx': choose from plain, markdown"):
        render(GRID, "xlsx")


def test_a_row_needs_a_cell_for_every_column() -> None:
    with pytest.raises(ValueError, match="row 0 has 1 cells for 2 columns"):
        Table("", (Column("a"), Column("b")), ((words("x"),),))


@given(tables())
@settings(max_examples=100, deadline=None)
def test_keys_are_unique_and_not_empty(table: Table) -> None:
    names = keys(table)
    assert len(set(names)) == len(names) == len(table.columns)
    assert all(names)


def _expected(raw: Any) -> Any:
    return None if isinstance(raw, float) and not math.isfinite(raw) else raw


@given(tables())
@settings(max_examples=100, deadline=None)
def test_json_gives_the_raw_values_back(table: Table) -> None:
    found = json.loads(render(table, "json"))
    names = keys(table)
    assert found["title"] == table.title
    assert found["notes"] == list(table.notes)
    assert [column["name"] for column in found["columns"]] == list(names)
    for row, cells in zip(found["rows"], table.rows, strict=True):
        assert list(row) == list(names)
        for index, (name, cell) in enumerate(zip(names, cells, strict=True)):
            tiered = any(other[index].tier for other in table.rows)
            assert row[name] == (
                {"value": _expected(cell.raw), "tier": cell.tier or None} if tiered else _expected(cell.raw)
            )


@given(tables())
@settings(max_examples=100, deadline=None)
def test_toml_gives_the_values_that_are_there(table: Table) -> None:
    found = tomllib.loads(render(table, "toml"))
    names = keys(table)
    for row, cells in zip(found.get("rows", []), table.rows, strict=True):
        for index, (name, cell) in enumerate(zip(names, cells, strict=True)):
            if any("\ud800" <= character <= "\udfff" for character in name):
                continue
            value = row.get(name)
            if any(other[index].tier for other in table.rows):
                assert value is not None
                assert value.get("tier", "") == cell.tier
                value = value.get("value")
            expected = _expected(cell.raw)
            if not isinstance(expected, str):
                assert value == expected


def test_json_of_the_grid_is_whole_bytes() -> None:
    found = json.loads(render(GRID, "json"))
    assert found["rows"][0]["1K"] == {"value": 18_790_481_920, "tier": "consumer"}
    assert found["columns"][2] == {"name": "1K", "unit": "bytes"}
    assert found["rows"][1]["evidence"] is None


@given(tables())
@settings(max_examples=150, deadline=None)
def test_csv_parses_back_and_no_field_is_a_formula(table: Table) -> None:
    lines = list(csv.reader(io.StringIO(render(table, "csv"), newline=""), strict=True))
    assert len(lines) == len(table.rows) + 1
    assert all(len(line) == len(table.columns) for line in lines)
    for fields, cells in zip(lines[1:], table.rows, strict=True):
        for field, cell in zip(fields, cells, strict=True):
            if isinstance(cell.raw, int | float) and not isinstance(cell.raw, bool) and math.isfinite(cell.raw):
                assert float(field) == float(cell.raw)
            if field[:1] in ("=", "+", "-", "@", "\t", "\r"):
                float(field)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("-2+3", "'-2+3"),
        ("-2.5e3", "-2.5e3"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("Q4_K_M", "Q4_K_M"),
    ],
)
def test_csv_disarms_formulas_and_leaves_numbers(text: str, field: str) -> None:
    assert neutral(text) == field


def test_csv_lines_end_in_cr_lf_and_quote_what_needs_it() -> None:
    table = Table("", (Column("a"), Column("b", raw_unit="bytes")), ((words('x,"y"'), Cell("–", None)),))
    assert render(table, "csv") == 'a,b [bytes]\r\n"x,""y""",\r\n'


@given(tables())
@settings(max_examples=100, deadline=None)
def test_svg_is_valid_shows_every_text_and_refers_to_nothing(table: Table) -> None:
    text = render(table, "svg")
    root = ElementTree.fromstring(text)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "title", "rect", "line", "text"}
    assert "href" not in text.replace(safe(EVIL), "")
    names = {name.rpartition("}")[2] for element in root.iter() for name in element.attrib}
    assert names.isdisjoint({"href", "src", "style", "onload"})
    shown = re.sub(
        r"\s", "", "".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    )
    for cell in (cell for row in table.rows for cell in row):
        assert re.sub(r"\s", "", safe(cell.text)) in shown or len(safe(cell.text)) > 40
    wide, high = float(root.get("width", "0")), float(root.get("height", "0"))
    for element in root.iter():
        if element.tag.endswith("text"):
            assert 0 <= float(element.get("x", "-1")) <= wide
            assert 0 <= float(element.get("y", "-1")) <= high


def test_svg_draws_tiers_as_colour_sign_and_word() -> None:
    text = render(GRID, "svg")
    assert 'fill="#113a38"' in text
    assert ">✓ 17.5<" in text
    assert ">» needs several GPUs or a cluster<" in text
    assert "DejaVu Sans Mono" in text


def test_markdown_of_the_grid() -> None:
    lines = render(GRID, "markdown").splitlines()
    assert lines[0] == "## Requirements"
    assert lines[2].startswith("| quantization |   b/w | 1K (GiB) |")
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \| -+: \| -+ \|", lines[3])
    assert "| Q4_K_M " in lines[4]
    assert "✓ 17.5 |" in lines[4]
    assert lines[-1] == "- llama.cpp, one sequence."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("[x](http://e.vil)", r"\[x\](http\://e.vil)"),
        ("www.e.vil", r"www\.e.vil"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("**b** _i_ ~~s~~ `c`", r"\*\*b\*\* \_i\_ \~\~s\~\~ \`c\`"),
        ("&amp;", "&amp;amp;"),
        ("Q4_K_M", "Q4_K_M"),
        ("a@b.c", r"a\@b.c"),
        ("two\nlines", r"two\\nlines"),
    ],
)
def test_markdown_escapes_what_it_would_interpret(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(tables())
@settings(max_examples=100, deadline=None)
def test_markdown_rows_keep_their_cells(table: Table) -> None:
    rows = [line for line in render(table, "markdown").splitlines() if line.startswith("| ")]
    assert len(rows) == len(table.rows) + 2
    for line in rows:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(table.columns) + 1


@given(texts)
def test_markdown_html_is_never_open(text: str) -> None:
    assert "<" not in escape(text)
    assert ">" not in escape(text)


def test_marks_that_no_cell_uses_are_not_explained() -> None:
    table = Table("", (Column("a"),), ((Cell("1", 1, "consumer"),),), (), MARKS)
    assert [mark.id for mark in table.used_marks] == ["consumer"]
    assert "cluster" not in render(table, "plain")
