"""The last stage: the transition predictor over states that stand still.

While the state encoder learns it moves away from its target, by more than most edits move a state: what the predictor
learns meanwhile is the way from one space to the other. So at the end the state encoder is its own target, as it is
shipped, and the predictor alone goes on, over states that are computed once.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.errors import TrainingError
from codewm_model.data.batches import tensor
from codewm_model.evaluation import diagnostics
from codewm_model.training import objectives
from codewm_model.training.inference import all_states
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import state_changes, transitions


class PredictorStage:
    """State and action → next state, in the space of the finished state encoder."""

    def __init__(self, run: Run) -> None:
        self.run = run
        data = run.data
        if run.states is None:
            run.states = all_states(run.model.state, data, run.device)
        self.states = run.states
        self.usable = ~data.held_out & (data.states[:, 0] != data.states[:, 1])
        self.rows = np.flatnonzero(self.usable)
        if not len(self.rows):
            raise TrainingError("no edit changes the tree of its definition: there is no transition to learn from")

    def windows(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Edits, each with those that follow on it in its chain: (B, window), -1 where the chain has ended."""
        training = self.run.config.training
        rows = np.full((training.predictor_batch, training.window), -1, np.int64)
        rows[:, 0] = random.choice(self.rows, training.predictor_batch)
        for step in range(1, training.window):
            previous = rows[:, step - 1]
            following = np.where(previous >= 0, self.run.data.successor[previous], -1)
            rows[:, step] = np.where((following >= 0) & self.usable[following], following, -1)
        return rows

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        training = self.run.config.training
        windows = self.windows(random)
        before, after, action = self._edits(windows[:, 0])
        predicted = self.run.model.transition(before, action)
        losses = {
            "prediction": training.prediction_weight * objectives.prediction_loss(predicted, after),
            "delta": training.delta_weight * objectives.delta_loss(predicted - before, after - before),
            "norm": training.norm_weight * objectives.norm_loss(predicted - before, after - before),
            "covariance": training.covariance_weight * objectives.covariance_loss(predicted),
        }
        if training.predictor_contrast_weight:
            # nearer to the true next state than to any other of the batch, the one before included
            others = F.normalize(torch.cat([after, before]), dim=-1)
            nearness = F.normalize(predicted, dim=-1) @ others.T
            wanted = torch.zeros(nearness.shape, dtype=torch.bool, device=nearness.device)
            wanted.fill_diagonal_(True)
            losses["contrast"] = training.predictor_contrast_weight * objectives.contrastive_loss(
                nearness, wanted, torch.ones_like(wanted), training.temperature
            )
        if training.composition_weight:
            losses["composition"] = training.composition_weight * self._rolled_out(windows, predicted)
        return losses

    def _rolled_out(self, windows: NDArray[np.int64], predicted: Tensor) -> Tensor:
        """The further steps of the windows, each from the last prediction; the mean of their losses."""
        training = self.run.config.training
        total = predicted.sum() * 0
        for step in range(1, windows.shape[1]):
            going = windows[:, step] >= 0
            if not going.any():
                break
            windows, predicted = windows[going], predicted[tensor(going, predicted.device)]
            before, after, action = self._edits(windows[:, step])
            predicted = self.run.model.transition(predicted, action)
            total = total + training.prediction_weight * objectives.prediction_loss(predicted, after)
            total = total + training.delta_weight * objectives.delta_loss(predicted - before, after - before)
        return total / max(1, self.run.config.training.window - 1)

    def _edits(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        data, device = self.run.data, self.run.device
        before, after = (self.states[data.states[rows, end]].to(device) for end in (0, 1))
        return before, after, tensor(data.action[rows], device)

    def after_step(self) -> None:
        pass

    def evaluate(self) -> dict[str, float]:
        """E1 over up to ``gallery`` transitions: over all, and over modifications alone."""
        run = self.run
        data = run.validation_data or run.data
        if data is run.data:
            rows = np.flatnonzero(data.held_out) if data.held_out.any() else np.arange(len(data))
            states = self.states
        else:
            rows = np.arange(len(data))
            if run.validation_states is None:
                run.validation_states = all_states(run.model.state, data, run.device)
            states = run.validation_states
        rows = transitions(data, rows, run.config.training.gallery)
        if not len(rows):
            return {}
        found: dict[str, float] = {}
        modified = rows[data.action[rows, 2] > 0]
        for name, chosen in (("", rows), ("modifications/", modified)):
            if not len(chosen):
                continue
            before, after = (states[data.states[chosen, end]].to(run.device) for end in (0, 1))
            with torch.no_grad():
                predicted = run.model.transition(before, tensor(data.action[chosen], run.device))
            measured = state_changes(before, before, after, predicted)
            measured |= {
                "rank_online": diagnostics.effective_rank(before),
                "rank_target": diagnostics.effective_rank(after),
            }
            change = after - before
            measured["mean_change_cosine"] = float(F.cosine_similarity(change.mean(0)[None], change).mean())
            found |= {name + key: value for key, value in measured.items()}
        return found
