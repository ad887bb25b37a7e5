"""KoboldCpp: one command with its own names for llama.cpp's settings."""

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.shell import command, pasteable, short
from vram_tui.exporters.recipes.source import gguf_path

QUANT_KV = {"f16": "0", "q8_0": "1", "q4_0": "2"}
BATCH_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
LARGEST_CTX = 262_144
ALL_LAYERS = "999"


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    scenario, place = request.scenario, request.placement
    options: list[tuple[str, ...]] = [
        ("--model", gguf_path(request, notes)),
        ("--contextsize", str(request.ctx)),
        *_backend(request),
        ("--gpulayers", ALL_LAYERS if place.ngl is None else str(place.ngl)),
    ]
    if request.ctx > LARGEST_CTX:
        notes.append(f"KoboldCpp takes contexts up to {LARGEST_CTX:,} tokens.")
    options += _cache(request, notes)
    if scenario.ubatch in BATCH_SIZES:
        options.append(("--batchsize", str(scenario.ubatch)))
    elif scenario.ubatch:
        notes.append(
            f"KoboldCpp knows no batch of {scenario.ubatch}: choose one of {', '.join(map(str, BATCH_SIZES))}."
        )
    if place.n_cpu_moe:
        options.append(("--moecpu", str(place.n_cpu_moe)))
    if place.tensor_split:
        options.append(("--tensor_split", *map(short, place.tensor_split)))
    patterns = [pattern for pattern in scenario.override_tensor if pasteable(pattern)]
    if patterns:
        options.append(("--overridetensors", ",".join(patterns)))
    if scenario.seqs > 1:
        options.append(("--multiuser", str(scenario.seqs)))
        notes.append("KoboldCpp queues requests: it computes them one after the other in one context.")
    step = Step(f"KoboldCpp: {request.name} {request.quant}", command("koboldcpp", options=options))
    return Recipe("koboldcpp", (step,), closing(request, notes))


def _backend(request: RecipeRequest) -> list[tuple[str, ...]]:
    machine = request.scenario.machine
    vendor = machine.devices[0].vendor.lower() if machine and machine.devices else "nvidia"
    if request.placement.ngl == 0 or vendor == "apple":
        return []
    return [("--usecuda",)] if vendor in ("nvidia", "amd") else [("--usevulkan",)]


def _cache(request: RecipeRequest, notes: list[str]) -> list[tuple[str, ...]]:
    scenario = request.scenario
    options: list[tuple[str, ...]] = []
    kind = one_cache_type(request, "KoboldCpp", notes)
    if kind in QUANT_KV:
        options.append(("--quantkv", QUANT_KV[kind]))
    else:
        notes.append(f"KoboldCpp has no cache type {scenario.kv_k}: its default f16 is used.")
    if scenario.flash_attn != "off":
        options.append(("--flashattention",))
    if not scenario.swa_full:
        options.append(("--useswa",))
    return options
