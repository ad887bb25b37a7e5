"""From the per-layer facts of a configuration to feed-forwards."""

from dataclasses import replace

from vram_tui.estimator.blocks import Experts, FeedForward, Gated, Plain
from vram_tui.importers.hf_keys import ConfigError, Keys
from vram_tui.importers.hf_traits import Traits

MAX_LAYERS = 1_024


class FeedForwards:
    """One configuration with the traits of its type: the feed-forward of a layer, by its index."""

    def __init__(self, keys: Keys, traits: Traits, model_type: str) -> None:
        self.keys, self.traits, self.model_type = keys, traits, model_type
        self.hidden = keys.whole("hidden_size", "d_model", "n_embd", top=1 << 24)
        blocks = keys.get("layers_block_type", default=[])
        self.count = keys.whole(
            "num_hidden_layers", "num_layers", "n_layer", default=len(blocks) or None, top=MAX_LAYERS
        )
        self.context = keys.whole(
            "max_position_embeddings", "model_max_length", "max_sequence_length", "n_positions", default=0
        )
        if self.hidden == 0 or self.count == 0:
            raise ConfigError("hidden_size and num_hidden_layers must be positive")

    def mlp_bias(self) -> bool:
        return self.traits.mlp_bias or self.keys.flag("mlp_bias", "use_bias")

    def dense(self, index: int) -> FeedForward:
        keys = self.keys
        if self.model_type in ("llama4_text", "minimax_m3_text"):
            size = keys.whole("intermediate_size_mlp", "dense_intermediate_size")
        elif self.model_type == "granitemoehybrid":
            size = keys.whole("shared_intermediate_size")
        else:
            widths = keys.get("intermediate_size", "ffn_hidden_size", "n_inner")
            size = (
                int(widths[index])
                if isinstance(widths, list)
                else keys.whole("intermediate_size", "ffn_hidden_size", "n_inner")
            )
        shared = keys.whole("num_kv_shared_layers", default=0)
        if keys.flag("use_double_wide_mlp") and index >= self.count - shared:
            size *= 2
        if self.traits.feed_forward == "plain":
            return Plain(size, bias=self.mlp_bias(), act_params=self.traits.act_params)
        return Gated(size, bias=self.mlp_bias())

    def experts_count(self) -> int:
        names = ("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts")
        return self.keys.whole(*names, default=0, top=1 << 16)

    def sparse_layers(self) -> list[bool]:
        """Which layers route to experts."""
        keys, count = self.keys, self.count
        if self.experts_count() <= 1:
            return [False] * count
        types = keys.listed("mlp_layer_types", length=count)
        if types:
            return [kind == "sparse" for kind in types]
        freq = keys.get("moe_layer_freq")
        if isinstance(freq, list):
            return [bool(one) for one in freq[:count]]
        if keys.get("expert_layer_period"):
            period, offset = keys.whole("expert_layer_period"), keys.whole("expert_layer_offset", default=0)
            return [index % period == offset for index in range(count)]
        if keys.get("moe_layer_start_index") is not None:
            first, last = keys.whole("moe_layer_start_index"), keys.whole("moe_layer_end_index", default=count - 1)
            step = keys.whole("moe_layer_interval", default=1) or 1
            return [first <= index <= last and (index + 1) % step == 0 for index in range(count)]
        step = keys.whole("interleave_moe_layer_step", "decoder_sparse_step", default=1) or 1
        skipped = keys.get("mlp_only_layers", default=[])
        first = keys.whole("first_k_dense_replace", "num_dense_layers", default=self.traits.dense_first)
        return [index >= first and (index + 1) % step == 0 and index not in skipped for index in range(count)]

    def experts(self, index: int) -> Experts:
        keys, traits, name = self.keys, self.traits, self.model_type
        size = keys.whole("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size")
        found = Experts(
            count=self.experts_count(),
            active=keys.whole(
                "num_experts_per_tok",
                "num_experts_per_token",
                "moe_topk",
                "moe_k",
                "experts_per_token",
                "top_k_experts",
            ),
            size=size,
            gated=traits.mixer != "nemotron-h",
            shared=self._shared(size),
            shared_gate=traits.shared_gate,
            router_bias=traits.router_bias,
            bias=name == "gpt_oss",
            raw_weights=name == "deepseek_v2" and not keys.flag("norm_topk_prob"),
        )
        return self._special_experts(found, index)

    def _shared(self, size: int) -> int:
        keys = self.keys
        stated = keys.whole(
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
            "share_expert_dim",
            "shared_intermediate_size",
            default=0,
        )
        number = keys.whole(
            "n_shared_experts", "num_shared_experts", "num_shared_expert", "moe_num_shared_experts", default=0
        )
        if self.model_type == "llama4_text":
            return size
        return stated or number * size

    def _special_experts(self, found: Experts, index: int) -> Experts:
        keys, name = self.keys, self.model_type
        if name.startswith("deepseek_v4"):
            hashed = index < keys.whole("num_hash_layers", default=0)
            return replace(found, hash=hashed, router_bias=not hashed)
        if name == "inkling_text":
            return replace(found, routed_shared=keys.whole("n_shared_experts"), router_scalar=True)
        if name == "longcat_flash":
            return replace(found, zero_experts=keys.whole("zero_expert_num", default=0))
        if name.startswith("gemma4"):
            dense = keys.whole("intermediate_size")
            return replace(found, shared=0, dense=dense, branch_norms=3, expert_scales=1, router_scale=True)
        latent = keys.whole("routed_expert_hidden_size", "moe_latent_size", "moe_hidden_size", default=0)
        if latent:
            named = keys.flag("latent_moe_use_norm")
            return replace(found, latent=latent, latent_norm=False, latent_out_norm=named)
        return found

    def feed_forward(self, index: int, sparse: list[bool]) -> FeedForward:
        return self.experts(index) if sparse[index] else self.dense(index)
