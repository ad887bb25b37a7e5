"""Several residual streams: what mixing them leaves in memory, and attention over a compressed history."""

from vram_tui.estimator.blocks import Compressed, LatentIndexer
from vram_tui.estimator.compute_build import Build
from vram_tui.estimator.compute_tape import Ref, Size

_HALF = 2
"""Bytes of a 16-bit element."""


def narrowed(build: Build, streams: Ref, count: int, *, post: bool) -> tuple[Ref, list[Ref]]:
    """One hidden-wide input drawn from the streams, and the small factors that put a branch back."""
    wide = count * build.hidden
    mixes = build.tensor((2 + count) * count, build.tensor(wide, streams.as_view))
    factors = []
    if post:
        factors = [build.tensor(count, mixes.as_view), build.tensor(count * count, mixes)]
    share = build.tensor(count, mixes.as_view)
    return build.tensor(build.hidden, streams, share), factors


def widened(build: Build, branch: Ref, streams: Ref, factors: list[Ref], count: int) -> Ref:
    """The streams after a branch was put back."""
    return build.tensor(count * build.hidden, branch, streams, *factors)


def compressed(build: Build, mixer: Compressed, x: Ref) -> Ref:
    """A window of keys beside a pooled history, seen through one joined mask."""
    heads, dim, tokens = mixer.heads, mixer.head_dim, build.settings.tokens
    fine = mixer.indexer is not None
    if mixer.ratio:
        _pooled(build, mixer.streams * dim, mixer.streams, mixer.ratio, x)
    if mixer.indexer:
        _pooled(build, 2 * mixer.indexer.dim, 2, mixer.ratio, x)
    low = build.token_norm(build.tensor(mixer.q_rank, x), mixer.q_rank)
    q = build.tensor(heads * dim, low)
    q = build.tensor(heads * dim, build.tensor(heads * dim, q.as_view), inplace=True)
    kv = build.tensor(dim, x)
    kv = build.tensor(dim, build.tensor(dim, kv, inplace=True), inplace=True)
    build.graph.until(build.tensor(dim, kv.as_view))
    mask = build.inputs["window_mask"]
    reads = [q.as_view]
    keys = _HALF * dim * build.settings.seqs
    copied = keys if build.settings.type_k != "f16" else 0
    if mixer.ratio:
        reads.append(build.graph.add(_history(keys, fine), ()).as_view)
        history = build.inputs["history_mask" if fine else "coarse_mask"]
        if mixer.indexer:
            history = _best(build, mixer.indexer, x, low, history)
        rate = (_HALF if build.settings.flash else 4) * tokens
        mask = build.graph.add(_history(rate, fine), (mask, history))
    width = 4 * heads * dim * tokens
    if mixer.ratio:
        history_size = _history(copied, fine)
        size = Size(width, 0, copied, history_size.quarter, history_size.coarse)
    else:
        size = Size(width, 0, copied)
    if build.settings.flash:
        out = build.graph.add(size, (*reads, mask))
    else:
        rate = 4 * heads * tokens
        scores = build.graph.add(_history(rate, fine) if mixer.ratio else Size(0, 0, rate), reads)
        scores = build.graph.add(build.graph.size(scores), (scores, mask), inplace=True)
        out = build.tensor(heads * dim, build.tensor(heads * dim, scores).as_view)
    out = build.tensor(heads * dim, out.as_view)
    out = build.tensor(mixer.o_rank * mixer.o_groups, out.as_view)
    out = build.tensor(mixer.o_rank * mixer.o_groups, out.as_view)
    return build.tensor(build.hidden, out)


def _history(rate: int, fine: bool) -> Size:
    """A size that grows with the window and with one of the two histories."""
    return Size(0, 0, rate, rate, 0) if fine else Size(0, 0, rate, 0, rate)


def _best(build: Build, indexer: LatentIndexer, x: Ref, low: Ref, history: Ref) -> Ref:
    tokens, width = build.settings.tokens, indexer.heads * indexer.dim
    filled = build.graph.add(Size(_HALF * build.picked * tokens), (build.leaves.pop(0),), inplace=True)
    q = build.tensor(width, low)
    q = build.tensor(width, build.tensor(width, q.as_view))
    weights = build.tensor(indexer.heads, x)
    weights = build.tensor(indexer.heads, weights, inplace=True)
    scores = build.graph.add(Size(0, 0, 0, 4 * tokens), (q.as_view, weights.as_view, build.inputs["pick_mask"]))
    best = build.tensor(build.picked, build.tensor(build.picked, scores))
    mask = build.graph.add(Size(0, 0, 0, _HALF * tokens), (history,))
    build.graph.until(filled, best, mask)
    return build.graph.add(Size(0, 0, 0, _HALF * tokens), (mask.as_view, history), inplace=True)


def _pooled(build: Build, width: int, parts: int, ratio: int, x: Ref) -> None:
    """A compressor: keys and scores of the tokens, gathered group by group, and their weighted mean."""
    tokens, seqs = build.settings.tokens, build.settings.seqs
    kept = parts * ratio * seqs
    rows = parts * tokens + kept if parts > 1 else tokens + kept
    sides = []
    sources = []
    for scored in (False, True):
        y = build.tensor(width, x)
        if scored:
            y = build.tensor(width, y, build.tensor(width), inplace=True)
        sources.append(y)
        joined = build.bytes_tensor(4 * width * (tokens + kept), y)
        if parts > 1:
            joined = build.bytes_tensor(4 * width * (tokens + kept + 1), joined)
        gathered = build.bytes_tensor(4 * width * rows, joined)
        if parts > 1:
            halves = [build.bytes_tensor(width * rows, gathered.as_view) for _ in range(parts)]
            gathered = build.bytes_tensor(2 * width * rows, *(half.as_view for half in halves))
            sides.append(build.bytes_tensor(2 * width * rows, gathered.as_view))
        else:
            sides.append(build.bytes_tensor(4 * width * rows, gathered.as_view))
    weights = build.graph.add(build.graph.size(sides[1]), (sides[1],), inplace=True)
    product = build.graph.add(build.graph.size(sides[0]), (sides[0], weights), inplace=True)
    mean = build.bytes_tensor(4 * width // parts * max(1, rows // (parts * ratio)), product)
    build.graph.until(build.graph.add(build.graph.size(mean), (mean.as_view,)))
    for source in sources:
        build.graph.until(build.bytes_tensor(4 * width * kept, source))
