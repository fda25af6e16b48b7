"""Training in four stages: the transition JEPA, the edit encoder, the next-edit predictor, the transition predictor.

Each stage freezes what came before it, so that its inputs are computed once: states after the first, embeddings of
edits after the second. Every step is a function of the weights, the seed, the stage and the step: a run that was
stopped, or killed, goes on from its checkpoint to the same last bit (on a CPU, with the same number of threads).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from codewm_lsp.errors import TrainingError
from codewm_model.artifacts.run_folder import CHECKPOINT
from codewm_model.data.batches import Dataset, generator
from codewm_model.data.repository_corpus import use
from codewm_model.networks.code_world_model import set_rounding
from codewm_model.settings.config import TrainingConfig
from codewm_model.settings.stages import STAGES, steps_of
from codewm_model.training.checkpoint import Checkpoint, write_checkpoint
from codewm_model.training.edit_stage import EditStage
from codewm_model.training.next_stage import NextStage
from codewm_model.training.parallel import any_of_all, average_gradients, rank, share_weights, wait_for_all
from codewm_model.training.predictor_stage import PredictorStage
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import TransitionStage

Stage = TransitionStage | EditStage | NextStage | PredictorStage


class Interrupted(Exception):
    """Training was asked to stop; a checkpoint has been written."""


def train(run: Run, checkpoint: Checkpoint | None = None) -> None:
    """Run all stages to their end, from a checkpoint on if there is one.

    Raises TrainingError on a checkpoint that does not fit or a loss that is not a number, Interrupted when asked to
    stop.
    """
    use([*run.data.corpora, *run.validation], run.common)
    if run.validation and run.validation_data is None:
        run.validation_data = Dataset(run.validation)
    elif not run.stream and run.data.held_out.any():
        run.validation_data = run.data
    stage, step, optimiser_state, target_state = STAGES[0], 0, None, None
    if checkpoint:
        stage, step, optimiser_state, target_state = _restore(run, checkpoint)
    share_weights(run.model)
    for number in range(STAGES.index(stage), len(STAGES)):
        name = STAGES[number]
        _run_stage(run, name, step, optimiser_state, target_state)
        step, optimiser_state, target_state = 0, None, None


def _trained(run: Run, stage: str) -> list[nn.Module]:
    model = run.model
    modules: dict[str, list[nn.Module]] = {
        "transition": [model.state, model.transition],
        "edit": [model.edit],
        "next": [model.next],
        "predictor": [model.transition],
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
        lr=rate,  # not fused: that leaves the version of a weight as it was, by which ``Rounding`` knows it
    )
    if optimiser_state is not None:
        with _of_checkpoint(run):
            optimiser.load_state_dict(optimiser_state)
            for weight, kept in optimiser.state.items():
                for tensor in kept.values():
                    if isinstance(tensor, Tensor) and tensor.ndim and tensor.shape != weight.shape:
                        raise ValueError(f"a moment has the shape {tuple(tensor.shape)}")
    _quantise_finished(run, stage)
    turn = _take_turn(run, stage, first)
    work = _STAGES[stage](run)
    if target_state is not None and isinstance(work, TransitionStage):
        with _of_checkpoint(run):
            work.restore(target_state)
    last = time.monotonic()
    for step in range(first, steps):
        if run.stream and run.stream.turn(step) != turn:
            target_state = _without_cache(work)
            del work  # and with it what it has computed of the turn before
            turn = _take_turn(run, stage, step)
            work = _STAGES[stage](run)
            if target_state is not None and isinstance(work, TransitionStage):
                work.restore(target_state)
        for group in optimiser.param_groups:
            group["lr"] = rate * _schedule(step, steps, training.warmup)
        for module in modules:
            set_rounding(module, _is_rounded(training, step, steps))
        torch.manual_seed(hash((training.seed, STAGES.index(stage), step)) % (1 << 62))
        random = generator(training.seed, stage, step)
        losses = work.losses(random)
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise _diverged("loss", stage, step, rate)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(weights)
        if not torch.isfinite(nn.utils.clip_grad_norm_(weights, training.clip)):
            raise _diverged("gradient", stage, step, rate)  # before it can spoil the weights, and a checkpoint
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
                set_rounding(module, _is_rounded(training, min(step + 1, steps - 1), steps))
            run.report({"stage": stage, "step": step + 1, "evaluation": True} | work.evaluate())
        stopping = any_of_all(run.stop())
        if (step + 1) % training.checkpoint_every == 0 or done or stopping:
            following = (STAGES[min(STAGES.index(stage) + 1, len(STAGES) - 1)], 0) if done else (stage, step + 1)
            finished = done and not any(steps_of(run.config, later) for later in STAGES[STAGES.index(stage) + 1 :])
            _save(run, following, None if done else optimiser, work, finished)
        if stopping and not done:
            raise Interrupted
    set_rounding(run.model, False)


@contextlib.contextmanager
def _of_checkpoint(run: Run) -> Iterator[None]:
    """What a checkpoint holds of a stage may not fit it, in many ways: all of them mean the same."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        what = str(error) or type(error).__name__
        raise TrainingError(
            f"{run.folder / CHECKPOINT} is damaged ({what.splitlines()[0]}). Delete it to start a new run"
        ) from error


def _diverged(what: str, stage: str, step: int, rate: float) -> TrainingError:
    return TrainingError(
        f"the {what} of stage {stage!r} is not a number at step {step}: lower {stage}_rate (now {rate:g}) and resume "
        f"from the last checkpoint with --resume --set training.{stage}_rate={rate / 3:.2g}"
    )


def _take_turn(run: Run, stage: str, step: int) -> int:
    """Read the shards of the turn of a step, where the corpus does not fit into memory; the number of the turn."""
    if run.stream is None:
        return 0
    turn = run.stream.turn(step)
    run.states = run.vectors = None
    run.data.corpora.clear()
    run.data = run.stream.dataset(stage, turn)
    shards = ", ".join(sorted(run.stream.resident))
    run.report({"stage": stage, "step": step, "turn": turn, "resident": len(run.stream.resident), "shards": shards})
    return turn


def _without_cache(work: Stage) -> dict[str, Any] | None:
    """The state of a stage for another turn: rows of the cache are those of this turn's states."""
    if not isinstance(work, TransitionStage):
        return None
    state = work.state()
    return state | {"rows": state["rows"][:0], "values": state["values"][:0]}


def _quantise_finished(run: Run, stage: str) -> None:
    """What earlier stages trained is used as int4 holds it, as it will be in the shipped bundle."""
    for name in STAGES[: STAGES.index(stage)]:
        for module in _trained(run, name):
            set_rounding(module, True)


def _is_rounded(training: TrainingConfig, step: int, steps: int) -> bool:
    """Whether the forward pass of a step uses the weights as int4 holds them; never with ``quantise_from`` at 1."""
    return step >= training.quantise_from * steps


def _schedule(step: int, steps: int, warmup: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


_STAGES: Final[dict[str, Callable[[Run], Stage]]] = {
    "transition": TransitionStage,
    "edit": EditStage,
    "next": NextStage,
    "predictor": PredictorStage,
}


def _save(
    run: Run,
    following: tuple[str, int],
    optimiser: torch.optim.Optimizer | None,
    work: Stage,
    finished: bool,
) -> None:
    if rank():
        wait_for_all()
        return
    checkpoint = Checkpoint(
        config=run.config,
        stage=following[0],
        step=following[1],
        finished=finished,
        model=run.model.state_dict(),
        common=run.common,
        optimiser=optimiser.state_dict() if optimiser else None,
        target=work.state() if isinstance(work, TransitionStage) else None,
        data=_fingerprint(run),
        begun=run.begun,
    )
    write_checkpoint(run.folder, checkpoint)
    wait_for_all()


def _restore(run: Run, checkpoint: Checkpoint) -> tuple[str, int, dict[str, Any] | None, dict[str, Any] | None]:
    """The stage and step to go on with, and the states of its optimiser and its target."""
    try:
        run.model.load_state_dict(checkpoint.model)
    except RuntimeError as error:
        raise TrainingError(
            f"{run.folder / CHECKPOINT} has other networks than the configuration ({str(error).splitlines()[0]}): "
            f"resume with the architecture of the run"
        ) from error
    if checkpoint.finished:
        return STAGES[-1], steps_of(run.config, STAGES[-1]), None, None
    target = checkpoint.target
    if checkpoint.data != _fingerprint(run):
        run.report({"stage": checkpoint.stage, "step": checkpoint.step, "data_changed": True})
        if target is not None:  # what is cached belongs to other states
            target = target | {"rows": target["rows"][:0], "values": target["values"][:0]}
    return checkpoint.stage, checkpoint.step, checkpoint.optimiser, target


def _fingerprint(run: Run) -> str:
    """What a run trains on: with anything else it can go on, but not to the same last bit."""
    training = run.config.training
    if run.stream:
        parts = [(shard.name, shard.head, shard.edits) for shard in run.stream.shards]
        what = json.dumps([training.seed, training.resident_mb, training.turn_steps, parts])
    else:
        what = json.dumps([(corpus.name, corpus.head, len(corpus)) for corpus in run.data.corpora])
    return hashlib.sha256(what.encode()).hexdigest()[:16]
