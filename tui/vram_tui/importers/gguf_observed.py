"""What a GGUF file's tensor list says about its architecture: the list overrules the traits."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from vram_tui.importers.gguf_traits import GgufTraits

Names = Mapping[str, Sequence[int]]
"""Tensor names of a file, with their shapes (ne)."""


class Seen:
    """Which tensors each layer of a file has; all answers are None where there is no list."""

    def __init__(self, tensors: Names | None) -> None:
        self._layers: dict[int, dict[str, tuple[int, ...]]] | None = None
        self.tensors: Names = tensors or {}
        if tensors:
            self._layers = {}
            for name, ne in tensors.items():
                part, _, rest = name.partition(".")
                number, _, own = rest.partition(".")
                if part == "blk" and number.isdecimal() and len(number) < 6:
                    self._layers.setdefault(int(number), {})[own] = tuple(ne)

    def __bool__(self) -> bool:
        return self._layers is not None

    def has(self, layer: int, *names: str) -> bool | None:
        """Whether the layer has one of these tensors."""
        if self._layers is None:
            return None
        own = self._layers.get(layer, {})
        return any(name in own for name in names)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names without their layer, with the shape in the first layer that has them."""
        found: dict[str, tuple[int, ...]] = {}
        for _, own in sorted((self._layers or {}).items()):
            for name, ne in own.items():
                found.setdefault(name, ne)
        return found


def observed(traits: GgufTraits, seen: Seen) -> GgufTraits:
    """The traits with everything that the tensor names and shapes decide for the whole model."""
    shapes = seen.shapes()
    names = shapes.keys()
    tensors = seen.tensors

    def has(name: str) -> bool:
        return name in names

    fused = ["beta-alpha"] if has("ssm_ba.weight") else []
    if has("attn_qkv.weight") and not has("attn_q.weight"):
        fused.append("qkv")
    dense = shapes.get("ffn_down.weight")
    if dense and shapes.get("ffn_up.weight", (0, 0))[1] == 2 * dense[0]:
        fused.append("gate-up")
    if has("ffn_gate_up_exps.weight"):
        fused.append("gate-up-experts")
    return replace(
        traits,
        bias=_bias(names),
        norms="pre" if traits.norms == "parallel" and has("attn_norm_2.weight") else traits.norms,
        plain=not (
            has("ffn_gate.weight")
            or has("ffn_gate_exps.weight")
            or "gate-up" in fused
            or has("ffn_gate_up_exps.weight")
        )
        and (has("ffn_up.weight") or has("ffn_up_exps.weight")),
        gate=_gate(traits, shapes),
        qk_norm=_qk_norm(traits, shapes),
        router_bias=has("exp_probs_b.bias") or has("exp_probs_b"),
        feed_forward_bias=has("ffn_down.bias"),
        expert_bias=has("ffn_down_exps.bias"),
        shared_gate=has("ffn_gate_inp_shexp.weight"),
        sinks=traits.sinks if has("attn_sinks.weight") or has("attn_sinks") else "none",
        expert_scales=sum(name.endswith(("_exps.scale", "_exps.input_scale")) for name in names),
        branch_norms=sum(name in names for name in _BRANCH_NORMS),
        router_scale=has("ffn_gate_inp.scale"),
        latent_out_norm=has("ffn_routed_norm.weight"),
        laurel_rank=shapes.get("laurel_l.weight", (0, traits.laurel_rank))[1],
        layer_scalars=shapes.get("layer_output_scale.weight", (0,))[0],
        mtp_norms=sum(name in names for name in _MTP_NORMS) or traits.mtp_norms,
        conv_norm=has("ssm_norm.weight"),
        head_bias="output.bias" in tensors,
        embedding_norm="token_embd_norm.weight" in tensors and "output_norm.weight" in tensors,
        fused=tuple(fused),
    )


_BRANCH_NORMS = ("post_ffw_norm_1.weight", "pre_ffw_norm_2.weight", "post_ffw_norm_2.weight")
_MTP_NORMS = ("nextn.enorm.weight", "nextn.hnorm.weight", "nextn.shared_head_norm.weight", "layer_output_norm.weight")


def _gate(traits: GgufTraits, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """How attention is gated: seen only where the gate is a tensor of its own beside the output projection."""
    width = shapes.get("attn_gate.weight")
    output = shapes.get("attn_output.weight")
    if traits.gate == "in-q":
        return "in-q"
    # In a lightning layer the name is the recurrent mixer's own gate.
    if not width or not output or traits.recurrent == "lightning":
        return "none"
    return "element" if width[1] == output[0] else "per-head"


def _bias(names: Collection[str]) -> str:
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
    return "full" if rows and math.prod(width) == rows else "head"
