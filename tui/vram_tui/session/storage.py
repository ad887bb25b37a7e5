"""Keeping the session on disk: whole or not at all, for one person's eyes, and never at the cost of the session."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vram_tui.session.plain import VERSION, from_plain, to_plain
from vram_tui.session.state import Named, Session
from vram_tui.text import safe

FILE = "session.toml"
LOCK_WAIT_SECONDS = 1.0
LIMIT_BYTES = 4 << 20


def default_folder() -> Path | None:
    """Where the session lives (XDG state on Linux); None where the system names no such place."""
    from platformdirs import user_state_path

    try:
        folder = user_state_path("vram-tui", appauthor=False)
    except (RuntimeError, OSError):
        return None
    return folder if folder.is_absolute() else None


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone. Raises OSError; the old file stays then."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock beside a file, for as long as another dashboard may want to write it.

    Where locks do not work (some network file systems, other platforms) the write goes on without one.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                time.sleep(0.02)
            except OSError:
                break
        yield
    finally:
        os.close(handle)


def merged(base: Session, mine: Session, theirs: Session) -> Session:
    """What both dashboards changed since `base`; where both changed one thing, mine is the later word."""
    values: dict[str, Any] = {}
    for field in fields(Session):
        before, own, other = (getattr(side, field.name) for side in (base, mine, theirs))
        if field.name in ("marks", "columns"):
            values[field.name] = _merged_names(before, own, other)
        elif field.name in ("grids", "comparisons"):
            values[field.name] = _merged_named(before, own, other)
        elif own == before:
            values[field.name] = other
    return replace(mine, **values)


def _merged_names(before: tuple[str, ...], own: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    kept = [name for name in own if name in other or name not in before]
    return (*kept, *(name for name in other if name not in own and name not in before))


def _merged_named(
    before: tuple[Named[Any], ...], own: tuple[Named[Any], ...], other: tuple[Named[Any], ...]
) -> tuple[Named[Any], ...]:
    was, mine, theirs = ({saved.name: saved for saved in side} for side in (before, own, other))
    found = []
    for name in dict.fromkeys((*theirs, *mine)):
        changed_here = mine.get(name) != was.get(name)
        saved = mine.get(name) if changed_here else theirs.get(name)
        if saved:
            found.append(saved)
    return tuple(found)


@dataclass(slots=True)
class Store:
    """The session file of one person. `load` and `save` never raise for the state of the disk: they tell.

    `path` None keeps nothing. `read_only` is set where writing would destroy something (a newer version's file).
    """

    path: Path | None
    read_only: bool = False
    base: Session | None = None

    @classmethod
    def at(cls, folder: Path | None) -> "Store":
        return cls(folder / FILE if folder else None)

    def load(self) -> tuple[Session, tuple[str, ...]]:
        """The saved session (or a fresh one) and sentences for the person."""
        session, told = self._read()
        self.base = session
        return session, told

    def _read(self) -> tuple[Session, tuple[str, ...]]:
        if self.path is None:
            return Session(), ("no home folder: this session is not kept",)
        try:
            with self.path.open("rb") as file:
                content = file.read(LIMIT_BYTES + 1)
        except FileNotFoundError:
            return Session(), ()
        except OSError as error:
            return Session(), (f"{self.path}: {error.strerror}; starting afresh",)
        plain, fault = _parse(content)
        if plain is None:
            kept = self._put_aside()
            return Session(), (f"{self.path}: {fault}; starting afresh, {kept}",)
        if not isinstance(version := plain.get("version"), int) or version > VERSION:
            self.read_only = True
            return from_plain(plain)[0], (f"{self.path} was written by a newer vram-tui: read, but not overwritten",)
        session, bad = from_plain(plain)
        return session, ((f"{self.path}: not understood and left out: {', '.join(bad)}",) if bad else ())

    def _put_aside(self) -> str:
        assert self.path is not None
        aside = self.path.with_suffix(".toml.broken")
        try:
            os.replace(self.path, aside)
        except OSError as error:
            self.read_only = True
            return f"and the file stays as it is ({error.strerror})"
        return f"the old file is {aside.name}"

    def save(self, session: Session) -> str | None:
        """Merge with what another dashboard wrote meanwhile and write; a sentence where it could not be."""
        if self.path is None or self.read_only or session == self.base:
            return None
        import tomli_w

        try:
            with locked(self.path):
                theirs = self._theirs()
                both = merged(self.base or Session(), session, theirs) if theirs else session
                write_private(self.path, tomli_w.dumps(to_plain(both)).encode())
        except OSError as error:
            return f"not saved: {self.path}: {error.strerror or error}"
        self.base = session
        return None

    def _theirs(self) -> Session | None:
        """What is on disk now; None where nothing readable is. Sets `read_only` before a newer version's file."""
        assert self.path is not None
        try:
            plain, _ = _parse(self.path.read_bytes())
        except OSError:
            return None
        if plain is None:
            return None
        if not isinstance(version := plain.get("version"), int) or version > VERSION:
            self.read_only = True
            raise OSError(0, "a newer vram-tui wrote this file meanwhile")
        return from_plain(plain)[0]


def _parse(content: bytes) -> tuple[dict[str, Any] | None, str]:
    """The table in a TOML file, or None and what is wrong with it."""
    if len(content) > LIMIT_BYTES:
        return None, f"larger than {LIMIT_BYTES >> 20} MiB"
    import tomli

    try:
        return tomli.loads(content.decode()), ""
    except (ValueError, RecursionError) as error:
        return None, safe(str(error), 160)
