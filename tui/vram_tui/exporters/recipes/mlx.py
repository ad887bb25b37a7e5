"""MLX: `mlx_lm.server` on Apple silicon, with `mlx.launch` over several machines."""

import re

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, slug
from vram_tui.exporters.recipes.source import checkpoint

_BITS = re.compile(r"MLX-([2-8])BIT(?:-G(32|64|128))?")
SIXTEEN_BIT = ("auto", "f16", "bf16", "fp16", "float16", "bfloat16")


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    bits = _BITS.fullmatch(request.quant.upper())
    steps = []
    own = bool(request.file or request.repo)
    model = checkpoint(request, notes, quantizes=bool(bits))
    if bits and not own:
        folder = f"./{slug(request.name)}-{slug(request.quant)}"
        quantize = [("--hf-path", model), ("--quantize",), ("--q-bits", bits[1]), ("--q-group-size", bits[2] or "64")]
        steps.append(Step("Quantize once", command("mlx_lm.convert", options=[*quantize, ("--mlx-path", folder)])))
        model = folder
    steps.append(_server(request, notes, model))
    return Recipe("mlx", tuple(steps), closing(request, notes))


def _server(request: RecipeRequest, notes: list[str], model: str) -> Step:
    scenario, place = request.scenario, request.placement
    seqs = str(scenario.seqs)
    options: list[tuple[str, ...]] = [
        ("--model", model),
        ("--decode-concurrency", seqs),
        ("--prompt-concurrency", seqs),
        # Caches that are kept for later requests take memory like those in use.
        ("--prompt-cache-size", seqs),
    ]
    if scenario.ubatch or scenario.max_batched_tokens:
        options.append(("--prefill-step-size", str(scenario.ubatch or scenario.max_batched_tokens)))
    words = ["mlx_lm.server"]
    if place.devices > 1:
        words = ["mlx.launch", "--hostfile", "hosts.json", "--", *words]
        notes.append("`hosts.json` lists the machines; mlx_lm must be installed at the same path on each.")
        if place.pp > 1:
            options.append(("--pipeline",))
    notes.append(
        f"The cache grows with the text and has no limit of its own: keep requests under {request.ctx:,} tokens."
    )
    if one_cache_type(request, "MLX", notes) not in SIXTEEN_BIT:
        notes.append(
            "mlx_lm.server keeps its cache in 16 bits; quantized caches are an option of mlx_lm.generate (--kv-bits)."
        )
    return Step(f"MLX: {request.name} {request.quant}", command(*words, options=options))
