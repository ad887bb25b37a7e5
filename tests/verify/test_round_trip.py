"""Key-values and a tensor list written from the catalogue's blocks read back as those blocks."""

from collections import Counter

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.estimator.model import Layer, Model
from vram_tui.importers.gguf_blocks import model_from_metadata
from vram_tui.importers.gguf_keys import BlocksError
from vram_tui.importers.gguf_metadata import NoGgufError, metadata_of
from vram_tui.importers.gguf_names import typed_file_tensors

ROUND_TRIPS = 433
"""How many of the catalogue's entries came back as they were when this was last written: more is better."""


def in_file(model: Model) -> tuple[Layer, ...]:
    return (*model.layers(), *(model.mtp_layers() if model.gguf.mtp else ()))


@pytest.mark.slow
def test_as_many_entries_as_before_read_back_as_the_same_blocks() -> None:
    catalog = load_catalog(user=False)
    outcomes: dict[str, str] = {}
    for entry in catalog.entries:
        model = catalog.entry(entry.id).model
        try:
            keys = metadata_of(model)
        except NoGgufError:
            outcomes[entry.id] = "no architecture"
            continue
        tensors = typed_file_tensors(model, "Q4_K_M", catalog.facts)
        shapes = {name: ne for name, ne, _ in tensors}
        vocabulary = keys[f"{model.gguf.architecture}.vocab_size"]
        assert isinstance(vocabulary, int)
        try:
            again = model_from_metadata(keys, vocab_size=vocabulary, tied="output.weight" not in shapes, tensors=shapes)
            same = typed_file_tensors(again, "Q4_K_M", catalog.facts) == tensors
            outcomes[entry.id] = "same" if same and in_file(again) == in_file(model) else "other"
        except BlocksError:
            outcomes[entry.id] = "unreadable"
    counted = Counter(outcomes.values())
    others = [name for name, outcome in outcomes.items() if outcome in ("other", "unreadable")]
    assert counted["same"] >= ROUND_TRIPS, others
    assert counted["same"] + counted["no architecture"] >= 0.96 * len(catalog.entries), others
