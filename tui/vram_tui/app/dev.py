"""The dashboard as an object for `textual run --dev vram_tui.app.dev:app`: live console, style sheets reloaded."""

from vram_tui.app.app import VramApp
from vram_tui.catalog import load_catalog

app = VramApp(load_catalog())
