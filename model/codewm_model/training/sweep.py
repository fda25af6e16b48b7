"""Many runs from one file: Optuna chooses what to try, ``train_from`` runs it.

Optuna chooses the settings and keeps what was tried in a SQLite file, so that a sweep that was stopped goes on: with
the trial that was running from that trial's checkpoint, and then with new ones, to the same end as without a stop. The
leaderboard and its plots are written anew after every trial.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.installation import install_command
from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.settings.config import Config
from codewm_model.training.checkpoint import has_checkpoint, read_checkpoint
from codewm_model.training.leaderboard import Trial, write_leaderboard
from codewm_model.training.loading import Material, mined, of_clones, of_corpus
from codewm_model.training.sweep_file import Range, Sweep, Value, settings_of
from codewm_model.training.train_from import Result, RunSettings, train_from

STUDY: Final = "study.db"
_KEPT: Final = "trial {}"
Mining = Callable[[str, int, int], None]


def run_sweep(
    sweep: Sweep,
    folder: Path,
    *,
    device: torch.device,
    mining: Mining,
    step: Callable[[str, int, int, float], None],
    stop: Callable[[], bool],
    done: Callable[[Trial], None],
) -> list[Trial]:
    """Run what is left of a sweep below ``folder`` and return all its trials, the best first.

    Raises OptionError when the folder holds another sweep or the figure does not exist, Interrupted when asked to stop.
    """
    optuna = _optuna()
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder.resolve() / STUDY}",
        study_name="sweep",
        direction=sweep.direction,
        load_if_exists=True,
    )
    begun = study.user_attrs.setdefault("identity", sweep.identity())
    if begun != sweep.identity():
        raise OptionError(f"{folder} holds a sweep with other settings or data: choose another --output, or delete it")
    study.set_user_attr("identity", begun)
    data = _Data(sweep, folder, mining)
    running, complete = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.COMPLETE
    failed = optuna.trial.TrialState.FAIL
    planned = sweep.trials
    if sweep.sampler == "grid":
        planned = min(planned, len(_grid(sweep)))
        for settings in _grid(sweep):
            study.enqueue_trial(settings, skip_if_exists=True)
    waiting = [trial.number for trial in study.get_trials(states=(running,))]
    while waiting or sum(trial.state in (complete, failed) for trial in study.trials) < planned:
        study.sampler = _sampler(optuna, sweep, len(study.trials))
        number = waiting.pop(0) if waiting else study.ask(_distributions(optuna, sweep)).number
        settings = dict(study.trials[number].params)
        began = time.monotonic()
        try:
            result = _train(sweep, settings, folder / "trials" / f"{number:04d}", data, device, step, stop)
        except TrainingError as error:  # of these settings; others may do better
            _remember(study, number, (time.monotonic() - began) / 60, {}, str(error))
            study.tell(number, state=failed)
        else:
            figures = result.figures()
            if sweep.metric not in figures:
                raise OptionError(f"no evaluation gives {sweep.metric!r}: choose one of {', '.join(sorted(figures))}")
            _remember(study, number, result.minutes, figures, "")
            study.tell(number, figures[sweep.metric])
        found = trials(study, sweep)
        write_leaderboard(sweep, found, folder)
        done(next(trial for trial in found if trial.number == number))
    found = trials(study, sweep)
    write_leaderboard(sweep, found, folder)
    return found


class _Data:
    """What all trials train on: repositories are read once, whatever a trial does with them."""

    def __init__(self, sweep: Sweep, folder: Path, mining: Mining) -> None:
        self.sweep = sweep
        training = sweep.base.training
        self.held = mined(sweep.validate, folder / "corpus", training, mining)
        self.corpora: list[RepositoryCorpus] = mined(sweep.repositories, folder / "corpus", training, mining)

    def material(self, config: Config) -> Material:
        if self.sweep.corpus:
            return of_corpus(self.sweep.corpus, config.training, self.held, None)
        return of_clones(list(self.corpora), self.held, None)


def _train(
    sweep: Sweep,
    values: Mapping[str, Value],
    folder: Path,
    data: _Data,
    device: torch.device,
    step: Callable[[str, int, int, float], None],
    stop: Callable[[], bool],
) -> Result:
    """One run, from its checkpoint on if it has one."""
    config = settings_of(sweep.base, values)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = read_checkpoint(folder) if has_checkpoint(folder) else None
    settings = RunSettings(folder, config, data.material(config), checkpoint=checkpoint, device=device)
    return train_from(settings, advance=step, stop=stop)


def _remember(study: Any, number: int, minutes: float, figures: Mapping[str, float], failure: str) -> None:
    """Keep what is known of a trial besides its value, with the study."""
    told = {"minutes": minutes, "figures": dict(figures), "failure": failure}
    study.set_user_attr(_KEPT.format(number), told)


def trials(study: Any, sweep: Sweep) -> list[Trial]:
    """The trials that have ended, the best first and the failed last."""
    kept = study.user_attrs
    found = []
    for trial in study.trials:
        if trial.state.is_finished():
            told = kept.get(_KEPT.format(trial.number), trial.user_attrs)  # sweeps of 0.1.0 have it with the trial
            found.append(
                Trial(
                    trial.number,
                    dict(trial.params),
                    trial.value,
                    float(told.get("minutes", 0.0)),
                    told.get("figures", {}),
                    told.get("failure", ""),
                )
            )
    sign = -1 if sweep.direction == "maximize" else 1
    return sorted(found, key=lambda t: (t.value is None, sign * (t.value or 0.0), t.number))


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise OptionError(
            f"a sweep needs {error.name}, which is not installed. Run `{install_command('sweep')}`."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distributions(optuna: Any, sweep: Sweep) -> dict[str, Any]:
    def distribution(space: Range | tuple[Value, ...]) -> Any:
        if not isinstance(space, Range):
            return optuna.distributions.CategoricalDistribution(space)
        whole = isinstance(space.low, int) and isinstance(space.high, int)
        kind = optuna.distributions.IntDistribution if whole else optuna.distributions.FloatDistribution
        return kind(space.low, space.high, log=space.log)

    return {name: distribution(space) for name, space in sweep.search.items()}


def _sampler(optuna: Any, sweep: Sweep, begun: int) -> Any:
    """A new one for every trial: what it draws depends on the trials before alone, whenever the sweep was stopped."""
    kind = optuna.samplers.TPESampler if sweep.sampler == "tpe" else optuna.samplers.RandomSampler
    return kind(seed=sweep.seed + begun)


def _grid(sweep: Sweep) -> list[dict[str, Value]]:
    """Every combination of the lists of a sweep."""
    spaces = [space for space in sweep.search.values() if not isinstance(space, Range)]
    return [dict(zip(sweep.search, values, strict=True)) for values in itertools.product(*spaces)]
