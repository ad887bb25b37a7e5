"""What a published page says of a model beside what its verified configuration says, field by field."""

from typing import Any

from vram_tui.estimator.records import record
from vram_tui.quantities import format_parameters, format_tokens
from vram_tui.session.specs import facts_of, headline_of, license_words

_PAGE = (
    ("parameters", "parameters", format_parameters),
    ("active", "active", format_parameters),
    ("context", "context", format_tokens),
    ("layers", "layers", "{:,}".format),
    ("hidden", "hidden_size", "{:,}".format),
    ("heads", "heads", "{:,}".format),
    ("KV heads", "kv_heads", "{:,}".format),
    ("head dim", "head_dim", "{:,}".format),
    ("architecture", "kind", str),
    ("attention", "attention", str),
    ("licence", "license", license_words),
)
"""Label of the sheet, field of the page, how its value is written."""

_COUNTED = (
    "parameters",
    "active",
    "context",
    "layers",
    "hidden",
    "heads",
    "KV heads",
    "head dim",
    "experts",
    "attention",
)
"""Labels whose sheet already knows whether the page differs; the others are compared as words."""

_SAME_WORDS = {"mixture of experts": "moe"}


@record
class Compared:
    """A field with both values; `differs` only where the page says something and it is something else."""

    label: str
    verified: str
    published: str
    differs: bool


def compared(entry: Any, summary: Any) -> tuple[Compared, ...]:
    """Every field of the sheet with the page's word for it, in the sheet's order."""
    page = entry.published
    facts = {fact.label: fact for fact in (*headline_of(entry, summary), *facts_of(entry))}
    said = {label: write(value) for label, field, write in _PAGE if (value := getattr(page, field, None))}
    if page is not None:
        for field, value in page.text.items():
            label = next((name for name, known, _ in _PAGE if known == field), field)
            write = next((write for _, known, write in _PAGE if known == field), str)
            said[label] = f"{said.get(label, '')} in its table, {write(value)} in its text".strip()
        if page.experts:
            said["experts"] = f"{page.experts_active or 'some'} of {page.experts}"
        if page.released:
            said["released"] = f"{page.released.day} {page.released:%b %Y}"
        words = (page.activation, page.normalization, page.position)
        if any(words):
            said["functions"] = ", ".join(word for word in words if word)
    values = {label: fact.value for label, fact in facts.items()}
    values["licence"] = license_words(entry.license)
    found = []
    for label, verified in values.items():
        published = said.get(label, "")
        if label in _COUNTED:
            differs = bool(facts[label].published) or " in its text" in published
        else:
            differs = _differs(verified, published)
        found.append(Compared(label, verified, published, differs))
    return tuple(found)


def _differs(verified: str, published: str) -> bool:
    """Words that are not the same; a sentence that only adds to the verified value agrees with it."""
    if not published:
        return False
    ours, theirs = verified.casefold(), published.casefold()
    theirs = _SAME_WORDS.get(theirs, theirs)
    return ours != theirs and not ours.startswith(f"{theirs},")
