"""What a format loses, as far as somebody measured it: figures with their measure and the model they are from."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from vram_tui.estimator.facts import Facts
from vram_tui.session.state import Row

REFERENCES = frozenset(("F16", "BF16", "F32"))
"""Formats that the others are measured against."""
REFERENCE = "reference"


class Loss(NamedTuple):
    """One measured figure. `against` is what it is measured against, `source` who measured it."""

    measure: str
    value: str
    model: str
    against: str
    source: str


def losses_of(facts: Facts, row: Row) -> tuple[Loss, ...]:
    """Everything measured about a row's format; nothing where the row has bits of its own."""
    known = facts.formats.get(row.quant)
    if known is None or row.bits is not None:
        return ()
    return tuple(_read(*one) for one in known.quality)


def loss_of(facts: Facts, row: Row) -> Loss | None:
    """The first of them."""
    found = losses_of(facts, row)
    return found[0] if found else None


def column_of(facts: Facts, rows: Sequence[Row]) -> tuple[Loss | None, list[str]]:
    """What one column can say of all rows: the measure and model that most of them have, and the words of each row.

    Figures of another measure or another model have no place beside them.
    """
    found = [losses_of(facts, row) for row in rows]
    kinds = Counter((one.measure, one.model) for losses in found for one in losses)
    if not kinds:
        return None, []
    kind = max(kinds, key=lambda one: kinds[one])
    words: list[str] = []
    chosen: Loss | None = None
    for row, losses in zip(rows, found, strict=True):
        same = next((one for one in losses if (one.measure, one.model) == kind), None)
        chosen = chosen or same
        plain = row.bits is None and row.quant in REFERENCES
        words.append(same.value if same else REFERENCE if plain else "")
    return chosen, words


def _read(measure: str, value: str, where: str) -> Loss:
    for joint in (" against ", " from ", " to "):
        name, found, against = measure.partition(joint)
        if found:
            break
    model, _, source = where.partition(", ")
    return Loss(name, value, model.partition(" with ")[0], against, f"{model}, {source}")
