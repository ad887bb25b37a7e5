"""Hook of MkDocs: pages and pictures that lie outside `docs/` become part of the site, and links follow them."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""File at the root → its page."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages at the root, and the pictures of the gallery."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    for picture in sorted((ROOT / "screenshots").glob("*.svg")):
        files.append(File.generated(config, f"screenshots/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to what lies outside `docs/` in a checkout, as they must be inside the site."""
    outside = page.file.src_uri in PAGES.values()
    for name, target in PAGES.items():
        markdown = markdown.replace(f"]({'' if outside else '../'}{name})", f"]({target})")
    if outside:
        return markdown.replace("](docs/", "](")
    return markdown.replace("](../screenshots/", "](screenshots/")
