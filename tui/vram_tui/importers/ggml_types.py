"""The ggml tensor types as a file numbers them, and the numbers that lost their meaning."""

from vram_tui.estimator.formats import TYPES as _BY_NAME
from vram_tui.estimator.formats import TYPES_BY_ID, GgmlType

__all__ = ["REMOVED", "TYPES", "TYPE_IDS", "GgmlType"]

TYPES: dict[int, GgmlType] = TYPES_BY_ID
TYPE_IDS: dict[str, int] = {kind.name: kind.id for kind in _BY_NAME.values()}

# llama.cpp refuses files with these ids too.
REMOVED: dict[int, str] = {
    4: "Q4_2",
    5: "Q4_3",
    31: "Q4_0_4_4",
    32: "Q4_0_4_8",
    33: "Q4_0_8_8",
    36: "IQ4_NL_4_4",
    37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}
