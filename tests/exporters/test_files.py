"""Exports are written whole or not at all, and every fault names the path and the mend."""

import errno
import os
import stat
from pathlib import Path

import pytest

from vram_tui.exporters.files import ExportError, write_export


def _only(folder: Path, *names: str) -> None:
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(names)


def test_a_new_file_holds_the_text_as_it_is(tmp_path: Path) -> None:
    path = write_export("a\r\nb ✓\n", tmp_path / "grid.csv")
    assert path.read_bytes() == "a\r\nb ✓\n".encode()
    _only(tmp_path, "grid.csv")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_export("x", tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_existing_file_stays_unless_asked_and_then_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.md"
    target.write_text("old")
    target.chmod(0o600)
    with pytest.raises(ExportError, match=r"a\.md: exists already; choose another name or ask to overwrite"):
        write_export("new", target)
    assert target.read_text() == "old"
    write_export("new", target, overwrite=True)
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    _only(tmp_path, "a.md")


def test_home_is_expanded_and_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_export("x", "~/a.txt") == tmp_path / "a.txt"
    (tmp_path / "link").symlink_to("a.txt")
    write_export("y", tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.txt").read_text() == "y"


def test_what_is_no_ordinary_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("")
    for path, reason in (
        (tmp_path, "is a folder; add a file name"),
        (str(tmp_path) + "/", "is a folder; add a file name"),
        (tmp_path / "no" / "a", "there is no folder"),
        (tmp_path / "file" / "a", "a part of the path is a file"),
        (tmp_path / "fifo", "is no ordinary file"),
        (tmp_path / ("n" * 300), "the name is too long"),
        ("a\0b", "NUL"),
        ("", "no file name"),
    ):
        with pytest.raises(ExportError, match=reason):
            write_export("x", path, overwrite=True)
    _only(tmp_path, "fifo", "file")


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "the disk is full; make room"),
        (errno.EROFS, "the disk is read-only; choose another folder"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "you may not write there"),
    ],
)
def test_a_fault_while_writing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ExportError, match=mend) as caught:
        write_export("new", target, overwrite=True)
    assert str(target) in str(caught.value)
    assert target.read_text() == "old"
    _only(tmp_path, "a")


def test_a_name_that_is_taken_meanwhile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    monkeypatch.setattr(os, "fsync", lambda _: target.write_text("theirs"))
    with pytest.raises(ExportError, match="exists already"):
        write_export("ours", target)
    assert target.read_text() == "theirs"
    _only(tmp_path, "a")


def test_a_file_system_without_hard_links_still_gets_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_export("x", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "x"
    _only(tmp_path, "a")


def test_control_characters_of_a_path_never_reach_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as caught:
        write_export("x", tmp_path / "\x1b[2J" / "a")
    assert "\x1b" not in str(caught.value)
