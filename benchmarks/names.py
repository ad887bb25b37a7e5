"""Find a catalogue's model by the name that a log or a table gives it."""

import re
from collections.abc import Iterable
from functools import lru_cache

_FORMAT_WORDS = frozenset(
    (
        "awq",
        "gptq",
        "int4",
        "int8",
        "fp8",
        "fp4",
        "nvfp4",
        "mxfp4",
        "w4a16",
        "w4a8",
        "w8a8",
        "w8a16",
        "bnb",
        "4bit",
        "8bit",
        "quantized",
        "dynamic",
        "gguf",
        "exl2",
        "exl3",
        "hf",
        "marlin",
        "per",
        "channel",
        "block",
        "tensor",
        "nf4",
        "bf16",
        "fp16",
        "mlx",
        "qat",
        "autoround",
    )
)


def bare(name: str) -> str:
    """The name without folders and owner, and without the words that only tell how it is stored."""
    words = re.split(r"[-_\s]+", name.rstrip("/").rsplit("/", 1)[-1].casefold())
    while len(words) > 1 and (words[-1] in _FORMAT_WORDS or re.fullmatch(r"g\d+", words[-1])):
        words.pop()
    return "-".join(word for word in words if word)


class Names:
    """Model ids by their bare names. Of several with one bare name the first in order wins."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = frozenset(ids)
        self._bare: dict[str, str] = {}
        for known in sorted(self._ids):
            self._bare.setdefault(bare(known), known)
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, name: str) -> str:
        """The id of the model that is meant. Raises KeyError where none is."""
        if name in self._ids:
            return name
        wanted = bare(name)
        for candidate in (wanted, f"{wanted}-instruct", f"{wanted}-it", wanted.removesuffix("-instruct")):
            if candidate in self._bare:
                return self._bare[candidate]
        raise KeyError(name)
