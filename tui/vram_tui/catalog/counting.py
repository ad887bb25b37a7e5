"""Parameter counts of a model, in the readings in which vendors publish them."""

from collections.abc import Callable, Mapping

from vram_tui.estimator.blocks import Attention, Experts
from vram_tui.estimator.model import Model
from vram_tui.estimator.tensors import LayerTensor, trunk_tensors

SCALE_BLOCK = 32
"""Elements that share one scale in the MXFP4 format."""


def main_parameters(model: Model) -> int:
    """Text model and towers, without multi-token-prediction layers."""
    text = sum(row.tensor.elements for row in _own(model) if not row.mtp)
    return text + sum(tower.parameters for tower in model.towers)


def mtp_parameters(model: Model) -> int:
    return sum(row.tensor.elements for row in _own(model) if row.mtp)


def _own(model: Model) -> list[LayerTensor]:
    return [row for row in trunk_tensors(model, file=False) if row.tensor.counted and row.tensor.role != "layer_scale"]


def _copies(model: Model) -> int:
    """Embedding and head that a checkpoint stores again for each multi-token-prediction layer."""
    layers = model.mtp.repeat * len(model.mtp.layers) if model.mtp else 0
    return 2 * model.vocab_size * model.hidden_size * layers


def _stored_kv(model: Model) -> int:
    """K and V projections of layers that read another layer's cache, and one scalar a layer: stored, never used."""
    found = model.gguf.layer_scalars * model.layer_count
    for layer, times in model.distinct_layers().items():
        mixer = layer.mixer
        if isinstance(mixer, Attention) and mixer.kv == "shared":
            rows = mixer.kv_heads * (mixer.head_dim + (0 if mixer.k_is_v else mixer.value_dim))
            found += times * (rows * model.hidden_size + (mixer.head_dim if mixer.qk_norm == "head" else 0))
    return found


def _mxfp4_scales(model: Model) -> int:
    found = 0
    for layer, times in model.distinct_layers().items():
        experts = layer.feed_forward
        if isinstance(experts, Experts):
            matrices = 3 if experts.gated else 2
            found += (
                times * matrices * experts.count * experts.size * (experts.latent or model.hidden_size) // SCALE_BLOCK
            )
    return found


READINGS: Mapping[str, Callable[[Model], int]] = {
    "main": main_parameters,
    "mtp": mtp_parameters,
    "copies": _copies,
    "stored-kv": _stored_kv,
    "tied-head": lambda model: model.vocab_size * model.hidden_size,
    "mxfp4-scales": _mxfp4_scales,
}
"""The parts that a published count may add up: `counts = "main+mtp"`."""


def counted(model: Model, reading: str) -> int:
    """The parameter count that a reading such as "main+mtp+copies" describes. Raises KeyError for an unknown part."""
    return sum(READINGS[part](model) for part in reading.split("+"))
