"""A trained model → a bundle on disk, checked against PyTorch before it counts as one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from codewm_export.bundle_weights import weights_of_bundle
from codewm_export.graphs import Graph, graphs, to_onnx
from codewm_export.int4 import to_int4
from codewm_lsp import __version__
from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.bundle import (
    EVIDENCE,
    FORMAT,
    LEARNT,
    MAX_BYTES,
    METADATA,
    RANKER,
    WORDS,
    expected_versions,
)
from codewm_lsp.world_model.features import CommonWords
from codewm_lsp.world_model.model import open_session
from codewm_model.artifacts.bundle_format import BundleFormat
from codewm_model.networks.code_world_model import CodeWorldModel, parameters, set_rounding

CARD: Final = "README.md"
TOLERANCE: Final = 2e-3


def write_bundle(
    model: CodeWorldModel, common: CommonWords, folder: Path, *, name: str, about: dict[str, Any], card: str
) -> dict[str, Any]:
    """Export ``model`` into ``folder``, in the place of a bundle that is there, and return its metadata.

    ``about`` goes into ``model.json``: what it was trained on, and how. Raises TrainingError when a graph does not give
    what PyTorch gives, or when the bundle is larger than 600,000 bytes; the folder is then left as it was.
    """
    model = model.cpu().eval()
    set_rounding(model, True)
    files: dict[str, bytes] = {WORDS: common.hashes.astype("<u4").tobytes()}
    parity: dict[str, float] = {}
    for graph_name, graph in graphs(model).items():
        set_rounding(model, False)  # the exporter sees the plain weights; the int4 pass rounds them
        data = to_int4(to_onnx(graph)).SerializeToString()
        set_rounding(model, True)
        parity[graph_name] = _check(graph_name, data, graph)
        files[f"{graph_name}.onnx"] = data
    set_rounding(model, False)
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "codewm": __version__,
        **expected_versions(),
        "parameters": parameters(model),
        "files": {file: hashlib.sha256(data).hexdigest() for file, data in sorted(files.items())},
        "parity": parity,
        **about,
    }
    written = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
    _check_size(sum(map(len, files.values())) + len(written))
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".codewm-export-", dir=folder) as beside:
            partial = Path(beside)
            for file, data in files.items():
                (partial / file).write_bytes(data)
            (partial / METADATA).write_bytes(written)
            (partial / CARD).write_text(card, encoding="utf-8")
            (folder / METADATA).unlink(missing_ok=True)  # a bundle that is half another one is none
            for file in LEARNT:  # fitted to what was there before
                (folder / file).unlink(missing_ok=True)
            for file in (*files, CARD, METADATA):
                os.replace(partial / file, folder / file)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return metadata


def describe_bundle(
    folder: Path, *, about: dict[str, Any], card: str, ranker: bytes | None = None, evidence: bytes | None = None
) -> None:
    """Say more in the metadata and the card of a bundle that ``write_bundle`` has written; its graphs stay as they are.

    ``ranker`` and ``evidence`` take the places of those that are there. Raises TrainingError when the bundle would be
    larger than 600,000 bytes; it is then left as it was.
    """
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8")) | about
    files: dict[str, bytes] = {}
    for file, learnt in ((RANKER, ranker), (EVIDENCE, evidence)):
        if learnt is not None:
            files[file] = learnt
            metadata["files"] |= {file: hashlib.sha256(learnt).hexdigest()}
    written = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
    kept = (file for file in metadata["files"] if file not in files)
    _check_size(sum((folder / file).stat().st_size for file in kept) + sum(map(len, files.values())) + len(written))
    for file, data in (*files.items(), (METADATA, written), (CARD, card.encode("utf-8"))):
        partial = folder / (file + ".partial")
        partial.write_bytes(data)
        os.replace(partial, folder / file)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise TrainingError(f"the bundle would have {size:,} bytes, more than {MAX_BYTES:,}: make the networks smaller")


def _check(name: str, data: bytes, graph: Graph) -> float:
    """Largest difference between the graph and PyTorch on random inputs, relative to the size of the output."""
    session = open_session(data)
    worst = 0.0
    for seed, sizes in enumerate(({"B": 3, "T": 7, "C": 4, "R": 2}, {"B": 1, "T": 90, "C": 33, "R": 6})):
        feed = _example(graph, sizes, seed)
        with torch.no_grad():
            expected = graph.module(**feed)
        outputs = (expected,) if isinstance(expected, Tensor) else expected
        found = session.run(None, {key: value.numpy() for key, value in feed.items()})
        for label, wanted, got in zip(graph.outputs, outputs, found, strict=True):
            scale = max(1.0, float(wanted.abs().max()))
            difference = float(np.abs(wanted.numpy() - got).max()) / scale
            if not difference <= TOLERANCE:
                raise TrainingError(
                    f"output {label!r} of graph {name!r} differs from PyTorch by {difference:.4g} (most: {TOLERANCE}): "
                    f"the export is broken; check the versions of torch {torch.__version__} and "
                    f"onnxruntime {onnxruntime.__version__}"
                )
            worst = max(worst, difference)
    return worst


def _example(graph: Graph, sizes: dict[str, int], seed: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    feed = {}
    for name, (example, axes) in graph.inputs.items():
        shape = [sizes[axes[axis]] if axis in axes else size for axis, size in enumerate(example.shape)]
        if example.dtype == torch.bool:
            feed[name] = torch.ones(shape, dtype=torch.bool)
        elif example.dtype == torch.long:
            top = 14 if name.endswith("role") else 8 if name.endswith("level") else 31 if name == "depths" else 700
            feed[name] = torch.randint(1, top, shape, generator=random)
        else:
            feed[name] = torch.randn(shape, generator=random)
    return feed


INT4_ONNX: Final = BundleFormat(write_bundle, describe_bundle, weights_of_bundle)
