"""Names that try to act, in every table of the command line: printed, never obeyed, no formula, no second command."""

import csv
import io
import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
import tomli
import tomli_w

from vram_tui.catalog import load_catalog
from vram_tui.catalog.locate import catalog_root
from vram_tui.cli import main

SHORT = "[red]Evil[/red] \x1b]0;owned\x07\x1b[2J\u202ednE\u2066\r\n`touch owned`$(touch owned);touch owned #'\"\\|"
NAMES = {
    "markup and escapes": SHORT,
    "a formula": '=HYPERLINK("http://evil")' + SHORT,
    "ten thousand": SHORT + "A" * 10_000,
}
ENGINES = sorted(load_catalog(user=False).facts.runtimes)


@pytest.fixture(params=NAMES)
def evil(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model of one's own whose every text is hostile; gives its id."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    name = NAMES[request.param]
    entry = tomli.loads((catalog_root() / "models" / "Qwen" / "Qwen3-8B.toml").read_text(encoding="utf-8"))
    entry |= dict.fromkeys(("name", "family", "vendor", "license", "about"), name)
    entry |= {"tags": [name, name], "notes": [name], "sources": [name], "evidence": "partial", "partial_fields": [name]}
    entry["architecture"] |= {"hf_class": name, "activation": name}
    entry.pop("parameters", None)
    path = tmp_path / "XDG_CONFIG_HOME" / "vram-tui" / "models" / "evil" / "model.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(tomli_w.dumps(entry).encode())
    return "evil/model"


def commands(known: str) -> list[list[str]]:
    return [
        ["show", known],
        ["grid", known],
        ["estimate", known, "--ctx", "8K"],
        ["compare", known, "Qwen/Qwen3-14B"],
        ["hardware", known, "--ctx", "8K", "--limit", "5"],
        ["models", "evil"],
    ]


FORMS: dict[str, list[str]] = {"plain": [], "json": ["--json"], "markdown": ["--markdown"], "csv": ["--csv"]}


@pytest.mark.parametrize("form", FORMS)
def test_no_table_acts(evil: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = 0
    for words in commands(evil):
        code = main([*words, *FORMS[form]])
        told = capsys.readouterr()
        if code == 2 and "unrecognized arguments" in told.err:
            continue  # a command without that form
        assert code in (0, 1), (words, told.err)
        assert told.err == ""
        for line in told.out.replace("\r\n", "\n").split("\n"):
            assert line.isprintable(), (words, line[:200])
        if form == "json":
            json.loads(told.out)
        if form == "csv":
            _no_formula(told.out)
        seen += 1
    assert seen >= 3


def _no_formula(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            number = cell.lstrip("+-").replace(".", "", 1).replace("e", "", 1).replace("-", "", 1).isdigit()
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell[:100]


@pytest.mark.parametrize("evil", ["markup and escapes"], indirect=True)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_recipe_runs_more_than_its_program(
    evil: str, engine: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for quant in ((), ("--quant", "BF16"), ("--quant", "MLX-4bit"), ("--quant", "EXL3-4.0")):
        code = main(["recipe", evil, "--ctx", "4K", "--runtime", engine, "--on", "8x h100", "--json", *quant])
        told = capsys.readouterr()
        if code != 2:
            break
    if code == 2 or not json.loads(told.out)["steps"]:
        code = main(["recipe", evil, "--ctx", "4K", "--runtime", engine, "--on", "m3-ultra-512", "--json", *quant])
        told = capsys.readouterr()
    assert told.err == ""
    steps = json.loads(told.out)["steps"]
    assert steps
    for step in steps:
        assert step["comment"].isprintable()
        if step["language"] == "sh":
            assert run_by_a_shell(f"# {step['comment']}\n{step['command']}", tmp_path) == []


def run_by_a_shell(script: str, folder: Path) -> list[str]:
    """What a real shell makes of a script among programs that do nothing: the files that a name had made."""
    place = folder / "run"
    programs = place / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in {word for line in script.splitlines() for word in _words(line)[:3]}:
        if name not in ("touch", "printf") and name.replace("-", "").replace("_", "").isalnum():
            (programs / name).write_text("#!/bin/sh\nexit 0\n")
            (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(place)}
    subprocess.run(["/bin/sh", "-c", script], cwd=place, env=environment, capture_output=True, timeout=20, check=False)
    return [name for _, folders, files in os.walk(folder) for name in (*folders, *files) if name == "owned"]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []


def test_a_name_that_gets_out_of_its_word_would_be_seen(tmp_path: Path) -> None:
    assert run_by_a_shell(f"llama-server {SHORT.partition('#')[0]}", tmp_path) == ["owned"]
