"""ExLlamaV3: a `config.yml` for TabbyAPI."""

import re

from vram_tui.exporters.recipes.remarks import closing
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, slug, write_lines, yaml_text

PAGE_TOKENS = 256
_BITS = re.compile(r"(?:q|k|v|int)?([2-8])(?:_0|-?bits?)?")
SIXTEEN_BIT = ("auto", "f16", "fp16", "float16", "bf16", "bfloat16")


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    file = f"{slug(request.name)}.yml"
    steps = (
        Step("ExLlamaV3, in TabbyAPI's folder: the configuration", write_lines(_config(request, notes), file)),
        Step("Start it", command("python", "main.py", "--config", file)),
    )
    return Recipe("exllamav3", steps, closing(request, notes))


def _config(request: RecipeRequest, notes: list[str]) -> list[str]:
    scenario, place = request.scenario, request.placement
    folder, name = _model(request, notes)
    tokens = -(-request.ctx * scenario.seqs // PAGE_TOKENS) * PAGE_TOKENS
    lines = [
        "model:",
        f"  model_dir: {yaml_text(folder)}",
        f"  model_name: {yaml_text(name)}",
        f"  max_seq_len: {request.ctx}",
        f"  cache_size: {tokens}",
        f"  cache_mode: {_cache_mode(request, notes)}",
        f"  max_batch_size: {scenario.seqs}",
    ]
    if scenario.ubatch or scenario.max_batched_tokens:
        lines.append(f"  chunk_size: {scenario.ubatch or scenario.max_batched_tokens}")
    if place.tp > 1:
        lines.append("  tensor_parallel: true")
    elif place.devices > 1:
        lines.append("  gpu_split_auto: true")
    if place.n_cpu_moe:
        lines.append(f"  cpu_moe_offload_layers: {place.n_cpu_moe}")
    return lines


def _model(request: RecipeRequest, notes: list[str]) -> tuple[str, str]:
    """TabbyAPI wants the folder that holds models and the model's name in it."""
    if request.file and pasteable(request.file):
        folder, _, name = request.file.rstrip("/").rpartition("/")
        if name:
            return folder or ("/" if request.file.startswith("/") else "."), name
    notes.append(f"Put the folder with the {request.quant} weights under models/ and its name into model_name.")
    return "models", f"{slug(request.name)}-{slug(request.quant, 'exl3')}"


def _cache_mode(request: RecipeRequest, notes: list[str]) -> str:
    found = []
    for kind in (request.scenario.kv_k.lower(), request.scenario.kv_v.lower()):
        match = _BITS.fullmatch(kind)
        if match:
            found.append(match[1])
        elif kind not in SIXTEEN_BIT:
            notes.append(f"ExLlamaV3 has no cache type {kind}: 16 bits are used.")
    if len(found) == 2:
        return yaml_text(",".join(found))
    if found:
        notes.append("ExLlamaV3 quantizes K and V both or neither: 16 bits are used.")
    return "FP16"
