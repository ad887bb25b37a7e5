"""The models of the recorded cases as the estimator meets them, folded once for all tests."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.truth import rows
from vram_tui.catalog.facts import load_facts
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import FoldedSubject
from vram_tui.importers.gguf_blocks import model_from_metadata

_CARD = Device("simulated", "simulated card", "", "datacenter", "cuda", 1 << 50, 1 << 50)
_MACHINES = {"cpu": Machine("CPU", ()), "cuda1": None, "cuda2": Machine("two cards", (_CARD, _CARD))}
"""What the rows were recorded on: a card without limits, two equal ones, or none."""
CATALOG = Path(__file__).parents[2] / "catalog"


@cache
def facts() -> Facts:
    return load_facts(CATALOG)


@cache
def subjects() -> Mapping[str, FoldedSubject]:
    """By the name of the recorded case: built from its key-values, its vocabulary and what its file lacks."""
    return {row["model"]: FoldedSubject(row["model"], _model(row), facts()) for row in rows("llamacpp_models")}


def _model(row: Mapping[str, Any]) -> Any:
    return model_from_metadata(
        row["gguf"],
        vocab_size=row["vocab"],
        tied=row["tie"],
        left_out=row.get("optional_tensors_left_out") or (),
    )


def scenario_of(row: Mapping[str, Any]) -> Scenario:
    """The settings of an allocation row."""
    return Scenario(
        kv_k=row["type_k"],
        kv_v=row["type_v"],
        seqs=row["n_seq"],
        kv_unified=row["kv_unified"],
        ubatch=row["n_ubatch"],
        flash_attn=row["flash_attn"],
        swa_full=row["swa_full"],
        outputs=row["n_outputs_max"] or "ubatch",
        imatrix=False,
        machine=_MACHINES[row["device"]],
    )
