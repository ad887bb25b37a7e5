"""Ask llama.cpp's own allocator how it would spread models: `python -m benchmarks.record_offload` (the `verify` extra).

Writes `tests/truth/llamacpp_offload.jsonl.xz`: layers and experts in RAM, tensors sent by pattern, unequal cards,
given shares; what each simulated card and the RAM would hold. Tests and the accuracy report read it without llama.cpp.
"""

import json
import lzma
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.estimator.truth_models import facts, subjects
from tests.truth import rows

from vram_tui.estimator.blocks import Experts
from vram_tui.importers.gguf_metadata import metadata_of
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import write_header
from vram_tui.verify.asking import Answer, Request, ask
from vram_tui.verify.library import BUILD

RECORD = Path(__file__).parents[1] / "tests" / "truth" / "llamacpp_offload.jsonl.xz"
GIB = 1 << 30
BIG, SMALL = 80 * GIB, 24 * GIB
EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
MODELS = (
    "Qwen3-8B", "Qwen3-0.6B", "Llama-3.1-70B", "gemma-3-27b", "gemma-2-9b", "Qwen2.5-7B", "Phi-4-mini", "OLMo-2-13B",
    "starcoder2-7b", "command-r7b", "Mistral-Small-24B", "SmolLM3-3B", "Qwen3-30B-A3B", "gpt-oss-20b", "Mixtral-8x7B",
    "GLM-4.5-Air", "MiniMax-M2.7", "OLMoE-1B-7B", "Hunyuan-A13B", "Step-3.7-Flash", "MiMo-V2-Flash",
    "Llama-4-Scout-17B-16E", "DeepSeek-V2-Lite", "DeepSeek-V3", "Kimi-K2", "GLM-4.7-Flash", "Qwen3.5-27B",
    "Qwen3.5-35B-A3B", "Qwen3-Next-80B-A3B", "Nemotron-Nano-9B-v2", "granite-4.0-h-tiny", "LFM2-1.2B",
)  # fmt: skip


def settings(layers: int, experts: bool) -> Iterator[dict[str, Any]]:
    """The settings that a model is asked with."""
    half = (layers + 1) // 2
    for count in (0, 1, half, layers):
        yield {"ngl": count}
    yield {"ngl": half, "n_ctx": 32768}
    yield {"ngl": half, "outputs": 0}
    yield {"ngl": half, "ubatch": 2048}
    yield {"ngl": half, "seqs": 4, "unified": False}
    yield {"ngl": half, "flash": "off"}
    yield {"ngl": half, "type_k": "q8_0", "type_v": "q8_0"}
    yield {"devices": [BIG, SMALL]}
    yield {"devices": [SMALL, BIG], "n_ctx": 32768}
    yield {"devices": [BIG, BIG], "tensor_split": [3.0, 1.0]}
    yield {"devices": [BIG, BIG, BIG], "tensor_split": [1.0, 2.0, 1.0]}
    yield {"devices": [BIG, SMALL], "ngl": half}
    if experts:
        for count in (1, layers // 2, layers):
            yield {"n_cpu_moe": count}
        yield {"n_cpu_moe": layers, "n_ctx": 32768, "ubatch": 2048}
        yield {"n_cpu_moe": layers, "seqs": 4}
        yield {"n_cpu_moe": layers // 2, "ngl": layers - 2}
        yield {"n_cpu_moe": layers // 2, "devices": [BIG, BIG]}
        yield {"override_tensor": [r"blk\.[0-4]\.ffn_(up|down)_exps=CPU"]}
    else:
        yield {"override_tensor": [r"blk\.[0-4]\.ffn_(up|down)=CPU"]}


def request(path: Path, given: dict[str, Any]) -> Request:
    """A row's settings as llama.cpp is asked for them."""
    overrides = [(rf"blk\.{layer}{EXPERTS}", -1) for layer in range(given.get("n_cpu_moe", 0))]
    overrides += [(pattern.removesuffix("=CPU"), -1) for pattern in given.get("override_tensor", ())]
    plain = {key: given[key] for key in ("ubatch", "seqs", "unified", "type_k", "type_v") if key in given}
    return Request(
        str(path),
        given.get("n_ctx", 8192),
        outputs=given.get("outputs", given.get("seqs", 1)),
        flash=given.get("flash", "on"),
        devices=tuple(given.get("devices", (BIG,))),
        gpu_layers=given.get("ngl", -1),
        tensor_split=tuple(given.get("tensor_split", ())),
        overrides=tuple(overrides),
        **plain,
    )


def row(name: str, given: dict[str, Any], answer: Answer, devices: int) -> dict[str, Any]:
    """What is recorded: per place (the RAM last) the bytes of weights, caches and compute."""
    places = [answer.on(place) for place in (*range(devices), -1)]
    held = {part: [getattr(place, part) for place in places] for part in ("weights", "caches", "compute")}
    return {"model": name, "quant": "Q4_K_M", "build": BUILD, **given, **held}


def recorded() -> Iterator[dict[str, Any]]:
    archs = {one["model"]: one["arch"] for one in rows("llamacpp_models")}
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            model, path = subjects()[name].model, Path(folder) / f"{name}.gguf"
            tensors = typed_file_tensors(model, "Q4_K_M", facts(), imatrix=False)
            write_header({**metadata_of(model), "tokenizer.ggml.model": "none"}, tensors, path, extend=True)
            experts = any(isinstance(layer.feed_forward, Experts) for layer in model.layers())
            for given in settings(model.layer_count, experts):
                asked = request(path, given)
                answer = ask(asked)
                if answer.refusal:
                    print(f"{name} {given}: {answer.refusal}", file=sys.stderr)
                    continue
                yield {"arch": archs[name], **row(name, given, answer, len(asked.devices))}


def main() -> int:
    lines = "".join(json.dumps(one) + "\n" for one in recorded())
    RECORD.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{lines.count(chr(10))} rows in {RECORD.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
