"""Int4: what is trained is what is exported, and what is exported can be trained again."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from codewm_export.int4 import to_int4
from codewm_lsp.world_model.model import open_session
from codewm_model.networks.quantisation import BLOCK, Rounding, dequantise, quantise


def _product(weight: np.ndarray, times: int) -> onnx.ModelProto:
    """``times`` products by the same matrix in a row, as a looped block has them."""
    nodes = [helper.make_node("MatMul", [f"x{i}", "block.weight"], [f"x{i + 1}"]) for i in range(times)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["B", weight.shape[0]])],
        [helper.make_tensor_value_info(f"x{times}", TensorProto.FLOAT, ["B", weight.shape[1]])],
        [numpy_helper.from_array(weight, "block.weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_rounding_moves_no_weight_by_more_than_about_half_a_step() -> None:
    weight = torch.randn(128, 40, generator=torch.Generator().manual_seed(1))
    codes, scales = quantise(weight)
    error = (dequantise(codes, scales, 128) - weight).abs().reshape(-1, BLOCK, 40)
    assert codes.min() >= 0
    assert codes.max() <= 15
    assert (error.mean(1) < scales.abs()).all()
    assert error.mean() < 0.12


def test_a_matrix_whose_size_is_no_multiple_of_the_block_survives() -> None:
    weight = torch.randn(97, 33, generator=torch.Generator().manual_seed(2))
    assert dequantise(*quantise(weight), 97).shape == (97, 33)


def test_the_gradient_passes_straight_through_the_rounding() -> None:
    weight = torch.randn(64, 32, requires_grad=True)
    Rounding()(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_rounding_follows_the_weight_when_it_is_trained() -> None:
    rounding = Rounding()
    weight = torch.randn(64, 32)
    first = rounding(weight)
    weight.mul_(3)
    assert (rounding(weight) - 3 * first).abs().mean() < 0.02  # but for a tie between two scales, the same


def test_the_graph_computes_what_the_rounded_weight_does() -> None:
    weight = np.random.default_rng(0).standard_normal((96, 48)).astype(np.float32)
    session = open_session(to_int4(_product(weight, 1)).SerializeToString())
    x = np.random.default_rng(1).standard_normal((5, 96)).astype(np.float32)
    expected = x @ Rounding()(torch.from_numpy(weight)).numpy()
    np.testing.assert_allclose(session.run(None, {"x0": x})[0], expected, atol=1e-4)


def test_a_looped_matrix_is_stored_once() -> None:
    weight = np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)
    once, thrice = (len(to_int4(_product(weight, n)).SerializeToString()) for n in (1, 3))
    assert thrice - once < 200
    assert once < 128 * 128 * 0.5 + 2_000


def test_any_onnx_runtime_session_can_load_the_graph() -> None:
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    data = to_int4(_product(weight, 1)).SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x0": np.ones((1, 64), np.float32)})[0].shape == (1, 64)
