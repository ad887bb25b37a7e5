"""From the per-layer facts of a configuration to mixers."""

from dataclasses import replace

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    DirectIndexer,
    Kda,
    LatentIndexer,
    Mamba,
    Mamba2,
    Mla,
    Relative,
)
from vram_tui.importers.hf_feeds import FeedForwards
from vram_tui.importers.hf_keys import ConfigError, Keys


class Reader(FeedForwards):
    """One configuration with the traits of its type: what a layer is made of, by its index."""

    # -- attention -------------------------------------------------------------------------------------------------

    def heads(self, index: int) -> int:
        listed = self.keys.listed("num_attention_heads_per_layer", length=self.count)
        return (
            int(listed[index]) if listed else self.keys.whole("num_attention_heads", "num_heads", "n_head", top=1 << 16)
        )

    def head_dim(self) -> int:
        stated = self.keys.whole("head_dim", "attention_head_dim", default=0, top=1 << 16)
        if stated:
            return stated
        heads = self.heads(0)
        if heads == 0:
            raise ConfigError("num_attention_heads must be positive")
        return self.hidden // heads

    def bias(self) -> str:
        traits, keys = self.traits, self.keys
        if traits.bias != "none":
            return traits.bias
        if keys.flag("use_qkv_bias", "qkv_bias"):
            return "qkv"
        return traits.stated_bias if keys.flag("attention_bias", "use_bias", "bias") else "none"

    def qk_norm(self) -> str:
        if self.traits.qk_norm_asked and not self.keys.flag("use_qk_norm", "qk_norm"):
            return "none"
        return self.traits.qk_norm

    def gate(self) -> str:
        if self.model_type == "laguna":
            return "element" if self.keys.word("gating") == "elementwise" else "per-head"
        if self.model_type == "lfm3" and not self.keys.flag("use_attention_gate", default=True):
            return "none"
        return self.traits.gate

    def kinds(self) -> list[str]:
        """ "full", "slide", "chunk", "cross" or the name of another mixer, per layer."""
        keys, count, period = self.keys, self.count, self.traits.period
        listed = keys.listed("layer_types", "layers_block_type", length=count)
        if listed:
            return [_KINDS.get(str(kind), str(kind)) for kind in listed]
        pattern = keys.listed("hybrid_layer_pattern", length=count)
        if pattern:
            return ["slide" if one else "full" for one in pattern]
        cross = keys.get("cross_attention_layers")
        if isinstance(cross, list):
            return ["cross" if index in cross else "full" for index in range(count)]
        stated = keys.get("sliding_window_pattern", "global_attn_every_n_layers", "_sliding_window_pattern")
        if isinstance(stated, int) and stated > 0:
            period = stated
        if keys.flag("use_sliding_window"):
            first = keys.whole("max_window_layers", default=0)
            return ["full" if index < first else "slide" for index in range(count)]
        if period == 0 or keys.values.get("use_sliding_window") is False:
            return ["full"] * count
        if self.model_type == "llama4_text":
            return ["full" if (index + 1) % period == 0 else "chunk" for index in range(count)]
        return ["slide" if period == 1 or (index + 1) % period else "full" for index in range(count)]

    def window(self) -> int:
        window = self.keys.whole("sliding_window", default=self.traits.window)
        return 0 if self.context and window >= self.context else window

    def attention(self, kind: str, index: int) -> Attention:
        keys, traits = self.keys, self.traits
        heads, rotary = self.heads(index), self.rotates(kind, index)
        found = Attention(
            heads=heads,
            kv_heads=keys.whole("num_key_value_heads", "num_kv_heads", default=heads, top=1 << 16),
            head_dim=self.head_dim(),
            bias=self.bias(),
            qk_norm=self.qk_norm(),
            gate=self.gate(),
            sinks=traits.sinks,
            rotary=rotary,
            temperature=not rotary and bool(keys.get("attn_temperature_tuning", default=traits.unrotated_temperature)),
        )
        v_dim = keys.whole("v_head_dim", default=0, top=1 << 16)
        found = replace(found, v_dim=0 if v_dim == found.head_dim else v_dim)
        if kind == "slide":
            found = self._sliding(replace(found, window=self.window()))
        elif kind == "chunk":
            found = replace(found, window=keys.whole("attention_chunk_size"), window_kind="chunk")
        elif kind == "cross":
            found = replace(found, kv="cross", qk_norm="head")
        return self._special(found, kind, index)

    def rotates(self, kind: str, index: int) -> bool:
        """Whether this layer's attention rotates."""
        keys, which = self.keys, self.traits.unrotated
        if which.startswith("full"):
            dense = 0
            if which == "full after dense":
                dense = keys.whole("first_k_dense_replace", "num_dense_layers", default=self.traits.dense_first)
            return kind != "full" or index < dense or "slide" not in self.kinds()
        if which == "fourth":
            listed = keys.listed("no_rope_layers", length=self.count)  # 1 where it does
            step = keys.whole("no_rope_layer_interval", default=4)
            return bool(listed[index]) if listed else not step or (index + 1) % step > 0
        return True

    def _sliding(self, found: Attention) -> Attention:
        keys = self.keys
        head_dim = keys.whole("swa_head_dim", default=found.head_dim)
        v_dim = keys.whole("swa_v_head_dim", default=found.value_dim)
        return replace(
            found,
            heads=keys.whole("swa_num_attention_heads", default=found.heads),
            kv_heads=keys.whole("swa_num_key_value_heads", default=found.kv_heads),
            head_dim=head_dim,
            v_dim=0 if v_dim == head_dim else v_dim,
        )

    def _special(self, found: Attention, kind: str, index: int) -> Attention:
        keys, name = self.keys, self.model_type
        if name == "mimo_v2_flash":
            swa, full = keys.flag("add_swa_attention_sink_bias"), keys.flag("add_full_attention_sink_bias")
            return replace(found, sinks=swa if kind == "slide" else full)
        if name == "granite_swa":
            return replace(found, sinks=True)
        if name.startswith("gemma4") and kind == "full":
            kv = keys.whole("num_global_key_value_heads", default=found.kv_heads)
            same = keys.flag("attention_k_eq_v")
            found = replace(found, head_dim=keys.whole("global_head_dim", default=found.head_dim), k_is_v=same)
            found = replace(found, kv_heads=kv if same else found.kv_heads)
        if name == "inkling_text":
            return replace(found, kv_conv=4, relative=Relative(dim=16, length=found.window or 1024))
        shared = keys.whole("num_kv_shared_layers", default=0)
        if shared and index >= self.count - shared:
            return replace(found, kv="shared")
        sparse = keys.part("sparse_attention_config")
        if sparse.values and (sparse.get("sparse_attention_freq", default=[1] * self.count))[index]:
            return replace(found, indexer=self._direct(sparse))
        if name == "qwen4_exp_text":
            heads, kv = keys.whole("indexer_n_heads"), keys.whole("indexer_kv_heads", default=1)
            top_k = keys.whole("indexer_budget", default=0)
            return replace(found, indexer=DirectIndexer(heads, keys.whole("indexer_head_dim"), kv, top_k=top_k))
        return found

    def _direct(self, sparse: Keys) -> DirectIndexer:
        """The block-sparse selection. llama.cpp caches values beside its keys even where the model disables them."""
        return DirectIndexer(
            heads=sparse.whole("sparse_num_index_heads"),
            dim=sparse.whole("sparse_index_dim"),
            values=True,
            top_k=sparse.whole("sparse_block_size", default=0) * sparse.whole("sparse_topk_blocks", default=0),
        )

    # -- latent attention ------------------------------------------------------------------------------------------

    def mla(self, index: int) -> Mla:
        keys = self.keys
        rope = keys.whole("qk_rope_head_dim", default=0, top=1 << 16)
        no_rope = keys.listed("no_rope_layers", length=self.count) if self.model_type == "mistral_large4_text" else None
        if no_rope and not no_rope[index]:
            rope = 0
        gate = self.traits.gate
        if keys.flag("mla_use_output_gate"):
            gate = "element"
        return Mla(
            heads=self.heads(index),
            kv_rank=keys.whole("kv_lora_rank", top=1 << 20),
            nope=keys.whole("qk_nope_head_dim", top=1 << 16),
            rope=rope,
            v_dim=keys.whole("v_head_dim", top=1 << 16),
            q_rank=keys.whole("q_lora_rank", default=0, top=1 << 20),
            bias=keys.flag("attention_bias"),
            gate=gate,
            sinks=self.traits.sinks,
            indexer=self._latent_indexer(index),
        )

    def _latent_indexer(self, index: int) -> LatentIndexer | None:
        keys = self.keys
        dim = keys.whole("index_head_dim", default=0, top=1 << 16)
        types = keys.listed("indexer_types", length=self.count)
        if not dim or (types and types[index] != "full"):
            return None
        default = 64 if self.model_type == "hy_v4" else None
        return LatentIndexer(
            style="low-rank",
            heads=keys.whole("index_n_heads", default=default, top=1 << 16),
            dim=dim,
            pool=keys.whole("index_kpool", default=0, top=1 << 16),
            top_k=keys.whole("index_topk", default=0),
        )

    def compressed(self, index: int) -> Compressed:
        keys = self.keys
        ratios = keys.listed("compress_ratios", length=self.count) or [0] * self.count
        ratio = int(ratios[index])
        indexer = None
        if self.model_type == "deepseek_v41":
            sources = keys.get("index_source_layer_ids", default=[])
            indexed = index in sources
        else:
            indexed = ratio == 4
        if indexed:
            indexer = LatentIndexer(
                style="pooled",
                heads=keys.whole("index_n_heads"),
                dim=keys.whole("index_head_dim"),
                top_k=keys.whole("index_topk", default=0),
            )
        kv_sources = keys.get("kv_source_layer_ids")
        shared = isinstance(kv_sources, list) and ratio > 0 and index not in kv_sources
        return Compressed(
            heads=self.heads(index),
            head_dim=self.head_dim(),
            q_rank=keys.whole("q_lora_rank"),
            o_rank=keys.whole("o_lora_rank"),
            o_groups=keys.whole("o_groups"),
            window=keys.whole("sliding_window"),
            ratio=ratio,
            indexer=indexer,
            kv="shared" if shared else "own",
        )

    # -- recurrent mixers ------------------------------------------------------------------------------------------

    def delta_net(self) -> DeltaNet:
        keys = self.keys
        return DeltaNet(
            k_heads=keys.whole("linear_num_key_heads"),
            v_heads=keys.whole("linear_num_value_heads"),
            k_dim=keys.whole("linear_key_head_dim"),
            v_dim=keys.whole("linear_value_head_dim"),
            conv=keys.whole("linear_conv_kernel_dim"),
        )

    def kda(self) -> Kda:
        keys, linear = self.keys, self.keys.part("linear_attn_config")
        if linear.values:
            heads, dim, conv = (
                linear.whole("num_heads"),
                linear.whole("head_dim"),
                linear.whole("short_conv_kernel_size"),
            )
            rank = 0 if linear.flag("use_full_rank_gate") else dim
            return Kda(heads, dim, conv, gate_rank=rank, forget_rank=dim)
        heads, dim = keys.whole("linear_num_heads"), keys.whole("linear_head_dim")
        conv = keys.whole("linear_conv_kernel_dim", "short_conv_kernel_size")
        if self.model_type == "bailing_hybrid":
            return Kda(heads, dim, conv)
        return Kda(heads, dim, conv, gate_rank=dim, forget_rank=dim)

    def mamba1(self) -> Mamba:
        keys = self.keys
        inner = keys.whole("expand", "mamba_expand", default=2) * self.hidden
        dt_rank = keys.get("time_step_rank", "mamba_dt_rank", default="auto")
        return Mamba(
            inner=keys.whole("intermediate_size", default=inner) if self.traits.mixer == "mamba" else inner,
            state_size=keys.whole("state_size", "mamba_d_state"),
            dt_rank=-(-self.hidden // 16) if dt_rank == "auto" else int(dt_rank),
            conv=keys.whole("conv_kernel", "mamba_d_conv"),
            inner_norms=self.model_type == "jamba",
        )

    def mamba2(self) -> Mamba2:
        keys = self.keys
        heads = keys.whole("mamba_num_heads", "mamba_n_heads", "num_heads")
        head_dim = keys.whole("mamba_head_dim", "mamba_d_head", "head_dim")
        inner = keys.whole("mamba_d_ssm", default=heads * head_dim)
        return Mamba2(
            inner=inner,
            state_size=keys.whole("ssm_state_size", "mamba_d_state", "state_size"),
            groups=keys.whole("n_groups", "mamba_n_groups"),
            heads=heads,
            conv=keys.whole("conv_kernel", "mamba_d_conv"),
            norm=keys.flag("mamba_rms_norm", default=True),
            conv_bias=keys.flag("use_conv_bias", "mamba_conv_bias", default=True),
            bias=keys.flag("mamba_proj_bias"),
        )


_KINDS = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "slide",
    "chunked_attention": "chunk",
    "linear_attention": "linear",
    "indexed_attention": "full",
    "hybrid": "full",
}
