"""Widgets that draw their own lines and hold no domain logic."""
