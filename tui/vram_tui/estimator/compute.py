"""llama.cpp's compute buffers over the context: device, host and output bytes, and what it refuses.

Source: llama.cpp b11549, whose graph and allocator are followed block by block; nothing here is fitted.
"""

from collections.abc import Sequence

from vram_tui.estimator.blocks import Attention, Compressed, Kda, Mixer, Mla, Parallel
from vram_tui.estimator.compute_inputs import host_size
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.compute_stack import device_tape
from vram_tui.estimator.compute_tape import Cells
from vram_tui.estimator.model import Model
from vram_tui.estimator.splitting import split_layers
from vram_tui.estimator.tensors import file_layers

PADDING = 256
"""Cells to which llama.cpp pads every cache."""
CHUNK_TOKENS = 8192
"""Reach that llama.cpp gives chunked attention, whatever the file says."""


def device_bytes(model: Model, settings: ComputeSettings, context: int) -> int:
    """Compute bytes of one device at a context of one sequence, exactly as reserved."""
    return device_tape(model, settings).reserved_bytes(cells(model, settings, context))


def layer_spans(model: Model, shares: Sequence[float]) -> tuple[tuple[int, int], ...]:
    """First layer and the layer after the last for each device, split as llama.cpp splits by `shares`."""
    split, count = split_layers(file_layers(model), shares), model.layer_count
    spans = (split.span(place) for place in range(len(shares)))
    return tuple((min(first, count), min(after, count)) for first, after in spans)


def devices_bytes(model: Model, settings: ComputeSettings, context: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Compute bytes of each of several GPUs that share the layers."""
    at = cells(model, settings, context)
    spans = layer_spans(model, shares)
    return tuple(device_tape(model, settings, first, after).reserved_bytes(at) for first, after in spans)


def host_bytes(model: Model, settings: ComputeSettings, context: int) -> int:
    """Pinned host bytes: the inputs of every graph, and embeddings looked up on the host."""
    return host_size(model, settings).at(cells(model, settings, context))


def output_bytes(model: Model, settings: ComputeSettings) -> int:
    """Host bytes of the logits at start: one row per sequence."""
    return 4 * (model.gguf.vocab_size or model.vocab_size) * settings.seqs


def cells(model: Model, settings: ComputeSettings, context: int) -> Cells:
    """Cells of one stream in each cache, for a context of one sequence in tokens."""
    full = _padded(context)
    reach = window_tokens(model)
    window = full
    if reach and not settings.swa_full:
        sharers = settings.seqs if settings.streams == 1 and not _pooled(model) else 1
        window = _padded(min(full, reach * sharers + settings.ubatch))
    return Cells(full, window, _padded(-(-full // 4)), _padded(-(-full // 128)))


def _pooled(model: Model) -> bool:
    """Compressed histories keep one stream per sequence even in a unified cache."""
    return any(isinstance(layer.mixer, Compressed) for layer in model.distinct_layers())


def window_tokens(model: Model) -> int:
    """The window of the model's sliding layers in tokens; 0 when it has none."""
    for layer in model.distinct_layers():
        for part in _parts(layer.mixer):
            for row in part.cache():
                if row.window:
                    return CHUNK_TOKENS if row.kind == "chunked" else row.window
    return 0


def refusal(model: Model, settings: ComputeSettings) -> str | None:
    """llama.cpp's reason for not starting with these settings; None when it would start."""
    if settings.quantized_v and not settings.flash:
        return "quantized V cache was requested, but this requires Flash Attention"
    for layer in model.distinct_layers():
        for part in _parts(layer.mixer):
            if isinstance(part, Mla | Compressed) and settings.type_k != settings.type_v:
                return f"model does not support different K ({settings.type_k}) and V ({settings.type_v}) cache types"
            if not isinstance(part, Attention):
                continue
            if settings.quantized_k and part.head_dim % 32:
                return (
                    f"K cache type {settings.type_k} with block size 32 does not divide n_embd_head_k={part.head_dim}"
                )
            if settings.quantized_v and part.value_dim % 32:
                return (
                    f"V cache type {settings.type_v} with block size 32 does not divide n_embd_head_v={part.value_dim}"
                )
    stated = model.gguf.value_length
    if settings.quantized_v and stated % 32:
        return f"V cache type {settings.type_v} with block size 32 does not divide n_embd_head_v={stated}"
    return None


def warnings(model: Model) -> tuple[str, ...]:
    """Parts of the graph that no rule describes yet: the compute buffer may be far larger than estimated."""
    found = []
    mixers = [part for layer in model.distinct_layers() for part in _parts(layer.mixer)]
    if any(isinstance(part, Attention) and part.indexer for part in mixers):
        found.append("block-sparse attention: the compute buffer can be a quarter larger than estimated")
    if any(isinstance(part, Compressed) for part in mixers):
        found.append("compressed history: the compute buffer can be a fifth larger than estimated")
    if any(isinstance(part, Mla) and part.indexer for part in mixers):
        found.append("sparse selection: the compute buffer can be a sixth off")
    if any(isinstance(part, Kda) for part in mixers):
        found.append("delta attention: with several sequences or devices the compute buffer can be a seventh larger")
    if model.residual_vectors:
        found.append("attention over residuals: the compute buffer can be half as large again as estimated")
    if model.altup:
        found.append("alternating updates: the compute buffer can be a fifth larger than estimated")
    if any(isinstance(part, Attention | Mla) and not kernel_exists(part) for part in mixers):
        found.append("no flash attention kernel for these heads: attention would run on the CPU")
    return tuple(found)


def kernel_exists(mixer: Attention | Mla) -> bool:
    """Whether llama.cpp's CUDA flash attention has a kernel for heads of this shape."""
    if isinstance(mixer, Mla):
        keys, values, shared = mixer.kv_rank + mixer.rope, mixer.kv_rank, mixer.heads
    else:
        keys, values, shared = mixer.head_dim, mixer.value_dim, mixer.heads // max(1, mixer.kv_heads)
    if keys in _SQUARE_HEADS:
        return keys == values
    if keys == 512:
        return values == 512 and shared > 1
    return ((keys, values) == (576, 512) and shared > 1) or ((keys, values) == (192, 128) and shared % 8 == 0)


_SQUARE_HEADS = (40, 64, 72, 80, 96, 112, 128, 256)


def _parts(mixer: Mixer | None) -> tuple[Mixer, ...]:
    if mixer is None:
        return ()
    return mixer.parts if isinstance(mixer, Parallel) else (mixer,)


def _padded(tokens: int) -> int:
    return -(-tokens // PADDING) * PADDING
