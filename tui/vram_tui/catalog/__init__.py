"""Facts about models, formats and hardware: loading, checking, searching."""

from vram_tui.catalog.load import Ambiguous, Catalog, NotFound, load_catalog
from vram_tui.catalog.summaries import Summary

__all__ = ["Ambiguous", "Catalog", "NotFound", "Summary", "load_catalog"]
