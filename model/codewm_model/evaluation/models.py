"""The models to measure: a bundle as the product runs it, or a training run in fp32 through PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import OptionError
from codewm_lsp.world_model import Bundle, WorldModel, read_bundle, shipped
from codewm_lsp.world_model.bundle import METADATA
from codewm_model.artifacts.run_folder import WEIGHTS, read_run
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.measurement import Clone, EvaluatedModel, Progress

Matrix = NDArray[np.float32]
_AT_ONCE: Final = 128


class FullPrecision(WorldModel):
    """A training run's fp32 weights behind the interface of the shipped model: same features, same composition."""

    def __init__(self, run: Path) -> None:
        model, common, about = read_run(run)
        weights = hashlib.sha256((run / WEIGHTS).read_bytes()).hexdigest()[:16]
        super().__init__(Bundle(run, run.resolve().name, weights, about, {}, common))
        self._model = model.eval()

    @torch.no_grad()
    def _run(self, graph: str, feed: dict[str, NDArray[Any]], outputs: list[str] | None = None) -> list[Matrix]:
        given = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in feed.items()}
        if graph == "state":
            found: tuple[torch.Tensor, ...] = (self._model.state(given["ids"], given["depths"]),)
        elif graph == "transition":
            found = (self._model.transition(given["state"], given["action"]),)
        elif graph == "next":
            found = self._model.next(given["state"], given["recent"], given["relations"], given["mask"])
        else:
            changed = tuple(given[f"changed_{name}"] for name in ("identity", "level", "role", "numbers", "mask"))
            context = tuple(given[f"context_{name}"] for name in ("identity", "level", "role", "numbers"))
            around = self._model.edit.state_gate(*context)
            if outputs == ["place_context"]:
                found = (around,)
            else:
                gates = self._model.edit(changed, given["before"], given["after"], given["action"])
                found = (*gates, self._model.edit.state_gate(*changed[:4]), around)
        return [value.numpy() for value in found]


def load(folders: Sequence[str]) -> list[EvaluatedModel]:
    """The models of ``--model``, the shipped one where none is named.

    Raises OptionError, BundleError or TrainingError for a folder that holds none, or a damaged one.
    """
    candidates: list[EvaluatedModel] = []
    for given in folders or ["shipped"]:
        folder = shipped() if given == "shipped" else Path(given)
        if not folder.is_dir():
            raise OptionError(f"--model {given}: no such folder. Name a model or a training run")
        run = folder if (folder / WEIGHTS).exists() else None
        if (folder / METADATA).exists():
            world = WorldModel(read_bundle(folder))
            full = False
        elif run is not None:
            world, full = FullPrecision(run), True
        else:
            raise OptionError(
                f"--model {given}: neither a model (no {METADATA}) nor a finished training run (no {WEIGHTS})"
            )
        candidates.append(EvaluatedModel(world.name, world.hash, folder, world, run, full))
    return _named_apart(candidates)


def in_full_precision(model: EvaluatedModel) -> EvaluatedModel | None:
    """The same model in fp32, where its training run is at hand."""
    if model.run is None or model.full:
        return None
    world = FullPrecision(model.run)
    return EvaluatedModel(f"{model.name}, fp32", world.hash, model.run, world, model.run, full=True)


def training_seeds(models: Sequence[EvaluatedModel]) -> list[list[EvaluatedModel]]:
    """Models that differ in the seed of their training alone, two or more in a group."""
    groups: dict[str, list[EvaluatedModel]] = {}
    for model in models:
        config = model.world.bundle.metadata.get("config")
        if not isinstance(config, dict) or "seed" not in config.get("training", {}):
            continue
        rest = {**config, "training": {key: value for key, value in config["training"].items() if key != "seed"}}
        groups.setdefault(f"{model.full} {json.dumps(rest, sort_keys=True)}", []).append(model)
    return [group for group in groups.values() if len({training_seed(model) for model in group}) > 1]


def training_seed(model: EvaluatedModel) -> int | None:
    """The seed a model was trained with, where it says."""
    config = model.world.bundle.metadata.get("config")
    seed = config.get("training", {}).get("seed") if isinstance(config, dict) else None
    return int(seed) if seed is not None else None


def _named_apart(models: list[EvaluatedModel]) -> list[EvaluatedModel]:
    """No two names alike: they name the rows of the tables."""
    count = Counter(model.name for model in models)
    named: list[EvaluatedModel] = []
    for model in models:
        name = model.name if count[model.name] == 1 else f"{model.name} {model.hash[:6]}"
        if any(other.name == name for other in named):
            raise OptionError(f"--model {model.folder} is named twice (hash {model.hash}): leave one of them out")
        named.append(EvaluatedModel(name, model.hash, model.folder, model.world, model.run, model.full))
    return named


def embed(
    model: EvaluatedModel,
    clone: Clone,
    pairs: Sequence[tuple[str, str]],
    cache: Cache,
    progress: Progress = lambda what, done, of: None,
) -> Matrix:
    """The embeddings (N, edit_size) of some edits of a clone, from the cache where the same were asked for before."""
    digest = hashlib.sha256()
    for before, after in pairs:
        for text in (before, after):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
    key = (model.hash, model.full, digest.hexdigest(), code("source", "world_model"))
    file = cache.file("embeddings", clone.name, key, ".npz")
    kept = cache.read_arrays(file)
    if kept is not None and kept.get("vectors", np.zeros(0)).shape == (len(pairs), model.world.edit_size):
        vectors: Matrix = kept["vectors"]
        return vectors
    pieces = [np.zeros((0, model.world.edit_size), np.float32)]
    for start in range(0, len(pairs), _AT_ONCE):
        pieces.append(model.world.embed_edits(pairs[start : start + _AT_ONCE]))
        progress(f"{clone.name}: embedding with {model.name}", min(start + _AT_ONCE, len(pairs)), len(pairs))
    vectors = np.concatenate(pieces)
    cache.write_arrays(file, vectors=vectors)
    return vectors
