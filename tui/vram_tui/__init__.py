"""vram-tui: what a language model needs, and what it runs on."""

__version__ = "0.1.0"
