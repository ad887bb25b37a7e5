"""Bytes of cache elements in the types that the runtimes know."""

from vram_tui.estimator.refusals import Refusal

_PLAIN = {
    "f32": (4, 1),
    "f16": (2, 1),
    "bf16": (2, 1),
    "auto": (2, 1),
    "fp8": (1, 1),
    "fp8_e4m3": (1, 1),
    "fp8_e5m2": (1, 1),
    "q8_0": (34, 32),
    "q5_1": (24, 32),
    "q5_0": (22, 32),
    "q4_1": (20, 32),
    "q4_0": (18, 32),
    "iq4_nl": (18, 32),
    "nvfp4": (9, 16),
}
"""Bytes and the elements that they hold. q8_0 … iq4_nl: ggml blocks of 32; nvfp4: 4 bit and 8-bit scales per 16."""

LATENT_ROWS = {"fp8_ds_mla": 656, "nvfp4_ds_mla": 352}
"""Bytes of a latent row of 512 + 64 elements in vLLM's packed layouts: fp8 with 4 scales and a 16-bit rope part."""
SERVER_TYPES = ("auto", "f16", "bf16", "fp8", "fp8_e4m3", "fp8_e5m2", "int8", "nvfp4", *LATENT_ROWS)
_INTEGERS = {"q8_0": 8, "q6_0": 6, "q5_0": 5, "q4_0": 4, "q3_0": 3, "q2_0": 2, "int8": 8}


def element_bytes(kind: str) -> float:
    """Mean bytes of one element of a cache type; 2 for a type nobody knows here (its runtime will refuse it)."""
    if kind in LATENT_ROWS:
        return LATENT_ROWS[kind] / 576
    size, elements = _PLAIN.get(kind, (1 if kind == "int8" else 2, 1))
    return size / elements


def server_row_bytes(kind: str, width: int, heads: int) -> int:
    """Bytes of a row of `width` elements in `heads` heads under vLLM, SGLang and TensorRT-LLM.

    int8 keeps a 32-bit scale for each head. Raises Refusal for a type that they do not have.
    """
    if kind == "int8":
        return width + 4 * heads
    if kind in LATENT_ROWS or kind not in SERVER_TYPES:
        raise Refusal(f"cache type {kind}: this runtime knows {', '.join(SERVER_TYPES)}", "kv")
    size, elements = _PLAIN[kind]
    return -(-size * width // elements)


def grouped_row_bytes(kind: str, width: int, *, group: int, scale_bytes: int) -> int:
    """Bytes of a row in 16 bit or in b-bit integers with `scale_bytes` per group: MLX, ExLlama.

    Raises Refusal for other types.
    """
    if kind in ("f16", "bf16", "auto"):
        return 2 * width
    bits = _INTEGERS.get(kind)
    if bits is None:
        raise Refusal(f"cache type {kind}: this runtime knows f16 and q8_0 to q2_0", "kv")
    return -(-width * (bits * group + 8 * scale_bytes) // (8 * group))
