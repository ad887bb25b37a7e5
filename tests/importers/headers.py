"""Header-only GGUF files of the models whose allocations were measured."""

from functools import cache
from pathlib import Path
from typing import Any

from tests.truth import rows
from vram_tui.catalog import load_catalog
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.model import Model
from vram_tui.importers.gguf_blocks import model_from_metadata
from vram_tui.importers.gguf_file import Skipped
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_tensors import FILE_TYPES
from vram_tui.importers.gguf_writer import write_header

MODELS: dict[str, dict[str, Any]] = {row["model"]: row for row in rows("llamacpp_models")}
WEIGHTS: dict[str, dict[str, Any]] = {row["model"]: row["weights"] for row in rows("gguf_weights")}
TYPE_IDS = {name: number for number, name in FILE_TYPES.items()}


@cache
def facts() -> Facts:
    return load_catalog(user=False).facts


def model_of(row: dict[str, Any]) -> Model:
    """The model as the key-values and what is known beside them describe it."""
    return model_from_metadata(
        row["gguf"], vocab_size=row["vocab"], tied=row["tie"], left_out=row["optional_tensors_left_out"]
    )


def metadata(row: dict[str, Any], quant: str = "BF16") -> dict[str, Any]:
    tokens = Skipped("string", row["vocab"])
    return {**row["gguf"], "general.file_type": TYPE_IDS[quant], "tokenizer.ggml.tokens": tokens}


def write_model(row: dict[str, Any], quant: str, path: Path, *, imatrix: bool = True) -> None:
    """A header with the tensor list that the model has in a file type."""
    write_header(metadata(row, quant), typed_file_tensors(model_of(row), quant, facts(), imatrix=imatrix), path)


def write_keys(row: dict[str, Any], path: Path) -> None:
    """A header with the key-values and the vocabulary alone."""
    write_header(metadata(row), [], path)
