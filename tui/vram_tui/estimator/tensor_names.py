"""What llama.cpp calls the tensors that blocks derive: enough to tell which of them a pattern picks."""

from collections.abc import Mapping

_MODEL_WIDE: Mapping[str, str] = {
    "embedding": "token_embd.weight",
    "head": "output.weight",
    "head_bias": "output.bias",
    "final_norm": "output_norm.weight",
    "per_layer_embedding": "per_layer_token_embd.weight",
    "per_layer_projection": "per_layer_model_proj.weight",
    "rope_factors": "rope_freqs.weight",
}
_IN_LAYERS: Mapping[str, str] = {
    "attn_o": "attn_output.weight",
    "attn_kv_a": "attn_kv_a_mqa.weight",
    "norm": "attn_norm.weight",
    "router": "ffn_gate_inp.weight",
    "router_bias": "exp_probs_b.bias",
    "shared_gate": "ffn_gate_inp_shexp.weight",
    "expert_scale": "ffn_down_exps.scale",
    "indexer_q": "indexer.attn_q_b.weight",
    "indexer_k": "indexer.attn_k.weight",
    "indexer_proj": "indexer.proj.weight",
    "conv_in": "shortconv.in_proj.weight",
    "conv_out": "shortconv.out_proj.weight",
    "conv": "shortconv.conv.weight",
    "ssm_conv": "ssm_conv1d.weight",
    "ssm_dt_proj": "ssm_dt.weight",
    "ssm_dt": "ssm_dt.bias",
    "ssm_beta_alpha": "ssm_ba.weight",
    "per_layer_gate": "inp_gate.weight",
    "per_layer_out": "proj.weight",
}
"""Every other role is the name itself. Source: llama.cpp b11549, LLM_TENSOR_NAMES."""


def tensor_name(layer: int, role: str) -> str:
    """The name of a tensor in a file; of several with one role in a layer the first one's."""
    if layer < 0:
        return _MODEL_WIDE.get(role, f"{role}.weight")
    stem, _, last = role.rpartition("_")
    name = _IN_LAYERS.get(role) or (f"{stem}.bias" if last == "bias" else f"{role}.weight")
    return f"blk.{layer}.{name}"
