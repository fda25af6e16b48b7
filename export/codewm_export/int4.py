"""An fp32 ONNX graph → the same with its matrices in int4 blocks, and nothing in it that is not needed to run it.

Standard ONNX (opset 21): each matrix is an INT4 initialiser behind one ``DequantizeLinear`` with a block size, however
often it is used. ONNX Runtime works those out once when it loads the graph (``codewm_lsp.world_model``), which costs
4 MB of memory and makes every call as fast as fp32. Scales, biases and what else is small are kept in fp16.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codewm_model.networks.quantisation import BLOCK, is_rounded, quantise

SMALLEST_HALF: Final = 16  # numbers of the smallest vector that is kept in fp16 rather than fp32


def to_int4(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantise and strip; the input is left as it is."""
    source = model.graph
    weights = {t.name: numpy_helper.to_array(t) for t in source.initializer}
    kept: dict[str, onnx.TensorProto] = {}
    expand: list[onnx.NodeProto] = []
    nodes: list[onnx.NodeProto] = []
    for node in source.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        nodes.append(copy)
        position = {"MatMul": 1, "Gather": 0}.get(node.op_type)
        for index, name in enumerate(node.input):
            weight = weights.get(name)
            if weight is None:
                continue
            if index == position and weight.dtype == np.float32 and is_rounded(weight.shape):
                copy.input[index] = f"{name}.x"
                if f"{name}.q" not in kept:
                    _add(name, weight, 0 if node.op_type == "MatMul" else 1, kept, expand)
            elif weight.dtype == np.float32 and weight.size >= SMALLEST_HALF:
                copy.input[index] = f"{name}.x"
                if name not in kept:
                    kept[name] = numpy_helper.from_array(weight.astype(np.float16), name)
                    expand.append(helper.make_node("Cast", [name], [f"{name}.x"], to=TensorProto.FLOAT))
            elif name not in kept:
                kept[name] = numpy_helper.from_array(weight, name)
    used = {name for node in source.node for name in node.input}
    for name, weight in weights.items():
        if name not in used:
            kept[name] = numpy_helper.from_array(weight, name)
    nodes = expand + nodes
    public = {i.name for i in source.input} | {o.name for o in source.output}
    _shorten(nodes, kept, public | {name for name in kept if is_parameter(name)})
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(i.name, i.type.tensor_type.elem_type, _axes(i)) for i in source.input],
        [helper.make_tensor_value_info(o.name, o.type.tensor_type.elem_type, _axes(o)) for o in source.output],
        list(kept.values()),
    )
    return helper.make_model(graph, opset_imports=[o for o in model.opset_import if not o.domain], ir_version=10)


def _add(
    name: str, weight: NDArray[Any], axis: int, kept: dict[str, onnx.TensorProto], expand: list[onnx.NodeProto]
) -> None:
    """Store a matrix in blocks along ``axis``: of inputs for a product, of a row for a table."""
    matrix = torch.from_numpy(np.array(weight if axis == 0 else weight.T))
    codes, scales = quantise(matrix)  # (blocks, BLOCK, columns) in 0..15, (blocks, columns)
    rounded = codes.reshape(-1, codes.shape[2])[: matrix.shape[0]].numpy()
    scale = scales.numpy()
    if axis == 1:
        rounded, scale = rounded.T, scale.T
    signed = (rounded.astype(np.uint8) + 8) & 15  # two's complement of code - 8
    flat = signed.reshape(-1)
    packed = (flat[0::2] | (flat[1::2] << 4)).astype(np.uint8)
    kept[f"{name}.q"] = helper.make_tensor(f"{name}.q", TensorProto.INT4, weight.shape, packed.tobytes(), raw=True)
    kept[f"{name}.s"] = numpy_helper.from_array(np.ascontiguousarray(scale).astype(np.float16), f"{name}.s")
    expand.append(helper.make_node("Cast", [f"{name}.s"], [f"{name}.f"], to=TensorProto.FLOAT))
    expand.append(
        helper.make_node("DequantizeLinear", [f"{name}.q", f"{name}.f"], [f"{name}.x"], axis=axis, block_size=BLOCK)
    )


def is_parameter(name: str) -> bool:
    """Whether an initialiser is (a piece of) a parameter of the model, by its dotted name; those keep it."""
    return "." in name


def _axes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def _shorten(nodes: list[onnx.NodeProto], kept: dict[str, onnx.TensorProto], public: set[str]) -> None:
    """Name everything in the graph but what is ``public`` by a letter or two, and drop the exporter's notes."""
    short: dict[str, str] = {name: name for name in public}
    digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def rename(name: str) -> str:
        if name and name not in short:
            number, text = len(short), ""
            while True:
                number, digit = divmod(number, len(digits))
                text += digits[digit]
                if not number:
                    break
            short[name] = f"_{text}"
        return short.get(name, "")

    for node in nodes:
        node.name = ""
        node.doc_string = ""
        del node.metadata_props[:]
        inputs, outputs = [rename(n) for n in node.input], [rename(n) for n in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
    for tensor in kept.values():
        tensor.name = rename(tensor.name)
        tensor.doc_string = ""
