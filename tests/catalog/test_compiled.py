"""The compiled catalogue says what the TOML files say, notices changes, and survives damage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vram_tui.catalog import compiled
from vram_tui.catalog.compiled import Compiled, CompiledError, build, open_compiled, write_atomically
from vram_tui.catalog.load import Catalog, load_catalog, read_folder
from vram_tui.catalog.locate import catalog_root
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.profile import profile
from vram_tui.estimator.scenario import DEFAULT_QUANT, LIST_TOKENS, Scenario
from vram_tui.estimator.weights import weigh

PICK = ("zai-org/GLM-5.1.toml", "Qwen/Qwen3-8B.toml", "google/gemma-3-27b-it.toml", "state-spaces/mamba-130m-hf.toml")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small catalogue folder, with a cache of its own."""
    shipped, own = catalog_root(), tmp_path / "catalog"
    shutil.copytree(shipped, own, ignore=shutil.ignore_patterns("models", "schema"))
    for name in PICK:
        target = own / "models" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / "models" / name, target)
    monkeypatch.setattr(compiled, "cache_dir", lambda: tmp_path / "cache")
    return own


def test_compiled_and_direct_are_equal(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "whole.bin"
    path.write_bytes(build(root, weigh_all=True))
    entries, faults = read_folder(root / "models")
    assert faults == []
    fast, direct = Catalog(root, Compiled(path), {}), Catalog(root, None, entries)
    assert fast.entries == direct.entries
    assert fast.facts == direct.facts
    assert fast.hardware.to_plain() == direct.hardware.to_plain()
    for row in fast.entries:
        assert fast.entry(row.id) == direct.entry(row.id)
        model = direct.entry(row.id).model
        subject = fast.subject(row.id)
        assert subject.profile == profile(model)
        for quant in ("Q4_K_M", "IQ3_XXS", "F16", "FP8", "MLX-4bit"):
            for imatrix in (True, False):
                assert subject.weights(quant, imatrix) == weigh(model, quant, direct.facts, imatrix=imatrix, mtp=False)
        assert subject.weights("Q8_0", True, True) == weigh(model, "Q8_0", direct.facts, imatrix=True, mtp=True)
        assert subject.weights("bpw:4.25") == weigh(model, "bpw:4.25", direct.facts, imatrix=True, mtp=False)
        with pytest.raises(KeyError):
            subject.weights("Q99")
        listed = compile_memory(direct.subject(row.id), DEFAULT_QUANT, Scenario(), direct.facts).at(LIST_TOKENS)
        assert (fast.listed_bytes(row.id), direct.listed_bytes(row.id)) == (listed, None)


def test_a_changed_file_is_seen_at_the_next_start(root: Path) -> None:
    first = load_catalog(root, user=False)
    assert first.entry("Qwen/Qwen3-8B").name == "Qwen3-8B"
    path = root / "models" / "Qwen" / "Qwen3-8B.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('name = "Qwen3-8B"', 'name = "Qwen3-8B changed"'), encoding="utf-8"
    )
    assert load_catalog(root, user=False).entry("Qwen/Qwen3-8B").name == "Qwen3-8B changed"
    path.unlink()
    assert "Qwen/Qwen3-8B" not in {row.id for row in load_catalog(root, user=False).entries}


def test_weights_of_unchanged_models_are_kept_when_one_changes(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "whole.bin"
    path.write_bytes(build(root, code="same", weigh_all=True))
    old = Compiled(path)
    changed = root / "models" / "Qwen" / "Qwen3-8B.toml"
    changed.write_text(changed.read_text(encoding="utf-8") + "# a word\n", encoding="utf-8")
    again = tmp_path / "again.bin"
    again.write_bytes(build(root, code="same", weigh_all=False, old=old))
    new = Compiled(again)
    assert new.weights("google/gemma-3-27b-it", "Q4_K_M", True) == old.weights("google/gemma-3-27b-it", "Q4_K_M", True)
    assert new.weights("Qwen/Qwen3-8B", "Q4_K_M", True) is None


@pytest.mark.parametrize("spoil", ["empty", "cut", "noise", "flipped"])
def test_a_damaged_file_is_told_and_replaced(root: Path, tmp_path: Path, spoil: str) -> None:
    load_catalog(root, user=False)
    (path,) = (tmp_path / "cache").iterdir()
    good = path.read_bytes()
    bad = {"empty": b"", "cut": good[:-100], "noise": os.urandom(4096), "flipped": good[:60] + b"\0" + good[61:]}[spoil]
    path.write_bytes(bad)
    found = load_catalog(root, user=False)
    assert len(found.entries) == len(PICK)
    assert found.notices
    assert str(path) in found.notices[0]
    assert load_catalog(root, user=False).notices == ()


def test_a_damaged_shipped_file_falls_back_to_toml(root: Path) -> None:
    (root / compiled.NAME).write_bytes(b"nothing of use")
    found = load_catalog(root, user=False)
    assert len(found.entries) == len(PICK)
    assert "reading the TOML files instead" in found.notices[0]


def test_damage_inside_is_noticed_where_it_is_read(root: Path) -> None:
    path = root / compiled.NAME
    good = bytearray(build(root, weigh_all=True))
    start = len(compiled.MAGIC) + 8 + int.from_bytes(good[len(compiled.MAGIC) : len(compiled.MAGIC) + 4], "little")
    good[start:] = bytes(len(good) - start)
    path.write_bytes(good)
    found = load_catalog(root, user=False)
    entries, _ = read_folder(root / "models")
    assert found.notices == ()
    for row in found.entries:
        model = entries[row.id].model
        assert found.entry(row.id) == entries[row.id]
        assert found.subject(row.id).profile == profile(model)
        found.subject(row.id).weights("Q4_K_M")
    assert found.subject("Qwen/Qwen3-8B").weights("Q4_K_M") == weigh(
        entries["Qwen/Qwen3-8B"].model, "Q4_K_M", found.facts, imatrix=True, mtp=False
    )
    assert len(found.notices) == 1


def test_a_faulty_toml_file_is_named_and_the_rest_is_there(root: Path) -> None:
    (root / "models" / "Qwen" / "Qwen3-8B.toml").write_text("name = \n", encoding="utf-8")
    found = load_catalog(root, user=False)
    assert len(found.entries) == len(PICK) - 1
    assert [fault.file.name for fault in found.faults] == ["Qwen3-8B.toml"]
    assert found.faults[0].line == 1


def test_an_unwritable_cache_is_no_obstacle(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("x")
    monkeypatch.setattr(compiled, "cache_dir", lambda: blocker / "inner")
    assert len(load_catalog(root, user=False).entries) == len(PICK)
    monkeypatch.setattr(compiled, "cache_dir", lambda: None)
    assert open_compiled(root) == (None, "")


def test_opening_nonsense_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(CompiledError):
        Compiled(tmp_path / "absent")
    with pytest.raises(CompiledError):
        Compiled(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    write_atomically(path, b"old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError("full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_the_start_imports_nothing_heavy() -> None:
    code = (
        "import sys; from vram_tui.catalog import load_catalog; c = load_catalog(user=False); c.search('qwen');"
        "c.subject('Qwen/Qwen3-8B').profile; c.entry('Qwen/Qwen3-8B'); c.facts;"
        "print([m for m in ('pydantic', 'textual', 'rich', 'tomllib', 'tomli', 'tomli_w') if m in sys.modules])"
    )
    load_catalog(user=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
