"""The machine at hand: read once, when somebody asks, by whoever can wait for it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vram_tui.catalog.hardware import HardwareCatalogue
    from vram_tui.estimator.devices import Machine
    from vram_tui.hardware.detect import Detection

NAMES = frozenset(("local", "here"))
"""What a person may call it as a target."""


def is_local(target: str) -> bool:
    return target.strip().casefold() in NAMES


class LocalMachine:
    """What detection found; nothing until `read` was called. A reader can be given in place of the drivers."""

    def __init__(self, reader: "Callable[[HardwareCatalogue], Detection] | None" = None) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self.detection: Detection | None = None

    @property
    def machine(self) -> "Machine | None":
        return self.detection.machine if self.detection else None

    def read(self, catalogue: "HardwareCatalogue", *, again: bool = False) -> "Detection":
        """Ask the drivers, for some seconds at most: call it from a worker. A second call waits for the first."""
        with self._lock:
            if self.detection is None or again:
                if self._reader is None:
                    from vram_tui.hardware.detect import detect

                    self._reader = detect
                self.detection = self._reader(catalogue)
            return self.detection
