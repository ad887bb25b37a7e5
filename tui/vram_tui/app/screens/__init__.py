"""One module and one style sheet per screen; `SCREENS` says where each is found, so that none is loaded early."""

SCREENS: dict[str, str] = {
    "explore": "vram_tui.app.screens.explore:Explore",
    "explain": "vram_tui.app.screens.explain:Explain",
}
"""Name in the registry → module and class. A name that is not here has actions that say "not in this version yet"."""
