"""Learns which past edits stand behind a predicted place: ``codewm_lsp.ranking.evidence_scorer``, on other histories.

    python -m codewm_model.ranking.evidence_fit --repos CLONES --cache FOLDER --model BUNDLE --output BUNDLE

``CLONES`` as for ``where_next_fit``. One edit of a past commit is revealed; for each other place that the commit
changed, the product's own relations of past edits to it are kept in the cache, with how like each was to the edit that
really came. A small network learns to give the likeliest ones the highest scores. Learnt on the train repositories;
the size, the worth of a commit that also changed something like the revealed edit, and the threshold are chosen on the
validation repositories. What it is worth is measured by E6 of ``codewm eval``. The report also says, from a chance on,
how many of the past edits that are named first are like the edit that came.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.hints.supporting import LARGEST
from codewm_lsp.history import Repository
from codewm_lsp.index.related import RELATIONS
from codewm_lsp.ranking.evidence_scorer import EvidenceScorer
from codewm_lsp.world_model import WorldModel
from codewm_model.data.replay import read_past
from codewm_model.evaluation.asked_places import AskedCommit, HistoryGallery
from codewm_model.evaluation.likeness import Likeness
from codewm_model.evaluation.repositories import sets
from codewm_model.ranking.fit_command import fit_parser, from_each_clone, put_beside_model
from codewm_model.ranking.linear_fit import logistic

VERSION: Final = 2  # of what is kept in the cache
UNITS: Final = 32
EPOCHS: Final = 8
RATE: Final = 2e-3
BATCH: Final = 32  # places
TEMPERATURE: Final = 0.07
CROSS: Final = 0.3  # share of the cross entropy in the loss
WORTH: Final = 0.1  # likeness that a commit which also changed something like the revealed edit is worth
BESIDES: Final = 0.25  # what likeness by unsigned words, and by vectors, counts beside that by signed words
LIKE: Final = 0.25  # score from which it did
FITS: Final = 0.2  # likeness from which a past edit fits a place
AGREES: Final = 0.4  # likeness by unsigned words from which it does as well, as one that did the contrary
TELLING_BY: Final = ("words, unsigned", "prediction", "commit")  # relations that tell it best, one after the other
POOR: Final = 0.1  # share of the first citations below the threshold that fit
FEWEST_POOR: Final = 20  # citations that such a share is taken of
SHOWN: Final = 3
FEWEST: Final = 240  # older edits that a commit is asked about with
ALONE: Final = ("prediction and edit", "prediction", "words, signed")  # the first is what 0.1.0 showed
_COMMIT: Final = RELATIONS.index("commit")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Past edits by place: ``values`` (n, R) and ``like`` (n, 3; signed words, unsigned words, vectors).

    Those of place i stand between ``bounds[i]`` and ``bounds[i + 1]``. ``commit`` names each place's, of all
    repositories."""

    values: NDArray[np.float16]
    like: NDArray[np.float32]
    bounds: NDArray[np.int64]
    commit: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @staticmethod
    def joined(several: Sequence[Pairs]) -> Pairs:
        """Those of several repositories."""
        lengths = np.concatenate([np.diff(one.bounds) for one in several])
        return Pairs(
            values=np.concatenate([one.values for one in several]),
            like=np.concatenate([one.like for one in several]),
            bounds=np.concatenate(([0], np.cumsum(lengths))),
            commit=np.concatenate([one.commit + 100_000 * number for number, one in enumerate(several)]),
        )


def mine(clone: Path, model: WorldModel, *, commits: int, seed: int = 0) -> Pairs | None:
    """The pairs of one history's newest commits; None where it has too few older edits."""
    with Repository.open(clone) as repository:
        past = read_past(repository, examples=commits)
    if not past.examples:
        return None
    gallery = HistoryGallery.of(past, past.examples[0])
    vectors = model.embed_edits([(edit.before, edit.after) for edit in gallery.edits])
    likeness = Likeness(gallery.edits)
    values, like, lengths, commit = [], [], [], []
    with gallery.index(past, vectors) as index:
        for position in past.examples:
            if len(gallery.older(position)) < FEWEST:
                continue
            asked = AskedCommit.of(past, position, gallery, model, seed)
            kept = [at for at in np.flatnonzero(asked.existed).tolist() if np.any(asked.truth[at])]
            places = [asked.places[at] for at in kept]
            editing = [(asked.revealed.path, asked.revealed.definition)]
            related = index.related(asked.revealed, asked.told[0], places, editing=editing, within=asked.within)
            for at, one in zip(kept, related, strict=True):
                words = likeness.to(asked.others[at])[one.rows]
                values.append(one.values.astype(np.float16))
                like.append(np.column_stack([words, vectors[one.rows] @ asked.truth[at]]).astype(np.float32))
                lengths.append(len(one.rows))
                commit.append(position)
    if not values:
        return None
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    return Pairs(np.concatenate(values), np.concatenate(like), bounds, np.array(commit))


def mined(clone: Path, cache: Path, name: str, model: WorldModel, *, commits: int) -> Pairs | None:
    """``mine``, kept in a folder."""
    key = json.dumps([VERSION, model.hash, RELATIONS, commits])
    file = cache / f"evidence-{name.replace('/', '+')}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if file.exists():
        with np.load(file, allow_pickle=False) as arrays:
            return Pairs(**{name: arrays[name] for name in ("values", "like", "bounds", "commit")})
    found = mine(clone, model, commits=commits)
    if found is not None:
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, values=found.values, like=found.like, bounds=found.bounds, commit=found.commit)
    return found


def fit(
    pairs: Pairs, *, seed: int, units: int = UNITS, epochs: int = EPOCHS, worth: float = WORTH, besides: float = BESIDES
) -> EvidenceScorer:
    """The scorer that these pairs teach, without a threshold."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    values = torch.from_numpy(pairs.values.astype(np.float32))
    shift, deviation = values.mean(0), values.std(0)
    scale = torch.where(deviation > 1e-6, 1 / deviation.clamp_min(1e-6), torch.zeros_like(deviation))
    first, second = torch.nn.Linear(values.shape[1], units), torch.nn.Linear(units, 1)
    network = torch.nn.Sequential(first, torch.nn.GELU(approximate="tanh"), second)
    signed, unsigned, cosine = torch.from_numpy(pairs.like).T
    goal = signed + besides * (unsigned + cosine) + worth * (values[:, _COMMIT] >= LIKE)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    batches = epochs * -(-len(pairs) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, batches)
    starts = torch.from_numpy(pairs.bounds)
    for _ in range(epochs):
        order = torch.randperm(len(pairs), generator=generator)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH].tolist()
            rows = torch.cat([torch.arange(int(starts[one]), int(starts[one + 1])) for one in some])
            lengths = [int(starts[one + 1] - starts[one]) for one in some]
            scores = network((values[rows] - shift) * scale)[:, 0]
            loss = torch.zeros(())
            for score, aim in zip(torch.split(scores, lengths), torch.split(goal[rows], lengths), strict=True):
                chosen = score.log_softmax(0)
                loss = loss - (chosen.exp() * aim).sum() - CROSS * ((aim / TEMPERATURE).softmax(0) * chosen).sum()
            optimiser.zero_grad()
            (loss / len(some)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return EvidenceScorer(
        shift=shift.numpy(),
        scale=scale.numpy(),
        first=first.weight.detach().numpy().T.copy(),
        first_bias=first.bias.detach().numpy().copy(),
        second=second.weight.detach().numpy()[0].copy(),
        second_bias=float(second.bias.detach()),
        threshold=-1e30,
    )


def measure(scorer: EvidenceScorer | _OneRelation, pairs: Pairs) -> dict[str, float]:
    """Mean and best likeness of the three past edits with the highest scores, by each likeness; see E6."""
    scores = scorer.scores(pairs.values.astype(np.float32))
    rows = []
    for start, stop in zip(pairs.bounds[:-1], pairs.bounds[1:], strict=True):
        top = start + np.argsort(-scores[start:stop], kind="stable")[:SHOWN]
        like, beside = pairs.like[top], pairs.values[top, _COMMIT] >= LIKE
        both = bool((beside & (like[:, 0] >= 0.3)).any())
        rows.append([*like.mean(0), *like.max(0), like[:, 0].max() >= 0.3, both])
    names = ("mean signed", "mean unsigned", "mean cosine", "best signed", "best unsigned", "best cosine")
    return dict(
        zip((*names, "best ≥ 0.3", "and from a commit like it"), np.mean(rows, 0).round(4).tolist(), strict=True)
    )


@dataclass(frozen=True, slots=True)
class _OneRelation:
    """Scores by one relation alone: what a scorer has to clear."""

    name: str

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values[:, RELATIONS.index(self.name)]


def threshold_of(scorer: EvidenceScorer, pairs: Pairs) -> tuple[float, list[tuple[float, float, float]]]:
    """The score below which fewer than one in ten of the first citations fit, and the curve: (score, share of the
    places with a citation, share of these that fit)."""
    scores = scorer.scores(pairs.values.astype(np.float32))
    spans = zip(pairs.bounds[:-1].tolist(), pairs.bounds[1:].tolist(), strict=True)
    first = np.array([start + int(np.argmax(scores[start:stop])) for start, stop in spans])
    order = first[np.argsort(-scores[first], kind="stable")]
    best, fits = scores[order], pairs.like[order, 0] >= FITS
    count = np.arange(1, len(order) + 1)
    below = np.cumsum(fits[::-1]) / count  # of the lowest 1, 2, 3 …
    poor = np.flatnonzero((below < POOR) & (count >= FEWEST_POOR))
    threshold = float(best[::-1][poor[-1]]) if len(poor) else float(best[-1])
    shares = np.cumsum(fits) / count
    steps = [round(share * (len(order) - 1)) for share in np.linspace(0.05, 1, 20)]
    return threshold, [(float(best[step]), (step + 1) / len(order), float(shares[step])) for step in steps]


@dataclass(frozen=True, slots=True, eq=False)
class Firsts:
    """The past edits that may be named first: of each place the one with the highest score, and its own of a commit
    that also changed what is being edited. ``agrees``: whether one is like the edit that came."""

    values: NDArray[np.float32]
    joint: NDArray[np.bool_]
    agrees: NDArray[np.bool_]

    @staticmethod
    def of(scorer: EvidenceScorer, pairs: Pairs) -> Firsts:
        """See the class."""
        scores = scorer.scores(pairs.values.astype(np.float32))
        column = {name: pairs.values[:, RELATIONS.index(name)] for name in ("own", "changed with it", "commit's size")}
        both = (column["own"] > 0) & (column["changed with it"] > 0) & (column["commit's size"] <= np.log1p(LARGEST))
        rows: list[int] = []
        joint: list[bool] = []
        for start, stop in zip(pairs.bounds[:-1].tolist(), pairs.bounds[1:].tolist(), strict=True):
            order = start + np.argsort(-scores[start:stop], kind="stable")
            together = order[both[order]][:1].tolist()
            rows += [int(order[0]), *together]
            joint += [False, *(True for _ in together)]
        like = pairs.like[rows]
        agrees = (like[:, 0] >= FITS) | (like[:, 1] >= AGREES)
        return Firsts(pairs.values[rows].astype(np.float32), np.array(joint), agrees)


def fit_telling(train: Firsts, held: Firsts) -> dict[str, Any]:
    """The weights of ``codewm_lsp.hints.supporting.chance_of_likeness``, and for each chance the share of the past
    edits that are named from it on and how many of these agree, of those best by score and of joint changes."""
    columns = [RELATIONS.index(name) for name in TELLING_BY]
    rows = np.column_stack([np.ones(len(train.values)), train.values[:, columns]]).astype(np.float64)
    bias, *weights = logistic(rows, train.agrees, np.ones(len(rows))).tolist()
    odds = bias + held.values[:, columns] @ np.array(weights)
    curve = []
    for chance in np.linspace(0.3, 0.6, 7).round(2).tolist():
        named = 1 / (1 + np.exp(-odds)) >= chance
        row: dict[str, float] = {"chance": chance}
        for name, of in (("best", ~held.joint), ("joint", held.joint)):
            some = named & of
            row |= {f"{name} named": float(some.sum() / max(1, of.sum())), f"{name} agree": _share(held.agrees[some])}
        curve.append(row)
    everything = {"best agree": _share(held.agrees[~held.joint]), "joint agree": _share(held.agrees[held.joint])}
    return {"weights": dict(zip(TELLING_BY, weights, strict=True)), "bias": bias, "all": everything, "curve": curve}


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if len(found) else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = fit_parser(
        "evidence_fit",
        "Fit the scorer of past edits.",
        train=sets()["train"],
        output="bundle to put the scorer into",
        report=True,
    )
    parser.add_argument("--model", type=Path, help="bundle whose vectors are used; the shipped one")
    parser.add_argument("--commits", type=int, default=60, help="newest commits asked about")
    parser.add_argument("--units", type=int, nargs="*", default=[UNITS])
    parser.add_argument("--worth", type=float, nargs="*", default=[WORTH])
    parser.add_argument("--epochs", type=int, nargs="*", default=[EPOCHS])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = WorldModel.load(options.model)
    by_name = {"held": _gather(options, sets()["validation"], model), "train": _gather(options, options.train, model)}
    train, held = (Pairs.joined(list(by_name[name].values())) for name in ("train", "held"))
    report: dict[str, Any] = {"train": list(by_name["train"]), "places": [len(train), len(held)], "validation": {}}
    report["by one relation"] = {name: measure(_OneRelation(name), held) for name in ALONE}
    tried: dict[str, list[EvidenceScorer]] = {}
    for units in options.units:
        for epochs in options.epochs:
            for worth in options.worth:
                name = f"units {units}, epochs {epochs}, worth {worth}"
                tried[name] = [fit(train, seed=seed, units=units, epochs=epochs, worth=worth) for seed in options.seeds]
                report["validation"][name] = [measure(scorer, held) for scorer in tried[name]]
                print(name, report["validation"][name], file=sys.stderr, flush=True)

    def worth_of(name: str) -> float:
        figures = report["validation"][name]
        return float(np.mean([one["best signed"] + one["and from a commit like it"] for one in figures]))

    report["chosen"] = max(tried, key=worth_of)
    scorer = tried[report["chosen"]][0]
    threshold, report["curve"] = threshold_of(scorer, held)
    scorer = replace(scorer, threshold=threshold)
    report["threshold"], report["bytes"] = threshold, len(scorer.to_bytes())
    report["telling"] = fit_telling(Firsts.of(scorer, train), Firsts.of(scorer, held))
    if options.output:
        about = {"evidence": {name: report[name] for name in ("train", "places", "chosen", "threshold")}}
        put_beside_model(options.output, about, evidence=scorer.to_bytes())
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


def _gather(options: argparse.Namespace, names: Sequence[str], model: WorldModel) -> dict[str, Pairs]:
    def mine_one(clone: Path, name: str) -> Pairs | None:
        pairs = mined(clone, options.cache, name, model, commits=options.commits)
        if pairs is not None:
            print(f"{name}: {len(pairs)} places, {len(pairs.values)} pairs", file=sys.stderr, flush=True)
        return pairs

    return from_each_clone(options.repos, names, mine_one)


if __name__ == "__main__":
    main()
