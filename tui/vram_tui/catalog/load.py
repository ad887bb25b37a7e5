"""The catalogue in memory: light rows at once, entries and subjects when asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vram_tui.catalog.locate import catalog_root, user_models_dir
from vram_tui.catalog.summaries import Summary, summarize

if TYPE_CHECKING:
    from vram_tui.catalog.compiled import Compiled
    from vram_tui.catalog.entries import Entry
    from vram_tui.catalog.faults import Fault
    from vram_tui.catalog.hardware import HardwareCatalogue
    from vram_tui.catalog.search import Searcher
    from vram_tui.estimator.facts import Facts
    from vram_tui.estimator.model import Model
    from vram_tui.estimator.profile import Profile
    from vram_tui.estimator.subject import Subject
    from vram_tui.estimator.traffic import Shape


Read = TypeVar("Read")


class NotFound(KeyError):  # noqa: N818 - an answer, not a fault
    """No model of that name; `candidates` are near ones."""

    def __init__(self, text: str, candidates: Sequence[str]) -> None:
        near = f": did you mean {', '.join(candidates)}?" if candidates else ""
        super().__init__(f"no model {text[:80]!r}{near}")
        self.candidates = tuple(candidates)

    def __str__(self) -> str:
        return str(self.args[0])


class Ambiguous(KeyError):  # noqa: N818 - an answer, not a fault
    """Several models fit; `candidates` are their ids."""

    def __init__(self, text: str, candidates: Sequence[str]) -> None:
        more = f" and {len(candidates) - 8} more" if len(candidates) > 8 else ""
        super().__init__(f"{text[:80]!r} may be {', '.join(candidates[:8])}{more}")
        self.candidates = tuple(candidates)

    def __str__(self) -> str:
        return str(self.args[0])


class Catalog:
    """Models, formats, runtimes, hardware. `faults` are files that were skipped, `notices` odd things worth saying."""

    def __init__(
        self,
        root: Path,
        compiled: Compiled | None,
        entries: Mapping[str, Entry],
        faults: Sequence[Fault] = (),
        notices: Sequence[str] = (),
        own_hardware: Path | None = None,
    ) -> None:
        """`entries` are whole: the user's, and all of them where nothing is compiled.

        `own_hardware` is a folder with the user's `accelerators/*.toml`.
        """
        self.root = root
        self._own_hardware = own_hardware
        self.faults = list(faults)
        self.notices = tuple(notices)
        self._compiled = compiled
        self._whole = dict(entries)
        rows = [row for row in compiled.rows if row.id not in self._whole] if compiled else []
        if self._whole:
            from vram_tui.estimator.profile import profile

            rows += [summarize(entry, profile(entry.model)) for entry in self._whole.values()]
            rows.sort(key=lambda row: row.id.casefold())
        self.entries: tuple[Summary, ...] = tuple(rows)
        self._rows = {row.id: row for row in rows}
        self._entry = lru_cache(maxsize=64)(self._read_entry)
        self._subjects: dict[tuple[str, str], Subject] = {}

    @cached_property
    def facts(self) -> Facts:
        """Formats, runtimes and tiers."""

        def direct() -> Facts:
            from vram_tui.catalog.facts import load_facts

            return load_facts(self.root)

        return self._read(lambda compiled: compiled.facts(), direct)

    @cached_property
    def hardware(self) -> HardwareCatalogue:
        """Accelerators, nodes and their rules."""
        from vram_tui.catalog.hardware import HardwareCatalogue

        def direct() -> HardwareCatalogue:
            from vram_tui.catalog.hardware_files import load_hardware

            return load_hardware(self.root)

        if self._own_hardware is not None:
            from vram_tui.catalog.hardware_files import HardwareFileError, load_hardware

            try:
                return load_hardware(self.root, self._own_hardware)
            except HardwareFileError as error:
                self.notices = (*self.notices, f"{error}; your own accelerators are left out")
        return self._read(lambda compiled: HardwareCatalogue.from_plain(compiled.hardware()), direct)

    def _read(self, fast: Callable[[Compiled], Read], direct: Callable[[], Read]) -> Read:
        """What the compiled catalogue says; where that is damaged, what the TOML files say, and a notice."""
        if self._compiled is None:
            return direct()
        from vram_tui.catalog.compiled import CompiledError

        try:
            return fast(self._compiled)
        except CompiledError as error:
            self.notices = tuple(dict.fromkeys((*self.notices, f"{error}; reading the TOML files instead")))
            return direct()

    @cached_property
    def _searcher(self) -> Searcher:
        from vram_tui.catalog.search import Searcher

        return Searcher(self.entries)

    def adopt(self, entry: Entry, /) -> None:
        """Take in an entry that was written to the user's folder after the start; it replaces one of its id."""
        from vram_tui.estimator.profile import profile

        self._whole[entry.id] = entry
        self._rows[entry.id] = summarize(entry, profile(entry.model))
        self.entries = tuple(sorted(self._rows.values(), key=lambda row: row.id.casefold()))
        self._entry.cache_clear()
        self._subjects = {key: subject for key, subject in self._subjects.items() if key[0] != entry.id}
        self.__dict__.pop("_searcher", None)

    def summary(self, known: str) -> Summary:
        """The list row of an id. Raises NotFound."""
        try:
            return self._rows[known]
        except KeyError:
            raise NotFound(known, self._near(known)) from None

    def entry(self, known: str, /) -> Entry:
        """Everything about a model. Raises NotFound."""
        self.summary(known)
        return self._entry(known)

    def _read_entry(self, known: str) -> Entry:
        whole = self._whole.get(known)
        if whole is not None:
            return whole
        from vram_tui.catalog.entries import read_entry

        def direct() -> Entry:
            import tomli

            text = (self.root / "models" / f"{known}.toml").read_text(encoding="utf-8")
            return read_entry(known, tomli.loads(text))

        return self._read(lambda compiled: read_entry(known, compiled.entry_data(known)), direct)

    def listed_bytes(self, known: str, /) -> int | None:
        """Bytes in the default format and scenario at the list's context, where they were worked out before."""
        compiled = None if known in self._whole else self._compiled
        return compiled.listed(known) if compiled else None

    def subject(self, known: str, /, profile: str = "verified") -> Subject:
        """A model for the estimator. Raises NotFound, or ValueError where it has no such profile."""
        key = (known, profile)
        found = self._subjects.get(key)
        if found is None:
            found = self._subjects[key] = self._subject(known, profile)
        return found

    def _subject(self, known: str, profile: str) -> Subject:
        from vram_tui.catalog.subjects import CompiledSubject, PublishedSubject
        from vram_tui.estimator.subject import FoldedSubject

        self.summary(known)
        if profile == "published":
            entry = self._entry(known)
            if entry.published is None:
                raise ValueError(f"{known} has no published profile beside the verified one")
            return PublishedSubject(entry, entry.published, self.facts)
        if known in self._whole or self._compiled is None:
            if entry_files := self._entry(known).files:
                from vram_tui.estimator.stored import StoredSubject

                return StoredSubject(known, self._entry(known).model, self.facts, entry_files)
            return FoldedSubject(known, self._entry(known).model, self.facts)

        def model() -> Model:
            return self._entry(known).model

        def fold() -> Profile:
            from vram_tui.estimator.profile import profile

            return profile(model())

        def fold_shape() -> Shape:
            from vram_tui.estimator.traffic import shape

            return shape(model())

        return CompiledSubject(
            known,
            self.facts,
            lambda: self._read(lambda compiled: compiled.profile(known), fold),
            model,
            lambda: self._read(lambda compiled: compiled.shape(known), fold_shape),
            lambda quant, imatrix: self._read(lambda compiled: compiled.weights(known, quant, imatrix), _nothing),
            lambda: self._read(lambda compiled: compiled.curves(known), _nothing),
        )

    def search(self, query: str, memory: Callable[[str], int | None] | None = None) -> tuple[Summary, ...]:
        """Models that a query leaves, best first; `memory` gives bytes for an id, for conditions such as `<=24gib`."""
        return self._searcher.search(query, memory)

    def find(self, text: str) -> str:
        """The id that a text means: the id, its last part, the name, or an unambiguous part of them.

        Raises NotFound with near ids, Ambiguous with the candidates.
        """
        wanted = _plain(text)
        names = [(_plain(row.id), _plain(row.name), row.id) for row in self.entries]
        for exact in (
            [known for full, _, known in names if full == wanted],
            [known for full, _, known in names if full.rpartition("/")[2] == wanted],
            [known for _, name, known in names if name == wanted],
        ):
            if len(exact) == 1:
                return exact[0]
            if exact:
                raise Ambiguous(text, exact)
        parts = [known for full, name, known in names if wanted and (wanted in full or wanted in name)]
        if len(parts) == 1:
            return parts[0]
        if parts:
            raise Ambiguous(text, parts)
        raise NotFound(text, self._near(text))

    def _near(self, text: str) -> list[str]:
        from difflib import get_close_matches

        wanted = _plain(text)
        names = {_plain(row.id): row.id for row in self.entries} | {
            _plain(row.id.rpartition("/")[2]): row.id for row in self.entries
        }
        return list(dict.fromkeys(names[one] for one in get_close_matches(wanted, names, 5, 0.6)))


def _nothing() -> None:
    return None


def _plain(text: str) -> str:
    return text.strip().casefold().replace(" ", "-").replace("_", "-")


def load_catalog(path: Path | None = None, *, user: bool = True, user_dir: Path | None = None) -> Catalog:
    """The shipped catalogue (or the folder `path`) with the user's models over it.

    Faulty files are named in `Catalog.faults` and skipped. Raises CatalogMissingError when there is no catalogue.
    """
    root = (path or catalog_root()).resolve()
    if not (root / "models").is_dir():
        from vram_tui.catalog.locate import CatalogMissingError

        raise CatalogMissingError(f"{root} is no catalogue: it has no models folder")
    from vram_tui.catalog.compiled import open_compiled

    compiled, notice = open_compiled(root)
    entries, faults = ({}, []) if compiled else read_folder(root / "models")
    folder = (user_dir or user_models_dir()) if user else None
    hardware, told = None, ""
    if folder is not None and folder.is_dir():
        from vram_tui.catalog.user import read_user_entries

        own, own_faults = read_user_entries(folder)
        entries, faults = {**entries, **own}, [*faults, *own_faults]
    if folder is not None and (folder.parent / "accelerators").is_dir():
        from vram_tui.catalog.user import own_accelerators

        hardware, told = own_accelerators(folder.parent)
    notices = tuple(sentence for sentence in (notice, told) if sentence)
    return Catalog(root, compiled, entries, faults, notices, hardware)


def read_folder(models: Path) -> tuple[dict[str, Entry], list[Fault]]:
    """Every entry straight from its TOML file: what a start does when nothing is compiled."""
    from vram_tui.catalog.faults import Fault
    from vram_tui.catalog.user import read_file

    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    for path in sorted(models.glob("*/*.toml")):
        known = path.relative_to(models).with_suffix("").as_posix()
        found = read_file(path, known, "shipped")
        if isinstance(found, Fault):
            faults.append(found)
        else:
            entries[known] = found
    return entries, faults
