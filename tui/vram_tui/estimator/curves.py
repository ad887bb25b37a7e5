"""A figure over the context as straight pieces between knots: exact at the knots, quick everywhere."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from math import isqrt

from vram_tui.estimator.records import record

STEP_TOKENS = 256
"""Contexts are answered in multiples of this many tokens: the granularity of llama.cpp's cache."""
_TOLERANCE = 1 / 1024
_DOUBLINGS = 11
"""Knots lie up to 512K tokens; beyond, every term of an allocation grows straight on."""
_DEPTH = 4


@record
class Curve:
    """Bytes over the context: straight between its knots, which are contexts in tokens in rising order."""

    contexts: tuple[int, ...]
    values: tuple[int, ...]

    def at(self, context: int) -> int:
        """Bytes at a context of so many tokens; the ends go on straight, though never down beyond the last knot."""
        contexts, values = self.contexts, self.values
        right = bisect_right(contexts, context)
        if right == len(contexts):
            if contexts[-1] == context or right == 1:
                return values[-1]
            right -= 1
        elif right == 0:
            if len(contexts) == 1:
                return values[0]
            right = 1
        x0, y0 = contexts[right - 1], values[right - 1]
        found = y0 + (values[right] - y0) * (context - x0) // (contexts[right] - x0)
        if context > contexts[-1] and found < values[-1]:
            return values[-1]
        return found if found > 0 else 0

    def falls(self) -> tuple[tuple[int, int], ...]:
        """First and last context of every stretch in which the figure falls."""
        found: list[tuple[int, int]] = []
        for (x0, y0), (x1, y1) in pairwise(zip(self.contexts, self.values, strict=True)):
            if y1 < y0:
                joined = found and found[-1][1] == x0
                found[-1:] = [(found[-1][0], x1)] if joined else [*found[-1:], (x0, x1)]
        return tuple(found)


def traced(value_at: Callable[[int], int], kinks: tuple[int, ...] = ()) -> Curve:
    """Knots at 512 tokens, every fourfold of it and the kinks; between them wherever a straight piece is wrong.

    A piece is left alone when its middle is right within 1/1024. Middles are those of the logarithm, so that the
    contexts which people ask for (4K, 32K, 128K …) are knots where any are needed.
    """
    fixed = {STEP_TOKENS, *(2 * STEP_TOKENS << power for power in range(0, _DOUBLINGS, 2))}
    fixed |= {kink for kink in kinks if kink > STEP_TOKENS and kink % STEP_TOKENS == 0}
    knots = {context: value_at(context) for context in sorted(fixed)}

    def refine(low: int, high: int, depth: int) -> None:
        middle = _middle(low, high)
        if middle == low or not depth:
            return
        value = value_at(middle)
        guess = knots[low] + (knots[high] - knots[low]) * (middle - low) / (high - low)
        if abs(value - guess) > _TOLERANCE * value:
            knots[middle] = value
            refine(low, middle, depth - 1)
            refine(middle, high, depth - 1)

    for low, high in pairwise(sorted(knots)):
        refine(low, high, _DEPTH)
    contexts = _needed(sorted(knots), knots)
    return Curve(tuple(contexts), tuple(knots[context] for context in contexts))


def _middle(low: int, high: int) -> int:
    """A whole step between the two: about their geometric mean, at least one step from both where there is room."""
    middle = isqrt(low * high) // STEP_TOKENS * STEP_TOKENS
    return max(middle, min(low + STEP_TOKENS, high - STEP_TOKENS))


def _needed(contexts: list[int], values: dict[int, int]) -> list[int]:
    """The knots without those that lie on the line between their neighbours."""
    kept = contexts[:1]
    for index in range(1, len(contexts) - 1):
        x0, x1, x2 = kept[-1], contexts[index], contexts[index + 1]
        if (values[x1] - values[x0]) * (x2 - x0) != (values[x2] - values[x0]) * (x1 - x0):
            kept.append(x1)
    return kept + contexts[-1:] if len(contexts) > 1 else kept
