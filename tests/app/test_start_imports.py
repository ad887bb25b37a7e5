"""What a start must not import: each of these costs more than the frame it would delay."""

import subprocess
import sys

FORBIDDEN = (
    "pydantic",
    "tomllib",
    "tomli",
    "tomli_w",
    "markdown_it",
    "pynvml",
    "numpy",
    "urllib.request",
    "http.client",
    "vram_tui.catalog.schema",
    "vram_tui.catalog.hardware",
    "vram_tui.importers",
    "vram_tui.exporters",
    "vram_tui.session.explaining",
    "vram_tui.hardware",
    "vram_tui.app.screens.help",
)


def test_a_start_imports_nothing_heavy() -> None:
    code = (
        "import sys, vram_tui.app.start, vram_tui.app.screens.explore\n"
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
