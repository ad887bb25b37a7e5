"""The shipped hardware catalogue, read once for all tests."""

from functools import cache
from pathlib import Path

from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.hardware_files import load_hardware

FOLDER = Path(__file__).resolve().parents[2] / "catalog"


@cache
def shipped() -> HardwareCatalogue:
    """The catalogue of this checkout."""
    return load_hardware(FOLDER)
