"""Blocks to GGUF key-values: what a converter would write about a described model, as far as llama.cpp asks for it."""

from collections.abc import Callable, Iterable, Mapping

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    Experts,
    Gated,
    Kda,
    Lightning,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    Plain,
    ShortConv,
)
from vram_tui.estimator.model import Layer, Model
from vram_tui.importers.gguf_traits import TRAITS

EPSILON, ROPE_BASE = 1e-6, 10000.0
"""Values that no figure depends on, and that llama.cpp asks for."""
SOFTMAX, SIGMOID, ROOT_OF_SOFTPLUS = 1, 2, 4
"""How a router scores experts. Source: llama.cpp, enum llama_expert_gating_func_type."""
Values = dict[str, object]
_SECTIONS: Values = {"rope.dimension_sections": [11, 11, 10, 0]}
ASKED: Mapping[str, Values] = {
    "cohere2": {"logit_scale": 1.0},
    "cohere2moe": {"logit_scale": 1.0},
    "bailingmoe3": {"kda.gate_lower_bound": -5.0},
    "command-r": {"logit_scale": 1.0},
    "deepseek4": {"swiglu_clamp_exp": 10.0},
    "granite": {"logit_scale": 1.0},
    "granite_swa": {"logit_scale": 1.0},
    "granitehybrid": {"rope.scaling.finetuned": False},
    "granitemoe": {"logit_scale": 1.0},
    "minimax-01": {"residual_scale": 1.0},
    "kimi-k3": {"attn_res.block_size": 12, "activation.situ_beta": 1.0, "activation.situ_linear_beta": 1.0},
    "hy_v4": {"hyper_connection.magnitude": 1.0},
    "gemma4": {"embedding_length_per_layer_input": 0, "attention.shared_kv_layers": 0},
    **dict.fromkeys(("qwen2vl", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe"), _SECTIONS),
}
"""What llama.cpp does not load an architecture without, though no figure depends on it; and whether hybrids rotate."""
BARE: Mapping[str, Values] = {"apertus": {f"xielu.{name}": 1.0 for name in ("alpha_n", "alpha_p", "beta", "eps")}}
"""The same for keys that no architecture's name precedes."""


class NoGgufError(ValueError):
    """No GGUF file of the model is known; the message says why."""


def metadata_of(model: Model) -> Values:
    """The key-values of the model's file, tokenizer left out. Raises NoGgufError where llama.cpp has no such model."""
    architecture = model.gguf.architecture
    if architecture not in TRAITS:
        raise NoGgufError("llama.cpp has no architecture for these blocks, or the entry does not name it")
    layers = (*model.layers(), *(model.mtp_layers() if model.gguf.mtp else ()))
    mtp = len(layers) - model.layer_count
    found: Values = {
        "block_count": len(layers),
        "context_length": model.context_tokens or 4096,
        "embedding_length": model.hidden_size,
        "vocab_size": model.gguf.vocab_size or model.vocab_size,
        "attention.layer_norm_rms_epsilon": EPSILON,
        "attention.layer_norm_epsilon": EPSILON,
        "rope.freq_base": ROPE_BASE,
        **ASKED.get(architecture, {}),
    }
    if mtp:
        found["nextn_predict_layers"] = mtp
    found |= _heads(layers) | _feed_forwards(layers, model)
    for mixer in _first_of_each(layers):
        write = _MIXERS.get(type(mixer))
        found |= write(mixer, model) if write else {}
    found |= _windows(layers) | _shared_caches(model) | _recurrent(layers, model) | _whole(model)
    own = {f"{architecture}.{name}": value for name, value in found.items()}
    return {"general.architecture": architecture, **own, **BARE.get(architecture, {})}


def _mixers(layer: Layer) -> tuple[Mixer, ...]:
    if isinstance(layer.mixer, Parallel):
        return layer.mixer.parts
    return (layer.mixer,) if layer.mixer is not None else ()


def _first_of_each(layers: Iterable[Layer]) -> tuple[Mixer, ...]:
    """One mixer of every kind."""
    found: dict[type, Mixer] = {}
    for layer in layers:
        for mixer in _mixers(layer):
            found.setdefault(type(mixer), mixer)
    return tuple(found.values())


def _per_layer(values: list[int]) -> object:
    """One number where all layers agree, else a list."""
    return values[0] if len(set(values)) == 1 else values


def _heads(layers: tuple[Layer, ...]) -> Values:
    heads, kv_heads = [], []
    for layer in layers:
        found = (0, 0)
        for mixer in _mixers(layer):
            if isinstance(mixer, Attention):
                found = (mixer.heads, mixer.kv_heads)
            elif isinstance(mixer, Mla | Compressed):
                found = (mixer.heads, 1)
            elif isinstance(mixer, Kda | Lightning):
                found = (mixer.heads, 0)
        heads.append(found[0])
        kv_heads.append(found[1])
    # A layer with another mixer still counts the others' query heads: widths are worked out from them. One that is a
    # feed-forward alone counts none, save where layers are halves and the whole model counts the same.
    halves = any(layer.feed_forward is None for layer in layers)
    filled = [count or (max(heads) if layer.mixer or halves else 0) for count, layer in zip(heads, layers, strict=True)]
    return {"attention.head_count": _per_layer(filled), "attention.head_count_kv": _per_layer(kv_heads)}


def _feed_forwards(layers: tuple[Layer, ...], model: Model) -> Values:
    found: Values = {}
    widths = []
    experts = next((one.feed_forward for one in layers if isinstance(one.feed_forward, Experts)), None)
    for layer in layers:
        match layer.feed_forward:
            case Gated(size=size) | Plain(size=size):
                widths.append(size)
            case Experts(dense=beside):
                widths.append(beside)
            case _:
                widths.append(0)
    dense = max(widths)
    halves = any(layer.feed_forward is None for layer in layers)
    if experts is None:
        return {"feed_forward_length": _per_layer(widths)} | _no_experts(layers, dense)
    routed = [isinstance(layer.feed_forward, Experts) for layer in layers]
    if halves:
        found["feed_forward_length"] = [
            width or (experts.size if is_routed else 0) for width, is_routed in zip(widths, routed, strict=True)
        ]
    else:
        distinct = {width for width, is_routed in zip(widths, routed, strict=True) if not is_routed}
        found["feed_forward_length"] = (
            [width or dense for width in widths] if len(distinct) > 1 else dense or experts.size
        )
    return found | _experts(experts, routed, model)


def _no_experts(layers: tuple[Layer, ...], dense: int) -> Values:
    """Latent attention is loaded by code that asks for experts, of which there may be none."""
    if not any(isinstance(one, Mla) for layer in layers for one in _mixers(layer)):
        return {}
    return {"expert_feed_forward_length": dense, "expert_shared_count": 0, "leading_dense_block_count": len(layers)}


def _experts(experts: Experts, routed: list[bool], model: Model) -> Values:
    found: Values = {
        "expert_count": experts.count,
        "expert_used_count": experts.active,
        "expert_feed_forward_length": experts.size,
        "expert_gating_func": SIGMOID if experts.router_bias else SOFTMAX,
        "expert_weights_norm": not experts.raw_weights,
        "expert_weights_scale": 1.0,
    }
    if experts.shared:
        found["expert_shared_feed_forward_length"] = experts.shared
        # Plain experts state the whole width, gated ones how many of the routed width it holds.
        found["expert_shared_count"] = max(1, experts.shared // experts.size) if experts.gated else 1
    if experts.latent:
        found["moe_latent_size"] = experts.latent
        found["expert_latent_length"] = experts.latent
    if any(isinstance(layer.feed_forward, Experts) and layer.feed_forward.hash for layer in model.layers()):
        found["hash_layer_count"] = sum(
            isinstance(layer.feed_forward, Experts) and layer.feed_forward.hash for layer in model.layers()
        )
    if any(layer.feed_forward is None for layer in model.layers()):
        return found
    first = routed.index(True)
    trunk = routed[: model.layer_count]
    if all(trunk[first:]):
        found["leading_dense_block_count"] = first
        found["interleave_moe_layer_step"] = 1
    else:
        found["interleave_moe_layer_step"] = trunk.index(True, first + 1) - first
    return found


def _attention(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Attention)
    every = [one for layer in model.layers() for one in _mixers(layer) if isinstance(one, Attention)]
    full = next((one for one in every if not one.window), mixer)
    found: Values = {"attention.key_length": full.head_dim, "attention.value_length": full.value_dim}
    sliding = next((one for one in every if one.window), None)
    if sliding and (sliding.head_dim, sliding.value_dim) != (full.head_dim, full.value_dim):
        found["attention.key_length_swa"] = sliding.head_dim
        found["attention.value_length_swa"] = sliding.value_dim
        found["rope.dimension_count_swa"] = sliding.head_dim
    indexer = next((one.indexer for one in every if one.indexer), None)
    if indexer:
        found["attention.indexer.head_count"] = indexer.heads
        found["attention.indexer.key_length"] = indexer.dim
        found["attention.indexer.top_k"] = indexer.top_k or 16
        found["attention.indexer.block_size"] = 128
        found["attention.indexer.local_blocks"] = 1
    # A table of factors has one for each pair of rotary elements; some models have a long and a short one.
    found["rope.dimension_count"] = 2 * model.gguf.rope_factors // model.gguf.rope_tables or full.head_dim
    return found


def _latent(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Mla)
    found: Values = {
        "attention.kv_lora_rank": mixer.kv_rank,
        "rope.dimension_count": mixer.rope,
    }
    if mixer.q_rank:
        found["attention.q_lora_rank"] = mixer.q_rank
    key, value = mixer.nope + mixer.rope, mixer.v_dim
    if model.gguf.mla == "expanded":
        return found | {"attention.key_length": key, "attention.value_length": value}
    found |= {
        "attention.key_length": mixer.kv_rank + mixer.rope,
        "attention.value_length": model.gguf.value_length or mixer.kv_rank,
        "attention.key_length_mla": key,
        "attention.value_length_mla": value,
    }
    layers = [next((one for one in _mixers(layer) if isinstance(one, Mla)), None) for layer in model.layers()]
    indexer = next((one.indexer for one in layers if one and one.indexer), None)
    if indexer:
        found["attention.indexer.head_count"] = indexer.heads
        found["attention.indexer.key_length"] = indexer.dim
        found["attention.indexer.top_k"] = indexer.top_k or 2048
        found["attention.indexer.types"] = [one is None or one.indexer is not None for one in layers]
        if indexer.pool:
            found["attention.indexer.kpool"] = indexer.pool
    return found


def _history(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Compressed)
    layers = [one for layer in model.layers() for one in _mixers(layer) if isinstance(one, Compressed)]
    indexer = next((one.indexer for one in layers if one.indexer), None)
    found: Values = {
        "attention.key_length": mixer.head_dim,
        "attention.value_length": mixer.head_dim,
        "attention.q_lora_rank": mixer.q_rank,
        "attention.output_lora_rank": mixer.o_rank,
        "attention.output_group_count": mixer.o_groups,
        "attention.sliding_window": mixer.window,
        "attention.compress_ratios": [one.ratio for one in layers],
        "attention.compress_rope_freq_base": ROPE_BASE,
        "rope.dimension_count": 64,
        "expert_gating_func": ROOT_OF_SOFTPLUS,
    }
    if indexer:
        found["attention.indexer.head_count"] = indexer.heads
        found["attention.indexer.key_length"] = indexer.dim
        found["attention.indexer.top_k"] = indexer.top_k or 512
    return found


def _delta_net(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, DeltaNet)
    return {
        "ssm.conv_kernel": mixer.conv,
        "ssm.group_count": mixer.k_heads,
        "ssm.time_step_rank": mixer.v_heads,
        "ssm.state_size": mixer.k_dim,
        "ssm.inner_size": mixer.v_heads * mixer.v_dim,
    }


def _kda(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Kda)
    return {"ssm.conv_kernel": mixer.conv, "kda.head_dim": mixer.head_dim}


def _mamba(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Mamba)
    return {
        "ssm.conv_kernel": mixer.conv,
        "ssm.inner_size": mixer.inner,
        "ssm.state_size": mixer.state_size,
        "ssm.time_step_rank": mixer.dt_rank,
    }


def _mamba2(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Mamba2)
    return {
        "ssm.conv_kernel": mixer.conv,
        "ssm.inner_size": mixer.inner,
        "ssm.state_size": mixer.state_size,
        "ssm.time_step_rank": mixer.heads,
        "ssm.group_count": mixer.groups,
    }


def _short_conv(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, ShortConv)
    return {"shortconv.l_cache": mixer.kernel}


def _lightning(mixer: Mixer, model: Model) -> Values:
    assert isinstance(mixer, Lightning)
    return {
        "attention.key_length": mixer.head_dim,
        "attention.value_length": mixer.head_dim,
        "attention.head_count_kv": _key_heads(model.layers()),
    }


def _key_heads(layers: Iterable[Layer]) -> int:
    """Of the layers with attention: where one number counts for all, the recurrent ones state it too."""
    return max((one.kv_heads for layer in layers for one in _mixers(layer) if isinstance(one, Attention)), default=0)


_MIXERS: Mapping[type, Callable[[Mixer, Model], Values]] = {
    Attention: _attention,
    Mla: _latent,
    Compressed: _history,
    DeltaNet: _delta_net,
    Kda: _kda,
    Mamba: _mamba,
    Mamba2: _mamba2,
    ShortConv: _short_conv,
    Lightning: _lightning,
}


def _windows(layers: tuple[Layer, ...]) -> Values:
    sliding = [max((one.window for one in _mixers(layer) if isinstance(one, Attention)), default=0) for layer in layers]
    if not any(sliding):
        return {}
    found: Values = {"attention.sliding_window": max(sliding), "rope.freq_base_swa": ROPE_BASE}
    found["attention.sliding_window_pattern"] = [bool(window) for window in sliding]
    return found


def _shared_caches(model: Model) -> Values:
    shared = sum(any(getattr(one, "kv", "own") == "shared" for one in _mixers(layer)) for layer in model.layers())
    return {"attention.shared_kv_layers": shared} if shared else {}


def _recurrent(layers: tuple[Layer, ...], model: Model) -> Values:
    """Which layers keep a state, where a period or a list says so."""
    states = [any(isinstance(one, DeltaNet) for one in _mixers(layer)) for layer in layers]
    if not any(states):
        return {}
    found: Values = {"attention.recurrent_layers": states}
    full = [index for index, state in enumerate(states[: model.layer_count]) if not state]
    if full:
        found["full_attention_interval"] = full[0] + 1
    found["attention.head_count_kv"] = _key_heads(layers)
    return found


def _whole(model: Model) -> Values:
    """What belongs to no layer."""
    found: Values = {}
    if model.per_layer_input:
        found["embedding_length_per_layer_input"] = model.per_layer_input.size
    if model.altup:
        found["altup.num_inputs"], found["altup.active_idx"] = model.altup.inputs, 0
        found["activation_sparsity_scale"] = [0.0] * model.layer_count
    if model.hyper_connections:
        found["hyper_connection.count"] = model.hyper_connections.streams
        found["hyper_connection.epsilon"] = EPSILON
        found["hyper_connection.sinkhorn_iterations"] = 20
    levels = sum(tower.deepstack for tower in model.towers)
    if levels:
        found["n_deepstack_layers"] = levels
    return found
