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
    states_norm: bool = False
    """Files say whether the chosen experts' weights are brought to a sum of one; where they do not, it is not done."""
    shared_gate: bool = False
    shared_one: bool = False
    """One shared expert of the routed width, which no key states."""
    expert_scales: int = 0
    branch_norms: int = 0
    router_scale: bool = False
    latent_out_norm: bool = False
    """Latent experts normalise what they give back."""
    act_params: int = 0
    """Learned parameters of the activation, which a file has among its key-values."""
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
    """What the layers that are no attention are: mamba, mamba2, delta-net, kda, lightning, short-conv."""
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
    unrotated: str = ""
    """Which attention does not rotate: "fourth" layers, or "full" attention beside windows ("full after dense": not
    where the feed-forward is dense)."""
    unrotated_temperature: bool = False
    """Its queries are scaled by position instead."""
    rope_factors: str = ""
    """"optional": half the rotary width of factors where `rope_freqs` is in the file; "long and short": two such."""
    layer_scalars: int = 0
    stored_shared_kv: bool = False
    k_is_v: str = ""
    """"full": full layers have no V projection."""
    laurel_rank: int = 0
    embedding_norm: bool = False
    head_bias: bool = False
    residual_vectors: int = 0
    optional: tuple[str, ...] = ()
    """Biases (qkv, o, ffn) and norms (qk_norm) that only some files have: see `gguf_left_out`."""
    final_norm: bool = True
    latent_gate: str = "none"
    """How latent attention is gated."""
    hyper_style: str = "full"
    hyper_head: bool = True
    """Whether learned weights bring the streams together at the end; else their mean."""
    mtp_hyper: bool = True
    """Whether MTP layers keep the streams apart, too."""
    full_rank_gate: bool = False
    """KDA's output gate is one full projection."""
    full_rank_forget: bool = False
    """Its forget gate is one, too."""


_QKV = ("qkv",)
_ATTENTION = ("qkv", "o")
_ALL = ("qkv", "o", "ffn")

_PLAIN = GgufTraits(optional=_QKV)
_LLAMA = GgufTraits(rope_factors="optional", optional=_ALL)
_QWEN3 = GgufTraits(qk_norm="head", optional=_QKV)
_DEEPSEEK2 = GgufTraits(router_bias=True, states_norm=True)
_GRANITE_H = GgufTraits(recurrent="mamba2", rope_factors="optional", optional=_ALL)
_NEMOTRON_H = GgufTraits(recurrent="mamba2", halves=True, plain=True, router_bias=True, optional=_ALL)
_DELTA = GgufTraits(recurrent="delta-net", qk_norm="head", gate="in-q", shared_gate=True, optional=_QKV)
_KDA = GgufTraits(recurrent="kda", router_bias=True, optional=_QKV)
_LFM2 = GgufTraits(recurrent="short-conv", qk_norm="head", optional=_QKV)
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
_FUSED_LAYER_NORM = GgufTraits(norm="layer", bias="qkvo", plain=True, feed_forward_bias=True, fused=("qkv",))

TRAITS: dict[str, GgufTraits] = {
    "afmoe": GgufTraits(
        norms="sandwich", qk_norm="head", gate="element", period=4, unrotated="full", router_bias=True, optional=_QKV
    ),
    "apertus": GgufTraits(qk_norm="head", plain=True, act_params=2, rope_factors="optional", optional=_ATTENTION),
    "arcee": GgufTraits(plain=True, rope_factors="optional", optional=_QKV),
    "baichuan": _PLAIN,
    "bailingmoe": _PLAIN,
    "bailingmoe2": GgufTraits(qk_norm="head", fused=("qkv",), router_bias=True),
    "bailingmoe3": GgufTraits(
        recurrent="kda",
        router_bias=True,
        latent_gate="per-head",
        full_rank_gate=True,
        full_rank_forget=True,
        optional=_QKV,
    ),
    "bloom": GgufTraits(
        norm="layer", bias="qkvo", plain=True, feed_forward_bias=True, fused=("qkv",), embedding_norm=True
    ),
    "chatglm": GgufTraits(bias="qkv", fused=("qkv", "gate-up")),
    "codeshell": _LAYER_NORM,
    "cohere2": GgufTraits(norms="parallel", period=4, unrotated="full", optional=_QKV),
    "cohere2moe": GgufTraits(
        norms="parallel", period=4, unrotated="full after dense", fused=("gate-up-experts",), optional=_QKV
    ),
    "command-r": GgufTraits(norms="parallel", optional=_QKV),
    "dbrx": GgufTraits(fused=("qkv",)),
    "deci": _LLAMA,
    "deepseek": _PLAIN,
    "deepseek2": _DEEPSEEK2,
    "deepseek32": _DEEPSEEK2,
    "deepseek4": GgufTraits(router_bias=True),
    "dots1": GgufTraits(qk_norm="head", router_bias=True, optional=_QKV),
    "dream": GgufTraits(bias="qkv"),
    "ernie4_5": GgufTraits(optional=_ATTENTION),
    "ernie4_5-moe": GgufTraits(router_bias=True, optional=_ATTENTION),
    "exaone": GgufTraits(rope_factors="optional", optional=_QKV),
    "exaone-moe": GgufTraits(
        qk_norm="head", router_bias=True, period=4, unrotated="full", rope_factors="optional", optional=_QKV
    ),
    "exaone4": GgufTraits(
        norms="post", qk_norm="head", period=4, unrotated="full", rope_factors="optional", optional=_QKV
    ),
    "falcon": GgufTraits(norm="layer", norms="parallel", plain=True, fused=("qkv",)),
    "falcon-h1": GgufTraits(recurrent="mamba2", both=True, rope_factors="optional", optional=_ALL),
    "gemma": _PLAIN,
    "gemma-embedding": GgufTraits(norms="sandwich", qk_norm="head", period=6, optional=_QKV),
    "gemma2": GgufTraits(norms="sandwich", period=2, optional=_QKV),
    "gemma3": GgufTraits(norms="sandwich", qk_norm="head", period=6, optional=_QKV),
    "gemma3n": GgufTraits(
        norms="sandwich", qk_norm="head", period=5, laurel_rank=64, stored_shared_kv=True, optional=_QKV
    ),
    "gemma4": _GEMMA4,
    "glm-dsa": _DEEPSEEK2,
    "glm4": GgufTraits(norms="sandwich", bias="qkv", fused=("gate-up",)),
    "glm4moe": GgufTraits(bias="qkv", qk_norm="head", router_bias=True),
    "glm5-next": GgufTraits(recurrent="kda", router_bias=True, hyper_head=False, mtp_hyper=False, optional=_QKV),
    "gpt-oss": GgufTraits(bias="qkvo", sinks="all", expert_bias=True, period=2),
    "gpt2": _FUSED_LAYER_NORM,
    "gptneox": _FUSED_LAYER_NORM,
    "granite": _LLAMA,
    "granite_swa": GgufTraits(rope_factors="optional", sinks="all", optional=_ALL),
    "granitehybrid": _GRANITE_H,
    "granitemoe": _LLAMA,
    "grok": GgufTraits(norms="sandwich", optional=_QKV),
    "grovemoe": _QWEN3,
    "hunyuan-dense": _QWEN3,
    "hunyuan-moe": _QWEN3,
    "hunyuan_vl": _QWEN3,
    "hy_v3": GgufTraits(qk_norm="head", router_bias=True, optional=_QKV),
    "hy_v4": GgufTraits(router_bias=True, latent_gate="element", sinks="all", hyper_style="diagonal"),
    "internlm2": _PLAIN,
    "jais2": _LAYER_NORM,
    "jamba": GgufTraits(recurrent="mamba", inner_norms=True, moe_step=2, expert_scales=6, optional=_QKV),
    "k2-horizon": GgufTraits(gate="element", qk_norm="full", router_bias=True),
    "kimi-k3": GgufTraits(
        recurrent="kda",
        router_bias=True,
        latent_out_norm=True,
        latent_gate="element",
        full_rank_gate=True,
        residual_vectors=2,
        optional=_QKV,
    ),
    "kimi-linear": _KDA,
    "laguna": GgufTraits(qk_norm="head", gate="per-head", router_bias=True, period=4, full_first=True, optional=_QKV),
    "lfm2": _LFM2,
    "lfm2moe": GgufTraits(recurrent="short-conv", qk_norm="head", router_bias=True, optional=_QKV),
    "llada": _LLAMA,
    "llada-moe": _QWEN3,
    "llama": _LLAMA,
    "llama4": GgufTraits(
        unrotated="fourth",
        unrotated_temperature=True,
        period=4,
        window=8192,
        window_kind="chunk",
        rope_factors="optional",
        shared_one=True,
        optional=_QKV,
    ),
    "maincoder": _QWEN3,
    "mamba": GgufTraits(recurrent="mamba", halves=True),
    "mamba2": GgufTraits(recurrent="mamba2", halves=True),
    "maple": _QWEN3,
    "mellum": GgufTraits(qk_norm="head", period=4, optional=_QKV),
    "mimo2": GgufTraits(sinks="window", router_bias=True, mtp_norms=4, mtp_dense=True, first_dense=1, optional=_QKV),
    "minicpm": _LLAMA,
    "minicpm3": GgufTraits(mla="expanded", rope_factors="long and short"),
    "minimax-01": GgufTraits(recurrent="lightning", optional=_QKV),
    "minimax-m2": GgufTraits(qk_norm="full", router_bias=True, optional=_QKV),
    "minimax-m3": GgufTraits(qk_norm="head", router_bias=True, direct_indexer=True, optional=_QKV),
    "mistral3": _LLAMA,
    "mistral4": _DEEPSEEK2,
    "nanbeige": GgufTraits(rope_factors="optional", optional=_QKV),
    "nemotron": GgufTraits(norm="layer", plain=True, optional=_ALL),
    "nemotron_h": _NEMOTRON_H,
    "nemotron_h_moe": _NEMOTRON_H,
    "olmo": GgufTraits(norms="none", final_norm=False, optional=_QKV),
    "olmo2": GgufTraits(norms="post", qk_norm="full", period=4, optional=_QKV),
    "olmoe": GgufTraits(qk_norm="full", optional=_QKV),
    "orion": GgufTraits(norm="layer", optional=_QKV),
    "pangu-embedded": GgufTraits(rope_factors="optional", optional=_ATTENTION),
    "paddleocr": GgufTraits(optional=_ATTENTION),
    "phi2": GgufTraits(
        norm="layer",
        norms="parallel",
        bias="qkvo",
        plain=True,
        feed_forward_bias=True,
        head_bias=True,
        fused=("qkv",),
    ),
    "phi3": GgufTraits(fused=("qkv", "gate-up"), rope_factors="long and short"),
    "phimoe": GgufTraits(norm="layer", bias="qkvo", head_bias=True, rope_factors="long and short"),
    "plamo": GgufTraits(norms="parallel", optional=_QKV),
    "plamo3": GgufTraits(norms="sandwich", qk_norm="head", fused=("qkv", "gate-up"), period=8),
    "qwen": GgufTraits(bias="qkv", fused=("qkv",)),
    "qwen2": GgufTraits(bias="qkv"),
    "qwen2moe": GgufTraits(bias="qkv", shared_gate=True),
    "qwen2vl": GgufTraits(bias="qkv"),
    "qwen3": _QWEN3,
    "qwen35": _DELTA,
    "qwen35moe": _DELTA,
    "qwen3moe": _QWEN3,
    "qwen3next": GgufTraits(
        recurrent="delta-net",
        qk_norm="head",
        gate="in-q",
        shared_gate=True,
        fused=("beta-alpha",),
        optional=_QKV,
    ),
    "qwen3vl": _QWEN3,
    "qwen3vlmoe": _QWEN3,
    "refact": _LLAMA,
    "rnd1": _QWEN3,
    "seed_oss": GgufTraits(bias="qkv"),
    "smallthinker": GgufTraits(period=4, full_first=True, optional=_QKV),
    "smollm3": GgufTraits(unrotated="fourth", optional=_QKV),
    "spark2_5": GgufTraits(gate="per-head", optional=_QKV),
    "stablelm": GgufTraits(norm="layer", optional=("qkv", "qk_norm")),
    "starcoder": _FUSED_LAYER_NORM,
    "starcoder2": _LAYER_NORM,
    "step35": GgufTraits(
        qk_norm="head",
        gate="per-head",
        router_bias=True,
        rope_factors="optional",
        first_dense=3,
        optional=_QKV,
    ),
    "xverse": _PLAIN,
}
