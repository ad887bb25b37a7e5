"""Compile a model, a format and a scenario into memory as a function of the context."""

from collections.abc import Callable
from importlib import import_module

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.llamacpp import compile_llamacpp
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.stored import format_of
from vram_tui.estimator.subject import Subject

METHODS = ("exact", "bytes-per-weight")

Compiler = Callable[[Subject, str, Scenario, Facts], Memory]

_ENGINES = {
    "vllm": "vllm",
    "sglang": "sglang",
    "tensorrt-llm": "tensorrt",
    "mlx": "mlx",
    "exllamav3": "exllama",
    "transformers": "transformers",
}
"""Modules in `runtimes`, loaded when asked for."""


def compile(subject: Subject, quant: str, scenario: Scenario, facts: Facts) -> Memory:  # noqa: A001 - the field's word
    """Memory of a model in a format under a scenario.

    Raises Refusal where the runtime refuses (with its reason), KeyError for an unknown format or runtime.
    """
    if scenario.method == "bytes-per-weight":
        from vram_tui.estimator.rule_of_thumb import compile_rule_of_thumb

        return compile_rule_of_thumb(subject, quant, scenario, facts)
    if scenario.method != "exact":
        raise Refusal(f"no method {scenario.method!r}: there are {' and '.join(METHODS)}", "method")
    engine = scenario.runtime
    known = facts.runtimes.get(engine)
    if known is not None and known.engine:
        engine = known.engine
    _check_format(subject, quant, scenario.runtime, facts)
    if engine == "llama.cpp":
        return compile_llamacpp(subject, quant, scenario, facts)
    return _compiler(engine)(subject, quant, scenario, facts)


def _check_format(subject: Subject, quant: str, runtime: str, facts: Facts) -> None:
    if quant.startswith("bpw:"):
        return
    known = format_of(subject, quant, facts)
    if runtime not in known.runtimes:
        raise Refusal(f"{runtime} does not load {quant}: {', '.join(known.runtimes)} do", "quant")


def _compiler(engine: str) -> Compiler:
    module = _ENGINES.get(engine)
    if module is None:
        raise KeyError(engine)
    loaded = import_module(f"vram_tui.estimator.runtimes.{module}")
    compiler: Compiler = getattr(loaded, f"compile_{module}")
    return compiler
