"""llama.cpp's compute buffers as peaks over the context: of one device, and of the pinned buffer in RAM."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vram_tui.estimator.caches import CacheSettings
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.memory import Peak

if TYPE_CHECKING:
    from vram_tui.estimator.curves import Curve
    from vram_tui.estimator.subject import Subject

SOURCE = "llama.cpp b11549: the graph's events replayed through ggml-alloc's best fit"
ERROR = 0.01
"""94 % of llama.cpp's own answers are met within 1 % with a server's settings."""
STAGED_ERROR = 0.1
"""The same where weights are copied from RAM: 94 % are met within 5 %, 97 % within 10 %."""
WARNED_ERROR = 0.3
"""The same for models whose blocks hold a part that the rules do not follow; those carry a warning."""


DEFAULT = ComputeSettings(ubatch=512, outputs=1)
"""What a server with one slot does: the settings whose curves the catalogue keeps."""


def compute_settings(cache: CacheSettings, outputs: int | None, *, on_gpu: bool, mixed: bool = True) -> ComputeSettings:
    """What shapes the buffers. `outputs` None is a row of logits for every token of the micro-batch.

    A micro-batch beyond llama.cpp's default batch is taken to come with a batch as large.
    """
    return ComputeSettings(
        ubatch=cache.ubatch,
        outputs=min(outputs or cache.ubatch, cache.ubatch),
        seqs=cache.seqs,
        streams=1 if cache.unified else cache.seqs,
        type_k=cache.type_k,
        type_v=cache.type_v,
        flash=cache.flash_attn,
        swa_full=cache.swa_full,
        windows=cache.windows,
        backend="cuda" if on_gpu else "cpu",
        mixed=mixed,
    )


def peaks(subject: "Subject", settings: ComputeSettings) -> tuple[Peak, Peak]:
    """The device's peak and the host's. Bytes over the tokens of one stream."""
    numbers = (("ubatch", settings.ubatch), ("logits_rows", settings.outputs), ("sequences", settings.seqs))
    formula = "most bytes of the graph that live at once, as the allocator places them"
    error = WARNED_ERROR if subject.profile.compute_warnings else STAGED_ERROR if settings.staged else ERROR

    def largest(tokens: int) -> str:
        from vram_tui.estimator.runtimes.llamacpp_curves import stage

        return stage(subject.model, settings, tokens)

    def peak(name: str, formula: str, which: int, stage: Callable[[int], str]) -> Peak:
        def trace() -> "Curve":
            return subject.compute(settings)[which]

        return Peak(name, trace, "compute", formula, numbers, "exact", SOURCE, error, stage)

    return (
        peak("compute buffer", formula, 0, largest),
        peak("compute inputs", "inputs of every graph, pinned in RAM", 1, lambda _: "inputs"),
    )
