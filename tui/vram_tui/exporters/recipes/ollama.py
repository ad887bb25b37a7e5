"""Ollama: the server's environment, a Modelfile, create and run."""

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, slug, write_lines
from vram_tui.exporters.recipes.source import gguf_path, gguf_repo

CACHE_TYPES = ("f16", "q8_0", "q4_0")


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    tag = f"{slug(request.name).lower()}-{request.ctx}"
    modelfile = f"Modelfile.{tag}"
    steps = (
        Step(
            "Ollama: the server, with the settings that hold for all models",
            command("ollama", "serve", env=_env(request, notes)),
        ),
        Step("In another terminal: the model with its context", write_lines(_modelfile(request, notes), modelfile)),
        Step("", command("ollama", "create", tag, "-f", modelfile)),
        Step("", command("ollama", "run", tag)),
    )
    _left_out(request, notes)
    return Recipe("ollama", steps, closing(request, notes))


def _env(request: RecipeRequest, notes: list[str]) -> dict[str, str]:
    scenario = request.scenario
    env = {"OLLAMA_NUM_PARALLEL": str(scenario.seqs)}
    kind = one_cache_type(request, "Ollama", notes)
    if kind in CACHE_TYPES:
        env["OLLAMA_KV_CACHE_TYPE"] = kind
    else:
        notes.append(f"Ollama has no cache type {scenario.kv_k}: its default f16 is used.")
    if scenario.flash_attn in ("on", "off"):
        env["OLLAMA_FLASH_ATTENTION"] = "1" if scenario.flash_attn == "on" else "0"
    if request.placement.devices > 1:
        env["OLLAMA_SCHED_SPREAD"] = "1"
    return env


def _modelfile(request: RecipeRequest, notes: list[str]) -> list[str]:
    repo = gguf_repo(request)
    if repo:
        source = f"hf.co/{repo}:{request.quant}" if pasteable(request.quant) else f"hf.co/{repo}"
    else:
        source = gguf_path(request, notes)
    lines = [f'FROM "{source}"', f"PARAMETER num_ctx {request.ctx}"]
    if request.placement.ngl is not None:
        lines.append(f"PARAMETER num_gpu {request.placement.ngl}")
    if request.scenario.ubatch:
        lines.append(f"PARAMETER num_batch {request.scenario.ubatch}")
    return lines


def _left_out(request: RecipeRequest, notes: list[str]) -> None:
    place = request.placement
    if request.scenario.seqs > 1:
        notes.append(f"Each of the {request.scenario.seqs} parallel requests gets {request.ctx:,} tokens.")
    if place.n_cpu_moe or place.tensor_split or request.scenario.override_tensor:
        notes.append("Ollama places layers itself: experts in RAM, shares per device and overrides need llama-server.")
