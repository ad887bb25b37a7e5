"""The same recorded models by rules that people use: formulas written down here, not runs of the tools they are from.

Every formula gets the values of the model's own configuration. Sources, read in October 2026: gpustack/gguf-parser-go
at 8dc7a62, ollama/ollama at fb30760 (`PredictServerVRAM`), hf-mem 0.5.6 (its cache formula).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.recorded import compiled
from tests.estimator.truth_models import scenario_of, subjects
from tests.truth import rows

Row = Mapping[str, Any]
CTX = 131072
NOMINAL_BYTES = 0.5
"""What web calculators take for a weight of a 4-bit file."""
OVERHEAD = 1.2
"""The factor that most of them put on the weights."""


class Widths(NamedTuple):
    """What a configuration file says, as calculators read it."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    least_kv_heads: int
    head_dim: int
    """The stated one, else hidden size over heads."""
    latent_dim: int
    """Key and value width of latent attention, 0 without it."""

    @classmethod
    def of(cls, row: Row) -> "Widths":
        keys, arch = row["gguf"], row["arch"]

        def number(name: str, choose: Callable[[list[int]], int] = max) -> int:
            value = keys.get(f"{arch}.{name}") or 0
            found = [one for one in value if one] if isinstance(value, list) else [value]
            return choose(found) if found else 0

        hidden, heads = number("embedding_length"), number("attention.head_count")
        latent = number("attention.key_length_mla") + number("attention.value_length_mla")
        even = hidden // heads if heads else 0
        kv = number("attention.head_count_kv") or heads
        return cls(
            number("block_count"),
            hidden,
            heads,
            # Converters write one head for absorbed latent attention; configurations state as many as queries.
            heads if latent else kv,
            1 if latent else number("attention.head_count_kv", min) or heads,
            # Configurations state the width of sliding heads, where those of full layers differ.
            even if latent else number("attention.key_length_swa") or number("attention.key_length") or even,
            latent,
        )


def by_configuration(widths: Widths) -> int:
    """2 · layers · key heads · head width · 2 bytes · tokens: web calculators, and hf-mem's cache."""
    return 2 * widths.layers * widths.kv_heads * widths.head_dim * 2 * CTX


def by_hidden_size(widths: Widths) -> int:
    """2 · layers · fewest key heads · (hidden size / heads) · 2 bytes · tokens: Ollama's prediction."""
    head = widths.hidden // widths.heads if widths.heads else 0
    return 2 * widths.layers * widths.least_kv_heads * head * 2 * CTX


def by_latent_widths(widths: Widths) -> int | None:
    """layers · (key + value width of latent attention) · 2 bytes · tokens: gguf-parser-go's; None for other models."""
    return widths.layers * widths.latent_dim * 2 * CTX if widths.latent_dim else None


class Compared(NamedTuple):
    """One model at 128K tokens in Q4_K_M. Sizes are bytes; every other figure is a factor of the measured size."""

    model: str
    measured: int
    ours: float
    page: float
    """Parameters × 0.5 bytes × 1.2, and the cache by configuration."""
    cache: int
    cache_ours: float
    cache_by_configuration: float
    cache_by_hidden_size: float
    cache_by_latent_widths: float | None


def compared() -> Iterator[Compared]:
    """Every recorded model with a cache, as a server runs it for one request."""
    for row in rows("llamacpp_models"):
        allocation = _allocation(row["model"])
        widths, subject = Widths.of(row), subjects()[row["model"]]
        memory = compiled(row["model"], allocation["quant"], scenario_of(allocation))
        cache = allocation["kv_bytes"] + allocation["recurrent_bytes"]
        measured = allocation["weights_gpu_bytes"] + cache + allocation["compute_bytes"]
        weights = subject.weights("Q4_K_M").parameters * NOMINAL_BYTES * OVERHEAD
        latent = by_latent_widths(widths)
        yield Compared(
            row["model"],
            measured,
            sum(memory.group_bytes(CTX, group) for group in ("weights", "kv", "state", "compute")) / measured,
            (weights + by_configuration(widths)) / measured,
            cache,
            (memory.group_bytes(CTX, "kv") + memory.group_bytes(CTX, "state")) / cache,
            by_configuration(widths) / cache,
            by_hidden_size(widths) / cache,
            latent / cache if latent is not None else None,
        )


def _allocation(model: str) -> Row:
    return next(
        row
        for row in rows("llamacpp_allocations")
        if row["model"] == model
        and "error" not in row
        and (row["device"], row["flash_attn"], row["type_k"], row["n_seq"]) == ("cuda1", "on", "f16", 1)
        and (row["n_ctx"], row["n_ubatch"], row["n_outputs_max"]) == (CTX, 512, 1)
    )


def largest(found: list[float]) -> float:
    """The largest factor of error, whichever way."""
    return max(max(factor, 1 / factor) for factor in found if factor)


def median_factor(found: list[float]) -> float:
    """The median factor of error, whichever way."""
    return sorted(max(factor, 1 / factor) for factor in found if factor)[len(found) // 2]
