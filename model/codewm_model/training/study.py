"""Studies: the same training several times with one thing changed, and one table and figure of all.

*Collapse* is paper 1's: what becomes of a tiny JEPA whose target encoder follows fast, slowly, never, or is not; its
networks are the paper's (architecture ``reference``), and so are its losses. *Architectures* is the papers' networks
beside this project's, at one length. Every run is one of the ordinary trainer and has a folder with its log; one that
is complete is not made again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from codewm_lsp.errors import TrainingError
from codewm_model.artifacts.training_log import LOG, read_log
from codewm_model.settings.config import PAPERS, ArchitectureConfig, Config, TrainingConfig

DONE: Final = "done.json"
PLAN: Final = "plan.json"
GROWS_EVERY: Final = 600.0
"""Seconds between two drawings of the table and the figure while runs go on."""
_RUN: Final = (  # "" is the working directory, which may be a stranger's repository
    "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "from codewm_model.training.study import main; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of a study: ``settings`` of the training and ``networks`` are all that sets it apart."""

    name: str
    words: str
    settings: Mapping[str, Any]
    paper: str  # what a paper says of it
    scaled: bool = False  # the decay is that of the paper's 15,000 steps, raised to the length of this run
    networks: Mapping[str, Any] = field(default_factory=dict)  # settings of the architecture


_TARGETS: Final = (
    Arm(
        "fast",
        "fast EMA (0.996)",
        {"decay": 0.996},
        "collapses: ceiling near step 700, indicator ~0.999",
    ),
    Arm(
        "scaled",
        "fast EMA, as fast as 0.996 is for 15,000 steps",
        {"decay": 0.996},
        "the same",
        scaled=True,
    ),
    Arm("frozen", "frozen (1.0)", {"decay": 1.0}, "within ± 0.002 of near-static (2 seeds)"),
    Arm(
        "near-static",
        "near-static EMA (0.99999)",
        {"decay": 0.99999},
        "0.9898 ± 0.0006 (3 seeds, 15,000 steps)",
    ),
    Arm(
        "sigreg",
        "no target network, SIGReg",
        {"target": "none", "sigreg_weight": 0.05, "delta_weight": 0.0, "norm_weight": 0.0, "covariance_weight": 0.0},
        "not in the paper (LeJEPA)",
    ),
    Arm(
        "two-loss",
        "no target network, two losses",
        {
            "target": "none",
            "sigreg_weight": 0.1,
            "sigreg_directions": 1_024,
            "delta_weight": 0.0,
            "norm_weight": 0.0,
            "covariance_weight": 0.0,
        },
        "not in the paper (LeWorldModel)",
        networks={"encoder": "leworldmodel", "predictor": "leworldmodel"},
    ),
)
_NETWORKS: Final = (
    *(
        Arm(name, f"{words}, with its losses", PAPERS[name]["training"], paper, networks=PAPERS[name]["architecture"])
        for name, words, paper in (
            ("paper1", "paper 1's: six loops, level by level, seven numbers of an action", "0.9898 at 15,000 steps"),
            ("paper2", "paper 2's: three loops, each trained to predict, VICReg", "not on these repositories"),
        )
    ),
    Arm("paper1-losses", "ours, with paper 1's losses", PAPERS["paper1"]["training"], "not in the papers"),
    Arm("ours", "ours: one loop, read out as a sum, with our losses", {}, "not in the papers"),
)


@dataclass(frozen=True, slots=True)
class StudySize:
    """How large a study is, and of what."""

    words: str
    architecture: ArchitectureConfig
    training: TrainingConfig
    seeds: tuple[int, ...]
    seeds_of: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # arms that have fewer
    arms: tuple[Arm, ...] = _TARGETS


_PAPER: Final = TrainingConfig(
    transition_steps=15_000,
    edit_steps=0,
    next_steps=0,
    predictor_steps=0,
    transition_batch=128,
    transition_rate=1e-4,
    warmup=200,
    window=3,
    delta_origin="online",
    norm_weight=0.1,
    contrast_weight=0.0,
    composition_weight=0.0,
    covariance_weight=0.01,
    covariance_of="covariances",
    variance_weight=0.0,
    sibling_weight=0.0,
    quantise_from=1.0,
    evaluate_every=250,
    checkpoint_every=250,
    longest=512,
    threads=1,
)
_REFERENCE: Final = ArchitectureConfig(
    encoder="reference",
    predictor="reference",
    loops=6,
    state_expansion=4,
    predictor_loops=6,
    predictor_expansion=4,
)
_SMALL: Final = dataclasses.replace(_REFERENCE, loops=1, predictor_loops=1)
_COLLAPSE: Final[Mapping[str, StudySize]] = {
    "full": StudySize("15,000 steps of 128 windows, six loops, as in the paper", _REFERENCE, _PAPER, (42, 43, 44)),
    "long": StudySize(
        "15,000 steps of 32 windows of definitions of up to 48 tokens, one loop, the paper's rate of 1e-4",
        _SMALL,
        dataclasses.replace(_PAPER, transition_batch=32, longest=48),
        (42, 43, 44),
        {"sigreg": (42, 43), "two-loss": (42, 43)},
    ),
    "reduced": StudySize(
        "300 steps of 32 windows of definitions of up to 48 tokens, one loop, a rate of 5e-4",
        _SMALL,
        dataclasses.replace(
            _PAPER,
            transition_steps=300,
            transition_batch=32,
            transition_rate=5e-4,
            warmup=30,
            longest=48,
            evaluate_every=60,
            checkpoint_every=100,
        ),
        (42, 43, 44),
    ),
    "smoke": StudySize(
        "a few steps, to see that it runs",
        _SMALL,
        dataclasses.replace(
            _PAPER,
            transition_steps=8,
            transition_batch=8,
            transition_rate=5e-4,
            warmup=2,
            longest=0,
            evaluate_every=4,
            checkpoint_every=4,
            gallery=100,
        ),
        (42,),
    ),
}
_SHORT: Final = TrainingConfig(
    transition_steps=600,
    edit_steps=0,
    next_steps=0,
    predictor_steps=0,
    transition_batch=32,
    warmup=60,
    quantise_from=1.0,
    evaluate_every=100,
    checkpoint_every=100,
    longest=48,
    threads=1,
)
_ARCHITECTURES: Final[Mapping[str, StudySize]] = {
    "short": StudySize(
        "600 steps of 32 windows of definitions of up to 48 tokens, a rate of 5e-4",
        ArchitectureConfig(),
        _SHORT,
        (42, 43),
        arms=_NETWORKS,
    ),
    "smoke": StudySize(
        "a few steps, to see that it runs",
        ArchitectureConfig(),
        dataclasses.replace(
            _SHORT,
            transition_steps=4,
            transition_batch=8,
            warmup=2,
            longest=0,
            evaluate_every=2,
            checkpoint_every=2,
            gallery=100,
        ),
        (42,),
        arms=_NETWORKS,
    ),
}
STUDIES: Final[Mapping[str, Mapping[str, StudySize]]] = {"collapse": _COLLAPSE, "architectures": _ARCHITECTURES}
"""The settings of each study."""


@dataclass(frozen=True, slots=True)
class RunOf:
    """One arm with one seed, and where it is."""

    arm: Arm
    seed: int
    folder: Path

    @property
    def complete(self) -> bool:
        """Whether it has come to its end."""
        return (self.folder / DONE).exists()


def runs(setting: StudySize, output: Path, seeds: Sequence[int] = ()) -> list[RunOf]:
    """All runs of a study, seed by seed, so that one that is stopped has whole comparisons."""
    shorter = setting.training.transition_steps < _PAPER.transition_steps
    return [
        RunOf(arm, seed, output / "runs" / f"{arm.name}-{seed}")
        for seed in (seeds or setting.seeds)
        for arm in setting.arms
        if (shorter or not arm.scaled) and (seeds or seed in setting.seeds_of.get(arm.name, setting.seeds))
    ]


def config_of(setting: StudySize, run: RunOf) -> Config:
    """What a run is trained with."""
    training = dataclasses.replace(setting.training, seed=run.seed, **run.arm.settings)
    if run.arm.scaled:
        length = _PAPER.transition_steps / setting.training.transition_steps
        training = dataclasses.replace(training, decay=round(training.decay**length, 4))
    networks = dataclasses.replace(setting.architecture, **run.arm.networks)
    return Config(architecture=networks, training=training)


def train_run(
    setting: StudySize,
    run: RunOf,
    corpora: Sequence[Path],
    validation: Sequence[Path],
    *,
    until: int = 0,
    device: str = "cpu",
) -> None:
    """Train one run to its end, from its checkpoint on if it has one; to step ``until`` where that is not 0.

    Raises TrainingError, and Interrupted when it is at ``until`` or when the process that has started it has ended.
    """
    import torch

    from codewm_model.artifacts.run_folder import CHECKPOINT, write_run
    from codewm_model.data.batches import Dataset
    from codewm_model.data.repository_corpus import common_words, load
    from codewm_model.training.checkpoint import has_checkpoint, read_checkpoint
    from codewm_model.training.loading import Material
    from codewm_model.training.train_from import RunSettings, train_from
    from codewm_model.training.trainer import Interrupted

    run.folder.mkdir(parents=True, exist_ok=True)
    train_on, held = [load(file) for file in corpora], [load(file) for file in validation]
    material = Material(Dataset(train_on), held, common_words(train_on), [])
    checkpoint = read_checkpoint(run.folder) if has_checkpoint(run.folder) else None
    config, parent = config_of(setting, run), os.getppid()
    at = checkpoint.step if checkpoint else 0
    if until and at >= until:
        raise Interrupted

    def advance(stage: str, step: int, steps: int, loss: float) -> None:
        nonlocal at
        at = step

    def stop() -> bool:
        return os.getppid() != parent or at == until

    settings = RunSettings(run.folder, config, material, checkpoint=checkpoint, device=torch.device(device))
    result = train_from(settings, advance=advance, stop=stop)
    write_run(run.folder, result.model, result.common, config, {"trained_on": []})
    (run.folder / DONE).write_text(json.dumps({"minutes": round(result.minutes, 2)}))
    (run.folder / CHECKPOINT).unlink(missing_ok=True)


def run_all(
    study: str,
    name: str,
    planned: Sequence[RunOf],
    output: Path,
    corpora: Sequence[Path],
    validation: Sequence[Path],
    *,
    jobs: int,
    until: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None],
    grown: Callable[[], None] = lambda: None,
) -> None:
    """All runs of a study in its setting ``name`` that are not complete yet, or not at step ``until``.

    They go in ``jobs`` processes of one thread at a time.

    ``progress(steps done, steps in all)`` is called every second, ``grown`` when a run has come to its end and, where
    there is more to show, every ten minutes. Raises TrainingError when a run fails.
    """
    plan = output / PLAN
    plan.write_text(
        json.dumps(
            {
                "study": study,
                "setting": name,
                "until": until,
                "device": device,
                "corpora": [str(file.resolve()) for file in corpora],
                "validation": [str(file.resolve()) for file in validation],
            }
        )
    )
    steps = STUDIES[study][name].training.transition_steps
    waiting = [run for run in planned if not run.complete and not 0 < until <= _steps_done(run, steps)]
    going: dict[subprocess.Popen[bytes], RunOf] = {}
    shown, at = sum(_steps_done(run, steps) for run in planned), time.monotonic()
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                run = waiting.pop(0)
                run.folder.mkdir(parents=True, exist_ok=True)
                with (run.folder / "output.txt").open("wb") as said:
                    arguments = ["-c", _RUN, str(plan), run.arm.name, str(run.seed)]
                    going[subprocess.Popen([sys.executable, *arguments], stdout=said, stderr=said)] = run
            time.sleep(1)
            now = sum(_steps_done(run, steps) for run in planned)
            progress(now, steps * len(planned))
            ended = [process for process in going if process.poll() is not None]
            if ended or (now > shown and time.monotonic() - at > GROWS_EVERY):
                shown, at = now, time.monotonic()
                grown()
            for process in ended:
                run = going.pop(process)
                if process.returncode:
                    last = (run.folder / "output.txt").read_text(errors="replace").strip().splitlines()[-1:]
                    raise TrainingError(
                        f"{run.arm.words}, seed {run.seed}, failed: {last[0] if last else 'no message'}; run the "
                        f"same command again to continue (see {run.folder / 'output.txt'})"
                    )
    finally:
        for process in going:
            process.terminate()
            process.wait()


def _steps_done(run: RunOf, steps: int) -> int:
    if run.complete:
        return steps
    records = read_log(run.folder / LOG)
    return int(records[-1]["step"]) if records else 0


@dataclass(frozen=True, slots=True)
class Course:
    """What one run's log says: curves over steps, and how it ended."""

    run: RunOf
    steps: tuple[int, ...]
    evaluations: tuple[Mapping[str, float], ...]
    loss_steps: tuple[int, ...]
    losses: tuple[float, ...]
    alarm: int | None  # the step at which it sounded
    minutes: float

    def curve(self, name: str) -> list[float]:
        """One figure over ``steps``."""
        return [float(evaluation[name]) for evaluation in self.evaluations]

    def last(self, name: str) -> float:
        """Mean of the last evaluations: the paper's five, of a short run its second half."""
        return float(np.mean(self.curve(name)[-max(1, min(5, len(self.steps) // 2)) :]))

    def best(self, name: str) -> tuple[int, float]:
        """The step at which a figure was highest, and the figure."""
        at = int(np.argmax(self.curve(name)))
        return self.steps[at], self.curve(name)[at]

    def loss_rises(self) -> int | None:
        """The step at which the loss shows it: its mean over ten records is twice the lowest such mean before."""
        means = np.convolve(self.losses, np.full(10, 0.1), "valid") if len(self.losses) >= 10 else np.zeros(0)
        risen = np.flatnonzero(means > 2 * np.minimum.accumulate(means)) if len(means) else np.zeros(0, np.int64)
        return self.loss_steps[int(risen[0]) + 9] if len(risen) else None


def courses_of(planned: Sequence[RunOf], first: int) -> list[Course]:
    """All runs that have been evaluated at least once; ``first``: the step at which one is. Raises TrainingError when
    there is none."""
    found = [course for course in map(read_course, planned) if course]
    if not found:
        raise TrainingError(
            f"No run has been evaluated yet: the first evaluation is at step {first}. Run the study again, without "
            f"--report-only and to step {first} or further (--until)."
        )
    return found


def read_course(run: RunOf) -> Course | None:
    """What there is of a run; None before its first evaluation."""
    records = read_log(run.folder / LOG)
    evaluations = [r for r in records if r.get("evaluation")]
    losses = [r for r in records if "loss" in r]
    alarms = [r["step"] for r in records if "alarm" in r]
    if not evaluations:
        return None
    done = run.folder / DONE
    return Course(
        run=run,
        steps=tuple(r["step"] for r in evaluations),
        evaluations=tuple(evaluations),
        loss_steps=tuple(r["step"] for r in losses),
        losses=tuple(r["loss"] for r in losses),
        alarm=alarms[0] if alarms else None,
        minutes=json.loads(done.read_text())["minutes"] if done.exists() else math.nan,
    )


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean ± standard deviation over seeds."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


_COLUMNS: Final = (
    ("copy indicator", "copy_indicator", 4),
    ("transition cosine, paper's", "transition_cosine_paper", 4),
    ("honest", "transition_cosine", 3),
    ("rank online", "rank_online", 1),
    ("rank target", "rank_target", 1),
    ("rank predicted", "rank_predicted", 1),
    ("KNN@1", "knn@1", 3),
    ("KNN@5", "knn@5", 3),
    ("of a copy", "copy_knn@5", 3),
)


def table(courses: Sequence[Course]) -> str:
    """One Markdown row an arm: ours, mean ± deviation over seeds, and what the paper says.

    The figures are of the runs that have come to their end; where none has, of those that are on their way.
    """
    lines = [
        "| target | runs | " + " | ".join(title for title, _, _ in _COLUMNS) + " | the paper |",
        "| --- | --- | " + " | ".join("---" for _ in _COLUMNS) + " | --- |",
    ]
    for name in dict.fromkeys(c.run.arm.name for c in courses):
        of = [c for c in courses if c.run.arm.name == name]
        arm = of[0].run.arm
        whole = [c for c in of if c.run.complete]
        going = ", ".join(f"one at step {c.steps[-1]:,}" for c in of if c not in whole)
        runs_of = " + ".join(filter(None, [f"{len(whole)} whole" if whole else "", going]))
        cells = [spread([c.last(column) for c in whole or of], digits) for _, column, digits in _COLUMNS]
        lines.append(f"| {arm.words} | {runs_of} | " + " | ".join(cells) + f" | {arm.paper} |")
    return "\n".join(lines)


def table_of_runs(courses: Sequence[Course]) -> str:
    """One Markdown row a run: how far it is, what it warned of and when, and where it was best."""
    lines = [
        "| target | seed | last step | alarm at step | loss doubles at step | honest cosine, best (at step) "
        "| KNN@5, best (at step) | of a copy there | lowest loss | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for c in courses:
        (cosine_at, cosine), (found_at, found) = c.best("transition_cosine"), c.best("knn@5")
        copied = c.curve("copy_knn@5")[c.steps.index(found_at)]
        minutes = f"{c.minutes:.0f}" if c.run.complete else "not done"
        lowest = f"{min(c.losses):.4f}" if c.losses else "none yet"
        lines.append(
            f"| {c.run.arm.words} | {c.run.seed} | {c.steps[-1]:,} | {c.alarm or 'silent'} "
            f"| {c.loss_rises() or 'never'} | {cosine:.3f} ({cosine_at:,}) | {found:.3f} ({found_at:,}) "
            f"| {copied:.3f} | {lowest} | {minutes} |"
        )
    return "\n".join(lines)


def figure(courses: Sequence[Course], output: Path, study: str = "collapse") -> list[Path]:
    """Indicator, loss, transition cosine and effective rank over steps: a PNG and an SVG, named as the study."""
    from matplotlib import pyplot

    from codewm_model.evaluation import plots

    palette = (plots.ORANGE, plots.VERMILION, plots.GREEN, plots.BLUE, plots.PURPLE, plots.SKY)
    arms = dict.fromkeys(arm.name for size in STUDIES[study].values() for arm in size.arms)
    colours = dict(zip(arms, palette, strict=False))
    panels = (
        ("gap to 1 of the copy indicator", "gap"),
        ("training loss", "loss"),
        ("transition cosine: paper's (solid), honest (dashed)", "transition_cosine_paper"),
        ("effective rank: target (solid), predicted (dashed)", "rank_target"),
        ("true next state among the 5 nearest", "knn@5"),
        ("deviation of the target's features", "feature_std_target"),
    )
    dashed = {"transition_cosine_paper": "transition_cosine", "rank_target": "rank_predicted"}
    with plots.styled():
        plotted, axes = pyplot.subplots(2, 3, figsize=(13, 7), constrained_layout=True)
        for axis, (title, name) in zip(axes.flat, panels, strict=True):
            labelled: list[Arm] = []
            for found in courses:
                colour = colours[found.run.arm.name]
                style: dict[str, Any] = {"color": colour, "alpha": 0.85, "linewidth": 1.3}
                label = found.run.arm.words if found.run.arm not in labelled else None
                labelled.append(found.run.arm)
                if name == "loss":
                    axis.plot(found.loss_steps, found.losses, label=label, **style)
                elif name == "gap":
                    axis.plot(found.steps, [1 - v for v in found.curve("copy_indicator")], label=label, **style)
                    if found.alarm:
                        axis.axvline(found.alarm, color=colour, linestyle=":", linewidth=1)
                else:
                    axis.plot(found.steps, found.curve(name), label=label, **style)
                    if name in dashed:
                        axis.plot(found.steps, found.curve(dashed[name]), linestyle="--", **style)
            axis.set_title(title)
            axis.set_xlabel("step")
            if name in ("gap", "loss"):
                axis.set_yscale("log")
        plotted.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        name = plots.save(plotted, output, study)
    return [output / f"{name}.png", output / f"{name}.svg"]


def main(arguments: Sequence[str]) -> int:
    """``python -m codewm_model.training.study PLAN ARM SEED``: one run in a process of its own."""
    plan, arm, seed = json.loads(Path(arguments[0]).read_text()), arguments[1], int(arguments[2])
    from codewm_model.training.trainer import Interrupted

    setting, parent = STUDIES[plan["study"]][plan["setting"]], os.getppid()
    (run,) = (r for r in runs(setting, Path(arguments[0]).parent, [seed]) if r.arm.name == arm)
    try:
        corpora, validation = ([Path(file) for file in plan[use]] for use in ("corpora", "validation"))
        train_run(setting, run, corpora, validation, until=plan["until"], device=plan["device"])
    except TrainingError as error:
        print(error, file=sys.stderr)
        return 1
    except Interrupted:
        if os.getppid() == parent:
            return 0
        print("stopped, as the command that had started it has ended", file=sys.stderr)
        return 1
    return 0
