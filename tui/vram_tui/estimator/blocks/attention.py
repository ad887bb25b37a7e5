"""Attention mixers: full, sliding, chunked, gated, shared, cross; and the direct sparse indexer."""

from vram_tui.estimator.blocks.base import KEPT_16, KEPT_F32, CacheRow, Frame, Tensor, norm
from vram_tui.estimator.records import record


@record
class DirectIndexer:
    """Block-sparse selection from its own keys: `heads` × `dim` queries over `kv_heads` keys."""

    heads: int
    dim: int
    kv_heads: int = 1
    values: bool = False
    top_k: int = 0

    def tensors(self, hidden: int) -> tuple[Tensor, ...]:
        return (
            Tensor("indexer_q", "other", (hidden, self.heads * self.dim), KEPT_16),
            Tensor("indexer_k", "other", (hidden, self.kv_heads * self.dim), KEPT_16),
            norm("indexer_q_norm", self.dim),
            norm("indexer_k_norm", self.dim),
        )

    def cache(self) -> CacheRow:
        return CacheRow("indexer", self.kv_heads * self.dim, self.kv_heads * self.dim if self.values else 0)


@record
class Relative:
    """Learned relative-position logits: `dim` features per head against `dim` × `length` per layer."""

    dim: int
    length: int


@record
class Attention:
    """Multi-head, grouped-query or multi-query attention over a cache of keys and values."""

    heads: int
    kv_heads: int
    head_dim: int
    v_dim: int = 0
    window: int = 0
    window_kind: str = "slide"
    bias: str = "none"
    qk_norm: str = "none"
    gate: str = "none"
    sinks: bool = False
    k_is_v: bool = False
    kv: str = "own"
    kv_conv: int = 0
    relative: Relative | None = None
    indexer: DirectIndexer | None = None
    rotary: bool = True
    temperature: bool = False

    kind = "attention"

    @property
    def value_dim(self) -> int:
        return self.v_dim or self.head_dim

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden = frame.hidden
        q_rows = self.heads * self.head_dim * (2 if self.gate == "in-q" else 1)
        k_rows, v_rows = self.kv_heads * self.head_dim, self.kv_heads * self.value_dim
        own_kv = self.kv != "shared" or (frame.file and frame.stored_shared_kv)
        found: list[Tensor] = []
        if "qkv" in frame.fused and own_kv:
            found.append(Tensor("attn_qkv", "v", (hidden, q_rows + k_rows + v_rows)))
        else:
            found.append(Tensor("attn_q", "q", (hidden, q_rows)))
            if own_kv:
                found.append(Tensor("attn_k", "k", (hidden, k_rows)))
                if not self.k_is_v:
                    found.append(Tensor("attn_v", "v", (hidden, v_rows)))
        found.append(Tensor("attn_o", "o", (self.heads * self.value_dim, hidden)))
        if self.gate in ("per-head", "element"):
            found.append(
                Tensor("attn_gate", "other", (hidden, self.heads * (self.value_dim if self.gate == "element" else 1)))
            )
        fused = found[0].role == "attn_qkv"
        vectors = self._vectors(hidden, q_rows, k_rows, v_rows, own_kv, fused)
        return (*found, *vectors, *self._extras(hidden, k_rows, v_rows))

    def _vectors(self, hidden: int, q_rows: int, k_rows: int, v_rows: int, own_kv: bool, fused: bool) -> list[Tensor]:
        found: list[Tensor] = []
        if self.bias in ("qkv", "qkvo"):
            if fused:
                found.append(norm("attn_qkv_bias", q_rows + k_rows + v_rows))
            else:
                found.append(norm("attn_q_bias", q_rows))
                if own_kv:
                    found += [norm("attn_k_bias", k_rows), norm("attn_v_bias", v_rows)]
            if self.bias == "qkvo":
                found.append(norm("attn_o_bias", hidden))
        if self.qk_norm != "none":
            full = self.qk_norm == "full"
            found.append(norm("attn_q_norm", self.heads * self.head_dim if full else self.head_dim))
            if own_kv:
                found.append(norm("attn_k_norm", k_rows if full else self.head_dim))
        if self.sinks:
            found.append(norm("attn_sinks", self.heads))
        return found

    def _extras(self, hidden: int, k_rows: int, v_rows: int) -> list[Tensor]:
        found: list[Tensor] = []
        if self.kv_conv:
            found.append(Tensor("attn_k_conv", "other", (self.kv_conv, k_rows), KEPT_F32))
            found.append(Tensor("attn_v_conv", "other", (self.kv_conv, v_rows), KEPT_F32))
        if self.relative:
            found.append(Tensor("attn_relative_proj", "other", (hidden, self.heads * self.relative.dim)))
            found.append(Tensor("attn_relative", "other", (self.relative.dim, self.relative.length), KEPT_16))
        if self.indexer:
            found += self.indexer.tensors(hidden)
        return found

    def cache(self) -> tuple[CacheRow, ...]:
        if self.kv != "own":
            return ()
        kind = "full" if not self.window else "chunked" if self.window_kind == "chunk" else "swa"
        row = CacheRow(kind, self.kv_heads * self.head_dim, self.kv_heads * self.value_dim, self.kv_heads, self.window)
        return (row, self.indexer.cache()) if self.indexer else (row,)

    def state(self) -> tuple[int, int]:
        return (0, 0)

    def gqa(self, frame: Frame) -> int:
        return self.heads // self.kv_heads if self.kv_heads else 0
