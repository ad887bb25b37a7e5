"""Ask llama.cpp in a process of its own, with a time limit: a crash or a hang there is an answer here."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from vram_tui.estimator.records import record
from vram_tui.verify.library import UnavailableError, installed

TIME_LIMIT_S = 120
LONGEST_REASON = 300


@record
class Request:
    """What to reserve for. `devices` are the sizes of simulated GPUs in bytes; none: everything stays on the CPU.

    `outputs` 0 reserves logits for a whole batch; `overrides` pairs patterns of tensor names with a device's number
    (-1: the CPU).
    """

    path: str
    n_ctx: int
    ubatch: int = 512
    seqs: int = 1
    unified: bool = True
    outputs: int = 1
    type_k: str = "f16"
    type_v: str = "f16"
    flash: str = "auto"
    swa_full: bool = False
    devices: tuple[int, ...] = ()
    gpu_layers: int = -1
    tensor_split: tuple[float, ...] = ()
    overrides: tuple[tuple[str, int], ...] = ()


@record
class Buffers:
    """Bytes that one kind of buffer holds."""

    name: str
    weights: int
    caches: int
    compute: int

    @property
    def device(self) -> int:
        """The simulated device, -1 for RAM."""
        digits = self.name.removeprefix("GPU")
        return int(digits) if digits != self.name and digits.isdecimal() else -1


@record
class Answer:
    """What llama.cpp would reserve; `output_mib` as its log prints it. `refusal` is its reason not to, empty else."""

    buffers: tuple[Buffers, ...] = ()
    output_mib: float = 0.0
    n_ctx: int = 0
    n_ctx_seq: int = 0
    refusal: str = ""

    def on(self, device: int) -> Buffers:
        """The sum of a device's buffers (-1: RAM)."""
        own = [one for one in self.buffers if one.device == device]
        return Buffers(
            "", sum(one.weights for one in own), sum(one.caches for one in own), sum(one.compute for one in own)
        )


def ask(request: Request, time_limit_s: float = TIME_LIMIT_S) -> Answer:
    """llama.cpp's answer. Raises UnavailableError where it cannot be asked here."""
    installed()
    package = Path(__file__).parents[2]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vram_tui.verify"],
            input=json.dumps(asdict(request)),
            capture_output=True,
            text=True,
            timeout=time_limit_s,
            cwd=package,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(refusal=f"no answer within {time_limit_s:g} seconds")
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return Answer(refusal=_crash(done.returncode, done.stderr))
    found = json.loads(lines[-1])
    if "unavailable" in found:
        raise UnavailableError(found["unavailable"])
    return Answer(
        tuple(Buffers(*one) for one in found.get("buffers", ())),
        found.get("output_mib", 0.0),
        found.get("n_ctx", 0),
        found.get("n_ctx_seq", 0),
        found.get("refusal", ""),
    )


def _crash(code: int, told: str) -> str:
    """The last line that says what went wrong."""
    lines = [line.strip() for line in told.splitlines() if "ASSERT" in line or "rror" in line]
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"it ended with {how}: {lines[-1]}"[:LONGEST_REASON] if lines else f"it ended with {how}"
