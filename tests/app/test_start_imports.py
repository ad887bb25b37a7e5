"""What a start must not import: each of these costs more than the frame it would delay."""

import shutil
import subprocess
import sys
from pathlib import Path

from vram_tui.catalog.compiled import NAME, build
from vram_tui.catalog.locate import catalog_root

FORBIDDEN = (
    "argparse",
    "ssl",
    "pydantic",
    "tomllib",
    "tomli_w",
    "markdown_it",
    "pynvml",
    "numpy",
    "urllib.request",
    "http.client",
    "multiprocessing",
    "vram_tui.app.palette",
    "vram_tui.app.tables",
    "vram_tui.app.screens.compare",
    "vram_tui.app.screens.explain",
    "vram_tui.app.screens.help",
    "vram_tui.app.screens.ranked",
    "vram_tui.catalog.hardware",
    "vram_tui.catalog.hardware_text",
    "vram_tui.catalog.schema",
    "vram_tui.commands.common",
    "vram_tui.commands.workspace",
    "vram_tui.estimator.compute",
    "vram_tui.estimator.compute_stack",
    "vram_tui.estimator.fits",
    "vram_tui.estimator.offload",
    "vram_tui.estimator.placing",
    "vram_tui.estimator.rule_of_thumb",
    "vram_tui.estimator.runtimes.llamacpp_curves",
    "vram_tui.estimator.speed",
    "vram_tui.estimator.traffic",
    "vram_tui.estimator.weights",
    "vram_tui.exporters",
    "vram_tui.hardware",
    "vram_tui.importers",
    "vram_tui.session.comparing",
    "vram_tui.session.explaining",
)
"""Neither imported by the modules of a start nor for the figures of its first frame."""
START = """
import pathlib, sys, vram_tui.cli
from vram_tui.commands.dashboard import _import_asyncio
from vram_tui.catalog import load_catalog
catalog = load_catalog(pathlib.Path(sys.argv[1]), user=False)
_import_asyncio()
import vram_tui.app.start, vram_tui.app.driver, vram_tui.app.screens.explore
from vram_tui.session.answers import Answers
from vram_tui.session.listing import newest
from vram_tui.session.specs import facts_of
from vram_tui.session.state import Session
session = Session(model=newest(catalog.entries))
cells = [Answers(catalog).cells(session, row) for row in session.grid.rows]
assert all(cell.bytes for row in cells for cell in row)
assert facts_of(catalog.entry(session.model))
"""


def installed(folder: Path) -> Path:
    """A catalogue of one model as a wheel carries it: everything worked out before."""
    shipped, own = catalog_root(), folder / "catalog"
    shutil.copytree(shipped, own, ignore=shutil.ignore_patterns("models", "schema"))
    (own / "models" / "zai-org").mkdir(parents=True)
    shutil.copy(shipped / "models" / "zai-org" / "GLM-5.1.toml", own / "models" / "zai-org")
    (own / NAME).write_bytes(build(own, weigh_all=True))
    return own


def test_a_start_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"{START}\nprint([name for name in {FORBIDDEN!r} if name in sys.modules])"
    command = [sys.executable, "-c", code, str(installed(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
