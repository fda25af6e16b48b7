"""Which architectures become graphs that give what PyTorch gives, and what is said of one that cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from codewm_export.graphs import Graph, graphs, to_onnx
from codewm_export.int4 import to_int4
from codewm_export.onnx_bundle import _check
from codewm_lsp.errors import TrainingError
from codewm_model.networks.code_world_model import CodeWorldModel, set_rounding
from codewm_model.settings.config import ArchitectureConfig


@pytest.mark.parametrize(("encoder", "predictor"), [("mlp", "koopman"), ("mini-transformer", "mini-transformer")])
def test_an_architecture_that_comes_with_codewm_is_exported_in_int4(encoder: str, predictor: str) -> None:
    torch.manual_seed(0)
    settings = ArchitectureConfig(encoder=encoder, predictor=predictor, layers=1)
    model = CodeWorldModel(settings).eval()
    for name in ("state", "transition"):
        graph = graphs(model)[name]
        data = to_int4(to_onnx(graph)).SerializeToString()
        set_rounding(model, True)
        assert _check(name, data, graph) < 2e-3
        set_rounding(model, False)
        assert len(data) < sum(4 * p.numel() for p in graph.module.parameters()) / 4


def test_a_network_that_onnx_cannot_express_is_named() -> None:
    class Spectral(nn.Module):
        def forward(self, state: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(state.T @ state).real

    graph = Graph(Spectral(), {"state": (torch.randn(3, 4), {0: "B"})}, ("out",))
    with pytest.raises(TrainingError, match="Spectral cannot be exported to ONNX"):
        to_onnx(graph)


def test_a_model_of_another_size_is_not_made_into_a_bundle() -> None:
    model = CodeWorldModel(ArchitectureConfig(state_size=64, loops=1))
    with pytest.raises(TrainingError, match=r"a bundle needs architecture\.state_size = 128"):
        graphs(model)
