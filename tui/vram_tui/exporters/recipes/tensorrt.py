"""TensorRT-LLM: `trtllm-serve` with the PyTorch backend, under MPI on several nodes."""

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, short, slug, write_lines
from vram_tui.exporters.recipes.source import checkpoint

CACHE_TYPES = {"fp8": "fp8", "fp8_e4m3": "fp8", "nvfp4": "nvfp4"}
SIXTEEN_BIT = ("auto", "f16", "bf16", "fp16", "float16", "bfloat16")


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    config = _config(request, notes)
    file = f"trtllm-{slug(request.name)}.yaml" if config else ""
    steps = [Step("TensorRT-LLM: settings that have no flag", write_lines(config, file))] if config else []
    steps.append(_serve(request, notes, file))
    return Recipe("tensorrt-llm", tuple(steps), closing(request, notes))


def _config(request: RecipeRequest, notes: list[str]) -> list[str]:
    lines = []
    kind = one_cache_type(request, "TensorRT-LLM", notes)
    if kind in CACHE_TYPES:
        lines += ["kv_cache_config:", f"  dtype: {CACHE_TYPES[kind]}"]
    elif kind not in SIXTEEN_BIT:
        notes.append(f"TensorRT-LLM has no cache type {request.scenario.kv_k}: that of the model is used.")
    if _attention_copies(request):
        lines.append("enable_attention_dp: true")
    return lines


def _attention_copies(request: RecipeRequest) -> bool:
    place = request.placement
    return place.dp > 1 and place.ep > 1 and place.tp == 1


def _serve(request: RecipeRequest, notes: list[str], config: str) -> Step:
    scenario, place = request.scenario, request.placement
    tp = place.tp
    if _attention_copies(request):
        tp = place.dp
    elif place.dp > 1:
        notes.append(f"Start {place.dp} such servers, each on its own devices: this is one of the copies.")
    options: list[tuple[str, ...]] = [
        ("--backend", "pytorch"),
        ("--max_seq_len", str(request.ctx)),
        ("--max_batch_size", str(scenario.seqs)),
    ]
    for flag, count in (("--tp_size", tp), ("--pp_size", place.pp), ("--ep_size", place.ep)):
        if count > 1:
            options.append((flag, str(count)))
    if scenario.max_batched_tokens or scenario.ubatch:
        options.append(("--max_num_tokens", str(scenario.max_batched_tokens or scenario.ubatch)))
    if scenario.gpu_memory_utilization is not None:
        options.append(("--kv_cache_free_gpu_memory_fraction", short(scenario.gpu_memory_utilization)))
    if config:
        options.append(("--config", config))
    words = ["trtllm-serve", checkpoint(request, notes)]
    if place.nodes > 1:
        options.append(("--gpus_per_node", str(place.devices_per_node)))
        ranks = tp * place.pp
        words = ["mpirun", "-n", str(ranks), "--hostfile", "hosts", "trtllm-llmapi-launch", *words]
        notes.append(f"The file `hosts` names the {place.nodes} nodes with {place.devices_per_node} slots each.")
    return Step(f"TensorRT-LLM: {request.name} {request.quant}", command(*words, options=options))
