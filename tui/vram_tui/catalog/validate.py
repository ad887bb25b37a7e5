"""Check catalogue files: every fault with file, line, field and how to mend it."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli

from vram_tui.catalog.counting import counted
from vram_tui.catalog.entries import read_entry
from vram_tui.catalog.faults import Fault
from vram_tui.catalog.lines import line_of
from vram_tui.catalog.notation import NotationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TOLERANCE = 1e-4
"""How far the count of the blocks may be from the published one where the evidence is complete."""
_PARTS = ("mixer", "feed_forward")


def validate(path: Path) -> list[Fault]:
    """Every fault of one model's file, of a folder of `vendor/model.toml`, or of a whole catalogue folder."""
    if path.is_file():
        return validate_file(path)
    if not path.is_dir():
        return [Fault(path, None, "", "is neither a file nor a folder", "give a .toml file or a catalogue folder")]
    models = path / "models" if (path / "models").is_dir() else path
    files = sorted(models.glob("*/*.toml"))
    faults = [fault for file in files for fault in validate_model(file)]
    faults += _same_ids(models, files)
    if models is not path:
        faults += _hardware(path) + _facts(path)
    elif not files:
        faults.append(Fault(path, None, "", "holds no <vendor>/<model>.toml", "give a catalogue folder"))
    return faults


def validate_file(path: Path) -> list[Fault]:
    """The faults of one file: of accelerators where it has `[device.…]` tables, else of a model."""
    if not holds_accelerators(path):
        return validate_model(path)
    from vram_tui.catalog.hardware_check import check_accelerators
    from vram_tui.catalog.hardware_files import HardwareFileError, load_hardware
    from vram_tui.catalog.locate import catalog_root

    try:
        shipped = load_hardware(catalog_root()).accelerators
    except HardwareFileError:  # the file is one of the shipped ones, and is told below
        shipped = {}
    return [Fault(one.path, one.line, one.field, one.message) for one in check_accelerators(path, shipped)]


def holds_accelerators(path: Path) -> bool:
    """Whether a file is one of accelerators, as far as it can be read."""
    try:
        data = tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return path.parent.name == "accelerators"
    return "device" in data


def validate_model(path: Path) -> list[Fault]:
    """The faults of one model's file: its form, its blocks, and whether they add up to the published count."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomli.loads(text)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        return [Fault(path, None, "", f"cannot be read: {error}")]
    except tomli.TOMLDecodeError as error:
        return [Fault(path, error.lineno, "", error.msg, "mend the TOML there")]
    faults = list(_form(path, text, data))
    return faults or list(_meaning(path, text, data))


def _form(path: Path, text: str, data: Mapping[str, Any]) -> Iterator[Fault]:
    from pydantic import ValidationError

    from vram_tui.catalog.schema import ModelFile

    try:
        ModelFile.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            field = _field(detail["loc"], data)
            message, mend = _words(detail, data, field)
            yield Fault(path, line_of(text, field), ".".join(map(str, field)), message, mend)


def _field(location: Sequence[str | int], data: Mapping[str, Any]) -> tuple[str | int, ...]:
    """A location without the tags of unions: the keys that a person wrote, and the missing or wrong one."""
    found: list[str | int] = []
    value: Any = data
    for number, part in enumerate(location):
        inside = isinstance(value, Mapping) and part in value
        if inside or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
            found.append(part)
        elif number == len(location) - 1 and isinstance(value, Mapping) and not _is_tag(part, value, found):
            found.append(part)
    return tuple(found)


def _is_tag(part: str | int, table: Mapping[str, Any], found: Sequence[str | int]) -> bool:
    return len(found) > 1 and part in ("like", "none", "direct", "latent", table.get("kind"))


def _words(detail: "ErrorDetails", data: Mapping[str, Any], field: Sequence[str | int]) -> tuple[str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        near = get_close_matches(str(field[-1]), _known(detail["loc"], data), 1, 0.5)
        return "is not a known key", f"did you mean {near[0]}?" if near else "remove it, or see the schema"
    if kind == "missing":
        return "is missing", f"add {field[-1]} = …"
    if kind == "union_tag_invalid":
        wanted = str(context.get("expected_tags", "")).replace("'like', ", "")
        if context.get("tag") == "missing":
            return "has neither kind nor like", f"add kind = one of {wanted}"
        near = get_close_matches(str(context.get("tag")), wanted.replace("'", "").split(", "), 1, 0.5)
        return f"no kind {context.get('tag')!r}", f"did you mean {near[0]}?" if near else f"known: {wanted}"
    if kind in ("literal_error", "enum"):
        near = get_close_matches(str(detail["input"]), _quoted(str(context.get("expected", ""))), 1, 0.4)
        return f"cannot be {detail['input']!r}", f"did you mean {near[0]}?" if near else f"write {context['expected']}"
    message = detail["msg"].removeprefix("Input ")
    return message[:1].lower() + message[1:], _MENDS.get(kind, "see the schema for what stands here")


_MENDS = {
    "int_type": "write a whole number without quotes",
    "string_type": "write text in quotes",
    "list_type": "write a list in brackets",
    "bool_type": "write true or false",
    "greater_than_equal": "write a larger number",
    "less_than_equal": "write a smaller number",
    "date_type": "write a day as 2026-11-25, without quotes",
    "too_short": "write at least one",
}


def _quoted(text: str) -> list[str]:
    return text.split("'")[1::2]


def _known(location: Sequence[str | int], data: Mapping[str, Any]) -> list[str]:
    """The keys that the schema knows in the table of a location."""
    from vram_tui.catalog.notation import FEED_FORWARDS, MIXERS, RENAMED
    from vram_tui.catalog.schema import ModelFile

    if location[0] in _PARTS and len(location) >= 4:
        kinds = MIXERS if location[0] == "mixer" else FEED_FORWARDS
        records = [kinds[str(location[2])]] if location[2] in kinds else list(kinds.values())
        return [RENAMED.get(name, name) for record in records for name in record.__dataclass_fields__] + [
            "kind",
            "like",
        ]
    model: Any = ModelFile
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        inner = model.model_fields.get(part)
        model = _table_of(inner.annotation) if inner else None
        if model is None:
            return []
    return list(model.model_fields)


def _table_of(annotation: Any) -> Any:
    """The table inside an optional or listed annotation."""
    from typing import get_args

    if hasattr(annotation, "model_fields"):
        return annotation
    return next((found for one in get_args(annotation) if (found := _table_of(one)) is not None), None)


def _meaning(path: Path, text: str, data: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        entry = read_entry(f"{path.parent.name}/{path.stem}", data)
    except NotationError as error:
        parts = [int(part) if part.isdigit() else part for part in error.field.split(".") if part]
        yield Fault(path, line_of(text, parts), error.field, error.message, error.mend)
        return
    if entry.partial and not entry.partial_fields:
        yield Fault(path, line_of(text, ("evidence",)), "partial_fields", "is missing", "name what is inferred")
    if entry.partial or not entry.parameters_published or not entry.parameters_counts:
        return
    found, published = counted(entry.model, entry.parameters_counts), entry.parameters_published
    if abs(found - published) > TOLERANCE * published:
        yield Fault(
            path,
            line_of(text, ("parameters", "published")),
            "parameters.published",
            f"is {published:,}, but the blocks hold {found:,} ({entry.parameters_counts})",
            'correct the blocks or the count, or set evidence = "partial"',
        )


def _same_ids(models: Path, files: Sequence[Path]) -> Iterator[Fault]:
    seen: dict[str, Path] = {}
    for file in files:
        known = file.relative_to(models).as_posix().casefold()
        if known in seen:
            yield Fault(file, None, "", f"has the same id as {seen[known].name}, but for case", "rename one")
        seen[known] = file


def _hardware(path: Path) -> list[Fault]:
    from vram_tui.catalog.hardware_check import check_hardware

    return [Fault(one.path, one.line, one.field, one.message) for one in check_hardware(path)]


def _facts(path: Path) -> list[Fault]:
    from vram_tui.catalog.facts import FactsError, load_facts

    try:
        load_facts(path)
    except FactsError as error:
        return [Fault(error.path, None, error.record, error.reason)]
    return []
