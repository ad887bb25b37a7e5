"""LM Studio: its command line, and what must be set in the window."""

from vram_tui.exporters.recipes.remarks import closing
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, short, slug
from vram_tui.exporters.recipes.source import gguf_path


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    steps = []
    if request.file:
        steps.append(
            Step("LM Studio: put the file among its models", command("lms", "import", gguf_path(request, notes)))
        )
    options = [
        ("--context-length", str(request.ctx)),
        ("--gpu", _share(request, notes)),
        ("--identifier", slug(request.name)),
    ]
    steps.append(Step("Load it (`lms ls` shows the key)", command("lms", "load", slug(request.name), options=options)))
    steps.append(Step("Serve it", command("lms", "server", "start")))
    _by_hand(request, notes)
    return Recipe("lm-studio", tuple(steps), closing(request, notes))


def _share(request: RecipeRequest, notes: list[str]) -> str:
    ngl = request.placement.ngl
    if ngl is None:
        return "max"
    if ngl == 0:
        return "off"
    if not request.layers:
        notes.append(f"Set GPU Offload to {ngl} layers in the load settings: the command takes a share only.")
        return "max"
    return short(round(min(ngl / request.layers, 1.0), 3))


def _by_hand(request: RecipeRequest, notes: list[str]) -> None:
    """What the load settings of the window hold and the command does not."""
    scenario = request.scenario
    wanted = []
    if (scenario.kv_k, scenario.kv_v) != ("f16", "f16"):
        wanted.append(f"K cache type {scenario.kv_k}, V cache type {scenario.kv_v}")
    if scenario.flash_attn in ("on", "off"):
        wanted.append(f"flash attention {scenario.flash_attn}")
    if scenario.ubatch:
        wanted.append(f"evaluation batch size {scenario.ubatch}")
    if scenario.seqs > 1:
        wanted.append(
            f"{scenario.seqs} concurrent predictions, unified KV cache {'on' if scenario.kv_unified else 'off'}"
        )
    if request.placement.n_cpu_moe:
        wanted.append(f"expert weights of {request.placement.n_cpu_moe} layers on the CPU")
    if wanted:
        notes.append(f"In the model's load settings: {'; '.join(wanted)}.")
