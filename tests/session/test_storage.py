"""The session file: whole, private, merged, and never worth a session."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from vram_tui.session import edits, storage
from vram_tui.session.state import Session
from vram_tui.session.storage import Store


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    session, told = store.load()
    assert told == ()
    changed = edits.set_kv(edits.save_grid(edits.add_context(replace(session, model="a/b"), "64K"), "mine"), "q8_0:f16")
    assert store.save(changed) is None
    assert Store.at(tmp_path).load() == (changed, ())
    assert stat.S_IMODE((tmp_path / "session.toml").stat().st_mode) == 0o600


def test_a_broken_file_is_named_and_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text("model = = 3")
    session, told = Store.at(tmp_path).load()
    assert session == Session()
    assert "line 1" in told[0]
    assert (tmp_path / "session.toml.broken").read_text() == "model = = 3"


def test_fields_of_the_wrong_kind_are_left_out_alone(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_text(
        'version = 1\nmodel = "x"\nrow = "three"\n[scenario]\nseqs = -4\nkv_k = "q8_0"\n'
    )
    session, told = Store.at(tmp_path).load()
    assert session.model == "x"
    assert session.scenario.kv_k == "q8_0"
    assert session.scenario.seqs == 1
    assert "row" in told[0]
    assert "scenario.seqs" in told[0]


def test_a_newer_file_is_read_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    path.write_text('version = 99\nmodel = "x"\nsomething = "new"\n')
    store = Store.at(tmp_path)
    session, told = store.load()
    assert session.model == "x"
    assert "newer" in told[0]
    store.save(replace(session, model="y"))
    assert "something" in path.read_text()


def test_two_dashboards_lose_nothing(tmp_path: Path) -> None:
    one, two = Store.at(tmp_path), Store.at(tmp_path)
    first, second = one.load()[0], two.load()[0]
    one.save(edits.save_grid(edits.toggle_mark(edits.set_sequences(first, "4"), "a"), "one"))
    two.save(edits.save_grid(edits.toggle_mark(edits.set_kv(second, "q8_0"), "b"), "two"))
    found = Store.at(tmp_path).load()[0]
    assert set(found.marks) == {"a", "b"}
    assert {saved.name for saved in found.grids} == {"one", "two"}


def test_a_mark_taken_away_here_stays_away(tmp_path: Path) -> None:
    one = Store.at(tmp_path)
    session = edits.toggle_mark(one.load()[0], "a")
    one.save(session)
    two = Store.at(tmp_path)
    two.save(edits.toggle_mark(two.load()[0], "b"))
    one.save(edits.toggle_mark(session, "a"))
    assert Store.at(tmp_path).load()[0].marks == ("b",)


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.at(tmp_path)
    session = store.load()[0]
    store.save(replace(session, model="old"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    told = store.save(replace(session, model="new"))
    assert told is not None
    assert "No space left" in told
    assert Store.at(tmp_path).load()[0].model == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = Store.at(blocked / "state")
    session, _ = store.load()
    assert store.save(replace(session, model="x")) is not None


def test_without_a_home_nothing_is_kept_and_that_is_said() -> None:
    store = Store.at(None)
    session, told = store.load()
    assert "not kept" in told[0]
    assert store.save(session) is None


@pytest.mark.skipif(os.name != "posix", reason="locks of Unix")
def test_a_lock_that_somebody_holds_does_not_stop_us_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LOCK_WAIT_SECONDS", 0.05)
    store = Store.at(tmp_path)
    session = store.load()[0]
    with storage.locked(tmp_path / "session.toml"):
        assert store.save(replace(session, model="x")) is None
