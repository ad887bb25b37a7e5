"""Hostile files: each ends in one line, within a second and 100 MB, measured in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.importers import hostile

ROOT = Path(__file__).parents[2]


def judge(path: Path) -> str:
    """Read ``path`` under limits and return the one line it ended in."""
    done = subprocess.run(
        [sys.executable, hostile.__file__, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tui"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
    )
    assert done.returncode == 0, done.stderr[-500:]
    processor_s, _ = map(float, done.stderr.split())
    assert processor_s < 1
    (line,) = done.stdout.splitlines()
    assert path.name in line
    assert line.isprintable()
    assert len(line) < 1000
    return line


@pytest.mark.parametrize("name", hostile.FILES)
def test_ends_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(hostile.FILES[name]())
    judge(path)


@pytest.mark.parametrize("name", ["x.gguf", "x.safetensors", "x/config.json"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "missing", "loop"])
def test_what_is_no_file_is_told(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path)
    words = {
        "fifo": "a FIFO",
        "device": "a device",
        "folder": "folder|safetensors files",
        "missing": "opened",
        "loop": "opened",
    }
    assert any(word in judge(path) for word in words[kind].split("|"))


def test_a_sparse_file_of_a_terabyte_is_read_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.gguf"
    path.write_bytes(hostile.gguf(1 << 40, 1 << 40))
    os.truncate(path, 1 << 40)
    assert "1099511627776" in judge(path)
