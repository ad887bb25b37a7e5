"""Bad places for the state: a full disk, a read-only home, none, a newer file, two dashboards; told, and it goes on."""

import errno
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.conftest import Start
from tests.terminal.terminal import Terminal

pytestmark = pytest.mark.terminal
READY = "Models"
Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a small file system of memory: `mount("full", "size=64k")`; skips where that is not allowed."""
    made: list[Path] = []

    def begin(name: str, options: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        program = shutil.which("mount")
        command = [program or "mount", "-t", "tmpfs", "-o", options, "vram-tui-test", str(place)]
        if program is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount a file system here")
        made.append(place)
        return place

    yield begin
    for place in made:
        subprocess.run(["umount", "-l", str(place)], check=True)


def session_of(folder: Path) -> str:
    return (folder / "vram-tui" / "session.toml").read_text()


def edited(terminal: Terminal) -> None:
    """Mark a model, and let the save that follows happen."""
    terminal.wait(READY)
    terminal.send("/glm-5.1")
    terminal.wait("GLM-5.1")
    terminal.send("\r\x1b")
    terminal.settle()
    terminal.send(" ")


def left(terminal: Terminal) -> str:
    """Quit; all that the program said on its way out."""
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()
    said = bytes(terminal.received).rpartition(b"\x1b[?1049l")[2].decode()
    return re.sub(r"\x1b\[[?<>0-9;]*[a-zA-Z]", "", said).strip()


def fill(path: Path) -> None:
    """Take what room the disk has left."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(handle, bytes(4096))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(handle)


def notices(terminal: Terminal) -> str:
    """All that was wrong at the start, without blanks and frames; the home screen stands again."""
    terminal.wait("notices: ")
    terminal.send("!")
    terminal.wait("Notices of this start")
    terminal.settle()
    found = "".join("".join(line.strip(" │") for line in terminal.text.splitlines()).split())
    terminal.send("\x1b")
    terminal.wait(READY)
    return found


def test_a_disk_that_fills_up_is_told_and_the_old_state_stays(start: Start, mount: Mount) -> None:
    state = mount("state", "size=128k")
    first = start(size=(120, 40), env={"XDG_STATE_HOME": str(state)})
    edited(first)
    assert left(first) == ""
    before = session_of(state)
    fill(state / "rubbish")
    second = start(size=(120, 40), env={"XDG_STATE_HOME": str(state)})
    second.wait("GLM-5.1")
    second.send("t24GiB\r")
    second.wait("not saved")
    second.send("/qwen3-30b")  # and the session goes on
    second.wait("Qwen3-30B-A3B")
    second.send("\x1b\x1b")
    second.settle()
    assert "not saved" in left(second)
    assert session_of(state) == before
    assert [path.name for path in (state / "vram-tui").iterdir() if path.name.startswith(".")] == []
    (state / "rubbish").unlink()
    third = start(size=(120, 40), env={"XDG_STATE_HOME": str(state)})
    third.wait("GLM-5.1")
    third.send("t24GiB\r")
    third.settle(0.5)
    assert left(third) == ""
    assert "24GiB" in session_of(state)


def test_a_home_that_nothing_can_be_written_to(start: Start, home: Path, mount: Mount) -> None:
    place = mount("home", "size=1m,ro")
    env = {name: str(place / name) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    terminal = start(size=(120, 40), env={"HOME": str(place), **env})
    terminal.wait(READY, 60)  # without a cache it reads the catalogue's own files
    edited(terminal)
    terminal.wait("not saved", 30)
    terminal.send("x")
    terminal.settle()
    terminal.send(f"\x1b[B\x1b[C\x1b[Be\x15{place}/grid.md\r")
    terminal.wait(lambda text: "read-only" in text.lower())
    terminal.send("\x1b\x1b")
    terminal.settle()
    assert "not saved" in left(terminal)


@pytest.mark.parametrize("home_is", [None, "/nonexistent", "relative", ""])
def test_no_home_at_all(start: Start, cache: Path, home_is: str | None) -> None:
    env: dict[str, str | None] = {"HOME": home_is, "XDG_STATE_HOME": None, "XDG_CONFIG_HOME": None}
    if home_is is None or home_is == "":
        env |= {"XDG_STATE_HOME": "/nonexistent/state", "XDG_CONFIG_HOME": "/proc/nothing"}
    terminal = start(size=(120, 40), env=env)
    edited(terminal)
    terminal.settle(0.5)
    terminal.send("2")
    terminal.settle()
    left(terminal)
    assert b"Traceback" not in terminal.received
    assert not Path("relative").exists()


def test_a_session_of_a_newer_version_is_read_told_and_left_alone(start: Start, home: Path) -> None:
    path = home / "state" / "vram-tui" / "session.toml"
    path.parent.mkdir(parents=True)
    text = 'version = 99\nmodel = "zai-org/GLM-5.1"\ntarget = "2x rtx-3090"\n[galaxies]\nfar = true\n'
    path.write_text(text)
    terminal = start(size=(120, 40))
    terminal.wait("MLA 512+64")
    assert "2x rtx-3090" in terminal.text
    assert "newer" in notices(terminal)
    edited(terminal)
    terminal.settle(0.5)
    left(terminal)
    assert path.read_text() == text


def test_a_session_that_is_broken_is_put_aside(start: Start, home: Path) -> None:
    path = home / "state" / "vram-tui" / "session.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"model = \xff\xfe = \x1b[2J")
    terminal = start(size=(120, 40))
    assert "startingafresh" in notices(terminal)
    edited(terminal)
    left(terminal)
    assert path.with_suffix(".toml.broken").read_bytes() == b"model = \xff\xfe = \x1b[2J"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "GLM-5.1" in path.read_text()


def test_settings_that_are_wrong_are_told_and_the_rest_is_taken(start: Start, home: Path) -> None:
    path = home / "config" / "vram-tui" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('them = "day"\nmouse = "no"\ngpus = "9x nothing"\nunits = "gb"\n[keys]\nquit = "\\u001b"\n')
    terminal = start(size=(120, 40))
    terminal.wait("Requirements, GB")
    told = notices(terminal)
    for words in ("did you mean theme?", "mouse is true or false", "9x nothing", "keys.quit is a key"):
        assert "".join(words.split()) in told
    left(terminal)  # by q, which the wrong wish did not take away
    assert "[22;" not in told


def test_two_dashboards_at_once_lose_nothing(start: Start, home: Path) -> None:
    one, two = start(size=(120, 40)), start(size=(120, 40))
    for terminal in (one, two):
        terminal.wait(READY)
    for terminal, model in ((one, "glm-5.1"), (two, "qwen3-30b")):
        terminal.send(f"/{model}")
        terminal.settle(0.5)
        terminal.send("\r\x1b")
        terminal.settle()
        terminal.send(" ")
    one.send("t24GiB\r")
    one.settle(0.5)
    two.settle(2.5)  # by now both have saved once, unasked
    for terminal in (one, two):
        left(terminal)
    text = session_of(home / "state")
    assert "zai-org/GLM-5.1" in text.partition("marks")[2].partition("]")[0]
    assert "Qwen3-30B-A3B" in text.partition("marks")[2].partition("]")[0]
    assert 'target = "24GiB"' in text


def test_nothing_of_the_state_is_for_other_eyes(start: Start, home: Path) -> None:
    mask = os.umask(0)  # the most careless of all
    try:
        terminal = start(size=(120, 40))
        edited(terminal)
        left(terminal)
    finally:
        os.umask(mask)
    written = [path for path in (home / "state").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert stat.S_IMODE((home / "state" / "vram-tui").stat().st_mode) & 0o077 == 0
