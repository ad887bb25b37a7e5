"""Which ggml type each tensor gets in a GGUF file type: llama.cpp's rules by class, place and shape of a tensor.

Source: llama.cpp, src/llama-quant.cpp (b11549).
"""

from vram_tui.estimator.blocks import KEPT_16, KEPT_F32, QUANT, Tensor
from vram_tui.estimator.formats import TYPES
from vram_tui.estimator.records import record

_LOWEST = frozenset(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"))
_LOW = _LOWEST | {"IQ2_S", "IQ2_M"}
_PLAIN = frozenset(("F32", "F16", "BF16"))

# What a type becomes when the row does not divide into its blocks of 256.
_FALLBACK = {
    "Q2_K": "Q4_0",
    "Q3_K": "Q4_0",
    "TQ1_0": "Q4_0",
    "TQ2_0": "Q4_0",
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}

_EMBEDDING = {
    **dict.fromkeys(_LOWEST, "Q2_K"),
    **dict.fromkeys(("IQ2_S", "IQ2_M", "IQ3_XXS"), "IQ3_S"),
    **dict.fromkeys(("TQ1_0", "TQ2_0"), "Q4_K"),
}
_OUT_OF_8_EXPERTS = frozenset(
    ("Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS")
)
_ATTENTION_OUT = {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}
_QUERY_KEY = {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}
_GROUPED_VALUES = {
    **dict.fromkeys(("Q2_K", "Q2_K_S", "IQ3_XXS", "IQ3_XS", "IQ3_S"), "Q4_K"),
    **dict.fromkeys(("IQ4_NL", "IQ4_XS"), "Q5_K"),
}


@record
class Mixture:
    """A file type for one model: everything the rules ask for beside the tensor.

    `layers` counts MTP layers that are in the file, `values` the value-like tensors; `gqa` is query heads per key
    head in layer 0 (0: it states none); `plain_down` and `wide_values` are the two rules that llama.cpp ties to
    the file's architecture.
    """

    file_type: str
    base: str
    layers: int
    values: int
    experts: int
    gqa: int
    has_head: bool
    imatrix: bool
    plain_down: bool = False
    wide_values: bool = False

    def type_of(self, tensor: Tensor, layer: int, number: int) -> str:
        """The ggml type of a tensor in a layer; `number` counts the tensors of its class before it in the file."""
        if tensor.keep == KEPT_F32:
            return "F32"
        if tensor.keep == KEPT_16:
            return "F16" if self.base == "F16" else "BF16"
        if self.base in _PLAIN:
            return self.base
        return _fit_row(self._choose(tensor, layer, number), tensor.shape[0])

    def _choose(self, tensor: Tensor, layer: int, number: int) -> str:
        cls = tensor.cls
        # Files with experts are not in layer order everywhere, so there the layer counts (but for the lowest types).
        place = layer if self.experts > 1 else number
        if cls == "out" or (cls == "emb" and not self.has_head):
            return self._head(tensor.shape[0])
        if self.file_type == "MXFP4_MOE":
            return "MXFP4" if len(tensor.shape) > 2 else "Q8_0"
        if cls == "emb":
            return _EMBEDDING.get(self.file_type, self.base)
        if self.file_type in _LOW:
            return self._low(cls, number)
        if cls == "v":
            return self._value(number)
        if cls == "k" and self.experts == 8:
            return "Q8_0"
        if cls in ("k", "q"):
            return _QUERY_KEY.get(self.file_type, self.base)
        if cls == "down":
            return (self._plain_down(place) if self.plain_down else None) or self._down(place)
        if cls == "o":
            return self._attention_out()
        if cls in ("gate", "up") and self.file_type == "IQ3_XS" and self._middle(place):
            return "IQ3_XXS"
        return self.base

    def _first(self, place: int, part: int) -> bool:
        return place < self.layers // part

    def _middle(self, place: int) -> bool:
        return self.layers // 8 <= place < 7 * self.layers // 8

    def _head(self, columns: int) -> str:
        if self.file_type == "MXFP4_MOE" or self.plain_down or columns % TYPES[self.base].block_elements:
            return "Q8_0"
        if self.file_type in _LOW or self.file_type == "IQ3_XXS":
            return "Q5_K"
        return "Q8_0" if self.base == "Q8_0" else "Q6_K"

    def _low(self, cls: str, place: int) -> str:
        better = "Q2_K" if self.file_type in _LOWEST else "IQ3_S"
        if cls == "v":
            return "Q4_K" if self.gqa >= 4 or self.experts >= 4 else better
        if cls == "k" and self.experts == 8:
            return "Q4_K"
        if cls == "down" and self._first(place, 8):
            return better
        if cls == "o":
            if self.experts == 8:
                return "Q5_K"
            if self.file_type in ("IQ1_S", "IQ1_M"):
                return "IQ2_XXS"
            if self.file_type in ("IQ2_S", "IQ2_M"):
                return "IQ3_S"
        return self.base

    def _value(self, place: int) -> str:
        if self.experts == 8:
            return "Q8_0"
        chosen = self._plain_value(place)
        return "Q5_K" if self.wide_values and chosen in ("Q3_K", "Q4_K") else chosen

    def _plain_value(self, place: int) -> str:
        match self.file_type:
            case "IQ3_M":
                return "Q4_K"
            case "Q3_K_M":
                return "Q5_K" if place < 2 else "Q4_K"
            case "Q3_K_L":
                return "Q5_K"
            case "Q4_K_M" | "Q5_K_M" if more_bits(place, self.values):
                return "Q6_K"
            case "Q4_K_S" if place < 4:
                return "Q5_K"
        if self.gqa >= 4:
            return _GROUPED_VALUES.get(self.file_type, self.base)
        if self.file_type == "Q2_K":
            return "Q3_K"
        return "IQ3_S" if self.file_type == "IQ3_XXS" and not self.imatrix else self.base

    def _down(self, place: int) -> str:
        match self.file_type:
            case "Q2_K":
                return "Q3_K"
            case "Q2_K_S" if self._first(place, 8):
                return "Q4_K"
            case "IQ3_XXS" if not self.imatrix:
                return "Q4_K" if self._first(place, 8) else "Q3_K"
            case "Q3_K_M":
                return "Q5_K" if self._first(place, 16) else "Q4_K"
            case "Q3_K_L":
                return "Q5_K"
            case "IQ3_M" if self._first(place, 8) or (self.experts == 8 and more_bits(place, self.layers)):
                return "Q4_K"
            case "Q4_K_M" | "Q5_K_M" if more_bits(place, self.layers):
                return "Q6_K"
            case "Q4_K_S" if self._first(place, 8):
                return "Q5_K"
            case "IQ4_NL" | "IQ4_XS" if not self.imatrix and self._first(place, 8):
                return "Q5_K"
            case "Q4_0" | "Q5_0" if self.imatrix and self._first(place, 8):
                return "Q4_1" if self.file_type == "Q4_0" else "Q5_1"
        return self.base

    def _plain_down(self, place: int) -> str | None:
        """What the architecture with only one norm per layer gets instead, where it differs."""
        more = more_bits(place, self.layers)
        match self.file_type:
            case "Q3_K_M" if not self._first(place, 16):
                return "Q4_K" if more else "Q3_K"
            case "Q3_K_L":
                return "Q4_K"
            case "Q4_K_M":
                return "Q6_K" if self._first(place, 16) else "Q5_K" if more else "Q4_K"
            case "Q4_K_S":
                return self.base
        return None

    def _attention_out(self) -> str:
        if self.plain_down:
            return "Q4_K" if self.file_type == "Q3_K_L" else self.base
        if self.experts == 8:
            return "Q5_K" if self.file_type in _OUT_OF_8_EXPERTS else self.base
        return _ATTENTION_OUT.get(self.file_type, self.base)


def more_bits(place: int, count: int) -> bool:
    """The places that the M mixtures give more bits: the first and last eighth, and every third between."""
    eighth = count // 8
    return place < eighth or place >= 7 * count // 8 or (place - eighth) % 3 == 2


def _fit_row(chosen: str, columns: int) -> str:
    """The type that can hold the row."""
    if columns % TYPES[chosen].block_elements == 0:
        return chosen
    other = "IQ4_NL" if chosen.startswith("IQ") else _FALLBACK.get(chosen, chosen)
    return other if columns % TYPES[other].block_elements == 0 else "F16"


def is_quantized(tensor: Tensor) -> bool:
    """Whether a file type may touch the tensor at all."""
    return tensor.keep == QUANT and len(tensor.shape) > 1
