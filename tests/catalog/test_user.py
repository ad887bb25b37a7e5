"""The user's own models: they add, override, and break without taking anything along."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.catalog.user import save_user_entry
from vram_tui.estimator.subject import FoldedSubject

SHIPPED = load_catalog(user=False)
QWEN = SHIPPED.entry("Qwen/Qwen3-8B")


def test_a_saved_model_is_in_the_list_and_reads_back_equal(tmp_path: Path) -> None:
    path = save_user_entry(tmp_path, replace(QWEN, id="me/mine", name="Mine"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = load_catalog(user_dir=tmp_path)
    assert found.faults == []
    assert len(found.entries) == len(SHIPPED.entries) + 1
    assert found.entry("me/mine").model == QWEN.model
    assert found.summary("me/mine").own
    assert isinstance(found.subject("me/mine"), FoldedSubject)
    assert [row.id for row in found.search("own")] == ["me/mine"]


def test_a_users_file_overrides_the_shipped_model(tmp_path: Path) -> None:
    save_user_entry(tmp_path, replace(QWEN, name="Qwen of mine"))
    found = load_catalog(user_dir=tmp_path)
    assert len(found.entries) == len(SHIPPED.entries)
    assert found.summary(QWEN.id).name == found.entry(QWEN.id).name == "Qwen of mine"


def test_a_broken_file_is_named_and_the_rest_works(tmp_path: Path) -> None:
    save_user_entry(tmp_path, replace(QWEN, id="me/mine"))
    bad = tmp_path / "me" / "bad.toml"
    bad.write_text((tmp_path / "me" / "mine.toml").read_text().replace("heads = 32", "heds = 32"), encoding="utf-8")
    (tmp_path / "me" / "worse.toml").write_bytes(b"\xff\xfe\x00")
    found = load_catalog(user_dir=tmp_path)
    assert "me/mine" in {row.id for row in found.entries}
    faults = {fault.file.name: fault for fault in found.faults}
    assert faults.keys() == {"bad.toml", "worse.toml"}
    assert faults["bad.toml"].field == "mixer.attention.heds"
    line = faults["bad.toml"].line
    assert line is not None
    assert "heds" in bad.read_text().splitlines()[line - 1]


def test_a_file_is_never_replaced_by_accident(tmp_path: Path) -> None:
    save_user_entry(tmp_path, QWEN)
    with pytest.raises(FileExistsError, match="exists already"):
        save_user_entry(tmp_path, QWEN)
    save_user_entry(tmp_path, replace(QWEN, name="Again"), replace=True)
    assert load_catalog(user_dir=tmp_path).entry(QWEN.id).name == "Again"


@pytest.mark.parametrize("known", ["../x", "a/../../b", "/etc/passwd", "a", "a/b/c", "a/b\x1b", "", "a/.."])
def test_an_id_cannot_leave_the_folder(tmp_path: Path, known: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        save_user_entry(tmp_path / "models", replace(QWEN, id=known))
    assert list(tmp_path.iterdir()) == []


def test_an_absent_folder_is_no_fault(tmp_path: Path) -> None:
    assert load_catalog(user_dir=tmp_path / "absent").faults == []


def test_hostile_text_survives_writing_and_reading(tmp_path: Path) -> None:
    nasty = replace(QWEN, id="me/nasty", name='q"uo\\te [bold]\x1b[31m\n\u202e', tags=("a\tb",), about='"""')
    save_user_entry(tmp_path, nasty)
    found = load_catalog(user_dir=tmp_path).entry("me/nasty")
    assert (found.name, found.tags, found.about) == (nasty.name, nasty.tags, nasty.about)
