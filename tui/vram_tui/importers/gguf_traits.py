"""What each GGUF architecture means beyond its metadata: one line of traits per architecture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GgufTraits:
    """Facts of an architecture that its metadata leaves unsaid. Defaults are the plain Llama recipe.

    A tensor list, where there is one, overrules what can be seen in it: biases, norms, gates, fused projections.
    """

    norms: str = "pre"
    norm: str = "rms"
    bias: str = "none"
    qk_norm: str = "none"
    gate: str = "none"
    sinks: str = "none"
    """none, all, or window: only the sliding layers have sinks."""
    plain: bool = False
    """No gate in the feed-forward."""
    feed_forward_bias: bool = False
    expert_bias: bool = False
    router_bias: bool = False
    """Dropped where `exp_probs_b.bias` is left out."""
    shared_gate: bool = False
    shared_one: bool = False
    """One shared expert of the routed width, which no key states."""
    expert_scales: int = 0
    branch_norms: int = 0
    router_scale: bool = False
    dense_beside: bool = False
    """A dense feed-forward runs beside the experts of a layer."""
    moe_step: int = 1
    """Experts in every n-th layer, from the second of each group on."""
    period: int = 0
    """Every n-th layer is full and the others slide; 0: only as the file's pattern says."""
    full_first: bool = False
    """The full layer leads its period."""
    window: int = 0
    """Window where the file states none."""
    window_kind: str = "slide"
    fused: tuple[str, ...] = ()
    recurrent: str = ""
    """What the layers without key heads are: mamba, mamba2, delta-net, kda, short-conv."""
    halves: bool = False
    """A layer is either a mixer or a feed-forward."""
    both: bool = False
    """Attention and the recurrent mixer run in parallel in every layer."""
    conv_norm: bool = True
    """Mamba 2 normalises its output (dropped where `ssm_norm` is left out)."""
    inner_norms: bool = False
    direct_indexer: bool = False
    mla: str = "absorbed"
    mtp_norms: int = 3
    mtp_dense: bool = False
    """MTP layers have the dense feed-forward, not the experts."""
    first_dense: int = 0
    rope_factors: str = ""
    """"optional": half the rotary width of factors where `rope_freqs` is in the file."""
    layer_scalars: int = 0
    stored_shared_kv: bool = False
    k_is_v: str = ""
    """"full": full layers have no V projection."""
    laurel_rank: int = 0
    embedding_norm: bool = False
    head_bias: bool = False
    residual_vectors: int = 0


_QWEN3 = GgufTraits(qk_norm="head")
_DEEPSEEK2 = GgufTraits(router_bias=True)
_GEMMA4 = GgufTraits(
    norms="sandwich",
    qk_norm="head",
    rope_factors="optional",
    layer_scalars=1,
    stored_shared_kv=True,
    branch_norms=3,
    router_scale=True,
    expert_scales=1,
    dense_beside=True,
    fused=("gate-up-experts",),
    period=6,
)
_LAYER_NORM = GgufTraits(norm="layer", bias="qkvo", plain=True, feed_forward_bias=True)

TRAITS: dict[str, GgufTraits] = {
    "afmoe": GgufTraits(norms="sandwich", qk_norm="head", gate="element", period=4, router_bias=True),
    "apertus": GgufTraits(qk_norm="head", plain=True, rope_factors="optional"),
    "arcee": GgufTraits(plain=True, rope_factors="optional"),
    "bailingmoe": GgufTraits(),
    "bailingmoe2": GgufTraits(qk_norm="head", fused=("qkv",), router_bias=True),
    "bloom": GgufTraits(
        norm="layer", bias="qkvo", plain=True, feed_forward_bias=True, fused=("qkv",), embedding_norm=True
    ),
    "chatglm": GgufTraits(bias="qkv", fused=("qkv", "gate-up")),
    "cohere2": GgufTraits(norms="parallel", period=4),
    "command-r": GgufTraits(norms="parallel"),
    "dbrx": GgufTraits(fused=("qkv",)),
    "deci": GgufTraits(rope_factors="optional"),
    "deepseek": GgufTraits(),
    "deepseek2": _DEEPSEEK2,
    "deepseek32": _DEEPSEEK2,
    "deepseek4": GgufTraits(router_bias=True),
    "dots1": GgufTraits(qk_norm="head", router_bias=True),
    "ernie4_5": GgufTraits(),
    "ernie4_5-moe": GgufTraits(router_bias=True),
    "exaone": GgufTraits(rope_factors="optional"),
    "exaone-moe": GgufTraits(qk_norm="head", router_bias=True, period=4, rope_factors="optional"),
    "exaone4": GgufTraits(norms="post", qk_norm="head", period=4, rope_factors="optional"),
    "falcon": GgufTraits(norm="layer", norms="parallel", plain=True, fused=("qkv",)),
    "falcon-h1": GgufTraits(recurrent="mamba2", both=True, rope_factors="optional"),
    "gemma": GgufTraits(),
    "gemma2": GgufTraits(norms="sandwich", period=2),
    "gemma3": GgufTraits(norms="sandwich", qk_norm="head", period=6),
    "gemma3n": GgufTraits(norms="sandwich", qk_norm="head", period=5, laurel_rank=64, stored_shared_kv=True),
    "gemma4": _GEMMA4,
    "glm-dsa": _DEEPSEEK2,
    "glm4": GgufTraits(norms="sandwich", bias="qkv", fused=("gate-up",)),
    "glm4moe": GgufTraits(bias="qkv", qk_norm="head", router_bias=True),
    "gpt-oss": GgufTraits(bias="qkvo", sinks="all", expert_bias=True, period=2),
    "gptneox": GgufTraits(norm="layer", bias="qkvo", plain=True, feed_forward_bias=True, fused=("qkv",)),
    "granite": GgufTraits(rope_factors="optional"),
    "granitehybrid": GgufTraits(recurrent="mamba2", rope_factors="optional"),
    "granitemoe": GgufTraits(rope_factors="optional"),
    "grok": GgufTraits(norms="sandwich"),
    "grovemoe": _QWEN3,
    "hunyuan-dense": _QWEN3,
    "hunyuan-moe": GgufTraits(qk_norm="head"),
    "internlm2": GgufTraits(),
    "jais2": _LAYER_NORM,
    "jamba": GgufTraits(recurrent="mamba", inner_norms=True, moe_step=2, expert_scales=6),
    "kimi-linear": GgufTraits(recurrent="kda", router_bias=True),
    "laguna": GgufTraits(qk_norm="head", gate="per-head", router_bias=True, period=4, full_first=True),
    "lfm2": GgufTraits(recurrent="short-conv", qk_norm="head"),
    "lfm2moe": GgufTraits(recurrent="short-conv", qk_norm="head", router_bias=True),
    "llada": GgufTraits(),
    "llama": GgufTraits(rope_factors="optional"),
    "llama4": GgufTraits(period=4, window=8192, window_kind="chunk", rope_factors="optional", shared_one=True),
    "mamba": GgufTraits(recurrent="mamba", halves=True),
    "mamba2": GgufTraits(recurrent="mamba2", halves=True),
    "mellum": _QWEN3,
    "mimo2": GgufTraits(sinks="window", router_bias=True, mtp_norms=4, mtp_dense=True, first_dense=1),
    "minicpm": GgufTraits(rope_factors="optional"),
    "minicpm3": GgufTraits(mla="expanded"),
    "minimax-m2": GgufTraits(qk_norm="full", router_bias=True),
    "minimax-m3": GgufTraits(qk_norm="head", router_bias=True, direct_indexer=True),
    "mistral3": GgufTraits(rope_factors="optional"),
    "mistral4": _DEEPSEEK2,
    "nemotron": GgufTraits(norm="layer", plain=True, rope_factors="optional"),
    "nemotron_h": GgufTraits(recurrent="mamba2", halves=True, plain=True),
    "nemotron_h_moe": GgufTraits(recurrent="mamba2", halves=True, plain=True, router_bias=True),
    "olmo": GgufTraits(norms="none"),
    "olmo2": GgufTraits(norms="post", qk_norm="full", period=4),
    "olmoe": GgufTraits(qk_norm="full"),
    "orion": GgufTraits(norm="layer"),
    "phi2": GgufTraits(
        norm="layer", norms="parallel", bias="qkvo", plain=True, feed_forward_bias=True, head_bias=True, fused=("qkv",)
    ),
    "phi3": GgufTraits(fused=("qkv", "gate-up")),
    "phimoe": GgufTraits(norm="layer", bias="qkvo", head_bias=True),
    "qwen": GgufTraits(bias="qkv", fused=("qkv",)),
    "qwen2": GgufTraits(bias="qkv"),
    "qwen2moe": GgufTraits(bias="qkv", shared_gate=True),
    "qwen2vl": GgufTraits(bias="qkv"),
    "qwen3": _QWEN3,
    "qwen35": GgufTraits(recurrent="delta-net", qk_norm="head", gate="in-q"),
    "qwen35moe": GgufTraits(recurrent="delta-net", qk_norm="head", gate="in-q", shared_gate=True),
    "qwen3moe": _QWEN3,
    "qwen3next": GgufTraits(
        recurrent="delta-net", qk_norm="head", gate="in-q", shared_gate=True, fused=("beta-alpha",)
    ),
    "qwen3vl": _QWEN3,
    "qwen3vlmoe": _QWEN3,
    "seed_oss": GgufTraits(bias="qkv"),
    "smallthinker": GgufTraits(period=4, full_first=True),
    "smollm3": GgufTraits(),
    "stablelm": GgufTraits(norm="layer"),
    "starcoder2": _LAYER_NORM,
    "step35": GgufTraits(qk_norm="head", gate="per-head", router_bias=True, rope_factors="optional", first_dense=3),
    "xverse": GgufTraits(),
}
