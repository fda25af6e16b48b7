"""Learns the re-ranker of ``codewm_lsp.index.reranker`` on the histories of other repositories.

    python -m codewm_model.ranking.reranker_fit --repos CLONES --cache FOLDER --output codewm_lsp/index/reranker.npz

``CLONES`` holds one clone per ``owner+name``, bare or not; they are only read. An edit of a repository asks its other
edits, as E4 of ``codewm eval`` does; finished edits ask, and the same ones half typed and with their first line alone.
Two things are learnt from the relations that the product's index computes: which past edits were made in the same
commit, and, of those of older commits alone, which are of use: whose words are like, or add what is still to be typed.
The former is what a person has once they have begun, the latter what they have before. Each half of the train
repositories is measured by what the other half taught, and what the log-odds say is fitted to that: how likely it is
that a past edit of an older commit fits. The validation repositories confirm it; the test repositories are never
opened.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import CodewmError
from codewm_lsp.history import Edit
from codewm_lsp.index import LEXICAL, Blend, Index
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.index.reranker import RELATIONS, STEP, Reranker
from codewm_model.evaluation import galleries
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.galleries import DEPTH, SIBLINGS, Draw
from codewm_model.evaluation.half_typed import half_typed
from codewm_model.evaluation.measurement import Clone, EvaluatedModel
from codewm_model.evaluation.models import embed, load
from codewm_model.evaluation.repositories import find, newest_commits, sets
from codewm_model.evaluation.sibling_search import LARGEST, SMALL, filled, words_to_come
from codewm_model.ranking.fit_command import fit_parser

DRAWS: Final = (SMALL, Draw("definitions, newest 3,000", LARGEST))
ASKING: Final = 240  # edits of a gallery that ask, drawn from all of them
TYPED: Final = 80  # of these that ask half typed, and with their first line alone, as well
WHOLE, HALF, FIRST = "whole", "half typed", "first line"
HIDDEN: Final = 96
EPOCHS: Final = 30
BATCH: Final = 64  # questions
RATE: Final = 3e-3
ELSEWHERE: Final = 0.5  # weight of finding a finished edit's sibling in another file, those of the same taken out
PAST: Final = 0.7  # weight of finding what is of use among older commits alone
TEMPERATURE: Final = 0.1  # of the use that these are drawn by
CROSS: Final = 0.3  # share of the cross-entropy in that
FITTING: Final = 0.3  # likeness of words, or share of the words to come, from which a past edit fits
THRESHOLDS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
_SIGNED: Final = RELATIONS.index("signed")
_NEVER: Final = -1e9  # log-odds of what is not to be drawn

Floats = NDArray[np.float32]
Scorer = Callable[["Asked"], Floats]


@dataclass(frozen=True, slots=True)
class Asked:
    """One edit that asks, and the (n,) past edits that the index considers.

    ``to_come``: the share of the words still to be typed that each of them adds; NaN where nothing is to come.
    """

    gallery: int
    what: str
    kind: str
    few: bool  # whether its commit has as many edits as E4 asks about
    relations: Floats  # (n, relations)
    siblings: NDArray[np.bool_]
    away: NDArray[np.bool_]  # siblings in another file
    older: NDArray[np.bool_]
    to_come: Floats


def gathered(clone: Clone, model: EvaluatedModel, cache: Cache) -> list[Asked]:
    """What a repository teaches. Kept in the cache."""
    key = (clone.head, model.hash, ASKING, TYPED, *RELATIONS, code("source", "history", "world_model", "index"))
    file = cache.file("reranker", clone.name, key, ".npz")
    kept = cache.read_arrays(file)
    if kept is None:
        found = list(_gather(clone, model, cache))
        kept = _packed(found)
        cache.write_arrays(file, **kept)
    return _unpacked(kept)


def _gather(clone: Clone, model: EvaluatedModel, cache: Cache) -> Iterable[Asked]:
    commits = newest_commits(clone, LARGEST, cache)
    pool = [edit for commit in commits for edit in commit.edits]
    every = embed(model, clone, [(edit.before, edit.after) for edit in pool], cache)
    row_of = {id(edit): row for row, edit in enumerate(pool)}
    sizes = {commit.commit.sha: len(commit.edits) for commit in commits}
    for draw in DRAWS:
        edits, gallery = galleries.newest(commits, draw)
        flat = [edit for own in edits for edit in own]
        vectors = every[[row_of[id(edit)] for edit in flat]]
        chosen = np.random.default_rng(0).permutation(len(flat))[:ASKING].tolist()
        questions: list[tuple[int, str, Edit, Floats]] = [(row, WHOLE, flat[row], vectors[row]) for row in chosen]
        made = [(row, parts) for row in chosen if (parts := half_typed(flat[row])) is not None][:TYPED]
        typed = [(row, what, edit) for row, parts in made for what, edit in zip((HALF, FIRST), parts, strict=True)]
        embedded = embed(model, clone, [(edit.before, edit.after) for _, _, edit in typed], cache)
        questions += [(*one, vector) for one, vector in zip(typed, embedded, strict=True)]
        adds = [{word for word, count in words_of_edit(edit).items() if count > 0} for edit in flat]
        with filled(commits, edits, vectors) as index:
            for row, what, edit, vector in questions:
                commit = flat[row].commit
                assert commit is not None
                few = sizes[commit.sha] in SIBLINGS
                yield _asked(index, gallery, flat, adds, draw.size, row, what, edit, vector, few=few)


def _asked(
    index: Index,
    gallery: galleries.Gallery,
    edits: Sequence[Edit],
    adds: Sequence[set[str]],
    size: int,
    row: int,
    what: str,
    edit: Edit,
    vector: Floats,
    *,
    few: bool,
) -> Asked:
    rows, relations = index.compared(edit, vector, exclude_definition=(edit.path, edit.definition))
    siblings = gallery.commit[rows] == gallery.commit[row]
    to_come = np.full(len(rows), np.nan, np.float32)
    if what != WHOLE and (wanted := words_to_come(edits[row], edit)):
        to_come[:] = [len(wanted & adds[past]) / len(wanted) for past in rows.tolist()]
    return Asked(
        size,
        what,
        edit.kind.value,
        few,
        relations,
        siblings,
        siblings & (gallery.path[rows] != gallery.path[row]),
        gallery.commit[rows] > gallery.commit[row],
        to_come,
    )


_LISTS: Final = ("relations", "siblings", "away", "older", "to_come")
_ONES: Final = ("gallery", "what", "kind", "few")


def _packed(found: Sequence[Asked]) -> dict[str, NDArray[Any]]:
    packed: dict[str, NDArray[Any]] = {name: np.array([getattr(one, name) for one in found]) for name in _ONES}
    for name in _LISTS:
        packed[name] = np.concatenate([getattr(one, name) for one in found])
    packed["relations"] = packed["relations"].astype(np.float16)
    packed["ends"] = np.cumsum([len(one.siblings) for one in found])
    return packed


def _unpacked(packed: dict[str, NDArray[Any]]) -> list[Asked]:
    ones = zip(*(packed[name].tolist() for name in _ONES), strict=True)
    lists = zip(*(np.split(packed[name], packed["ends"][:-1]) for name in _LISTS), strict=True)
    return [
        Asked(gallery, what, kind, few, relations.astype(np.float32), siblings, away, older, to_come)
        for (gallery, what, kind, few), (relations, siblings, away, older, to_come) in zip(ones, lists, strict=True)
    ]


# Learning


def use(one: Asked) -> Floats:
    """What each past edit is worth to who makes the edit: the likeness of its words, and the share of the words to come
    that it adds, of which the former is half where there is the latter."""
    alike = np.maximum(one.relations[:, _SIGNED], 0)
    found: Floats = np.where(np.isnan(one.to_come), alike, alike / 2 + one.to_come)
    return found


def fits(one: Asked) -> NDArray[np.bool_]:
    """Which past edits a reader would call like it: those whose words are, or that add what is to come."""
    return np.asarray((one.relations[:, _SIGNED] >= FITTING) | (one.to_come >= FITTING))


@dataclass(frozen=True, slots=True)
class _Lists:
    """Questions of one length each: (questions, past edits), of which the last ones of some are not ``there``."""

    relations: torch.Tensor
    there: torch.Tensor
    siblings: torch.Tensor
    away: torch.Tensor
    older: torch.Tensor
    use: torch.Tensor

    @staticmethod
    def of(asked: Sequence[Asked]) -> _Lists:
        width = max(len(one.siblings) for one in asked)

        def laid(values: Callable[[Asked], NDArray[Any]]) -> torch.Tensor:
            first = values(asked[0])
            laid_out = np.zeros((len(asked), width, *first.shape[1:]), first.dtype)
            for row, one in enumerate(asked):
                laid_out[row, : len(one.siblings)] = values(one)
            return torch.from_numpy(laid_out)

        return _Lists(
            relations=laid(lambda one: one.relations),
            there=laid(lambda one: np.ones(len(one.siblings), np.bool_)),
            siblings=laid(lambda one: one.siblings & one.few),
            away=laid(lambda one: one.away & one.few & (one.what == WHOLE)),
            older=laid(lambda one: one.older),
            use=laid(use),
        )

    def loss(self, odds: torch.Tensor, some: torch.Tensor) -> torch.Tensor:
        """Of some questions with these log-odds, (questions, past edits)."""
        there, siblings, away, older = (values[some] for values in (self.there, self.siblings, self.away, self.older))
        found = _first(odds, siblings, there) + ELSEWHERE * _first(odds, away, there & (~siblings | away))
        past = odds.masked_fill(~older, _NEVER).log_softmax(1)
        aim = self.use[some].masked_fill(~older, 0)
        wanted = (self.use[some] / TEMPERATURE).masked_fill(~older, _NEVER).softmax(1)
        worth = (past.exp() * aim).sum(1) + CROSS * (wanted * past.masked_fill(~older, 0)).sum(1)
        return (found - PAST * worth.where(older.any(1), torch.zeros(()))).sum()


def fit(
    asked: Sequence[Asked],
    *,
    hidden: int = HIDDEN,
    epochs: int = EPOCHS,
    seed: int = 0,
    without: Sequence[str] = (),
) -> Reranker:
    """A re-ranker by which siblings come first and, of what is older, what is of use; its log-odds are to be
    calibrated.

    ``without``: relations that it is not told.
    """
    told = np.array([name not in without for name in RELATIONS], np.float32)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    lists = _Lists.of([one for one in asked if one.older.any() or (one.few and one.siblings.any())])
    network = torch.nn.Sequential(torch.nn.Linear(len(RELATIONS), hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    count = len(lists.there)
    steps = max(1, epochs * (count // BATCH))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - 0.95 * step / steps)
    for _ in range(epochs):
        order = random.permutation(count)
        for begin in range(0, count - BATCH + 1, BATCH):
            some = torch.from_numpy(order[begin : begin + BATCH])
            odds = network(lists.relations[some] * torch.from_numpy(told)).squeeze(2)
            optimiser.zero_grad()
            (lists.loss(odds, some) / BATCH).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    first, last = network[0], network[2]
    assert isinstance(first, torch.nn.Linear)
    assert isinstance(last, torch.nn.Linear)
    return Reranker(
        first.weight.detach().numpy().T * told[:, None],
        first.bias.detach().numpy().copy(),
        last.weight.detach().numpy()[0].copy(),
        float(last.bias.detach()[0]),
    )


def _first(odds: torch.Tensor, sought: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
    """How far any of those sought is from being drawn first; 0 where none is sought."""
    far = torch.logsumexp(odds.masked_fill(~among, _NEVER), 1) - torch.logsumexp(odds.masked_fill(~sought, _NEVER), 1)
    return far.where(sought.any(1), torch.zeros(()))


def raw_odds(reranker: Reranker, relations: Floats) -> Floats:
    """Log-odds that are not in steps."""
    hidden = np.maximum(relations @ reranker.weights + reranker.bias, 0)
    found: Floats = hidden @ reranker.output + np.float32(reranker.offset)
    return found


def calibrated(reranker: Reranker, held: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[Reranker, float, float]:
    """The re-ranker with its log-odds stretched and moved to match (odds, whether they fit) of questions it was not
    learnt on."""
    odds = torch.from_numpy(np.concatenate([own for own, _ in held]).astype(np.float64))
    truth = torch.from_numpy(np.concatenate([fitting for _, fitting in held]).astype(np.float64))
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        found = torch.nn.functional.binary_cross_entropy_with_logits(line[0] * odds + line[1], truth)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = line.detach().tolist()
    stretched = dataclasses.replace(
        reranker, output=(reranker.output * slope).astype(np.float32), offset=reranker.offset * slope + offset
    )
    return stretched, slope, offset


SHOWN: Final = 3  # the likeliest past edits of a question, which calibration is about


def shown(one: Asked, odds: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Log-odds of those that a person sees, who has the past alone, and whether they fit."""
    older = np.flatnonzero(one.older)
    best = older[np.argsort(-odds[older], kind="stable")[:SHOWN]]
    return odds[best], fits(one)[best]


# Measuring


def by_blend(blend: Blend) -> Scorer:
    """The plain sum of some of the relations."""
    weights = np.zeros(len(RELATIONS), np.float32)
    for name in ("meaning", "signed", "unsigned", "place"):
        weights[RELATIONS.index(name)] = getattr(blend, name)
    return lambda one: one.relations @ weights


def by_reranker(reranker: Reranker) -> Scorer:
    """What the product ranks by."""
    return lambda one: reranker.odds(one.relations).astype(np.float32)


def reciprocal_rank(scores: Floats, sought: NDArray[np.bool_]) -> float:
    """Of the first that is sought, among those considered; ties count half."""
    if not sought.any():
        return 0.0
    best = scores[sought].max()
    rank = float((scores[~sought] > best).sum() + (scores[~sought] == best).sum() / 2)
    return 1 / (rank + 1) if rank < DEPTH else 0.0


def measured(asked: Sequence[Asked], score: Scorer) -> dict[str, float]:
    """Mean reciprocal ranks by gallery, by what is there of the edit and by its kind; and, with the past alone to
    choose from, the mean use of the first past edit, and how often it fits.

    Of siblings only where the product considers one; ``codewm eval`` measures all.
    """
    found: dict[str, list[float]] = {}
    for one in asked:
        odds = score(one)
        name = f"{one.gallery:,} {one.what}"
        if one.older.any():
            first = int(np.argmax(np.where(one.older, odds, -np.inf)))
            found.setdefault(f"{name}, past: use", []).append(float(use(one)[first]))
            found.setdefault(f"{name}, past: fits", []).append(float(fits(one)[first]))
        if not one.few or not one.siblings.any():
            continue
        rank = reciprocal_rank(odds, one.siblings)
        for key in (name, f"{name} {one.kind}"):
            found.setdefault(key, []).append(rank)
        if one.what == WHOLE and one.away.any():
            rivals = ~one.siblings | one.away
            found.setdefault(f"{one.gallery:,} elsewhere", []).append(reciprocal_rank(odds[rivals], one.away[rivals]))
    return {name: round(float(np.mean(values)), 4) for name, values in sorted(found.items())}


def _mean(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 3) if len(values) else None


def curve(asked: Sequence[tuple[Asked, Reranker]]) -> list[dict[str, float | None]]:
    """By threshold, with the past alone to choose from, as it is in use: the share of edits that have a lens, how many
    of these lenses fit, and, of half-typed edits, the share of the words to come that the best past edit adds.

    Each question with a re-ranker that was not learnt on it; of the larger gallery alone, as histories are."""
    rows: list[dict[str, float | None]] = []
    chance, fitting, to_come = [], [], []
    for one, reranker in asked:
        if one.gallery != LARGEST or not one.older.any():
            continue
        odds = reranker.odds(one.relations)
        at = int(np.argmax(np.where(one.older, odds, -np.inf)))
        chance.append(1 / (1 + np.exp(-odds[at])))
        fitting.append(bool(fits(one)[at]))
        to_come.append(float(one.to_come[at]))
    score, right, words = np.array(chance), np.array(fitting), np.array(to_come)
    typed = ~np.isnan(words)
    for threshold in THRESHOLDS:
        lens = score >= threshold
        rows.append(
            {
                "threshold": threshold,
                "shown": _mean(lens),
                "fit": _mean(right[lens]),
                "fit just above": _mean(right[lens & (score < threshold + 0.05)]),
                "words to come": _mean(words[lens & typed]),
                "words to come, not shown": _mean(words[~lens & typed]),
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """See the top of the file."""
    parser = fit_parser(
        "reranker_fit", "Fit what ranks similar edits anew.", output="file to write it into; without it, only measure"
    )
    parser.add_argument("--model", default="shipped", help="bundle whose vectors are compared (default: the shipped)")
    parser.add_argument(
        "--without",
        action="append",
        choices=RELATIONS,
        default=[],
        metavar="RELATION",
        help="what the network is not told, to see what it is worth; repeat it for several",
    )
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        halves, validation = _asked_by_all(options)
    except CodewmError as error:
        sys.exit(f"error: {error}")
    learning = {"hidden": options.hidden, "epochs": options.epochs, "seed": options.seed, "without": options.without}
    held: list[tuple[Floats, NDArray[np.bool_]]] = []
    by_other: list[tuple[Asked, Reranker]] = []
    report: dict[str, Any] = {"learning": learning, "halves": {}, "validation": {}}
    for number, half in enumerate(halves):
        other = fit(halves[1 - number], **learning)
        seen = [shown(one, raw_odds(other, one.relations)) for one in half if one.gallery == LARGEST]
        held.extend(seen)
        other, _, _ = calibrated(other, seen)
        by_other.extend((one, other) for one in half)
        report["halves"][f"half {number + 1} by the other"] = measured(half, by_reranker(other))
        report["halves"][f"half {number + 1}, blend of 0.1.0"] = measured(half, by_blend(Blend()))
        report["halves"][f"half {number + 1}, bar"] = measured(half, by_blend(LEXICAL))
    learnt, slope, offset = calibrated(fit([*halves[0], *halves[1]], **learning), held)
    report["calibration"] = {"slope": round(slope, 4), "offset": round(offset, 4), "step": STEP}
    scores = {"learnt": by_reranker(learnt), "blend of 0.1.0": by_blend(Blend()), "bar": by_blend(LEXICAL)}
    report["validation"] = {name: measured(validation, score) for name, score in scores.items()}
    report["curve"] = {"halves": curve(by_other), "validation": curve([(one, learnt) for one in validation])}
    if options.output is not None:
        data = learnt.to_bytes()
        options.output.write_bytes(data)
        report["bytes"] = len(data)
    json.dump(report, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _asked_by_all(options: argparse.Namespace) -> tuple[tuple[list[Asked], list[Asked]], list[Asked]]:
    """What the two halves of the train repositories ask, and the validation repositories."""
    cache = Cache(options.cache)
    (model,) = load([options.model])
    names = sets()
    found: dict[str, list[list[Asked]]] = {}
    for name in ("train", "validation"):
        clones, left_out = find(options.repos, names[name], required=False)
        for clone in clones:
            found.setdefault(name, []).append(gathered(clone, model, cache))
            sys.stderr.write(f"{clone.name}: {len(found[name][-1]):,} questions\n")
        for left, reason in left_out.items():
            sys.stderr.write(f"{left} left out: {reason}\n")
    halves = tuple([one for own in found["train"][start::2] for one in own] for start in range(2))
    return (halves[0], halves[1]), [one for own in found["validation"] for one in own]


if __name__ == "__main__":
    main()
