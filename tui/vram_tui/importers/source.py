"""Where bytes come from: one small protocol for local files, memory and HTTP ranges."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from vram_tui.text import safe


class ReadError(ValueError):
    """A file that cannot be used. The message is one line: file, where, what is wrong, the mend."""

    def __init__(self, file: str, where: str, problem: str, mend: str) -> None:
        self.file, self.where, self.problem, self.mend = (safe(part, 300) for part in (file, where, problem, mend))
        place = f"{self.file}: {self.where}" if self.where else self.file
        super().__init__(f"{place}: {self.problem}; {self.mend}")


class Source(Protocol):
    """Random access to bytes of a known size."""

    @property
    def name(self) -> str:
        """What error messages call it."""

    @property
    def size(self) -> int:
        """Bytes in the whole."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``; fewer only where the source ends early."""


class BytesSource:
    """A source in memory."""

    def __init__(self, data: bytes, name: str = "<memory>") -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class FileSource:
    """A regular local file, read by seek and read; a context manager.

    Not a memory map: a file that shrinks while it is mapped kills the process with SIGBUS.
    Raises ReadError for anything but a readable regular file, without blocking on a FIFO.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        try:
            self._require_regular(os.stat(path).st_mode)
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._file = open(os.open(path, flags), "rb", buffering=0)  # noqa: SIM115
            status = os.fstat(self._file.fileno())
        except (OSError, ValueError) as error:
            if isinstance(error, ReadError):
                raise
            reason = error.strerror if isinstance(error, OSError) else None
            problem = f"cannot be opened ({reason or error})"
            raise ReadError(self.name, "", problem, "check the path and its permissions") from None
        try:
            self._require_regular(status.st_mode)
        except ReadError:
            self.close()
            raise
        self.size = status.st_size

    def _require_regular(self, mode: int) -> None:
        if stat.S_ISREG(mode):
            return
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a FIFO",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "not a file")
        raise ReadError(self.name, "", f"is {kind}, not a regular file", "name a model file")

    def read(self, offset: int, length: int) -> bytes:
        try:
            self._file.seek(offset)
            pieces = []
            while length > 0 and (piece := self._file.read(length)):
                pieces.append(piece)
                length -= len(piece)
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
            raise ReadError(self.name, f"byte {offset}", problem, "check the disk") from None
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_whole(path: str | os.PathLike[str], limit_bytes: int) -> bytes:
    """Return a small file's bytes; ReadError where it is larger than ``limit_bytes``."""
    with FileSource(Path(path)) as source:
        if source.size > limit_bytes:
            problem = f"is {source.size} bytes, more than the {limit_bytes} allowed"
            raise ReadError(source.name, "", problem, "name the right file")
        return source.read(0, limit_bytes)
