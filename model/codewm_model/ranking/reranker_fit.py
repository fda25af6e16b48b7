"""Learns the re-ranker of ``codewm_lsp.index.reranker`` on the histories of other repositories.

    python -m codewm_model.ranking.reranker_fit --repos CLONES --cache FOLDER --output codewm_lsp/index/reranker.npz

``CLONES`` holds one clone per ``owner+name``, bare or not; they are only read. An edit of a repository asks its other
edits, as E4 of ``codewm eval`` does; what is learnt is which of them were made in the same commit, from the relations
that the product's index computes. Finished edits ask, and the same ones half typed and with their first line alone.
Each half of the train repositories is measured by what the other half taught. That says what the log-odds are worth,
too, from edits without a sibling as well, for which nothing fits. The validation repositories confirm it; the test
repositories are never opened.
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
from codewm_lsp.index.reranker import RELATIONS, STEP, Reranker
from codewm_lsp.index.words import words_of_edit
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
HIDDEN: Final = 24
EPOCHS: Final = 12
BATCH: Final = 32  # questions
RATE: Final = 3e-3
ELSEWHERE: Final = 0.5  # weight of finding a finished edit's sibling in another file, those of the same taken out

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


def fit(
    asked: Sequence[Asked],
    *,
    hidden: int = HIDDEN,
    epochs: int = EPOCHS,
    seed: int = 0,
    without: Sequence[str] = (),
) -> Reranker:
    """A re-ranker by which siblings come first; its log-odds are to be calibrated.

    ``without``: relations that it is not told.
    """
    told = np.array([name not in without for name in RELATIONS], np.float32)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    data = [
        (
            torch.from_numpy(one.relations * told),
            torch.from_numpy(one.siblings),
            torch.from_numpy(one.away & (one.what == WHOLE)),
        )
        for one in asked
        if one.few and one.siblings.any()
    ]
    network = torch.nn.Sequential(torch.nn.Linear(len(RELATIONS), hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    steps = max(1, epochs * (len(data) // BATCH))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - 0.95 * step / steps)
    for _ in range(epochs):
        order = random.permutation(len(data))
        for begin in range(0, len(order) - BATCH + 1, BATCH):
            batch = [data[place] for place in order[begin : begin + BATCH]]
            odds = network(torch.cat([relations for relations, _, _ in batch])).squeeze(1)
            loss = torch.zeros(())
            for own, (_, siblings, away) in zip(odds.split([len(one[0]) for one in batch]), batch, strict=True):
                loss = loss + _first(own, siblings)
                if away.any():
                    rivals = ~siblings | away
                    loss = loss + ELSEWHERE * _first(own[rivals], away[rivals])
            optimiser.zero_grad()
            (loss / BATCH).backward()  # type: ignore[no-untyped-call]
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


def _first(odds: torch.Tensor, sought: torch.Tensor) -> torch.Tensor:
    """How far any of those sought is from being drawn first."""
    return torch.logsumexp(odds, 0) - torch.logsumexp(odds[sought], 0)


def raw_odds(reranker: Reranker, relations: Floats) -> Floats:
    """Log-odds that are not in steps."""
    hidden = np.maximum(relations @ reranker.weights + reranker.bias, 0)
    found: Floats = hidden @ reranker.output + np.float32(reranker.offset)
    return found


def calibrated(reranker: Reranker, held: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[Reranker, float, float]:
    """The re-ranker with its log-odds stretched and moved to fit (odds, siblings) of questions it was not learnt on."""
    odds = torch.from_numpy(np.concatenate([own for own, _ in held]).astype(np.float64))
    truth = torch.from_numpy(np.concatenate([siblings for _, siblings in held]).astype(np.float64))
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
    """Log-odds of those that a person sees, and whether they are siblings."""
    best = np.argsort(-odds, kind="stable")[:SHOWN]
    return odds[best], one.siblings[best]


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
    """Mean reciprocal ranks by gallery, by what is there of the edit and by its kind, and with how many questions.

    Only of edits of which the product considers a sibling; ``codewm eval`` measures all.
    """
    found: dict[str, list[float]] = {}
    for one in asked:
        if not one.few or not one.siblings.any():
            continue
        odds = score(one)
        rank = reciprocal_rank(odds, one.siblings)
        for name in (one.what, f"{one.what} {one.kind}"):
            found.setdefault(f"{one.gallery:,} {name}", []).append(rank)
        if one.what == WHOLE and one.away.any():
            rivals = ~one.siblings | one.away
            found.setdefault(f"{one.gallery:,} elsewhere", []).append(reciprocal_rank(odds[rivals], one.away[rivals]))
    return {name: round(float(np.mean(ranks)), 4) for name, ranks in sorted(found.items())}


def _mean(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 3) if len(values) else None


def curve(asked: Sequence[Asked], reranker: Reranker) -> list[dict[str, float | None]]:
    """By threshold: the share of edits that have a lens, how many of these lenses name a sibling; and, half typed and
    with the past alone to choose from, the share of the words to come that the best past edit adds."""
    rows: list[dict[str, float | None]] = []
    best: list[tuple[float, bool]] = []
    past: list[tuple[float, float]] = []
    for one in asked:
        chances = 1 / (1 + np.exp(-reranker.odds(one.relations)))
        if one.what == WHOLE:
            at = int(np.argmax(chances)) if len(chances) else -1
            best.append((float(chances[at]), bool(one.siblings[at])) if at >= 0 else (0.0, False))
        elif one.older.any() and not np.isnan(one.to_come).any():
            at = int(np.argmax(np.where(one.older, chances, -1)))
            past.append((float(chances[at]), float(one.to_come[at])))
    certain, right = np.array([c for c, _ in best]), np.array([r for _, r in best])
    score, words = np.array([c for c, _ in past]), np.array([w for _, w in past])
    for threshold in (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8):
        lens, typed = certain >= threshold, score >= threshold
        rows.append(
            {
                "threshold": threshold,
                "shown": _mean(lens),
                "siblings": _mean(right[lens]),
                "siblings just above": _mean(right[lens & (certain < threshold + 0.05)]),
                "shown, past alone": _mean(typed),
                "words to come": _mean(words[typed]),
                "words to come, not shown": _mean(words[~typed]),
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
    report: dict[str, Any] = {"learning": learning, "halves": {}, "validation": {}}
    for number, half in enumerate(halves):
        other = fit(halves[1 - number], **learning)
        held.extend(shown(one, raw_odds(other, one.relations)) for one in half)
        report["halves"][f"half {number + 1} by the other"] = measured(half, by_reranker(other))
        report["halves"][f"half {number + 1}, blend of 0.1.0"] = measured(half, by_blend(Blend()))
        report["halves"][f"half {number + 1}, bar"] = measured(half, by_blend(LEXICAL))
    learnt, slope, offset = calibrated(fit([*halves[0], *halves[1]], **learning), held)
    report["calibration"] = {"slope": round(slope, 4), "offset": round(offset, 4), "step": STEP}
    scores = {"learnt": by_reranker(learnt), "blend of 0.1.0": by_blend(Blend()), "bar": by_blend(LEXICAL)}
    report["validation"] = {name: measured(validation, score) for name, score in scores.items()}
    report["curve"] = curve(validation, learnt)
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
