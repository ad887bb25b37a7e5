"""Build hook: the compiled catalogue goes into the wheel, made from the TOML files that go with it."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledCatalogue(BuildHookInterface[Any]):
    """Adds `compiled.bin` beside the TOML files. An editable install needs none: a checkout compiles its own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "tui"))
        try:
            from vram_tui.catalog.compiled import NAME, build
        finally:
            sys.path.pop(0)
        self._folder = tempfile.TemporaryDirectory()
        made = Path(self._folder.name, NAME)
        made.write_bytes(build(root / "catalog", weigh_all=True))
        build_data["force_include"][str(made)] = f"vram_tui/data/catalog/{NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
