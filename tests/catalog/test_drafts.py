"""Imported models become entries that are written and read back without loss, whatever their blocks."""

from datetime import date

import pytest
import tomli

from tests.truth import rows
from vram_tui.catalog.drafts import draft
from vram_tui.catalog.entries import read_entry
from vram_tui.catalog.writing import entry_text
from vram_tui.importers.gguf_blocks import model_from_metadata


@pytest.mark.parametrize("row", rows("llamacpp_models"), ids=lambda row: str(row["model"]))
def test_a_model_read_from_a_gguf_survives_its_entry(row: dict[str, object]) -> None:
    metadata, left_out = row["gguf"], row["optional_tensors_left_out"]
    assert isinstance(metadata, dict)
    assert isinstance(left_out, list)
    vocab = row["vocab"]
    assert isinstance(vocab, int)
    model = model_from_metadata(metadata, vocab_size=vocab, tied=row["tie"] is True, left_out=tuple(left_out))
    made = draft("me/imported", model, source="a GGUF file", checked=date(2026, 11, 25))
    assert read_entry(made.id, tomli.loads(entry_text(made)), made.origin) == made
