"""One answer with every figure and its reason: what the command line prints and tests compare."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory, Term, Weights
from vram_tui.estimator.records import record
from vram_tui.estimator.rule_of_thumb import METHOD as RULE_OF_THUMB
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import AtOnePoint, Subject
from vram_tui.estimator.units import GIB

if TYPE_CHECKING:
    from vram_tui.estimator.pools import Pool


@record
class KvPart:
    """A kind of cache at one context: `cells` per stream, bytes of all layers and streams."""

    kind: str
    layers: int
    cells: int
    streams: int
    bytes: int


@record
class DeviceUse:
    """What one device holds."""

    name: str
    used_bytes: int
    usable_bytes: int | None
    weights_bytes: int
    kv_bytes: int
    state_bytes: int
    compute_bytes: int
    runtime_bytes: int


@record
class Estimate:
    """Bytes are integers, never rounded; a field that does not apply is None."""

    model: str
    quant: str
    ctx: int
    runtime: str
    method: str
    weights: Weights
    kv_bytes: int
    state_bytes: int
    ctx_per_seq: int
    n_ctx_real: int
    kv_parts: tuple[KvPart, ...]
    compute_bytes: int
    compute_host_bytes: int | None
    output_bytes: int | None
    runtime_bytes: int
    total_bytes: int
    low_bytes: int
    high_bytes: int
    devices: tuple[DeviceUse, ...]
    tier: str
    fits: bool | None
    largest_ctx: int | None
    terms: tuple[Term, ...]
    warnings: tuple[str, ...]
    speed: Mapping[str, float | None] | None = None
    pool: "Pool | None" = None
    """What a server sets apart for the caches of all requests, where it does."""

    @property
    def total_gib(self) -> float:
        return self.total_bytes / GIB

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON types, with the field names of the command line."""
        weights = self.weights
        return {
            "model": self.model,
            "quant": self.quant,
            "ctx": self.ctx,
            "runtime": self.runtime,
            "method": self.method,
            "weights": {
                "file_bytes": weights.file_bytes,
                "device_bytes": weights.device_bytes,
                "host_bytes": weights.host_bytes,
                "bits_per_weight": weights.bits_per_weight,
                "parameters": weights.parameters,
            },
            "kv_bytes": self.kv_bytes,
            "state_bytes": self.state_bytes,
            "ctx_per_seq": self.ctx_per_seq,
            "n_ctx_real": self.n_ctx_real,
            "kv_parts": [_plain(part) for part in self.kv_parts],
            "compute_bytes": self.compute_bytes,
            "compute_host_bytes": self.compute_host_bytes,
            "output_bytes": self.output_bytes,
            "runtime_bytes": self.runtime_bytes,
            "total_bytes": self.total_bytes,
            "total_gib": self.total_gib,
            "error_band": {"low_bytes": self.low_bytes, "high_bytes": self.high_bytes},
            "devices": [_plain(device) for device in self.devices],
            "tier": self.tier,
            "fits": self.fits,
            "largest_ctx": self.largest_ctx,
            "speed": dict(self.speed) if self.speed is not None else None,
            **({"pool": self.pool.to_json(self.ctx)} if self.pool else {}),
            "terms": [_term(term) for term in self.terms],
            "warnings": list(self.warnings),
        }


def _plain(part: KvPart | DeviceUse) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _term(term: Term) -> dict[str, Any]:
    return {
        "name": term.name,
        "group": term.group,
        "bytes": term.bytes,
        "formula": term.formula,
        "with": dict(term.numbers),
        "basis": term.basis,
        "source": term.source,
        "error": term.error,
    }


def estimate(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> Estimate:
    """Answer one context. Raises Refusal (a ValueError) where the runtime refuses, KeyError for unknown names."""
    if ctx < 1:
        raise ValueError(f"a context of {ctx} tokens")
    # Without a machine nobody asks for the largest context: the compute buffer is followed at this one alone.
    alone = AtOnePoint(subject) if scenario.machine is None else None
    memory = compile(alone or subject, quant, scenario, facts)
    if alone is not None:
        alone.tokens = memory.devices[0].tokens(ctx)
    found = answer(subject.id, memory, ctx, scenario, facts)
    if scenario.machine is None or scenario.method == RULE_OF_THUMB:
        return found
    from vram_tui.estimator.pools import pool_of
    from vram_tui.estimator.speed import speed_of

    rates = speed_of(subject, quant, ctx, scenario, facts, memory)
    pool = pool_of(subject, quant, ctx, scenario, facts)
    return replace(found, speed=rates.to_json() if rates else None, pool=pool)


def answer(model: str, memory: Memory, ctx: int, scenario: Scenario, facts: Facts) -> Estimate:
    """The figures of a compiled memory at one context."""
    rule = scenario.method == RULE_OF_THUMB
    total = memory.at(ctx)
    low, high = memory.error_band(ctx)
    host = memory.host
    return Estimate(
        model=model,
        quant=memory.quant,
        ctx=ctx,
        runtime=memory.runtime,
        method=scenario.method,
        weights=memory.weights,
        kv_bytes=memory.group_bytes(ctx, "kv"),
        state_bytes=memory.group_bytes(ctx, "state"),
        ctx_per_seq=memory.ctx_per_seq(ctx),
        n_ctx_real=memory.ctx_real(ctx),
        kv_parts=kv_parts(memory, ctx),
        compute_bytes=memory.group_bytes(ctx, "compute"),
        compute_host_bytes=None if rule else host.group_bytes(ctx, "compute"),
        output_bytes=None if rule else host.group_bytes(ctx, "output"),
        runtime_bytes=memory.group_bytes(ctx, "runtime"),
        total_bytes=total,
        low_bytes=low,
        high_bytes=high,
        devices=tuple(
            DeviceUse(
                name=device.name,
                used_bytes=device.at(ctx),
                usable_bytes=device.usable_bytes,
                weights_bytes=device.group_bytes(ctx, "weights"),
                kv_bytes=device.group_bytes(ctx, "kv"),
                state_bytes=device.group_bytes(ctx, "state"),
                compute_bytes=device.group_bytes(ctx, "compute"),
                runtime_bytes=device.group_bytes(ctx, "runtime"),
            )
            for device in memory.devices
        ),
        tier=facts.tier_of(total, nominal=rule).id,
        fits=memory.fits(ctx),
        largest_ctx=memory.largest_ctx_usable(),
        terms=memory.terms(ctx),
        warnings=(*memory.warnings, *_context_warnings(memory, ctx)),
    )


def kv_parts(memory: Memory, ctx: int) -> tuple[KvPart, ...]:
    """Every kind of cache at one context: cells of a stream, bytes of all layers and streams."""
    tokens = memory.devices[0].tokens(ctx)
    return tuple(
        KvPart(part.kind, part.layers, part.reach.cells(tokens), part.streams, part.bytes(tokens))
        for part in memory.cache_parts
    )


def _context_warnings(memory: Memory, ctx: int) -> tuple[str, ...]:
    per_seq = memory.ctx_per_seq(ctx)
    if memory.native_tokens and per_seq > memory.native_tokens and ctx > memory.native_tokens:
        return (f"The model's native context is {memory.native_tokens:,} tokens.",)
    return ()
