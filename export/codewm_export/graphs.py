"""The networks → ONNX graphs, with the names of inputs and outputs that ``codewm_lsp.world_model`` uses."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_lsp.world_model.embedding import CONTEXTUAL, RELATIONS, STRUCTURE
from codewm_lsp.world_model.features import NUMBERS
from codewm_model.networks.code_world_model import CodeWorldModel

OPSET = 21  # the first with INT4 and block-wise DequantizeLinear


class _Edit(nn.Module):
    """The edit encoder with the gates of the state's words beside it, so that one graph holds their shared tables."""

    def __init__(self, model: CodeWorldModel) -> None:
        super().__init__()
        self.edit = model.edit

    def forward(
        self,
        changed_identity: Tensor,
        changed_level: Tensor,
        changed_role: Tensor,
        changed_numbers: Tensor,
        changed_mask: Tensor,
        context_identity: Tensor,
        context_level: Tensor,
        context_role: Tensor,
        context_numbers: Tensor,
        before: Tensor,
        after: Tensor,
        action: Tensor,
    ) -> tuple[Tensor, ...]:
        changed = (changed_identity, changed_level, changed_role, changed_numbers, changed_mask)
        signed, unsigned, contextual, parts = self.edit(changed, before, after, action)
        return (
            signed,
            unsigned,
            contextual,
            parts,
            self.edit.state_gate(changed_identity, changed_level, changed_role, changed_numbers),
            self.edit.state_gate(context_identity, context_level, context_role, context_numbers),
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph to be exported: a module, example inputs by name with their dynamic axes, names of its outputs."""

    module: nn.Module
    inputs: Mapping[str, tuple[Tensor, Mapping[int, str]]]
    outputs: tuple[str, ...]


def graphs(model: CodeWorldModel) -> dict[str, Graph]:
    """The four graphs of a bundle; axes: ``B`` batch, ``T`` tokens or changed words, ``C`` context, ``R`` recent.

    Raises TrainingError when a state or an embedding has another size than a bundle's.
    """
    for name, size in (("state_size", STRUCTURE), ("contextual_size", CONTEXTUAL)):
        if getattr(model.config, name) != size:
            raise TrainingError(
                f"a bundle needs architecture.{name} = {size}, and this model was trained with "
                f"{getattr(model.config, name)}: it cannot be exported; its weights are in the run's folder"
            )

    def words(prefix: str, axis: str, size: int) -> dict[str, tuple[Tensor, Mapping[int, str]]]:
        axes = {0: "B", 1: axis}
        index = torch.ones(3, size, dtype=torch.long)
        return {
            f"{prefix}_identity": (index, axes),
            f"{prefix}_level": (index.clone(), axes),
            f"{prefix}_role": (index.clone(), axes),
            f"{prefix}_numbers": (torch.randn(3, size, NUMBERS), axes),
        }

    state = (torch.randn(3, STRUCTURE), {0: "B"})
    action = (torch.randn(3, RICH_ACTION_SIZE), {0: "B"})
    tokens = torch.ones(3, 7, dtype=torch.long)
    return {
        "state": Graph(
            model.state,
            {"ids": (tokens, {0: "B", 1: "T"}), "depths": (tokens.clone(), {0: "B", 1: "T"})},
            ("state",),
        ),
        "edit": Graph(
            _Edit(model),
            {
                **words("changed", "T", 5),
                "changed_mask": (torch.ones(3, 5, dtype=torch.bool), {0: "B", 1: "T"}),
                **words("context", "C", 6),
                "before": state,
                "after": (torch.randn(3, STRUCTURE), {0: "B"}),
                "action": action,
            },
            ("signed_gate", "unsigned_gate", "contextual", "parts", "place_changed", "place_context"),
        ),
        "transition": Graph(model.transition, {"state": state, "action": action}, ("next_state",)),
        "next": Graph(
            model.next,
            {
                "state": state,
                "recent": (torch.randn(3, 4, CONTEXTUAL), {0: "B", 1: "R"}),
                "relations": (torch.randn(3, 4, RELATIONS), {0: "B", 1: "R"}),
                "mask": (torch.ones(3, 4, dtype=torch.bool), {0: "B", 1: "R"}),
            },
            ("mixture", "share", "contextual", "parts", "logits", "actions"),
        ),
    }


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what the exporter has to say of itself: that libraries are missing which no network here needs."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """Export one graph in fp32. A block that is looped appears unrolled, all its turns sharing one set of weights.

    Raises TrainingError when the network does something that ONNX cannot say.
    """
    sizes = {name: Dim(name, min=1, max=1 << 20) for name in "BTCR"}
    shapes = {name: {axis: sizes[dim] for axis, dim in axes.items()} for name, (_, axes) in graph.inputs.items()}
    try:
        with _silent():
            program = torch.onnx.export(
                graph.module.eval(),
                kwargs={name: example for name, (example, _) in graph.inputs.items()},
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=shapes,
                opset_version=OPSET,
                dynamo=True,
                optimize=True,
                verbose=False,
            )
    except Exception as error:  # the exporter fails in many ways; all of them mean the same
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(
            f"{type(graph.module).__name__} cannot be exported to ONNX ({first}): its weights are in the run's folder, "
            f"but only architectures that ONNX can express make a bundle"
        ) from error
    assert program is not None
    buffer = io.BytesIO()
    onnx.save_model(program.model_proto, buffer)
    exported = onnx.load_model_from_string(buffer.getvalue())
    stored = {tensor.name for tensor in exported.graph.initializer}
    for name, parameter in graph.module.named_parameters():
        if name not in stored:  # the exporter keeps one of two equal ones; the bundle is to hold every parameter
            exported.graph.initializer.append(numpy_helper.from_array(parameter.detach().numpy(), name))
    return exported
