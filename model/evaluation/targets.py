"""The target encoder of a model's training, which no bundle holds: read from its run, or made again from its seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.source.vocabulary import PAD
from codewm_lsp.world_model.features import structure_tokens
from codewm_model.architecture import CodeWorldModel
from codewm_model.config import Config
from codewm_model.evaluation.protocol import Candidate
from codewm_model.runs import TARGET

Matrix = NDArray[np.float32]
_TOKENS_AT_ONCE: Final = 4_000


class TargetEncoder:
    """Texts of definitions → target states, each different text once."""

    def __init__(self, encoder: torch.nn.Module, source: str) -> None:
        self._encoder = encoder.eval()
        self._known: dict[str, Matrix] = {}
        self.source = source

    @torch.no_grad()
    def states(self, sources: Sequence[str]) -> Matrix:
        """(N, state_size)."""
        missing = [text for text in dict.fromkeys(sources) if text not in self._known]
        tokens = {text: structure_tokens(text) for text in missing}
        missing.sort(key=lambda text: len(tokens[text][0]))
        start = 0
        while start < len(missing):
            end = start + 1
            while end < len(missing) and (end + 1 - start) * len(tokens[missing[end]][0]) <= _TOKENS_AT_ONCE:
                end += 1
            width = len(tokens[missing[end - 1]][0])
            ids = np.full((end - start, width), PAD, np.int64)
            depths = np.zeros((end - start, width), np.int64)
            for row, text in enumerate(missing[start:end]):
                own = tokens[text]
                ids[row, : len(own[0])], depths[row, : len(own[1])] = own
            found = self._encoder(torch.from_numpy(ids), torch.from_numpy(depths)).float().numpy()
            self._known.update(zip(missing[start:end], found, strict=True))
            start = end
        return np.stack([self._known[text] for text in sources])


def targets_of(models: Sequence[Candidate]) -> tuple[list[tuple[Candidate, TargetEncoder]], str]:
    """The models whose target encoders are at hand, with them; and a note on the others for the report."""
    found: list[tuple[Candidate, TargetEncoder]] = []
    notes = ""
    for model in models:
        try:
            found.append((model, target_of(model)))
        except OptionError as error:
            notes += f"\nNot measured: {error}.\n"
    return found, notes


def target_of(model: Candidate) -> TargetEncoder:
    """The target encoder a model was trained against.

    Raises OptionError where it can be neither read nor made again.
    """
    config = Config.from_dict(model.world.bundle.metadata.get("config", {}))
    training = config.training
    torch.manual_seed(training.seed)  # directly before the weights are made, as the training does
    fresh = CodeWorldModel(config.architecture).state
    if model.run is not None and (model.run / TARGET).exists():
        try:
            fresh.load_state_dict(load_file(model.run / TARGET))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise TrainingError(
                f"{model.run / TARGET} is damaged or of another model ({error}): train again"
            ) from error
        return TargetEncoder(fresh, f"read from {TARGET} of the training run")
    start = model.world.bundle.metadata.get("training", {}).get("from", "scratch")
    if training.target == "ema" and training.decay >= 1.0 and training.transition_steps and start == "scratch":
        return TargetEncoder(fresh, f"frozen at its random start, made again from seed {training.seed}")
    raise OptionError(
        f"{model.name} is measured against the target encoder of its training, which is not at hand: name the folder "
        f"of the training run that holds {TARGET}"
    )
