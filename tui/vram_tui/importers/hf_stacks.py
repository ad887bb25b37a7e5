"""The trunk of a configuration: which mixer and which feed-forward stand in each layer."""

from collections.abc import Callable
from dataclasses import replace

from vram_tui.estimator.blocks import (
    Attention,
    FeedForward,
    Gated,
    Lightning,
    Linear,
    Mixer,
    Parallel,
    Plain,
    ShortConv,
)
from vram_tui.estimator.model import Layer
from vram_tui.importers.hf_keys import ConfigError
from vram_tui.importers.hf_layers import Reader


def trunk(read: Reader) -> list[Layer]:
    """Every layer of the trunk, in order."""
    if read.model_type == "longcat_flash":
        return longcat(read)
    return _WHOLE.get(read.traits.mixer, paired)(read)


def paired(read: Reader) -> list[Layer]:
    """One mixer and one feed-forward per layer: nearly every model."""
    keys, mixer = read.keys, read.traits.mixer
    sparse = read.sparse_layers()
    if read.model_type.startswith("gemma4"):
        sparse = [keys.flag("enable_moe_block")] * read.count
    choose = _CHOOSERS[mixer](read)
    return [Layer(choose(index), read.feed_forward(index, sparse)) for index in range(read.count)]


def _attention_chooser(read: Reader) -> Callable[[int], Mixer]:
    kinds = read.kinds()
    return lambda index: read.attention(kinds[index], index)


def _delta_chooser(read: Reader) -> Callable[[int], Mixer]:
    interval = read.keys.whole("full_attention_interval", default=4)
    listed = read.keys.listed("layer_types", length=read.count)
    linear = (
        [kind == "linear_attention" for kind in listed]
        if listed
        else [(i + 1) % interval != 0 for i in range(read.count)]
    )
    return lambda index: read.delta_net() if linear[index] else read.attention("full", index)


def _kda_chooser(read: Reader) -> Callable[[int], Mixer]:
    listed = read.keys.listed("layer_types", length=read.count)
    full = read.keys.part("linear_attn_config").get("full_attn_layers", default=[])
    linear = (
        [kind == "linear_attention" for kind in listed] if listed else [i + 1 not in full for i in range(read.count)]
    )
    return lambda index: read.kda() if linear[index] else read.mla(index)


def _lightning_chooser(read: Reader) -> Callable[[int], Mixer]:
    kinds = read.kinds()
    linear = Lightning(read.heads(0), read.head_dim())
    return lambda index: linear if kinds[index] == "linear" else read.attention("full", index)


def _conv_chooser(read: Reader) -> Callable[[int], Mixer]:
    kinds = read.kinds()
    conv = ShortConv(read.keys.whole("conv_L_cache"))
    return lambda index: conv if kinds[index] == "conv" else read.attention(kinds[index], index)


def _jamba_chooser(read: Reader) -> Callable[[int], Mixer]:
    period, offset = read.keys.whole("attn_layer_period", default=8), read.keys.whole("attn_layer_offset", default=4)
    return lambda index: read.attention("full", index) if index % period == offset else read.mamba1()


def _granite_chooser(read: Reader) -> Callable[[int], Mixer]:
    kinds = read.kinds()
    return lambda index: read.mamba2() if kinds[index] == "mamba" else read.attention("full", index)


def _falcon_h1_chooser(read: Reader) -> Callable[[int], Mixer]:
    both = Parallel((read.attention("full", 0), read.mamba2()))
    return lambda index: both


_CHOOSERS: dict[str, Callable[[Reader], Callable[[int], Mixer]]] = {
    "attention": _attention_chooser,
    "mla": lambda read: read.mla,
    "compressed": lambda read: read.compressed,
    "delta-net": _delta_chooser,
    "kda": _kda_chooser,
    "lightning": _lightning_chooser,
    "short-conv": _conv_chooser,
    "jamba": _jamba_chooser,
    "granite-hybrid": _granite_chooser,
    "falcon-h1": _falcon_h1_chooser,
}


def pure_mamba(read: Reader) -> list[Layer]:
    mixer = read.mamba2() if read.traits.mixer == "mamba2" else read.mamba1()
    return [Layer(mixer)] * read.count


def longcat(read: Reader) -> list[Layer]:
    """Two latent attentions per published layer: the first beside the experts, the second before a dense MLP."""
    pair = [
        Layer(read.mla(0), replace(read.experts(0), dense=read.keys.whole("ffn_hidden_size"))),
        Layer(read.mla(0), read.dense(0)),
    ]
    return pair * read.count


def nemotron_h(read: Reader) -> list[Layer]:
    """Single blocks in the order of a pattern: M mamba, * attention, - MLP, E experts."""
    return [half(read, kind) for kind in _blocks(read, "hybrid_override_pattern", "layers_block_type", read.count)]


def mtp_blocks(read: Reader) -> list[Layer]:
    """The same for what drafts, where a mixer and the feed-forward after it are one layer, as files number them."""
    found: list[Layer] = []
    for kind in _blocks(read, "mtp_hybrid_override_pattern", "mtp_layers_block_type", 0):
        block = half(read, kind)
        if block.mixer is None and found and found[-1].feed_forward is None:
            found[-1] = replace(found[-1], feed_forward=block.feed_forward)
        else:
            found.append(block)
    return found


_LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def _blocks(read: Reader, pattern: str, listed: str, count: int) -> list[str]:
    letters = read.keys.word(pattern)
    blocks = [_LETTERS.get(letter, letter) for letter in letters] or list(read.keys.get(listed, default=[]))
    if len(blocks) < count:
        raise ConfigError(f"{pattern} gives {len(blocks)} blocks for {count} layers")
    return blocks


def half(read: Reader, kind: str) -> Layer:
    if kind == "mamba":
        return Layer(read.mamba2())
    if kind == "attention":
        return Layer(read.attention("full", 0))
    if kind == "moe":
        return Layer(None, read.experts(0))
    if kind == "mlp":
        return Layer(None, Plain(read.keys.whole("intermediate_size"), bias=read.keys.flag("mlp_bias")))
    raise ConfigError(f"a block of kind {kind!r} is not known")


def nemotron_nas(read: Reader) -> list[Layer]:
    """Layers that a search thinned out: each states its own attention and feed-forward, or that it has none."""
    blocks = read.keys.listed("block_configs", length=read.count)
    if not blocks:
        raise ConfigError("block_configs is missing: without it the layers of this type are unknown")
    return [Layer(_nas_mixer(read, block["attention"]), _nas_mlp(read, block["ffn"])) for block in blocks]


def _nas_mixer(read: Reader, block: dict[str, object]) -> Mixer | None:
    if block.get("no_op"):
        return None
    if block.get("replace_with_linear"):
        return Linear()
    heads = read.heads(0)
    group = block.get("n_heads_in_group")
    if not isinstance(group, int) or group <= 0:
        raise ConfigError("block_configs: n_heads_in_group should be a positive number")
    return Attention(heads, heads // group, read.head_dim(), bias=read.bias())


def _nas_mlp(read: Reader, block: dict[str, object]) -> FeedForward | None:
    if block.get("no_op"):
        return None
    factor = block.get("ffn_mult")
    if not isinstance(factor, (int, float)):
        raise ConfigError("block_configs: ffn_mult should be a number")
    width = int(2 * factor * read.hidden / 3)
    return Gated(-(-width // 256) * 256)


_WHOLE: dict[str, Callable[[Reader], list[Layer]]] = {
    "mamba": pure_mamba,
    "mamba2": pure_mamba,
    "nemotron-h": nemotron_h,
    "nemotron-nas": nemotron_nas,
}
