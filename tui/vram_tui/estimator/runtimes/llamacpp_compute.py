"""llama.cpp's compute buffers as peaks over the context: of one device, and of the pinned buffer in RAM."""

from dataclasses import replace
from functools import cache as remembered
from typing import TYPE_CHECKING

from vram_tui.estimator import compute
from vram_tui.estimator.blocks import Attention, Mla
from vram_tui.estimator.blocks.latent import Compressed
from vram_tui.estimator.caches import CacheSettings
from vram_tui.estimator.compute_inputs import host_size
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_stack import device_tape
from vram_tui.estimator.curves import Curve, traced
from vram_tui.estimator.memory import Peak
from vram_tui.estimator.model import Model

if TYPE_CHECKING:
    from vram_tui.estimator.subject import Subject

BATCH_TOKENS = 2048
"""llama.cpp's default batch: neither a micro-batch nor its logits rows go beyond it."""
SPARSE_TOKENS = 1 << 14
"""Contexts up to which a sparse selection may find fewer cells than it would pick."""
SOURCE = "llama.cpp b11549: the graph's events replayed through ggml-alloc's best fit"
ERROR = 0.01
"""94 % of llama.cpp's own answers are met within 1 % with a server's settings."""
WARNED_ERROR = 0.3
"""The same for models whose blocks hold a part that the rules do not follow; those carry a warning."""


DEFAULT = ComputeSettings(ubatch=512, outputs=1)
"""What a server with one slot does: the settings whose curves the catalogue keeps."""


def compute_settings(cache: CacheSettings, outputs: int | None, *, on_gpu: bool) -> ComputeSettings:
    """What shapes the buffers. `outputs` None is a row of logits for every token of the micro-batch."""
    ubatch = min(cache.ubatch, BATCH_TOKENS)
    return ComputeSettings(
        ubatch=ubatch,
        outputs=min(outputs or BATCH_TOKENS, ubatch),
        seqs=cache.seqs,
        streams=1 if cache.unified else cache.seqs,
        type_k=cache.type_k,
        type_v=cache.type_v,
        flash=cache.flash_attn,
        swa_full=cache.swa_full,
        backend="cuda" if on_gpu else "cpu",
    )


def peaks(subject: "Subject", settings: ComputeSettings) -> tuple[Peak, Peak]:
    """The device's peak and the host's. Bytes over the tokens of one stream."""
    numbers = (("ubatch", settings.ubatch), ("logits_rows", settings.outputs), ("sequences", settings.seqs))
    formula = "most bytes of the graph that live at once, as the allocator places them"
    error = WARNED_ERROR if subject.profile.compute_warnings else ERROR

    def peak(name: str, formula: str, which: int) -> Peak:
        return Peak(name, lambda: subject.compute(settings)[which], "compute", formula, numbers, "exact", SOURCE, error)

    return peak("compute buffer", formula, 0), peak("compute inputs", "inputs of every graph, pinned in RAM", 1)


def curves(model: Model, settings: ComputeSettings) -> tuple[Curve, Curve]:
    """Compute bytes of one device that holds the whole model, and of the host, for the tokens of one stream."""
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
    asked = _shortened(settings, tokens, _sparse(model))
    device = device_tape(model, asked, asked.first, asked.after).reserved_bytes(compute.cells(model, asked, tokens))
    return Curve((tokens,), (device,)), Curve((tokens,), (compute.host_bytes(model, asked, tokens),))


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
