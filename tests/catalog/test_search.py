"""The query language: loose words, conditions, and text that means nothing."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vram_tui.catalog import load_catalog
from vram_tui.catalog.load import Ambiguous, Catalog, NotFound
from vram_tui.catalog.search import parse_query
from vram_tui.catalog.summaries import Summary

CATALOG = load_catalog(user=False)


def names(query: str) -> list[str]:
    return [row.name for row in CATALOG.search(query)]


def test_nothing_asked_leaves_everything_in_order() -> None:
    assert CATALOG.search("") == CATALOG.entries
    assert CATALOG.search("   ") == CATALOG.entries


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("glm-5.1", "zai-org/GLM-5.1"),
        ("glm5.1", "zai-org/GLM-5.1"),
        ("gemma 27", "google/gemma-3-27b-it"),
        ("qwen coder 480", "Qwen/Qwen3-Coder-480B-A35B-Instruct"),
        ("dpsk v3", "deepseek-ai/DeepSeek-V3"),
    ],
)
def test_words_find_models_loosely(query: str, wanted: str) -> None:
    assert wanted in [row.id for row in CATALOG.search(query)[:12]]


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        (">30b", lambda row: row.parameters > 30e9),
        ("<=8b", lambda row: row.parameters <= 8e9),
        ("active<4b", lambda row: row.active < 4e9),
        ("moe", lambda row: "MoE" in row.kind),
        ("-moe", lambda row: "MoE" not in row.kind),
        ("dense", lambda row: row.kind == "dense"),
        ("ctx>=128k", lambda row: row.context >= 131_072),
        ("licence:mit", lambda row: "mit" in row.license),
        ("license:apache-2.0", lambda row: row.license == "apache-2.0"),
        ("vendor:google", lambda row: row.vendor == "Google"),
        ("by:zai-org", lambda row: row.id.startswith("zai-org/")),
        ('family:"Qwen3"', lambda row: row.family == "Qwen3"),
        ("family:qwen3", lambda row: "qwen3" in row.family.casefold().replace("-", "").replace(" ", "")),
        ("tag:code", lambda row: any("code" in tag for tag in row.tags)),
        ("released>=2026", lambda row: row.released is not None and row.released.year >= 2026),
        ("partial", lambda row: row.partial),
        ('vendor:"mistral ai"', lambda row: row.vendor == "Mistral AI"),
    ],
)
def test_a_condition_leaves_exactly_what_meets_it(query: str, holds: object) -> None:
    assert callable(holds)
    found = CATALOG.search(query)
    assert [row.id for row in found] == [row.id for row in CATALOG.entries if holds(row)]
    assert 0 < len(found) < len(CATALOG.entries)


def test_conditions_add_up() -> None:
    both = {row.id for row in CATALOG.search(">30b moe")}
    assert both == {row.id for row in CATALOG.search(">30b")} & {row.id for row in CATALOG.search("moe")}


def test_memory_is_asked_of_whoever_knows_it() -> None:
    sizes = {row.id: row.parameters for row in CATALOG.entries}
    found = CATALOG.search("<=24gib", sizes.get)
    assert [row.id for row in found] == [row.id for row in CATALOG.entries if row.parameters <= 24 << 30]
    assert CATALOG.search("<=24gib") == ()


@pytest.mark.parametrize("query", ["ctx>=", ">", ">30q", "licence:", "foo>3", "released>soon", "ctx>=12x"])
def test_what_cannot_be_read_is_a_problem_and_filters_nothing(query: str) -> None:
    assert parse_query(query).problems
    assert CATALOG.search(query) == CATALOG.entries


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_query(text: str) -> None:
    found = CATALOG.search(text)
    assert all(isinstance(row, Summary) for row in found)
    assert len({row.id for row in found}) == len(found)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CATALOG.entries))
def test_a_models_name_and_id_find_it(row: Summary) -> None:
    assert row in CATALOG.search(row.id)
    assert row in CATALOG.search(row.name.replace(":", " ").replace('"', " "))
    assert CATALOG.find(row.id.upper()) == row.id


def test_a_keystroke_costs_little() -> None:
    CATALOG.search("q")
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        CATALOG.search("qwen3 coder >8b moe ctx>=128k")
        best = min(best, time.perf_counter() - start)
    assert best < 0.010


def test_find_says_what_it_could_not_decide() -> None:
    with pytest.raises(Ambiguous) as many:
        CATALOG.find("gemma-3")
    assert "google/gemma-3-27b-it" in many.value.candidates
    with pytest.raises(NotFound) as none:
        CATALOG.find("zai-org/GLM-5.11")
    assert "zai-org/GLM-5.1" in none.value.candidates
    assert CATALOG.find("glm-5.1") == "zai-org/GLM-5.1"


def test_the_catalogue_is_typed() -> None:
    assert isinstance(CATALOG, Catalog)
