"""One row of the model list: what is needed to show, sort and search hundreds of models without reading them."""

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from vram_tui.catalog.entries import Entry
    from vram_tui.estimator.profile import Profile


class Summary(NamedTuple):
    """A model in the list.

    `parameters` counts towers too; `active` is the vendor's figure where there is one; `context` is 0 where no source
    states one.
    """

    id: str
    name: str
    family: str
    vendor: str
    license: str
    released: date | None
    parameters: int
    active: int
    context: int
    kind: str
    modalities: tuple[str, ...]
    tags: tuple[str, ...]
    partial: bool
    own: bool = False
    """True for a model of the user's catalogue."""
    released_to_day: bool = True

    @property
    def released_text(self) -> str:
        """2026-04-07, 2026-04 where no day is known, or nothing."""
        if self.released is None:
            return ""
        return self.released.isoformat()[: 10 if self.released_to_day else 7]


def summarize(entry: "Entry", profile: "Profile") -> Summary:
    """The row of an entry."""
    from vram_tui.catalog.counting import main_parameters

    return Summary(
        id=entry.id,
        name=entry.name,
        family=entry.family,
        vendor=entry.vendor,
        license=entry.license,
        released=entry.released,
        parameters=main_parameters(entry.model),
        active=entry.active_advertised or profile.active_parameters,
        context=entry.context_native,
        kind=kind_of(profile),
        modalities=entry.modalities,
        tags=entry.tags,
        partial=entry.partial,
        own=entry.origin != "shipped",
        released_to_day=entry.released_to_day,
    )


def kind_of(profile: "Profile") -> str:
    """dense, MoE, hybrid, hybrid MoE or recurrent."""
    if profile.recurrent_layers and not profile.caches:
        return "recurrent"
    routed = "MoE" if profile.experts > 1 else ""
    if profile.recurrent_layers:
        return f"hybrid {routed}".strip()
    return routed or "dense"


def to_row(summary: Summary) -> list[Any]:
    """Lists, numbers and text only."""
    row: list[Any] = list(summary[:13])
    row[5] = summary.released_text
    return row


def from_row(row: list[Any]) -> Summary:
    text = row[5]
    to_day = len(text) != 7
    row[5] = date.fromisoformat(text if to_day else f"{text}-01") if text else None
    row[10], row[11] = tuple(row[10]), tuple(row[11])
    return Summary._make((*row, False, to_day))
