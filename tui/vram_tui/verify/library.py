"""llama.cpp's shared library inside PyPI's `xllamacpp`, called through ctypes; only the one build that is pinned."""

import ctypes
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from vram_tui.verify.records import fields

PACKAGE = "xllamacpp"
BUILD = "2026.10.11549"
"""The package's version; the last number is the build of llama.cpp. Records are laid out as in its `llama.h`."""
CACHE_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
"""Source: ggml.h, enum ggml_type."""
FLASH = {"auto": -1, "off": 0, "on": 1}
ERROR_LEVEL = 4
"""Source: ggml.h, enum ggml_log_level."""


class UnavailableError(RuntimeError):
    """The library cannot be asked here; the message is a sentence for the person."""


class ModelParams(ctypes.Structure):
    """`llama_model_params`."""

    _fields_ = fields(
        devices=ctypes.c_void_p,
        tensor_buft_overrides=ctypes.c_void_p,
        n_gpu_layers=ctypes.c_int32,
        split_mode=ctypes.c_int32,
        load_mode=ctypes.c_int32,
        lazy_mode=ctypes.c_int32,
        main_gpu=ctypes.c_int32,
        tensor_split=ctypes.c_void_p,
        progress_callback=ctypes.c_void_p,
        progress_callback_user_data=ctypes.c_void_p,
        kv_overrides=ctypes.c_void_p,
        vocab_only=ctypes.c_bool,
        check_tensors=ctypes.c_bool,
        use_extra_bufts=ctypes.c_bool,
        no_host=ctypes.c_bool,
        no_alloc=ctypes.c_bool,
        load_mtp=ctypes.c_bool,
    )


class ContextParams(ctypes.Structure):
    """`llama_context_params`."""

    _fields_ = fields(
        n_ctx=ctypes.c_uint32,
        n_batch=ctypes.c_uint32,
        n_ubatch=ctypes.c_uint32,
        n_seq_max=ctypes.c_uint32,
        n_rs_seq=ctypes.c_uint32,
        n_outputs_max=ctypes.c_uint32,
        n_outputs_max_per_seq=ctypes.c_uint32,
        n_threads=ctypes.c_int32,
        n_threads_batch=ctypes.c_int32,
        ctx_type=ctypes.c_int32,
        rope_scaling_type=ctypes.c_int32,
        pooling_type=ctypes.c_int32,
        attention_type=ctypes.c_int32,
        flash_attn_type=ctypes.c_int32,
        rope_freq_base=ctypes.c_float,
        rope_freq_scale=ctypes.c_float,
        yarn_ext_factor=ctypes.c_float,
        yarn_attn_factor=ctypes.c_float,
        yarn_beta_fast=ctypes.c_float,
        yarn_beta_slow=ctypes.c_float,
        yarn_orig_ctx=ctypes.c_uint32,
        defrag_thold=ctypes.c_float,
        cb_eval=ctypes.c_void_p,
        cb_eval_user_data=ctypes.c_void_p,
        type_k=ctypes.c_int32,
        type_v=ctypes.c_int32,
        abort_callback=ctypes.c_void_p,
        abort_callback_data=ctypes.c_void_p,
        reserved=ctypes.c_void_p,
        embeddings=ctypes.c_bool,
        offload_kqv=ctypes.c_bool,
        no_perf=ctypes.c_bool,
        op_offload=ctypes.c_bool,
        swa_full=ctypes.c_bool,
        kv_unified=ctypes.c_bool,
        samplers=ctypes.c_void_p,
        n_samplers=ctypes.c_size_t,
        ctx_other=ctypes.c_void_p,
    )


class BufferOverride(ctypes.Structure):
    """`llama_model_tensor_buft_override`: tensors whose names match a pattern go to a buffer type."""

    _fields_ = fields(pattern=ctypes.c_char_p, buft=ctypes.c_void_p)


class _Map(ctypes.Structure):
    """A `std::map` of libstdc++: the root of its tree stands 16 bytes in."""

    _fields_ = fields(
        compare=ctypes.c_void_p,
        color=ctypes.c_void_p,
        root=ctypes.c_void_p,
        left=ctypes.c_void_p,
        right=ctypes.c_void_p,
        count=ctypes.c_size_t,
    )


class _Node(ctypes.Structure):
    """A node of that tree with a buffer type and its bytes of weights, caches and compute."""

    _fields_ = fields(
        color=ctypes.c_void_p,
        parent=ctypes.c_void_p,
        left=ctypes.c_void_p,
        right=ctypes.c_void_p,
        buft=ctypes.c_void_p,
        model=ctypes.c_size_t,
        context=ctypes.c_size_t,
        compute=ctypes.c_size_t,
    )


LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


def installed() -> Path:
    """The shared library of the pinned build. Raises UnavailableError with what to install."""
    how = "pip install 'vram-tui[verify]'"
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        raise UnavailableError(f"verify asks llama.cpp itself, and {PACKAGE} is not installed: {how}") from None
    if found != BUILD:
        raise UnavailableError(f"verify knows {PACKAGE} {BUILD}, and {found} is installed: {how}")
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.so")):
            return path
    raise UnavailableError(f"{PACKAGE} has no shared library that can be asked on this system: verify runs on Linux")


class Library:
    """The functions that are needed, with their types. Raises UnavailableError where the library is another one."""

    def __init__(self, path: Path) -> None:
        self.raw = lib = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        self.log: list[str] = []
        self.errors: list[str] = []
        try:
            self._breakdown = lib["_Z26llama_get_memory_breakdownPK13llama_context"]
            self._model_defaults = lib.llama_model_default_params
            self._context_defaults = lib.llama_context_default_params
        except AttributeError as error:
            raise UnavailableError(f"{path.name} does not offer what verify asks: {error}") from None
        self._breakdown.restype, self._breakdown.argtypes = _Map, [ctypes.c_void_p]
        self._model_defaults.restype, self._context_defaults.restype = ModelParams, ContextParams
        pointer = ctypes.c_void_p
        for name, result, arguments in (
            ("llama_model_load_from_file", pointer, [ctypes.c_char_p, ModelParams]),
            ("llama_init_from_model", pointer, [pointer, ContextParams]),
            ("llama_n_ctx", ctypes.c_uint32, [pointer]),
            ("llama_n_ctx_seq", ctypes.c_uint32, [pointer]),
            ("ggml_backend_buft_name", ctypes.c_char_p, [pointer]),
            ("ggml_backend_buft_is_host", ctypes.c_bool, [pointer]),
            ("ggml_backend_cpu_buffer_type", pointer, []),
            ("llama_log_set", None, [LogCallback, pointer]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self._listen = LogCallback(self._heard)
        lib.llama_log_set(self._listen, None)
        lib.llama_backend_init()
        self._check()

    def _heard(self, level: int, text: bytes | None, _data: object) -> None:
        self.log.append((text or b"").decode("utf-8", "replace"))
        if level == ERROR_LEVEL:
            self.errors.append(self.log[-1])

    def _check(self) -> None:
        """That the records are laid out as this module says: their defaults stand where they should."""
        model, context = self.model_params(), self.context_params()
        defaults = (model.n_gpu_layers, model.no_alloc, context.n_batch, context.n_ubatch, context.n_seq_max)
        types = (context.type_k, context.type_v, context.offload_kqv, context.flash_attn_type)
        if defaults != (-1, False, 2048, 512, 1) or types != (1, 1, True, -1):
            raise UnavailableError(f"{PACKAGE} is laid out in another way than build {BUILD}")

    def model_params(self) -> ModelParams:
        found: ModelParams = self._model_defaults()
        return found

    def context_params(self) -> ContextParams:
        found: ContextParams = self._context_defaults()
        return found

    def breakdown(self, context: int) -> Iterator[tuple[str, int, int, int]]:
        """(buffer type, bytes of weights, of caches and states, of compute) of every kind of buffer."""
        found = self._breakdown(context)
        yield from self._nodes(found.root)

    def _nodes(self, address: int | None) -> Iterator[tuple[str, int, int, int]]:
        if not address:
            return
        node = _Node.from_address(address)
        yield from self._nodes(node.left)
        name = self.raw.ggml_backend_buft_name(node.buft).decode()
        yield name, node.model, node.context, node.compute
        yield from self._nodes(node.right)
