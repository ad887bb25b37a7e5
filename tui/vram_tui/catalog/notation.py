"""The notation of a model in TOML, read into blocks: named parts, layers written "mixer+feed_forward", a stack."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, cast

from vram_tui.catalog.field_words import WORDS
from vram_tui.catalog.kinds import wrong
from vram_tui.estimator.blocks import (
    Attention,
    Compressed,
    DeltaNet,
    DirectIndexer,
    Experts,
    FeedForward,
    Gated,
    Kda,
    LatentIndexer,
    Lightning,
    Linear,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Parallel,
    Plain,
    Relative,
    ShortConv,
)
from vram_tui.estimator.model import (
    AltUp,
    Gguf,
    HyperConnections,
    Layer,
    Model,
    Mtp,
    PerLayerInput,
    Stack,
    Tower,
)
from vram_tui.estimator.stored import StoredFile
from vram_tui.text import safe

MIXERS: Mapping[str, type[Any]] = {
    block.kind: block
    for block in (Attention, Mla, Compressed, DeltaNet, Kda, Mamba, Mamba2, Lightning, ShortConv, Linear, Parallel)
}
FEED_FORWARDS: Mapping[str, type[Any]] = {block.kind: block for block in (Gated, Plain, Experts)}

RENAMED = {"state_size": "state"}
"""Fields whose name in TOML differs from the record's, because a method has taken the short one."""
_FIELD_NAMES = {short: long for long, short in RENAMED.items()}

NESTED: Mapping[str, type[Any]] = {
    "relative": Relative,
    "per_layer_input": PerLayerInput,
    "altup": AltUp,
    "hyper_connections": HyperConnections,
}

MODEL_FIELDS = (
    "hidden_size",
    "vocab_size",
    "tied_embeddings",
    "norm",
    "norms",
    "final_norm",
    "embedding_norm",
    "head_bias",
    "extra_embedding_rows",
    "position_ids",
    "residual_vectors",
    "residual_conv",
    "lookup_tables",
    "per_layer_input",
    "altup",
    "hyper_connections",
)
"""Fields of Model that stand in `[architecture]`, in the order in which they are written."""


CHOICES: Mapping[str, tuple[str, ...]] = {
    "Model.norm": ("rms", "layer"),
    "Model.norms": ("pre", "post", "sandwich", "pre+post-ffn", "parallel", "none"),
}
"""What the text fields of the model may say, beside those of the blocks."""

MAX_DEPTH = 1024
"""Eight times the deepest model that there is."""
MAX_LAYERS = 1 << 16
_AGAIN = "import the file again"


class NotationError(ValueError):
    """Blocks that cannot be read. `field` is the dotted path of what is wrong, `mend` what to write instead."""

    def __init__(self, field: str, message: str, mend: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field, self.message, self.mend = field, message, mend


def read_model(data: Mapping[str, Any]) -> Model:
    """The blocks of an entry's tables. Raises NotationError with the field that is wrong."""
    architecture = _table(data, "architecture")
    mixers = _parts(_table(data, "mixer", optional=True), MIXERS, "mixer")
    feeds = _parts(_table(data, "feed_forward", optional=True), FEED_FORWARDS, "feed_forward")
    stack = tuple(_stack(part, index, mixers, feeds) for index, part in enumerate(_tables(data, "stack")))
    if not stack:
        raise NotationError("stack", "a model needs layers", "add a [[stack]] with layers = [...]")
    if sum(one.repeat * len(one.layers) for one in stack) > MAX_DEPTH:
        raise NotationError("stack", f"makes more than {MAX_DEPTH} layers", "write how many there are")
    values = {name: _model_value(name, architecture[name]) for name in MODEL_FIELDS if name in architecture}
    context = _table(data, "context", optional=True).get("native", 0)
    found: Model = _build(
        Model,
        {
            **values,
            "stack": stack,
            "mtp": _mtp(data["mtp"], mixers, feeds) if "mtp" in data else None,
            "towers": tuple(
                cast(Tower, _build(Tower, tower, f"towers.{index}"))
                for index, tower in enumerate(_tables(data, "towers"))
            ),
            "gguf": _gguf(_table(data, "gguf", optional=True)),
            "context_tokens": context,
        },
        "architecture",
    )
    return found


def read_files(data: Mapping[str, Any]) -> tuple[StoredFile, ...]:
    """The `[[files]]` of an entry. Raises NotationError where one does not add up."""
    return tuple(_file(table, f"files.{index}") for index, table in enumerate(_tables(data, "files")))


def _file(table: Mapping[str, Any], where: str) -> StoredFile:
    runs = table.get("layers", [])
    if not isinstance(runs, list) or not all(isinstance(run, list) and len(run) == 3 for run in runs):
        raise NotationError(f"{where}.layers", "should be runs of [layers, dense bytes, expert bytes]", _AGAIN)
    counts = [(key, value) for key, value in table.items() if key.endswith("_bytes")]
    for key, value in (*counts, *(("layers", one) for run in runs for one in run)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise NotationError(f"{where}.{key}", "should be a whole number of bytes", _AGAIN)
    found = cast(StoredFile, _build(StoredFile, {**table, "layers": list(map(tuple, runs))}, where))
    if sum(count for count, _, _ in runs) > MAX_LAYERS:
        raise NotationError(f"{where}.layers", f"are more than {MAX_LAYERS}", _AGAIN)
    spread = found.head_bytes + sum(count * (dense + experts) for count, dense, experts in runs)
    if runs and spread != found.device_bytes:
        raise NotationError(f"{where}.device_bytes", "is not the sum of head_bytes and layers", _AGAIN)
    return found


def _model_value(name: str, value: object) -> object:
    return _build(NESTED[name], value, f"architecture.{name}") if name in NESTED else value


def _table(data: Mapping[str, Any], name: str, *, optional: bool = False) -> Mapping[str, Any]:
    value = data.get(name, {} if optional else None)
    if not isinstance(value, dict):
        raise NotationError(name, "is missing" if value is None else "should be a table", f"write a [{name}] table")
    return value


def _tables(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise NotationError(name, "should be a list of tables", f"write [[{name}]]")
    return value


def _parts(tables: Mapping[str, Any], kinds: Mapping[str, type[Any]], where: str) -> dict[str, Any]:
    """Named parts with `like` resolved; a parallel mixer names its own parts."""
    flat: dict[str, dict[str, Any]] = {}
    built: dict[str, Any] = {}
    for name, table in tables.items():
        field = f"{where}.{name}"
        if not isinstance(table, dict):
            raise NotationError(field, "should be a table", "write { kind = …, … }")
        flat[name] = _resolved(table, flat, field)
        built[name] = _part(flat[name], kinds, built, field)
    return built


def _resolved(table: Mapping[str, Any], known: Mapping[str, dict[str, Any]], field: str) -> dict[str, Any]:
    if "like" not in table:
        return dict(table)
    base = known.get(str(table["like"]))
    if base is None:
        raise NotationError(f"{field}.like", f"no part {table['like']!r} stands above", _known(known))
    changed = {key: value for key, value in table.items() if key != "like"}
    return {**base, **changed}


def _part(table: Mapping[str, Any], kinds: Mapping[str, type[Any]], built: Mapping[str, Any], field: str) -> Any:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise NotationError(f"{field}.kind", f"no kind {kind!r}" if kind else "is missing", _known(kinds))
    values = {_FIELD_NAMES.get(key, key): value for key, value in table.items() if key != "kind"}
    if "parts" in values:
        values["parts"] = tuple(_named(name, built, f"{field}.parts") for name in values["parts"])
    if "relative" in values:
        values["relative"] = _build(Relative, values["relative"], f"{field}.relative")
    if "indexer" in values:
        values["indexer"] = _indexer(values["indexer"], f"{field}.indexer")
    return _build(kinds[kind], values, field)


def _indexer(value: object, field: str) -> DirectIndexer | LatentIndexer | None:
    if value == "none":
        return None
    if not isinstance(value, dict):
        raise NotationError(field, "should be a table or none", 'write { style = "low-rank", heads = …, dim = … }')
    if value.get("style") == "direct":
        return cast(DirectIndexer, _build(DirectIndexer, {k: v for k, v in value.items() if k != "style"}, field))
    return cast(LatentIndexer, _build(LatentIndexer, value, field))


def _build(record: type[Any], values: object, where: str) -> Any:
    """A record from a table; lists become tuples. Raises NotationError for a key that it lacks or does not know."""
    if not isinstance(values, dict):
        raise NotationError(where, "should be a table", "write { … }")
    known = {one.name: one for one in fields(record)}
    for key in values:
        if key not in known:
            raise NotationError(
                f"{where}.{RENAMED.get(key, key)}",
                "is not known here",
                _known(RENAMED.get(name, name) for name in known),
            )
    for name, one in known.items():
        if name not in values and one.default is MISSING and one.default_factory is MISSING:
            raise NotationError(f"{where}.{RENAMED.get(name, name)}", "is missing", "add it")
    for name, value in values.items():
        place = f"{where}.{RENAMED.get(name, name)}"
        if mend := wrong(known[name], value):
            raise NotationError(place, f"cannot be {shown(value)}", f"write {mend}")
        choices = CHOICES.get(f"{record.__name__}.{name}") or WORDS.get(name, ())
        if isinstance(value, str) and choices and value not in choices:
            raise NotationError(place, f"cannot be {shown(value)}", _known(choices))
    return record(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def shown(value: object) -> str:
    """A value as a person may have written it, cut to a few words."""
    return safe(repr(value), 60)


def _stack(part: Mapping[str, Any], index: int, mixers: Mapping[str, Mixer], feeds: Mapping[str, FeedForward]) -> Stack:
    where = f"stack.{index}"
    layers = tuple(read_layer(text, mixers, feeds, f"{where}.layers") for text in part.get("layers", ()))
    if not layers:
        raise NotationError(f"{where}.layers", "is missing or empty", 'write layers = ["mixer+feed_forward"]')
    repeat = part.get("repeat", 1)
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise NotationError(f"{where}.repeat", "should be a whole number from 1", "write repeat = 1 or leave it out")
    return Stack(layers, repeat)


def read_layer(text: object, mixers: Mapping[str, Mixer], feeds: Mapping[str, FeedForward], where: str) -> Layer:
    """One layer as written: "mixer+feed_forward", or the name of one half alone."""
    name, plus, feed = str(text).partition("+")
    if plus:
        return Layer(_named(name, mixers, where), _named(feed, feeds, where))
    if name in mixers:
        return Layer(mixers[name], None)
    return Layer(None, _named(name, {**mixers, **feeds}, where))


def _mtp(table: Mapping[str, Any], mixers: Mapping[str, Mixer], feeds: Mapping[str, FeedForward]) -> Mtp:
    layers = tuple(read_layer(text, mixers, feeds, "mtp.layers") for text in table.get("layers", ()))
    rest = {key: value for key, value in table.items() if key != "layers"}
    if isinstance(repeat := rest.get("repeat", 1), int) and not 1 <= repeat * len(layers) <= MAX_DEPTH:
        raise NotationError("mtp.repeat", f"makes no layer, or more than {MAX_DEPTH}", "write how many there are")
    return cast(Mtp, _build(Mtp, {**rest, "layers": layers}, "mtp"))


def _gguf(table: Mapping[str, Any]) -> Gguf:
    return cast(Gguf, _build(Gguf, dict(table), "gguf"))


def _named(name: object, parts: Mapping[str, Any], where: str) -> Any:
    if not isinstance(name, str) or name not in parts:
        raise NotationError(where, f"no part {name!r}", _known(parts))
    return parts[name]


def _known(names: Iterable[str]) -> str:
    return "known: " + (", ".join(sorted(names)) or "none yet")
