"""The process that asks: one request as JSON on standard input, one answer as JSON on standard output."""

import ctypes
import json
import re
import sys
from typing import Any

from vram_tui.verify.asking import Request
from vram_tui.verify.library import (
    CACHE_TYPES,
    FLASH,
    BufferOverride,
    ContextParams,
    Library,
    ModelParams,
    UnavailableError,
    installed,
)
from vram_tui.verify.simulated import Simulation

ALL_LAYERS = 1 << 20
BATCH_TOKENS = 2048
_REASON = re.compile(r"(?:error|failed)[^\n]*", re.IGNORECASE)


def main() -> int:
    request = _request(json.load(sys.stdin))
    try:
        answer = answered(request)
    except UnavailableError as error:
        answer = {"unavailable": str(error)}
    print(json.dumps(answer), flush=True)
    return 0


def _request(given: dict[str, Any]) -> Request:
    lists = {name: tuple(given[name]) for name in ("devices", "tensor_split")}
    overrides = tuple((pattern, device) for pattern, device in given["overrides"])
    return Request(**{**given, **lists, "overrides": overrides})


def answered(request: Request) -> dict[str, Any]:
    """Load the header, open a context, read what both would take."""
    library = Library(installed())
    simulation = Simulation(library, request.devices) if request.devices else None
    # What ctypes hands over must outlive the call.
    split = (ctypes.c_float * 128)(*request.tensor_split)
    overrides = _overrides(request, library, simulation)
    parameters = _model_params(library, request)
    if request.tensor_split:
        parameters.tensor_split = ctypes.addressof(split)
    if request.overrides:
        parameters.tensor_buft_overrides = ctypes.addressof(overrides)
    model = library.raw.llama_model_load_from_file(request.path.encode(), parameters)
    if not model:
        return {"refusal": _reason(library)}
    context = library.raw.llama_init_from_model(model, _context_params(library, request))
    if not context:
        return {"refusal": _reason(library)}
    printed = re.findall(r"output buffer size =\s*([\d.]+) MiB", "".join(library.log))
    return {
        "buffers": list(library.breakdown(context)),
        "output_mib": float(printed[-1]) if printed else 0.0,
        "n_ctx": library.raw.llama_n_ctx(context),
        "n_ctx_seq": library.raw.llama_n_ctx_seq(context),
    }


def _model_params(library: Library, request: Request) -> ModelParams:
    found = library.model_params()
    found.no_alloc, found.load_mode = True, 0
    found.n_gpu_layers = (request.gpu_layers if request.gpu_layers >= 0 else ALL_LAYERS) if request.devices else 0
    return found


def _overrides(request: Request, library: Library, simulation: Simulation | None) -> ctypes.Array[BufferOverride]:
    """The list of overrides, ended by an empty one."""
    found = (BufferOverride * (len(request.overrides) + 1))()
    for place, (pattern, device) in zip(found, request.overrides, strict=False):
        place.pattern = pattern.encode()
        if device < 0 or simulation is None:
            place.buft = library.raw.ggml_backend_cpu_buffer_type()
        else:
            place.buft = simulation.buffer_type(device)
    return found


def _context_params(library: Library, request: Request) -> ContextParams:
    found = library.context_params()
    found.n_ctx, found.n_batch, found.n_ubatch = request.n_ctx, max(BATCH_TOKENS, request.ubatch), request.ubatch
    found.n_seq_max, found.kv_unified = request.seqs, request.unified
    found.n_outputs_max, found.swa_full = request.outputs, request.swa_full
    found.type_k, found.type_v = CACHE_TYPES[request.type_k], CACHE_TYPES[request.type_v]
    found.flash_attn_type = FLASH[request.flash]
    return found


def _reason(library: Library) -> str:
    """The most telling line of the log: the first that names an error, else the first logged as one."""
    found = _REASON.findall("".join(library.log)) or library.errors
    return found[0].strip() if found else "llama.cpp did not say why"


if __name__ == "__main__":
    raise SystemExit(main())
