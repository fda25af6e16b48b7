"""Many runs from one TOML file: which settings to try, on what, and which figure is to be best.

Optuna chooses the settings and keeps what was tried in a SQLite file, so that a sweep that was stopped goes on: with
the trial that was running from that trial's checkpoint, and then with new ones, to the same end as without a stop. The
leaderboard and its plots are written anew after every trial. Format of the file: ``docs/training.md``.
"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.runs.training_log import LOG, forget_after
from codewm_model.settings.config import Config, check_format
from codewm_model.settings.stages import STAGES
from codewm_model.settings.toml_files import DEFAULT_PRESET, find_preset, overridden, read_toml, with_table
from codewm_model.training.loading import Material, mined, of_clones, of_corpus
from codewm_model.training.trainer import CHECKPOINT, read_checkpoint, train
from codewm_model.training.training_run import Run

STUDY: Final = "study.db"
LEADERBOARD: Final = "leaderboard"
Value = str | int | float | bool
Mining = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole ones where both ends are."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep's file says."""

    name: str
    metric: str
    direction: Literal["maximize", "minimize"]
    sampler: Literal["tpe", "random", "grid"]
    trials: int
    seed: int
    base: Config
    search: Mapping[str, Range | tuple[Value, ...]]
    repositories: tuple[Path, ...]
    corpus: Path | None
    validate: tuple[Path, ...]

    def identity(self) -> str:
        """What may not change while a sweep goes on: everything but the number of trials."""
        search = {name: repr(space) for name, space in sorted(self.search.items())}
        paths = [str(path) for path in (*self.repositories, self.corpus, *self.validate)]
        told = [self.metric, self.direction, self.sampler, self.seed, self.base.as_dict(), search, paths]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep: its settings, what came of it (None unless it is complete), and what else was measured."""

    number: int
    settings: Mapping[str, Value]
    value: float | None
    minutes: float
    figures: Mapping[str, float]
    failure: str = ""


def read_sweep(file: Path) -> Sweep:
    """Read a sweep's file; paths in it are relative to its folder. Raises OptionError, naming the file and the key."""
    data = read_toml(file)
    check_format(data, str(file))
    data.pop("format", None)
    take = _Table(data, str(file))
    known_to = take.table("data")
    settings = take.table("settings").rest()
    preset = settings.pop("preset", DEFAULT_PRESET)
    base = with_table(find_preset(preset), settings, f"[settings] of {file}")

    def paths(name: str) -> tuple[Path, ...]:
        return tuple(file.parent / text for text in known_to.texts(name))

    corpus = known_to.text("corpus", "")
    sweep = Sweep(
        name=take.text("name", file.stem),
        metric=take.text("metric", None),
        direction=take.one_of("direction", ("maximize", "minimize")),
        sampler=take.one_of("sampler", ("tpe", "random", "grid")),
        trials=take.whole("trials", 1),
        seed=take.whole("seed", 0, base.training.seed),
        base=base,
        search=_search(take.table("search").rest(), file, base),
        repositories=paths("repositories"),
        corpus=file.parent / corpus if corpus else None,
        validate=paths("validate"),
    )
    known_to.end()
    take.end()
    if bool(sweep.repositories) == bool(sweep.corpus):
        raise OptionError(f"[data] of {file}: name either repositories or a corpus to train on")
    if sweep.sampler == "grid" and any(isinstance(space, Range) for space in sweep.search.values()):
        raise OptionError(f"sampler = 'grid' in {file} needs lists of values in [search], not low and high")
    stage = sweep.metric.split("/")[0]
    if stage not in STAGES or "/" not in sweep.metric:
        raise OptionError(f"metric in {file} is {sweep.metric!r}: write stage/figure, as 'edit/e4/300/mrr'")
    return sweep


class _Table:
    """A table of a file, taken apart key by key, so that what is left over is unknown."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values, self.where = dict(values), where
        self.asked: list[str] = []

    def take(self, name: str) -> Any:
        self.asked.append(name)
        return self.values.pop(name, None)

    def _wrong(self, name: str, wanted: str, found: object) -> OptionError:
        return OptionError(f"{name} in {self.where} must be {wanted}, not {found!r}")

    def table(self, name: str) -> _Table:
        found = self.take(name)
        if not isinstance(found, Mapping):
            raise self._wrong(name, f"a table: write [{name}]", found)
        return _Table(found, f"[{name}] of {self.where}")

    def text(self, name: str, default: str | None) -> str:
        found = self.take(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, str):
            raise self._wrong(name, "a text", found)
        return found

    def texts(self, name: str) -> list[str]:
        found = self.take(name) or []
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise self._wrong(name, "a list of texts", found)
        return found

    def one_of(self, name: str, choices: tuple[Any, ...]) -> Any:
        found = self.take(name) or choices[0]
        if found not in choices:
            raise self._wrong(name, f"one of {', '.join(map(repr, choices))}", found)
        return found

    def whole(self, name: str, least: int, default: int | None = None) -> int:
        found = self.take(name)
        if found is None and default is not None:
            return default
        if not isinstance(found, int) or isinstance(found, bool) or found < least:
            raise self._wrong(name, f"a whole number from {least} on", found)
        return found

    def rest(self) -> dict[str, Any]:
        return self.values

    def end(self) -> None:
        for name in self.values:
            raise OptionError(f"unknown key {name!r} in {self.where}; there are {', '.join(self.asked)}")


def _search(table: Mapping[str, Any], file: Path, base: Config) -> dict[str, Range | tuple[Value, ...]]:
    found: dict[str, Range | tuple[Value, ...]] = {}

    def walk(values: Mapping[str, Any], prefix: str) -> None:
        for key, value in values.items():
            name = f"{prefix}{key}"
            if isinstance(value, list) and value:
                found[name] = tuple(value)
            elif isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
                found[name] = Range(value["low"], value["high"], value.get("log") is True)
            elif isinstance(value, Mapping) and value and not {"low", "high"} & set(value):
                walk(value, f"{name}.")
            else:
                raise OptionError(
                    f"{name} in [search] of {file} is {value!r}: write a list of values, or {{low = 1, high = 9}} with "
                    f"log = true where orders of magnitude are tried"
                )

    walk(table, "")
    if not found:
        raise OptionError(f"[search] of {file} is empty: name at least one setting and its values")
    for name, space in found.items():
        ends = (space.low, space.high) if isinstance(space, Range) else space
        for value in ends:
            settings_of(base, {name: value})  # a wrong name or type is to be said before anything is trained
        if isinstance(space, Range) and (not space.low < space.high or (space.log and space.low <= 0)):
            raise OptionError(f"{name} in [search] of {file}: low must be below high, and above 0 with log = true")
    return found


def settings_of(base: Config, values: Mapping[str, Value]) -> Config:
    """The configuration of a trial. Raises OptionError for an unknown setting or a value of another type."""
    return overridden(base, [f"{name}={json.dumps(value)}" for name, value in values.items()])


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
    torch.set_num_threads(sweep.base.training.threads or os.cpu_count() or 1)
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
            figures = _train(sweep, settings, folder / "trials" / f"{number:04d}", data, device, step, stop)
        except TrainingError as error:  # of these settings; others may do better
            _remember(study, number, began, {}, str(error))
            study.tell(number, state=failed)
        else:
            if sweep.metric not in figures:
                raise OptionError(f"no evaluation gives {sweep.metric!r}: choose one of {', '.join(sorted(figures))}")
            _remember(study, number, began, figures, "")
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
) -> dict[str, float]:
    """One run, from its checkpoint on if it has one; the figures of the last evaluation of every stage."""
    config = settings_of(sweep.base, values)
    folder.mkdir(parents=True, exist_ok=True)
    resume = (folder / CHECKPOINT).exists()
    records: list[dict[str, Any]] = []
    if resume:
        state = read_checkpoint(folder)
        reached = 1 << 62 if state["finished"] else state["step"]
        records = forget_after(folder / LOG, state["stage"], reached)
    material = data.material(config)
    torch.manual_seed(config.training.seed)
    with (folder / LOG).open("a" if resume else "w", encoding="utf-8") as log:

        def report(record: dict[str, Any]) -> None:
            records.append(record)
            log.write(json.dumps(record) + "\n")
            log.flush()

        run = Run(
            CodeWorldModel(config.architecture).to(device),
            config,
            material.common,
            material.data,
            material.validation,
            folder,
            report,
            advance=step,
            stop=stop,
            device=device,
            stream=material.stream,
        )
        train(run, resume=resume)
    figures: dict[str, float] = {}
    for record in records:
        if record.get("evaluation"):
            figures |= {f"{record['stage']}/{name}": v for name, v in record.items() if isinstance(v, float)}
    return figures


def _remember(study: Any, number: int, began: float, figures: Mapping[str, float], failure: str) -> None:
    storage, trial = study._storage, study.trials[number]._trial_id
    before = study.trials[number].user_attrs.get("minutes", 0.0)
    told = {"minutes": before + (time.monotonic() - began) / 60, "figures": dict(figures), "failure": failure}
    for name, value in told.items():
        storage.set_trial_user_attr(trial, name, value)


def trials(study: Any, sweep: Sweep) -> list[Trial]:
    """The trials that have ended, the best first and the failed last."""
    found = [
        Trial(
            trial.number,
            dict(trial.params),
            trial.value,
            float(trial.user_attrs.get("minutes", 0.0)),
            trial.user_attrs.get("figures", {}),
            trial.user_attrs.get("failure", ""),
        )
        for trial in study.trials
        if trial.state.is_finished()
    ]
    sign = -1 if sweep.direction == "maximize" else 1
    return sorted(found, key=lambda t: (t.value is None, sign * (t.value or 0.0), t.number))


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
        importlib.import_module("matplotlib")
    except ImportError as error:
        raise OptionError(f"a sweep needs {error.name}, which is missing: pip install 'codewm[sweep]'") from None
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


def write_leaderboard(sweep: Sweep, found: Sequence[Trial], folder: Path) -> None:
    """``leaderboard.json``, ``leaderboard.md``, and its plots as PNG and SVG."""
    names = list(sweep.search)
    rows = [
        {
            "rank": rank if trial.value is not None else None,
            "trial": trial.number,
            "value": trial.value,
            "settings": dict(trial.settings),
            "minutes": round(trial.minutes, 2),
            "figures": dict(trial.figures),
            "failure": trial.failure,
        }
        for rank, trial in enumerate(found, 1)
    ]
    told = {
        "name": sweep.name,
        "metric": sweep.metric,
        "direction": sweep.direction,
        "seed": sweep.seed,
        "trials": rows,
    }
    as_json = json.dumps(told, indent=1) + "\n"
    lines = [
        f"# {sweep.name}",
        "",
        f"{len(found)} of {sweep.trials} trials; `{sweep.metric}`, "
        f"{'the higher the better' if sweep.direction == 'maximize' else 'the lower the better'}; sampler "
        f"{sweep.sampler}, seed {sweep.seed}.",
        "",
        "| rank | trial | " + sweep.metric + " | " + " | ".join(names) + " | minutes |",
        "| --- " * (len(names) + 4) + "|",
    ]
    for row, trial in zip(rows, found, strict=True):
        value = f"{trial.value:.4f}" if trial.value is not None else f"failed: {trial.failure}"
        cells = [_cell(trial.settings.get(name)) for name in names]
        lines.append(f"| {row['rank'] or '–'} | {trial.number} | {value} | {' | '.join(cells)} | {trial.minutes:.1f} |")
    lines += ["", f"![{sweep.metric} by trial]({LEADERBOARD}.svg)", ""]
    for suffix, text in (("json", as_json), ("md", "\n".join(lines))):
        partial = folder / f"{LEADERBOARD}.{suffix}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / f"{LEADERBOARD}.{suffix}")
    _plot(sweep, [trial for trial in found if trial.value is not None], folder)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plot(sweep: Sweep, found: Sequence[Trial], folder: Path) -> None:
    """The figure by trial with the best so far, and by each setting."""
    figures: Any = importlib.import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(3.6 * (1 + len(sweep.search)), 3.2), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(sweep.search), sharey=True, squeeze=False)[0]
    in_order = sorted(found, key=lambda trial: trial.number)
    values = [trial.value for trial in in_order if trial.value is not None]
    better = max if sweep.direction == "maximize" else min
    best = [better(values[: end + 1]) for end in range(len(values))]
    first.plot([trial.number for trial in in_order], values, "o", color="#3b6ea5", markersize=4)
    first.step([trial.number for trial in in_order], best, where="post", color="#c1571a", label="best so far")
    first.set_xlabel("trial")
    first.set_ylabel(sweep.metric)
    if values:
        first.legend(frameon=False)
    for axes, (name, space) in zip(others, sweep.search.items(), strict=True):
        chosen = [trial.settings[name] for trial in in_order]
        if isinstance(space, Range):
            axes.plot(chosen, values, "o", color="#3b6ea5", markersize=4)
            axes.set_xscale("log" if space.log else "linear")
        else:
            places = [space.index(value) for value in chosen]
            axes.plot(places, values, "o", color="#3b6ea5", markersize=4)
            axes.set_xticks(range(len(space)), [str(value) for value in space])
            axes.set_xlim(-0.5, len(space) - 0.5)
        axes.set_xlabel(name)
    for axes in (first, *others):
        axes.spines[["top", "right"]].set_visible(False)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"{LEADERBOARD}.{suffix}", dpi=150)
