"""The last stage of training: the ranker of a model of one's own.

A few repositories bear no new weights and trees: those stay the shipped ones, learnt on many histories. Nor do they
bear another calibration of the log-odds (docs/experiments.md). What is fitted to a new model is what its own logits are
worth. That is learnt and measured on the newest commits, which training leaves out: on the older half of them and on
the newer one. Where it is no gain there, the bundle gets no ranker, and the product uses the shipped one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Repository
from codewm_lsp.ranking import Ranker
from codewm_lsp.ranking.ranker import together
from codewm_lsp.ranking.ranker_file import to_bytes, unfitted_ranker
from codewm_lsp.world_model import WorldModel
from codewm_model.data.gathering import Asking, Gathered, gather_halves
from codewm_model.evaluation.where_next_protocol import first_relevant
from codewm_model.ranking.linear_fit import Doubles, Fit, log_loss
from codewm_model.ranking.probability_fit import (
    fit_calibration,
    groups_of,
    model_rows,
    odds_of,
    own_odds,
    with_model,
)

SECONDS: Final = 75.0  # spent on asking about past commits
EXAMPLES: Final = 80  # commits asked about, of all repositories together
MOST_REPOSITORIES: Final = 5
FEWEST: Final = 20  # lists of definitions that a fit needs


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """``ranker`` is None where it could not be fitted, or is no gain; ``report`` goes into ``model.json``."""

    ranker: Ranker | None
    report: dict[str, Any]

    def file(self) -> bytes | None:
        """The ranker as the bundle holds it."""
        return None if self.ranker is None else to_bytes(self.ranker)


def fit_ranker(
    model: WorldModel,
    clones: Sequence[Path],
    *,
    newest: float,
    seconds: float = SECONDS,
    progress: Callable[[str], None] = lambda name: None,
) -> FittedRanker:
    """Fit the shipped ranker to a model.

    ``newest``: the share of the clones' histories that is asked about, which the model should not have been trained on.
    """
    chosen = list(clones)[:MOST_REPOSITORIES]
    start = time.monotonic()
    older: list[Gathered] = []
    newer: list[Gathered] = []
    for number, clone in enumerate(chosen):
        progress(clone.name)
        deadline = start + seconds * (number + 1) / len(chosen)
        with Repository.open(clone) as repository:
            halves = gather_halves(
                repository, commits=max(2, EXAMPLES // len(chosen)), newest=newest, deadline=deadline
            )
        if halves[0].definition_names and halves[1].definition_names:
            older.append(halves[0])
            newer.append(halves[1])
    before = unfitted_ranker()
    after = _fitted(before, model, older)
    report: dict[str, Any] = {
        "lists learnt on": _lists(older),
        "lists measured on": _lists(newer),
        "log loss": {},
        "MRR": {},
        "gain": False,
    }
    if after is not None and _lists(newer):
        asking = [Asking(one, model) for one in newer]
        for name, ranker in (("shipped ranker", before), ("fitted", after)):
            loss, rank = _measured(ranker, newer, asking)
            report["log loss"][name], report["MRR"][name] = round(loss, 5), round(rank, 4)
        report["gain"] = report["log loss"]["fitted"] < report["log loss"]["shipped ranker"]
    report["verdict"] = _verdict(report)
    return FittedRanker(after if report["gain"] else None, report)


def _lists(gathered: Sequence[Gathered]) -> int:
    return sum(len(one.definitions) for one in gathered)


def _verdict(report: dict[str, Any]) -> str:
    losses = report["log loss"]
    if not losses:
        return "Where next: too few past commits to fit the ranker to this model; the shipped ranker is used."
    figures = f"log loss {losses['fitted']:.4f}, with the shipped ranker {losses['shipped ranker']:.4f}"
    if report["gain"]:
        return f"Where next: a ranker fitted to this model is better on newer commits ({figures})."
    return f"Where next: a ranker fitted to this model is NOT better on newer commits ({figures}): not kept."


def _definitions(ranker: Ranker, one: Gathered) -> Fit:
    return Fit.of(ranker.definition, ranker.definition_trees, one.definition_names)


def _odds(ranker: Ranker, one: Gathered) -> Doubles:
    files = Fit.of(ranker.file, ranker.file_trees, one.file_names)
    return odds_of(one.groups, _definitions(ranker, one), files, ranker.joint)


def _fitted(ranker: Ranker, model: WorldModel, learnt: Sequence[Gathered]) -> Ranker | None:
    """The ranker with its calibration fitted to the model; None where there is too little to learn it from."""
    if _lists(learnt) < FEWEST:
        return None
    asking = [Asking(one, model) for one in learnt]
    rows = model_rows(learnt, asking, [_definitions(ranker, one) for one in learnt], ranker.joint)
    return replace(ranker, calibration=fit_calibration(rows))


def _measured(ranker: Ranker, held: Sequence[Gathered], asking: Sequence[Asking]) -> tuple[float, float]:
    """Log loss over the definitions of the files being edited, and MRR of the first that the commit changed."""
    odds: list[Doubles] = []
    soon: list[NDArray[np.bool_]] = []
    ranks: list[float] = []
    chance = np.random.default_rng(0)
    for one, ask in zip(held, asking, strict=True):
        for group in groups_of(one, _odds(ranker, one)):
            if group.own.any():
                texts = one.groups.lists.text[group.rows][group.own].tolist()
                combined = together(group.odds, ranker.several)[group.own]
                order, said = with_model(combined, texts, group.edits, ranker.calibration, ask)
                odds.append(said)
                soon.append(group.soon[group.own][order])
        lists, scores = one.definitions, _definitions(ranker, one).scores(one.definitions)
        for number in range(len(lists)):
            span = slice(int(lists.start[number]), int(lists.start[number + 1]))
            own = own_odds(scores[span], ranker.joint)
            order, said = with_model(own, lists.text[span].tolist(), [int(lists.edit[number])], ranker.calibration, ask)
            ranks.append(first_relevant(said, lists.relevant[span][order], chance)[0])
    if not odds:
        return float("nan"), float("nan")
    said, answers = np.concatenate(odds), np.concatenate(soon)
    return log_loss(said, answers, np.ones(len(said))), float(np.mean(ranks)) if ranks else float("nan")
