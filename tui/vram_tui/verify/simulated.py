"""CUDA devices that do not exist: they take every tensor, allocate nothing, and compute nothing.

llama.cpp's allocator asks a backend which operations it takes, how large a tensor is there, and how it is aligned;
these answers, and what it asks for the kernels it fuses, are all that a memory figure needs. They follow the CUDA
backend (ggml/src/ggml-cuda) in what decides about memory.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from vram_tui.estimator.profile import HeadShape
from vram_tui.estimator.runtimes.llamacpp import kernel_takes
from vram_tui.verify.library import Library
from vram_tui.verify.records import (
    POINTER,
    SOURCES,
    Backend,
    BackendCalls,
    Buffer,
    BufferCalls,
    BufferType,
    BufferTypeCalls,
    DeviceCalls,
    DeviceRecord,
    Event,
    Properties,
    Registry,
    RegistryCalls,
    Tensor,
)
from vram_tui.verify.regrouping import Regrouping

API_VERSION = 2
ALIGNMENT = 128
ROW_MULTIPLE = 512
"""Rows of quantized tensors are lengthened to this many elements, once per tensor."""
GPU = 1
F32, F16 = 0, 1
OFFLOAD_TOKENS = 32
"""Batches from which operations on weights in RAM are worth a device."""
_BASE = 0x1000
_GUID = (ctypes.c_uint8 * 16)(*b"simulated device")
_CUSTOM = frozenset(("MAP_CUSTOM1", "MAP_CUSTOM2", "MAP_CUSTOM3", "CUSTOM"))


class Simulation:
    """Devices of the given sizes, registered with the library; keeps everything that C code holds pointers to."""

    def __init__(self, library: Library, memory_bytes: Sequence[int]) -> None:
        self._lib = library.raw
        self._memory = tuple(memory_bytes)
        self._alive: list[Any] = []
        self._op_names: dict[int, str] = {}
        self._typed()
        self._regroup = Regrouping(self._lib, self._op)
        count = len(self._memory)
        self._names = [ctypes.create_string_buffer(f"GPU{index}".encode()) for index in range(count)]
        self._host_name = ctypes.create_string_buffer(b"GPU_Host")
        self._registry_name = ctypes.create_string_buffer(b"SIMULATED")
        self._devices = [DeviceRecord() for _ in range(count)]
        self._types = [BufferType() for _ in range(count)]
        self._by_device = {ctypes.addressof(device): index for index, device in enumerate(self._devices)}
        self._by_type = {ctypes.addressof(kind): index for index, kind in enumerate(self._types)}
        self._buffer_calls = self._make_buffer_calls()
        self._host_type = self._make_host_type()
        self._registry = self._make_registry()
        for index in range(count):
            self._make_type(index)
            self._make_device(index)
        self._lib.ggml_backend_register(ctypes.byref(self._registry))

    def buffer_type(self, index: int) -> int:
        """The address of a device's buffer type."""
        return ctypes.addressof(self._types[index])

    def _typed(self) -> None:
        lib = self._lib
        for name, result, arguments in (
            ("ggml_op_name", ctypes.c_char_p, [ctypes.c_int]),
            ("ggml_nbytes", ctypes.c_size_t, [POINTER]),
            ("ggml_row_size", ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]),
            ("ggml_type_size", ctypes.c_size_t, [ctypes.c_int]),
            ("ggml_is_quantized", ctypes.c_bool, [ctypes.c_int]),
            ("ggml_is_contiguous", ctypes.c_bool, [POINTER]),
            ("ggml_backend_buffer_init", POINTER, [POINTER, BufferCalls, POINTER, ctypes.c_size_t]),
            ("ggml_backend_register", None, [POINTER]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments

    def _call(self, result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], POINTER]:
        """Makes a C function of a Python one, and keeps it."""

        def make(function: Callable[..., Any]) -> POINTER:
            made = ctypes.CFUNCTYPE(result, *arguments)(function)
            self._alive.append(made)
            return ctypes.cast(made, POINTER)

        return make

    def _op(self, tensor: Tensor) -> str:
        number = tensor.op
        if number not in self._op_names:
            self._op_names[number] = self._lib.ggml_op_name(number).decode()
        return self._op_names[number]

    # Buffers

    def _make_buffer_calls(self) -> BufferCalls:
        size = ctypes.c_size_t
        calls = BufferCalls()
        calls.free_buffer = self._call(None, POINTER)(lambda buffer: None)
        calls.get_base = self._call(POINTER, POINTER)(lambda buffer: _BASE)
        calls.memset_tensor = self._call(None, POINTER, POINTER, ctypes.c_uint8, size, size)(lambda *given: None)
        calls.set_tensor = self._call(None, POINTER, POINTER, POINTER, size, size)(lambda *given: None)
        calls.get_tensor = self._call(None, POINTER, POINTER, POINTER, size, size)(lambda *given: None)
        calls.clear = self._call(None, POINTER, ctypes.c_uint8)(lambda buffer, value: None)
        return calls

    def _make_type(self, index: int) -> None:
        def allocate(kind: int, size: int) -> int | None:
            found: int | None = self._lib.ggml_backend_buffer_init(kind, self._buffer_calls, None, size)
            return found

        kind = self._types[index]
        kind.calls = BufferTypeCalls(
            get_name=self._call(POINTER, POINTER)(lambda kind: ctypes.addressof(self._names[index])),
            alloc_buffer=self._call(POINTER, POINTER, ctypes.c_size_t)(allocate),
            get_alignment=self._call(ctypes.c_size_t, POINTER)(lambda kind: ALIGNMENT),
            get_alloc_size=self._call(ctypes.c_size_t, POINTER, POINTER)(self._size),
        )
        kind.device = ctypes.addressof(self._devices[index])

    def _make_host_type(self) -> BufferType:
        """Pinned memory: the CPU's buffers under another name."""
        plain = BufferType.from_address(self._lib.ggml_backend_cpu_buffer_type())
        found = BufferType.from_buffer_copy(plain)
        found.calls.get_name = self._call(POINTER, POINTER)(lambda kind: ctypes.addressof(self._host_name))
        found.calls.is_host = self._call(ctypes.c_bool, POINTER)(lambda kind: True)
        found.device = ctypes.addressof(self._devices[0])
        return found

    def _size(self, _kind: int, address: int) -> int:
        """Bytes of a tensor with what the device adds: copies in 16 bit for attention, longer quantized rows."""
        tensor, lib = Tensor.from_address(address), self._lib
        size = int(lib.ggml_nbytes(address))
        if self._op(tensor) == "FLASH_ATTN_EXT":
            size = self._attention_size(tensor, size)
        rest = tensor.ne[0] % ROW_MULTIPLE
        if rest and lib.ggml_is_quantized(tensor.type):
            size += int(lib.ggml_row_size(tensor.type, ROW_MULTIPLE - rest))
        return size

    def _attention_size(self, tensor: Tensor, size: int) -> int:
        queries, keys, values = (tensor.source(index) for index in range(3))
        if queries is None or keys is None or values is None or self._small_batch(queries, keys, values):
            return size
        shared = bool(values.view_src) and values.view_src in (tensor.src[1], keys.view_src)
        shared = shared and (values.view_src == tensor.src[1] or values.view_offs == keys.view_offs)
        for one in (keys,) if shared else (keys, values):
            if one.type != F16:
                size = -(-size // ALIGNMENT) * ALIGNMENT + 2 * _elements(one)
        return size

    def _small_batch(self, queries: Tensor, keys: Tensor, values: Tensor) -> bool:
        """Whether the kernel for single tokens runs, which reads the cache as it is."""
        width = queries.ne[0]
        if width > 256 or width % 64 or width == 192 or keys.ne[1] % 256:
            return False
        packed = self._lib.ggml_is_quantized(keys.type) or self._lib.ggml_is_quantized(values.type)
        if packed:
            return bool(queries.ne[1] <= 2)
        gqa = queries.ne[2] // keys.ne[2]
        return bool(
            queries.ne[1] == 1 and queries.ne[3] == 1 and not (gqa > 4 and (width >= 256 or keys.ne[1] >= 8192))
        )

    # Devices

    def _make_device(self, index: int) -> None:
        name = ctypes.addressof(self._names[index])
        memory = self._memory[index]

        def properties(_device: int, address: int) -> None:
            found = Properties.from_address(address)
            found.name, found.description = name, name
            found.memory_free = found.memory_total = memory
            found.type, found.device_id = GPU, None
            found.can_async = found.can_host_buffer = found.can_events = True
            found.can_host_pointer = found.can_map = False

        def fill(_device: int, free: int, total: int) -> None:
            for address in (free, total):
                ctypes.c_size_t.from_address(address).value = memory

        own_type = ctypes.addressof(self._types[index])
        self._devices[index].calls = DeviceCalls(
            get_name=self._call(POINTER, POINTER)(lambda device: name),
            get_description=self._call(POINTER, POINTER)(lambda device: name),
            get_memory=self._call(None, POINTER, POINTER, POINTER)(fill),
            get_type=self._call(ctypes.c_int, POINTER)(lambda device: GPU),
            get_props=self._call(None, POINTER, POINTER)(properties),
            init_backend=self._call(POINTER, POINTER, POINTER)(self._backend),
            get_buffer_type=self._call(POINTER, POINTER)(lambda device: own_type),
            get_host_buffer_type=self._call(POINTER, POINTER)(lambda device: ctypes.addressof(self._host_type)),
            supports_op=self._call(ctypes.c_bool, POINTER, POINTER)(lambda device, op: self._takes(own_type, op)),
            supports_buft=self._call(ctypes.c_bool, POINTER, POINTER)(lambda device, kind: kind == own_type),
            offload_op=self._call(ctypes.c_bool, POINTER, POINTER)(self._offloads),
            event_new=self._call(POINTER, POINTER)(self._event),
            event_free=self._call(None, POINTER, POINTER)(lambda device, event: None),
            event_synchronize=self._call(None, POINTER, POINTER)(lambda device, event: None),
        )
        self._devices[index].registry = ctypes.addressof(self._registry)

    def _make_registry(self) -> Registry:
        def device(_registry: int, index: int) -> int:
            return ctypes.addressof(self._devices[index])

        found = Registry(api_version=API_VERSION)
        found.calls = RegistryCalls(
            get_name=self._call(POINTER, POINTER)(lambda registry: ctypes.addressof(self._registry_name)),
            get_device_count=self._call(ctypes.c_size_t, POINTER)(lambda registry: len(self._devices)),
            get_device=self._call(POINTER, POINTER, ctypes.c_size_t)(device),
            get_proc_address=self._call(POINTER, POINTER, ctypes.c_char_p)(lambda registry, name: None),
        )
        return found

    def _backend(self, device: int, _parameters: int | None) -> int:
        name = ctypes.addressof(self._names[self._by_device[device]])
        found = Backend(guid=ctypes.addressof(_GUID), device=device)
        found.calls = BackendCalls(
            get_name=self._call(POINTER, POINTER)(lambda backend: name),
            free=self._call(None, POINTER)(lambda backend: None),
            cpy_tensor_async=self._call(ctypes.c_bool, POINTER, POINTER, POINTER, POINTER)(lambda *given: True),
            synchronize=self._call(None, POINTER)(lambda backend: None),
            graph_compute=self._call(ctypes.c_int, POINTER, POINTER)(lambda backend, graph: 0),
            event_record=self._call(None, POINTER, POINTER)(lambda backend, event: None),
            event_wait=self._call(None, POINTER, POINTER)(lambda backend, event: None),
            graph_optimize=self._call(None, POINTER, POINTER, POINTER)(
                lambda backend, graph, hints: self._regroup(graph, hints)
            ),
        )
        self._alive.append(found)
        return ctypes.addressof(found)

    def _event(self, device: int) -> int:
        found = Event(device=device)
        self._alive.append(found)
        return ctypes.addressof(found)

    # Operations

    def _takes(self, own_type: int, address: int) -> bool:
        tensor = Tensor.from_address(address)
        for index in range(SOURCES):
            source = tensor.source(index)
            if source is not None and source.buffer:
                kind = Buffer.from_address(source.buffer).buft
                if kind in self._by_type and kind != own_type:
                    return False
        judge = getattr(self, f"_takes_{self._op(tensor).lower()}", None)
        return bool(judge(tensor)) if judge else self._op(tensor) not in _CUSTOM

    def _takes_mul_mat(self, tensor: Tensor) -> bool:
        left, right = tensor.source(0), tensor.source(1)
        if left is None or right is None or (right.type == F16 and left.type != F16):
            return False
        return all(one.nb[0] == self._lib.ggml_type_size(one.type) for one in (left, right))

    _takes_mul_mat_id = _takes_mul_mat

    def _takes_flash_attn_ext(self, tensor: Tensor) -> bool:
        queries, keys, values = (tensor.source(index) for index in range(3))
        if queries is None or keys is None or values is None:
            return False
        return kernel_takes(HeadShape(keys.ne[0], values.ne[0], queries.ne[2] // keys.ne[2]))

    def _takes_ssm_scan(self, tensor: Tensor) -> bool:
        state, decay, groups = tensor.source(0), tensor.source(3), tensor.source(4)
        if state is None or decay is None or groups is None:
            return False
        if decay.ne[0] == 1:
            return state.ne[0] in (96, 128, 256) and state.ne[1] % 16 == 0
        return bool(state.ne[0] == 16 and state.ne[1] == 1 and state.ne[2] % 128 == 0 and groups.ne[1] == 1)

    def _takes_ssm_conv(self, tensor: Tensor) -> bool:
        source = tensor.source(0)
        return source is not None and source.ne[1] % 128 == 0

    def _takes_lightning_indexer(self, tensor: Tensor) -> bool:
        source = tensor.source(0)
        return source is not None and source.ne[0] == 128 and source.ne[1] in (32, 64)

    def _takes_unary(self, tensor: Tensor) -> bool:
        return bool(self._lib.ggml_is_contiguous(tensor.src[0]))

    def _takes_acc(self, tensor: Tensor) -> bool:
        return all(self._lib.ggml_is_contiguous(tensor.src[index]) for index in (0, 1))

    def _offloads(self, _device: int, address: int) -> bool:
        """Whether an operation on weights in RAM is worth copying them over."""
        tensor = Tensor.from_address(address)
        match self._op(tensor):
            case "GET_ROWS":
                return False
            case "MUL_MAT":
                tokens = tensor.ne[1]
            case "MUL_MAT_ID" | "ROPE":
                tokens = tensor.ne[2]
            case _:
                tokens = tensor.ne[1] * tensor.ne[2] * tensor.ne[3]
        return bool(tokens >= OFFLOAD_TOKENS)


def _elements(tensor: Tensor) -> int:
    found = 1
    for side in tensor.ne:
        found *= side
    return found
