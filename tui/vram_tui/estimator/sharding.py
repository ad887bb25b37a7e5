"""How a model is cut over devices: what a rank of a tensor-, pipeline-, expert- and data-parallel plan holds."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from vram_tui.estimator.blocks import KEPT_F32, Attention, Experts, Mixer, Parallel, Tensor
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.records import record
from vram_tui.estimator.server_weights import Rule
from vram_tui.estimator.tensors import MODEL_WIDE, trunk_tensors
from vram_tui.estimator.units import ceil_div

_REPLICATED = frozenset(
    (
        "router",
        "attn_q_a",
        "attn_kv_a",
        "attn_kv",
        "latent_down",
        "latent_up",
        "router_table",
        "mtp_projection",
        "per_layer_projection",
        "per_layer_gate",
        "per_layer_out",
    )
)
_KV_ROLES = frozenset(("attn_k", "attn_v", "attn_k_bias", "attn_v_bias", "attn_k_conv", "attn_v_conv"))
_VOCABULARY = frozenset(("embedding", "head", "per_layer_embedding", "mtp_embedding", "mtp_head"))


@record
class Plan:
    """Ranks of each kind. A replica is `tp` × `pp` devices, `dp` replicas share nothing but, with `ep`, the experts.

    `ep` is 1 (experts are cut like everything else) or tp × dp (whole experts, spread over all ranks of a stage).
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1

    @property
    def devices(self) -> int:
        return self.tp * self.pp * self.dp

    @property
    def text(self) -> str:
        parts = [f"tp={self.tp}"] if self.tp > 1 or self.devices == 1 else []
        parts += [f"{name}={value}" for name, value in (("pp", self.pp), ("ep", self.ep), ("dp", self.dp)) if value > 1]
        return " ".join(parts)


def stages(layers: int, pp: int) -> tuple[tuple[int, int], ...]:
    """The (first, end) layers of every pipeline stage: as even as it goes, the longer stages in the middle.

    The last stage is the shorter one where they differ: it also holds the head.
    """
    base, rest = divmod(layers, pp)
    counts = [base] * pp
    for offset in range(rest):
        counts[(pp - 2 - offset) % pp] += 1
    bounds = [sum(counts[:index]) for index in range(pp + 1)]
    return tuple(pairwise(bounds))


def attention_parts(mixer: Mixer | None) -> Iterator[Mixer]:
    """The mixer, or the parts of a parallel pair."""
    if isinstance(mixer, Parallel):
        for part in mixer.parts:
            yield from attention_parts(part)
    elif mixer is not None:
        yield mixer


def kv_share(kv_heads: int, tp: int) -> tuple[int, int]:
    """(heads on one rank, heads of the model): a rank holds at least one, so heads are copied where tp exceeds them."""
    return (max(1, kv_heads // tp), max(kv_heads, 1))


def layer_kv_heads(layer: Layer) -> int:
    """The key/value heads of a layer's attention, 0 without one."""
    for part in attention_parts(layer.mixer):
        if isinstance(part, Attention):
            return part.kv_heads
    return 0


def rank_tensor_bytes(tensor: Tensor, size: int, plan: Plan, kv_heads: int) -> int:
    """What one rank holds of a tensor of `size` bytes."""
    role, tp = tensor.role, plan.tp
    if "_exps" in role:
        return ceil_div(size, plan.ep if plan.ep > 1 else tp)
    if role in _VOCABULARY:
        return ceil_div(size, tp)
    if role in _KV_ROLES and kv_heads:
        held, total = kv_share(kv_heads, tp)
        return size * held // total
    whole = len(tensor.shape) == 1 or role in _REPLICATED or role.startswith(("indexer", "hyper", "router"))
    if whole and not (tensor.keep == KEPT_F32 and role.startswith("ssm")):
        return size
    return ceil_div(size, tp)


@record
class RankWeights:
    """Bytes on one rank of every pipeline stage, in order."""

    stage_bytes: tuple[int, ...]

    @property
    def largest(self) -> int:
        return max(self.stage_bytes)


@lru_cache(maxsize=512)
def rank_weights(model: Model, rule: Rule, plan: Plan, *, mtp: bool = False) -> RankWeights:
    """Bytes of the weights on a rank of each stage: embedding on the first, head and MTP layers on the last."""
    layers = tuple(model.layers())
    per_layer = [0] * len(layers)
    first = last = 0
    sizes: dict[Tensor, int] = {}
    for number, tensor, of_mtp in trunk_tensors(model, file=False):
        if (of_mtp and not mtp) or not tensor.counted:
            continue
        if tensor not in sizes:
            sizes[tensor] = rule.tensor_bytes(tensor)
        kv_heads = layer_kv_heads(layers[number]) if 0 <= number < len(layers) else 0
        held = rank_tensor_bytes(tensor, sizes[tensor], plan, kv_heads)
        if of_mtp:
            last += held
        elif number != MODEL_WIDE:
            per_layer[number] += held
        elif tensor.cls == "emb":
            first += 0 if rule.host_embedding else held
            if tensor.role == "embedding" and model.tied_embeddings and (plan.pp > 1 or rule.host_embedding):
                last += round(held * rule.head_bits / rule.plain_bits) if rule.host_embedding else held
        else:
            last += held
    bounds = stages(len(layers), plan.pp)
    found = [sum(per_layer[begin:end]) for begin, end in bounds]
    found[0] += first
    found[-1] += last
    return RankWeights(tuple(found))


def illegal(model: Model, plan: Plan, rule: Rule, *, uneven: bool = False) -> str:
    """Why a plan cannot be, in a sentence; empty where it can. `uneven`: the engine cuts tensors unevenly."""
    if min(plan.tp, plan.pp, plan.ep, plan.dp) < 1:
        return "a plan needs at least one device"
    layers = model.layer_count
    if plan.pp > layers:
        return f"pp={plan.pp}: the model has only {layers} layers to spread over {plan.pp} stages"
    experts = {half.count for layer in model.distinct_layers() if isinstance(half := layer.feed_forward, Experts)}
    if plan.ep > 1:
        if not experts:
            return f"ep={plan.ep}: the model has no experts"
        if plan.ep != plan.tp * plan.dp:
            return f"ep={plan.ep}: experts are spread over all {plan.tp * plan.dp} ranks of a stage (tp × dp)"
        for count in experts:
            if count % plan.ep:
                return f"ep={plan.ep}: {count} experts do not divide by {plan.ep}"
    if plan.tp == 1 or uneven:
        return ""
    for layer in model.distinct_layers():
        reason = _illegal_layer(layer, plan, rule)
        if reason:
            return f"tp={plan.tp}: {reason}"
    return ""


def _illegal_layer(layer: Layer, plan: Plan, rule: Rule) -> str:
    tp = plan.tp
    for part in attention_parts(layer.mixer):
        heads = getattr(part, "v_heads", 0) or getattr(part, "heads", 0)
        if heads and heads % tp:
            return f"{heads} heads do not divide by {tp}"
        kv_heads = getattr(part, "kv_heads", 0)
        if kv_heads and kv_heads % tp and tp % kv_heads:
            return f"{kv_heads} key/value heads neither divide by {tp} nor are copied evenly"
        inner = getattr(part, "inner", 0)
        if inner and inner % tp:
            return f"a state of {inner} channels does not divide by {tp}"
    half = layer.feed_forward
    if half is None:
        return ""
    widths = [(half.size, "expert" if isinstance(half, Experts) else "feed-forward")]
    if isinstance(half, Experts):
        if plan.ep > 1:
            widths = []
        widths += [(half.shared, "shared expert"), (half.dense, "feed-forward")]
    for width, what in widths:
        reason = _illegal_width(width, what, tp, rule)
        if reason:
            return reason
    return ""


def _illegal_width(width: int, what: str, tp: int, rule: Rule) -> str:
    if not width:
        return ""
    if width % tp:
        return f"the {what} width {width} does not divide by {tp}"
    group = rule.group or rule.block
    quantized = rule.scope != "experts" or what == "expert"
    if group and quantized and not rule.padded and width % group == 0 and (width // tp) % group:
        return f"{what} width {width} leaves {width // tp} on a rank, which splits the format's groups of {group}"
    return ""
