"""Notes that several engines share."""

from vram_tui.exporters.recipes.request import RecipeRequest
from vram_tui.quantities import format_tokens


def closing(request: RecipeRequest, notes: list[str]) -> tuple[str, ...]:
    """The notes, ended by the largest context where it is known."""
    largest = request.largest_ctx
    if largest is not None and largest >= request.ctx:
        short = format_tokens(largest)
        exact = f"{largest:,} tokens"
        notes.append(
            f"The largest context that fits here is {exact if exact.startswith(short) else f'{short} ({exact})'}."
        )
    elif largest is not None:
        notes.append(
            f"This does not fit: the largest context here is {format_tokens(largest)}."
            if largest
            else "This does not fit here with any context."
        )
    return tuple(notes)


def one_cache_type(request: RecipeRequest, engine: str, notes: list[str]) -> str:
    """The cache type for engines that know only one for K and V."""
    scenario = request.scenario
    if scenario.kv_k != scenario.kv_v:
        notes.append(
            f"{engine} has one cache type for K and V: {scenario.kv_k} for K and {scenario.kv_v} for V is not possible."
        )
    return scenario.kv_k.lower()
