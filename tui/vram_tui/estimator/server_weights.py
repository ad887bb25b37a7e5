"""Bytes of the weights in the formats that servers load: every tensor by its role, quantized ones with their scales."""

from collections.abc import Mapping
from functools import lru_cache

from vram_tui.estimator.blocks import QUANT, Tensor
from vram_tui.estimator.facts import Facts, Format
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.tensors import trunk_tensors
from vram_tui.estimator.units import ceil_div

SIXTEEN_BITS = {"F16": 16.0, "BF16": 16.0, "F32": 32.0}
"""GGUF file types that are plain numbers: every runtime loads them."""
SCOPES = ("linear", "experts", "all")
_KEPT_PREFIXES = ("hyper_", "altup_", "laurel_", "per_layer_", "lookup_", "mtp_embedding", "mtp_head")
_KEPT_ROLES = frozenset(("router", "indexer_proj", "ssm_alpha", "ssm_beta", "ssm_beta_alpha"))


@record
class Rule:
    """The arithmetic of a format: `bits` of a quantized weight, and what its scales add.

    `group_bits` are scale and zero point of every `group` weights of a row, `row_bits` belong to a row,
    `tensor_bits` to a matrix, `block_bits` to a square of `block` × `block` weights. `scope` is what is quantized:
    "linear" (the projections of the layers), "experts" (routed ones only) or "all" (embeddings and head too).
    `head_bits` is the width of the head, `plain_bits` that of everything that stays unquantized;
    `host_embedding`: the table stays in RAM.
    """

    bits: float
    group: int = 0
    group_bits: float = 0.0
    row_bits: float = 0.0
    tensor_bits: float = 0.0
    block: int = 0
    block_bits: float = 0.0
    scope: str = "linear"
    head_bits: float = 16.0
    plain_bits: float = 16.0
    host_embedding: bool = False
    padded: bool = False
    """Kernels round a rank's share up to whole groups, so that any even cut is possible."""

    def quantizes(self, tensor: Tensor) -> bool:
        """Whether the format touches this tensor (the head apart: `head_bits`)."""
        if tensor.keep != QUANT:
            return False
        if self.scope == "experts":
            return tensor.role.endswith("_exps")
        if tensor.cls in ("emb", "out"):
            return self.scope == "all"
        return tensor.role not in _KEPT_ROLES and not tensor.role.startswith(_KEPT_PREFIXES)

    def tensor_bytes(self, tensor: Tensor) -> int:
        """Bytes of one tensor in this format."""
        elements = tensor.elements
        if not self.quantizes(tensor):
            bits = self.head_bits if tensor.cls == "out" else self.plain_bits
            return round(elements * bits / 8)
        columns = tensor.shape[0]
        rows = elements // columns
        matrices = tensor.shape[2] if len(tensor.shape) > 2 else 1
        bits = elements * self.bits + rows * self.row_bits + matrices * self.tensor_bits
        if self.group:
            bits += rows * ceil_div(columns, self.group) * self.group_bits
        if self.block:
            bits += matrices * ceil_div(columns, self.block) * ceil_div(rows // matrices, self.block) * self.block_bits
        return round(bits / 8)


def rule_of(quant: str, facts: Facts) -> Rule:
    """The rule of a server format, of a plain 16-bit type, or of "bpw:X" (X bits for every parameter).

    Raises KeyError for a format nobody knows, Refusal for one that only GGUF files have.
    """
    if quant.startswith("bpw:"):
        bits = float(quant.removeprefix("bpw:"))
        return Rule(bits, scope="all", head_bits=bits, plain_bits=bits)
    known = facts.formats[quant]
    if known.kind == "server":
        return _from_table(known)
    if known.base_type in SIXTEEN_BITS or quant in SIXTEEN_BITS:
        bits = SIXTEEN_BITS.get(quant, SIXTEEN_BITS.get(known.base_type, 16.0))
        return Rule(bits, head_bits=bits, plain_bits=bits)
    raise Refusal(f"{quant} is a GGUF file type: this runtime does not load it", "quant")


def _from_table(known: Format) -> Rule:
    table: Mapping[str, float | str | bool] = known.rule

    def number(key: str, default: float = 0.0) -> float:
        value = table.get(key, default)
        return float(value) if not isinstance(value, str) else default

    return Rule(
        bits=number("bits", known.bits_per_weight),
        group=int(number("group")),
        group_bits=number("scale_bits") + number("zero_bits"),
        row_bits=number("row_bits"),
        tensor_bits=number("tensor_bits"),
        block=int(number("block")),
        block_bits=number("block_bits"),
        scope=str(table.get("scope", "linear")),
        head_bits=number("head_bits", 16.0),
        host_embedding=table.get("embedding") == "host",
        padded=bool(table.get("padded", False)),
    )


@lru_cache(maxsize=256)
def parameter_tensors(model: Model) -> tuple[tuple[Tensor, int, int], ...]:
    """The model's own tensors, equal ones together: (tensor, how many in the trunk, how many in MTP layers)."""
    found: dict[Tensor, list[int]] = {}
    for _, tensor, mtp in trunk_tensors(model, file=False):
        if tensor.counted:
            found.setdefault(tensor, [0, 0])[mtp] += 1
    return tuple((tensor, trunk, mtp) for tensor, (trunk, mtp) in found.items())


def weigh_server(model: Model, quant: str, facts: Facts, *, mtp: bool) -> Weights:
    """Bytes of the language model in a server format (towers apart)."""
    rule = rule_of(quant, facts)
    total = loaded = host = parameters = 0
    for tensor, trunk, of_mtp in parameter_tensors(model):
        size = rule.tensor_bytes(tensor)
        held = size * (trunk + (of_mtp if mtp else 0))
        total += size * (trunk + of_mtp)
        loaded += held
        parameters += tensor.elements * trunk
        if rule.host_embedding and tensor.role in ("embedding", "per_layer_embedding"):
            host += held
            if tensor.role == "embedding" and model.tied_embeddings:
                # A tied table serves as the head too: that copy is on the device, at the head's width.
                loaded += round(tensor.elements * rule.head_bits / 8)
    return Weights(total, loaded, loaded - host, host, parameters)


def tower_bytes(model: Model) -> int:
    """Vision and audio towers as servers hold them: 16 bit, beside the language model."""
    return 2 * sum(tower.parameters for tower in model.towers)
