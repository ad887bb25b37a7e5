"""Which rule belongs to which mixer."""

from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    Kda,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    ShortConv,
)
from vram_tui.estimator.compute_attention import attend, attention, latent, projected
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_hyper import compressed
from vram_tui.estimator.compute_recurrent import (
    delta_net,
    kda,
    lightning,
    mamba,
    mamba2,
    mamba2_out,
    mamba2_scan,
    short_conv,
)
from vram_tui.estimator.compute_sparse import attend_blocks
from vram_tui.estimator.compute_tape import Ref


def mix(build: Build, mixer: Mixer, x: Ref, residual: Ref) -> Ref:
    """The mixer's output of hidden width (before it is added to the residual stream)."""
    if isinstance(mixer, Attention):
        sparse = mixer.indexer and build.settings.picks_blocks
        return projected(build, attend_blocks(build, mixer, x)) if sparse else attention(build, mixer, x)
    if isinstance(mixer, Mla):
        return latent(build, mixer, x)
    copy = build.any_weight()
    out = _mixed(build, mixer, x, residual)
    if copy:
        build.graph.until(*copy)
    return out


def _mixed(build: Build, mixer: Mixer, x: Ref, residual: Ref) -> Ref:
    if isinstance(mixer, Compressed):
        return compressed(build, mixer, x)
    if isinstance(mixer, DeltaNet):
        return delta_net(build, mixer, x)
    if isinstance(mixer, Kda):
        return kda(build, mixer, x)
    if isinstance(mixer, Mamba):
        return mamba(build, mixer, x)
    if isinstance(mixer, Mamba2):
        return mamba2(build, mixer, x)
    if isinstance(mixer, ShortConv):
        return short_conv(build, mixer, x)
    if isinstance(mixer, Lightning):
        return lightning(build, mixer, x)
    if isinstance(mixer, Parallel):
        return parallel(build, mixer, x, residual)
    if isinstance(mixer, Linear):
        return build.tensor(build.hidden, x)
    raise TypeError(f"no compute rule for {mixer!r}")


def parallel(build: Build, mixer: Parallel, x: Ref, residual: Ref) -> Ref:
    """Attention beside Mamba 2, each from its own norm of the same input."""
    pairs = [part for part in mixer.parts if isinstance(part, Mamba2)]
    scans = []
    attended = [attend(build, part, x) for part in mixer.parts if isinstance(part, Attention)]
    for part in pairs:
        normed = build.token_norm(residual, build.hidden)
        scans.append(mamba2_scan(build, part, normed))
    outs = [projected(build, out) for out in attended]
    outs += [mamba2_out(build, part, *scan) for part, scan in zip(pairs, scans, strict=True)]
    total = outs[0]
    for out in outs[1:]:
        total = build.tensor(build.hidden, total, out, inplace=True)
    return total
