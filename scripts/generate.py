"""All pages that are read from the code: `python -m scripts.generate` writes them, `--check` fails on a stale one."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import summary
from benchmarks.accuracy import kept
from scripts import catalogue_pages, command_page, configuration_page, keys_page
from scripts.writing import filled

from vram_tui.catalog import hardware_schema, schema

ROOT = Path(__file__).parents[1]

FILES: dict[str, Callable[[], str]] = {
    "docs/keys.md": keys_page.page,
    "docs/command-line.md": command_page.page,
    "docs/configuration.md": configuration_page.page,
    "docs/catalogue-reference.md": catalogue_pages.models,
    "docs/hardware-reference.md": catalogue_pages.hardware,
    "catalog/schema/model.schema.json": schema.schema_text,
    "catalog/schema/accelerator.schema.json": hardware_schema.schema_text,
}
"""Path from the root → the text that belongs there."""

BLOCKS: dict[str, tuple[tuple[str, Callable[[], str]], ...]] = {
    "README.md": (
        ("catalogue", summary.catalogue),
        ("accuracy", lambda: summary.accuracy(kept())),
        ("comparison", summary.comparison),
    ),
    "docs/estimate.md": (("accuracy", lambda: summary.accuracy(kept())),),
    "docs/speed.md": (("speeds", lambda: summary.speeds(kept())),),
}
"""Path → the blocks in a page that a person writes: their names and what stands between their marks."""


def texts(root: Path = ROOT) -> dict[str, str]:
    """What every file should hold; a page with blocks is taken as it is under `root`, with its blocks filled."""
    found = {name: make() for name, make in FILES.items()}
    for name, blocks in BLOCKS.items():
        page = _read(root / name)
        for block, make in blocks:
            page = filled(page, block, make())
        found[name] = page
    return found


def stale(root: Path = ROOT) -> dict[str, str]:
    """The files under `root` that differ from what the code says now, with what it says."""
    return {name: text for name, text in texts(root).items() if not text or _read(root / name) != text}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    asked = parser.parse_args(arguments)
    old = stale()
    if asked.check:
        print("\n".join(f"{name}: stale, run python -m scripts.generate" for name in old) or "all is current")
        return 1 if old else 0
    for name, text in old.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
