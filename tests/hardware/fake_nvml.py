"""A stand-in for the `pynvml` module with the cards a test wants."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True)
class Card:
    """One GPU; `total_mib` None answers NOT_SUPPORTED to memory calls, as GB10 does."""

    name: str
    total_mib: int | None
    free_mib: int = 0
    reserved_mib: int = 0
    pci: int = 0
    broken: bool = False
    mig: bool = False


class NVMLError(Exception):
    """The base error, with the number that the library returned."""

    def __init__(self, value: int = 999, text: str = "unknown error") -> None:
        self.value = value
        super().__init__(text)


class NotSupportedError(NVMLError):
    """Code 3."""


class FunctionNotFoundError(NVMLError):
    """Code 13."""


def module(*cards: Card, init_error: Exception | None = None, old_driver: bool = False) -> Any:
    """A module object for `sys.modules["pynvml"]`; an `old_driver` knows only the first version of memory info."""

    def init() -> None:
        if init_error:
            raise init_error

    def handle(index: int) -> Card:
        if cards[index].broken:
            raise NVMLError(15, "GPU is lost")
        return cards[index]

    def memory(card: Card, version: int | None = None) -> SimpleNamespace:
        if card.total_mib is None:
            raise NotSupportedError(3, "Not Supported")
        if version is not None and old_driver:
            raise FunctionNotFoundError(13, "Function Not Found")
        told = SimpleNamespace(total=card.total_mib * MIB, free=card.free_mib * MIB)
        if version is not None:
            told.reserved = card.reserved_mib * MIB
        return told

    def mig(card: Card) -> list[int]:
        if not card.mig:
            raise NotSupportedError(3, "Not Supported")
        return [1, 1]

    return SimpleNamespace(
        NVMLError=NVMLError,
        NVMLError_NotSupported=NotSupportedError,
        NVMLError_FunctionNotFound=FunctionNotFoundError,
        NVML_ERROR_LIBRARY_NOT_FOUND=12,
        nvmlMemory_v2=33554472,
        nvmlInit=init,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(cards),
        nvmlDeviceGetHandleByIndex=handle,
        nvmlDeviceGetName=lambda card: card.name,
        nvmlDeviceGetMemoryInfo=memory,
        nvmlDeviceGetMigMode=mig,
        nvmlDeviceGetPciInfo=lambda card: SimpleNamespace(pciDeviceId=card.pci, busId=b"00000000:01:00.0"),
    )
