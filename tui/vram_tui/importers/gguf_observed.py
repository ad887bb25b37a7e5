"""What a GGUF file's tensor list says about its architecture: the list overrules the traits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vram_tui.importers.gguf_traits import GgufTraits

_PART = "blk."


def observed(traits: GgufTraits, tensors: Mapping[str, Sequence[int]]) -> GgufTraits:
    """The traits with everything that the tensor names and shapes decide."""
    names = {name.split(".", 2)[2] for name in tensors if name.startswith(_PART) and name.count(".") >= 2}
    shapes = {name.split(".", 2)[2]: tuple(ne) for name, ne in tensors.items() if name.startswith(_PART)}

    def has(name: str) -> bool:
        return name in names

    fused = [part for part in traits.fused if part == "beta-alpha"]
    if has("attn_qkv.weight") and not has("attn_q.weight") and not traits.recurrent:
        fused.append("qkv")
    if has("ffn_up.weight") and not has("ffn_gate.weight") and "gate-up" in traits.fused:
        fused.append("gate-up")
    if has("ffn_gate_up_exps.weight"):
        fused.append("gate-up-experts")
    return replace(
        traits,
        bias=_bias(names),
        qk_norm=_qk_norm(traits, shapes),
        router_bias=has("exp_probs_b.bias") or has("exp_probs_b"),
        feed_forward_bias=has("ffn_down.bias"),
        expert_bias=has("ffn_down_exps.bias"),
        shared_gate=has("ffn_gate_inp_shexp.weight"),
        sinks=traits.sinks if has("attn_sinks.weight") or has("attn_sinks") else "none",
        expert_scales=sum(name.endswith("_exps.scale") for name in names),
        conv_norm=has("ssm_norm.weight"),
        rope_factors="optional" if "rope_freqs.weight" in tensors else "",
        head_bias="output.bias" in tensors,
        embedding_norm="token_embd_norm.weight" in tensors and "output_norm.weight" in tensors,
        fused=tuple(fused),
    )


def _bias(names: set[str]) -> str:
    if "attn_q.bias" not in names and "attn_qkv.bias" not in names:
        return "none"
    return "qkvo" if "attn_output.bias" in names else "qkv"


def _qk_norm(traits: GgufTraits, shapes: Mapping[str, tuple[int, ...]]) -> str:
    width = shapes.get("attn_q_norm.weight")
    if not width:
        return "none"
    rows = shapes.get("attn_q.weight", (0, 0))[1]
    if traits.gate == "in-q":
        rows //= 2
    return "full" if rows and width[0] == rows else "head"
