"""llama.cpp: `llama-server` with every setting that decides about memory spelled out."""

from vram_tui.exporters.recipes.remarks import closing
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, short
from vram_tui.exporters.recipes.source import gguf_path, gguf_repo

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
LOGICAL_BATCH = 2048


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    repo = gguf_repo(request)
    source = ("--hf-repo", f"{repo}:{request.quant}") if repo else ("--model", gguf_path(request, notes))
    if repo and not pasteable(request.quant):
        source = ("--hf-repo", repo)
    options = [source, *_context(request, notes), *_placement(request, notes)]
    if request.scenario.mtp:
        options.append(("--spec-type", "draft-mtp"))
    step = Step(
        f"llama.cpp: {request.name} {request.quant}, {request.ctx:,} tokens", command("llama-server", options=options)
    )
    return Recipe("llama.cpp", (step,), closing(request, notes))


def _context(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario = request.scenario
    options: list[tuple[str, ...]] = [
        ("--ctx-size", str(request.ctx)),
        ("--parallel", str(scenario.seqs)),
        ("--kv-unified" if scenario.kv_unified else "--no-kv-unified",),
    ]
    if scenario.seqs > 1:
        sharing = "share" if scenario.kv_unified else "divide"
        notes.append(f"The {scenario.seqs} slots {sharing} the {request.ctx:,} tokens.")
    for flag, kind in (("--cache-type-k", scenario.kv_k), ("--cache-type-v", scenario.kv_v)):
        if kind.lower() in CACHE_TYPES:
            options.append((flag, kind.lower()))
        else:
            notes.append(f"llama.cpp has no cache type {kind}: its default f16 is used.")
    options.append(("--flash-attn", scenario.flash_attn if scenario.flash_attn in ("on", "off") else "auto"))
    if scenario.ubatch:
        if scenario.ubatch > LOGICAL_BATCH:
            options.append(("--batch-size", str(scenario.ubatch)))
        options.append(("--ubatch-size", str(scenario.ubatch)))
    if scenario.swa_full:
        options.append(("--swa-full",))
    return options


def _placement(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario, place = request.scenario, request.placement
    options: list[tuple[str, ...]] = []
    if scenario.ngl == "auto" and place.ngl is None:
        options.append(("--n-gpu-layers", "auto"))
    else:
        options.append(("--n-gpu-layers", "all" if place.ngl is None else str(place.ngl)))
        # Its own fitting would move layers that were placed on purpose.
        options.append(("--fit", "off"))
    if place.n_cpu_moe:
        options.append(("--n-cpu-moe", str(place.n_cpu_moe)))
    if place.devices > 1:
        options.append(("--split-mode", "layer"))
        if place.tensor_split:
            options.append(("--tensor-split", ",".join(map(short, place.tensor_split))))
        if place.nodes > 1:
            notes.append("Over several machines llama.cpp needs `rpc-server` on each and `--rpc HOST:PORT,…` here.")
    elif scenario.machine is not None and place.ngl != 0:
        options.append(("--split-mode", "none"))
    options += [("--override-tensor", pattern) for pattern in scenario.override_tensor if _checked(pattern, notes)]
    return options


def _checked(pattern: str, notes: list[str]) -> bool:
    if pasteable(pattern):
        return True
    notes.append("A tensor override has characters that do not print and is left out.")
    return False
