"""SSH servers on loopback and clients that log in to them: OpenSSH where it is installed, asyncssh anywhere."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

ALIVE_SECONDS = 1
"""How often a server asks whether the client still lives; it gives up after two questions."""


def sshd() -> str | None:
    """The OpenSSH server of this machine, if the client and the key maker are there too."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return found if found and shutil.which("ssh") and shutil.which("ssh-keygen") else None


class Server(ABC):
    """A server that knows one key and gives its logins an environment of their own.

    `extra` are more lines of its configuration in OpenSSH's words; of a kiosk the asyncssh server knows ForceCommand.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], extra: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.environment, self.extra = folder, environment, extra
        self.port = _free_port()
        self.user = getpass.getuser()
        self._make_keys()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(self._serve(), stdout=subprocess.DEVNULL, stderr=log, env=dict(os.environ))

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @abstractmethod
    def _make_keys(self) -> None:
        """Files: host, host.pub, user, user.pub, authorized_keys, known_hosts."""

    @abstractmethod
    def _serve(self) -> list[str]:
        """The server's command line."""

    @abstractmethod
    def login(self, command: str = "", *options: str) -> list[str]:
        """The client's command line: a login with a terminal, for a command or for what the server forces."""

    def wait(self, seconds: float = 10) -> None:
        """Until it takes connections."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"no server: {self.log.read_text()}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def __enter__(self) -> Self:
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _trust(self, host: str, user: str) -> None:
        (self.folder / "authorized_keys").write_text(f"{user}\n")
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}\n")


class OpenSsh(Server):
    """Debian's own server, as whoever runs the tests, on a port of its own."""

    name = "OpenSSH"

    @classmethod
    def version(cls) -> str:
        told = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
        return told.partition(",")[0].strip()

    def _make_keys(self) -> None:
        for name in ("host", "user"):
            key = str(self.folder / name)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
        self._trust(*((self.folder / f"{name}.pub").read_text().strip() for name in ("host", "user")))

    def _serve(self) -> list[str]:
        program = sshd()
        assert program
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where its system service would make it
        settings = " ".join(f'"{name}={value}"' for name, value in self.environment.items())
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "PrintMotd no",
            "PrintLastLog no",
            f"ClientAliveInterval {ALIVE_SECONDS}",
            "ClientAliveCountMax 2",
            f"SetEnv {settings}",
            "Subsystem sftp internal-sftp",
            *self.extra,
        ]
        configuration = self.folder / "sshd_config"
        configuration.write_text("\n".join(lines) + "\n")
        return [program, "-D", "-e", "-f", str(configuration)]

    def login(self, command: str = "", *options: str) -> list[str]:
        options = options or ("-tt",)
        settings = {
            "UserKnownHostsFile": self.folder / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "EscapeChar": "none",
            "LogLevel": "ERROR",
        }
        words = ["ssh", "-F", "none", *options, "-p", str(self.port), "-i", str(self.folder / "user")]
        words += [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return [*words, f"{self.user}@127.0.0.1", *([command] if command else [])]


class AsyncSsh(Server):
    """The library's server and client, each in a process of its own."""

    name = "asyncssh"

    @classmethod
    def version(cls) -> str:
        import asyncssh

        return f"asyncssh {asyncssh.__version__}"

    def _make_keys(self) -> None:
        import asyncssh

        public = []
        for name in ("host", "user"):
            key = asyncssh.generate_private_key("ssh-ed25519", name)
            key.write_private_key(self.folder / name)
            public.append(key.export_public_key().decode().strip())
        self._trust(*public)

    def _serve(self) -> list[str]:
        forced = next((line.split(None, 1)[1] for line in self.extra if line.startswith("ForceCommand ")), "")
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        program = [sys.executable, "-m", "tests.terminal.asyncssh_login", f"--forced={forced}"]
        return [*program, "serve", str(self.folder), str(self.port), *settings]

    def login(self, command: str = "", *options: str) -> list[str]:
        place = [str(self.folder), str(self.port)]
        return [sys.executable, "-m", "tests.terminal.asyncssh_login", "connect", *place, command]


def program_command(*arguments: str) -> str:
    """The dashboard as a command for a login shell."""
    return shlex.join([sys.executable, "-m", "vram_tui", *arguments])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
