"""`vram-tui` alone: what a start without arguments takes for granted."""

import subprocess
import sys

from vram_tui.commands.dashboard import NOTHING_SAID, parser


def test_no_arguments_mean_what_the_parser_makes_of_them() -> None:
    assert vars(NOTHING_SAID) == vars(parser().parse_args([]))


def test_tls_is_left_out_of_a_start_and_there_for_who_needs_it() -> None:
    code = (
        "import sys; from vram_tui.commands.dashboard import _import_asyncio; _import_asyncio()\n"
        "import asyncio, textual.app; print('ssl' in sys.modules)\n"
        "import urllib.request, http.client; print(hasattr(http.client, 'HTTPSConnection'), 'ssl' in sys.modules)\n"
        "print(asyncio.run(asyncio.sleep(0, 'runs')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "True", "runs"]
