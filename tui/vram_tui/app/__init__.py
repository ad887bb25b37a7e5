"""The dashboard: screens, widgets, keys, themes."""
