"""What each Hugging Face `model_type` means beyond its config: one line of traits per type."""

from vram_tui.estimator.records import record


@record
class Traits:
    """Facts of a modeling class that its configurations leave unsaid. Defaults are the plain Llama recipe."""

    gguf: str = ""
    """Architecture name that llama.cpp's converter writes; empty when it has none."""
    mixer: str = "attention"
    """attention, mla, compressed, delta-net, kda, mamba, mamba2, lightning, short-conv, falcon-h1, jamba,
    granite-hybrid, nemotron-h, nemotron-nas."""
    feed_forward: str = "gated"
    norm: str = "rms"
    norms: str = "pre"
    final_norm: bool = True
    tied: bool = False
    """Whether the head is tied where the config does not say."""
    bias: str = "none"
    """Biases that the class always has."""
    stated_bias: str = "qkvo"
    """What `attention_bias = true` (or the type's own key) adds."""
    mlp_bias: bool = False
    head_bias: bool = False
    qk_norm: str = "none"
    qk_norm_asked: bool = False
    """True: only where the config says `use_qk_norm` (or `qk_norm`)."""
    gate: str = "none"
    sinks: bool = False
    period: int = 0
    """Every n-th layer is full and the others slide; 1: all slide; 0: none, unless the config lists its layers."""
    unrotated: str = ""
    """Which attention does not rotate: "fourth" layers unless listed, or "full" attention beside windows ("full after
    dense": not where the feed-forward is dense)."""
    unrotated_temperature: bool = False
    """Its queries are scaled by position instead, unless the config says otherwise."""
    window: int = 0
    """Window of the class where the config states a pattern but no width."""
    scale: int = 0
    """Width of the head where neither config nor the ratio of the widths gives it."""
    router_bias: bool = False
    shared_gate: bool = False
    dense_first: int = 0
    """Leading dense layers where the config does not say."""
    mtp_style: str = ""
    """What the MTP part repeats (see `_mtp` in hf_config); empty: the class has none."""
    fused: tuple[str, ...] = ()
    gguf_mtp: bool = True
    gguf_mtp_norms: int = 3
    layer_scalars: int = 0
    embedding_norm: bool = False
    position_ids: int = 1
    """Positions of a token: four where pictures have time, row and column (M-RoPE)."""
    residual_vectors: int = 0
    residual_conv: int = 0
    act_params: int = 0
    position: str = "RoPE"
    """Position embedding: "RoPE", "none", or empty where it is neither or not known."""


_QWEN3 = Traits("qwen3", qk_norm="head")
_GEMMA = Traits("gemma", tied=True)
_DEEPSEEK = Traits("deepseek2", mixer="mla", router_bias=True, mtp_style="last", gguf_mtp=False)
_GLM_DSA = Traits("glm-dsa", mixer="mla", router_bias=True, mtp_style="last")
_NEMOTRON_H = Traits("nemotron_h", mixer="nemotron-h", mtp_style="listed", router_bias=True, position="none")

TRAITS: dict[str, Traits] = {
    "afmoe": Traits(
        "afmoe", norms="sandwich", qk_norm="head", gate="element", period=4, unrotated="full", router_bias=True
    ),
    "apertus": Traits("apertus", feed_forward="plain", qk_norm="head", qk_norm_asked=True, act_params=2),
    "arcee": Traits("arcee", feed_forward="plain"),
    "axk1": Traits("", mixer="mla", router_bias=True),
    "bailing_hybrid": Traits("bailingmoe3", mixer="kda", gate="per-head", router_bias=True, mtp_style="last"),
    "bailing_moe": Traits("bailingmoe2", qk_norm="head", qk_norm_asked=True, router_bias=True, fused=("qkv",)),
    "cohere": Traits("command-r", norms="parallel", tied=True, qk_norm="full", qk_norm_asked=True),
    "cohere2": Traits("cohere2", norms="parallel", tied=True, period=4, unrotated="full"),
    "cohere2_moe": Traits("cohere2moe", norms="parallel", tied=True, period=4, unrotated="full after dense"),
    "cwm": Traits("llama"),
    "deepseek": Traits("deepseek", dense_first=1),
    "deepseek_v2": Traits("deepseek2", mixer="mla"),
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v32": Traits("deepseek32", mixer="mla", router_bias=True, mtp_style="last"),
    "deepseek_v4": Traits("deepseek4", mixer="compressed", router_bias=True, mtp_style="slide", gguf_mtp=False),
    "deepseek_v41": Traits("", mixer="compressed", router_bias=True, mtp_style="slide"),
    "dots1": Traits("dots1", qk_norm="head", router_bias=True),
    "ernie4_5": Traits("ernie4_5", tied=True),
    "ernie4_5_moe": Traits("ernie4_5-moe", router_bias=True, tied=True, mtp_style="dense", gguf_mtp=False),
    "exaone": Traits("exaone"),
    "exaone4": Traits("exaone4", norms="post", qk_norm="head", unrotated="full"),
    "exaone4_5_text": Traits("exaone4", norms="post", qk_norm="head", unrotated="full", mtp_style="last"),
    "exaone_moe": Traits(
        "exaone-moe", norms="pre", qk_norm="head", unrotated="full", router_bias=True, mtp_style="dense"
    ),
    "falcon": Traits("falcon", feed_forward="plain", norm="layer", norms="parallel", tied=True, fused=("qkv",)),
    "falcon_h1": Traits("falcon-h1", mixer="falcon-h1"),
    "falcon_mamba": Traits("mamba", mixer="mamba", position=""),
    "flex_olmo": Traits("", norms="post", qk_norm="full"),
    "gemma": _GEMMA,
    "gemma2": Traits("gemma2", norms="sandwich", tied=True, period=2),
    "gemma3_text": Traits("gemma3", norms="sandwich", tied=True, qk_norm="head", period=6),
    "gemma3n_text": Traits("gemma3n", norms="sandwich", tied=True, qk_norm="head"),
    "gemma4_text": Traits("gemma4", norms="sandwich", tied=True, qk_norm="head", layer_scalars=1),
    "gemma4_unified_text": Traits("gemma4", norms="sandwich", tied=True, qk_norm="head", layer_scalars=1),
    "glm": Traits("chatglm", stated_bias="qkv", fused=("gate-up",)),
    "glm4": Traits("glm4", norms="sandwich", stated_bias="qkv", fused=("gate-up",)),
    "glm4_moe": Traits(
        "glm4moe", stated_bias="qkv", qk_norm="head", qk_norm_asked=True, router_bias=True, mtp_style="last"
    ),
    "glm4_moe_lite": Traits("deepseek2", mixer="mla", router_bias=True, mtp_style="last"),
    "glm4v_moe_text": Traits("glm4moe", stated_bias="qkv", qk_norm="head", qk_norm_asked=True, router_bias=True),
    "glm4v_text": Traits("glm4", norms="sandwich", stated_bias="qkv", fused=("gate-up",)),
    "glm5_next_text": Traits("glm5-next", mixer="kda", router_bias=True, mtp_style="mla"),
    "glm_moe_dsa": _GLM_DSA,
    "gpt_oss": Traits("gpt-oss", bias="qkvo", sinks=True, period=2, mlp_bias=True),
    "granite": Traits("granite", tied=True),
    "granite_swa": Traits("granite_swa", tied=True, sinks=True),
    "granitemoe": Traits("granitemoe", tied=True),
    "granitemoehybrid": Traits("granitehybrid", mixer="granite-hybrid", tied=True),
    "hunyuan_v1_dense": Traits("hunyuan-dense", qk_norm="head", tied=True),
    "hunyuan_v1_moe": Traits("hunyuan-moe", qk_norm="head", tied=True),
    "hy_v3": Traits("hy_v3", qk_norm="head", router_bias=True, mtp_style="last"),
    "hy_v4": Traits(
        "hy_v4", mixer="mla", gate="element", sinks=True, router_bias=True, mtp_style="last", gguf_mtp=False
    ),
    "inkling_text": Traits("", qk_norm="head", period=6, residual_conv=4, embedding_norm=True, position=""),
    "internlm2": Traits("internlm2"),
    "internlm3": Traits("llama"),
    "iquestcoder": Traits("llama"),
    "jais2": Traits("jais2", feed_forward="plain", norm="layer"),
    "jamba": Traits("jamba", mixer="jamba", position="none"),
    "kimi_k2": _DEEPSEEK,
    "kimi_linear": Traits("kimi-linear", mixer="kda", router_bias=True, position="none"),
    "kolibri1": Traits("", norms="sandwich", qk_norm="head", router_bias=True),
    "laguna": Traits("laguna", qk_norm="head", gate="per-head", router_bias=True),
    "lfm2": Traits("lfm2", mixer="short-conv", qk_norm="head", tied=True),
    "lfm2_moe": Traits("lfm2moe", mixer="short-conv", qk_norm="head", tied=True, router_bias=True),
    "lfm3": Traits("", mixer="short-conv", norms="sandwich", qk_norm="head", gate="per-head", tied=True),
    "llama": Traits("llama"),
    "llama4_text": Traits("llama4", period=4, unrotated="fourth", unrotated_temperature=True),
    "longcat_flash": Traits("", mixer="mla", router_bias=True),
    "mamba": Traits("mamba", mixer="mamba", tied=True, position=""),
    "mamba2": Traits("mamba2", mixer="mamba2", position=""),
    "mellum": Traits("mellum", qk_norm="head"),
    "mimo": Traits("", stated_bias="qkv", mtp_style="last"),
    "mimo_v2_flash": Traits("mimo2", sinks=True, router_bias=True, mtp_style="dense-slide", gguf_mtp_norms=4),
    "minicpm": Traits("minicpm"),
    "minimax": Traits("minimax-01", mixer="lightning"),
    "minimax_m2": Traits("minimax-m2", qk_norm="full", router_bias=True),
    "minimax_m3_text": Traits("minimax-m3", qk_norm="head", router_bias=True),
    "ministral3": Traits("mistral3"),
    "mistral": Traits("llama", period=1),
    "mistral4": Traits("mistral4", mixer="mla"),
    "mistral_large4_text": Traits("", mixer="mla", router_bias=True),
    "mixtral": Traits("llama", period=1),
    "mllama_text_model": Traits(""),
    "muse_glimmer_text": Traits("", norms="sandwich", qk_norm="none", gate="element"),
    "muse_spark_text": Traits("", norms="pre+post-ffn", gate="element", router_bias=True, residual_vectors=2),
    "nemotron": Traits("nemotron", feed_forward="plain", norm="layer"),
    "nemotron-nas": Traits("deci", mixer="nemotron-nas"),
    "nemotron_h": _NEMOTRON_H,
    "olmo2": Traits("olmo2", norms="post", qk_norm="full"),
    "olmo3": Traits("olmo2", norms="post", qk_norm="full", period=4),
    "olmo_hybrid": Traits("", mixer="delta-net", qk_norm="full", position=""),
    "olmoe": Traits("olmoe", qk_norm="full"),
    "phi": Traits(
        "phi2", feed_forward="plain", norm="layer", norms="parallel", bias="qkvo", mlp_bias=True, head_bias=True
    ),
    "phi3": Traits("phi3", period=1, fused=("qkv", "gate-up")),
    "phi3small": Traits("", norm="layer", bias="qkvo", mlp_bias=True, tied=True),
    "phimoe": Traits("phimoe", norm="layer", period=1),
    "qwen2": Traits("qwen2", bias="qkv"),
    "qwen2_5_vl": Traits("qwen2vl", position_ids=4, bias="qkv"),
    "qwen2_moe": Traits("qwen2moe", bias="qkv", shared_gate=True),
    "qwen2_vl": Traits("qwen2vl", position_ids=4, bias="qkv"),
    "qwen3": _QWEN3,
    "qwen3_5_moe_text": Traits(
        "qwen35moe", position_ids=4, mixer="delta-net", qk_norm="head", gate="in-q", shared_gate=True, mtp_style="last"
    ),
    "qwen3_5_text": Traits("qwen35", position_ids=4, mixer="delta-net", qk_norm="head", gate="in-q", mtp_style="last"),
    "qwen3_moe": Traits("qwen3moe", qk_norm="head"),
    "qwen3_next": Traits(
        "qwen3next",
        mixer="delta-net",
        qk_norm="head",
        gate="in-q",
        shared_gate=True,
        mtp_style="last",
        fused=("beta-alpha",),
    ),
    "qwen3_vl_moe_text": Traits("qwen3vlmoe", position_ids=4, qk_norm="head"),
    "qwen3_vl_text": Traits("qwen3vl", position_ids=4, qk_norm="head"),
    "qwen4_exp_text": Traits(
        "", mixer="delta-net", qk_norm="head", gate="in-q", shared_gate=True, mtp_style="plain-last"
    ),
    "seed_oss": Traits("seed_oss", stated_bias="qkv"),
    "smollm3": Traits("smollm3", tied=True, unrotated="fourth"),
    "solar_open": Traits("glm4moe", router_bias=True),
    "stablelm": Traits("stablelm", norm="layer"),
    "starcoder2": Traits("starcoder2", feed_forward="plain", norm="layer", tied=True, period=1),
    "step3p5": Traits(
        "step35", qk_norm="head", gate="per-head", router_bias=True, mtp_style="own-head", gguf_mtp=False
    ),
    "youtu": Traits("deepseek2", mixer="mla", tied=True),
}

WRAPPERS: dict[str, str] = {
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "gemma4_unified": "gemma4_unified_text",
    "glm4v": "glm4v_text",
    "glm4v_moe": "glm4v_moe_text",
    "glm5_next": "glm5_next_text",
    "exaone4_5": "exaone4_5_text",
    "kimi_k25": "kimi_k2",
    "kimi_k3": "kimi_linear",
    "kimi_vl": "deepseek_v3",
    "llama4": "llama4_text",
    "llava": "mistral",
    "minimax_m3_vl": "minimax_m3_text",
    "mistral3": "mistral",
    "mistral_large4": "mistral_large4_text",
    "mllama": "mllama_text_model",
    "muse_glimmer": "muse_glimmer_text",
    "muse_spark": "muse_spark_text",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
    "qwen3_vl": "qwen3_vl_text",
    "qwen3_vl_moe": "qwen3_vl_moe_text",
    "qwen4_exp": "qwen4_exp_text",
    "bailing_moe_v2": "bailing_moe",
    "cohere2_vision": "cohere2_moe",
}
"""Outer types of multimodal configurations, for the language model inside when it does not name its own."""
