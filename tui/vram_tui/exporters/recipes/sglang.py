"""SGLang: `sglang.launch_server`, with a rank for every node."""

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, short
from vram_tui.exporters.recipes.source import checkpoint, dtype

CACHE_TYPES = {
    "fp8": "fp8_e4m3",
    "fp8_e4m3": "fp8_e4m3",
    "fp8_e5m2": "fp8_e5m2",
    "fp4_e2m1": "fp4_e2m1",
    "bf16": "bf16",
}
SIXTEEN_BIT = ("auto", "f16", "fp16", "float16", "bfloat16")
INIT_PORT = 50000


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    place = request.placement
    options = [
        ("--model-path", checkpoint(request, notes, quantizes=_on_load(request))),
        ("--context-length", str(request.ctx)),
        ("--max-running-requests", str(_requests(request))),
        *_parallel(request, notes),
        *_memory(request, notes),
    ]
    title = f"SGLang: {request.name} {request.quant}, {request.ctx:,} tokens per request"
    if place.nodes == 1:
        return Recipe("sglang", (Step(title, _launch(options)),), closing(request, notes))
    head = request.head if pasteable(request.head) else "HEAD_IP"
    notes.append(f"Put the first node's address in the place of {head}; every node needs the weights.")
    steps = []
    for node in range(place.nodes):
        ranks = [
            ("--nnodes", str(place.nodes)),
            ("--node-rank", str(node)),
            ("--dist-init-addr", f"{head}:{INIT_PORT}"),
        ]
        steps.append(Step(f"On node {node}" + ("" if node else f", {title}"), _launch([*options, *ranks])))
    return Recipe("sglang", tuple(steps), closing(request, notes))


def _on_load(request: RecipeRequest) -> bool:
    """Whether the engine quantizes 16-bit weights itself while it loads them."""
    return request.quant.upper().startswith(("NF4", "BNB"))


def _requests(request: RecipeRequest) -> int:
    """Independent copies count their own requests; copies of the attention alone divide them among themselves."""
    place = request.placement
    return request.scenario.seqs if place.ep > 1 else -(-request.scenario.seqs // place.dp)


def _launch(options: list[tuple[str, ...]]) -> str:
    return command("python3", "-m", "sglang.launch_server", options=options)


def _parallel(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    """SGLang's tp counts all ranks of an expert-parallel group: with attention copies it is tp × dp."""
    place = request.placement
    options: list[tuple[str, ...]] = []
    together = place.dp > 1 and place.ep > 1
    tp = place.tp * place.dp if together else place.tp
    for flag, count in (("--tp-size", tp), ("--pp-size", place.pp), ("--dp-size", place.dp), ("--ep-size", place.ep)):
        if count > 1:
            options.append((flag, str(count)))
    if together:
        options.append(("--enable-dp-attention",))
    elif place.dp > 1 and place.nodes > 1:
        notes.append("Independent copies on several nodes are better started one by one behind SGLang's router.")
    return options


def _memory(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario = request.scenario
    options: list[tuple[str, ...]] = []
    if kind := dtype(request):
        options.append(("--dtype", kind))
    if _on_load(request):
        options += [("--quantization", "bitsandbytes"), ("--load-format", "bitsandbytes")]
    cache = one_cache_type(request, "SGLang", notes)
    if cache in CACHE_TYPES:
        options.append(("--kv-cache-dtype", CACHE_TYPES[cache]))
    elif cache not in SIXTEEN_BIT:
        notes.append(f"SGLang has no cache type {scenario.kv_k}: that of the model is used.")
    if scenario.mem_fraction_static is not None:
        options.append(("--mem-fraction-static", short(scenario.mem_fraction_static)))
    chunk = scenario.max_batched_tokens or scenario.ubatch
    if chunk:
        options.append(("--chunked-prefill-size", str(chunk)))
    if scenario.mtp:
        options += [
            ("--speculative-algorithm", "EAGLE"),
            ("--speculative-num-steps", "1"),
            ("--speculative-eagle-topk", "1"),
            ("--speculative-num-draft-tokens", "2"),
        ]
    return options
