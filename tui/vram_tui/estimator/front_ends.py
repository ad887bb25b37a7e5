"""What a front end takes where nobody says: how many requests side by side, and the context by the cards' memory."""

from vram_tui.estimator.devices import Machine
from vram_tui.estimator.facts import RuntimeFacts
from vram_tui.estimator.units import GIB


def default_seqs(runtime: RuntimeFacts) -> int:
    """Requests that a front end serves at once by itself."""
    return int(runtime.defaults.get("parallel", 1))


def default_ctx(runtime: RuntimeFacts, machine: Machine | None, native_tokens: int) -> int | None:
    """Tokens of a request where none are given, at most the model's own; None where the front end has no own rule."""
    found = runtime.defaults.get("ctx") or _by_memory(runtime, machine)
    if found is None:
        return None
    return min(int(found), native_tokens) if native_tokens else int(found)


def _by_memory(runtime: RuntimeFacts, machine: Machine | None) -> int | None:
    """The context of the first size that the memory of all cards together stays below."""
    rules = runtime.defaults
    if "ctx_small" not in rules or machine is None:
        return None
    held = sum(device.memory_bytes for device in machine.devices) / GIB
    for size in ("small", "medium"):
        if held < int(rules[f"ctx_{size}_below_gib"]):
            return int(rules[f"ctx_{size}"])
    return int(rules["ctx_large"])
