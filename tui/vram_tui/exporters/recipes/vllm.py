"""vLLM: `vllm serve`, on one node, over Ray, or with data-parallel ranks on several nodes."""

import json

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, short
from vram_tui.exporters.recipes.source import checkpoint, dtype

CACHE_TYPES = (
    "fp8",
    "fp8_e4m3",
    "fp8_e5m2",
    "fp8_ds_mla",
    "fp8_per_token_head",
    "int8_per_token_head",
    "int4_per_token_head",
    "nvfp4",
    "nvfp4_ds_mla",
)
SIXTEEN_BIT = ("auto", "f16", "bf16", "fp16", "float16", "bfloat16")
RAY_PORT, RPC_PORT = 6379, 13345


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    model = checkpoint(request, notes, quantizes=_on_load(request))
    options = [*_options(request, notes), *_memory(request, notes)]
    place = request.placement
    replica = place.tp * place.pp
    if place.nodes == 1:
        steps = [Step(f"vLLM: {_title(request)}", command("vllm", "serve", model, options=options))]
    elif replica > place.devices_per_node:
        steps = _over_ray(request, model, options)
    else:
        steps = _per_node(request, model, options, place.devices_per_node // replica)
    if place.nodes > 1:
        notes.append(f"Put the first node's address in the place of {_head(request)}; every node needs the weights.")
    if place.dp > 1 and request.scenario.seqs > 1:
        notes.append("--max-num-seqs counts for each data-parallel rank.")
    return Recipe("vllm", tuple(steps), closing(request, notes))


def _on_load(request: RecipeRequest) -> bool:
    """Whether the engine quantizes 16-bit weights itself while it loads them."""
    return request.quant.upper().startswith(("NF4", "BNB"))


def _title(request: RecipeRequest) -> str:
    place = request.placement
    ranks = (("tp", place.tp), ("pp", place.pp), ("ep", place.ep), ("dp", place.dp))
    split = " ".join(f"{name}={count}" for name, count in ranks if count > 1)
    return f"{request.name} {request.quant}, {request.ctx:,} tokens per request" + (f", {split}" if split else "")


def _options(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario, place = request.scenario, request.placement
    per_rank = -(-scenario.seqs // place.dp)
    options: list[tuple[str, ...]] = [("--max-model-len", str(request.ctx)), ("--max-num-seqs", str(per_rank))]
    for flag, count in (
        ("--tensor-parallel-size", place.tp),
        ("--pipeline-parallel-size", place.pp),
        ("--data-parallel-size", place.dp),
    ):
        if count > 1:
            options.append((flag, str(count)))
    if place.ep > 1:
        options.append(("--enable-expert-parallel",))
        if place.ep != place.tp * place.dp:
            notes.append(f"vLLM spreads the experts over tp × dp = {place.tp * place.dp} ranks, not {place.ep}.")
    if kind := dtype(request):
        options.append(("--dtype", kind))
    if _on_load(request):
        options.append(("--quantization", "bitsandbytes"))
    return options


def _memory(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario = request.scenario
    options: list[tuple[str, ...]] = []
    kind = one_cache_type(request, "vLLM", notes)
    if kind in CACHE_TYPES:
        options.append(("--kv-cache-dtype", kind))
    elif kind not in SIXTEEN_BIT:
        notes.append(f"vLLM has no cache type {scenario.kv_k}: that of the model is used.")
    if scenario.gpu_memory_utilization is not None:
        options.append(("--gpu-memory-utilization", short(scenario.gpu_memory_utilization)))
    batched = scenario.max_batched_tokens or scenario.ubatch
    if batched:
        options.append(("--max-num-batched-tokens", str(batched)))
    if scenario.mtp:
        options.append(("--speculative-config", json.dumps({"method": "mtp", "num_speculative_tokens": 1})))
    return options


def _head(request: RecipeRequest) -> str:
    return request.head if pasteable(request.head) else "HEAD_IP"


def _over_ray(request: RecipeRequest, model: str, options: list[tuple[str, ...]]) -> list[Step]:
    """One copy of the model needs several nodes: Ray joins them, one command starts all."""
    head, place = _head(request), request.placement
    env = {}
    if place.dp > 1:
        options = [*options, ("--data-parallel-backend", "ray")]
        env = {"VLLM_RAY_DP_PACK_STRATEGY": "span"}
    options = [*options, ("--distributed-executor-backend", "ray")]
    return [
        Step("On the first node: start Ray", command("ray", "start", "--head", f"--port={RAY_PORT}")),
        Step(
            "On every other node" if place.nodes > 2 else "On the other node",
            command("ray", "start", f"--address={head}:{RAY_PORT}"),
        ),
        Step(
            f"On the first node: vLLM on {place.nodes} × {place.devices_per_node} devices, {_title(request)}",
            command("vllm", "serve", model, options=options, env=env),
        ),
    ]


def _per_node(request: RecipeRequest, model: str, options: list[tuple[str, ...]], local: int) -> list[Step]:
    """Whole copies stand on every node: one command per node, the first of them answers requests."""
    place = request.placement
    shared = [("--data-parallel-address", _head(request)), ("--data-parallel-rpc-port", str(RPC_PORT))]
    steps = []
    for node in range(place.nodes):
        here = [*options, ("--data-parallel-size-local", str(min(local, place.dp - node * local)))]
        if node:
            here += [("--data-parallel-start-rank", str(node * local)), ("--headless",)]
        title = f"On node {node}: vLLM, {_title(request)}" if not node else f"On node {node}"
        steps.append(Step(title, command("vllm", "serve", model, options=[*here, *shared])))
    return steps
