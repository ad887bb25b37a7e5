"""Fuzz what a person writes: ``python -m tests.fuzz.fuzz_texts --seconds 60 --seed 1``.

Catalogue entries, accelerators, settings and saved sessions with wounds; batch lines, filters, hardware and every
field of the grid and the scenario with hostile texts. Each is taken, or refused in printable words that name file,
line and field; what was taken gives figures that are whole and not negative. A fault prints target, seed and case.
"""

import json
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import tomli
import tomli_w

from tests.fuzz.damage import HOSTILE, bytes_damaged, text, tree_damaged
from tests.fuzz.engine import FuzzError, Target, main
from tests.fuzz.fuzz_gguf import estimated, refused_in_words
from vram_tui.app.key_map import key_map
from vram_tui.catalog import Catalog, load_catalog
from vram_tui.catalog.faults import Fault
from vram_tui.catalog.hardware_files import HardwareFileError, load_hardware
from vram_tui.catalog.hardware_text import HardwareError, parse_hardware
from vram_tui.catalog.locate import catalog_root
from vram_tui.catalog.search import Searcher, parse_query
from vram_tui.catalog.summaries import summarize
from vram_tui.catalog.user import own_accelerators, read_file
from vram_tui.catalog.validate import validate_file
from vram_tui.commands.batch import _written, answers
from vram_tui.commands.workspace import Workspace
from vram_tui.estimator.profile import profile
from vram_tui.estimator.subject import FoldedSubject
from vram_tui.quantities import format_memory
from vram_tui.session import edits
from vram_tui.session.answers import Answers
from vram_tui.session.plain import from_plain, to_plain
from vram_tui.session.settings import load_settings
from vram_tui.session.state import Session
from vram_tui.session.storage import Store

MODEL = "Qwen/Qwen3-8B"
TAKE_EVERYTHING = ("filter", "batch", "session", "settings")
"""Targets that answer every input: what is wrong is part of the answer."""


@cache
def folder() -> Path:
    """A place for the files, gone with the process."""
    found = tempfile.TemporaryDirectory(prefix="vram-tui-fuzz-")
    _KEPT.append(found)
    return Path(found.name)


_KEPT: list[Any] = []


@cache
def catalog() -> Catalog:
    return load_catalog(user=False)


@cache
def texts(where: str) -> tuple[str, ...]:
    """The files of a shipped folder, every tenth of the models."""
    found = sorted((catalog_root() / where).rglob("*.toml"))
    return tuple(path.read_text(encoding="utf-8") for path in found[:: 10 if where == "models" else 1])


def toml_damaged(valid: str, chance: random.Random) -> bytes:
    """A TOML text with wounds in its bytes, or written anew from a tree with wounds."""
    if chance.random() < 0.4:
        return bytes_damaged(valid.encode(), chance)
    with suppress(TypeError, ValueError, AttributeError, OverflowError):
        return tomli_w.dumps(tree_damaged(tomli.loads(valid), chance)).encode(errors="surrogatepass")
    return valid.replace("=", chance.choice(("==", "= [", '= """', "=\0")), 1).encode()


def printable(*words: str) -> None:
    """Nothing in the words acts on a terminal."""
    for one in words:
        if not one.isprintable():
            raise FuzzError(f"{one!r} does not print")


def model_entry(chance: random.Random) -> bool:
    """A model's file in the person's own catalogue, read at a start and checked by `validate`."""
    path = folder() / "own" / "model.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(toml_damaged(chance.choice(texts("models")), chance))
    found = read_file(path, "own/model", "own")
    for fault in validate_file(path):
        printable(str(fault))
    if isinstance(found, Fault):
        printable(str(found))
        return False
    folded = profile(found.model)
    Searcher((summarize(found, folded),)).search("qwen 3 >1b ctx>=4k -moe")
    if chance.random() < 0.3:
        estimated(FoldedSubject("own/model", found.model, catalog().facts), chance)
    return True


def accelerators(chance: random.Random) -> bool:
    """A file of accelerators of one's own, read at a start and checked by `validate`."""
    path = folder() / "accelerators" / "own.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(toml_damaged(chance.choice(texts("accelerators")), chance))
    usable, told = own_accelerators(folder())
    printable(told)
    faults = validate_file(path) if chance.random() < 0.2 else []  # a hundred times as slow
    for fault in faults:
        printable(str(fault))
    if usable is None:
        return False
    try:
        merged = load_hardware(folder())
    except HardwareFileError as error:  # which a start tells, and goes on without the file
        printable(str(error))
        return False
    for known in list(merged.accelerators)[:3]:
        with suppress(HardwareError):  # an id with a plus, or one that is part of others
            parse_hardware(f"2x {known}", merged)
    return True


SETTINGS = 'theme = "day"\nascii = true\nmouse = true\nunits = "gb"\ngpus = "4090"\n[keys]\nquit = ["Q", "ctrl+q"]\n'


def settings(chance: random.Random) -> bool:
    """The configuration file: what it says is taken, what is wrong is told."""
    path = folder() / "config.toml"
    path.write_bytes(toml_damaged(SETTINGS, chance))
    found, faults = load_settings(path)
    printable(*faults, *key_map(found.keys)[1])
    return True


@cache
def saved() -> str:
    session = replace(Session(), model=MODEL, marks=(MODEL, "openai/gpt-oss-20b"), target="2x rtx-3090", theme="day")
    session = edits.save_grid(edits.set_bits(edits.add_context(session, "48K"), 0, "3.5"), "mine")
    session = edits.save_comparison(edits.set_ubatch(edits.set_kv(session, "q8_0:f16"), "256"), "two", (MODEL,))
    return tomli_w.dumps(to_plain(session))


def session_file(chance: random.Random) -> bool:
    """The saved session: read in part or whole, and its figures are figures or refusals."""
    place = folder() / "state"
    place.mkdir(exist_ok=True)
    (place / "session.toml").write_bytes(toml_damaged(saved(), chance))
    session, told = Store.at(place).load()
    printable(*told)
    if from_plain(to_plain(session)) != (session, ()):
        raise FuzzError(f"does not come back: {session}")
    figures(replace(session, model=MODEL))
    return True


@cache
def answering() -> Answers:
    return Answers(catalog())


def figures(session: Session) -> None:
    """Every cell of some rows: whole bytes, or a reason."""
    for row in session.grid.rows[:2]:
        for cell in answering().cells(session, row):
            if cell.bytes is None:
                printable(cell.reason[:500])
            elif not isinstance(cell.bytes, int) or cell.bytes < 0:
                raise FuzzError(f"{row}: {cell}")
            else:
                format_memory(cell.bytes, session.units)


@cache
def desk() -> Workspace:
    return Workspace(user=False)


LINE: dict[str, Any] = {
    "id": "a",
    "model": MODEL,
    "quant": "Q4_K_M",
    "ctx": "32K",
    "runtime": "llama.cpp",
    "kv": "q8_0:f16",
    "seqs": 2,
    "ubatch": 256,
    "gpus": "2x rtx-3090",
    "overhead": 5,
    "tp": 1,
    "pp": 2,
    "ngl": 12,
    "tensor_split": "3,1",
}


def _no_number(name: str) -> None:
    raise FuzzError(f"{name} is no JSON")


def batch_line(chance: random.Random) -> bool:
    """A line of a batch: one answer, a figure or an error with its field, as JSON that every reader reads."""
    if chance.random() < 0.3:
        line = bytes_damaged(json.dumps(LINE).encode(), chance).decode(errors="replace")
    else:
        line = json.dumps(tree_damaged(LINE, chance), ensure_ascii=chance.random() < 0.5)
    if not line.strip() or "\n" in line:
        return True
    (answer,) = answers(desk(), [line])
    written = _written(answer)
    printable(written)
    json.loads(written, parse_constant=_no_number)
    if "error" in answer:
        if not answer["error"] or not isinstance(answer["field"], str):
            raise FuzzError(f"{line[:200]!r}: {answer}")
    elif not isinstance(answer["total_bytes"], int) or answer["total_bytes"] < 0:
        raise FuzzError(f"{line[:200]!r}: {answer['total_bytes']}")
    return True


WORDS = (
    *("qwen", "moe", "-moe", ">30b", "<=24gib", "ctx>=128k", "licence:mit", "released>=2025-06", 'family:"Qwen3 MoE"'),
    *("own", "partial", "hybrid", "mem<8gb", "params<1t", "active>3b", "vendor:", ":", ">", "-", '"', "a" * 300),
)


@cache
def searcher() -> Searcher:
    rows = catalog().entries[:60]
    strange = [rows[0]._replace(id=f"x/{index}", name=name or "x") for index, name in enumerate(HOSTILE)]
    return Searcher((*rows, *strange, rows[1]._replace(id="x/a", name="a-" * 5000)))


def filter_text(chance: random.Random) -> bool:
    """The filter language: any text is a query."""
    query = text(chance, WORDS)
    printable(*(problem.replace(query, "") for problem in parse_query(query).problems))
    searcher().search(query, lambda model: len(model) << 30)
    return True


HARDWARE = (
    *("4090", "2x rtx-3090", "8xh200", "24GiB", "cpu", "local", "h100", "mi300x", "512 MB", "1000x 4090"),
    *("rtx-4090+rtx-3090", "0x h100", "99999999999x 4090", "dgx-h100", "0.0001GiB", "999999999.999GiB"),
)


def hardware_text(chance: random.Random) -> bool:
    """The target field."""
    try:
        machine = parse_hardware(text(chance, HARDWARE), catalog().hardware)
    except ValueError as error:
        return refused_in_words(error)
    if any(device.usable_bytes < 0 for device in machine.devices):
        raise FuzzError(f"{machine}")
    return True


FIELD_WORDS = (
    *("32K", "131072", "1M", "1.5k", "native", "Q4_K_M", "q8_0", "bpw:3", "4.25", "64", "0.5", "q8_0:f16", "fp8"),
    *("llama.cpp", "vllm", "auto", "5", "5%", "200", "4096", "1,024", "exact", "bytes per weight", "gb", "mine"),
)
Field = Callable[[Session, str], Session]


@cache
def fields() -> dict[str, Field]:
    """Every field of the grid, the scenario and the names."""
    facts = catalog().facts
    return {
        "add_context": edits.add_context,
        "retype_context": lambda session, typed: edits.retype_context(session, 1, typed),
        "add_row": lambda session, typed: edits.add_row(session, typed, facts.formats),
        "retype_row": lambda session, typed: edits.retype_row(session, 0, typed, facts.formats),
        "set_bits": lambda session, typed: edits.set_bits(session, 0, typed),
        "set_row_runtime": lambda session, typed: edits.set_row_runtime(session, 0, typed, facts.runtimes),
        "set_runtime": lambda session, typed: edits.set_runtime(session, typed, facts.runtimes),
        "set_kv": edits.set_kv,
        "set_sequences": edits.set_sequences,
        "set_ubatch": edits.set_ubatch,
        "set_overhead": edits.set_overhead,
        "set_method": edits.set_method,
        "set_profile": edits.set_profile,
        "set_units": edits.set_units,
        "choose_cell": lambda session, typed: edits.choose_cell(session, typed, facts.formats),
        "save_grid": edits.save_grid,
        "use_grid": edits.use_grid,
    }


def field_text(chance: random.Random) -> bool:
    """Some fields one after the other: each typed text is taken or refused; the figures of what came out hold."""
    session, taken = replace(Session(), model=MODEL), False
    for _ in range(chance.choice((1, 1, 2, 4))):
        change = chance.choice(list(fields().values()))
        try:
            session = change(session, text(chance, FIELD_WORDS))
            taken = True
        except edits.EditError as error:
            refused_in_words_or_typed(error)
    if taken:
        if from_plain(tomli.loads(tomli_w.dumps(to_plain(session)))) != (session, ()):
            raise FuzzError(f"does not come back: {session}")
        figures(session)
    return taken


def refused_in_words_or_typed(error: edits.EditError) -> None:
    """A refusal repeats what was typed; the screen shows it, so it must have words of its own."""
    if len(str(error)) < 8:
        raise FuzzError(f"{str(error)!r} says nothing")


TARGETS: dict[str, Target] = {
    "model-entry": model_entry,
    "accelerators": accelerators,
    "settings": settings,
    "session": session_file,
    "batch": batch_line,
    "filter": filter_text,
    "hardware-text": hardware_text,
    "field": field_text,
}


if __name__ == "__main__":
    raise SystemExit(main(TARGETS, __doc__))
