"""`docs/catalogue-reference.md` and `docs/hardware-reference.md`: every field of the catalogue, from its schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.writing import code, document, table

from vram_tui.catalog.counting import READINGS
from vram_tui.catalog.hardware_schema import AcceleratorFile, NodesFile
from vram_tui.catalog.notation import FEED_FORWARDS, MIXERS
from vram_tui.catalog.schema import json_schema

MODELS = """
Every field of `catalog/models/<vendor>/<model>.toml`, as `vram-tui validate` checks it. [How an entry is
written](catalogue.md) shows one from beginning to end; editors with TOML support complete and check these fields from
`catalog/schema/model.schema.json`, which the first line of an entry names.
"""

HARDWARE = """
Every field of `catalog/accelerators/<vendor>.toml` and `catalog/nodes.toml`. [Adding hardware](hardware.md) shows an
entry from beginning to end. Editors complete accelerators from `catalog/schema/accelerator.schema.json`.
"""

LIKE = """
A part with `like = "name"` in place of `kind` copies the part of that name above it; the fields beside it are changed.
"""

Schema = Mapping[str, Any]


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _type(field: Schema) -> str:
    """What may stand in a field, in a few words."""
    if "$ref" in field:
        return f"[{_name(field['$ref'])}](#{_name(field['$ref']).lower()})"
    if "const" in field:
        return code(str(field["const"]))
    if "enum" in field:
        return ", ".join(code(str(value)) for value in field["enum"])
    for union in ("anyOf", "oneOf"):
        if union in field:
            kinds = [_type(one) for one in field[union] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    kind = field.get("type", "")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object":
        inner = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
        return f"tables of {_type(inner)}" if inner else "table"
    if kind == "string" and field.get("format") == "date":
        return "day"
    return {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false"}.get(kind, "")


def _rows(shape: Schema) -> Iterator[tuple[str, str, str, str]]:
    required = shape.get("required", ())
    for name, field in shape["properties"].items():
        if name in required:
            need = "yes"
        else:
            default = field.get("default")
            need = code(str(default).lower() if isinstance(default, bool) else str(default)) if default else ""
        meaning = "Names the block." if "const" in field and name == "kind" else field.get("description", "")
        yield code(name), _type(field), need, meaning


def _section(title: str, shape: Schema, level: str = "##") -> list[str]:
    lines = [f"{level} {title}", ""]
    if shape.get("description"):
        lines += [shape["description"].replace("\n", " "), ""]
    return lines + table(("field", "value", "required, or default", "meaning"), _rows(shape))


def models() -> str:
    schema = json_schema()
    shapes: dict[str, Schema] = schema["$defs"]
    parts = {record.__name__: f'kind = "{kind}"' for kind, record in {**MIXERS, **FEED_FORWARDS}.items()}
    own = [
        (code(name), _short(field), "yes" if name in schema["required"] else "", field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    top = ["## The file", "", *table(("field", "value", "required", "meaning"), own)]
    tables = [_section(name, shape) for name, shape in shapes.items() if name not in parts and "Like" not in name]
    kinds = [_section(f"{name}", shapes[name], "###") for name in parts]
    readings = ", ".join(map(code, READINGS))
    counts = f"`counts` in `[parameters]` names what the published total adds up, joined by `+`: {readings}."
    return document(
        "Catalogue reference",
        [MODELS.strip()],
        top,
        [counts],
        ["## Mixers and feed-forwards", "", LIKE.strip()],
        *kinds,
        *tables,
    )


def _short(field: Schema) -> str:
    """The type of a field of the file itself: of named parts only that they are tables."""
    inner = field.get("additionalProperties", {})
    return "named parts, below" if isinstance(inner, dict) and "oneOf" in inner else _type(field)


def hardware() -> str:
    accelerators = AcceleratorFile.model_json_schema()
    nodes = NodesFile.model_json_schema()
    return document(
        "Hardware reference",
        [HARDWARE.strip()],
        _section("An accelerator file", accelerators),
        *(_section(name, shape) for name, shape in accelerators["$defs"].items()),
        _section("nodes.toml", nodes),
        *(_section(name, shape) for name, shape in nodes["$defs"].items()),
    )
