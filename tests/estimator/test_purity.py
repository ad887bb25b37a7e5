"""The estimator stays pure: the standard library alone, and no model's or architecture's name in its source."""

import re
import subprocess
import sys
from pathlib import Path

import vram_tui.estimator
from tests.truth import rows
from vram_tui.estimator.blocks import Mamba, Mamba2
from vram_tui.importers import gguf_traits, hf_traits

PROGRAM = """
import sys
known = set(sys.modules)
import importlib, pkgutil
import vram_tui.estimator as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
loaded = {name.partition(".")[0] for name in set(sys.modules) - known} - {"vram_tui"}
print(" ".join(sorted(loaded - set(sys.stdlib_module_names))))
print(" ".join(name for name in sys.modules if name.startswith("vram_tui.") and not name.startswith(package.__name__)))
"""

ROOT = Path(vram_tui.estimator.__file__).parent


def test_importing_every_module_loads_the_standard_library_alone() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", _located()], capture_output=True, text=True, check=True)
    foreign, rooms = done.stdout.splitlines()
    assert foreign == ""
    assert rooms == ""


def _located() -> str:
    return f"import sys\nsys.path.insert(0, {str(ROOT.parents[1])!r})\n{PROGRAM}"


def _names() -> set[str]:
    """Models and architectures that the recorded cases, files and configurations name."""
    names = {row[key].lower() for row in rows("llamacpp_models") for key in ("arch", "hf_arch", "model")}
    names |= {name.lower() for name in (*gguf_traits.TRAITS, *hf_traits.TRAITS)}
    # Kinds of block are called so themselves.
    return names - {block.kind for block in (Mamba, Mamba2)}


def test_no_name_of_a_model_or_an_architecture_stands_in_the_source() -> None:
    source = {path: path.read_text(encoding="utf-8").lower() for path in ROOT.rglob("*.py")}
    assert len(source) > 15
    runtime = re.compile(r"llama[._]?cpp")
    pattern = re.compile(
        r"(?<![\w-])(" + "|".join(map(re.escape, sorted(_names(), key=len, reverse=True))) + r")(?![\w-])"
    )
    found = [(path.name, name) for path, text in source.items() for name in pattern.findall(runtime.sub("", text))]
    assert not found


def test_the_search_for_names_finds_one() -> None:
    assert "gemma3" in _names()
    assert len(_names()) > 100
