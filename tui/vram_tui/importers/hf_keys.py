"""Reading a Hugging Face configuration: typed look-ups that remember which keys were understood."""

from collections.abc import Mapping
from typing import Any

_HARMLESS_WORDS = """
    _attn_implementation _attn_implementation_autoset _class _name_or_path activation_situ_beta
    activation_situ_linear_beta activation_sparsity_pattern add_cross_attention altup_active_idx altup_coef_clip
    altup_correct_scale architectures attention_bias attention_chunk_size attention_dropout attention_logit_cap
    attention_multiplier attention_output_gate attention_sink_size attention_value_scale attn_logit_softcapping
    attn_output_gate attn_res_block_size attn_type_list auto_map aux_loss_alpha bad_words_ids
    begin_suppress_tokens beta_fast block_auto_adjust_ff_dim block_dim block_ff_dim block_ffn_dim_multiplier
    block_mlp_init_scale block_multiple_of block_norm_eps block_out_init_scale block_use_swiglu
    block_use_xavier_init cache_implementation candidate_block_size candidate_source_layer_id
    candidate_topk_blocks chunk_size chunk_size_feed_forward clip_qkv compress_rope_theta context_window_size
    conv_bias conv_dim conv_dim_out conv_use_xavier_init cross_attention_hidden_size decoder_start_token_id
    diversity_penalty do_sample dtype early_stopping embd_pdrop embedding_initializer_range embedding_multiplier
    embedding_size enable_moe_fp32_combine encoder_no_repeat_ngram_size ep_size expand expert_dtype
    expert_intermediate_size exponential_decay_length_penalty final_logit_softcapping finetuning_task
    first_k_dense_replace for_llm_compressor forced_bos_token_id forced_eos_token_id full_attention_interval
    global_attn_every_n_layers gradient_checkpointing hc_eps hc_sinkhorn_iters head_dim hidden_act
    hidden_activation hidden_dropout hidden_size_per_layer_input id2label ignore_index image_seq_length
    index_share_for_mtp_iteration index_skip_topk_offset index_topk_freq index_topk_pattern
    indexer_compress_ratio indexer_rope_interleave indexer_types initial_context_length initializer_range
    intermediate_size intermediate_size_mlp is_decoder is_encoder_decoder is_llama_config kda_lower_bound
    kda_safe_gate kv_source_layers label2id language_model_only layer_group_size layer_norm_eps
    layer_norm_epsilon layer_rope_theta layer_types layernorm_epsilon length_penalty linear_a_log_max
    linear_a_log_min linear_allow_neg_eigval linear_dt_init_floor linear_dt_max linear_dt_min logits_scaling
    mamba_chunk_size mamba_d_conv mamba_d_head mamba_d_state mamba_expand mamba_hidden_act mamba_n_groups
    mamba_n_heads mamba_proj_bias mamba_ssm_cache_dtype mamba_ssm_dtype max_length max_window_layers
    max_window_size min_length mla_use_nope mlp_bias mlp_hidden_act mlp_only_layers model_type
    moe_apply_router_weight_on_input moe_intermediate_size moe_layer_freq moe_layer_norm_min moe_norm_min
    moe_renormalize moe_routed_scaling_factor moe_router_activation_func moe_router_dtype
    moe_router_logit_softcapping moe_router_scaling_factor moe_shared_expert_overlap mscale mscale_all_dim
    mtp_loss_scaling_factor mtp_transformer_layers mtp_use_dedicated_embeddings multi_query n_group
    no_repeat_ngram_size no_rope_layer_interval no_rope_layers norm_eps norm_topk_prob num_attention_heads
    num_beam_groups num_beams num_expert_group num_experts_per_tok num_heads_kv num_key_value_groups
    num_key_value_heads num_logits_to_keep num_mtp_modules num_return_sequences original_max_position_embeddings
    output_attentions output_gate_type output_hidden_states output_multiplier output_router_logits output_scores
    parallel_attn partial_rotary_factor post_norm_eps prefill_chunk_size prefix pretraining_tp problem_type
    projectors_bias pruned_heads qk_head_dim qk_norm_type qk_rope_head_dim qk_scale_factor quantization_config
    query_pre_attn_scalar remove_invalid_values repetition_penalty rescale_prenorm_residual resid_pdrop
    residual_gate_temperature residual_in_fp32 residual_multiplier return_dict return_dict_in_generate rms_norm
    rms_norm_eps rope_interleave rope_interleaved rope_local_base_freq rope_parameters rope_scaling rope_theta
    rotary_dim rotary_pct routed_scaling_factor router_aux_loss_coef router_jitter_noise router_scaling_factor
    score_function scoring_func sep_token_id seq_aux shared_expert_intermediate_size short_conv_kernel_size
    sliding_window sliding_window_pattern sliding_window_size suppress_tokens swa_rope_theta swiglu_alpha
    swiglu_limit task_specific_params temperature tensor_parallel_size tf_legacy_loss theta tie_encoder_decoder
    time_step_floor time_step_rank time_step_init_scheme time_step_limit time_step_max time_step_min time_step_scale
    tokenizer_class top_k top_p topk_group topk_method torch_dtype torchscript transformers.js_config
    transformers_version typical_p unsloth_fixed unsloth_version use_associative_scan use_bfloat16 use_bias
    use_bidirectional_attention use_cache use_cache_quantization use_conv_bias use_double_wide_mlp
    use_gemma_norm use_grouped_topk use_mamba_kernels use_mambapy use_moe_router_bias use_mrope use_mtp
    use_pos_enc use_qk_norm use_routing_bias use_unified_vision_chunk vocab_size_per_layer_input
    z_loss_coefficient
"""
HARMLESS = frozenset(_HARMLESS_WORDS.split())
"""Keys that change no tensor and no cache, or that repeat what another key says for the types that have both."""


class ConfigError(ValueError):
    """A configuration that cannot be read as a model; says which key, and what was expected."""


class Keys:
    """A configuration whose look-ups are recorded. The first of several names that is present and not null wins."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.used: set[str] = set()

    def get(self, *names: str, default: Any = None) -> Any:
        self.used.update(names)
        for name in names:
            value = self.values.get(name)
            if value is not None:
                return value
        return default

    def whole(self, *names: str, default: int | None = None, top: int = 1 << 40) -> int:
        """A non-negative whole number. Raises ConfigError when it is missing without a default, or out of range."""
        value = self.get(*names, default=default)
        if value is None:
            raise ConfigError(f"{names[0]} is missing")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= top:
            raise ConfigError(f"{names[0]} should be a whole number, not {str(value)[:40]!r}")
        return value

    def flag(self, *names: str, default: bool = False) -> bool:
        value = self.get(*names, default=default)
        return bool(value) if isinstance(value, (bool, int)) else default

    def word(self, *names: str, default: str = "") -> str:
        value = self.get(*names, default=default)
        return value if isinstance(value, str) else default

    def listed(self, *names: str, length: int) -> list[Any] | None:
        """A per-layer list, cut to `length`; None when absent. Raises ConfigError when it is too short."""
        value = self.get(*names)
        if not isinstance(value, list) or not value:
            return None
        if len(value) < length:
            raise ConfigError(f"{names[0]} has {len(value)} entries for {length} layers")
        return value[:length]

    def part(self, *names: str) -> "Keys":
        value = self.get(*names)
        return Keys(value if isinstance(value, dict) else {})

    def unknown(self) -> tuple[str, ...]:
        """Keys that nobody asked for and that may matter: not harmless, not a token id, not null, not a tower."""
        return tuple(
            sorted(
                key
                for key, value in self.values.items()
                if key not in self.used
                and key not in HARMLESS
                and value is not None
                and not any(part in key for part in ("token", "vision", "audio", "image", "video", "projector"))
            )
        )
