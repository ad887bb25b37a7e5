"""`vram-tui import`: what is read is shown, then written for its owner alone; hostile files end in one line."""

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.commands.test_imports import HEAVY
from tests.importers import hostile
from tests.importers.headers import MODELS, facts, metadata, model_of, write_keys, write_model
from vram_tui.catalog import load_catalog
from vram_tui.catalog.entries import Entry, read_entry
from vram_tui.catalog.notation import NotationError
from vram_tui.catalog.validate import validate_model
from vram_tui.catalog.writing import entry_text
from vram_tui.cli import main
from vram_tui.estimator.formats import TYPES
from vram_tui.importers.files import subject_from_path
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import write_header
from vram_tui.importers.preview import preview, save

ROUND = (
    "Qwen3-30B-A3B",
    "DeepSeek-V3.2",
    "gemma-4-E4B",
    "Jamba-v0.1",
    "Kimi-Linear-48B-A3B",
    "Qwen3.5-27B",
    "Phi-4-mini",
)

CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: no test reads or writes anybody's catalogue. The compiled one stays where it is."""
    path = tmp_path / "home"
    path.mkdir()
    for name in ("OLLAMA_MODELS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LLAMA_CACHE", "HF_HOME"):
        monkeypatch.setenv(name, str(path / name))
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    return path


def models(home: Path) -> Path:
    return home / "config" / "vram-tui" / "models"


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main([*arguments, "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else None, shown.err


def mixed_file(path: Path) -> Path:
    """A small model whose V projections were quantized by hand."""
    row = MODELS["Qwen3-0.6B"]
    tensors = [
        (name, ne, TYPES["Q8_0"].id if "attn_v" in name else kind)
        for name, ne, kind in typed_file_tensors(model_of(row), "Q4_K_M", facts())
    ]
    write_header(metadata(row, "Q4_K_M"), tensors, path)
    return path


@pytest.mark.parametrize("name", ROUND)
def test_what_is_imported_reads_back_equal(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.gguf"
    write_model(MODELS[name], "IQ4_XS", path)
    folder = tmp_path / "mine"
    shown = preview(path, facts(), folder=folder)
    assert not folder.exists()
    written = save(shown)
    assert written == shown.path
    assert validate_model(written) == []
    catalog = load_catalog(user_dir=folder)
    assert catalog.faults == []
    entry = catalog.entry(shown.entry.id)
    assert replace(entry, origin="") == replace(shown.entry, origin="")
    for quant in ("IQ4_XS", "Q8_0"):
        assert catalog.subject(entry.id).weights(quant) == shown.found.subject.weights(quant)


def test_an_imported_model_is_in_every_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    path = mixed_file(tmp_path / "tiny-UD-Q4_K_XL.gguf")
    code, shown, _ = ask(capsys, "import", str(path))
    assert code == 0
    assert shown["written"]
    assert shown["quant"] == "file:UD-Q4_K_XL"
    written = models(home) / "local" / "tiny-UD-Q4_K_XL.toml"
    assert Path(shown["path"]) == written
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    code, rows, _ = ask(capsys, "models", "tiny-ud")
    assert code == 0
    assert "local/tiny-UD-Q4_K_XL" in json.dumps(rows)
    _, by_id, _ = ask(capsys, "estimate", "tiny-ud-q4_k_xl", "--ctx", "8K")
    _, by_path, _ = ask(capsys, "estimate", str(path), "--ctx", "8K")
    assert by_id == by_path
    assert by_id["quant"] == "file:UD-Q4_K_XL"
    assert by_id["weights"]["file_bytes"] == shown["file"]["tensor_bytes"]
    _, plain, _ = ask(capsys, "estimate", "tiny-ud-q4_k_xl", "--ctx", "8K", "--quant", "Q4_K_M")
    assert plain["weights"]["file_bytes"] < by_id["weights"]["file_bytes"]


def test_a_dry_run_writes_nothing_and_shows_the_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    write_keys(MODELS["Qwen3-8B"], tmp_path / "keys.gguf")
    assert main(["import", str(tmp_path / "keys.gguf"), "--dry-run", "--id", "me/keys"]) == 0
    shown = capsys.readouterr().out
    assert "me/keys" in shown
    assert "[[stack]]" in shown
    assert not models(home).exists()


def test_an_entry_is_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    path = tmp_path / "m.gguf"
    write_model(MODELS["Qwen3-0.6B"], "Q8_0", path)
    assert main(["import", str(path)]) == 0
    written = models(home) / "local" / "m.toml"
    written.write_text("mine = true\n")
    capsys.readouterr()
    assert main(["import", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--replace" in error
    assert written.read_text() == "mine = true\n"
    assert main(["import", str(path), "--replace"]) == 0
    assert "[[files]]" in written.read_text()
    assert main(["import", str(path), "--id", "me/other"]) == 0
    assert (models(home) / "me" / "other.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a PATH"),
        (["x.gguf", "--restricted"], "restricted mode"),
        (["x.gguf"], "cannot be opened"),
        (["hub:nothing"], "no model of the hub"),
        (["--bogus"], "--bogus"),
    ],
)
def test_misuse_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert words in shown.err


@pytest.mark.parametrize("known", ["../../evil", "a/b/c", "plain", "a/\x1b[31m"])
def test_an_id_cannot_leave_the_users_folder(known: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_keys(MODELS["Qwen3-0.6B"], tmp_path / "keys.gguf")
    assert main(["import", str(tmp_path / "keys.gguf"), "--id", known]) == 2
    error = capsys.readouterr().err
    assert "no id" in error
    assert error.rstrip("\n").isprintable()


def test_names_from_a_file_stay_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    row = MODELS["Qwen3-0.6B"]
    keys = {
        **metadata(row),
        "general.name": 'evil"\n[mixer]\x1b]52;c;aGk=\x07\u202e[red]',
        "general.organization": "../../etc",
        "general.license": "x" * 100_000,
    }
    path = tmp_path / "m.gguf"
    write_header(keys, typed_file_tensors(model_of(row), "BF16", facts()), path)
    code, shown, _ = ask(capsys, "import", str(path))
    assert code == 0
    assert shown["id"] == "etc/m"
    assert shown["name"].isprintable()
    assert validate_model(models(home) / "etc" / "m.toml") == []
    assert load_catalog(user_dir=models(home)).faults == []


def test_local_caches_are_listed_and_picked_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert main(["import", "--from-caches"]) == 3
    capsys.readouterr()
    for name in ("one", "two"):
        path = home / ".lmstudio" / "models" / "org" / name / f"{name}-Q8_0.gguf"
        path.parent.mkdir(parents=True)
        write_model(MODELS["Qwen3-0.6B"], "Q8_0", path)
    code, rows, _ = ask(capsys, "import", "--from-caches")
    assert code == 0
    assert [row["name"] for row in rows] == ["org/one/one-Q8_0.gguf", "org/two/two-Q8_0.gguf"]
    code, shown, _ = ask(capsys, "import", "--from-caches", "TWO")
    assert (code, shown["quant"], shown["id"]) == (0, "Q8_0", "local/two-Q8_0")
    assert main(["import", "--from-caches", "q8_0"]) == 2
    assert "may be org/one" in capsys.readouterr().err
    assert main(["import", "--from-caches", "three"]) == 3


@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_ends_in_one_line(name: str, tmp_path: Path, home: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(hostile.FILES[name]())
    done = subprocess.run(
        [sys.executable, "-m", "vram_tui.cli", "import", str(path)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("vram-tui: ")
    assert line.isprintable()
    assert not models(home).exists()


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
@pytest.mark.parametrize("command", [["import"], ["estimate", "--ctx", "1K"]])
def test_what_is_no_file_ends_in_one_line(
    kind: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.gguf"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
    assert main([command[0], str(path), *command[1:]]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_header_is_read_fast(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    write_model(MODELS["DeepSeek-V3.2"], "Q4_K_M", path)
    facts()
    started = time.process_time()
    subject_from_path(path, facts())
    assert time.process_time() - started < 0.3


def test_estimating_a_file_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_model(MODELS["Qwen3-0.6B"], "Q4_K_M", path)
    program = (
        "import sys; from vram_tui.cli import main\n"
        "code = main(['estimate', sys.argv[1], '--ctx', '8K'])\n"
        f"print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    assert done.stderr.split() == ["0"]


def entry(tmp_path: Path) -> tuple[Entry, dict[str, Any]]:
    import tomli

    found = subject_from_path(mixed_file(tmp_path / "m.gguf"), facts())
    return found.entry, tomli.loads(entry_text(found.entry))


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("device_bytes", 7, "files.0.device_bytes"),
        ("tensor_bytes", "many", "files.0.tensor_bytes"),
        ("layers", [[1, 2]], "files.0.layers"),
        ("layers", [[1 << 60, 0, 0]], "files.0.layers"),
        ("layers", 5, "files.0.layers"),
        ("colour", "red", "files.0.colour"),
    ],
)
def test_files_that_do_not_add_up_are_named(key: str, value: object, field: str, tmp_path: Path) -> None:
    whole, data = entry(tmp_path)
    assert read_entry(whole.id, data, whole.origin) == whole
    data["files"][0][key] = value
    with pytest.raises(NotationError) as caught:
        read_entry(whole.id, data)
    assert caught.value.field == field
