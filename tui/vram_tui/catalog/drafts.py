"""An entry for a model that somebody imports: what its file says, and honest blanks for the rest."""

from datetime import date

from vram_tui.catalog.entries import UNKNOWN, Entry
from vram_tui.estimator.model import Model


def draft(
    known: str,
    model: Model,
    *,
    source: str,
    checked: date,
    name: str = "",
    family: str = "",
    license: str = "",  # noqa: A002 - the field's word
    model_type: str = "",
    hf_class: str = "",
    native_dtype: str = "",
    activation: str = "",
    position: str = "",
    rope_theta: float = 0.0,
    modalities: tuple[str, ...] = ("text",),
    notes: tuple[str, ...] = (),
    origin: str = "imported",
) -> Entry:
    """A whole entry under the id `known` (`vendor/model`); `source` says where the blocks were read."""
    vendor, _, last = known.rpartition("/")
    return Entry(
        id=known,
        name=name or last,
        family=family or "Imported",
        vendor=vendor or UNKNOWN,
        license=license or UNKNOWN,
        released=None,
        modalities=modalities,
        tags=("imported",),
        about=f"Imported from {source}.",
        model=model,
        sources=(source,),
        checked=checked,
        context_native=model.context_tokens,
        hf_class=hf_class,
        model_type=model_type,
        native_dtype=native_dtype,
        activation=activation,
        position=position,
        rope_theta=rope_theta,
        notes=notes,
        origin=origin,
    )
