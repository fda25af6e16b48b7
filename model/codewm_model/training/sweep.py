"""Many runs from one file: Optuna chooses what to try, ``train_from`` runs it.

Optuna chooses the settings and keeps what was tried in a SQLite file, so that a sweep that was stopped goes on: with
the trial that was running from that trial's checkpoint, and then with new ones, to the same end as without a stop. The
leaderboard and its plots are written anew after every trial.

With a PostgreSQL database instead of the file, several machines share one sweep: each asks for trials until there are
enough, goes on with those that it began itself, and writes the leaderboard of all.
"""

from __future__ import annotations

import importlib
import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.installation import missing_extra
from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.settings.config import Config
from codewm_model.training.checkpoint import has_checkpoint, read_checkpoint
from codewm_model.training.leaderboard import Trial, write_leaderboard
from codewm_model.training.loading import Material, mined, of_clones, of_corpus
from codewm_model.training.sweep_file import Range, Sweep, Value, settings_of
from codewm_model.training.train_from import Result, RunSettings, train_from

STUDY: Final = "study.db"
_KEPT: Final = "trial {}"
_WORKER: Final = "worker"
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
    database: str = "",
) -> list[Trial]:
    """Run what is left of a sweep below ``folder`` and return all its trials, the best first.

    ``database``: the address of a PostgreSQL one to share the sweep in, by its name. Raises OptionError when the folder
    or the database holds another sweep, the database cannot be used or the figure does not exist, Interrupted when
    asked to stop.
    """
    optuna = _optuna()
    folder.mkdir(parents=True, exist_ok=True)
    study = _shared(optuna, sweep, database) if database else _study(optuna, sweep, folder)
    begun = study.user_attrs.get("identity", sweep.identity())
    if begun != sweep.identity():
        where = f"the database holds a sweep {sweep.name!r}" if database else f"{folder} holds a sweep"
        other = "give this one another name" if database else "choose another --output, or delete it"
        raise OptionError(f"{where} with other settings or data: {other}")
    study.set_user_attr("identity", begun)
    worker = _worker(folder)
    data = _Data(sweep, folder, mining)
    running, complete = optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.COMPLETE
    failed = optuna.trial.TrialState.FAIL
    planned = sweep.trials
    if sweep.sampler == "grid":
        planned = min(planned, len(_grid(sweep)))
        for settings in _grid(sweep):
            study.enqueue_trial(settings, skip_if_exists=True)
    mine = [trial for trial in study.get_trials(states=(running,)) if trial.user_attrs.get(_WORKER, worker) == worker]
    waiting = [trial.number for trial in mine]
    counted = (complete, failed, running) if database else (complete, failed)  # what others run will be there as well
    while waiting or sum(trial.state in counted for trial in study.trials) < planned:
        number = waiting.pop(0) if waiting else _asked(optuna, study, sweep, worker, shared=bool(database))
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


def _study(optuna: Any, sweep: Sweep, folder: Path) -> Any:
    storage = f"sqlite:///{folder.resolve() / STUDY}"
    return optuna.create_study(storage=storage, study_name="sweep", direction=sweep.direction, load_if_exists=True)


def _shared(optuna: Any, sweep: Sweep, database: str) -> Any:
    scheme, separator, rest = database.partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise OptionError("--database takes the address of a PostgreSQL database: postgresql://USER@HOST/NAME")
    try:
        pool = importlib.import_module("sqlalchemy.pool").NullPool  # no connection is open while a trial is trained
        return optuna.create_study(
            storage=optuna.storages.RDBStorage(f"postgresql+psycopg://{rest}", engine_kwargs={"poolclass": pool}),
            study_name=sweep.name,
            direction=sweep.direction,
            load_if_exists=True,
        )
    except ImportError as error:
        raise OptionError(f"--database needs {error.name}, which is missing: pip install 'codewm[postgres]'") from None
    except Exception as error:  # of the driver, of SQLAlchemy or of Optuna; the address holds a password: not shown
        first = str(error.__cause__ or error).splitlines()[0].replace(rest, "…")
        raise OptionError(
            f"the database of the sweep cannot be used ({first}): check the address and the server"
        ) from None


def _worker(folder: Path) -> str:
    """A name of this folder among those that share a sweep."""
    file = folder / "worker.txt"
    if not file.exists():
        file.write_text(uuid.uuid4().hex, encoding="utf-8")
    return file.read_text(encoding="utf-8").strip()


def _asked(optuna: Any, study: Any, sweep: Sweep, worker: str, *, shared: bool) -> int:
    """The number of a new trial. Two that ask a database at once draw apart: each by its worker as well."""
    study.sampler = _sampler(optuna, sweep, len(study.trials) + (int(worker[:6], 16) if shared else 0))
    trial = study.ask(_distributions(optuna, sweep))
    trial.set_user_attr(_WORKER, worker)
    return int(trial.number)


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
        raise OptionError(missing_extra("a sweep", "sweep", error)) from None
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
