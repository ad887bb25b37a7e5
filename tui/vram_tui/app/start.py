"""Opens the dashboard: settings and session are read here, everything else when it is first needed."""

import sys
from pathlib import Path

from textual.driver import Driver

from vram_tui.app.app import Options, VramApp
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
    app = VramApp(catalog, options=options, settings=settings, store=store, notices=told, driver=_driver())
    app.run(mouse=options.mouse and settings.mouse)
    return app.return_code or 0


def _driver() -> type[Driver] | None:
    """The thrifty driver where there is a Unix terminal; None takes Textual's own."""
    if sys.platform == "win32":
        return None
    from vram_tui.app.driver import ThriftyDriver, install

    install()
    return ThriftyDriver
