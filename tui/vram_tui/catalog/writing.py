"""An entry as the text of its TOML file: parts named, layers compressed, one key a line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from typing import Any

from vram_tui.catalog.entries import Entry, Published
from vram_tui.catalog.notation import MODEL_FIELDS, RENAMED
from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DirectIndexer,
    Experts,
    FeedForward,
    Gated,
    Mixer,
    Mla,
    Parallel,
    Plain,
)
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.stored import StoredFile

SCHEMA_LINE = "#:schema ../../schema/model.schema.json"
WIDTH = 110


def entry_text(entry: Entry) -> str:
    """The file of an entry. Reading it back gives an equal entry."""
    parts = name_parts(entry.model)
    blocks = [
        _lines(_head(entry)),
        _section("context", {"native": entry.context_native}),
        _section(
            "parameters",
            {
                "published": entry.parameters_published,
                "counts": entry.parameters_counts,
                "source": entry.parameters_source,
                "active_advertised": entry.active_advertised,
            },
        ),
        _section("architecture", _architecture(entry)),
        *_part_sections(parts),
        *_stacks(entry.model, parts),
        *_mtp(entry.model, parts),
        *(_section("towers", _changed(tower, keep=("kind", "parameters")), many=True) for tower in entry.model.towers),
        _section("gguf", _changed(entry.model.gguf)),
        *(_section("files", _file(file), many=True) for file in entry.files),
        *(_published(entry.published) if entry.published else ()),
    ]
    return "\n".join((SCHEMA_LINE, "\n\n".join(block for block in blocks if block))) + "\n"


def user_entry_text(entry: Entry) -> str:
    """The same for a user's catalogue, which has no schema beside it to point to."""
    return entry_text(entry).removeprefix(f"{SCHEMA_LINE}\n")


def _head(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "family": entry.family,
        "vendor": entry.vendor,
        "license": entry.license,
        "released": entry.released if entry.released_to_day or not entry.released else f"{entry.released:%Y-%m}",
        "modalities": list(entry.modalities),
        "tags": list(entry.tags),
        "about": entry.about,
        "evidence": "" if entry.evidence == "complete" else entry.evidence,
        "partial_fields": list(entry.partial_fields),
        "notes": list(entry.notes),
        "sources": list(entry.sources),
        "checked": entry.checked,
    }


def _architecture(entry: Entry) -> dict[str, Any]:
    model = entry.model
    known = {one.name: one.default for one in fields(Model)}
    theta = entry.rope_theta
    return {
        "hf_class": entry.hf_class,
        "model_type": entry.model_type,
        "native_dtype": entry.native_dtype,
        "activation": entry.activation,
        "position": entry.position,
        "rope_theta": int(theta) if theta.is_integer() else theta,
        **{name: getattr(model, name) for name in MODEL_FIELDS if getattr(model, name) != known[name]},
    }


# -- parts ---------------------------------------------------------------------------------------------------------


class Parts:
    """The distinct mixers and feed-forwards of a model with a name each, in the order of first appearance."""

    def __init__(self) -> None:
        self.mixers: dict[Mixer, str] = {}
        self.feeds: dict[FeedForward, str] = {}

    def layer(self, layer: Layer) -> str:
        names = []
        if layer.mixer is not None:
            names.append(self.mixers[layer.mixer])
        if layer.feed_forward is not None:
            names.append(self.feeds[layer.feed_forward])
        return "+".join(names)


def name_parts(model: Model) -> Parts:
    """Names a person would choose: local and global where windows alternate, mlp and moe, sizes where they vary."""
    found = Parts()
    mixers: list[Mixer] = []
    feeds: list[FeedForward] = []
    for layer in (*model.distinct_layers(), *(model.mtp.layers if model.mtp else ())):
        if layer.mixer is not None:
            inner = layer.mixer.parts if isinstance(layer.mixer, Parallel) else ()
            mixers += [one for one in (*inner, layer.mixer) if one not in mixers]
        if layer.feed_forward is not None and layer.feed_forward not in feeds:
            feeds.append(layer.feed_forward)
    for mixer in mixers:
        found.mixers[mixer] = _free(_mixer_name(mixer, mixers), found.mixers.values())
    dense = [one for one in feeds if isinstance(one, (Gated, Plain))]
    for feed in feeds:
        name = "moe" if isinstance(feed, Experts) else f"mlp-{feed.size}" if len(dense) > 1 else "mlp"
        if isinstance(feed, Experts) and feed.hash:
            name = "hashed"
        found.feeds[feed] = _free(name, (*found.feeds.values(), *found.mixers.values()))
    return found


def _mixer_name(mixer: Mixer, mixers: list[Mixer]) -> str:
    kinds = {one.kind for one in mixers}
    if isinstance(mixer, Attention):
        windows = {one.window > 0 for one in mixers if isinstance(one, Attention)}
        if mixer.kv == "cross":
            return "cross"
        if mixer.window_kind == "chunk":
            base = "chunked"
        elif len(windows) == 2:
            base = "local" if mixer.window else "global"
        elif not mixer.rotary and any(isinstance(one, Attention) and one.rotary for one in mixers):
            base = "unrotated"
        else:
            base = "full" if kinds - {"attention", "parallel", "mamba", "mamba2", "mamba1"} else "attention"
        return f"{base}-shared" if mixer.kv == "shared" else base
    if isinstance(mixer, Mla):
        others = any(isinstance(one, Mla) and one.indexer for one in mixers)
        return "reuse" if others and mixer.indexer is None else "mla"
    if isinstance(mixer, Compressed):
        base = "slide" if not mixer.ratio else "csa" if mixer.indexer else "hca"
        return f"{base}-shared" if mixer.kv == "shared" else base
    return {"delta-net": "linear", "short-conv": "conv", "mamba2": "mamba", "parallel": "both"}.get(
        mixer.kind, mixer.kind
    )


def _free(name: str, taken: Iterable[str]) -> str:
    known = set(taken)
    number = 2
    free = name
    while free in known:
        free, number = f"{name}-{number}", number + 1
    return free


def _part_sections(parts: Parts) -> list[str]:
    mixers = {name: _part(mixer, parts) for mixer, name in parts.mixers.items()}
    feeds = {name: _part(feed, parts) for feed, name in parts.feeds.items()}
    return [_part_section("mixer", mixers), _part_section("feed_forward", feeds)]


def _part_section(title: str, tables: Mapping[str, dict[str, Any]]) -> str:
    if not tables:
        return ""
    lines = [f"[{title}]"]
    written: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        lines.append(f"{name} = {_value(_shortest(table, written))}")
        written[name] = table
    return "\n".join(lines)


def _shortest(table: dict[str, Any], written: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The table itself, or `like` an earlier part with what differs, if that is much shorter."""
    best = table
    for name, other in written.items():
        if other["kind"] != table["kind"]:
            continue
        lost = {key: _EMPTY.get(key) for key in other if key not in table}
        if None in lost.values():
            continue
        changed = {key: value for key, value in table.items() if other.get(key) != value}
        like = {"like": name, **changed, **lost}
        if len(like) + 1 < len(best):
            best = like
    return best


_EMPTY: Mapping[str, object] = {
    "window": 0,
    "window_kind": "slide",
    "indexer": "none",
    "router_bias": False,
    "hash": False,
    "k_is_v": False,
    "sinks": False,
    "rotary": True,
    "temperature": False,
    "kv": "own",
    "ratio": 0,
    "v_dim": 0,
    "shared": 0,
    "dense": 0,
}


def _part(part: Mixer | FeedForward, parts: Parts) -> dict[str, Any]:
    if isinstance(part, Parallel):
        return {"kind": part.kind, "parts": [parts.mixers[one] for one in part.parts]}
    return {"kind": part.kind, **{RENAMED.get(key, key): _plain(value) for key, value in _changed(part).items()}}


def _plain(value: object) -> object:
    if isinstance(value, DirectIndexer):
        return {"style": "direct", **_changed(value)}
    return _changed(value) if is_dataclass(value) else value


def _changed(record: object, keep: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a record that differ from their default, and the ones to keep."""
    found = {}
    for one in fields(record):  # type: ignore[arg-type]
        value = getattr(record, one.name)
        default = one.default if one.default is not MISSING else None
        if one.name in keep or one.default is MISSING or value != default:
            found[one.name] = list(value) if isinstance(value, tuple) else value
    return found


def _stacks(model: Model, parts: Parts) -> Iterator[str]:
    for part in model.stack:
        layers = [parts.layer(layer) for layer in part.layers]
        yield _section("stack", {"repeat": part.repeat if part.repeat > 1 else 0, "layers": layers}, many=True)


def _mtp(model: Model, parts: Parts) -> Iterator[str]:
    if model.mtp:
        rest = {key: value for key, value in _changed(model.mtp).items() if key != "layers"}
        lines = [f"layers = {_value([parts.layer(layer) for layer in model.mtp.layers])}"]
        yield "\n".join(("[mtp]", *lines, *(f"{key} = {_value(value)}" for key, value in rest.items())))


def _file(file: StoredFile) -> dict[str, Any]:
    return {key: [list(run) for run in value] if key == "layers" else value for key, value in _changed(file).items()}


def _published(published: Published) -> Iterator[str]:
    plain = {key: value for key, value in _changed(published).items() if key not in ("figures", "text")}
    yield _section("published", plain)
    yield _section("published.text", dict(published.text))
    for figure in published.figures:
        yield _section("published.figures", _changed(figure), many=True)


# -- TOML ----------------------------------------------------------------------------------------------------------


def _section(title: str, values: Mapping[str, Any], *, many: bool = False) -> str:
    lines = _lines(values)
    if not lines and not many:
        return ""
    return f"{'[[' if many else '['}{title}{']]' if many else ']'}\n{lines}"


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value, key)}" for key, value in values.items() if _says_something(value))


def _says_something(value: object) -> bool:
    return value is False or not (value is None or value == "" or value == [] or value == 0)


def _value(value: object, key: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return _string(value)
    if is_dataclass(value):
        return _value(_changed(value))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        flat = "[" + ", ".join(_value(one) for one in value) + "]"
        if len(flat) + len(key) + 3 <= WIDTH:
            return flat
        return "[\n" + "".join(f"    {_value(one)},\n" for one in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one >= " " and one != "\x7f" else f"\\u{ord(one):04x}" for one in escaped) + '"'
