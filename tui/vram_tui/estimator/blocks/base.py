"""What a block tells the folds: its tensors, its cache rows, its recurrent state."""

from typing import NamedTuple

from vram_tui.estimator.records import record

QUANT = "quant"
"""A tensor that a file type quantizes."""
KEPT_16 = "16"
"""A tensor that stays at 16 bit whatever the file type."""
KEPT_F32 = "f32"
"""A tensor that converters write as F32 and nothing quantizes."""


class Tensor(NamedTuple):
    """One weight tensor of a layer or of the model.

    `role` says what it does and decides how servers shard it; `cls` is the class that GGUF mixtures ask for
    (q, k, v, o, gate, up, down, emb, out, other); `shape` is (columns, rows[, n]) as in GGUF; `keep` is one of
    QUANT, KEPT_16, KEPT_F32. `counted` is false for tensors that a file stores but that are no parameters of
    the model (RoPE factor tables, integer tables).
    """

    role: str
    cls: str
    shape: tuple[int, ...]
    keep: str = QUANT
    counted: bool = True

    @property
    def elements(self) -> int:
        product = 1
        for side in self.shape:
            product *= side
        return product


def norm(role: str, width: int) -> Tensor:
    """A one-dimensional F32 vector: norm weights, biases, sinks, scales."""
    return Tensor(role, "other", (width,), KEPT_F32)


@record
class CacheRow:
    """One cache that a layer keeps: elements of K and of V per cell, and how far it reaches.

    `window` is the reach in tokens (0: the whole context), `window_kind` "slide" or "chunk"; `ratio` is how many
    tokens share one cell (compressed histories). `kind` is one of full, swa, chunked, mla, indexer, compressed,
    cross; `heads` and the widths per head let servers shard the row over tensor-parallel ranks.
    """

    kind: str
    k_width: int
    v_width: int
    heads: int = 1
    window: int = 0
    ratio: int = 1


@record
class Frame:
    """The model-wide facts that a block needs to name its tensors.

    `fused` lists projections that the file joins (qkv, gate-up, gate-up-experts, beta-alpha); `expanded_mla`
    says that the file keeps kv_b whole instead of the absorbed pair; `attention_gqa` is heads / kv_heads of the
    model's attention layers, which recurrent mixers repeat in their metadata.
    """

    hidden: int
    vocab_size: int = 0
    fused: tuple[str, ...] = ()
    expanded_mla: bool = False
    norm_bias: bool = False
    attention_gqa: int = 0
    stored_shared_kv: bool = False
    file: bool = True
    """True: the tensors of a GGUF file; False: the parameters of the model itself."""
