"""Transformers: a Python script that loads and generates."""

from vram_tui.exporters.recipes.remarks import closing, one_cache_type
from vram_tui.exporters.recipes.request import Recipe, RecipeRequest, Step
from vram_tui.exporters.recipes.source import checkpoint, dtype

SIXTEEN_BIT = ("auto", "f16", "bf16", "fp16", "float16", "bfloat16")


def build(request: RecipeRequest) -> Recipe:
    notes: list[str] = []
    config = _quantization(request.quant)
    model = checkpoint(request, notes, quantizes=bool(config))
    place, scenario = request.placement, request.scenario
    names = "AutoModelForCausalLM, AutoTokenizer" + (", BitsAndBytesConfig" if config else "")
    arguments = ["source", f'dtype="{dtype(request) or "auto"}"']
    arguments.append('tp_plan="auto"' if place.tp > 1 else 'device_map="auto"')
    if config:
        arguments.append(f"quantization_config={config}")
    lines = [
        f"from transformers import {names}",
        "",
        f"source = {model!r}",
        "tokenizer = AutoTokenizer.from_pretrained(source)",
        "model = AutoModelForCausalLM.from_pretrained(",
        *(f"    {argument}," for argument in arguments),
        ")",
        f'prompts = ["Hello"] * {scenario.seqs}',
        'tokenizer.padding_side = "left"',
        "tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token",
        'inputs = tokenizer(prompts, return_tensors="pt", padding=True).to(model.device)',
        f"output = model.generate(**inputs, max_length={request.ctx})",
        "print(tokenizer.batch_decode(output, skip_special_tokens=True))",
    ]
    if place.tp > 1:
        notes.append(
            f"Tensor parallel: save this as run.py and start it with torchrun --nproc-per-node {place.tp} run.py"
        )
    if one_cache_type(request, "Transformers", notes) not in SIXTEEN_BIT:
        notes.append("The cache here is 16-bit; for a quantized one see cache_implementation of generate().")
    step = Step(f"Transformers: {request.name} {request.quant}", "\n".join(lines), "python")
    return Recipe("transformers", (step,), closing(request, notes))


def _quantization(quant: str) -> str:
    name = quant.upper()
    if name.startswith("NF4"):
        settings = 'load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype="bfloat16"'
        double = ", bnb_4bit_use_double_quant=True" if "DQ" in name or "DOUBLE" in name else ""
        return f"BitsAndBytesConfig({settings}{double})"
    return "BitsAndBytesConfig(load_in_8bit=True)" if name in ("INT8", "BNB-INT8", "LLM.INT8") else ""
