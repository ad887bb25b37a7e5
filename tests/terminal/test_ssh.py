"""A real SSH server on loopback: use the dashboard, lose the line in the middle of a key, log in again, find it all."""

import getpass
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.terminal.conftest import SERVERS, attempts, surroundings
from tests.terminal.logins import AsyncSsh, OpenSsh, Server, program_command, sshd
from tests.terminal.terminal import Terminal

pytestmark = [pytest.mark.terminal, pytest.mark.ssh]
READY = "Models"
MANUAL = Path(__file__).parents[2] / "docs" / "ssh.md"
KIND = OpenSsh if sshd() else AsyncSsh
"""Where no OpenSSH server can be had, asyncssh stands in for it; the summary of the tests says which it was."""
LOSSES = ("the client is gone", "the line is dead")
Serve = Callable[..., Server]


@pytest.fixture(params=[KIND], ids=lambda kind: kind.name)
def serve(
    request: pytest.FixtureRequest, home: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serve]:
    """Start a server whose logins live in `home` and have no network; `serve("ForceCommand …")`."""
    seen: set[str] = request.config.stash.setdefault(SERVERS, set())
    seen.add(request.param.version())
    with ExitStack() as stack:

        def begin(*extra: str) -> Server:
            environment = {name: value for name, value in surroundings(home, cache).items() if value is not None}
            folder = tmp_path_factory.mktemp("ssh")
            server: Server = stack.enter_context(request.param(folder, environment, extra))
            return server

        yield begin
    assert not attempts(home, cache)


@pytest.fixture
def log_in() -> Iterator[Callable[..., Terminal]]:
    """Run a client in a terminal of its own."""
    with ExitStack() as stack:

        def begin(server: Server, command: str = "", size: tuple[int, int] = (120, 40)) -> Terminal:
            environment = {"PYTHONPATH": os.pathsep.join((str(Path.cwd()), os.environ.get("PYTHONPATH", "")))}
            return stack.enter_context(Terminal(server.login(command), size, environment))

        yield begin


def dashboard(home: Path) -> str:
    """The program as a login runs it, its process id left in a file."""
    return f"echo $$ > {shlex.quote(str(home / 'pid'))}; exec {program_command()}"


def ended(pid: int, seconds: float = 12) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("serve", "loss"), [*((KIND, loss) for loss in LOSSES), (AsyncSsh, LOSSES[0])], indirect=["serve"]
)
def test_a_line_lost_in_the_middle_of_a_key(
    serve: Serve, log_in: Callable[..., Terminal], home: Path, loss: str
) -> None:
    server = serve()
    terminal = log_in(server, dashboard(home))
    terminal.wait(READY)
    terminal.send("/glm-5.1")
    terminal.wait("MLA 512+64")
    terminal.send("\r\x1b")
    terminal.settle()
    terminal.send(" t2x rtx-3090\r")
    terminal.wait("2x rtx-3090")
    terminal.send("1e\x1548K\r")
    terminal.wait("48K")
    terminal.resize(100, 30)  # a change of size goes through the line
    terminal.settle()
    terminal.send("y")  # goes to the clipboard of the terminal at this end
    terminal.wait(lambda _: b"\x1b]52;c;" in terminal.received)
    pid = int((home / "pid").read_text())
    terminal.send(b"\x1b[")  # the first two bytes of an arrow key
    terminal.pump(0.05)
    terminal.kill(signal.SIGKILL if loss == LOSSES[0] else signal.SIGSTOP)
    assert ended(pid), "the dashboard outlives its line"
    again = log_in(server, dashboard(home))
    again.wait("MLA 512+64")
    text = again.wait("48K")
    assert "2x rtx-3090" in text
    assert "1 marked" in text or re.search(r"[●*•]\s*GLM-5\.1", text), text
    again.send("q")
    assert again.wait_exit() == 0
    again.assert_restored()
    assert b"Traceback" not in terminal.received + again.received


def kiosk(server_user: str) -> list[str]:
    """The lines of the manual, with this machine's user and program in them."""
    block = re.search(r"```text\n(Match User .*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    assert block, "the manual shows no configuration"
    text = block[1].replace("Match User vram", f"Match User {server_user}")
    assert "/usr/local/bin/vram-tui --restricted" in text
    return [line.strip() for line in text.replace("/usr/local/bin/vram-tui", program_command()).splitlines()]


def everything_under(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_a_kiosk_leads_nowhere_else(serve: Serve, log_in: Callable[..., Terminal], home: Path) -> None:
    server = serve(*kiosk(getpass.getuser()))
    owned = home / "owned"
    model = home / "model.gguf"
    model.write_bytes(b"GGUF")
    before = everything_under(home)
    terminal = log_in(server, f"touch {owned}; sh")  # what the client asks for is not what it gets
    terminal.wait(READY)
    terminal.settle()

    terminal.send("i")
    terminal.wait("not in restricted mode")
    terminal.send("x")
    terminal.wait("no files are written")
    assert "file" not in terminal.text.partition("clipboard")[2].splitlines()[0]
    terminal.send("\x1b[B\x1b[C\r")  # to the question where to, another answer, do it
    terminal.settle()
    terminal.send("\x1b")
    terminal.settle()
    for word in ("Import", "Suspend"):
        terminal.send(":")
        terminal.settle()
        terminal.send(word)
        terminal.wait(lambda text, word=word: f"{word}  (" in text)  # type: ignore[misc]
        terminal.settle(0.5)
        terminal.send("\r")
        terminal.wait("not in restricted mode")
    terminal.send("\x1a")
    terminal.wait("not in restricted mode")
    terminal.send("/qwen3-30b")
    terminal.wait("Qwen3-30B-A3B")
    terminal.send("\x1b\x1b")
    terminal.settle()
    terminal.send("t\x1524GiB\r")
    terminal.wait("24GiB: ")  # the legend of the grid
    terminal.send("q")
    assert terminal.wait_exit() == 0
    terminal.assert_restored()
    assert everything_under(home) == before, "something was written"


@pytest.mark.skipif(not sshd(), reason="needs the OpenSSH server")
def test_a_kiosk_has_no_back_door(home: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a terminal, by sftp, with a tunnel or with an environment of one's own: nothing, and nothing written."""
    environment = {name: value for name, value in surroundings(home, cache).items() if value is not None}
    before = everything_under(home)
    with OpenSsh(tmp_path_factory.mktemp("ssh"), environment, kiosk(getpass.getuser())) as server:
        for options in (("-T",), ("-s",)):
            command = "sftp" if options == ("-s",) else f"touch {home / 'owned'}"
            told = subprocess.run(
                server.login(command, *options), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30
            )
            assert told.returncode == 2
            assert told.stdout == ""
            assert "needs a terminal" in told.stderr or options == ("-s",)  # a subsystem's words stay on the server
        tunnel = server.login("", "-N", "-W", f"127.0.0.1:{server.port}")
        told = subprocess.run(tunnel, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert told.returncode != 0
        assert "SSH-2.0" not in told.stdout
    assert everything_under(home) == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_kiosk_passes_no_environment_on(home: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not sshd():
        pytest.skip("needs the OpenSSH server")
    environment = {name: value for name, value in surroundings(home, cache).items() if value is not None}
    with OpenSsh(tmp_path_factory.mktemp("ssh"), environment, kiosk(getpass.getuser())) as server:
        options = ("-tt", "-o", "SendEnv=EVIL PYTHONSTARTUP LD_PRELOAD")
        evil = {"EVIL": "1", "PYTHONSTARTUP": "/x", "LD_PRELOAD": ""}
        with Terminal(server.login("", *options), (100, 30), {**os.environ, **evil}) as terminal:
            terminal.wait(READY)
            found = [
                path.read_bytes()
                for path in Path("/proc").glob("[0-9]*/environ")
                if b"--restricted" in (path.parent / "cmdline").read_bytes()
            ]
            assert found
            assert not any(b"EVIL=" in one or b"PYTHONSTARTUP=" in one for one in found)
            terminal.send("q")
            assert terminal.wait_exit() == 0
