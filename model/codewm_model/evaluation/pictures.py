"""The pictures of a report: bars of every protocol, training curves, spectra, and a projection of edits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit
from codewm_model.artifacts.training_log import LOG, read_log
from codewm_model.evaluation import plots
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone, EvaluatedModel, Role, Settings
from codewm_model.evaluation.models import embed
from codewm_model.evaluation.repositories import newest_commits
from codewm_model.evaluation.sibling_search import LARGEST
from codewm_model.evaluation.written_report import ReportSection

COLOURS: Final = {
    Role.CHANCE: "#C9C9C9",
    Role.BASELINE: plots.SKY,
    Role.BAR: plots.BLUE,
    Role.MODEL: plots.ORANGE,
    Role.BLEND: plots.VERMILION,
    Role.BOUND: plots.GREY,
}
SAMPLE: Final = 300  # edits of a repository in the projection and the spectra
_KINDS: Final = ("modified", "added", "removed")
_CURVES: Final = (
    ("copy_indicator", "Copy indicator", "cosine of target(before), target(after)"),
    ("transition_cosine_paper", "Transition cosine, the paper's form", "cosine"),
    ("transition_cosine", "Transition cosine, honest form", "cosine"),
    ("rank_predicted", "Effective rank of the predictions", "of 128"),
)


def draw(
    sections: Sequence[ReportSection],
    clones: Sequence[Clone],
    models: Sequence[EvaluatedModel],
    settings: Settings,
    folder: Path,
) -> list[tuple[str, str]]:
    """Draw everything: those of a protocol are noted in its section, the others returned as (file, caption)."""
    for section in sections:
        section.pictures.extend(_bars(section, folder))
    found = _curves(models, folder)
    vectors, edits = _embedded(clones, models, settings) if any(s.protocol.name == "e4" for s in sections) else ({}, [])
    if len(edits) > 2:
        found += _spectra(vectors, folder)
        found += _projection(vectors, edits, folder)
    return found


def _bars(section: ReportSection, folder: Path) -> list[tuple[str, str]]:
    """The first metric of each setting, one bar a system."""
    panels = []
    metrics: list[str] = []
    for setting, cells in section.cells.items():
        metric = next((one for one in section.protocol.better if one in cells), None)
        if metric is None or section.protocol.better[metric] is None:
            continue
        metrics.append(metric)
        own = [
            plots.Interval(
                system, summary.mean, summary.low, summary.high, COLOURS[section.outcome.roles.get(system, Role.BOUND)]
            )
            for system, summary in cells[metric].items()
        ]
        panels.append((setting[:1].upper() + setting[1:], own))
    if not panels:
        return []
    label = " / ".join(dict.fromkeys(metrics))
    name = plots.save(plots.bars(panels, label), folder, f"{section.protocol.name}-bars")
    caption = (
        f"{label}, means over repositories with 95 % intervals. Grey: chance; light blue: "
        "baselines; dark blue: the bar for a blend; orange: models alone; red: the product's blend."
    )
    return [(name, caption)]


def _curves(models: Sequence[EvaluatedModel], folder: Path) -> list[tuple[str, str]]:
    """What the logs of the training runs say, where there are any."""
    losses: list[tuple[str, dict[str, list[tuple[float, float]]]]] = []
    evaluations: list[tuple[str, list[dict[str, Any]]]] = []
    for model in models:
        records = read_log(model.run / LOG) if model.run is not None else []
        by_stage: dict[str, list[tuple[float, float]]] = {}
        for record in records:
            if "loss" in record and not record.get("evaluation"):
                by_stage.setdefault(str(record["stage"]), []).append((float(record["step"]), float(record["loss"])))
        if by_stage:
            losses.append((model.name, by_stage))
        found = [record for record in records if record.get("evaluation") and record.get("stage") == "transition"]
        if found:
            evaluations.append((model.name, found))
    pictures: list[tuple[str, str]] = []
    if losses:
        stages = list(dict.fromkeys(stage for _, own in losses for stage in own))
        panels = [
            (
                f"Stage {stage}",
                "loss",
                [
                    plots.PlottedLine(name, [step for step, _ in own[stage]], [loss for _, loss in own[stage]])
                    for name, own in losses
                    if stage in own
                ],
            )
            for stage in stages
        ]
        name = plots.save(plots.lines(panels, "step", columns=3), folder, "training-loss")
        pictures.append((name, "The loss of each stage of training."))
    panels = []
    for key, title, up in _CURVES:
        own_lines = [
            plots.PlottedLine(
                name, [float(r["step"]) for r in own if key in r], [float(r[key]) for r in own if key in r]
            )
            for name, own in evaluations
        ]
        if any(line.x for line in own_lines):
            panels.append((title, up, [line for line in own_lines if line.x]))
    if panels:
        name = plots.save(plots.lines(panels, "step"), folder, "training-health")
        pictures.append(
            (
                name,
                "Health of the transition model while it was trained, on its own validation repositories. A copy "
                "indicator that rises towards 1 means that the target encoder collapses.",
            )
        )
    return pictures


def _embedded(
    clones: Sequence[Clone], models: Sequence[EvaluatedModel], settings: Settings
) -> tuple[dict[str, NDArray[np.float32]], list[Edit]]:
    """The newest edits of every repository by every model; mined and embedded by E4 already."""
    cache = Cache(settings.cache)
    edits: list[Edit] = []
    pieces: dict[str, list[NDArray[np.float32]]] = {model.name: [] for model in models}
    for clone in clones:
        everything = [edit for commit in newest_commits(clone, LARGEST, cache) for edit in commit.edits]
        if not everything:
            continue
        edits.extend(everything[:SAMPLE])
        for model in models:
            pairs = [(edit.before, edit.after) for edit in everything]
            pieces[model.name].append(embed(model, clone, pairs, cache)[:SAMPLE])
    return {name: np.concatenate(own) for name, own in pieces.items() if own}, edits


def _spectra(vectors: dict[str, NDArray[np.float32]], folder: Path) -> list[tuple[str, str]]:
    own = []
    for model, rows in vectors.items():
        values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
        values = values[values > values[0] * 1e-6]
        share = values / values.sum()
        rank = float(np.exp(-(share * np.log(share)).sum()))
        label = f"{model} (effective rank {rank:.0f})"
        own.append(plots.PlottedLine(label, list(range(1, len(values) + 1)), (values / values[0]).tolist()))
    panel = [("Singular values of the edit embeddings", "relative to the first", own)]
    picture = plots.lines(panel, "rank of the singular value", columns=1, logarithmic=(True, True))
    caption = (
        "Spectrum of the embeddings of the newest edits of all repositories, centred: the flatter the line, the more "
        "of its dimensions a model uses."
    )
    return [(plots.save(picture, folder, "spectra"), caption)]


def _projection(vectors: dict[str, NDArray[np.float32]], edits: Sequence[Edit], folder: Path) -> list[tuple[str, str]]:
    kinds = np.array([edit.kind.value for edit in edits])
    panels = []
    for model, rows in vectors.items():
        centred = rows - rows.mean(0)
        _, values, axes = np.linalg.svd(centred, full_matrices=False)
        axes = axes[:2] * np.where(axes[:2].sum(1) < 0, -1, 1)[:, None]
        points = centred @ axes.T
        shown = 100 * float(np.square(values[:2]).sum() / np.square(values).sum())
        own = [plots.Cloud(kind, points[kinds == kind]) for kind in _KINDS if (kinds == kind).any()]
        panels.append((f"{model} ({shown:.0f} % of the variance)", own))
    picture = plots.clouds(panels, ("first component", "second component"))
    caption = "The newest edits of all repositories on the first two principal components, by kind."
    return [(plots.save(picture, folder, "edits"), caption)]
