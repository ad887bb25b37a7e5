"""All pages that are read from the code: `python -m scripts.generate` writes them, `--check` fails on a stale one."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from scripts import catalogue_pages, command_page, configuration_page, keys_page

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


def stale(root: Path = ROOT) -> list[str]:
    """The files under `root` that differ from what the code says now."""
    found = []
    for name, make in FILES.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != make():
            found.append(name)
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    asked = parser.parse_args(arguments)
    old = stale()
    if asked.check:
        print("\n".join(f"{name}: stale, run python -m scripts.generate" for name in old) or "all is current")
        return 1 if old else 0
    for name in old:
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
