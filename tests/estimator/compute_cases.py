"""The recorded allocations as models, settings and answers; and how far the estimator is from each of them."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.truth import rows
from vram_tui.estimator import compute
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_stack import device_tape
from vram_tui.estimator.compute_tape import Tape
from vram_tui.estimator.model import Model
from vram_tui.importers.gguf_blocks import model_from_metadata

BATCH_TOKENS = 2048
"""llama.cpp's default batch: no micro-batch and no number of logits rows goes beyond it."""


class Case(NamedTuple):
    """One recorded row and what the estimator says: relative errors, 0 for equal."""

    row: dict[str, Any]
    device: float
    host: float
    output: float

    @property
    def server(self) -> bool:
        """What llama-server does: 16-bit cache, flash attention, logits for the slots only."""
        row = self.row
        return bool(row["flash_attn"] == "on" and row["type_k"] == "f16" and row["n_outputs_max"])


@cache
def model_of(name: str) -> Model:
    row = next(row for row in rows("llamacpp_models") if row["model"] == name)
    left_out = row.get("optional_tensors_left_out") or ()
    return model_from_metadata(row["gguf"], vocab_size=row["vocab"], tied=row["tie"], left_out=left_out)


def settings_of(row: dict[str, Any]) -> ComputeSettings:
    ubatch = min(row["n_ubatch"], row["n_ctx"], BATCH_TOKENS)
    return ComputeSettings(
        ubatch=ubatch,
        outputs=min(row["n_outputs_max"] or BATCH_TOKENS, ubatch),
        seqs=row["n_seq"],
        streams=1 if row["kv_unified"] else row["n_seq"],
        type_k=row["type_k"],
        type_v=row["type_v"],
        flash=row["flash_attn"] != "off",
        swa_full=row["swa_full"],
        devices=2 if row["device"] == "cuda2" else 1,
        backend="cpu" if row["device"] == "cpu" else "cuda",
        reach=row.get("n_ctx_seq", row["n_ctx"]),
    )


@cache
def _tape(name: str, settings: ComputeSettings) -> Tape:
    return device_tape(model_of(name), settings)


@cache
def cases(device: str) -> tuple[Case, ...]:
    return tuple(_cases(device))


def _cases(device: str) -> Iterator[Case]:
    for row in rows("llamacpp_allocations"):
        if row["device"] != device or row.get("error"):
            continue
        model, settings, context = model_of(row["model"]), settings_of(row), row["n_ctx_seq"]
        if device == "cuda2":
            found = sum(compute.devices_bytes(model, settings, context, (1, 1)))
        else:
            found = _tape(row["model"], settings).reserved_bytes(compute.cells(model, settings, context))
        pinned = row.get("compute_host_bytes")
        host = compute.host_bytes(model, settings, context) / pinned - 1 if pinned else 0.0
        yield Case(
            row,
            found / row["compute_bytes"] - 1,
            host,
            compute.output_bytes(model, settings) / row["output_bytes"] - 1,
        )


def share(errors: list[float], tolerance: float) -> float:
    """The part of the errors that is no larger than the tolerance."""
    return sum(abs(error) <= tolerance for error in errors) / len(errors)


def by_architecture(device: str) -> dict[str, list[Case]]:
    """The cases of a device, architecture by architecture."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases(device):
        groups[case.row["arch"]].append(case)
    return dict(sorted(groups.items()))


def listing(device: str) -> Iterator[tuple[str, int, float, float, float, float]]:
    """Per architecture: cases, part exact, median, 95th percentile and worst of the device error (by size)."""
    for name, group in by_architecture(device).items():
        errors = sorted((case.device for case in group), key=abs)
        exact = share(errors, 1e-6)
        median, late = abs(errors[len(errors) // 2]), abs(errors[int(0.95 * (len(errors) - 1))])
        yield name, len(errors), exact, median, late, errors[-1]
