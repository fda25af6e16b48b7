"""What a model's predictions are held against: the target encoder its transition predictor was trained against last.

That is its own state encoder, where the predictor was trained on states that stand still. Elsewhere it is another one,
which no bundle holds: it is read from the run, or made again from its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.world_model.features import of_similar_length, padded_structures, structure_tokens
from codewm_model.artifacts.run_folder import TARGET, read_tensors
from codewm_model.evaluation.measurement import EvaluatedModel, Reference, Role
from codewm_model.evaluation.released_weights import mended
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import Config

Matrix = NDArray[np.float32]
_TOKENS_AT_ONCE: Final = 4_000
_TEXTS_AT_ONCE: Final = 512


class TargetEncoder:
    """Texts of definitions → target states, each different text once. ``encode``: (N,) texts → (N, state_size)."""

    def __init__(self, encode: Callable[[Sequence[str]], Matrix], source: str) -> None:
        self._encode = encode
        self._known: dict[str, Matrix] = {}
        self.source = source

    def states(self, sources: Sequence[str]) -> Matrix:
        """(N, state_size)."""
        missing = [text for text in dict.fromkeys(sources) if text not in self._known]
        for start in range(0, len(missing), _TEXTS_AT_ONCE):
            texts = missing[start : start + _TEXTS_AT_ONCE]
            self._known.update(zip(texts, self._encode(texts), strict=True))
        return np.stack([self._known[text] for text in sources])


@torch.no_grad()
def _encoded(encoder: torch.nn.Module, sources: Sequence[str]) -> Matrix:
    tokens = [structure_tokens(text) for text in sources]
    found: list[Matrix] = [np.zeros(0, np.float32)] * len(tokens)
    for rows in of_similar_length([len(ids) for ids, _ in tokens], _TOKENS_AT_ONCE):
        ids, depths = padded_structures([tokens[row] for row in rows])
        states = encoder(torch.from_numpy(ids), torch.from_numpy(depths)).float().numpy()
        for row, state in zip(rows, states, strict=True):
            found[row] = state
    return np.stack(found)


@dataclass(frozen=True, slots=True)
class Transitioning:
    """What predicts next states: a model of this project, or released weights.

    ``states``: texts → online states; ``advance``: states and rich actions → predicted states; ``run``: the folder of
    the training run, where there is one.
    """

    name: str
    role: Role
    states: Callable[[Sequence[str]], Matrix]
    advance: Callable[[Matrix, Matrix], Matrix]
    target: TargetEncoder
    run: Path | None = None


def targets_of(
    models: Sequence[EvaluatedModel], references: Sequence[Reference] = ()
) -> tuple[list[Transitioning], str]:
    """All whose target encoders are at hand; and a note on the others for the report."""
    found: list[Transitioning] = []
    notes = ""
    for model in models:
        try:
            target = target_of(model)
        except OptionError as error:
            notes += f"\nNot measured: {error}.\n"
            continue
        states = _in_pieces(model.world.structure_states)
        found.append(Transitioning(model.name, Role.MODEL, states, model.world.advance, target, model.run))
    for reference in references:
        if reference.advance is None or reference.target is None:
            notes += (
                f"\nNot measured: {reference.system}, because the target encoder of its training "
                f"({reference.name}_target.safetensors) is not next to it.\n"
            )
            continue
        online, target = (
            TargetEncoder(_of_files(way), said)
            for way, said in ((reference.encode, ""), (reference.target, "released beside it"))
        )
        found.append(Transitioning(reference.system, Role.BASELINE, online.states, reference.advance, target))
    return found, notes


def _of_files(encode: Callable[[Sequence[str]], Matrix]) -> Callable[[Sequence[str]], Matrix]:
    """Definitions as files that parse, which is what released weights read."""
    return lambda sources: encode([mended(source) for source in sources])


def _in_pieces(encode: Callable[[Sequence[str]], Matrix]) -> Callable[[Sequence[str]], Matrix]:
    def states(sources: Sequence[str]) -> Matrix:
        pieces = range(0, len(sources), _TEXTS_AT_ONCE)
        return np.concatenate([encode(sources[start : start + _TEXTS_AT_ONCE]) for start in pieces])

    return states


def target_of(model: EvaluatedModel) -> TargetEncoder:
    """The target encoder that a model's transition predictor was trained against last.

    Raises OptionError where it can be neither read nor made again.
    """
    config = Config.from_dict(model.world.bundle.metadata.get("config", {}))
    training = config.training
    if training.predictor_steps:
        return TargetEncoder(model.world.structure_states, "its own state encoder, which stood still meanwhile")
    torch.manual_seed(training.seed)  # directly before the weights are made, as the training does
    fresh = CodeWorldModel(config.architecture).state
    if model.run is not None and (model.run / TARGET).exists():
        try:
            fresh.load_state_dict(read_tensors(model.run / TARGET))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise TrainingError(
                f"{model.run / TARGET} is damaged or of another model ({error}): train again"
            ) from error
        return TargetEncoder(partial(_encoded, fresh.eval()), f"read from {TARGET} of the training run")
    start = model.world.bundle.metadata.get("training", {}).get("from", "scratch")
    if training.target == "ema" and training.decay >= 1.0 and training.transition_steps and start == "scratch":
        return TargetEncoder(
            partial(_encoded, fresh.eval()), f"frozen at its random start, made again from seed {training.seed}"
        )
    raise OptionError(
        f"{model.name} is measured against the target encoder of its training, which is not at hand: name the folder "
        f"of the training run that holds {TARGET}"
    )
