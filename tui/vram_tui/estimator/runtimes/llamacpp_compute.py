"""llama.cpp's compute buffers by their first rules: masks, and the largest of a few stages.

Source: llama.cpp's own allocator (b11549), asked on simulated devices.
"""

from vram_tui.estimator.caches import Caches, CacheSettings
from vram_tui.estimator.formats import TYPES
from vram_tui.estimator.memory import Cost
from vram_tui.estimator.profile import Profile

SOURCE = "rules fitted to llama.cpp's allocator, b11549"
ERROR = 0.1
F32 = 4


def device_stages(
    profile: Profile, settings: CacheSettings, found: Caches, outputs: int | None
) -> tuple[tuple[Cost, ...], tuple[Cost, ...]]:
    """What is held throughout (masks), and the stages of which the largest counts."""
    peaks = profile.peaks
    hidden = profile.hidden_size
    wide = peaks.query + (peaks.query if peaks.query > hidden else 0)
    rows = F32 * profile.vocab_size
    stages = [
        _stage("logits", peaks.inputs + 8, fixed=rows * min(outputs, settings.ubatch) if outputs else 0,
               per_token=0 if outputs else rows),
        _stage("feed-forward", peaks.inputs + 7 + peaks.body),
    ]  # fmt: skip
    if peaks.latent:
        stages.append(_stage("latent attention", peaks.inputs + peaks.latent))
    if not settings.flash_attn:
        widths = 2 * profile.widest_v * len(profile.caches)
        scores = tuple((index, F32 * peaks.heads) for index in dict.fromkeys(found.group_reaches))[:1]
        stages.append(_stage("attention scores", peaks.inputs + 6 + wide + widths, per_token_cell=scores))
    elif settings.type_k not in ("f16", "f32") or settings.type_v not in ("f16", "f32"):
        streams = max((part.streams for part in found.parts), default=1)
        copies: dict[int, int] = {}
        for group, index in zip(profile.caches, found.group_reaches, strict=True):
            copies[index] = max(copies.get(index, 0), 2 * streams * (group.k_width + group.v_width))
        for index, size in copies.items():
            stages.append(
                _stage(f"16-bit copy of a cache ({index})", peaks.inputs + 7 + wide, per_cell=((index, size),))
            )
    return _masks(profile, settings, found), tuple(stages)


def host_stages(profile: Profile, settings: CacheSettings, found: Caches) -> tuple[tuple[Cost, ...], tuple[Cost, ...]]:
    """The pinned buffer in RAM: masks and the inputs of a micro-batch."""
    peaks = profile.peaks
    width = peaks.inputs // 2 + 2 * profile.hidden_size + 10 + peaks.per_layer
    return _masks(profile, settings, found), (_stage("inputs", width),)


def _masks(profile: Profile, settings: CacheSettings, found: Caches) -> tuple[Cost, ...]:
    if not profile.caches:
        return ()
    size = (2 if settings.flash_attn else 4) * profile.peaks.masks
    reached = tuple((index, size) for index in dict.fromkeys(found.group_reaches))
    rotated = 0
    if TYPES[settings.type_k.upper()].quantized and profile.head_shapes:
        side = 64
        while profile.head_shapes[0].k_dim % (2 * side) == 0:
            side *= 2
        rotated = F32 * side * side * len(found.parts) if profile.head_shapes[0].k_dim % 64 == 0 else 0
    return (
        Cost(
            "attention masks",
            "compute",
            rotated,
            per_token_cell=reached,
            formula="micro-batch × cells × bytes",
            numbers=(("bytes", size),),
            basis="fitted",
            source=SOURCE,
            error=ERROR,
        ),
    )


def _stage(
    name: str,
    floats: int,
    *,
    fixed: int = 0,
    per_token: int = 0,
    per_cell: tuple[tuple[int, int], ...] = (),
    per_token_cell: tuple[tuple[int, int], ...] = (),
) -> Cost:
    return Cost(
        f"compute: {name}",
        "compute",
        fixed,
        per_cell,
        "4 bytes × floats per token × micro-batch",
        (("floats_per_token", floats),),
        "fitted",
        SOURCE,
        ERROR,
        F32 * floats + per_token,
        per_token_cell,
    )
