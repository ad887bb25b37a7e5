"""A small SSH server and client of asyncssh: key login, pseudo-terminals, sizes, keep-alive, a forced command.

``python -m tests.terminal.asyncssh_login serve FOLDER PORT [--forced COMMAND] [NAME=VALUE …]`` and
``… connect FOLDER PORT COMMAND``; the folder holds the keys.
"""

import argparse
import asyncio
import fcntl
import getpass
import os
import pty
import signal
import struct
import sys
import termios
import threading
import tty
from contextlib import suppress
from pathlib import Path

import asyncssh

from tests.terminal.logins import ALIVE_SECONDS

Size = tuple[int, int, int, int]


class Login(asyncssh.SSHServerSession[bytes]):
    """One session: a program in a pseudo-terminal, or in pipes where the client asked for no terminal."""

    def __init__(self, forced: str, environment: dict[str, str]) -> None:
        self._forced, self._environment = forced, environment
        self._command = ""
        self._term = ""
        self._size: Size = (80, 24, 0, 0)
        self._pid = self._fd = -1

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: Size, term_modes: object) -> bool:
        self._term, self._size = term_type, term_size
        return True

    def shell_requested(self) -> bool:
        return bool(self._forced)

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        command = self._forced or self._command
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execvpe("sh", ["sh", "-c", command], {**os.environ, **self._environment, "TERM": self._term})
        self._resize()
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _resize(self) -> None:
        columns, lines, *_ = self._size
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._size = (width, height, pixwidth, pixheight)
        self._resize()

    def data_received(self, data: bytes, datatype: object) -> None:
        os.write(self._fd, data)

    def pause_writing(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)

    def resume_writing(self) -> None:
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        if data:
            self._channel.write(data)
            return
        asyncio.get_running_loop().remove_reader(self._fd)
        _, status = os.waitpid(self._pid, 0)
        self._pid = -1
        self._channel.exit(max(os.waitstatus_to_exitcode(status), 0))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)  # the hang-up: the kernel tells the program
        if self._pid > 0:
            threading.Thread(target=os.waitpid, args=(self._pid, 0), daemon=True).start()


class Reception(asyncssh.SSHServer):
    """Gives each connection its sessions; whoever has the key is let in, nothing is forwarded."""

    def __init__(self, forced: str, environment: dict[str, str]) -> None:
        self._forced, self._environment = forced, environment

    def session_requested(self) -> Login:
        return Login(self._forced, self._environment)


async def serve(folder: Path, port: int, forced: str, environment: dict[str, str]) -> None:
    await asyncssh.create_server(
        lambda: Reception(forced, environment),
        "127.0.0.1",
        port,
        server_host_keys=[str(folder / "host")],
        authorized_client_keys=str(folder / "authorized_keys"),
        encoding=None,
        keepalive_interval=ALIVE_SECONDS,
        keepalive_count_max=2,
    )
    await asyncio.Event().wait()


class Screen(asyncssh.SSHClientSession[bytes]):
    """What comes from the server goes to the terminal."""

    def data_received(self, data: bytes, datatype: object) -> None:
        while data:
            with suppress(BlockingIOError):
                data = data[os.write(1, data) :]


async def connect(folder: Path, port: int, command: str) -> int:
    async with asyncssh.connect(
        "127.0.0.1",
        port,
        username=getpass.getuser(),
        client_keys=[str(folder / "user")],
        known_hosts=str(folder / "known_hosts"),
        config=None,
    ) as connection:
        size = os.get_terminal_size(0)
        channel, _ = await connection.create_session(
            Screen,
            command or None,
            term_type=os.environ.get("TERM", "xterm"),
            term_size=(size.columns, size.lines),
            encoding=None,
        )
        loop, before = asyncio.get_running_loop(), termios.tcgetattr(0)
        tty.setraw(0)
        loop.add_reader(0, lambda: channel.write(os.read(0, 4096)))

        def resized() -> None:
            channel.change_terminal_size(*os.get_terminal_size(0))

        loop.add_signal_handler(signal.SIGWINCH, resized)
        resized()  # it may have changed during the login
        try:
            await channel.wait_closed()
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)
        return channel.get_exit_status() or 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("serve", "connect"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--forced", default="")
    options = parser.parse_args()
    if options.what == "connect":
        return asyncio.run(connect(options.folder, options.port, " ".join(options.words)))
    environment = dict(word.split("=", 1) for word in options.words)
    asyncio.run(serve(options.folder, options.port, options.forced, environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
