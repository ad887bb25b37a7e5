"""What one step of generation reads and computes: bytes of weights, cache and state, and floating-point work."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from vram_tui.estimator.blocks import Attention, Compressed, Experts, Mla, ShortConv, Tensor
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.server_weights import parameter_tensors, rule_of
from vram_tui.estimator.sharding import attention_parts


@record
class ExpertTraffic:
    """Layers with the same routing: `bytes` are those of all their experts together."""

    layers: int
    count: float
    active: float
    bytes: int
    parameters: int

    def distinct(self, batch: float) -> float:
        """Share of the experts that a batch touches when the router draws evenly: 1 − (1 − k/E)^B."""
        return float(1.0 - (1.0 - self.active / self.count) ** batch)


@record
class CacheTraffic:
    """Cache elements read for every new token: `elements` per cell of a reach (0: the whole context).

    `ratio` tokens share a cell; `heads` key/value heads can be spread over ranks (0: every rank reads everything).
    """

    elements: int
    reach_tokens: int = 0
    ratio: int = 1
    heads: int = 0

    def cells(self, tokens: float) -> float:
        held = tokens / self.ratio
        return min(held, self.reach_tokens) if self.reach_tokens else held


@record
class Traffic:
    """A model in a format, as the memory bus and the arithmetic units see one token.

    `always_bytes` are weights read at every step (the head, not the embedding table); `active_parameters` those
    that a token multiplies with; `attention_flops` pairs FLOPs per past token with the reach they stop at.
    """

    layers: float
    expert_layers: float
    always_bytes: int
    experts: tuple[ExpertTraffic, ...]
    caches: tuple[CacheTraffic, ...]
    state_bytes: int
    active_parameters: float
    attention_flops: tuple[tuple[int, int], ...]
    hidden: int

    def weight_bytes(self, batch: float = 1.0, evenness: float = 1.0) -> float:
        """Bytes of weights that a step of `batch` tokens reads.

        `evenness` bends the expert coverage: 1 is even routing, smaller values are routing that prefers some experts.
        """
        total = float(self.always_bytes)
        for group in self.experts:
            total += group.bytes * group.distinct(max(1.0, batch**evenness))
        return total

    def cache_bytes(self, tokens: float, bytes_per_element: float = 2.0, tp: int = 1) -> float:
        """Bytes of cache that one rank reads for one sequence of `tokens`, its heads spread over `tp` ranks."""
        total = 0.0
        for cache in self.caches:
            share = max(1.0 / tp, 1.0 / cache.heads) if cache.heads else 1.0
            total += cache.elements * cache.cells(tokens) * share * bytes_per_element
        return total

    def prefill_flops(self, tokens: float, past: float = 0.0) -> float:
        """FLOPs of `tokens` new tokens after `past` cached ones: projections, and attention over what lies before."""
        total = 2.0 * self.active_parameters * tokens
        for flops, reach in self.attention_flops:
            mean = past + tokens / 2
            total += flops * tokens * (min(mean, reach) if reach else mean)
        return total


def _sized(model: Model, quant: str, facts: Facts, imatrix: bool) -> Iterator[tuple[Tensor, int, int]]:
    """(tensor, how many in the trunk, bytes of each) in a GGUF file type or a server format."""
    known = facts.formats.get(quant)
    if known is not None and known.kind == "gguf":
        from vram_tui.estimator.formats import tensor_bytes
        from vram_tui.estimator.weights import typed_tensors

        for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
            yield tensor, sum(not mtp for _, mtp in rows), tensor_bytes(type_name, tensor.shape)
        return
    rule = rule_of(quant, facts)
    for tensor, trunk, _ in parameter_tensors(model):
        yield tensor, trunk, rule.tensor_bytes(tensor)


class Shape(NamedTuple):
    """What does not depend on the format: layers that kernels run, caches a token reads, states, arithmetic.

    `experts` are rows of (layers, experts, experts per token, weights of all their experts).
    """

    layers: float
    expert_layers: float
    hidden: int
    dense_parameters: int
    experts: tuple[tuple[int, float, float, int], ...]
    caches: tuple[tuple[int, int, int, int], ...]
    """Fields of CacheTraffic."""
    state_bytes: int
    attention_flops: tuple[tuple[int, int], ...]

    def to_plain(self) -> list[Any]:
        """Lists and numbers only, for the compiled catalogue."""
        return list(self)

    @classmethod
    def from_plain(cls, plain: list[Any]) -> "Shape":
        """The shape that `to_plain` wrote."""
        values: dict[str, Any] = dict(zip(cls._fields, plain, strict=True))
        for name in ("experts", "caches", "attention_flops"):
            values[name] = tuple(map(tuple, values[name]))
        return cls(**values)


class Read(NamedTuple):
    """Bytes of the weights in a format, as a step reads them: always, and those of all routed experts together."""

    always_bytes: int
    expert_bytes: int


def traffic(model: Model, quant: str, facts: Facts, *, imatrix: bool = True) -> Traffic:
    """Fold a model into its traffic. Raises what weighing the format raises."""
    return traffic_of(shape(model), read_bytes(model, quant, facts, imatrix=imatrix))


def read_bytes(model: Model, quant: str, facts: Facts, *, imatrix: bool = True) -> Read:
    """What a step reads of the weights in a format. Raises what weighing the format raises."""
    always = experts = 0
    for tensor, count, size in _sized(model, quant, facts, imatrix):
        if "_exps" in tensor.role:
            experts += size * count
        elif _multiplied(tensor, model):
            always += size * count
    return Read(always, experts)


def _multiplied(tensor: Tensor, model: Model) -> bool:
    """Whether every token multiplies with it: tables are only looked up, unless the embedding is the head too."""
    if tensor.role == "lookup_table":
        return False
    return tensor.cls != "emb" or (tensor.role == "embedding" and model.tied_embeddings)


def traffic_of(found: Shape, read: Read) -> Traffic:
    """The traffic of a shape in a format; expert bytes go to the kinds of expert layers by their weights."""
    weight = sum(row[3] for row in found.experts) or 1
    return Traffic(
        layers=found.layers,
        expert_layers=found.expert_layers,
        always_bytes=read.always_bytes,
        experts=tuple(
            ExpertTraffic(layers, count, active, read.expert_bytes * parameters // weight, parameters)
            for layers, count, active, parameters in found.experts
        ),
        caches=tuple(CacheTraffic(*row) for row in found.caches),
        state_bytes=found.state_bytes,
        active_parameters=found.dense_parameters
        + sum(parameters * active / count for _, count, active, parameters in found.experts),
        attention_flops=found.attention_flops,
        hidden=found.hidden,
    )


@lru_cache(maxsize=256)
def shape(model: Model) -> Shape:
    """Fold a model into what does not depend on its format."""
    layers = expert_layers = 0.0
    states = 0
    caches: dict[tuple[int, int, int], int] = {}
    flops: dict[int, int] = {}
    for layer, times in model.distinct_layers().items():
        share = times * layer.halves / 2
        layers += share
        if isinstance(layer.feed_forward, Experts):
            expert_layers += share
        for part in attention_parts(layer.mixer):
            conv, matrix = part.state()
            scale = model.hidden_size if isinstance(part, ShortConv) else 1
            states += times * (conv * 2 + matrix * 4) * scale
            for reach, elements, ratio, heads in _reads(part):
                key = (reach, ratio, heads)
                caches[key] = caches.get(key, 0) + elements * times
            reach, work = _attention_work(part)
            flops[reach] = flops.get(reach, 0) + work * times
    dense = 0
    experts = 0
    for tensor, trunk, _ in parameter_tensors(model):
        if "_exps" in tensor.role:
            experts += tensor.elements * trunk
        elif _multiplied(tensor, model):
            dense += tensor.elements * trunk
    return Shape(
        layers,
        expert_layers,
        model.hidden_size,
        dense,
        _experts(model, experts),
        tuple((elements, reach, ratio, heads) for (reach, ratio, heads), elements in caches.items()),
        states,
        tuple((work, reach) for reach, work in flops.items() if work),
    )


def _experts(model: Model, parameters: int) -> tuple[tuple[int, float, float, int], ...]:
    """Split the expert weights over the kinds of expert layers."""
    kinds: dict[tuple[float, float], list[int]] = {}
    for layer, times in model.distinct_layers().items():
        half = layer.feed_forward
        if isinstance(half, Experts):
            size = half.count * half.size * (half.latent or model.hidden_size) * (3 if half.gated else 2)
            entry = kinds.setdefault((float(half.count), half.mean_active), [0, 0])
            entry[0] += times
            entry[1] += size * times
    weight = sum(size for _, size in kinds.values()) or 1
    return tuple(
        (layers, count, active, parameters * size // weight) for (count, active), (layers, size) in kinds.items()
    )


def _reads(part: object) -> Iterator[tuple[int, int, int, int]]:
    """(reach in cells, elements, tokens per cell, heads) that one layer reads for a new token."""
    if isinstance(part, Attention):
        if part.kv == "cross":
            return
        width = part.kv_heads * (part.head_dim + part.value_dim)
        selected = part.indexer.top_k if part.indexer else 0
        yield (part.window or selected, width, 1, part.kv_heads)
        if part.indexer:
            yield (0, part.indexer.kv_heads * part.indexer.dim, 1, 0)
    elif isinstance(part, Mla):
        yield (part.indexer.top_k if part.indexer else 0, part.kv_rank + part.rope, 1, 0)
        if part.indexer:
            yield (0, part.indexer.dim, 1, 0)
    elif isinstance(part, Compressed):
        yield (part.window, part.head_dim, 1, 0)
        if part.ratio:
            yield (part.indexer.top_k if part.indexer else 0, part.head_dim, part.ratio, 0)
            if part.indexer:
                yield (0, part.indexer.dim, part.ratio, 0)


def _attention_work(part: object) -> tuple[int, int]:
    """(reach in tokens, FLOPs per past token and new token) of one layer's scores and sums."""
    if isinstance(part, Attention):
        selected = part.indexer.top_k if part.indexer else 0
        return (part.window or selected, 2 * part.heads * (part.head_dim + part.value_dim))
    if isinstance(part, Mla):
        return (part.indexer.top_k if part.indexer else 0, 2 * part.heads * (part.nope + part.rope + part.v_dim))
    if isinstance(part, Compressed):
        return (part.window, 4 * part.heads * part.head_dim)
    return (0, 0)
