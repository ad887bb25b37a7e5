"""Facts about models, formats and hardware: loading, checking, searching.

>>> from vram_tui import catalog, estimator
>>> library = catalog.load_catalog(user=False)
>>> library.find("qwen3-8b")
'Qwen/Qwen3-8B'
>>> "google/gemma-3-27b-it" in [row.id for row in library.search("gemma dense >20b")]
True
>>> scenario = estimator.Scenario(machine=catalog.parse_hardware("2x rtx-3090", library.hardware))
>>> answer = estimator.cell(library.subject("Qwen/Qwen3-8B"), "Q4_K_M", 32_768, scenario, library.facts)
>>> answer.fits, answer.kv_bytes
(True, 4831838208)

All names below are public: they change only with the major version. Everything else may change at any time.
"""

from typing import TYPE_CHECKING, Any

from vram_tui.catalog.load import Ambiguous, Catalog, NotFound, load_catalog
from vram_tui.catalog.summaries import Summary

if TYPE_CHECKING:
    from vram_tui.catalog.entries import Entry
    from vram_tui.catalog.faults import Fault
    from vram_tui.catalog.hardware_text import HardwareError, parse_hardware

__all__ = [
    "Ambiguous",
    "Catalog",
    "Entry",
    "Fault",
    "HardwareError",
    "NotFound",
    "Summary",
    "load_catalog",
    "parse_hardware",
]

_LATER = {"Entry": "entries", "Fault": "faults", "HardwareError": "hardware_text", "parse_hardware": "hardware_text"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
