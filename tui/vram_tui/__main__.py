"""Lets `python -m vram_tui` do what the installed command does."""

from vram_tui.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
