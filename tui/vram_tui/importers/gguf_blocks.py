"""GGUF metadata to blocks: the key-values of a file, its traits, and its tensor list where there is one."""

import math
from collections.abc import Mapping, Sequence

from vram_tui.catalog.stacking import stacked
from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    DirectIndexer,
    Experts,
    FeedForward,
    Gated,
    Kda,
    LatentIndexer,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    Plain,
    ShortConv,
)
from vram_tui.estimator.model import AltUp, Gguf, HyperConnections, Layer, Model, Mtp, PerLayerInput, Tower
from vram_tui.importers.gguf_keys import BlocksError, Keys
from vram_tui.importers.gguf_left_out import without
from vram_tui.importers.gguf_names import FACTORS
from vram_tui.importers.gguf_observed import Seen, observed
from vram_tui.importers.gguf_traits import TRAITS, GgufTraits

LIGHTNING_PERIOD = 8
"""Every eighth layer of a lightning model is full attention; no key says so."""


def model_from_metadata(
    kv: Mapping[str, object],
    *,
    vocab_size: int,
    tied: bool | None,
    tensors: Mapping[str, Sequence[int]] | None = None,
    left_out: Sequence[str] | None = None,
) -> Model:
    """The model that a GGUF file's key-values describe.

    `tensors` maps names to shapes (ne) and overrules the architecture's traits; `left_out` are patterns such as
    `blk.N.attn_v.weight` of all optional tensors that the file does not have (None: nobody says, and the file is taken
    to be as usual); `tied` None counts as untied.
    Raises BlocksError for missing or impossible keys.
    """
    keys = Keys(kv)
    traits = TRAITS.get(keys.architecture, GgufTraits())
    missing = frozenset(left_out or ())
    seen = Seen(tensors)
    if seen:
        traits = observed(traits, seen)
    elif left_out is not None:
        traits = without(traits, missing)
    return _Reader(keys, traits, missing, seen).model(vocab_size, bool(tied))


class _Reader:
    """One pass over the layers."""

    def __init__(self, keys: Keys, traits: GgufTraits, missing: frozenset[str], seen: Seen) -> None:
        self.keys = keys
        self.traits = traits
        self.missing = missing
        self.seen = seen
        self.hidden = keys.number("embedding_length")
        self.mtp = keys.number("nextn_predict_layers", 0)
        self.trunk = keys.number("block_count") - self.mtp
        if self.trunk < 1 or self.trunk > 1024:
            raise BlocksError(f"{keys.architecture}.block_count: {self.trunk} layers")
        self.is_mla = keys.has("attention.kv_lora_rank") and not keys.has("attention.compress_ratios")

    def model(self, vocab_size: int, tied: bool) -> Model:
        keys, traits = self.keys, self.traits
        layers = [self._layer(number) for number in range(self.trunk)]
        mtp = tuple(self._layer(self.trunk + number, mtp=True) for number in range(self.mtp))
        per_layer = keys.number("embedding_length_per_layer_input", 0)
        streams = keys.number("hyper_connection.count", 0)
        hyper = not streams or self._told(self.trunk, traits.mtp_hyper, "hc_attn_fn.weight")
        altup = keys.number("altup.num_inputs", 0)
        levels = keys.number("n_deepstack_layers", 0)
        return Model(
            hidden_size=self.hidden,
            vocab_size=vocab_size,
            stack=stacked(layers),
            tied_embeddings=tied,
            norm=traits.norm,
            norms=traits.norms,
            final_norm=traits.final_norm,
            embedding_norm=traits.embedding_norm,
            head_bias=traits.head_bias,
            position_ids=4 if keys.has("rope.dimension_sections") else 1,
            residual_vectors=traits.residual_vectors,
            per_layer_input=PerLayerInput(per_layer, vocab_size) if per_layer else None,
            altup=AltUp(altup, traits.laurel_rank) if altup else None,
            hyper_connections=HyperConnections(streams, traits.hyper_style, head=traits.hyper_head)
            if streams
            else None,
            mtp=Mtp(mtp[:1], self.mtp, norms=traits.mtp_norms, hyper=hyper) if mtp else None,
            # The file has no encoder, but its levels widen the inputs that the language model takes.
            towers=(Tower("vision", 0, levels),) if levels else (),
            context_tokens=keys.number("context_length", 0),
            gguf=self._gguf(),
        )

    def _gguf(self) -> Gguf:
        keys, traits = self.keys, self.traits
        head_dim = self._head_dim(0)
        rotary = keys.number("rope.dimension_count", head_dim)
        value_length = keys.number("attention.value_length", 0)
        return Gguf(
            architecture=keys.architecture,
            mtp_norms=traits.mtp_norms,
            fused=traits.fused,
            mla=self._mla_style() if self.is_mla else "absorbed",
            rope_factors=self._rope_factors(rotary // 2),
            rope_tables=self._rope_tables(),
            layer_scalars=traits.layer_scalars,
            mtp=not self.mtp or self.seen.has(self.trunk, "attn_norm.weight", "nextn.eh_proj.weight") is not False,
            stored_shared_kv=self._stores_shared_kv(),
            left_out=self._left_out(),
            value_length=value_length
            if self.is_mla and value_length != keys.number("attention.kv_lora_rank", 0)
            else 0,
        )

    def _rope_factors(self, width: int) -> int:
        """Elements of the tables that scale rotary frequencies."""
        if self.seen:
            return sum(math.prod(self.seen.tensors[name]) for name in FACTORS if name in self.seen.tensors)
        return {"": 0, "optional": width}.get(self.traits.rope_factors, 2 * width)

    def _rope_tables(self) -> int:
        if self.seen:
            return max(1, sum(name in self.seen.tensors for name in FACTORS))
        return 2 if self.traits.rope_factors == "long and short" else 1

    def _stores_shared_kv(self) -> bool:
        stored = self.seen.has(self.trunk - 1, "attn_k.weight", "attn_v.weight")
        return self.traits.stored_shared_kv if stored is None else stored and self._own_caches() < self.trunk

    def _left_out(self) -> tuple[str, ...]:
        """Left-out projections as roles. K without V can only be missing where another layer's K is used."""
        found = []
        if "blk.N.attn_v.weight" in self.missing:
            found.append("attn_v")
        without_k = "blk.N.attn_k.weight" in self.missing
        if self.seen and self._stores_shared_kv():
            without_k = not self.seen.has(self.trunk - 1, "attn_k.weight")
        if without_k:
            found += ["shared:attn_k", "shared:attn_k_norm"]
        return tuple(found)

    def _told(self, number: int, trait: bool, *names: str) -> bool:
        """What the tensor list says about a layer, else the trait."""
        seen = self.seen.has(number, *names)
        return trait if seen is None else seen

    def _mla_style(self) -> str:
        return "absorbed" if self.keys.has("attention.key_length_mla") else "expanded"

    def _layer(self, number: int, *, mtp: bool = False) -> Layer:
        mixer, feed_forward = self._mixer(number, mtp), self._feed_forward(number, mtp)
        if self.traits.halves and not mtp and isinstance(mixer, Attention | Mamba | Mamba2):
            feed_forward = None
        return Layer(mixer, feed_forward)

    # Mixers

    def _mixer(self, number: int, mtp: bool) -> Mixer | None:
        keys, traits = self.keys, self.traits
        if keys.has("attention.compress_ratios"):
            return self._compressed(number)
        if traits.both:
            return Parallel((self._attention(number), self._recurrent()))
        if self._is_recurrent(number, mtp):
            if traits.halves and keys.per_layer("feed_forward_length", number):
                return None
            return self._recurrent()
        if self.is_mla:
            return self._latent(number, mtp)
        if not keys.per_layer("attention.head_count_kv", number, self._heads(number)):
            return Linear() if self._heads(number) else None
        return self._attention(number)

    def _is_recurrent(self, number: int, mtp: bool) -> bool:
        keys, traits = self.keys, self.traits
        if not traits.recurrent or mtp:
            return False
        if keys.is_list("attention.recurrent_layers"):
            return bool(keys.per_layer("attention.recurrent_layers", number))
        if traits.recurrent == "lightning":
            return (number + 1) % LIGHTNING_PERIOD != 0
        if traits.recurrent == "delta-net":
            return (number + 1) % keys.number("full_attention_interval", 4) != 0
        if keys.is_list("attention.head_count_kv"):
            return keys.per_layer("attention.head_count_kv", number) == 0
        return True

    def _recurrent(self) -> Mixer:
        keys, traits = self.keys, self.traits
        if traits.recurrent == "short-conv":
            return ShortConv(keys.number("shortconv.l_cache"))
        if traits.recurrent == "lightning":
            return Lightning(self._heads(0), self._head_dim(0))
        conv = keys.number("ssm.conv_kernel", 4)
        if traits.recurrent == "kda":
            dim = keys.number("kda.head_dim")
            gate, forget = (0 if full else dim for full in (traits.full_rank_gate, traits.full_rank_forget))
            return Kda(self._heads(0), dim, conv, gate_rank=gate, forget_rank=forget)
        inner, state = keys.number("ssm.inner_size"), keys.number("ssm.state_size")
        steps = keys.number("ssm.time_step_rank")
        if traits.recurrent == "mamba":
            return Mamba(inner, state, steps, conv, traits.inner_norms)
        groups = keys.number("ssm.group_count")
        if traits.recurrent == "delta-net":
            return DeltaNet(groups, steps, state, inner // steps, conv)
        return Mamba2(inner, state, groups, steps, conv, norm=traits.conv_norm)

    def _heads(self, number: int) -> int:
        return self.keys.per_layer("attention.head_count", number)

    def _head_dim(self, number: int) -> int:
        stated = self.keys.number("attention.key_length", 0)
        heads = self._heads(number)
        return stated or (self.hidden // heads if heads else 0)

    def _attention(self, number: int) -> Attention:
        keys, traits = self.keys, self.traits
        window = self._window(number)
        suffix = "_swa" if window and keys.has("attention.key_length_swa") else ""
        head_dim = keys.number(f"attention.key_length{suffix}", self._head_dim(number))
        v_dim = keys.number(f"attention.value_length{suffix}", head_dim)
        heads = self._heads(number)
        unrotated = self._unrotated(number, window)
        listed = traits.direct_indexer and number >= keys.number("leading_dense_block_count", 0)
        indexed = listed and self._told(number, True, "indexer.k_proj.weight")
        return Attention(
            heads=heads,
            kv_heads=keys.per_layer("attention.head_count_kv", number, heads),
            head_dim=head_dim,
            v_dim=v_dim if v_dim != head_dim else 0,
            window=window,
            window_kind=traits.window_kind if window else "slide",
            bias=traits.bias,
            qk_norm=traits.qk_norm,
            gate=traits.gate,
            sinks=self._told(
                number, traits.sinks == "all" or (traits.sinks == "window" and window > 0), "attn_sinks.weight"
            ),
            k_is_v=not self._told(
                number, not (traits.k_is_v == "full" and not window), "attn_v.weight", "attn_qkv.weight"
            ),
            kv="shared" if self._own_caches() <= number < self.trunk else "own",
            indexer=DirectIndexer(
                heads=keys.number("attention.indexer.head_count"),
                dim=keys.number("attention.indexer.key_length"),
                values=True,
                top_k=keys.number("attention.indexer.top_k", 0),
            )
            if indexed
            else None,
            rotary=not unrotated,
            temperature=unrotated and traits.unrotated_temperature,
        )

    def _unrotated(self, number: int, window: int) -> bool:
        which = self.traits.unrotated
        if which.startswith("full"):
            dense = self.keys.number("leading_dense_block_count", 0) if which == "full after dense" else 0
            return not window and number >= dense and any(self._window(other) for other in range(self.trunk))
        return which == "fourth" and (number + 1) % 4 == 0

    def _own_caches(self) -> int:
        """Leading layers with caches of their own; the rest of the trunk reads theirs."""
        return self.trunk - self.keys.number("attention.shared_kv_layers", 0)

    def _window(self, number: int) -> int:
        """The layer's window in tokens; one that covers the native context is none."""
        keys, traits = self.keys, self.traits
        window = keys.number("attention.sliding_window", traits.window)
        if not window:
            return 0
        if keys.is_list("attention.sliding_window_pattern"):
            return window if keys.per_layer("attention.sliding_window_pattern", number) else 0
        period = keys.number("attention.sliding_window_pattern", traits.period)
        full = number % period == 0 if traits.full_first else (number + 1) % period == 0 if period else False
        return 0 if full or not period else window

    def _latent(self, number: int, mtp: bool) -> Mla:
        keys = self.keys
        rank = keys.number("attention.kv_lora_rank")
        rope = keys.number("rope.dimension_count")
        absorbed = self._mla_style() == "absorbed"
        key = keys.number("attention.key_length_mla" if absorbed else "attention.key_length")
        value = keys.number("attention.value_length_mla" if absorbed else "attention.value_length")
        listed = mtp or bool(keys.per_layer("attention.indexer.types", number, 1))
        indexed = keys.has("attention.indexer.head_count") and self._told(number, listed, "indexer.attn_k.weight")
        return Mla(
            heads=self._heads(number),
            kv_rank=rank,
            nope=key - rope,
            rope=rope,
            v_dim=value,
            q_rank=keys.number("attention.q_lora_rank", 0),
            gate=self.traits.latent_gate,
            sinks=self.traits.sinks == "all",
            indexer=self._indexer("low-rank") if indexed else None,
        )

    def _indexer(self, style: str) -> LatentIndexer:
        keys = self.keys
        return LatentIndexer(
            style,
            keys.number("attention.indexer.head_count"),
            keys.number("attention.indexer.key_length"),
            pool=keys.number("attention.indexer.kpool", 0),
            top_k=keys.number("attention.indexer.top_k", 0),
        )

    def _compressed(self, number: int) -> Compressed:
        keys = self.keys
        ratio = keys.per_layer("attention.compress_ratios", number)
        # Only the fine history is searched; the coarse one is read whole.
        fine = min(
            (r for r in (keys.per_layer("attention.compress_ratios", n) for n in range(self.trunk)) if r), default=0
        )
        return Compressed(
            heads=self._heads(number),
            head_dim=keys.number("attention.key_length"),
            q_rank=keys.number("attention.q_lora_rank"),
            o_rank=keys.number("attention.output_lora_rank"),
            o_groups=keys.number("attention.output_group_count"),
            window=keys.number("attention.sliding_window"),
            ratio=ratio,
            indexer=self._indexer("pooled") if ratio and ratio == fine else None,
        )

    # Feed-forwards

    def _feed_forward(self, number: int, mtp: bool) -> FeedForward | None:
        keys, traits = self.keys, self.traits
        count = keys.number("expert_count", 0)
        dense = keys.per_layer("feed_forward_length", number)
        if traits.halves and not dense:
            return None
        routed = self._has_experts(number) and not (mtp and traits.mtp_dense)
        if count and self._told(number, routed, "ffn_gate_inp.weight"):
            return self._experts(number, count, dense)
        if not dense:
            return None
        if traits.plain:
            return Plain(dense, traits.feed_forward_bias, traits.act_params)
        return Gated(dense, traits.feed_forward_bias)

    def _has_experts(self, number: int) -> bool:
        keys, traits = self.keys, self.traits
        step = keys.number("interleave_moe_layer_step", traits.moe_step) or 1
        first = keys.number("leading_dense_block_count", traits.first_dense)
        return number >= first and (number + 1) % step == 0

    def _experts(self, number: int, count: int, dense: int) -> Experts:
        keys, traits = self.keys, self.traits
        size = keys.number("expert_feed_forward_length", dense)
        shared = keys.number("expert_shared_feed_forward_length", 0)
        if not shared:
            shared = size * (1 if traits.shared_one else keys.number("expert_shared_count", 0))
        hashed = number < keys.number("hash_layer_count", 0)
        return Experts(
            count=count,
            active=keys.number("expert_used_count", 1),
            size=size,
            gated=not traits.plain,
            shared=shared,
            shared_gate=traits.shared_gate and shared > 0,
            router_bias=traits.router_bias and not hashed,
            bias=traits.expert_bias,
            hash=hashed,
            latent=keys.number("moe_latent_size", keys.number("expert_latent_length", 0)),
            dense=dense if traits.dense_beside else 0,
            branch_norms=traits.branch_norms,
            expert_scales=traits.expert_scales,
            router_scale=traits.router_scale,
            latent_out_norm=traits.latent_out_norm,
            raw_weights=traits.states_norm and not keys.number("expert_weights_norm", 0),
        )
