"""How a person runs a model: runtime, cache types, sequences, micro-batch, placement."""

from vram_tui.estimator.devices import Machine
from vram_tui.estimator.records import record

DEFAULT_QUANT = "Q4_K_M"
LIST_TOKENS = 8192
"""The format and the context in which lists judge and sort every model."""


@record
class Scenario:
    """One way of running a model. `None` means "the runtime's own default".

    Tokens, rows and counts are plain integers; `kv_k` and `kv_v` are cache types (f16, q8_0, fp8 …);
    `outputs` is the number of logits rows reserved per step ("ubatch": a whole micro-batch);
    `overhead_percent` belongs to the method `bytes-per-weight` only.
    """

    runtime: str = "llama.cpp"
    method: str = "exact"
    profile: str = "verified"
    overhead_percent: float = 10.0
    kv_k: str = "f16"
    kv_v: str = "f16"
    seqs: int = 1
    kv_unified: bool = True
    ubatch: int | None = None
    flash_attn: str = "auto"
    swa_full: bool = False
    outputs: int | str | None = None
    imatrix: bool = True
    mtp: bool = False
    machine: Machine | None = None
    ngl: int | str | None = None
    n_cpu_moe: int | str | None = None
    tensor_split: tuple[float, ...] = ()
    override_tensor: tuple[str, ...] = ()
    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp: int | None = None
    gpu_memory_utilization: float | None = None
    mem_fraction_static: float | None = None
    max_batched_tokens: int | None = None
    free: bool = False
