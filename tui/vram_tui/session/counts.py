"""Where the figures of the specification sheet come from: counts by part of the model, read off its blocks."""

from collections.abc import Callable, Iterator
from typing import Any

from vram_tui.estimator.blocks import Experts, Parallel, ShortConv
from vram_tui.estimator.model import Model
from vram_tui.estimator.tensors import LayerTensor, trunk_tensors
from vram_tui.quantities import format_parameters
from vram_tui.session.explaining import Explained, Part
from vram_tui.session.specs import facts_of, headline_of, license_words, mixer_name

CACHE_BYTES, STATE_BYTES = 2, 4
SHOWN_TENSORS = 5

_PARTS = (
    ("routed experts", ("_exps", "expert_scale")),
    ("shared experts", ("_shexp", "shared_gate")),
    ("router", ("router",)),
    ("indexer", ("indexer",)),
    ("feed-forward", ("ffn_", "latent_")),
    ("attention", ("attn_", "compressor")),
    ("recurrent mixers", ("ssm_", "conv")),
    ("output head", ("head",)),
    ("embeddings", ("embedding", "lookup_table")),
    ("norms", ("norm", "residual")),
)
"""Part of a model → what the roles of its tensors hold; the first that matches counts."""


def part_name(role: str) -> str:
    """The part of the model that a tensor belongs to."""
    if role == "head":
        return "output head"
    if role.endswith("_norm") and role.startswith(("embedding", "final")):
        return "norms"
    for name, signs in _PARTS:
        if any(sign in role for sign in signs) and not role.startswith("hyper"):
            return name
    return "other"


def parameter_parts(model: Model) -> tuple[Part, ...]:
    """Every parameter of the trunk and the towers, by part."""
    rows = [(row, float(row.tensor.elements)) for row in _counted(model) if row.tensor.role != "layer_scale"]
    towers = [
        Part(f"{tower.kind} tower", tower.parameters, formula="counted by its own configuration")
        for tower in model.towers
    ]
    return (*_grouped(rows), *towers)


def active_parts(model: Model) -> tuple[Part, ...]:
    """Parameters that one token meets, by part: experts by their share, the embedding only where it is the head."""
    shares = {
        layer: layer.feed_forward.mean_active / layer.feed_forward.count
        for layer in model.distinct_layers()
        if isinstance(layer.feed_forward, Experts)
    }
    by_number = [shares.get(layer, 1.0) for layer in model.layers()]
    rows = []
    for row in _counted(model):
        tensor = row.tensor
        looked_up = tensor.cls == "emb" and not (model.tied_embeddings and tensor.role == "embedding")
        if looked_up or tensor.role == "lookup_table":
            continue
        routed = row.layer >= 0 and "_exps" in tensor.role
        rows.append((row, tensor.elements * (by_number[row.layer] if routed else 1.0)))
    return _grouped(rows)


def _counted(model: Model) -> Iterator[LayerTensor]:
    return (row for row in trunk_tensors(model, file=False) if row.tensor.counted and not row.mtp)


def _grouped(rows: list[tuple[LayerTensor, float]]) -> tuple[Part, ...]:
    sums: dict[str, float] = {}
    shapes: dict[str, dict[tuple[str, tuple[int, ...], float], int]] = {}
    for row, value in rows:
        name = part_name(row.tensor.role)
        sums[name] = sums.get(name, 0.0) + value
        key = (row.tensor.role, row.tensor.shape, value)
        seen = shapes.setdefault(name, {})
        seen[key] = seen.get(key, 0) + 1
    order = sorted(sums, key=lambda name: -sums[name])
    return tuple(Part(name, sums[name], formula=_shape_words(shapes[name])) for name in order)


def _shape_words(shapes: dict[tuple[str, tuple[int, ...], float], int]) -> str:
    """The largest tensors of a part: times it occurs, shape, and the share of it that counts."""
    from fractions import Fraction

    items = sorted(shapes.items(), key=lambda item: -item[0][2] * item[1])
    words = []
    for (role, shape, value), count in items[:SHOWN_TENSORS]:
        elements = 1
        for side in shape:
            elements *= side
        part = Fraction(value / elements).limit_denominator(10_000)
        share = "" if value == elements else f" × {part} of them read"
        times = f"{count} × " if count > 1 else ""
        words.append(f"{role} {times}({' × '.join(f'{side:,}' for side in shape)}){share}")
    more = len(items) - SHOWN_TENSORS
    return " + ".join(words) + (f" + {more} smaller" if more > 0 else "")


def cache_parts(model: Model) -> tuple[Part, ...]:
    """Bytes that one more token costs, by the kind of cache that reaches over the whole context, at 16 bits."""
    found: dict[tuple[str, int, int, int], int] = {}
    for layer, count in model.distinct_layers().items():
        for row in layer.mixer.cache() if layer.mixer else ():
            if not row.window:
                key = (row.kind, row.k_width, row.v_width, row.ratio)
                found[key] = found.get(key, 0) + count
    names = {"full": "attention", "mla": "latent attention", "indexer": "indexer keys", "compressed": "history"}
    return tuple(
        Part(
            names.get(kind, kind),
            layers * (k_width + v_width) * CACHE_BYTES / ratio,
            "kv",
            "layers × (K elements + V elements) × bytes" + (" / ratio" if ratio > 1 else ""),
            (("layers", layers), ("K elements", k_width), ("V elements", v_width), ("bytes", CACHE_BYTES))
            + ((("ratio", ratio),) if ratio > 1 else ()),
        )
        for (kind, k_width, v_width, ratio), layers in found.items()
    )


def state_parts(model: Model) -> tuple[Part, ...]:
    """Bytes of recurrent state that one sequence holds, by kind of mixer, at 32 bits."""
    found: dict[str, tuple[int, int]] = {}
    for layer, count in model.distinct_layers().items():
        for part in layer.mixer.parts if isinstance(layer.mixer, Parallel) else (layer.mixer,):
            if part is None:
                continue
            conv, matrix = part.state()
            elements = conv * (model.hidden_size if isinstance(part, ShortConv) else 1) + matrix
            if elements:
                layers, _ = found.get(f"{mixer_name(part)}|{elements}", (0, 0))
                found[f"{mixer_name(part)}|{elements}"] = (layers + count, elements)
    return tuple(
        Part(
            name.partition("|")[0],
            layers * elements * STATE_BYTES,
            "state",
            "layers × elements × bytes",
            (("layers", layers), ("elements", elements), ("bytes", STATE_BYTES)),
        )
        for name, (layers, elements) in found.items()
    )


def layer_parts(model: Model) -> tuple[Part, ...]:
    """Layers by what they are made of."""
    found: dict[str, int] = {}
    for layer, count in model.distinct_layers().items():
        feed = layer.feed_forward
        after = "" if feed is None else " + experts" if isinstance(feed, Experts) else " + dense"
        name = mixer_name(layer.mixer) + after
        found[name] = found.get(name, 0) + count
    return tuple(Part(name, count, formula="layers of this kind in the stack") for name, count in found.items())


def tower_parts(model: Model) -> tuple[Part, ...]:
    return tuple(
        Part(f"{tower.kind} tower", tower.parameters, formula="counted by its own configuration")
        for tower in model.towers
    )


def expert_parts(model: Model) -> tuple[Part, ...]:
    """Experts of a layer: routed and shared."""
    for layer in model.distinct_layers():
        feed = layer.feed_forward
        if isinstance(feed, Experts):
            shared = feed.shared // feed.size if feed.size else 0
            routed = Part("routed", feed.count, formula=f"{feed.active} of them chosen for each token")
            return (routed, *((Part("shared", shared, formula="read for every token"),) if shared else ()))
    return ()


_PARTS_OF: dict[str, tuple[str, Callable[[Model], tuple[Part, ...]]]] = {
    "parameters": ("parameters", parameter_parts),
    "active": ("parameters", active_parts),
    "cache": ("bytes/token", cache_parts),
    "state": ("bytes/sequence", state_parts),
    "layers": ("count", layer_parts),
    "experts": ("count", expert_parts),
    "towers": ("parameters", tower_parts),
}
"""Label of the sheet → unit and parts."""

_NOTES = {
    "hidden": "Width of the residual stream, in elements.",
    "heads": "Query heads of a layer.",
    "KV heads": "Heads of keys and values that the cache keeps.",
    "head dim": "Elements of a head of K, and of V where that differs.",
    "context": "Tokens that the model was trained or extended for.",
    "vocabulary": "Rows of the embedding; tied: the output head is the same table.",
    "feed-forward": "Width of the inner layer, in elements.",
    "attention": "How the layers mix tokens, read off the blocks of the stack.",
    "MTP layers": "Layers that predict further tokens; not counted in the parameters, loaded on demand alone.",
    "licence": "As the vendor states it; read it before you use the weights.",
    "released": "The day on which the weights were published.",
}


def fact_labels(entry: Any, summary: Any) -> tuple[str, ...]:
    """The labels of the sheet, in its order."""
    return tuple(dict.fromkeys(fact.label for fact in (*headline_of(entry, summary), *facts_of(entry))))


def explain_fact(entry: Any, summary: Any, label: str) -> Explained:
    """One figure of the sheet: its parts where it is a sum, and where it was read."""
    model: Model = entry.model
    facts = {fact.label: fact for fact in (*headline_of(entry, summary), *facts_of(entry))}
    fact = facts.get(label)
    unit, parts_of = _PARTS_OF.get(label, ("", None))
    parts = parts_of(model) if parts_of else ()
    total = sum(part.value for part in parts) if parts else None
    counted = format_parameters(round(total)) if total and unit == "parameters" else "none"
    if label == "licence":
        counted = license_words(entry.license)
    words = fact.value if fact else counted
    notes = [_NOTES[label]] if label in _NOTES else []
    if fact and fact.published and entry.published is not None:
        notes.append(f"{entry.published.source} says {fact.published}.")
    if label == "active" and entry.active_advertised and total:
        said = format_parameters(entry.active_advertised)
        notes.append(f"The vendor says {said}; the blocks give {format_parameters(round(total))}.")
    if label == "parameters" and entry.parameters_published:
        notes.append(
            f"Published: {entry.parameters_published:,} ({entry.parameters_source}), "
            f"counted as {entry.parameters_counts.replace('+', ' + ')}."
        )
    if label == "cache":
        notes.append("At 16 bits; windows stop growing and are not counted here.")
    if label in entry.partial_fields:
        notes.append("No source states this: it is assumed.")
    return Explained(f"{entry.name}, {label}", unit, total, parts, words, notes=tuple(notes), sources=entry.sources)
