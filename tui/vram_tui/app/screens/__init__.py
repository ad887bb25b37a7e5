"""One module and one style sheet per screen; `SCREENS` says where each is found, so that none is loaded early."""

SCREENS: dict[str, str] = {
    "explore": "vram_tui.app.screens.explore:Explore",
    "explain": "vram_tui.app.screens.explain:Explain",
    "compare": "vram_tui.app.screens.compare:Compare",
    "plot": "vram_tui.app.screens.plot:PlotScreen",
    "about": "vram_tui.app.screens.about:About",
    "export": "vram_tui.app.screens.export:Export",
    "import": "vram_tui.app.screens.importing:Import",
    "notices": "vram_tui.app.screens.notices:Notices",
    "recipe": "vram_tui.app.screens.recipe:RecipeScreen",
    "hardware": "vram_tui.app.screens.hardware:Hardware",
    "what-fits": "vram_tui.app.screens.what_fits:WhatFits",
}
"""Name in the registry → module and class. A name that is not here has actions that say "not in this version yet"."""

SOON = ("explain", "compare")
"""What is asked for most: imported while nobody waits, so that the first opening is as quick as the next."""


def import_soon() -> None:
    """Import the modules of SOON; for a thread after the first paint."""
    from importlib import import_module

    for name in SOON:
        import_module(SCREENS[name].partition(":")[0])
