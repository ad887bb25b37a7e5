"""All weight tensors of a model: as a GGUF file stores them, or as the parameters of the model itself."""

from collections.abc import Iterator
from typing import NamedTuple

from vram_tui.estimator.blocks import KEPT_16, KEPT_F32, Attention, Tensor, norm
from vram_tui.estimator.model import HyperConnections, Layer, Model, PerLayerInput

MODEL_WIDE = -1
"""The layer number of tensors that belong to no layer."""

_NORMS_PER_HALF = {"pre": 1, "post": 1, "sandwich": 2, "none": 0}
_NORMS_PER_LAYER = {"parallel": 1, "pre+post-ffn": 3}


class LayerTensor(NamedTuple):
    """A tensor and the layer it belongs to (-1: the model); `mtp` marks multi-token-prediction layers."""

    layer: int
    tensor: Tensor
    mtp: bool = False


def trunk_tensors(model: Model, *, file: bool) -> tuple[LayerTensor, ...]:
    """Every tensor with its layer, MTP layers numbered after the trunk.

    `file` true: what a GGUF file holds (its vocabulary, fused and left-out tensors); false: the model's own parameters.
    """
    return tuple(_walk(model, file))


def file_layers(model: Model) -> int:
    """Layers that a GGUF file counts: the trunk, and MTP layers where the converter keeps them."""
    return model.layer_count + (model.mtp.repeat * len(model.mtp.layers) if model.mtp and model.gguf.mtp else 0)


def _walk(model: Model, file: bool) -> Iterator[LayerTensor]:
    for tensor in _model_wide(model, file):
        yield LayerTensor(MODEL_WIDE, tensor)
    known: dict[Layer, tuple[Tensor, ...]] = {}
    number = 0
    for layer in model.layers():
        if layer not in known:
            known[layer] = tuple(_layer_tensors(model, layer, file, hyper=True))
        for tensor in known[layer]:
            yield LayerTensor(number, tensor)
        number += 1
    if model.mtp and (model.gguf.mtp or not file):
        for position, layer in enumerate(model.mtp_layers(), 1):
            for tensor in _layer_tensors(model, layer, file, hyper=model.mtp.hyper):
                yield LayerTensor(number, tensor, True)
            if position % len(model.mtp.layers) == 0:
                for tensor in _mtp_tensors(model, file):
                    yield LayerTensor(number, tensor, True)
            number += 1


def _layer_tensors(model: Model, layer: Layer, file: bool, *, hyper: bool) -> Iterator[Tensor]:
    frame = model.frame(file=file)
    left_out = _left_out(model, layer) if file else frozenset()
    yield from _norms(model, layer)
    for block in (layer.mixer, layer.feed_forward):
        if block is not None:
            for tensor in block.tensors(frame):
                if tensor.role not in left_out:
                    yield tensor
    if model.per_layer_input:
        size = model.per_layer_input.size
        yield Tensor("per_layer_gate", "other", (model.hidden_size, size))
        yield Tensor("per_layer_out", "other", (size, model.hidden_size))
        yield norm("per_layer_norm", model.hidden_size)
    if model.altup:
        yield from _altup_layer(model.hidden_size, model.altup.inputs, model.altup.laurel_rank)
    if model.hyper_connections and hyper:
        for _ in range(layer.halves):
            yield from _hyper(model.hyper_connections, model.hidden_size)
    for _ in range(model.residual_vectors):
        yield norm("residual_vector", model.hidden_size)
    if model.residual_conv:
        for _ in range(layer.halves):
            yield Tensor("residual_conv", "other", (model.residual_conv, model.hidden_size), KEPT_F32)
    if model.gguf.layer_scalars:
        yield norm("layer_scale", model.gguf.layer_scalars)


def _left_out(model: Model, layer: Layer) -> frozenset[str]:
    """Roles that the file does not have in this layer; "shared:" ones are missing only where K and V are shared."""
    shared = isinstance(layer.mixer, Attention) and layer.mixer.kv == "shared"
    found = set()
    for role in model.gguf.left_out:
        where, _, name = role.rpartition(":")
        if not where or shared:
            found.add(name)
    return frozenset(found)


def _norms(model: Model, layer: Layer) -> Iterator[Tensor]:
    count = _NORMS_PER_LAYER.get(model.norms)
    if count is None:
        count = _NORMS_PER_HALF[model.norms] * layer.halves
    for _ in range(count):
        yield norm("norm", model.hidden_size)
        if model.norm == "layer":
            yield norm("norm_bias", model.hidden_size)


def _altup_layer(hidden: int, inputs: int, rank: int) -> Iterator[Tensor]:
    yield Tensor("altup_correct", "other", (inputs, inputs), KEPT_F32)
    yield norm("altup_scale", hidden)
    yield Tensor("altup_predict", "other", (inputs, inputs * inputs), KEPT_F32)
    yield Tensor("altup_router", "other", (hidden, inputs), KEPT_16)
    yield norm("altup_router_norm", hidden)
    yield Tensor("laurel_left", "other", (hidden, rank), KEPT_16)
    yield Tensor("laurel_right", "other", (rank, hidden), KEPT_16)
    yield norm("laurel_norm", hidden)


def _hyper(hyper: HyperConnections, hidden: int) -> Iterator[Tensor]:
    streams, wide = hyper.streams, hyper.streams * hidden
    maps = (2 + streams) * streams if hyper.style != "diagonal" else 2 * streams
    if hyper.style == "low-rank":
        yield Tensor("hyper_fn_a", "other", (wide, hyper.rank))
        yield Tensor("hyper_fn_b", "other", (hyper.rank, maps))
    else:
        yield Tensor("hyper_fn", "other", (wide, maps))
    yield norm("hyper_base", maps)
    yield norm("hyper_scale", 3 if hyper.style != "diagonal" else 2)


def _hyper_head(hyper: HyperConnections, hidden: int) -> Iterator[Tensor]:
    yield Tensor("hyper_head_fn", "other", (hyper.streams * hidden, hyper.streams))
    yield norm("hyper_head_base", hyper.streams)
    yield norm("hyper_head_scale", 1)


def _mtp_tensors(model: Model, file: bool) -> Iterator[Tensor]:
    mtp, hidden = model.mtp, model.hidden_size
    assert mtp is not None
    if mtp.projection:
        yield Tensor("mtp_projection", "other", (2 * hidden, hidden))
    for _ in range(model.gguf.mtp_norms if file else mtp.norms):
        yield norm("mtp_norm", hidden)
    if mtp.head == "own":
        yield Tensor("mtp_head", "other", (hidden, model.frame(file=file).vocab_size))
    if mtp.hyper_head and model.hyper_connections:
        yield from _hyper_head(model.hyper_connections, hidden)


def _model_wide(model: Model, file: bool) -> Iterator[Tensor]:
    hidden, vocab = model.hidden_size, model.frame(file=file).vocab_size
    rows = vocab + (0 if file else model.extra_embedding_rows)
    yield Tensor("embedding", "emb", (hidden, rows))
    tied = model.tied_embeddings if model.gguf.tied is None or not file else model.gguf.tied
    if not tied:
        yield Tensor("head", "out", (hidden, vocab))
    if model.head_bias:
        yield norm("head_bias", vocab)
    for present, role in ((model.final_norm, "final_norm"), (model.embedding_norm, "embedding_norm")):
        if present:
            yield norm(role, hidden)
            if model.norm == "layer":
                yield norm(f"{role}_bias", hidden)
    if model.per_layer_input:
        # A file has one vocabulary: the smaller table is filled up to it.
        yield from _per_layer_table(model, model.per_layer_input, vocab if file else model.per_layer_input.vocab_size)
    if model.altup:
        for role in ("altup_projection", "altup_unembedding"):
            yield Tensor(role, "other", (hidden, hidden, model.altup.inputs - 1), KEPT_16)
    if model.hyper_connections and model.hyper_connections.head:
        yield from _hyper_head(model.hyper_connections, hidden)
    if model.residual_vectors and file:
        yield Tensor("residual_head", "other", (hidden,), KEPT_F32, counted=False)
    if model.lookup_tables and not file:
        yield Tensor("lookup_table", "other", (model.lookup_tables,))
    if model.gguf.rope_factors and file:
        tables = max(model.gguf.rope_tables, 1)
        for _ in range(tables):
            yield Tensor("rope_factors", "other", (model.gguf.rope_factors // tables,), KEPT_F32, counted=False)


def _per_layer_table(model: Model, extra: PerLayerInput, rows: int) -> Iterator[Tensor]:
    width = extra.size * model.layer_count
    yield Tensor("per_layer_embedding", "emb", (width, rows))
    yield Tensor("per_layer_projection", "other", (model.hidden_size, width), KEPT_16)
    yield norm("per_layer_projection_norm", extra.size)
