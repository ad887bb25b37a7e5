"""What the compute rules need of a model, as plain lists for the compiled catalogue, and back."""

from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import Any

from vram_tui.estimator import blocks, model
from vram_tui.estimator.blocks import latent
from vram_tui.estimator.model import Gguf, HyperConnections, Layer, Model, PerLayerInput, Stack, Tower

_KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (*vars(blocks).values(), latent.LatentIndexer, model.AltUp)
    if isinstance(kind, type) and is_dataclass(kind)
}


def pack(subject: Model) -> list[Any]:
    """Lists, numbers and text only: the stack in runs, and the model-wide facts that shape a graph."""
    layers = list(subject.layers())
    kinds = list(dict.fromkeys(layers))
    runs = [[kinds.index(layer), len(list(run))] for layer, run in groupby(layers)]
    hyper, inputs = subject.hyper_connections, subject.per_layer_input
    return [
        subject.hidden_size,
        subject.gguf.vocab_size or subject.vocab_size,
        subject.norm,
        subject.norms,
        subject.tied_embeddings,
        subject.position_ids,
        max((tower.deepstack for tower in subject.towers), default=0),
        hyper.streams if hyper else 0,
        inputs.size if inputs else 0,
        _block(subject.altup),
        list(subject.gguf.fused),
        subject.gguf.layer_scalars,
        subject.gguf.value_length,
        [[_block(layer.mixer), _block(layer.feed_forward)] for layer in kinds],
        runs,
    ]


def unpack(plain: list[Any]) -> Model:
    """A model for which every compute rule gives what it gave for the packed one."""
    hidden, vocab, norm, norms, tied, positions, levels, streams, per_layer, altup, *rest = plain
    fused, scalars, value_length, kinds, runs = rest
    layers = [Layer(_unblock(mixer), _unblock(feed)) for mixer, feed in kinds]
    return Model(
        hidden_size=hidden,
        vocab_size=vocab,
        stack=tuple(Stack((layers[kind],), count) for kind, count in runs),
        tied_embeddings=tied,
        norm=norm,
        norms=norms,
        position_ids=positions,
        per_layer_input=PerLayerInput(per_layer, vocab) if per_layer else None,
        altup=_unblock(altup),
        hyper_connections=HyperConnections(streams) if streams else None,
        towers=(Tower("vision", 0, levels),) if levels else (),
        gguf=Gguf(vocab_size=vocab, fused=tuple(fused), layer_scalars=scalars, value_length=value_length),
    )


def _block(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *(_block(getattr(value, field.name)) for field in fields(value))]
    return ["", *map(_block, value)] if isinstance(value, tuple) else value


def _unblock(plain: Any) -> Any:
    if not isinstance(plain, list):
        return plain
    name, *cells = plain
    values = map(_unblock, cells)
    return _KINDS[name](*values) if name else tuple(values)
