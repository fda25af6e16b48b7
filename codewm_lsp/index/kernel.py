"""Products of small integers by ONNX Runtime, which has the fastest kernels for them that every machine can install."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp import runtime

LEVELS: Final = 63
"""Largest number of a query. Kernels without VNNI add two products in 16 bits: 2 × 127 × 127 still fits there."""
OFFSET: Final = 64
"""What is added to a query's numbers of both signs, since its bytes have none."""

_UINT8, _INT8, _INT32 = 2, 3, 6  # of TensorProto.DataType


def products(queries: NDArray[np.uint8], columns: NDArray[np.int8], found: NDArray[np.int32]) -> None:
    """(Q, P) × (P, N) → ``found``, (Q, N), exactly. All must be contiguous; with one query it is a pass through the
    memory."""
    session = _session()
    binding = session.io_binding()
    binding.bind_cpu_input("a", queries)
    binding.bind_cpu_input("b", columns)
    binding.bind_output("c", "cpu", 0, np.int32, found.shape, found.ctypes.data)
    session.run_with_iobinding(binding)


_made = threading.Lock()


def _session() -> Any:
    with _made:
        return _new_session()


@cache
def _new_session() -> Any:
    onnxruntime = runtime.load()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it would keep the largest answer for good
    return onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])


def _model() -> bytes:
    """``c = MatMulInteger(a, b)`` in ONNX's own format (protocol buffers), which is too small to need a library."""
    node = _field(1, b"a") + _field(1, b"b") + _field(2, b"c") + _field(4, b"MatMulInteger")
    graph = _field(1, node) + _field(2, b"products")
    graph += _field(11, _tensor(b"a", _UINT8, b"q", b"p")) + _field(11, _tensor(b"b", _INT8, b"p", b"n"))
    graph += _field(12, _tensor(b"c", _INT32, b"q", b"n"))
    return _number(1, 8) + _field(7, graph) + _field(8, _number(2, 13))


def _tensor(name: bytes, kind: int, *dimensions: bytes) -> bytes:
    shape = b"".join(_field(1, _field(2, dimension)) for dimension in dimensions)
    return _field(1, name) + _field(2, _field(1, _number(1, kind) + _field(2, shape)))


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def _field(field: int, content: bytes) -> bytes:
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([field << 3 | 2]) + size + bytes([length]) + content
