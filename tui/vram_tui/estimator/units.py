"""Sizes and roundings that every part of the estimator shares."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
GB = 10**9


def pad(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `value`."""
    return -(-value // multiple) * multiple


def ceil_div(value: int, divisor: int) -> int:
    """`value / divisor`, rounded up."""
    return -(-value // divisor)
