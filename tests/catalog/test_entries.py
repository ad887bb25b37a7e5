"""Every shipped model: valid, in its written form, sourced, and adding up to what is published."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import tomli

from vram_tui.catalog.counting import counted
from vram_tui.catalog.entries import Entry, read_entry
from vram_tui.catalog.locate import catalog_root
from vram_tui.catalog.validate import validate
from vram_tui.catalog.writing import entry_text

MODELS = catalog_root() / "models"
FILES = sorted(MODELS.glob("*/*.toml"))


def known(path: Path) -> str:
    return path.relative_to(MODELS).with_suffix("").as_posix()


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    return {known(path): read_entry(known(path), tomli.loads(path.read_text(encoding="utf-8"))) for path in FILES}


def test_the_whole_catalogue_has_no_fault() -> None:
    assert [str(fault) for fault in validate(catalog_root())] == []


def test_there_are_hundreds_of_models_and_most_are_complete(entries: dict[str, Entry]) -> None:
    assert len(entries) >= 430
    assert sum(not entry.partial for entry in entries.values()) >= 340


def test_ids_and_names_are_unique_without_regard_to_case(entries: dict[str, Entry]) -> None:
    assert len({name.casefold() for name in entries}) == len(entries)
    times = Counter(entry.name.casefold() for entry in entries.values())
    repeated = [name for name, count in times.items() if count > 1]
    assert repeated == []


def test_every_entry_says_where_it_comes_from_and_when_it_was_checked(entries: dict[str, Entry]) -> None:
    for name, entry in entries.items():
        assert entry.sources, name
        assert any("find_string" not in source for source in entry.sources), name
        assert entry.checked is not None, name
        assert entry.checked >= date(2026, 11, 25), name
        assert entry.about, name
        assert entry.license, name


def test_complete_entries_count_to_the_published_number(entries: dict[str, Entry]) -> None:
    compared = 0
    for name, entry in entries.items():
        if entry.partial or not entry.parameters_published:
            continue
        found = counted(entry.model, entry.parameters_counts)
        assert found == pytest.approx(entry.parameters_published, rel=1e-4, abs=0), name
        compared += 1
    assert compared >= 340


def test_partial_entries_name_what_is_inferred(entries: dict[str, Entry]) -> None:
    for name, entry in entries.items():
        assert bool(entry.partial_fields) == entry.partial, name


def test_files_are_in_the_form_that_the_program_writes(entries: dict[str, Entry]) -> None:
    for path in FILES:
        assert entry_text(entries[known(path)]) == path.read_text(encoding="utf-8"), path


def test_glm_carries_the_page_that_contradicts_it(entries: dict[str, Entry]) -> None:
    entry = entries["zai-org/GLM-5.1"]
    page = entry.published
    assert page is not None
    assert (page.parameters, page.active, page.layers, page.kv_heads) == (754_000_000_000, 32_000_000_000, 80, 8)
    assert (page.head_dim, page.hidden_size, page.context, page.text) == (
        128,
        8192,
        131_072,
        {"layers": 78, "context": 204_800},
    )
    assert [figure.gib for figure in page.figures] == [390.0, 429.7, 779.8, 819.5, 1559.2, 1598.9]
    assert (entry.model.layer_count, entry.model.hidden_size, entry.context_native) == (78, 6144, 202_752)
