"""What a total leaves out: things that may need memory beside it, with their size where it is known."""

from vram_tui.estimator.memory import Memory
from vram_tui.estimator.records import record
from vram_tui.estimator.rule_of_thumb import METHOD as RULE_OF_THUMB
from vram_tui.estimator.units import MIB
from vram_tui.session.answers import Answers
from vram_tui.session.explaining import Asked, memory_of

TOWER_BYTES = 2
"""A projector file holds its weights at F16."""
PROMPT_CACHE = "prompt_cache_mib"
"""The runtime's default that says how much host memory it may fill with earlier prompts."""


@record
class Uncounted:
    """One thing beside the total. `bytes` is None where nobody can know it; `where` is "device" or "RAM"."""

    name: str
    bytes: int | None
    where: str
    words: str


def uncounted(answers: Answers, asked: Asked) -> tuple[Uncounted, ...]:
    """What is not in the total of a cell."""
    found: list[Uncounted] = []
    subject = answers.library.subject(asked.model)
    for tower in subject.model.towers:
        count = tower.parameters
        words = f"{count:,} parameters at F16, loaded only where images or sound go in"
        found.append(Uncounted(f"{tower.kind} projector", count * TOWER_BYTES, "device", words))
    memory = memory_of(answers, asked)
    exact = asked.scenario.method != RULE_OF_THUMB
    if exact and isinstance(memory, Memory) and asked.tokens and (host := memory.host.at(asked.tokens)):
        terms = ", ".join(term.name for term in memory.host.terms(asked.tokens))
        found.append(Uncounted("host memory", host, "RAM", terms))
    runtime = answers.facts.runtimes.get(asked.scenario.runtime)
    if runtime and (limit := runtime.defaults.get(PROMPT_CACHE)):
        words = f"the server keeps earlier prompts, up to {float(limit):,.0f} MiB unless told otherwise"
        found.append(Uncounted("prompt cache", int(limit) * MIB, "RAM", words))
    if subject.profile.mtp_parameters and not asked.scenario.mtp:
        size = subject.profile.mtp_parameters
        bits = memory.weights.bits_per_weight if isinstance(memory, Memory) else 16.0
        words = f"{size:,} parameters at {bits:.2f} bits, where the runtime loads them"
        found.append(Uncounted("MTP layers", round(size * bits / 8), "device", words))
    if answers.spills(asked.scenario.runtime):
        found.append(Uncounted("draft model", None, "device", "a second model that guesses ahead, if you load one"))
    display = runtime.constants.get("reserve.display") if runtime else None
    size_bytes = round(display.value * MIB) if display and display.unit.lower() == "mib" else None
    found.append(Uncounted("desktop", size_bytes, "device", "what the screen and other programs hold on the card"))
    return tuple(found)
