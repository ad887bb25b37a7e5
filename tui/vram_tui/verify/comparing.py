"""Our figures beside llama.cpp's, term by term and device by device."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import DeviceMemory, Memory
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import MIB
from vram_tui.verify.asking import Answer, Request, ask
from vram_tui.verify.library import CACHE_TYPES

ENGINE = "llama.cpp"
CPU = Machine("the CPU alone", ())
UNLIMITED_BYTES = 1 << 44
DEFAULT_UBATCH = 512
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"


@record
class Line:
    """One term: bytes by llama.cpp and by us. `printed` says that llama.cpp only prints it, in hundredths of a MiB."""

    where: str
    term: str
    theirs: int
    ours: int
    printed: bool = False

    @property
    def exact(self) -> bool:
        return abs(self.ours - self.theirs) <= (0.006 * MIB if self.printed else 0)

    @property
    def error(self) -> float:
        """Ours over theirs, less one."""
        return 0.0 if self.exact else self.ours / self.theirs - 1 if self.theirs else 1.0


@record
class Comparison:
    """One machine: the terms, or the reasons of those who refuse (empty where one does not)."""

    machine: str
    lines: tuple[Line, ...] = ()
    their_refusal: str = ""
    our_refusal: str = ""

    @property
    def exact(self) -> bool:
        """Whether all terms are equal, or both refuse."""
        if self.their_refusal or self.our_refusal:
            return bool(self.their_refusal and self.our_refusal)
        return all(line.exact for line in self.lines)


def compare(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, path: Path | None = None
) -> Comparison:
    """One machine's comparison. `path` is the model's own file; without it a header is written from the blocks.

    Raises UnavailableError where llama.cpp cannot be asked, Refusal for settings that it has no part in, NoGgufError
    where it has no such model.
    """
    _check(scenario)
    if path is not None:
        return _compared(subject, quant, ctx, scenario, facts, path)
    with tempfile.TemporaryDirectory(prefix="vram-tui-") as folder:
        header = Path(folder) / "model.gguf"
        _write(subject, quant, scenario, facts, header)
        return _compared(subject, quant, ctx, scenario, facts, header)


def _check(scenario: Scenario) -> None:
    if scenario.runtime != ENGINE or scenario.method != "exact":
        raise Refusal(f"verify compares {ENGINE} counted exactly, nothing else", "runtime")
    if scenario.mtp:
        raise Refusal("verify opens no context for MTP layers: leave --mtp out", "mtp")
    for kind in (scenario.kv_k, scenario.kv_v):
        if kind not in CACHE_TYPES:
            raise Refusal(f"{ENGINE} has no cache type {kind[:20]!r}", "kv")
    if "auto" in (scenario.ngl, scenario.n_cpu_moe):
        raise Refusal("verify needs numbers where `auto` leaves them to the estimator", "ngl")


def _write(subject: Subject, quant: str, scenario: Scenario, facts: Facts, path: Path) -> None:
    from vram_tui.importers.gguf_metadata import metadata_of
    from vram_tui.importers.gguf_names import typed_file_tensors
    from vram_tui.importers.gguf_writer import write_header

    tensors = typed_file_tensors(subject.model, quant, facts, imatrix=scenario.imatrix)
    write_header({**metadata_of(subject.model), "tokenizer.ggml.model": "none"}, tensors, path, extend=True)


def _compared(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, path: Path) -> Comparison:
    machine = "one simulated GPU" if scenario.machine is None else scenario.machine.name
    answer = ask(_request(path, ctx, scenario))
    try:
        memory = compile_memory(subject, quant, scenario, facts)
    except Refusal as refusal:
        return Comparison(machine, (), answer.refusal, refusal.reason)
    if answer.refusal:
        return Comparison(machine, (), answer.refusal)
    return Comparison(machine, tuple(_lines(memory, ctx, answer, scenario)))


def _request(path: Path, ctx: int, scenario: Scenario) -> Request:
    machine = scenario.machine
    sizes = [UNLIMITED_BYTES] if machine is None else [device.usable_bytes for device in machine.devices]
    outputs = scenario.seqs if scenario.outputs is None else scenario.outputs
    moved = range(scenario.n_cpu_moe) if isinstance(scenario.n_cpu_moe, int) else ()
    overrides = [(rf"blk\.{layer}{_EXPERTS}", -1) for layer in moved]
    for one in scenario.override_tensor:
        pattern, _, buffer = one.rpartition("=")
        number = re.search(r"\d+$", buffer)
        overrides.append((pattern, int(number[0]) if number else -1))
    return Request(
        path=str(path),
        n_ctx=ctx,
        ubatch=scenario.ubatch or DEFAULT_UBATCH,
        seqs=scenario.seqs,
        unified=scenario.kv_unified,
        outputs=outputs if isinstance(outputs, int) else 0,
        type_k=scenario.kv_k,
        type_v=scenario.kv_v,
        flash=scenario.flash_attn,
        swa_full=scenario.swa_full,
        devices=tuple(sizes),
        gpu_layers=scenario.ngl if isinstance(scenario.ngl, int) else -1,
        tensor_split=scenario.tensor_split,
        overrides=tuple(overrides),
    )


def _lines(memory: Memory, ctx: int, answer: Answer, scenario: Scenario) -> Iterator[Line]:
    gpus = scenario.machine is None or bool(scenario.machine.devices)
    if not gpus:
        yield from _device_lines("CPU", memory.devices[0], ctx, answer, -1)
    else:
        for index, device in enumerate(memory.devices):
            name = f"GPU {index}" if len(memory.devices) > 1 else "GPU"
            yield from _device_lines(name, device, ctx, answer, index)
        yield from _device_lines("RAM", memory.host, ctx, answer, -1)
    theirs = round(answer.output_mib * MIB)
    yield Line("RAM" if gpus else "CPU", "output buffer", theirs, memory.host.group_bytes(ctx, "output"), printed=True)


def _device_lines(where: str, ours: DeviceMemory, ctx: int, answer: Answer, index: int) -> Iterator[Line]:
    theirs = answer.on(index)
    caches = ours.group_bytes(ctx, "kv") + ours.group_bytes(ctx, "state")
    for term, their_bytes, our_bytes in (
        ("weights", theirs.weights, ours.group_bytes(ctx, "weights")),
        ("KV cache and state", theirs.caches, caches),
        ("compute buffer", theirs.compute, ours.group_bytes(ctx, "compute")),
    ):
        if their_bytes or our_bytes:
            yield Line(where, term, their_bytes, our_bytes)
