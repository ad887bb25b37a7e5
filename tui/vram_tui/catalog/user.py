"""The user's own models: a folder of TOML files that adds to the shipped catalogue and overrides it."""

import re
from collections.abc import Iterator
from pathlib import Path

from vram_tui.catalog.compiled import write_atomically
from vram_tui.catalog.entries import Entry, read_entry
from vram_tui.catalog.faults import Fault
from vram_tui.catalog.lines import line_of
from vram_tui.catalog.notation import NotationError
from vram_tui.estimator.profile import profile
from vram_tui.text import safe

_ID = re.compile(r"[A-Za-z0-9][\w.+-]*/[A-Za-z0-9][\w.+-]*")
MAX_FILE_BYTES = 1 << 20
COMPARE = "compare with a shipped entry"


def read_user_entries(folder: Path) -> tuple[dict[str, Entry], list[Fault]]:
    """Every entry of a folder by id, and a fault for each file that cannot be used."""
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    for path in _files(folder):
        known = path.relative_to(folder).with_suffix("").as_posix()
        found = read_file(path, known, origin=str(path))
        if isinstance(found, Fault):
            faults.append(found)
        else:
            entries[known] = found
    return entries, faults


def own_accelerators(folder: Path) -> tuple[Path | None, str]:
    """The folder if its `accelerators/*.toml` can be used, else a sentence that says why not."""
    from vram_tui.catalog.hardware import HardwareCatalogue
    from vram_tui.catalog.hardware_files import HardwareFileError, load_hardware_file

    try:
        for path in sorted((folder / "accelerators").glob("*.toml")):
            load_hardware_file(path, HardwareCatalogue())
    except HardwareFileError as error:
        return None, f"{error}; your own accelerators are left out (vram-tui validate says more)"
    return folder, ""


def read_file(path: Path, known: str, origin: str) -> Entry | Fault:
    """The entry of one file, or what is wrong with it."""
    import tomli

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Fault(path, None, "", "is larger than 1 MiB", "an entry is a few kilobytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Fault(path, None, "", f"cannot be read: {error}")
    try:
        found = read_entry(known, tomli.loads(text), origin)
        profile(found.model)  # which the list needs: blocks that do not go together are told here
        return found
    except tomli.TOMLDecodeError as error:
        return Fault(path, error.lineno, "", error.msg, "mend the TOML there")
    except NotationError as error:
        parts = [int(part) if part.isdigit() else part for part in error.field.split(".") if part]
        return Fault(path, line_of(text, parts), error.field, error.message, error.mend)
    except (ValueError, RecursionError, ArithmeticError, LookupError, TypeError) as error:
        return Fault(path, None, "", f"the blocks do not go together: {safe(str(error), 200)}", COMPARE)


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.glob("*/*.toml") if path.is_file())
    except OSError:
        return


def user_path(folder: Path, known: str) -> Path:
    """The file of an id. Raises ValueError for an id that is no `vendor/model`."""
    if not _ID.fullmatch(known) or ".." in known:
        raise ValueError(f"{known[:80]!r} is no id: write vendor/model in letters, digits, dot, dash, underscore")
    return folder / f"{known}.toml"


def save_user_entry(folder: Path, entry: Entry, *, replace: bool = False) -> Path:
    """Write an entry into the user's folder, for the owner only. Raises FileExistsError unless `replace`."""
    from vram_tui.catalog.writing import user_entry_text

    path = user_path(folder, entry.id)
    if path.exists() and not replace:
        raise FileExistsError(f"{path} exists already: rename the model or replace it knowingly")
    write_atomically(path, user_entry_text(entry).encode(), 0o600)
    return path
