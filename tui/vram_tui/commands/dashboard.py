"""`vram-tui` without a subcommand: open the dashboard, on a model if one is named."""

import gc
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from vram_tui import __version__
from vram_tui.commands.errors import CommandError, NothingFoundError

if TYPE_CHECKING:
    from vram_tui.commands.common import Parser

NOTHING_SAID = SimpleNamespace(
    model=None,
    catalog=None,
    config=None,
    restricted=False,
    ascii=False,
    no_mouse=False,
    theme="",
    units="",
    gpus="",
)
"""What the parser makes of no arguments: the usual start does without one."""


def _overview() -> str:
    from vram_tui.cli import COMMANDS

    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return (
        "commands:\n"
        + "\n".join(lines)
        + "\n\nEach has its own --help. `vram-tui -- NAME` opens the dashboard on a model called like a command."
    )


def parser() -> "Parser":
    import argparse

    from vram_tui.commands.common import Parser

    found = Parser(
        prog="vram-tui",
        description="What a language model needs, and what it runs on. Without a command: the dashboard.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("model", nargs="?", metavar="MODEL", help="open the dashboard on this model")
    found.add_argument("--catalog", type=Path, metavar="DIR", help="a catalogue folder in place of the shipped one")
    found.add_argument("--config", type=Path, metavar="FILE", help="a configuration file in place of your own")
    found.add_argument("--restricted", action="store_true", help="kiosk: no import, no files written, no network")
    found.add_argument("--ascii", action="store_true", help="plain ASCII signs and borders")
    found.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    found.add_argument("--theme", default="", metavar="NAME", help="colour theme")
    found.add_argument("--units", choices=("gib", "gb"), default="", help="memory in GiB or GB")
    found.add_argument(
        "--gpus", default="", metavar="HARDWARE", help="the machine to judge against: 4090, 2x rtx-3090, 24GiB …"
    )
    found.add_argument("--version", action="version", version=f"vram-tui {__version__}")
    return found


def run(argv: list[str]) -> int:
    # A start makes many objects that live as long as the program: collecting meanwhile finds nothing and costs time.
    gc.disable()
    arguments: Any = parser().parse_args(argv) if argv else NOTHING_SAID
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError(
            "the dashboard needs a terminal; in a pipe use a command, such as vram-tui show MODEL (see vram-tui --help)"
        )
    from vram_tui.catalog import Ambiguous, NotFound, load_catalog

    catalog = load_catalog(arguments.catalog)
    model = ""
    if arguments.model:
        try:
            model = catalog.find(arguments.model)
        except Ambiguous as error:
            raise CommandError(str(error), "model") from None
        except NotFound as error:
            raise NothingFoundError(str(error), "model") from None
    # Textual reads these once, when it is imported.
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_FPS", "120")  # a second frame waits half as long; a slow line sets its own pace
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):  # taken for a terminal of all colours there
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "standard")
    _import_asyncio()
    from vram_tui.app.app import Options
    from vram_tui.app.start import start

    options = Options(
        model=model,
        restricted=arguments.restricted,
        ascii=arguments.ascii,
        mouse=not arguments.no_mouse,
        theme=arguments.theme,
        units=arguments.units,
        target=arguments.gpus,
    )
    return start(catalog, options, arguments.config)


def _import_asyncio() -> None:
    """Import asyncio without TLS, as on a system that has none: 4.5 MB for connections that nobody opens here.

    Whoever opens one, as the hub's client does, imports it as always.
    """
    if "ssl" not in sys.modules:
        sys.modules["ssl"] = None  # type: ignore[assignment]
        try:
            import asyncio  # noqa: F401
        finally:
            del sys.modules["ssl"]
