"""Learns the blend of ``codewm_lsp.ranking.ranker`` on the histories of other repositories.

    python -m codewm_model.ranking.where_next_fit --repos CLONES --cache FOLDER --output BUNDLE

``CLONES`` holds one clone per ``owner+name`` (or ``owner+name/repo``), bare or not; they are only read. What is
gathered from a repository is kept in the cache and does not depend on a model: to fit the ranker to a new one, the same
command takes minutes. ``codewm-train`` does less of it, for a model of one's own. Weights are learnt on the train
repositories, choices made on the validation repositories; the test repositories are never opened. What the ranker is
worth is measured by E5 of ``codewm eval``, which runs the product's own code.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.ranking.ranker import CASES, Case, Ranker
from codewm_lsp.ranking.ranker_file import to_bytes
from codewm_model.data.gathering import Gathered, Lists, gathered
from codewm_model.evaluation.repositories import sets
from codewm_model.evaluation.where_next_protocol import Looks, curve, first_relevant, reliability
from codewm_model.ranking.boosting import ROUNDS, SEED
from codewm_model.ranking.fit_command import fit_parser, from_each_clone, put_beside_model
from codewm_model.ranking.linear_fit import Doubles, Fit, fit_lists, shares_of, with_trees
from codewm_model.ranking.probability_fit import (
    LEVELS,
    all_looks,
    fit_joint,
    fit_several,
    lenses_of,
    looks_of,
    names_of,
    odds_of,
    out_of_fold,
)

PLAIN_DEFINITION: Final = (
    "gone_amount",
    "fresh_amount",
    "shared_words",
    "similarity",
    "coupling",
    "distance",
    "recency",
    "frequency",
    "size",
)
PLAIN_FILE: Final = (
    "coupling",
    "recency",
    "frequency",
    "same_folder",
    "counterpart",
    "definitions",
    "best:gone_amount",
    "best:fresh_amount",
    "best:similarity",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = fit_parser(
        "where_next_fit",
        "Fit the where-next ranker.",
        train=sets()["train"],
        output="bundle to put the ranker into",
        report=True,
    )
    parser.add_argument("--curve", type=Path, help="folder for pictures of the lens curve")
    parser.add_argument("--commits", type=int, default=150, help="newest commits asked about, of a held-out repository")
    parser.add_argument("--train-commits", type=int, default=60, help="the same, of a repository learnt on")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="trees of each level; 0: the linear models alone")
    parser.add_argument("--seed", type=int, default=SEED, help="by which the trees draw lists and signals")
    parser.add_argument("--penalties", type=float, nargs="*", default=[3e-2, 1e-1])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    held, learnt = options.commits, options.train_commits
    validation = _gather(options, sets()["validation"], commits=held, reveals=1, groups=held, all_files=True)
    train = _gather(options, options.train, commits=learnt, reveals=2, groups=min(40, learnt), all_files=False)
    ranker, report = fit(train, validation, options)
    if options.output:
        about = {"ranker": report["provenance"]}
        put_beside_model(options.output, about, ranker=to_bytes(ranker))
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.curve:
        from codewm_model.ranking.lens_curve import draw

        draw(report["lenses"]["curve"], ranker.threshold, options.curve)
    print(json.dumps({name: value for name, value in report.items() if name != "lenses"}, indent=1))


def _gather(options: argparse.Namespace, names: Sequence[str], **settings: Any) -> dict[str, Gathered]:
    def mine(clone: Path, name: str) -> Gathered:
        found = gathered(clone, options.cache, name, **settings)
        said = f"{name}: {len(found.definitions)} lists of definitions, {len(found.files)} of files"
        print(said, file=sys.stderr, flush=True)
        return found

    return from_each_clone(options.repos, names, mine)


def fit(
    train: Mapping[str, Gathered],
    validation: Mapping[str, Gathered],
    options: argparse.Namespace,
) -> tuple[Ranker, dict[str, Any]]:
    """The ranker, and a report on the validation repositories."""
    learnt, held = list(train.values()), list(validation.values())
    names = {level: names_of(learnt[0], level) for level in LEVELS}
    report: dict[str, Any] = {"MRR, R@1, R@3": {}, "penalties": {}, "shares": {}}
    fits: dict[str, Fit] = {}
    plain: dict[str, Fit] = {}
    for level, few in zip(LEVELS, (PLAIN_DEFINITION, PLAIN_FILE), strict=True):
        lists: list[Lists] = [getattr(one, level) for one in learnt]
        others: list[Lists] = [getattr(one, level) for one in held]
        columns = [names[level].index(name) for name in few]
        plain[level] = fit_lists(lists, penalty=1e-4, cases=False, columns=columns)
        tried = {penalty: fit_lists(lists, penalty=penalty) for penalty in options.penalties}
        scores = {penalty: _mean(tried[penalty], others)[0] for penalty in tried}
        best = max(scores, key=lambda penalty: scores[penalty])
        fits[level] = with_trees(tried[best], lists, names[level], options.rounds, options.seed)
        report["penalties"][f"{level} chosen"] = best
        report["penalties"][level] = {f"{penalty:g}": round(score, 4) for penalty, score in scores.items()}
        report["MRR, R@1, R@3"][level] = {
            "random": _rounded(_mean(None, others)),
            "plain blend": _rounded(_mean(plain[level], others)),
            "linear alone": _rounded(_mean(tried[best], others)),
        }
    apart = out_of_fold(
        learnt, {level: report["penalties"][f"{level} chosen"] for level in LEVELS}, options.rounds, options.seed
    )
    for level in LEVELS:
        lists, others = [getattr(one, level) for one in learnt], [getattr(one, level) for one in held]
        shares = shares_of(lists, apart[level])
        report["shares"][level] = dict(zip(("linear", "trees"), shares, strict=True))
        apart[level] = [fitted.mixed(shares) for fitted in apart[level]]
        mixed = fits[level].mixed(shares)
        report["MRR, R@1, R@3"][level] |= {
            "trees alone": _rounded(_mean(fits[level].mixed((0.0, 1.0)), others)),
            "blend": _rounded(_mean(mixed, others)),
            "blend, on the train repositories": _rounded(_mean(mixed, lists)),
            "blend, on the other half of them": _rounded(_each_by_its_own(apart[level], lists)),
        }
        fits[level] = mixed
    by_repository = list(zip(apart["definitions"], apart["files"], strict=True))
    joint = fit_joint(learnt, by_repository)
    odds = [odds_of(one.groups, *fitted, joint) for one, fitted in zip(learnt, by_repository, strict=True)]
    several = fit_several(learnt, odds)
    of_held = [odds_of(one.groups, fits["definitions"], fits["files"], joint) for one in held]

    def seen(surer: float) -> tuple[dict[str, Looks], dict[str, Looks]]:
        return (
            {
                name: looks_of(one, some, several, surer)
                for (name, one), some in zip(validation.items(), of_held, strict=True)
            },
            {name: looks_of(one, some, several, surer) for (name, one), some in zip(train.items(), odds, strict=True)},
        )

    surer, threshold, factors = lenses_of(seen)
    looks, apart_looks = seen(surer)
    everything = all_looks(looks)
    report["joint"], report["several"] = asdict(joint), asdict(several)
    report["threshold"], report["surer"], report["surer, threshold, looks with a lens"] = threshold, surer, factors
    at = ("looks", "looks with a lens", "lenses", "right")
    report["at the threshold"] = {
        name: dict(zip(at, one.at(threshold), strict=True)) for name, one in {**looks, "all": everything}.items()
    }
    report["lenses"] = {
        "curve": {name: curve(one) for name, one in {**looks, "all": everything}.items()},
        "curve of the train repositories, by the other half": curve(all_looks(apart_looks)),
        "reliability": reliability(everything),
    }
    report["plain blend"] = {
        name: _by_case(plain[level], names[level])["always"]
        for name, level in zip(("definition", "file"), LEVELS, strict=True)
    }
    report["provenance"] = {
        "train": {name: one.heads[0] for name, one in sorted(train.items())},
        "validation": {name: one.heads[0] for name, one in sorted(validation.items())},
        "lists": {level: sum(len(getattr(one, level)) for one in learnt) for level in LEVELS},
        "commits": [options.train_commits, options.commits],
        "validation_mrr": {level: report["MRR, R@1, R@3"][level]["blend"][0] for level in LEVELS},
    }
    ranker = Ranker(
        _by_case(fits["definitions"], names["definitions"]),
        _by_case(fits["files"], names["files"]),
        joint,
        several,
        threshold,
        fits["definitions"].trees,
        fits["files"].trees,
        surer,
    )
    return ranker, report


def _ranks(scores: NDArray[Any], lists: Lists) -> Doubles:
    """For each list (1 / rank of the first relevant row, found first?, found among three?), ties at random."""
    chance = np.random.default_rng(0)
    spans = [slice(int(low), int(high)) for low, high in zip(lists.start[:-1], lists.start[1:], strict=True)]
    return np.array([first_relevant(scores[span], lists.relevant[span], chance) for span in spans])


def _mean(fitted: Fit | None, held: Sequence[Lists]) -> Doubles:
    """Mean over repositories of the means over their lists."""
    each = [
        _ranks(np.zeros(len(lists.relevant)) if fitted is None else fitted.scores(lists), lists).mean(0)
        for lists in held
        if len(lists)
    ]
    return np.asarray(np.mean(each, 0))


def _each_by_its_own(fitted: Sequence[Fit], held: Sequence[Lists]) -> Doubles:
    """As ``_mean``, each repository by the model that stands beside it."""
    each = [_mean(one, [lists]) for one, lists in zip(fitted, held, strict=True) if len(lists)]
    return np.asarray(np.mean(each, 0))


def _by_case(fitted: Fit, names: Sequence[str]) -> dict[str, Case]:
    """The weights by case and name, those that move nothing left out."""
    record: dict[str, Case] = {}
    for case, row in zip(("always", *CASES), fitted.weights, strict=True):
        record[case] = {
            name: float(f"{weight:.4g}") for name, weight in zip(names, row, strict=True) if abs(weight) > 1e-5
        }
    return record


def _rounded(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 4) for value in values]


if __name__ == "__main__":
    main()
