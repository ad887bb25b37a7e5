"""From the shipped entry to what llama.cpp measured: file bytes, loaded bytes and caches, to the byte."""

from functools import cache
from typing import Any

import pytest

from tests.truth import rows
from vram_tui.catalog import load_catalog
from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.weights import weigh

CATALOG = load_catalog(user=False)
SHIPPED = {row.id for row in CATALOG.entries}
MODELS = {row["model"]: row["catalog_id"] for row in rows("llamacpp_models") if row["catalog_id"]}


@cache
def allocations() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows("llamacpp_allocations"):
        if row["catalog_id"] and not row.get("error"):
            found.setdefault(row["model"], []).append(row)
    return found


def scenario(row: dict[str, Any]) -> Scenario:
    return Scenario(
        kv_k=row["type_k"],
        kv_v=row["type_v"],
        seqs=row["n_seq"],
        kv_unified=row["kv_unified"],
        ubatch=row["n_ubatch"],
        flash_attn=row["flash_attn"],
        swa_full=row["swa_full"],
        outputs="ubatch" if row["n_outputs_max"] == 0 else row["n_outputs_max"],
        machine=Machine("RAM", ()) if row["device"] == "cpu" else None,
    )


def test_all_measured_models_are_shipped() -> None:
    assert len(MODELS) == 46
    assert set(MODELS.values()) <= SHIPPED


@pytest.mark.parametrize("name", sorted(MODELS))
def test_weights_of_every_file_type(name: str) -> None:
    (measured,) = (row for row in rows("gguf_weights") if row["model"] == name)
    model = CATALOG.entry(MODELS[name]).model
    compared = 0
    for quant, numbers in measured["weights"].items():
        plain = weigh(model, quant, CATALOG.facts, imatrix=False, mtp=False)
        better = weigh(model, quant, CATALOG.facts, imatrix=True, mtp=False)
        found = (plain.file_bytes, plain.loaded_bytes, better.file_bytes)
        assert found == (numbers["bytes"], numbers["loaded_bytes"], numbers["bytes_imatrix"]), quant
        compared += 1
    assert compared == 33


@pytest.mark.parametrize("name", sorted(MODELS))
def test_caches_of_every_allocation(name: str) -> None:
    subject = CATALOG.subject(MODELS[name])
    measured = allocations()[name]
    assert len(measured) > 80
    for row in measured:
        if row["device"] == "cuda2":
            continue
        memory, ctx = compile(subject, row["quant"], scenario(row), CATALOG.facts), row["n_ctx"]
        found = memory.group_bytes(ctx, "kv"), memory.group_bytes(ctx, "state")
        assert found == (row["kv_bytes"], row["recurrent_bytes"]), row
