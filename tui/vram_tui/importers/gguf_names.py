"""What llama.cpp calls each tensor of a model: the names of a GGUF file for the tensors that blocks derive."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from vram_tui.estimator.blocks import Attention, Mamba2, Mla, Parallel, Tensor
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.formats import TYPES
from vram_tui.estimator.model import Model
from vram_tui.estimator.tensors import LayerTensor, trunk_tensors
from vram_tui.estimator.weights import typed_tensors
from vram_tui.importers.gguf_traits import TRAITS


class NamedTensor(NamedTuple):
    """A derived tensor under its name in a file; `layer` is -1 for the model's own ones."""

    name: str
    tensor: Tensor
    layer: int
    mtp: bool
    ne: tuple[int, ...]
    """Its sides in the file, which for a few differ from the block's: the same elements in other rows."""


# Source: llama.cpp b11549, LLM_TENSOR_NAMES. A list names the tensors of one role in their order.
_MODEL_WIDE: Mapping[str, str] = {
    "embedding": "token_embd.weight",
    "embedding_norm": "token_embd_norm.weight",
    "embedding_norm_bias": "token_embd_norm.bias",
    "head": "output.weight",
    "head_bias": "output.bias",
    "final_norm": "output_norm.weight",
    "final_norm_bias": "output_norm.bias",
    "per_layer_embedding": "per_layer_token_embd.weight",
    "per_layer_projection": "per_layer_model_proj.weight",
    "per_layer_projection_norm": "per_layer_proj_norm.weight",
    "altup_projection": "altup_proj.weight",
    "altup_unembedding": "altup_unembd_proj.weight",
    "residual_head": "output_res_score.weight",
    "hyper_head_fn": "output_hc_fn.weight",
    "hyper_head_base": "output_hc_base.weight",
    "hyper_head_scale": "output_hc_scale.weight",
}
_LAYER: Mapping[str, tuple[str, ...]] = {
    "attn_o": ("attn_output.weight",),
    "attn_o_bias": ("attn_output.bias",),
    "attn_o_a": ("attn_output_a.weight",),
    "attn_o_b": ("attn_output_b.weight",),
    "attn_kv_a": ("attn_kv_a_mqa.weight",),
    "attn_kv_norm": ("attn_kv_a_norm.weight",),
    "attn_norm_inner": ("attn_output_norm.weight",),
    "indexer_q": ("indexer.attn_q_b.weight",),
    "indexer_k": ("indexer.attn_k.weight",),
    "indexer_q_norm": ("indexer.q_norm.weight",),
    "indexer_k_norm": ("indexer.k_norm.weight",),
    "indexer_k_norm_bias": ("indexer.k_norm.bias",),
    "indexer_proj": ("indexer.proj.weight",),
    **{f"compressor_{part}": (f"attn_compressor_{part}.weight",) for part in ("ape", "gate", "kv", "norm")},
    "router": ("ffn_gate_inp.weight",),
    "router_bias": ("exp_probs_b.bias", "ffn_gate_inp.bias"),
    "router_table": ("ffn_gate_tid2eid.weight",),
    "router_scale": ("ffn_gate_inp.scale",),
    "shared_gate": ("ffn_gate_inp_shexp.weight",),
    "latent_down": ("ffn_latent_down.weight",),
    "latent_up": ("ffn_latent_up.weight",),
    "latent_out_norm": ("ffn_routed_norm.weight",),
    "residual_vector": ("attn_res_score.weight", "ffn_res_score.weight"),
    "indexer_pool": ("indexer_compressor_gate.weight",),
    "indexer_pool_positions": ("indexer_compressor_ape.weight",),
    "branch_norm": ("post_ffw_norm_1.weight", "pre_ffw_norm_2.weight", "post_ffw_norm_2.weight"),
    "expert_scale": tuple(
        f"ffn_{side}_exps.{what}" for what in ("scale", "input_scale") for side in ("down", "gate", "up")
    ),
    "layer_scale": ("layer_output_scale.weight",),
    "conv_in": ("shortconv.in_proj.weight",),
    "conv_out": ("shortconv.out_proj.weight",),
    "conv": ("shortconv.conv.weight",),
    "ssm_a": ("ssm_a",),
    "ssm_d": ("ssm_d",),
    "ssm_dt": ("ssm_dt.bias",),
    "ssm_dt_proj": ("ssm_dt.weight",),
    "ssm_beta_alpha": ("ssm_ba.weight",),
    "per_layer_gate": ("inp_gate.weight",),
    "per_layer_out": ("proj.weight",),
    "per_layer_norm": ("post_norm.weight",),
    "altup_correct": ("altup_correct_coef.weight",),
    "altup_scale": ("altup_correct_scale.weight",),
    "altup_predict": ("altup_predict_coef.weight",),
    "altup_router": ("altup_router.weight",),
    "altup_router_norm": ("altup_router_norm.weight",),
    "laurel_left": ("laurel_l.weight",),
    "laurel_right": ("laurel_r.weight",),
    "laurel_norm": ("laurel_post_norm.weight",),
    **{f"hyper_{part}": (f"hc_attn_{part}.weight", f"hc_ffn_{part}.weight") for part in ("fn", "base", "scale")},
    "mtp_projection": ("nextn.eh_proj.weight",),
    "mtp_norm": (
        "nextn.enorm.weight",
        "nextn.hnorm.weight",
        "nextn.shared_head_norm.weight",
        "layer_output_norm.weight",
    ),
    "mtp_head": ("nextn.shared_head_head.weight",),
}
_CONVOLUTIONS = ("ssm_conv1d_q.weight", "ssm_conv1d_k.weight", "ssm_conv1d_v.weight")
_NORMS: Mapping[str, tuple[str, ...]] = {
    "pre": ("attn_norm", "ffn_norm"),
    "post": ("post_attention_norm", "post_ffw_norm"),
    "sandwich": ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"),
    "parallel": ("attn_norm",),
    "pre+post-ffn": ("attn_norm", "ffn_norm", "post_ffw_norm"),
}
_POST_ATTENTION = frozenset(("gpt-oss", "qwen35", "qwen35moe", "qwen3next", "glm4moe", "seed_oss", "nemotron_h_moe"))
"""Architectures whose norm before the feed-forward carries the name of one after attention."""
_NORM_LAST = frozenset(("lfm2", "lfm2moe"))
"""Architectures whose last norm carries the name of the embedding's."""
_INTEGERS = frozenset(("router_table",))
_BARE = frozenset((("falcon-h1", "ffn_norm"),))
"""Norms whose names have no ending."""
FACTORS = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tables that scale rotary frequencies: the one, or the two of long and of short contexts."""
_BY_ARCHITECTURE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("falcon", "norm"): ("attn_norm", "attn_norm_2"),
    ("bailingmoe3", "mtp_norm"): ("nextn.enorm.weight", "nextn.hnorm.weight", "layer_output_norm.weight"),
    ("bailingmoe3", "ssm_f"): ("ssm_f_a.weight",),
    ("bailingmoe3", "ssm_g"): ("ssm_g_a.weight",),
    ("hy_v3", "router_bias"): ("exp_probs_b",),
    ("minimax-01", "attn_norm_inner"): ("attn_norm_2.weight",),
    ("kimi-k3", "latent_down"): ("ffn_routed_down.weight",),
    ("kimi-k3", "latent_up"): ("ffn_routed_up.weight",),
}
"""Names that only one architecture has."""
_NORM_BY_HEAD = frozenset(("command-r",))
"""Architectures whose norms of the whole queries and keys have a row for each head."""
_FLAT_DECAY = frozenset(("kimi-k3", "glm5-next"))
"""Architectures whose decay per head is a plain vector beside three convolutions."""
_DIRECT_INDEXER: Mapping[str, str] = {"indexer_q": "indexer.q_proj.weight", "indexer_k": "indexer.k_proj.weight"}


def file_tensors(model: Model) -> tuple[NamedTensor, ...]:
    """Every tensor that a GGUF file of the model holds, named; names are unique."""
    found: list[NamedTensor] = []
    for layer, rows in groupby(trunk_tensors(model, file=True), key=lambda row: row.layer):
        found += (_model_wide if layer < 0 else _layer)(model, tuple(rows))
    return tuple(found)


def typed_file_tensors(
    model: Model, quant: str, facts: Facts, *, imatrix: bool = True
) -> tuple[tuple[str, tuple[int, ...], int], ...]:
    """(name, ne, type id) of every tensor of the model's file in a GGUF file type: what a header lists.

    Raises KeyError for an unknown format, ValueError for one that the model cannot have.
    """
    types: dict[tuple[int, Tensor], int] = {}
    for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
        for layer, _ in rows:
            types[layer, tensor] = TYPES[written_type(tensor, type_name)].id
    return tuple((row.name, row.ne, types[row.layer, row.tensor]) for row in file_tensors(model))


def written_type(tensor: Tensor, type_name: str) -> str:
    """The type in the file: tables of integers take as many bytes as the floats that the blocks count."""
    return "I32" if tensor.role in _INTEGERS else type_name


def _model_wide(model: Model, rows: tuple[LayerTensor, ...]) -> Iterator[NamedTensor]:
    tables = iter(FACTORS[1:] if model.gguf.rope_tables > 1 else FACTORS)
    for row in rows:
        role = row.tensor.role
        name = next(tables) if role == "rope_factors" else _MODEL_WIDE.get(role, f"{role}.weight")
        if role == "final_norm" and model.gguf.architecture in _NORM_LAST:
            name = "token_embd_norm.weight"
        yield NamedTensor(name, row.tensor, row.layer, row.mtp, row.tensor.shape)


def _layer(model: Model, rows: tuple[LayerTensor, ...]) -> Iterator[NamedTensor]:
    counts = Counter(row.tensor.role for row in rows)
    seen: Counter[str] = Counter()
    sides = _Sides(_table_rows(model), _decay_rows(model, counts))
    for row in rows:
        role = row.tensor.role
        number = seen[role]
        seen[role] += 1
        name = _name(model, role, number, counts)
        yield NamedTensor(f"blk.{row.layer}.{name}", row.tensor, row.layer, row.mtp, sides.of(name, row.tensor))


def _table_rows(model: Model) -> dict[str, int]:
    """Rows of a model's vectors that are tables in a file: a norm by group or by head, positions in a pool."""
    found: dict[str, int] = {}
    for layer in model.distinct_layers():
        for mixer in layer.mixer.parts if isinstance(layer.mixer, Parallel) else (layer.mixer,):
            if isinstance(mixer, Mamba2):
                found["ssm_norm.weight"] = mixer.groups
            elif isinstance(mixer, Attention) and mixer.qk_norm == "full":
                if model.gguf.architecture in _NORM_BY_HEAD:
                    found |= {"attn_q_norm.weight": mixer.heads, "attn_k_norm.weight": mixer.kv_heads}
            elif isinstance(mixer, Mla) and mixer.indexer:
                found["indexer_compressor_ape.weight"] = mixer.indexer.pool
    return found


def _decay_rows(model: Model, counts: Counter[str]) -> bool:
    """Whether the decay of each head is a row of its own."""
    return counts["ssm_conv"] > 1 and model.gguf.architecture not in _FLAT_DECAY


class _Sides(NamedTuple):
    """What decides the sides of a layer's tensors in a file: the rows of vectors that it keeps as tables."""

    rows: Mapping[str, int]
    decay_rows: bool

    def of(self, name: str, tensor: Tensor) -> tuple[int, ...]:
        rows = self.rows.get(name, 1)
        if rows > 1:
            return (tensor.elements // rows, rows)
        if name in _CONVOLUTIONS:
            return (tensor.shape[0], 1, *tensor.shape[1:])
        if name == "ssm_a" and self.decay_rows:
            return (1, *tensor.shape)
        return tensor.shape


def _name(model: Model, role: str, number: int, counts: Counter[str]) -> str:
    """The name of a layer's `number`-th tensor of a role, without its block."""
    if role in ("norm", "norm_bias"):
        name = _norm(model, number + _norms_skipped(model, counts))
        if (model.gguf.architecture, name) in _BARE:
            return name
        return f"{name}.{'bias' if role == 'norm_bias' else 'weight'}"
    if role == "ssm_conv" and counts[role] > 1:
        return _CONVOLUTIONS[number]
    if role == "ssm_conv":
        return "ssm_conv1d.weight"
    if role == "ssm_conv_bias":
        return "ssm_conv1d.bias"
    if role == "router_bias" and counts[role] == 1 and "ffn_down_exps_bias" in counts:
        return "ffn_gate_inp.bias"
    if role in _DIRECT_INDEXER and "indexer_q_norm" in counts:
        return _DIRECT_INDEXER[role]
    names = _BY_ARCHITECTURE.get((model.gguf.architecture, role)) or _LAYER.get(role)
    if names:
        return names[number] if number < len(names) else f"{role}_{number}.weight"
    stem, _, last = role.rpartition("_")
    name = f"{stem}.bias" if last == "bias" else f"{role}.weight"
    return name if not number else f"{number}.{name}"


def _norms_skipped(model: Model, counts: Counter[str]) -> int:
    """1 where a layer is a feed-forward alone, whose only norm carries the name of the second."""
    traits = TRAITS.get(model.gguf.architecture)
    alone = model.norms == "pre" and counts["norm"] == 1 and "ffn_down" in counts
    return int(alone and traits is not None and not traits.halves)


def _norm(model: Model, number: int) -> str:
    names = _BY_ARCHITECTURE.get((model.gguf.architecture, "norm")) or _NORMS.get(model.norms, ())
    if number >= len(names):
        return f"norm_{number}"
    if model.gguf.architecture in _POST_ATTENTION and names[number] == "ffn_norm":
        return "post_attention_norm"
    return names[number]
