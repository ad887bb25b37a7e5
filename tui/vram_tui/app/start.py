"""Opens the dashboard: settings and session are read here, everything else when it is first needed."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from textual.driver import Driver

from vram_tui.app.app import Options, VramApp
from vram_tui.app.surroundings import ascii_only, few_colors
from vram_tui.catalog import Catalog
from vram_tui.session.settings import default_path, load_settings
from vram_tui.session.storage import Store, default_folder


def start(catalog: Catalog, options: Options, config: Path | None = None) -> int:
    """Stay until the person leaves; the exit code."""
    settings, faults = load_settings(config or default_path())
    if config is not None and not config.is_file():
        faults = (*faults, f"{config}: no such file")
    told = [*faults, *(str(fault) for fault in catalog.faults), *catalog.notices]
    store = Store(None) if options.restricted else Store.at(default_folder())
    options = replace(
        options, ascii=options.ascii or ascii_only(os.environ), few_colors=options.few_colors or few_colors(os.environ)
    )
    plain = options.ascii or settings.ascii
    app = VramApp(
        catalog, options=options, settings=settings, store=store, notices=told, driver=_driver(ascii_only=plain)
    )
    if sys.platform != "win32":
        from vram_tui.app.driver import ThriftyDriver
        from vram_tui.app.leaving import Leaving

        ThriftyDriver.leaving = Leaving(app)
    try:
        app.run(mouse=options.mouse and settings.mouse)
    finally:
        # However it ended: what was done in the session is kept.
        if fault := app.save_now():
            print(f"vram-tui: {fault}", file=sys.stderr)
    return app.return_code or 0


def _driver(*, ascii_only: bool) -> type[Driver] | None:
    """The thrifty driver where there is a Unix terminal; None takes Textual's own."""
    if sys.platform == "win32":
        return None
    from vram_tui.app.driver import ThriftyDriver, install

    install(ascii_only=ascii_only)
    return ThriftyDriver
