"""Launch recipes: the commands that run a cell, one module per engine."""

from collections.abc import Callable
from importlib import import_module

from vram_tui.exporters.recipes.request import Placement, Recipe, RecipeRequest, Step

__all__ = ["ENGINES", "Placement", "Recipe", "RecipeRequest", "Step", "recipe"]

_MODULES = {
    "llama.cpp": "llamacpp",
    "ollama": "ollama",
    "lm-studio": "lmstudio",
    "koboldcpp": "koboldcpp",
    "vllm": "vllm",
    "sglang": "sglang",
    "tensorrt-llm": "tensorrt",
    "mlx": "mlx",
    "exllamav3": "exllamav3",
    "transformers": "transformers_code",
}
ENGINES: tuple[str, ...] = tuple(_MODULES)


def recipe(request: RecipeRequest) -> Recipe:
    """How to run this cell on the engine that the scenario names. Raises ValueError for an unknown engine.

    All that is variable is quoted for the shell, the Modelfile, YAML or Python that it stands in; a name that has
    characters which do not print is replaced by a stand-in, and a note says so.
    """
    engine = request.scenario.runtime
    if engine not in _MODULES:
        raise ValueError(f"no launch recipe for '{engine[:40]}': there are {', '.join(ENGINES)}")
    build: Callable[[RecipeRequest], Recipe] = import_module(f"{__name__}.{_MODULES[engine]}").build
    return build(request)
