"""Training in three stages: the transition JEPA, the edit encoder, the next-edit predictor.

Each stage freezes what came before it, so that its inputs are computed once: states after the first, embeddings of
edits after the second.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from codewm_lsp.errors import TrainingError
from codewm_lsp.world_model.features import CommonWords
from codewm_model import diagnostics, objectives
from codewm_model.architecture import CodeWorldModel, StateEncoder, set_rounding
from codewm_model.config import Config
from codewm_model.corpus import PaddedWords, RepositoryCorpus, use
from codewm_model.data import STAGES, Dataset, SiblingSampler, TransitionSampler, generator, tensor
from codewm_model.encoding import (
    all_states,
    batch_words,
    embed_edits,
    encode_edits,
    encode_states,
    presence,
    state_gates,
)
from codewm_model.evaluation import by_vectors, newest, sibling_retrieval
from codewm_model.next_stage import NextData, next_evaluation, next_loss

CHECKPOINT: Final = "checkpoint.pt"
Report = Callable[[dict[str, Any]], None]


class Interrupted(Exception):
    """Training was asked to stop; a checkpoint has been written."""


@dataclass(slots=True)
class Run:
    """A training run: the model, its data, and where its files go.

    ``report`` gets one flat record for every logged step and evaluation; ``stop`` is asked after every step.
    """

    model: CodeWorldModel
    config: Config
    common: CommonWords
    data: Dataset
    validation: list[RepositoryCorpus]
    folder: Path
    report: Report
    advance: Callable[[str, int, int, float], None] = lambda stage, step, steps, loss: None
    stop: Callable[[], bool] = lambda: False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    states: Tensor | None = None
    vectors: NDArray[np.float32] | None = None
    validation_data: Dataset | None = None
    validation_states: Tensor | None = None


def train(run: Run, *, resume: bool) -> None:
    """Run all stages to their end, from the last checkpoint on when ``resume``.

    Raises TrainingError on a damaged checkpoint or a loss that is not a number, Interrupted when asked to stop.
    """
    use([*run.data.corpora, *run.validation], run.common)
    if run.validation and run.validation_data is None:
        run.validation_data = Dataset(run.validation)
    elif run.data.held_out.any():
        run.validation_data = run.data
    stage, step, optimiser_state, target_state = _load(run) if resume else (STAGES[0], 0, None, None)
    for number in range(STAGES.index(stage), len(STAGES)):
        name = STAGES[number]
        _run_stage(run, name, step, optimiser_state, target_state)
        step, optimiser_state, target_state = 0, None, None


def steps_of(config: Config, stage: str) -> int:
    """How many steps a stage has."""
    return int(getattr(config.training, f"{stage}_steps"))


def _trained(run: Run, stage: str) -> list[nn.Module]:
    model = run.model
    modules: dict[str, list[nn.Module]] = {
        "transition": [model.state, model.transition],
        "edit": [model.edit],
        "next": [model.next],
    }
    return modules[stage]


def _run_stage(
    run: Run, stage: str, first: int, optimiser_state: dict[str, Any] | None, target_state: dict[str, Any] | None
) -> None:
    training = run.config.training
    steps = steps_of(run.config, stage)
    modules = _trained(run, stage)
    set_rounding(run.model, False)
    if not steps:
        return
    for part in run.model.children():
        part.requires_grad_(False)
    for module in modules:
        module.requires_grad_(True)
    rate = getattr(training, f"{stage}_rate")
    weights = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": training.weight_decay},
            {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=rate,
    )
    if optimiser_state is not None:
        optimiser.load_state_dict(optimiser_state)
    _quantise_finished(run, stage)
    work = _STAGES[stage](run)
    if target_state is not None and isinstance(work, _Transition):
        work.restore(target_state)
    last = time.monotonic()
    for step in range(first, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * _schedule(step, steps, training.warmup)
        for module in modules:
            set_rounding(module, step >= training.quantise_from * steps)
        torch.manual_seed(hash((training.seed, STAGES.index(stage), step)) % (1 << 62))
        random = generator(training.seed, stage, step)
        losses = work.losses(random)
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of stage {stage!r} is not a number at step {step}: lower {stage}_rate (now {rate}) and "
                f"resume from the last checkpoint"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, training.clip)
        optimiser.step()
        work.after_step()
        run.advance(stage, step + 1, steps, float(loss.detach()))
        done = step + 1 == steps
        if (step + 1) % 25 == 0 or done:
            now = time.monotonic()
            run.report(
                {"stage": stage, "step": step + 1, "loss": float(loss.detach()), "seconds": round(now - last, 3)}
                | {f"loss/{name}": float(value.detach()) for name, value in losses.items()}
            )
            last = now
        if (step + 1) % training.evaluate_every == 0 or done:
            for module in modules:
                set_rounding(module, step + 1 >= training.quantise_from * steps)
            run.report({"stage": stage, "step": step + 1, "evaluation": True} | work.evaluate())
        stopping = run.stop()
        if (step + 1) % training.checkpoint_every == 0 or done or stopping:
            following = (STAGES[min(STAGES.index(stage) + 1, len(STAGES) - 1)], 0) if done else (stage, step + 1)
            finished = done and stage == STAGES[-1]
            _save(run, following, None if done else optimiser, work, finished)
        if stopping and not done:
            raise Interrupted
    set_rounding(run.model, False)


def _quantise_finished(run: Run, stage: str) -> None:
    """What earlier stages trained is used as int4 holds it, as it will be in the shipped bundle."""
    for name in STAGES[: STAGES.index(stage)]:
        for module in _trained(run, name):
            set_rounding(module, True)


def _schedule(step: int, steps: int, warmup: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class _Transition:
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


class _Edit:
    """The edit encoder: siblings are near each other, other edits of the same weeks are not."""

    def __init__(self, run: Run) -> None:
        self.run = run
        training = run.config.training
        self.sampler = SiblingSampler(run.data, training.edit_batch, 3, training.commits_window)
        if run.states is None:
            run.states = all_states(run.model.state, run.data, run.device)
        self.states = run.states

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        run, training = self.run, self.run.config.training
        rows = np.unique(self.sampler.sample(random))
        changed, context = batch_words(run.data, rows)
        for words in (changed, context):
            words.mask &= random.random(words.mask.shape) >= training.word_dropout
            words.net *= words.mask
            # a common word is now and then taken for a rare one: the network may not lean on identities
            forget = random.random(words.mask.shape) < 0.1
            words.identity[forget] = 0
        before = self.states[run.data.states[rows, 0]].to(run.device)
        after = self.states[run.data.states[rows, 1]].to(run.device)
        similarity = edit_similarity(run.model, changed, context, before, after, run.data.action[rows], run.device)
        commit, same, repository = run.data.commit[rows], run.data.definition[rows], run.data.repository[rows]
        allowed = (repository[:, None] == repository) & (same[:, None] != same)
        positive = allowed & (commit[:, None] == commit)
        loss = objectives.contrastive_loss(
            similarity, tensor(positive, run.device), tensor(allowed, run.device), training.temperature
        )
        elsewhere = positive & (run.data.path[rows][:, None] != run.data.path[rows])
        far = objectives.contrastive_loss(
            similarity,
            tensor(elsewhere, run.device),
            tensor(allowed & ~(positive & ~elsewhere), run.device),
            training.temperature,
        )
        return {"siblings": loss, "siblings_elsewhere": 0.5 * far}

    def after_step(self) -> None:
        pass

    def evaluate(self) -> dict[str, float]:
        return retrieval_evaluation(self.run)


def edit_similarity(
    model: CodeWorldModel,
    changed: PaddedWords,
    context: PaddedWords,
    before: Tensor,
    after: Tensor,
    action: NDArray[np.float32],
    device: torch.device,
) -> Tensor:
    """Cosines (B, B) of the embeddings of a batch, with the exact overlap of words for their hashed directions."""
    signed_gate, unsigned_gate, contextual, weights = encode_edits(model.edit, changed, before, after, action, device)
    place_gate = state_gates(model.edit, changed, device)
    around_gate = state_gates(model.edit, context, device)
    values, changed_index = np.unique(changed.hashes, return_inverse=True)
    both, every_index = np.unique(np.concatenate([changed.hashes, context.hashes], 1), return_inverse=True)
    every_index = every_index.reshape(len(changed.hashes), -1)
    changed_index = changed_index.reshape(changed.hashes.shape)

    def bag(index: NDArray[np.int64], coefficient: Tensor, size: int) -> Tensor:
        rows = torch.zeros(len(index), size, device=device)
        return F.normalize(rows.scatter_add(1, tensor(index, device), coefficient), dim=1, eps=1e-6)

    net, mask = tensor(changed.net, device), tensor(changed.mask, device)
    there = torch.cat(
        [place_gate * tensor(presence(changed), device), around_gate * tensor(presence(context), device)], 1
    )
    parts = [
        bag(changed_index, signed_gate * net, len(values)),
        bag(changed_index, unsigned_gate * mask, len(values)),
        bag(every_index, there, len(both)),
        F.normalize(contextual, dim=1, eps=1e-6),
    ]
    present = torch.stack([(part.abs().sum(1) > 0).float() for part in parts], 1)
    weights = F.normalize(weights * present, dim=1, eps=1e-6)
    similarity = torch.zeros(len(before), len(before), device=device)
    for number, part in enumerate(parts):
        weighted = part * weights[:, number : number + 1]
        similarity = similarity + weighted @ weighted.T
    return similarity


def retrieval_evaluation(run: Run) -> dict[str, float]:
    """E4 on the validation repositories, or on the held-out newest part of the training ones."""
    result: dict[str, float] = {}
    data = run.validation_data
    if data is None:
        return result
    if data is run.data:
        assert run.states is not None
        states = run.states
    else:
        if run.validation_states is None:
            run.validation_states = all_states(run.model.state, data, run.device)
        states = run.validation_states
    for gallery, per_commit in ((300, 32), (3_000, None)):
        found, elsewhere = [], []
        for number, corpus in enumerate(data.corpora):
            rows = newest(corpus, gallery, per_commit=per_commit)
            if data is run.data:
                rows = rows[data.held_out[rows + data.edit_start[number]]]
            vectors = embed_edits(run.model, data, rows + data.edit_start[number], states, run.device)
            siblings = sibling_retrieval(corpus, rows, by_vectors(vectors), seed=0, queries=600)
            found.append(siblings.mrr)
            elsewhere.append(siblings.other_file_mrr)
        result[f"e4/{gallery}/mrr"] = float(np.mean(found))
        result[f"e4/{gallery}/other_file_mrr"] = (
            float(np.nanmean(elsewhere)) if not np.all(np.isnan(elsewhere)) else 0.0
        )
    return result


class _Next:
    """The next-edit predictor, over the order of real histories."""

    def __init__(self, run: Run) -> None:
        self.run = run
        if run.states is None:
            run.states = all_states(run.model.state, run.data, run.device)
        self.next = NextData(run.model, run.data, run.states, run.device)
        self.validation: NextData | None = None

    def losses(self, random: np.random.Generator) -> dict[str, Tensor]:
        return next_loss(self.run.model, self.next, random, self.run.config.training, self.run.device)

    def after_step(self) -> None:
        pass

    def evaluate(self) -> dict[str, float]:
        run = self.run
        data = run.validation_data
        if data is None:
            return {}
        if data is run.data:
            return next_evaluation(run.model, self.next, run.device, held_out=True)
        if self.validation is None:
            if run.validation_states is None:
                run.validation_states = all_states(run.model.state, data, run.device)
            self.validation = NextData(run.model, data, run.validation_states, run.device)
        return next_evaluation(run.model, self.validation, run.device, held_out=False)


_STAGES: Final[dict[str, Callable[[Run], _Transition | _Edit | _Next]]] = {
    "transition": _Transition,
    "edit": _Edit,
    "next": _Next,
}


def _save(
    run: Run,
    following: tuple[str, int],
    optimiser: torch.optim.Optimizer | None,
    work: _Transition | _Edit | _Next,
    finished: bool,
) -> None:
    state = {
        "config": json.dumps(run.config.as_dict()),
        "stage": following[0],
        "step": following[1],
        "finished": finished,
        "model": run.model.state_dict(),
        "common": torch.from_numpy(run.common.hashes.astype(np.int64)),
        "optimiser": optimiser.state_dict() if optimiser else None,
        "target": work.state() if isinstance(work, _Transition) else None,
    }
    partial = run.folder / (CHECKPOINT + ".partial")
    try:
        torch.save(state, partial)
        os.replace(partial, run.folder / CHECKPOINT)
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f"the checkpoint in {run.folder} could not be written ({error}): free some disk space and resume; "
            f"the last whole checkpoint is still there"
        ) from error


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The checkpoint of a run. Raises TrainingError when there is none or it is damaged."""
    file = folder / CHECKPOINT
    if not file.exists():
        raise TrainingError(f"{folder} holds no checkpoint: leave out --resume to start anew")
    try:
        state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
        Config.from_dict(json.loads(state["config"]))
        return state
    except TrainingError:
        raise
    except Exception as error:  # a damaged file fails in many ways; all of them mean the same
        raise TrainingError(f"{file} is damaged ({error}): delete it to start anew") from error


def _load(run: Run) -> tuple[str, int, dict[str, Any] | None, dict[str, Any] | None]:
    state = read_checkpoint(run.folder)
    run.model.load_state_dict(state["model"])
    if state["finished"]:
        return STAGES[-1], steps_of(run.config, STAGES[-1]), None, None
    return state["stage"], state["step"], state["optimiser"], state["target"]
