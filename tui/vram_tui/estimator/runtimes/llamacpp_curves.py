"""llama.cpp's compute buffers traced over the context, from the blocks of a model; a compiled model brings its own."""

from dataclasses import replace
from functools import cache as remembered

from vram_tui.estimator import compute
from vram_tui.estimator.blocks import Attention, Mla
from vram_tui.estimator.blocks.latent import Compressed
from vram_tui.estimator.compute_inputs import host_size
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_stack import device_tape
from vram_tui.estimator.curves import Curve, traced
from vram_tui.estimator.model import Layer, Model

SPARSE_TOKENS = 1 << 14
"""Contexts up to which a sparse selection may find fewer cells than it would pick."""


def curves(model: Model, settings: ComputeSettings) -> tuple[Curve, Curve]:
    """Compute bytes of one device that holds the whole model, and of the host, for the tokens of one stream."""
    model = _as_it_runs(model, settings)
    sparse = _sparse(model)
    tapes = remembered(lambda asked: device_tape(model, asked, asked.first, asked.after))
    inputs = remembered(lambda asked: host_size(model, asked))

    def at(tokens: int) -> ComputeSettings:
        return _shortened(settings, tokens, sparse)

    def device(tokens: int) -> int:
        asked = at(tokens)
        return tapes(asked).reserved_bytes(compute.cells(model, asked, tokens))

    def host(tokens: int) -> int:
        asked = at(tokens)
        return inputs(asked).at(compute.cells(model, asked, tokens))

    kinks = (settings.ubatch // settings.streams, _window_end(model, settings))
    return traced(device, kinks), traced(host, kinks)


def points(model: Model, settings: ComputeSettings, tokens: int) -> tuple[Curve, Curve]:
    """The curves of `curves` where only one context counts: right there, level elsewhere, and a tenth of the work."""
    model = _as_it_runs(model, settings)
    asked = _shortened(settings, tokens, _sparse(model))
    device = device_tape(model, asked, asked.first, asked.after).reserved_bytes(compute.cells(model, asked, tokens))
    return Curve((tokens,), (device,)), Curve((tokens,), (compute.host_bytes(model, asked, tokens),))


def stage(model: Model, settings: ComputeSettings, tokens: int) -> str:
    """The part of the graph in which the device's buffer is largest, for so many tokens of one stream."""
    model = _as_it_runs(model, settings)
    asked = _shortened(settings, tokens, _sparse(model))
    tape = device_tape(model, asked, asked.first, asked.after)
    return tape.peak_stage(compute.cells(model, asked, tokens))


def _as_it_runs(model: Model, settings: ComputeSettings) -> Model:
    """The model without its windows where the runtime takes no notice of them."""
    if settings.windows:
        return model
    stack = tuple(replace(part, layers=tuple(map(_unbounded, part.layers))) for part in model.stack)
    return replace(model, stack=stack)


def _unbounded(layer: Layer) -> Layer:
    mixer = layer.mixer
    if isinstance(mixer, Attention) and mixer.window:
        return replace(layer, mixer=replace(mixer, window=0))
    return layer


def _sparse(model: Model) -> bool:
    return any(
        isinstance(layer.mixer, Attention | Mla | Compressed) and layer.mixer.indexer is not None
        for layer in model.distinct_layers()
    )


def _shortened(settings: ComputeSettings, tokens: int, sparse: bool) -> ComputeSettings:
    """A context shorter than the micro-batch shortens it, and bounds what a sparse selection picks."""
    ubatch = min(settings.ubatch, tokens * settings.streams)
    reach = tokens if sparse and tokens <= SPARSE_TOKENS else settings.reach
    return replace(settings, ubatch=ubatch, outputs=min(settings.outputs, ubatch), reach=reach)


def _window_end(model: Model, settings: ComputeSettings) -> int:
    """The context at which the window caches have their full length."""
    return compute.cells(model, settings, 1 << 20).window
