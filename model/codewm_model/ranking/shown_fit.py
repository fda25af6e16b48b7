"""Learns when a past edit is shown above an edit: the weights of ``codewm_lsp.hints.fitting``, on other histories.

    python -m codewm_model.ranking.shown_fit --repos CLONES --cache FOLDER

``CLONES`` as for ``reranker_fit``. Edits of a repository ask the edits of older commits, as the product does: finished,
half typed and with their first line alone. The first past edit of another definition, and the earlier edits of the same
one that made a kind of change in common, are held against the finished edit. They *fit* if two of four are so: the
words of both are alike, or they add some of those still to be typed; the vectors are near; they made the same kinds of
change; their commits changed another file in common. By words alone, what the chance is made of would decide whether it
is right. Each half of the train repositories is measured by what the other half taught, and the validation repositories
confirm it. The test repositories are never opened.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import CodewmError
from codewm_lsp.hints.engine import PRECEDENTS
from codewm_lsp.hints.fitting import CERTAIN, OTHERS, OWN, features, likeness_of_kinds, odds_of
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.index import Hit
from codewm_lsp.index.edit_words import words_of_edit
from codewm_lsp.index.reranker import CONSIDERED
from codewm_lsp.source import kinds_of_change
from codewm_model.evaluation import galleries
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.galleries import Draw
from codewm_model.evaluation.half_typed import half_typed
from codewm_model.evaluation.likeness import Likeness
from codewm_model.evaluation.measurement import Clone, EvaluatedModel
from codewm_model.evaluation.models import embed, load
from codewm_model.evaluation.repositories import find, newest_commits, sets
from codewm_model.evaluation.sibling_search import LARGEST, filled, words_to_come
from codewm_model.ranking.fit_command import fit_parser
from codewm_model.ranking.linear_fit import logistic

DRAW: Final = Draw("definitions, newest 3,000", LARGEST)
ASKING: Final = 200  # edits of a repository that ask
LIKE: Final = 0.3  # likeness of signed words, or share of the words to come, from which words are alike
NEAR: Final = 0.45  # cosine from which vectors are near
SAME: Final = 0.5  # share of the kinds of change from which two edits are of one kind
ENOUGH: Final = 2  # of the four likenesses, from which a past edit fits
THRESHOLDS: Final = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
MEASURES: Final = ("signed words", "unsigned words", "words to come", "vectors", "kinds", "another file in common")
FIELDS: Final = ("values", "measures", "own", "typed", "score")
_NAMES: Final = tuple(dict.fromkeys([*OTHERS, *OWN]))

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """Past edits that may be shown above edits: (n, features), (n, measures), and which is what."""

    values: Floats
    measures: Floats
    own: NDArray[np.bool_]
    typed: NDArray[np.bool_]
    score: Floats

    @staticmethod
    def joined(several: Sequence[Shown]) -> Shown:
        """Those of several repositories."""
        return Shown(*(np.concatenate([getattr(one, name) for one in several]) for name in FIELDS))

    def of(self, which: NDArray[np.bool_]) -> Shown:
        """Some of them."""
        return Shown(*(getattr(self, name)[which] for name in FIELDS))

    @property
    def alike(self) -> NDArray[np.bool_]:
        """Whether the words are alike, or they add some of those to come."""
        signed, to_come = (self.measures[:, MEASURES.index(name)] for name in ("signed words", "words to come"))
        return np.asarray((signed >= LIKE) | (to_come >= LIKE))

    @property
    def fits(self) -> NDArray[np.bool_]:
        """Whether enough of the likenesses say so."""
        near, same, together = (self.measures[:, MEASURES.index(name)] for name in MEASURES[3:])
        return np.asarray(self.alike + (near >= NEAR).astype(int) + (same >= SAME) + (together == 1) >= ENOUGH)


def gathered(clone: Clone, model: EvaluatedModel, cache: Cache) -> Shown:
    """What a repository teaches. Kept in the cache."""
    key = (clone.head, model.hash, ASKING, *_NAMES, code("source", "history", "world_model", "index", "hints"))
    file = cache.file("shown", clone.name, key, ".npz")
    kept = cache.read_arrays(file)
    if kept is None:
        rows = list(_gather(clone, model, cache))
        kept = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        cache.write_arrays(file, **kept)
    return Shown(*(kept[name] for name in FIELDS))


def _gather(clone: Clone, model: EvaluatedModel, cache: Cache) -> Iterable[dict[str, Any]]:
    commits = newest_commits(clone, LARGEST, cache)
    pool = [edit for commit in commits for edit in commit.edits]
    every = embed(model, clone, [(edit.before, edit.after) for edit in pool], cache)
    row_of = {id(edit): row for row, edit in enumerate(pool)}
    edits, gallery = galleries.newest(commits, DRAW)
    flat = [edit for own in edits for edit in own]
    vectors = every[[row_of[id(edit)] for edit in flat]]
    likeness = Likeness(flat)
    files: defaultdict[int, set[str]] = defaultdict(set)
    for row, edit in enumerate(flat):
        files[int(gallery.commit[row])].add(edit.path)
    with_past = [row for row, edit in enumerate(flat) if edit.after and gallery.commit[row] < 0.7 * len(edits)]
    asking = np.random.default_rng(0).permutation(with_past)[:ASKING].tolist()
    typed = [(row, part) for row in asking for part in half_typed(flat[row]) or ()]
    embedded = embed(model, clone, [(edit.before, edit.after) for _, edit in typed], cache)
    questions = [(row, flat[row], vectors[row]) for row in asking]
    questions += [(*one, vector) for one, vector in zip(typed, embedded, strict=True)]
    with filled(commits, edits, vectors) as index:
        for row, edit, vector in questions:
            at = int(gallery.commit[row])
            hits = index.search(edit, vector, k=CONSIDERED, exclude_definition=(edit.path, edit.definition))
            hits = [hit for hit in hits if gallery.commit[hit.edit.row] > at][:1]
            asked = kinds_of_change(edit.before, edit.after)
            found = [(hit, 0.0, False) for hit in hits if hit.score < CERTAIN]
            if edit.kind is EditKind.MODIFIED and edit.definition and asked:
                own = index.own_edits(edit, vector, k=DRAW.size)
                for hit in [hit for hit in own if gallery.commit[hit.edit.row] > at][:PRECEDENTS]:
                    past = flat[hit.edit.row]
                    alike = likeness_of_kinds(asked, kinds_of_change(past.before, past.after))
                    found += [(hit, alike, True)] if alike else []
            whole = flat[row]
            words, to_come = likeness.to(whole), words_to_come(whole, edit) if edit is not whole else set()
            for hit, alike, is_own in found:
                past_row = hit.edit.row
                besides = files[int(gallery.commit[past_row])] - {edit.path, hit.edit.path}
                here = files[at] - {edit.path}
                measures = (
                    *words[past_row],
                    _share(to_come, flat[past_row]),
                    vectors[past_row] @ vectors[row],
                    likeness_of_kinds(_kinds(whole), _kinds(flat[past_row])),
                    float(bool(besides & here)) if besides and here else np.nan,
                )
                yield _row(hit, alike, measures, own=is_own, typed=edit is not whole)


def _kinds(edit: Edit) -> frozenset[str]:
    return kinds_of_change(edit.before, edit.after)


def _share(to_come: set[str], past: Edit) -> float:
    adds = {word for word, count in words_of_edit(past).items() if count > 0}
    return len(to_come & adds) / len(to_come) if to_come else np.nan


def _row(hit: Hit, alike: float, measures: Sequence[float], *, own: bool, typed: bool) -> dict[str, Any]:
    assert hit.overlap is not None, "it is among the first"
    found = features(odds_of(hit.score), hit.overlap, alike)
    values = [found[name] for name in _NAMES]
    return {"values": values, "measures": measures, "own": own, "typed": typed, "score": hit.score}


def fit(shown: Shown, names: Sequence[str]) -> Floats:
    """The weights of these features."""
    columns = [_NAMES.index(name) for name in names]
    return logistic(shown.values[:, columns], shown.fits, np.ones(len(shown.fits)))


def chances(shown: Shown, names: Sequence[str], weights: Floats) -> Floats:
    """By such weights."""
    columns = [_NAMES.index(name) for name in names]
    found: Floats = 1 / (1 + np.exp(-shown.values[:, columns] @ weights))
    return found


def described(shown: Shown, which: NDArray[np.bool_]) -> dict[str, Any]:
    """How many these are, how many fit, and by each measure how like they are to what came."""
    measures = {
        name: round(float(np.nanmean(shown.measures[which, at])), 3)
        if (~np.isnan(shown.measures[which, at])).any()
        else None
        for at, name in enumerate(MEASURES)
    }
    shares = {"fit": shown.fits, "words alike": shown.alike}
    fits = {name: round(float(values[which].mean()), 3) if which.any() else None for name, values in shares.items()}
    return {"n": int(which.sum()), "share": round(float(which.mean()), 3), **fits, **measures}


def curve(shown: Shown, chance: Floats) -> dict[str, Any]:
    """By threshold; of other definitions' edits also those above 0.45 by the re-ranker alone, and as many by this."""
    found: dict[str, Any] = {}
    for least in THRESHOLDS:
        edge = (chance >= least) & (chance < least + 0.05)
        found[str(least)] = described(shown, chance >= least) | {"fit just above": described(shown, edge)["fit"]}
    before = shown.score >= 0.45
    if before.any():
        found["re-ranker, 0.45"] = described(shown, before)
        least = float(np.sort(chance)[-int(before.sum())])
        found[f"as many: {least:.3f}"] = described(shown, chance >= least)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """See the top of the file."""
    parser = fit_parser("shown_fit", "Fit when a similar edit is shown.", train=sets()["train"])
    options = parser.parse_args(arguments)
    cache = Cache(options.cache)
    (model,) = load(["shipped"])
    found: dict[str, list[Shown]] = {"train": [], "validation": []}
    for name, repositories in (("train", options.train), ("validation", sets()["validation"])):
        try:
            clones, left_out = find(options.repos, list(repositories), required=False)
        except CodewmError as error:
            sys.exit(f"error: {error}")
        for clone in clones:
            found[name].append(gathered(clone, model, cache))
            sys.stderr.write(f"{clone.name}: {len(found[name][-1].fits):,} past edits\n")
        for left, reason in left_out.items():
            sys.stderr.write(f"{left} left out: {reason}\n")
    report: dict[str, Any] = {"train": list(options.train)}
    every, held = Shown.joined(found["train"]), Shown.joined(found["validation"])
    halves = [Shown.joined(found["train"][start::2]) for start in range(2)]
    for what, names in (("other definitions", tuple(OTHERS)), ("the same definition", tuple(OWN))):
        own = what == "the same definition"
        weights = fit(every.of(every.own == own), names)
        part: dict[str, Any] = {"weights": dict(zip(names, weights.round(3).tolist(), strict=True))}
        crossed = []
        for half, other in zip(halves, reversed(halves), strict=True):
            learnt = fit(other.of(other.own == own), names)
            mine = half.of(half.own == own)
            crossed.append((mine, chances(mine, names, learnt)))
        mine = Shown.joined([one for one, _ in crossed])
        part["halves"] = _curves(mine, np.concatenate([chance for _, chance in crossed]))
        mine = held.of(held.own == own)
        part["validation"] = _curves(mine, chances(mine, names, weights))
        report[what] = part
    json.dump(report, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _curves(shown: Shown, chance: Floats) -> dict[str, Any]:
    return {
        "typed": curve(shown.of(shown.typed), chance[shown.typed]),
        "finished": curve(shown.of(~shown.typed), chance[~shown.typed]),
    }


if __name__ == "__main__":
    main()
