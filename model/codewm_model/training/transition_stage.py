"""The first stage: the JEPA over chains of edits, against a target encoder that must not collapse."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from codewm_lsp.errors import TrainingError
from codewm_model.artifacts.run_folder import TARGET
from codewm_model.data.batches import Dataset, TransitionSampler, tensor
from codewm_model.evaluation import diagnostics
from codewm_model.networks.code_world_model import CodeWorldModel, StateEncoder
from codewm_model.training import objectives
from codewm_model.training.collapse_alarm import Collapse, CollapseAlarm
from codewm_model.training.inference import encode_states
from codewm_model.training.training_run import Run


class TransitionStage:
    """The JEPA: state and action → next state, against a static target."""

    def __init__(self, run: Run) -> None:
        self.run = run
        training = run.config.training
        self.sampler = TransitionSampler(
            run.data,
            training.transition_batch,
            training.window,
            training.commits_window,
            siblings=training.sibling_weight > 0,
            longest=training.longest,
        )
        self.target = copy.deepcopy(run.model.state).requires_grad_(False)
        self.start = {name: value.clone() for name, value in self.target.state_dict().items()}
        self.cache = torch.zeros(run.data.states_count, run.config.architecture.state_size)
        self.cached = np.zeros(run.data.states_count, bool)
        self.frozen = training.target == "ema" and training.decay >= 1.0
        self.step = 0
        self.alarm = CollapseAlarm(training)
        self.how = getattr(run.model.state, "every_loop", None) if training.loop_weight else None
        if training.loop_weight and self.how is None:
            raise TrainingError(
                "loop_weight needs an encoder that can be read after every loop, and "
                f"{run.config.architecture.encoder!r} cannot: set training.loop_weight = 0 or "
                "architecture.encoder = 'reference'"
            )

    def state(self) -> dict[str, Any]:
        """The target encoder, and what it has given so far: in another batch the last bits would differ."""
        rows = torch.from_numpy(np.flatnonzero(self.cached))
        return {
            "encoder": self.target.state_dict(),
            "start": self.start,
            "rows": rows,
            "values": self.cache[rows],
            "frozen": self.frozen,
            "step": self.step,
            "alarm": self.alarm.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.target.load_state_dict(state["encoder"])
        self.start = state["start"]
        self.frozen, self.step = state["frozen"], state["step"]
        self.alarm.restore(state["alarm"])
        self.cache[state["rows"]] = state["values"]
        self.cached[state["rows"].numpy()] = True

    def targets(self, states: NDArray[np.int64]) -> Tensor:
        """Target states (N, state_size); those of a frozen target are kept."""
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
            every_loop = encode_states(run.model.state, run.data, states, run.device, self.how)
        loops = every_loop if every_loop.ndim == 3 else every_loop[:, None]  # (N, loops, D)
        online = loops[:, -1]
        target = online if training.target == "none" else self.targets(states)
        before, after = online[where[:, 0]], online[where[:, 1]]
        target_before, target_after = target[where[:, 0]], target[where[:, 1]]
        action = tensor(run.data.action[edits], run.device)
        predicted = run.model.transition(before, action)
        moved = np.flatnonzero(run.data.states[edits, 0] != run.data.states[edits, 1])
        self._watch(target_before[moved], target_after[moved])
        distance = objectives.state_prediction_loss if training.target == "none" else objectives.prediction_loss
        plain = training.covariance_of == "covariances"
        decorrelation = objectives.plain_covariance_loss if plain else objectives.covariance_loss
        origin = before if training.delta_origin == "online" else target_before
        losses = {
            "prediction": training.prediction_weight * distance(predicted, target_after),
            "delta": training.delta_weight
            * objectives.delta_loss((predicted - origin)[moved], (target_after - origin)[moved]),
            "norm": training.norm_weight
            * objectives.norm_loss((predicted - origin)[moved], (target_after - origin)[moved]),
            "covariance": training.covariance_weight * decorrelation(predicted),
            "variance": training.variance_weight * objectives.variance_loss(online),
        }
        if training.loop_weight:
            # deep supervision (paper 2): what each earlier loop gives has to predict the next state as well
            earlier = [run.model.transition(loops[where[:, 0], i], action) for i in range(loops.shape[1] - 1)]
            weight = training.loop_weight * training.prediction_weight
            losses["loops"] = weight * sum((distance(one, target_after) for one in earlier), start=predicted.sum() * 0)
        if training.contrast_weight:
            # the prediction is nearer to the true next state than to any other of the batch, the one before included
            nearness = F.normalize(predicted, dim=-1) @ F.normalize(target, dim=-1).T
            wanted = torch.zeros(nearness.shape, dtype=torch.bool, device=nearness.device)
            wanted[torch.arange(len(wanted)), tensor(where[:, 1], run.device)] = True
            losses["contrast"] = training.contrast_weight * objectives.contrastive_loss(
                nearness, wanted, torch.ones_like(wanted), training.temperature
            )
        if training.sigreg_weight:
            directions = torch.randn(training.sigreg_directions, online.shape[1], device=online.device)
            losses["sigreg"] = training.sigreg_weight * objectives.sigreg_loss(online, directions)
        if training.composition_weight:
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
                    total = total + distance(rolled, target_after[rows])
                weight = training.composition_weight * training.prediction_weight
                losses["composition"] = weight * total / (windows.shape[1] - 1)
        if training.sibling_weight:
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
        training = self.run.config.training
        self.step += 1
        if not self.frozen and training.target == "ema":
            with torch.no_grad():
                kept: list[Tensor] = list(self.target.parameters())
                new: list[Tensor] = list(self.run.model.state.parameters())
                torch._foreach_lerp_(kept, new, 1 - training.decay)
        if self.step == training.transition_steps:
            save_file(self.target.state_dict(), self.run.folder / TARGET)

    def _watch(self, before: Tensor, after: Tensor) -> None:
        if len(before) and not self.frozen:  # what stands still cannot collapse; batches differ, that is all
            self._heed(self.alarm.watch(self.step + 1, diagnostics.copy_indicator(before.detach(), after.detach())))

    def _heed(self, collapse: Collapse | None) -> None:
        """Say it, and do what ``on_collapse`` asks for. Raises TrainingError where that is to stop."""
        if collapse is None:
            return
        training = self.run.config.training
        self.run.report(
            {"stage": "transition", "step": collapse.step, "alarm": str(collapse), "copy_indicator": collapse.indicator}
        )
        if training.on_collapse == "stop":
            raise TrainingError(str(collapse))
        if training.on_collapse == "fix" and training.target == "ema" and not self.frozen:
            self.target.load_state_dict(self.start)
            self.frozen = True
            self.cached[:] = False
            done = "the target encoder was reset to its initial weights and is kept there"
            self.run.report({"stage": "transition", "step": collapse.step, "fixed": done})

    def evaluate(self) -> dict[str, float]:
        """Diagnostics over up to ``gallery`` transitions that change something."""
        run = self.run
        data = run.validation_data or run.data
        rows = np.flatnonzero(data.held_out) if data is run.data and data.held_out.any() else np.arange(len(data))
        target = run.model.state if run.config.training.target == "none" else self.target
        rows = transitions(data, rows, run.config.training.gallery, longest=run.config.training.longest)
        result = measure_transitions(run.model, target, data, rows, run.device)
        self._heed(self.alarm.inspect(self.step, result["copy_indicator"], result["rank_online"]))
        return result


def transitions(data: Dataset, rows: NDArray[np.int64], count: int, *, longest: int = 0) -> NDArray[np.int64]:
    """Up to ``count`` of the edits ``rows`` that change their state, always the same ones."""
    rows = rows[data.states[rows, 0] != data.states[rows, 1]]
    if longest:
        rows = rows[data.lengths(data.states[rows].reshape(-1)).reshape(-1, 2).max(1) <= longest]
    if len(rows) > count:
        rows = np.sort(np.random.default_rng(7).choice(rows, count, replace=False))
    return rows


@torch.no_grad()
def measure_transitions(
    model: CodeWorldModel, target_encoder: StateEncoder, data: Dataset, rows: NDArray[np.int64], device: torch.device
) -> dict[str, float]:
    """E1: both forms of the transition cosine, copy indicator, effective ranks, KNN of the true next state."""
    states, where = np.unique(data.states[rows], return_inverse=True)
    where = where.reshape(-1, 2)
    online = encode_states(model.state, data, states, device)
    target = online if target_encoder is model.state else encode_states(target_encoder, data, states, device)
    origin = online[where[:, 0]]
    predicted = model.transition(origin, tensor(data.action[rows], device))
    return state_changes(origin, target[where[:, 0]], target[where[:, 1]], predicted) | {
        "rank_online": diagnostics.effective_rank(online),
        "rank_target": diagnostics.effective_rank(target),
        "feature_std": diagnostics.feature_deviation(online),
        "feature_std_target": diagnostics.feature_deviation(target),
    }


@torch.no_grad()
def state_changes(origin: Tensor, before: Tensor, after: Tensor, predicted: Tensor) -> dict[str, float]:
    """The figures of E1 but for the ranks of the encoders' states.

    All (N, D): online and target state before, target state after, predicted state after.
    """
    return {
        "transitions": float(len(before)),
        "copy_indicator": diagnostics.copy_indicator(before, after),
        "transition_cosine_paper": float(F.cosine_similarity(predicted - origin, after - origin).mean()),
        "transition_cosine": float(F.cosine_similarity(predicted - before, after - before).mean()),
        "rank_predicted": diagnostics.effective_rank(predicted),
        **diagnostics.nearest_neighbours(predicted, after),
        **{f"copy_{name}": value for name, value in diagnostics.nearest_neighbours(before, after).items()},
    }
