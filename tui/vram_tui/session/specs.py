"""A model's facts in words: the specification sheet, with what a published page says otherwise."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    Experts,
    Gated,
    Kda,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    Plain,
    ShortConv,
)
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.quantities import format_memory, format_parameters, format_tokens


@record
class Fact:
    """One line of the sheet; `published` is what the page says where it says something else."""

    label: str
    value: str
    published: str = ""


def mixer_name(mixer: Mixer | None) -> str:
    """A mixer in the field's words."""
    if mixer is None:
        return "none"
    if isinstance(mixer, Attention):
        if mixer.kv != "own":
            return "shared KV"
        reach = (
            "full" if not mixer.window else f"{'chunk' if mixer.window_kind == 'chunk' else 'window'} {mixer.window:,}"
        )
        return reach + (", indexer" if mixer.indexer else "")
    if isinstance(mixer, Mla):
        return f"MLA {mixer.kv_rank}+{mixer.rope}" + (", indexer" if mixer.indexer else "")
    if isinstance(mixer, Compressed):
        history = f"history {mixer.ratio}:1, " if mixer.ratio else ""
        return f"{history}window {mixer.window:,}" + (", indexer" if mixer.indexer else "")
    if isinstance(mixer, Parallel):
        return " beside ".join(mixer_name(part) for part in mixer.parts)
    names = {
        DeltaNet: "gated delta-net",
        Kda: "Kimi delta",
        Mamba: "Mamba",
        Mamba2: "Mamba-2",
        Lightning: "lightning",
        ShortConv: "short convolution",
        Linear: "linear",
    }
    return names[type(mixer)]


def attention_words(model: Model) -> str:
    """How the layers mix tokens, with counts where there is more than one way."""
    counts: Counter[str] = Counter()
    for layer, count in model.distinct_layers().items():
        if layer.mixer is not None:
            counts[mixer_name(layer.mixer)] += count
    if len(counts) == 1:
        only = next(iter(counts))
        return {"full": "full attention"}.get(only, only)
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _attention_parts(model: Model) -> Iterator[Attention | Mla | Compressed]:
    for layer in model.distinct_layers():
        parts = layer.mixer.parts if isinstance(layer.mixer, Parallel) else (layer.mixer,)
        for part in parts:
            if isinstance(part, (Attention, Mla, Compressed)):
                yield part


def _range(values: list[int]) -> str:
    found = sorted(set(values))
    return " / ".join(f"{value:,}" for value in found[:3]) + (" and more" if len(found) > 3 else "")


def heads_words(model: Model) -> str:
    return _range([part.heads for part in _attention_parts(model)])


def kv_heads_words(model: Model) -> str:
    parts = list(_attention_parts(model))
    if parts and all(isinstance(part, Mla) for part in parts):
        return "1 latent"
    return _range([part.kv_heads if isinstance(part, Attention) else 1 for part in parts])


def head_dim_words(model: Model) -> str:
    found: list[str] = []
    for part in _attention_parts(model):
        if isinstance(part, Mla):
            words = f"{part.nope}+{part.rope}, v {part.v_dim}"
        elif isinstance(part, Attention) and part.v_dim and part.v_dim != part.head_dim:
            words = f"{part.head_dim}, v {part.v_dim}"
        else:
            words = f"{part.head_dim}"
        if words not in found:
            found.append(words)
    return " / ".join(found[:3])


def experts_of(model: Model) -> Experts | None:
    """The routed experts of the first layer that has them."""
    for layer in model.distinct_layers():
        if isinstance(layer.feed_forward, Experts):
            return layer.feed_forward
    return None


def feed_forward_words(model: Model) -> str:
    dense = [
        layer.feed_forward.size for layer in model.distinct_layers() if isinstance(layer.feed_forward, (Gated, Plain))
    ]
    experts = experts_of(model)
    words = [f"{experts.size:,} per expert"] if experts else []
    if dense:
        words.append(("dense " if experts else "") + _range(dense))
    return ", ".join(words)


def layers_words(model: Model) -> str:
    dense = sum(
        count for layer, count in model.distinct_layers().items() if isinstance(layer.feed_forward, (Gated, Plain))
    )
    if experts_of(model) and dense:
        return f"{model.layer_count}, {dense} of them dense"
    return str(model.layer_count)


def cache_bytes_per_token(model: Model) -> float:
    """Bytes that one more token costs in caches that reach over the whole context, at 16 bits."""
    total = 0.0
    for layer, count in model.distinct_layers().items():
        if layer.mixer is not None:
            total += count * sum(
                (row.k_width + row.v_width) * 2 / row.ratio for row in layer.mixer.cache() if not row.window
            )
    return total


def state_bytes(model: Model) -> int:
    """Bytes of recurrent state that one sequence holds, at 32 bits."""
    total = 0
    for layer, count in model.distinct_layers().items():
        parts = layer.mixer.parts if isinstance(layer.mixer, Parallel) else (layer.mixer,)
        for part in parts:
            if part is not None:
                conv, state = part.state()
                total += count * (conv * (model.hidden_size if isinstance(part, ShortConv) else 1) + state)
    return total * 4


def _cache_words(model: Model) -> str:
    per_token = cache_bytes_per_token(model)
    words = f"{per_token / 1024:,.1f} KiB/token" if per_token else "none that grows"
    windows = any(row.window for part in _attention_parts(model) for row in part.cache())
    return words + (" + window" if windows else "")


def _differs(published: Any, name: str, verified: object) -> str:
    """What the page says of a number, where it says something else than the verified value."""
    value = getattr(published, name, None)
    if not value or value == verified:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _one(values: list[int]) -> int | None:
    return values[0] if len(set(values)) == 1 else None


def facts_of(entry: Any) -> tuple[Fact, ...]:
    """The specification sheet of a catalogue entry."""
    model: Model = entry.model
    page = entry.published
    parts = list(_attention_parts(model))
    attention = getattr(page, "attention", None) or ""
    sizes = [part.head_dim for part in parts if not isinstance(part, Mla)]
    found = [
        Fact("attention", attention_words(model), attention),
        Fact("layers", layers_words(model), _differs(page, "layers", model.layer_count)),
        Fact("hidden", f"{model.hidden_size:,}", _differs(page, "hidden_size", model.hidden_size)),
    ]
    if parts:
        kv_heads = _one([part.kv_heads if isinstance(part, Attention) else 1 for part in parts])
        found += [
            Fact("heads", heads_words(model), _differs(page, "heads", _one([part.heads for part in parts]))),
            Fact("KV heads", kv_heads_words(model), _differs(page, "kv_heads", kv_heads)),
            Fact("head dim", head_dim_words(model), _differs(page, "head_dim", _one(sizes) if sizes else None)),
        ]
    experts = experts_of(model)
    if experts:
        shared = experts.shared // experts.size if experts.size else 0
        plus = f" + {shared} shared" if shared else ""
        total, active = (
            _differs(page, name, own + shared)
            for name, own in (("experts", experts.count), ("experts_active", experts.active))
        )
        said = f"{active or experts.active + shared} of {total or experts.count + shared}" if total or active else ""
        found.append(Fact("experts", f"{experts.active} of {experts.count}{plus}", said))
    found.append(Fact("feed-forward", feed_forward_words(model)))
    found.append(Fact("functions", functions_words(entry)))
    found.append(Fact("vocabulary", f"{model.vocab_size:,}, {'tied' if model.tied_embeddings else 'untied'}"))
    found.append(Fact("cache", _cache_words(model)))
    if state := state_bytes(model):
        found.append(Fact("state", f"{state / (1 << 20):,.1f} MiB/sequence"))
    if model.mtp:
        found.append(Fact("MTP layers", str(sum(1 for _ in model.mtp_layers()))))
    if model.towers:
        towers = [f"{tower.kind} {format_parameters(tower.parameters)}" for tower in model.towers]
        found.append(Fact("towers", ", ".join(towers)))
    return tuple(fact for fact in found if fact.value)


def license_words(license_id: str) -> str:
    """A licence as people write it."""
    known = {"mit": "MIT", "apache-2.0": "Apache-2.0", "unknown": "licence unknown"}
    return known.get(license_id, license_id)


def functions_words(entry: Any) -> str:
    """Activation, normalization and position embedding, as far as the entry states them."""
    model: Model = entry.model
    gated = any(isinstance(layer.feed_forward, (Gated, Experts)) for layer in model.distinct_layers())
    names = {"silu": "SwiGLU", "swish": "SwiGLU", "gelu": "GeGLU", "gelu_pytorch_tanh": "GeGLU", "gelu_tanh": "GeGLU"}
    activation = names.get(entry.activation, entry.activation) if gated else entry.activation
    norm = {"rms": "RMSNorm", "layer": "LayerNorm"}.get(model.norm, model.norm)
    position = entry.position or ("RoPE" if entry.rope_theta else "")
    return ", ".join(word for word in (activation, norm, position) if word)


def headline_of(entry: Any, summary: Any) -> tuple[Fact, ...]:
    """The figures that stand first: parameters, active, context, kind, release, modality."""
    page = entry.published

    def count(name: str, verified: int) -> str:
        value = getattr(page, name, None)
        words = format_parameters(value) if value else ""
        return "" if words == format_parameters(verified) else words

    context = getattr(page, "context", None)
    native = entry.context_native or 0
    figures = [
        Fact("parameters", format_parameters(summary.parameters), count("parameters", summary.parameters)),
        Fact(
            "context",
            format_tokens(native) if native else "unknown",
            format_tokens(context) if context and context != native else "",
        ),
        Fact("architecture", summary.kind),
        Fact("released", entry.released_words),
        Fact("modality", ", ".join(summary.modalities) or "unknown"),
    ]
    if "MoE" in summary.kind:
        advertised = entry.active_advertised or summary.active
        figures.insert(1, Fact("active", format_parameters(advertised), count("active", advertised)))
    return tuple(figures)


def memory_words(count: int, units: str) -> str:
    """Memory with its unit."""
    return f"{format_memory(count, units)} {'GB' if units == 'gb' else 'GiB'}"
