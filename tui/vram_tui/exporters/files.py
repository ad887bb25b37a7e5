"""Write an export to a file: whole or not at all, never over another file unasked."""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from vram_tui.text import safe

_MENDS = {
    errno.ENOSPC: "the disk is full; make room or choose another disk",
    errno.EDQUOT: "your disk quota is used up; make room or choose another disk",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "you may not write there; choose another folder",
    errno.EPERM: "you may not write there; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.ELOOP: "the links on this path run in a circle; check the path",
}


class ExportError(ValueError):
    """The file could not be written; the message names the path and the mend."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{safe(os.fspath(path))}: {reason}")


def write_export(text: str, path: str | Path, overwrite: bool = False) -> Path:
    """Write `text` as UTF-8, line ends as they are; give the path that was written, `~` expanded.

    A temporary file beside the target takes the text first, so that a fault leaves the target as it was. An existing
    file keeps its permissions; a link is followed. Raises ExportError.
    """
    target = _target(path)
    mode = _mode(target, overwrite)
    try:
        _write(target, text.encode("utf-8", "backslashreplace"), mode, overwrite)
    except FileExistsError:
        raise ExportError(target, "exists already; choose another name or ask to overwrite it") from None
    except OSError as error:
        raise ExportError(target, _MENDS.get(error.errno or 0, error.strerror or str(error))) from None
    return target


def _target(path: str | Path) -> Path:
    name = os.path.expanduser(os.fspath(path))
    if not name.strip():
        raise ExportError("", "no file name; give one such as grid.md")
    if "\0" in name:
        raise ExportError(name, "a file name cannot hold a NUL character; choose another name")
    if name.endswith(os.sep):
        raise ExportError(name, "is a folder; add a file name")
    return Path(os.path.realpath(name))


def _mode(target: Path, overwrite: bool) -> int:
    """The permissions that the file shall have; refuses what is there and may not be replaced."""
    try:
        found = target.stat()
    except FileNotFoundError:
        parent = target.parent
        if not parent.exists():
            raise ExportError(target, f"there is no folder {safe(os.fspath(parent))}; make it first") from None
        return 0o666 & ~_umask()
    except OSError as error:
        raise ExportError(target, _MENDS.get(error.errno or 0, error.strerror or str(error))) from None
    if stat.S_ISDIR(found.st_mode):
        raise ExportError(target, "is a folder; add a file name")
    if not stat.S_ISREG(found.st_mode):
        raise ExportError(target, "is no ordinary file; choose another name")
    if not overwrite:
        raise ExportError(target, "exists already; choose another name or ask to overwrite it")
    if not os.access(target, os.W_OK):
        raise ExportError(target, "is write-protected; choose another name")
    return stat.S_IMODE(found.st_mode)


def _write(target: Path, data: bytes, mode: int, overwrite: bool) -> None:
    handle, name = tempfile.mkstemp(prefix=".vram-tui-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        if overwrite:
            os.replace(name, target)
        else:
            _place(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _place(name: str, target: Path) -> None:
    """Give the file its name only if nobody took it meanwhile."""
    try:
        os.link(name, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: the check just made is all that can be had.
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", os.fspath(target)) from None
        os.replace(name, target)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
