"""A Hugging Face configuration as a stack of blocks, for every model type of the catalogue."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vram_tui.catalog.stacking import stacked
from vram_tui.estimator.blocks import Mixer, Mla
from vram_tui.estimator.model import AltUp, Gguf, HyperConnections, Layer, Model, Mtp, PerLayerInput
from vram_tui.estimator.records import record
from vram_tui.importers.hf_keys import ConfigError, Keys
from vram_tui.importers.hf_layers import Reader
from vram_tui.importers.hf_stacks import mtp_blocks, trunk
from vram_tui.importers.hf_traits import TRAITS, WRAPPERS, Traits


@record
class Converted:
    """A model read from a configuration, and what an entry says beside its blocks."""

    model: Model
    model_type: str
    hf_class: str = ""
    native_dtype: str = ""
    activation: str = ""
    position: str = ""
    rope_theta: float = 0.0
    modalities: tuple[str, ...] = ("text",)
    unknown_keys: tuple[str, ...] = ()
    """Keys that nothing here understands: the blocks may miss something."""
    notes: tuple[str, ...] = ()


class UnknownModelTypeError(ConfigError):
    """No traits are known for this `model_type`; the message says what is missing."""


def model_from_config(config: Mapping[str, Any]) -> Converted:
    """The blocks of a Hugging Face `config.json`.

    Raises UnknownModelTypeError for a type without traits and ConfigError for a configuration that lacks a width or
    holds something else where a number or a list belongs.
    """
    try:
        return _convert(config)
    except ConfigError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise ConfigError(f"a value has a form that no such configuration has: {error}") from error


def _convert(config: Mapping[str, Any]) -> Converted:
    text, name = _language_model(config)
    traits = TRAITS.get(name)
    if traits is None:
        raise UnknownModelTypeError(
            f"model_type {name[:60]!r} is not known: its norms, biases and layer pattern are in its modeling class, "
            "not in the configuration; add a line to importers/hf_traits.py or import a GGUF file instead"
        )
    keys = Keys(text)
    read = Reader(keys, traits, name)
    layers = trunk(read)
    model = _finish(_model(read, layers), read, layers)
    return Converted(
        model=model,
        model_type=name,
        hf_class=_first_class(config),
        native_dtype=_dtype(config, text),
        activation=keys.word("hidden_act", "hidden_activation", "mlp_hidden_act", "mamba_hidden_act"),
        position=_position(keys, traits),
        rope_theta=_theta(keys),
        modalities=_modalities(config),
        unknown_keys=keys.unknown(),
        notes=_notes(config, keys, traits),
    )


def _language_model(config: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    inner = config.get("text_config") or config.get("llm_config") or config.get("language_config")
    outer = str(config.get("model_type") or "")
    if not isinstance(inner, dict):
        return dict(config), WRAPPERS.get(outer, outer)
    text = dict(inner)
    for key in ("tie_word_embeddings", "vocab_size"):
        if text.get(key) is None and config.get(key) is not None:
            text[key] = config[key]
    name = str(text.get("model_type") or "")
    if outer == "kimi_k3" or name not in TRAITS:
        name = WRAPPERS.get(name, WRAPPERS.get(outer, name or outer))
    return text, name


def _model(read: Reader, layers: list[Layer]) -> Model:
    keys, traits = read.keys, read.traits
    return Model(
        hidden_size=read.hidden,
        vocab_size=keys.whole("vocab_size", top=1 << 32),
        stack=stacked(layers),
        tied_embeddings=keys.flag("tie_word_embeddings", default=traits.tied),
        norm=traits.norm,
        norms="pre" if keys.flag("new_decoder_architecture") else traits.norms,
        final_norm=traits.final_norm,
        embedding_norm=traits.embedding_norm,
        head_bias=traits.head_bias or keys.flag("lm_head_bias"),
        position_ids=traits.position_ids,
        residual_vectors=2 if _mixes_residuals(keys) else traits.residual_vectors,
        residual_conv=traits.residual_conv,
        mtp=_mtp(read, layers),
        gguf=_gguf(read),
        context_tokens=read.context,
    )


def _mtp(read: Reader, layers: list[Layer]) -> Mtp | None:
    style, last = read.traits.mtp_style, layers[-1]
    repeat = read.keys.whole("num_nextn_predict_layers", "mtp_num_hidden_layers", default=0, top=64)
    if not style or not repeat:
        return None
    if style == "listed":
        blocks = mtp_blocks(read)
        return Mtp(tuple(blocks), repeat) if blocks else None
    if style == "slide":
        found = replace(read.compressed(0), ratio=0, indexer=None, kv="own")
        experts = replace(read.experts(0), hash=False, router_bias=True)
        if read.model_type == "deepseek_v41":
            experts = replace(experts, count=128, router_bias=False)
            return Mtp((Layer(found, experts),), repeat, norms=0, hyper=False)
        return Mtp((Layer(found, experts),), repeat, hyper_head=True)
    if style == "dense":
        return Mtp((Layer(last.mixer, read.dense(0)),), repeat)
    if style in ("dense-slide", "own-head"):
        slide = Layer(read.attention("slide", read.count - 1), read.dense(0))
        return Mtp((slide,), repeat, head="own" if style == "own-head" else "shared")
    if style == "mla":
        return Mtp((Layer(read.mla(read.count - 1), last.feed_forward),), repeat, hyper=False)
    return Mtp((replace(last, mixer=_indexed(last, layers)),), repeat, hyper=style != "plain-last")


def _indexed(last: Layer, layers: list[Layer]) -> Mixer | None:
    """The last layer's mixer; where layers share an indexer's choice, one that has its own."""
    mixer = last.mixer
    if isinstance(mixer, Mla) and mixer.indexer is None:
        return next((layer.mixer for layer in layers if isinstance(layer.mixer, Mla) and layer.mixer.indexer), mixer)
    return mixer


def _gguf(read: Reader) -> Gguf:
    keys, traits = read.keys, read.traits
    architecture = traits.gguf
    if read.model_type == "nemotron_h" and read.experts_count() > 1:
        architecture = "nemotron_h_moe"
    if traits.mixer == "granite-hybrid" and "mamba" not in read.kinds():
        # The converter writes a hybrid without states as what it is.
        architecture = "granitemoe" if keys.whole("num_experts_per_tok", default=0) else "granite"
    if _mixes_residuals(keys):
        architecture = "kimi-k3"
    factors = _rope_factors(read)
    return Gguf(
        architecture=architecture,
        vocab_size=262_144 if read.model_type == "gemma3_text" and keys.whole("vocab_size") == 262_208 else 0,
        mtp=traits.gguf_mtp,
        mtp_norms=traits.gguf_mtp_norms,
        fused=traits.fused,
        rope_factors=factors,
        rope_tables=2 if factors and _rope_kind(keys) in TWO_TABLES else 1,
        layer_scalars=traits.layer_scalars,
        stored_shared_kv=keys.whole("num_kv_shared_layers", default=0) > 0,
    )


def _mixes_residuals(keys: Keys) -> bool:
    """Whether each half of a layer scores what earlier layers left, with one vector of the width (norm times row)."""
    return keys.whole("attn_res_block_size", default=0) > 0


TWO_TABLES = ("longrope", "su")
"""Kinds of RoPE scaling with one table of factors for short contexts and one for long ones."""


def _rope_kind(keys: Keys) -> str:
    rope = keys.get("rope_scaling", "rope_parameters")
    return str(rope.get("rope_type") or rope.get("type") or "") if isinstance(rope, dict) else ""


def _rope_factors(read: Reader) -> int:
    keys = read.keys
    kind = _rope_kind(keys)
    if read.model_type.startswith("gemma4"):
        return keys.whole("global_head_dim", default=2 * read.head_dim()) // 2
    if kind == "llama3":
        return read.head_dim() // 2
    if kind in TWO_TABLES:
        # Two tensors, for short and long contexts, of half the rotary width each.
        share = keys.get("partial_rotary_factor", default=1.0)
        return int(read.head_dim() * float(share)) // 2 * 2
    return 0


def _finish(model: Model, read: Reader, layers: list[Layer]) -> Model:
    """Model-wide parts that only a few types have."""
    keys = read.keys
    per_layer = keys.whole("hidden_size_per_layer_input", default=0, top=1 << 20)
    if per_layer:
        vocab = keys.whole("vocab_size_per_layer_input", default=model.vocab_size)
        model = replace(model, per_layer_input=PerLayerInput(per_layer, vocab))
    if keys.get("altup_num_inputs"):
        model = replace(model, altup=AltUp(keys.whole("altup_num_inputs"), keys.whole("laurel_rank")))
    streams = keys.whole("hc_mult", "hc_count", default=0, top=64)
    if streams:
        rank = keys.whole("hc_lowrank", default=0)
        style = "low-rank" if rank else "diagonal" if read.model_type == "hy_v4" else "full"
        model = replace(
            model, hyper_connections=HyperConnections(streams, style, rank, read.model_type != "glm5_next_text")
        )
    if read.model_type == "mllama_text_model":
        model = replace(model, extra_embedding_rows=8)
    if keys.get("ngram_vocab_size_base"):
        tables = len(keys.get("ple_layer_ids", default=[])) * keys.whole("ple_embed_dim")
        model = replace(model, lookup_tables=keys.whole("ngram_vocab_size_base") * tables)
    tables = keys.get("engram_num_embeddings")
    if isinstance(tables, list):
        model = replace(model, lookup_tables=sum(int(rows) for rows in tables) * keys.whole("engram_head_dim"))
    return model


def _first_class(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def _dtype(config: Mapping[str, Any], text: Mapping[str, Any]) -> str:
    quantized = config.get("quantization_config") or text.get("quantization_config")
    if isinstance(quantized, dict):
        method = str(quantized.get("quant_method") or "")
        return {"mxfp4": "mxfp4 experts + bf16"}.get(method, method)
    stated = config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or text.get("torch_dtype")
    return _DTYPES.get(str(stated).removeprefix("torch."), "")


def _position(keys: Keys, traits: Traits) -> str:
    stated = keys.word("position_embedding_type").lower()
    if stated in ("nope", "none"):
        return "none"
    if traits.position == "RoPE" and keys.get("qk_rope_head_dim") == 0:
        return "none"
    return traits.position


def _theta(keys: Keys) -> float:
    rope = keys.part("rope_parameters")
    found = keys.get("rope_theta") or rope.get("rope_theta")
    return float(found) if isinstance(found, (int, float)) and 0 < found < 1e30 else 0.0


def _modalities(config: Mapping[str, Any]) -> tuple[str, ...]:
    found = ["text"]
    if config.get("vision_config") or config.get("vision_tower_config"):
        found.append("image")
    if config.get("audio_config"):
        found.append("audio")
    return tuple(found)


def _notes(config: Mapping[str, Any], keys: Keys, traits: Traits) -> tuple[str, ...]:
    notes = []
    if not traits.gguf:
        notes.append("llama.cpp's converter has no architecture for this type that we know of")
    if config.get("vision_config") or config.get("audio_config"):
        notes.append("the vision or audio encoder is not counted: its size is not in the text configuration")
    if traits.period == 1 and keys.values.get("sliding_window") is None and keys.values.get("sliding_window_size"):
        notes.append("the configuration names a window under a second key; runtimes differ on it, so it is left out")
    return tuple(notes)
