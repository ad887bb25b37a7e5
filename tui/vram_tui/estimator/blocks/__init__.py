"""The typed blocks that every model is a stack of."""

from vram_tui.estimator.blocks.attention import Attention, DirectIndexer, Relative
from vram_tui.estimator.blocks.base import KEPT_16, KEPT_F32, QUANT, CacheRow, Frame, Tensor, norm
from vram_tui.estimator.blocks.feed_forward import Experts, Gated, Plain
from vram_tui.estimator.blocks.latent import Compressed, LatentIndexer, Mla
from vram_tui.estimator.blocks.recurrent import (
    DeltaNet,
    Kda,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Parallel,
    ShortConv,
)

Mixer = Attention | Mla | Compressed | DeltaNet | Kda | Mamba | Mamba2 | Lightning | ShortConv | Linear | Parallel
FeedForward = Gated | Plain | Experts

__all__ = [
    "Attention",
    "CacheRow",
    "Compressed",
    "DeltaNet",
    "DirectIndexer",
    "Experts",
    "FeedForward",
    "Frame",
    "Gated",
    "KEPT_16",
    "KEPT_F32",
    "Kda",
    "LatentIndexer",
    "Lightning",
    "Linear",
    "Mamba",
    "Mamba2",
    "Mixer",
    "Mla",
    "Parallel",
    "Plain",
    "QUANT",
    "Relative",
    "ShortConv",
    "Tensor",
    "norm",
]
