"""The model list: what the filter leaves, in the order asked for, with family headings."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from vram_tui.estimator.records import record
from vram_tui.session.answers import Answers
from vram_tui.session.state import Session


@record
class Item:
    """One line: a family heading (`model` None) or a model's summary."""

    heading: str
    model: Any = None


_ORDER = {"": 0, "fits": 0, "tight": 1, "offload": 2, "no": 3}


def listing(found: Sequence[Any], session: Session, answers: Answers) -> list[Item]:
    """Summaries as lines of the list, in the session's order."""
    if session.sort == "family":
        return _by_family(found)
    models = sorted(found, key=_sort_key(session, answers))
    return [Item(model.family, model) for model in models]


def _by_family(found: Sequence[Any]) -> list[Item]:
    families: dict[str, list[Any]] = {}
    for model in found:
        families.setdefault(model.family or "Others", []).append(model)
    items: list[Item] = []
    for family in sorted(families, key=lambda name: (name == "Others", name.casefold())):
        items.append(Item(family))
        newest = sorted(families[family], key=lambda model: (_age(model), -model.parameters, model.name.casefold()))
        items += [Item(family, model) for model in newest]
    return items


def _age(model: Any) -> int:
    return -(model.released or date.min).toordinal()


def _sort_key(session: Session, answers: Answers) -> Callable[[Any], Any]:
    def memory(model: Any) -> int:
        count = answers.list_bytes(session, model.id)
        return 1 << 60 if count is None else count

    def best_fit(model: Any) -> tuple[int, int, int]:
        found = answers.rating(session, model.id)
        if found is None:
            return 99, 0, -model.parameters
        return _ORDER[found.fit], found.tier, -model.parameters

    keys: dict[str, Callable[[Any], Any]] = {
        "release": lambda model: (_age(model), model.name.casefold()),
        "parameters": lambda model: (-model.parameters, model.name.casefold()),
        "memory": memory,
        "fit": best_fit,
    }
    return keys[session.sort]


def newest(models: Sequence[Any]) -> str:
    """The id that a first start opens on: the newest model of which everything is known."""
    known = [model for model in models if model.released and not model.partial] or list(models)
    return max(known, key=lambda model: (model.released or date.min, model.parameters)).id if known else ""
