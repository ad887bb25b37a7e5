"""What the documentation shows works: Python line by line, TOML without a fault, every command and option there is."""

import doctest
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from scripts.command_page import parser_of

from vram_tui.catalog.validate import validate
from vram_tui.cli import COMMANDS, main
from vram_tui.commands import dashboard

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
MODULES = ("vram_tui.catalog", "vram_tui.estimator")


def fences(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = (line for page in PAGES for block in fences(page, "sh") for line in block.splitlines())
    return sorted({line.partition("  #")[0].strip() for line in lines if line.startswith("vram-tui ")})


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed


def test_examples_for_python() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False)
    assert found.attempted > 15
    assert not found.failed


@pytest.mark.parametrize("line", commands())
def test_commands_take_the_arguments_shown(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    parser = parser_of(name) if name in COMMANDS else dashboard.parser()
    parser.parse_args(arguments if name in COMMANDS else [name, *arguments])


@pytest.mark.parametrize(("page", "name"), [("catalogue", "example/lantern-3.6b.toml"), ("hardware", "example.toml")])
def test_the_worked_entries_have_no_fault(page: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(fences(f"docs/{page}.md", "toml")[0], encoding="utf-8")
    assert [str(fault) for fault in validate(path)] == []


def test_the_worked_model_is_shown_as_the_page_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "example" / "lantern-3.6b.toml"
    path.parent.mkdir()
    entry = fences("docs/catalogue.md", "toml")[0]
    path.write_text(entry, encoding="utf-8")
    assert main(["validate", str(path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    shown, fault = fences("docs/catalogue.md", "text")
    assert [line for line in shown.splitlines() if line not in printed and line != "…"] == []
    path.write_text(entry.replace("heads = 20", "haeds = 20", 1), encoding="utf-8")
    assert main(["validate", str(path)]) == 2
    told = fault.strip().partition("lantern-3.6b.toml")[2]
    assert any(line.endswith(told) for line in capsys.readouterr().out.splitlines())


def test_every_toml_example_is_toml() -> None:
    for page in PAGES:
        for block in fences(page, "toml"):
            tomllib.loads(block)


@pytest.mark.parametrize("page", [page for page in PAGES if "/" not in page])
def test_links_to_files_lead_somewhere(page: str) -> None:
    """Those of pages that MkDocs does not see where they lie."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
