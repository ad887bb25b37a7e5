"""How llama.cpp itself spread models over cards and RAM, as it was recorded, and the same by the estimator."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from tests.estimator.truth_models import facts, subjects
from tests.truth import rows
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.memory import DeviceMemory, Memory
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import AtOnePoint

BIG_BYTES = 80 << 30
PARTS = {"weights": ("weights",), "caches": ("kv", "state"), "compute": ("compute",)}


class Case(NamedTuple):
    """One place of one recorded row: what it holds by part, theirs and ours; the RAM is the last place."""

    row: Mapping[str, Any]
    place: int
    part: str
    theirs: int
    ours: int

    @property
    def in_ram(self) -> bool:
        return self.place == len(self.row["weights"]) - 1

    @property
    def error(self) -> float:
        if self.theirs == self.ours:
            return 0.0
        return self.ours / self.theirs - 1 if self.theirs else 1.0


def card(size: int) -> Device:
    return Device("card", "card", "", "datacenter", "cuda", size, size)


def scenario_of(row: Mapping[str, Any]) -> Scenario:
    """The settings of a recorded row."""
    outputs = row.get("outputs")
    return Scenario(
        kv_k=row.get("type_k", "f16"),
        kv_v=row.get("type_v", "f16"),
        seqs=row.get("seqs", 1),
        kv_unified=row.get("unified", True),
        ubatch=row.get("ubatch", 512),
        flash_attn=row.get("flash", "on"),
        outputs="ubatch" if outputs == 0 else outputs,
        ngl=row.get("ngl"),
        n_cpu_moe=row.get("n_cpu_moe"),
        tensor_split=tuple(row.get("tensor_split", ())),
        override_tensor=tuple(row.get("override_tensor", ())),
        imatrix=False,
        machine=Machine("recorded", tuple(card(size) for size in row.get("devices", (BIG_BYTES,)))),
    )


def memory_of(row: Mapping[str, Any]) -> Memory:
    """The estimate of a recorded row, right at its context."""
    point = AtOnePoint(subjects()[row["model"]])
    memory = compile_memory(point, row["quant"], scenario_of(row), facts())
    point.tokens = memory.devices[0].tokens(context_of(row))
    return memory


def context_of(row: Mapping[str, Any]) -> int:
    return int(row.get("n_ctx", 8192))


@cache
def cases() -> tuple[Case, ...]:
    return tuple(case for row in rows("llamacpp_offload") for case in _cases(row))


def _cases(row: Mapping[str, Any]) -> Iterator[Case]:
    memory, ctx = memory_of(row), context_of(row)
    places: tuple[DeviceMemory, ...] = (*memory.devices, memory.host)
    for place, held in enumerate(places):
        for part, groups in PARTS.items():
            ours = sum(held.group_bytes(ctx, group) for group in groups)
            yield Case(row, place, part, row[part][place], ours)
