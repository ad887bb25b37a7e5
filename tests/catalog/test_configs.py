"""Hugging Face configurations become the shipped blocks; strange ones are refused in a sentence."""

import json
import lzma
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vram_tui.catalog import load_catalog
from vram_tui.catalog.load import Catalog
from vram_tui.estimator.model import Model
from vram_tui.importers.hf_config import UnknownModelTypeError, model_from_config
from vram_tui.importers.hf_keys import ConfigError
from vram_tui.importers.hf_traits import TRAITS, WRAPPERS


@cache
def copies() -> dict[str, dict[str, Any]]:
    """Configurations as their repositories publish them, by the id of the entry that was made from each."""
    with lzma.open(Path(__file__).with_name("configs.jsonl.xz"), "rt", encoding="utf-8") as lines:
        return {row["id"]: row["config"] for row in map(json.loads, lines)}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(user=False)


def blocks(model: Model) -> Model:
    """Without what such a copy may lack: encoders, the context that a card corrects, the scaling of RoPE."""
    return replace(model, towers=(), context_tokens=0, gguf=replace(model.gguf, rope_factors=0))


def test_there_are_all_143_copies() -> None:
    assert len(copies()) == 143


@pytest.mark.parametrize("known", sorted(copies()))
def test_a_copied_configuration_gives_the_shipped_blocks(known: str, catalog: Catalog) -> None:
    found = model_from_config(copies()[known])
    assert blocks(found.model) == blocks(catalog.entry(known).model)
    assert found.unknown_keys == ()


def test_a_key_that_nobody_knows_is_reported() -> None:
    config = {**copies()["Qwen/Qwen3-8B"], "num_secret_towers": 3}
    assert model_from_config(config).unknown_keys == ("num_secret_towers",)


def test_an_unknown_type_is_refused_with_what_is_missing() -> None:
    with pytest.raises(UnknownModelTypeError, match=r"'frobnicator'.*hf_traits"):
        model_from_config({"model_type": "frobnicator", "hidden_size": 8})


def test_a_missing_width_is_named() -> None:
    config = dict(copies()["Qwen/Qwen3-8B"])
    del config["vocab_size"]
    with pytest.raises(ConfigError, match="vocab_size is missing"):
        model_from_config(config)


def test_every_type_of_the_catalogue_has_traits(catalog: Catalog) -> None:
    types = {entry.model_type for row in catalog.entries if (entry := catalog.entry(row.id)).model_type}
    assert types <= TRAITS.keys(), "a type that is new needs its line in importers/hf_traits.py"
    assert set(WRAPPERS.values()) <= TRAITS.keys()


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-5, 5), max_size=4),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_spoiled_configurations_are_refused_or_read_but_never_crash(data: st.DataObject) -> None:
    known = data.draw(st.sampled_from(sorted(copies())))
    config = json.loads(json.dumps(copies()[known]))
    text = config.get("text_config") or config
    for key in data.draw(st.lists(st.sampled_from(sorted(text)), max_size=3)):
        text[key] = data.draw(JUNK)
    try:
        found = model_from_config(config)
    except ConfigError:
        return
    assert found.model.layer_count > 0
