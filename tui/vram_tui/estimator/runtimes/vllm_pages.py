"""vLLM's paged caches: groups of layers that share a page size, blocks per request, bytes per block."""

from collections.abc import Sequence
from math import lcm

from vram_tui.estimator.records import record
from vram_tui.estimator.runtimes.layers import Row, State
from vram_tui.estimator.units import ceil_div, pad

STATE_ALIGNMENT_TOKENS = 16
MAX_GROUP_RATIO = 1.5
"""Groups take the size of the largest kind of layer where it has fewer than this many times the smallest's layers."""


@record
class PageGroup:
    """Equal groups of layers: each takes `page_bytes` a block of `block_tokens`, for as many blocks as it reaches.

    `cap_blocks` limits the blocks of a request (windows, states; 0: the whole context); `layers` are the real ones.
    """

    kind: str
    groups: int
    layers: int
    block_tokens: int
    cap_blocks: int = 0
    fixed: bool = False

    def blocks(self, tokens: int) -> int:
        """Blocks that one request of `tokens` takes in all groups."""
        if self.fixed:
            return self.groups * self.cap_blocks
        held = ceil_div(tokens, self.block_tokens)
        return self.groups * (min(held, self.cap_blocks) if self.cap_blocks else held)


@record
class Paging:
    """All groups of a stage's rank: one pool of blocks of `block_bytes` serves them all."""

    block_bytes: int
    groups: tuple[PageGroup, ...]

    def blocks(self, tokens: int) -> int:
        return sum(group.blocks(tokens) for group in self.groups)


def paging(
    rows: Sequence[Sequence[Row]],
    states: Sequence[State],
    *,
    block_tokens: int,
    in_flight_tokens: int,
    speculative_tokens: int = 0,
    state_element_bytes: int = 4,
) -> Paging:
    """Group the layers' caches as vLLM does.

    `rows` are the caches of every attention layer (rows of one layer reach equally far, or are their own layers),
    `states` those of every recurrent layer. Source: vLLM v1/core/kv_cache_utils.py and v1/kv_cache_interface.py.
    """
    kinds: dict[Row, int] = {}
    for layer in rows:
        for row in layer:
            kinds[row] = kinds.get(row, 0) + 1
    state_bytes = max((state_bytes_of(one, speculative_tokens, state_element_bytes) for one in states), default=0)
    if not state_bytes and len({(row.window, row.window_kind, row.ratio) for row in kinds}) <= 1:
        return _uniform(kinds, block_tokens, in_flight_tokens)
    return _hybrid(kinds, len(states), state_bytes, block_tokens, in_flight_tokens, speculative_tokens)


def state_bytes_of(one: State, speculative: int, element_bytes: int) -> int:
    """Convolution in 16 bit, longer by the speculative tokens; the matrix in its own type."""
    steps = one.conv_steps + (speculative if one.conv_step else 0)
    return 2 * one.conv_step * steps + element_bytes * one.matrix


def _uniform(kinds: dict[Row, int], block_tokens: int, in_flight: int) -> Paging:
    """All caches reach equally far: every layer has its page in every block."""
    if not kinds:
        return Paging(0, ())
    per_token = sum(row.row_bytes * count for row, count in kinds.items())
    first = next(iter(kinds))
    group = PageGroup(first.kind, 1, sum(kinds.values()), block_tokens, _cap(first, block_tokens, in_flight))
    return Paging(block_tokens * per_token, (group,))


def _cap(row: Row, block_tokens: int, in_flight: int) -> int:
    """Blocks that a window keeps on admission: what it looks back at, and what a step may add."""
    if not row.window:
        return 0
    if row.window_kind == "chunk":
        return ceil_div(row.window + in_flight, block_tokens)
    return ceil_div(row.window - 1 + in_flight, block_tokens) + 1


def _hybrid(
    kinds: dict[Row, int], recurrent: int, state_bytes: int, block_tokens: int, in_flight: int, speculative: int
) -> Paging:
    largest = max((row.row_bytes for row in kinds), default=0)
    base = block_tokens
    if state_bytes and largest:
        # Attention blocks grow until their page holds a state; the state's page is padded up to it.
        base = pad(ceil_div(state_bytes, largest), lcm(STATE_ALIGNMENT_TOKENS, block_tokens))
    page = max(base * largest, state_bytes)
    counts = [*kinds.values(), *([recurrent] if recurrent else [])]
    smallest, most = min(counts), max(counts)
    size = most if most < smallest * MAX_GROUP_RATIO else smallest
    groups = []
    for row, count in kinds.items():
        # A narrower row gets longer blocks where its page divides, else a padded page.
        ratio = largest // row.row_bytes if largest % row.row_bytes == 0 else 1
        block = base * ratio * row.ratio
        groups.append(PageGroup(row.kind, ceil_div(count, size), count, block, _cap(row, block, in_flight)))
    if recurrent:
        states = ceil_div(recurrent, size)
        groups.append(PageGroup("state", states, recurrent, base, 1 + speculative, fixed=True))
    return Paging(page * size, tuple(groups))
