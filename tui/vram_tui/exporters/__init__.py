"""Answers as text for other places: Markdown, CSV, JSON, TOML, SVG, clipboard, launch commands."""
