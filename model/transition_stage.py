"""The first stage: the JEPA over chains of edits, against a target encoder that must not collapse."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.errors import TrainingError
from codewm_model import diagnostics, objectives
from codewm_model.architecture import StateEncoder
from codewm_model.data import TransitionSampler, tensor
from codewm_model.encoding import encode_states
from codewm_model.run import Run


class TransitionStage:
    """The JEPA: state and action → next state, against a static target."""

    def __init__(self, run: Run) -> None:
        self.run = run
        training = run.config.training
        self.sampler = TransitionSampler(run.data, training.transition_batch, training.window, training.commits_window)
        self.target: StateEncoder = copy.deepcopy(run.model.state).requires_grad_(False)
        self.cache = torch.zeros(run.data.states_count, run.config.architecture.state_size)
        self.cached = np.zeros(run.data.states_count, bool)
        self.frozen = training.decay >= 1.0

    def state(self) -> dict[str, Any]:
        """The target encoder, and what it has given so far: in another batch the last bits would differ."""
        rows = torch.from_numpy(np.flatnonzero(self.cached))
        return {"encoder": self.target.state_dict(), "rows": rows, "values": self.cache[rows]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.target.load_state_dict(state["encoder"])
        self.cache[state["rows"]] = state["values"]
        self.cached[state["rows"].numpy()] = True

    def _targets(self, states: NDArray[np.int64]) -> Tensor:
        with torch.no_grad():
            if not self.frozen:
                return encode_states(self.target, self.run.data, states, self.run.device)
            missing = states[~self.cached[states]]
            if len(missing):
                self.cache[missing] = encode_states(self.target, self.run.data, missing, self.run.device).cpu()
                self.cached[missing] = True
            return self.cache[states].to(self.run.device)

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        run, training = self.run, self.run.config.training
        windows = self.sampler.sample(random).rows
        flat = windows[windows >= 0]
        edits, inverse = np.unique(flat, return_inverse=True)
        states, where = np.unique(run.data.states[edits], return_inverse=True)
        where = where.reshape(-1, 2)
        with torch.autocast(run.device.type, torch.bfloat16, enabled=training.bf16 or run.device.type == "cuda"):
            online = encode_states(run.model.state, run.data, states, run.device)
        target = self._targets(states)
        before, after = online[where[:, 0]], online[where[:, 1]]
        target_before, target_after = target[where[:, 0]], target[where[:, 1]]
        action = tensor(run.data.action[edits], run.device)
        predicted = run.model.transition(before, action)
        moved = np.flatnonzero(run.data.states[edits, 0] != run.data.states[edits, 1])
        losses = {
            "prediction": training.prediction_weight * objectives.prediction_loss(predicted, target_after),
            "delta": training.delta_weight
            * objectives.delta_loss((predicted - target_before)[moved], (target_after - target_before)[moved]),
            "norm": training.norm_weight
            * objectives.norm_loss((predicted - target_before)[moved], (target_after - target_before)[moved]),
            "covariance": training.covariance_weight * objectives.covariance_loss(predicted),
            "variance": training.variance_weight * objectives.variance_loss(online),
        }
        # several steps, each from the last prediction
        position = np.full(windows.shape, -1)
        position[windows >= 0] = inverse
        chained = position[position[:, -1] >= 0] if windows.shape[1] > 1 else position[:0]
        if len(chained):
            rolled = predicted[chained[:, 0]]
            total = rolled.sum() * 0
            for step in range(1, windows.shape[1]):
                rows = chained[:, step]
                rolled = run.model.transition(rolled, action[rows])
                total = total + objectives.prediction_loss(rolled, target_after[rows])
            losses["composition"] = 0.5 * training.prediction_weight * total / (windows.shape[1] - 1)
        # siblings change their states alike
        difference = F.normalize(after - before, dim=-1)
        similarity = difference @ difference.T
        commit, same = run.data.commit[edits], run.data.definition[edits]
        repository = run.data.repository[edits]
        allowed = (repository[:, None] == repository) & (same[:, None] != same)
        positive = allowed & (commit[:, None] == commit)
        losses["siblings"] = training.sibling_weight * objectives.contrastive_loss(
            similarity, tensor(positive, run.device), tensor(allowed, run.device), training.temperature
        )
        return losses

    def after_step(self) -> None:
        if self.frozen:
            return
        decay = self.run.config.training.decay
        with torch.no_grad():
            for kept, new in zip(self.target.parameters(), self.run.model.state.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def evaluate(self) -> dict[str, float]:
        run = self.run
        data = run.validation_data or run.data
        random = np.random.default_rng(7)
        rows = np.flatnonzero(data.held_out) if data is run.data and data.held_out.any() else np.arange(len(data))
        rows = rows[data.states[rows, 0] != data.states[rows, 1]]
        if len(rows) > run.config.training.gallery:
            rows = np.sort(random.choice(rows, run.config.training.gallery, replace=False))
        states, where = np.unique(data.states[rows], return_inverse=True)
        where = where.reshape(-1, 2)
        with torch.no_grad():
            online = encode_states(run.model.state, data, states, run.device)
            target = encode_states(self.target, data, states, run.device)
            action = tensor(data.action[rows], run.device)
            predicted = run.model.transition(online[where[:, 0]], action)
        before, after = target[where[:, 0]], target[where[:, 1]]
        result = {
            "transitions": float(len(rows)),
            "copy_indicator": diagnostics.copy_indicator(before, after),
            "transition_cosine_paper": float(
                F.cosine_similarity(predicted - online[where[:, 0]], after - online[where[:, 0]]).mean()
            ),
            "transition_cosine": float(F.cosine_similarity(predicted - before, after - before).mean()),
            "rank_online": diagnostics.effective_rank(online),
            "rank_target": diagnostics.effective_rank(target),
            "rank_predicted": diagnostics.effective_rank(predicted),
            "feature_std": diagnostics.feature_deviation(online),
        } | diagnostics.nearest_neighbours(predicted, after)
        if result["copy_indicator"] > diagnostics.COLLAPSED and not self.frozen and run.config.training.decay < 0.999:
            result["alarm"] = 1.0
            if run.config.training.on_collapse == "stop":
                raise TrainingError(
                    f"the target encoder has collapsed (copy indicator {result['copy_indicator']:.4f}): "
                    f"set decay to 1.0 or 0.99999 (now {run.config.training.decay})"
                )
        return result
