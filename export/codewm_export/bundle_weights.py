"""A bundle → PyTorch weights, so that training can go on from a model of which only the int4 graphs were kept."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.bundle import read_bundle
from codewm_lsp.world_model.features import CommonWords
from codewm_model.artifacts.run_folder import check_provenance
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.networks.quantisation import BLOCK
from codewm_model.settings.config import Config

_PREFIX = {"state": "state.", "edit": "", "transition": "transition.", "next": "next."}


def weights_of_bundle(folder: Path) -> tuple[CodeWorldModel, CommonWords, dict[str, Any]]:
    """The model of a bundle, its common words and its metadata. Raises BundleError or TrainingError."""
    bundle = read_bundle(folder)
    config = Config.from_dict(bundle.metadata.get("config", {}))
    model = CodeWorldModel(config.architecture)
    try:
        check_provenance(bundle.metadata)
        found = _parameters(model, bundle.graphs)
        missing = [name for name, _ in model.named_parameters() if name not in found]
        if missing:
            raise ValueError(f"it does not hold {missing[0]!r}")
        model.load_state_dict(found, strict=False)
    except (ValueError, KeyError, IndexError, RuntimeError, DecodeError) as error:
        what = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"{folder} cannot be trained from ({what}): train from scratch, or from another model"
        ) from error
    return model, bundle.common, bundle.metadata


def _parameters(model: CodeWorldModel, graphs: Mapping[str, bytes]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for graph, data in graphs.items():
        stored = {t.name: t for t in onnx.load_model(io.BytesIO(data)).graph.initializer}
        for name, parameter in model.named_parameters():
            if not name.startswith(_PREFIX[graph] or "edit."):
                continue
            local = name[len(_PREFIX[graph]) :]
            if local in stored:
                found[name] = torch.from_numpy(numpy_helper.to_array(stored[local]).astype(np.float32))
            elif f"{local}.q" in stored:
                found[name] = _unpack(stored[f"{local}.q"], stored[f"{local}.s"], tuple(parameter.shape))
    return found


def _unpack(codes: onnx.TensorProto, scales: onnx.TensorProto, shape: tuple[int, ...]) -> Tensor:
    packed = np.frombuffer(codes.raw_data, np.uint8)
    flat = np.stack([packed & 15, packed >> 4], -1).reshape(shape).astype(np.int8)
    values = np.where(flat > 7, flat - 16, flat).astype(np.float32)
    scale = numpy_helper.to_array(scales).astype(np.float32)
    axis = 0 if scale.shape[1] == shape[1] and scale.shape[0] == -(-shape[0] // BLOCK) else 1
    full = np.repeat(scale, BLOCK, axis)
    return torch.from_numpy(values * (full[: shape[0]] if axis == 0 else full[:, : shape[1]]))
