"""The ggml tensor types: blocks of elements, bytes of a block, and bytes of a row."""

from vram_tui.estimator.records import record


@record
class GgmlType:
    """One storage type: `block_elements` values of a row take `block_bytes` bytes; `id` is its number in a file."""

    id: int
    name: str
    block_elements: int
    block_bytes: int

    @property
    def bits_per_weight(self) -> float:
        return self.block_bytes * 8 / self.block_elements

    @property
    def quantized(self) -> bool:
        return self.block_elements > 1


# Source: ggml/include/ggml.h (enum ggml_type) and ggml/src/ggml-common.h (the block structs).
_TABLE = (
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
)

TYPES: dict[str, GgmlType] = {row[1]: GgmlType(*row) for row in _TABLE}
TYPES_BY_ID: dict[int, GgmlType] = {kind.id: kind for kind in TYPES.values()}


def row_bytes(type_name: str, elements: int) -> int:
    """Bytes of a row of `elements` values. Raises KeyError for an unknown type, ValueError for a row it cannot hold."""
    kind = TYPES[type_name]
    blocks, rest = divmod(elements, kind.block_elements)
    if rest:
        raise ValueError(f"{type_name} stores blocks of {kind.block_elements}: a row of {elements} does not divide")
    return blocks * kind.block_bytes


def tensor_bytes(type_name: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor whose first side is the row, without padding."""
    rows = 1
    for side in shape[1:]:
        rows *= side
    return row_bytes(type_name, shape[0]) * rows


def whole_row(type_name: str, columns: int, multiple: int) -> int:
    """Bytes by which a backend lengthens a quantized tensor whose row is no multiple of `multiple` elements."""
    rest = columns % multiple
    return row_bytes(type_name, multiple - rest) if rest and TYPES[type_name].quantized else 0
