"""Latent attention: MLA with its low-rank indexer, and windows over a compressed history."""

from vram_tui.estimator.blocks.base import KEPT_F32, CacheRow, Frame, Tensor, norm
from vram_tui.estimator.records import record


@record
class LatentIndexer:
    """Sparse selection for latent attention: style "low-rank" (MLA) or "pooled" (compressed history)."""

    style: str
    heads: int
    dim: int
    pool: int = 0
    top_k: int = 0
    input_norm: bool = False
    scaling: bool = False

    @property
    def row(self) -> int:
        """Elements of a cache row. Keys that are pooled stand beside their gates and the pooled ones, as llama.cpp has
        it (`llama_memory_hybrid_idx`)."""
        return 3 * self.dim if self.pool else self.dim

    def low_rank_tensors(self, hidden: int, q_in: int) -> list[Tensor]:
        found = [
            Tensor("indexer_q", "other", (q_in, self.heads * self.dim)),
            Tensor("indexer_k", "k", (hidden, self.dim)),
            norm("indexer_k_norm", self.dim),
            norm("indexer_k_norm_bias", self.dim),
            Tensor("indexer_proj", "other", (hidden, self.heads)),
        ]
        if self.pool:
            found += [
                Tensor("indexer_pool", "other", (hidden, self.dim)),
                norm("indexer_pool_positions", self.dim * self.pool),
            ]
        if self.input_norm:
            found.append(norm("indexer_input_norm", hidden))
        if self.scaling:
            found.append(norm("indexer_scaling", 2 * self.heads))
        return found


@record
class Mla:
    """Multi-head latent attention: one compressed key row per token, no value row."""

    heads: int
    kv_rank: int
    nope: int
    rope: int
    v_dim: int
    q_rank: int = 0
    bias: bool = False
    gate: str = "none"
    sinks: bool = False
    scaling: bool = False
    indexer: LatentIndexer | None = None

    kind = "mla"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, q_rows = frame.hidden, self.heads * (self.nope + self.rope)
        found: list[Tensor] = []
        if self.q_rank:
            found += [
                Tensor("attn_q_a", "other", (hidden, self.q_rank)),
                norm("attn_q_a_norm", self.q_rank),
                Tensor("attn_q_b", "other", (self.q_rank, q_rows)),
            ]
        else:
            found.append(Tensor("attn_q", "q", (hidden, q_rows)))
        found += [
            Tensor("attn_kv_a", "other", (hidden, self.kv_rank + self.rope)),
            norm("attn_kv_a_norm", self.kv_rank),
        ]
        if frame.file and not frame.expanded_mla:
            found.append(Tensor("attn_k_b", "other", (self.nope, self.kv_rank, self.heads)))
            found.append(Tensor("attn_v_b", "other", (self.kv_rank, self.v_dim, self.heads)))
        else:
            found.append(Tensor("attn_kv_b", "v", (self.kv_rank, self.heads * (self.nope + self.v_dim))))
        found.append(Tensor("attn_o", "o", (self.heads * self.v_dim, hidden)))
        if self.gate == "element":
            found.append(Tensor("attn_gate", "other", (hidden, self.heads * self.v_dim)))
        elif self.gate == "per-head":
            found.append(Tensor("attn_gate", "other", (hidden, self.heads)))
        if self.bias:
            found.append(norm("attn_q_a_bias", self.q_rank))
            found.append(norm("attn_kv_a_bias", self.kv_rank + self.rope))
            found.append(norm("attn_o_bias", hidden))
        if self.sinks:
            found.append(norm("attn_sinks", self.heads))
        if self.scaling:
            found.append(norm("attn_scaling", 2 * self.heads))
        if self.indexer:
            found += self.indexer.low_rank_tensors(hidden, self.q_rank or hidden)
        return tuple(found)

    def cache(self) -> tuple[CacheRow, ...]:
        row = CacheRow("mla", self.kv_rank + self.rope, 0)
        return (row, CacheRow("indexer", self.indexer.row, 0)) if self.indexer else (row,)

    def expanded_cache(self) -> tuple[CacheRow, ...]:
        """The cache of files that keep kv_b whole: full keys and values for every head."""
        return (CacheRow("full", self.heads * (self.nope + self.rope), self.heads * self.v_dim, self.heads),)

    def state(self) -> tuple[int, int]:
        return (0, 0)

    def gqa(self, frame: Frame) -> int:
        return 1 if frame.expanded_mla else self.heads


@record
class Compressed:
    """A short window of keys beside a history in which `ratio` tokens share one entry (0: window only)."""

    heads: int
    head_dim: int
    q_rank: int
    o_rank: int
    o_groups: int
    window: int
    ratio: int = 0
    indexer: LatentIndexer | None = None
    kv: str = "own"

    kind = "compressed"

    @property
    def streams(self) -> int:
        """How many parallel compressors the layer runs: two when an indexer overlaps them, else one."""
        return 2 if self.indexer else 1

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, d = frame.hidden, self.head_dim
        found = [
            Tensor("attn_q_a", "other", (hidden, self.q_rank)),
            norm("attn_q_a_norm", self.q_rank),
            Tensor("attn_q_b", "other", (self.q_rank, self.heads * d)),
            Tensor("attn_kv", "other", (hidden, d)),
            norm("attn_kv_norm", d),
            norm("attn_sinks", self.heads),
            Tensor("attn_o_a", "other", (self.heads * d // self.o_groups, self.o_rank, self.o_groups)),
            Tensor("attn_o_b", "other", (self.o_rank * self.o_groups, hidden)),
        ]
        if self.ratio:
            found += _compressor("compressor", hidden, d, self.streams, self.ratio)
            if self.indexer:
                index = self.indexer
                found.append(Tensor("indexer_q", "other", (self.q_rank, index.heads * index.dim)))
                found.append(Tensor("indexer_proj", "other", (hidden, index.heads)))
                found += _compressor("indexer_compressor", hidden, index.dim, 2, self.ratio)
        return tuple(found)

    def cache(self) -> tuple[CacheRow, ...]:
        if self.kv != "own":
            return ()
        found = [CacheRow("swa", self.head_dim, 0, 1, self.window)]
        if self.ratio:
            found.append(CacheRow("compressed", self.head_dim, 0, 1, 0, self.ratio))
            if self.indexer:
                found.append(CacheRow("indexer", self.indexer.dim, 0, 1, 0, self.ratio))
        return tuple(found)

    def state(self) -> tuple[int, int]:
        """Compressor accumulators, f32 elements per sequence: 2·m·ratio·m·(d + indexer dim)."""
        if not self.ratio:
            return (0, 0)
        m = self.streams
        return (0, 2 * m * self.ratio * m * (self.head_dim + (self.indexer.dim if self.indexer else 0)))

    def gqa(self, frame: Frame) -> int:
        return self.heads


def _compressor(role: str, hidden: int, dim: int, streams: int, ratio: int) -> list[Tensor]:
    return [
        Tensor(f"{role}_ape", "other", (streams * dim, ratio)),
        Tensor(f"{role}_gate", "other", (hidden, streams * dim)),
        Tensor(f"{role}_kv", "other", (hidden, streams * dim)),
        Tensor(f"{role}_norm", "other", (dim,), KEPT_F32),
    ]
