"""One model of the catalogue: the facts of its TOML file as frozen records, read without a validation library."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from typing import Any

from vram_tui.catalog.kinds import first_wrong
from vram_tui.catalog.notation import NotationError, read_files, read_model, shown
from vram_tui.estimator.model import Model
from vram_tui.estimator.records import record
from vram_tui.estimator.stored import StoredFile

UNKNOWN = "unknown"


@record
class Figure:
    """One memory figure that a published page states: format, context in tokens, GiB, and the words beside it."""

    quant: str
    context: int
    gib: float
    verdict: str = ""
    bytes_per_weight: float = 0.0
    quality: str = ""


@record
class Published:
    """What a page or card says about a model where it differs from the verified blocks. None or empty: not stated."""

    source: str
    name: str = ""
    parameters: int | None = None
    active: int | None = None
    layers: int | None = None
    hidden_size: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    context: int | None = None
    experts: int | None = None
    experts_active: int | None = None
    kind: str = ""
    attention: str = ""
    activation: str = ""
    normalization: str = ""
    position: str = ""
    license: str = ""
    released: date | None = None
    modalities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    overhead_percent: float | None = None
    text: Mapping[str, int] = field(default_factory=dict)
    """Values that the page's running text gives otherwise than its table, by field."""
    figures: tuple[Figure, ...] = ()


@record
class Entry:
    """A model with its blocks and everything that is shown about it.

    `parameters_counts` names the reading of `parameters_published` (see `counting`); `partial_fields` are values
    that no source states; `context_native` is 0 where nothing states it. `origin` is "shipped" or the user's file.
    """

    id: str
    name: str
    family: str
    vendor: str
    license: str
    released: date | None
    """The first of the month where only that is known; see `released_to_day`."""
    modalities: tuple[str, ...]
    tags: tuple[str, ...]
    about: str
    model: Model
    sources: tuple[str, ...]
    checked: date | None
    released_to_day: bool = True
    context_native: int = 0
    hf_class: str = ""
    model_type: str = ""
    native_dtype: str = ""
    activation: str = ""
    position: str = ""
    """Position embedding: "RoPE", "none", or empty where nothing states it."""
    rope_theta: float = 0.0
    parameters_published: int = 0
    parameters_counts: str = ""
    parameters_source: str = ""
    active_advertised: int = 0
    evidence: str = "complete"
    partial_fields: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    published: Published | None = None
    files: tuple[StoredFile, ...] = ()
    """Files of the model whose tensors were read: exact in their own formats."""
    origin: str = "shipped"

    @property
    def partial(self) -> bool:
        return self.evidence == "partial"

    @property
    def released_words(self) -> str:
        """7 Apr 2026, Apr 2026 or unknown."""
        if self.released is None:
            return UNKNOWN
        return f"{f'{self.released.day} ' if self.released_to_day else ''}{self.released:%b %Y}"


def read_entry(entry_id: str, data: Mapping[str, Any], origin: str = "shipped") -> Entry:
    """An entry from the tables of its file. Raises NotationError with the field that is wrong."""
    architecture, parameters = data.get("architecture", {}), data.get("parameters", {})
    context = data.get("context", {})
    try:
        found = Entry(
            id=entry_id,
            name=_text(data, "name"),
            family=_text(data, "family"),
            vendor=_text(data, "vendor"),
            license=str(data.get("license", UNKNOWN)),
            released=read_date(data.get("released")),
            modalities=tuple(data.get("modalities", ("text",))),
            tags=tuple(data.get("tags", ())),
            about=str(data.get("about", "")),
            model=read_model(data),
            sources=tuple(data.get("sources", ())),
            checked=read_date(data.get("checked")),
            released_to_day=not _is_month(data.get("released")),
            context_native=context.get("native", 0),
            hf_class=architecture.get("hf_class", ""),
            model_type=architecture.get("model_type", ""),
            native_dtype=architecture.get("native_dtype", ""),
            activation=architecture.get("activation", ""),
            position=architecture.get("position", ""),
            rope_theta=float(architecture.get("rope_theta", 0.0)),
            parameters_published=parameters.get("published", 0),
            parameters_counts=parameters.get("counts", ""),
            parameters_source=parameters.get("source", ""),
            active_advertised=parameters.get("active_advertised", 0),
            evidence=data.get("evidence", "complete"),
            partial_fields=tuple(data.get("partial_fields", ())),
            notes=tuple(data.get("notes", ())),
            published=read_published(data["published"]) if "published" in data else None,
            files=read_files(data),
            origin=origin,
        )
        _check(found, _PLACES)
        return found
    except NotationError:
        raise
    except (TypeError, AttributeError, ValueError) as error:
        raise NotationError("", f"a value has the wrong form: {error}", "compare with a shipped entry") from error


def read_published(table: Mapping[str, Any]) -> Published:
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in table.items()}
    values["figures"] = tuple(Figure(**figure) for figure in table.get("figures", ()))
    values["released"] = read_date(table.get("released"))
    found = Published(**values)
    _check(found, {}, "published.")
    for index, figure in enumerate(found.figures):
        _check(figure, {}, f"published.figures.{index}.")
    return found


_PLACES = {
    "context_native": "context.native",
    "parameters_published": "parameters.published",
    "parameters_counts": "parameters.counts",
    "parameters_source": "parameters.source",
    "active_advertised": "parameters.active_advertised",
} | {name: f"architecture.{name}" for name in ("hf_class", "model_type", "native_dtype", "activation", "position")}
"""Where a field of an entry stands in its file, unless under its own name."""


def _check(found: object, places: Mapping[str, str], where: str = "") -> None:
    """Every field is of its kind. Raises NotationError with the first that is not."""
    if fault := first_wrong(found):
        name, value, mend = fault
        raise NotationError(places.get(name, where + name), f"cannot be {shown(value)}", f"write {mend}")


def read_date(value: object) -> date | None:
    """A date as TOML gives it, as JSON keeps it, or the first of a month written "2025-04"."""
    if isinstance(value, date):
        return value
    if _is_month(value):
        return date.fromisoformat(f"{value}-01")
    return date.fromisoformat(value) if isinstance(value, str) and value else None


def _is_month(value: object) -> bool:
    return isinstance(value, str) and len(value) == len("2025-04")


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise NotationError(key, "is missing" if value is None else "should be text", f'write {key} = "…"')
    return value
