"""Traits of a file that tells which optional tensors it lacks; all others that its architecture may have are there."""

from dataclasses import replace

from vram_tui.importers.gguf_traits import GgufTraits


def without(traits: GgufTraits, missing: frozenset[str]) -> GgufTraits:
    """The traits of a file that lacks exactly these optional tensors (patterns such as `blk.N.attn_q.bias`)."""

    def there(name: str) -> bool:
        return f"blk.N.{name}" not in missing

    optional = traits.optional
    bias = traits.bias if there("attn_q.bias") else "none"
    if bias == "none" and "qkv" in optional and there("attn_q.bias"):
        bias = "qkv"
    if bias == "qkv" and "o" in optional and there("attn_output.bias"):
        bias = "qkvo"
    dense = traits.feed_forward_bias or "ffn" in optional
    return replace(
        traits,
        bias=bias,
        feed_forward_bias=dense and there("ffn_down.bias"),
        router_bias=traits.router_bias and there("exp_probs_b.bias"),
        qk_norm=("full" if "qk_norm" in optional else traits.qk_norm) if there("attn_q_norm.weight") else "none",
        conv_norm=traits.conv_norm and there("ssm_norm.weight"),
        head_bias=traits.head_bias and "output.bias" not in missing,
        rope_factors="" if missing & _ROPE_TABLES else traits.rope_factors,
    )


_ROPE_TABLES = frozenset(("rope_freqs.weight", "rope_factors_long.weight"))
