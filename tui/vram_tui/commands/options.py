"""The options of an estimate, once: for the command line, for batch lines and for the documentation."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vram_tui.commands.errors import CommandError
from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import Scenario
from vram_tui.quantities import parse_tokens

RUNTIMES = (
    "llama.cpp",
    "ollama",
    "lm-studio",
    "koboldcpp",
    "vllm",
    "sglang",
    "mlx",
    "exllamav3",
    "transformers",
    "tensorrt-llm",
)
MAX_COUNT = 1 << 20


@record
class Option:
    """One option: `name` as typed, `parse` from text or a JSON value, `help` in a few words, `scenario` its field."""

    name: str
    parse: Callable[[Any], Any]
    help: str
    metavar: str = ""
    scenario: str = ""
    choices: tuple[str, ...] = ()
    flag: bool = False

    @property
    def field(self) -> str:
        """The name in a batch line."""
        return self.name.replace("-", "_")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a whole number")
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"'{str(value)[:40]}' is no whole number") from None
    if not 1 <= number <= MAX_COUNT:
        raise ValueError(f"{number} is out of range: 1 to {MAX_COUNT:,}")
    return number


def _layers(value: Any) -> int | str:
    """A number of layers from 0, or `auto`."""
    if value == "auto":
        return "auto"
    if value in (0, "0"):
        return 0
    return _count(value)


def _outputs(value: Any) -> int | str:
    return "ubatch" if value == "ubatch" else _count(value)


def _tokens(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be tokens such as 32768 or 32K")
    return parse_tokens(str(value))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value.strip()


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _number(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError("must be a number")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"'{str(value)[:40]}' is no number") from None
        if not low <= number <= high:
            raise ValueError(f"{number:g} is out of range: {low:g} to {high:g}")
        return number

    return parse


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        lowered = _text(value).lower()
        if lowered not in choices:
            raise ValueError(f"'{str(value)[:40]}' is not one of {', '.join(choices)}")
        return lowered

    return parse


def _split(value: Any) -> tuple[float, ...]:
    shares = value.split(",") if isinstance(value, str) else value
    if not isinstance(shares, list) or not shares:
        raise ValueError("must be shares such as 3,1")
    return tuple(_number(0, 1e12)(share) for share in shares)


def _patterns(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) and "=" in part for part in parts):
        raise ValueError("must be PATTERN=BUFFER, several divided by commas")
    return tuple(parts)


def _runtime(value: Any) -> str:
    return _one_of(*RUNTIMES)(
        {"llamacpp": "llama.cpp", "exllama": "exllamav3", "trt-llm": "tensorrt-llm", "lmstudio": "lm-studio"}.get(
            str(value).lower(), value
        )
    )


OPTIONS: tuple[Option, ...] = (
    Option("runtime", _runtime, "inference engine", "NAME", "runtime", RUNTIMES),
    Option("quant", _text, "format: Q4_K_M, IQ4_XS, MXFP4_MOE, FP8, AWQ, MLX-4bit, EXL3-4.0, bpw:4.25 …", "Q"),
    Option("ctx", _tokens, "context in tokens: 32768, 32K, 1M", "TOKENS"),
    Option("kv", _text, "cache type, or K:V", "TYPE"),
    Option("seqs", _count, "concurrent sequences (slots)", "N", "seqs"),
    Option(
        "kv-unified", _flag, "llama.cpp: one cache buffer for all slots, or one each", scenario="kv_unified", flag=True
    ),
    Option("ubatch", _count, "tokens computed at once", "N", "ubatch"),
    Option("flash-attn", _one_of("auto", "on", "off"), "flash attention", "MODE", "flash_attn", ("auto", "on", "off")),
    Option("swa-full", _flag, "llama.cpp: full-size cache for windows", scenario="swa_full", flag=True),
    Option("outputs", _outputs, "rows of logits reserved per step, or `ubatch`", "N", "outputs"),
    Option("imatrix", _flag, "the mixture that an importance matrix gives", scenario="imatrix", flag=True),
    Option("mtp", _flag, "load the multi-token-prediction layers", scenario="mtp", flag=True),
    Option("gpus", _text, "the machine: 4090, 2x rtx-3090, 8xh200, 24GiB, a node, cpu, local", "HARDWARE"),
    Option("ngl", _layers, "layers on the GPU; auto: the most that fits", "N", "ngl"),
    Option("n-cpu-moe", _layers, "experts of the first N layers in RAM; auto: as many as needed", "N", "n_cpu_moe"),
    Option("tensor-split", _split, "share per GPU, such as 3,1", "LIST", "tensor_split"),
    Option("override-tensor", _patterns, "tensors kept elsewhere: PATTERN=BUFFER", "LIST", "override_tensor"),
    Option("tp", _count, "tensor-parallel size", "N", "tp"),
    Option("pp", _count, "pipeline-parallel size", "N", "pp"),
    Option("ep", _count, "expert-parallel size", "N", "ep"),
    Option("dp", _count, "data-parallel size", "N", "dp"),
    Option("gpu-memory-utilization", _number(0.01, 1), "vLLM's share of the card", "X", "gpu_memory_utilization"),
    Option("mem-fraction-static", _number(0.01, 1), "SGLang's static share", "X", "mem_fraction_static"),
    Option("max-batched-tokens", _count, "tokens per scheduler step", "N", "max_batched_tokens"),
    Option("free", _flag, "judge against free memory, not total", scenario="free", flag=True),
    Option(
        "method", _one_of("exact", "bytes-per-weight"), "how to count", "M", "method", ("exact", "bytes-per-weight")
    ),
    Option("overhead", _number(0, 1000), "percent, for bytes-per-weight", "PCT", "overhead_percent"),
    Option(
        "profile",
        _one_of("verified", "published"),
        "which facts, where an entry has both",
        "P",
        "profile",
        ("verified", "published"),
    ),
)
BY_FIELD: Mapping[str, Option] = {option.field: option for option in OPTIONS}


def add_options(parser: argparse.ArgumentParser, leave_out: tuple[str, ...] = ()) -> None:
    """Give a parser the options of an estimate. Values stay text: `given` parses them, so that errors read alike."""
    group = parser.add_argument_group("options of an estimate")
    for option in OPTIONS:
        if option.name in leave_out:
            continue
        if option.flag:
            group.add_argument(
                f"--{option.name}", dest=option.field, action=argparse.BooleanOptionalAction, help=option.help
            )
        else:
            group.add_argument(f"--{option.name}", dest=option.field, metavar=option.metavar, help=option.help)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parsed options among `values` (by field name; None is "not given").

    Raises CommandError naming the field.
    """
    parsed = {}
    for field, value in values.items():
        option = BY_FIELD.get(field)
        if option is None or value is None:
            continue
        try:
            parsed[field] = option.parse(value)
        except ValueError as error:
            raise CommandError(f"--{option.name}: {error}", field) from None
    return parsed


def scenario_from(options: Mapping[str, Any], base: Scenario | None = None) -> Scenario:
    """A scenario with the parsed options put in (the machine is the caller's: it needs the catalogue)."""
    changes = {
        option.scenario: options[option.field] for option in OPTIONS if option.scenario and option.field in options
    }
    if "kv" in options:
        k, _, v = options["kv"].lower().partition(":")
        changes |= {"kv_k": k, "kv_v": v or k}
    return replace(base or Scenario(), **changes)
