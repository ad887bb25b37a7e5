"""ggml's records for tensors and backends, as the pinned build lays them out. Source: ggml.h, ggml-backend-impl.h."""

import ctypes
from typing import Any

POINTER = ctypes.c_void_p
SOURCES = 10
"""GGML_MAX_SRC."""


def fields(**names: Any) -> list[tuple[str, Any]]:
    """The members of a record in order."""
    return list(names.items())


def _pointers(*names: str) -> list[tuple[str, Any]]:
    return [(name, POINTER) for name in names]


class Tensor(ctypes.Structure):
    """`ggml_tensor` up to its name."""

    _fields_ = fields(
        type=ctypes.c_int32,
        buffer=POINTER,
        ne=ctypes.c_int64 * 4,
        nb=ctypes.c_size_t * 4,
        op=ctypes.c_int32,
        op_params=ctypes.c_int32 * 16,
        flags=ctypes.c_int32,
        src=POINTER * SOURCES,
        view_src=POINTER,
        view_offs=ctypes.c_size_t,
        data=POINTER,
        name=ctypes.c_char * 64,
    )

    def source(self, index: int) -> "Tensor | None":
        """One of the tensors that the operation reads."""
        address = self.src[index]
        return Tensor.from_address(address) if address else None


class BufferTypeCalls(ctypes.Structure):
    """`ggml_backend_buffer_type_i`."""

    _fields_ = _pointers(
        "get_name",
        "alloc_buffer",
        "alloc_buffer_n",
        "get_alignment",
        "get_max_size",
        "get_alloc_size",
        "get_alloc_size_n",
        "is_host",
    )


class BufferType(ctypes.Structure):
    """`ggml_backend_buffer_type`."""

    _fields_ = fields(calls=BufferTypeCalls, device=POINTER, context=POINTER)


class BufferCalls(ctypes.Structure):
    """`ggml_backend_buffer_i`."""

    _fields_ = _pointers(
        "free_buffer",
        "get_base",
        "init_tensor",
        "memset_tensor",
        "set_tensor",
        "get_tensor",
        "set_tensor_2d",
        "get_tensor_2d",
        "cpy_tensor",
        "clear",
        "reset",
    )


class Buffer(ctypes.Structure):
    """`ggml_backend_buffer`, as far as its type."""

    _fields_ = fields(calls=BufferCalls, buft=POINTER)


class BackendCalls(ctypes.Structure):
    """`ggml_backend_i`."""

    _fields_ = _pointers(
        "get_name",
        "free",
        "set_tensor_async",
        "get_tensor_async",
        "set_tensor_2d_async",
        "get_tensor_2d_async",
        "cpy_tensor_async",
        "synchronize",
        "graph_plan_create",
        "graph_plan_free",
        "graph_plan_update",
        "graph_plan_compute",
        "graph_compute",
        "event_record",
        "event_wait",
        "graph_optimize",
    )


class Backend(ctypes.Structure):
    """`ggml_backend`."""

    _fields_ = fields(guid=POINTER, calls=BackendCalls, device=POINTER, context=POINTER)


class Event(ctypes.Structure):
    """`ggml_backend_event`."""

    _fields_ = fields(device=POINTER, context=POINTER)


class DeviceCalls(ctypes.Structure):
    """`ggml_backend_device_i`."""

    _fields_ = _pointers(
        "get_name",
        "get_description",
        "get_memory",
        "get_type",
        "get_props",
        "init_backend",
        "get_buffer_type",
        "get_host_buffer_type",
        "buffer_from_host_ptr",
        "supports_op",
        "supports_buft",
        "offload_op",
        "event_new",
        "event_free",
        "event_synchronize",
    )


class DeviceRecord(ctypes.Structure):
    """`ggml_backend_device`."""

    _fields_ = fields(calls=DeviceCalls, registry=POINTER, context=POINTER)


class Properties(ctypes.Structure):
    """`ggml_backend_dev_props`."""

    _fields_ = fields(
        name=POINTER,
        description=POINTER,
        memory_free=ctypes.c_size_t,
        memory_total=ctypes.c_size_t,
        type=ctypes.c_int32,
        device_id=POINTER,
        can_async=ctypes.c_bool,
        can_host_buffer=ctypes.c_bool,
        can_host_pointer=ctypes.c_bool,
        can_events=ctypes.c_bool,
        can_map=ctypes.c_bool,
    )


class RegistryCalls(ctypes.Structure):
    """`ggml_backend_reg_i`."""

    _fields_ = _pointers("get_name", "get_device_count", "get_device", "get_proc_address")


class Registry(ctypes.Structure):
    """`ggml_backend_reg`."""

    _fields_ = fields(api_version=ctypes.c_int32, calls=RegistryCalls, context=POINTER)
