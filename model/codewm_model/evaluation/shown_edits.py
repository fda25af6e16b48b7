"""The past edits shown behind predicted places: how like the edit that came they are, and whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.excerpts import beginning
from codewm_lsp.hints.supporting import SupportingEdits, wanted_of
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import PredictedPlace
from codewm_lsp.ranking.ranker import Ranker, ordered, rank
from codewm_lsp.world_model import WorldModel
from codewm_model.data.replay import Example, Past, Sources, examples, left_over
from codewm_model.evaluation.asked_places import HistoryGallery
from codewm_model.evaluation.likeness import Likeness

SHOWN: Final = 3  # past edits behind a prediction
LIKE: Final = 0.3  # likeness (signed words) from which two edits are alike
LIKELIEST: Final = 5  # places whose first citations are compared
CITING: Final = 40  # commits asked about for that

LIKENESSES: Final = ("likeness", "unsigned words", "vectors")
FITTING: Final = "like it, of a like commit"
SAID: Final = "places with one"
OWN_CITATION: Final = "first citation of its own"
METRICS: Final = (
    *(f"{name}, mean of 3" for name in LIKENESSES),
    *(f"{name}, best of 3" for name in LIKENESSES),
    FITTING,
    SAID,
)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Past edits, newest first, that some may be shown of: their vectors and their words."""

    gallery: HistoryGallery
    vectors: NDArray[np.float32]
    words: Likeness

    def beside(self, edit: Edit) -> NDArray[np.bool_]:
        """Of which edits the commit also changed something else like this one, (N,)."""
        alike = self.words.to(edit)[:, 0] >= LIKE
        count = np.bincount(self.gallery.position, weights=alike)
        return count[self.gallery.position] - alike > 0

    def like(self, edit: Edit, vector: NDArray[np.float32]) -> NDArray[np.float64]:
        """Likeness of all to one: signed words, unsigned words, cosine of vectors, (N, 3)."""
        return np.column_stack([self.words.to(edit), self.vectors @ vector])


def qualities(rows: NDArray[np.int64], like: NDArray[np.float64], beside: NDArray[np.bool_]) -> tuple[float, ...]:
    """The values of ``METRICS`` of at most three past edits shown; where fewer are shown, the others count as 0."""
    shown = like[rows]
    best = shown.max(0) if len(rows) else np.zeros(shown.shape[1])
    fitting = bool((beside[rows] & (shown[:, 0] >= LIKE)).any())
    return (*(shown.sum(0) / SHOWN).tolist(), *best.tolist(), float(fitting), float(len(rows) > 0))


@dataclass(slots=True)
class Seen:
    """By system the ``qualities`` of what it shows for each place, and which places existed before."""

    found: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    existed: list[bool] = field(default_factory=list)


@dataclass(slots=True)
class Citations:
    """By system, for each of the likeliest places: has it a first citation of its own, and has it any?"""

    found: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, system: str, cited: Sequence[int | None]) -> None:
        """The first citations of the places of one answer."""
        times = Counter(cited)
        self.found.setdefault(system, []).extend(
            (float(one is not None and times[one] == 1), float(one is not None)) for one in cited
        )


def cite(
    repository: Repository,
    past: Past,
    positions: Sequence[int],
    gallery: HistoryGallery,
    vectors: NDArray[np.float32],
    model: WorldModel,
    ranker: Ranker,
    evidence: SupportingEdits,
    *,
    seed: int,
    systems: tuple[str, str],
) -> Citations:
    """What is cited first for the five likeliest places after one edit of each commit.

    ``systems``: the names of the product and of the nearest to prediction and edit together, which 0.1.0 showed.
    """
    found = Citations()
    for example in examples(repository, replace(past, examples=tuple(positions[:CITING]))):
        shown = example.revealing(example.shuffled(seed)[:1])
        if shown is None:
            continue
        (edit,) = shown[1]
        vector = model.embed_edits([(edit.before, edit.after)])
        places = likeliest(repository, shown[0], edit, model, ranker, vector)
        if len(places) < LIKELIEST:
            continue
        older = gallery.older(example.position)
        within = frozenset(past.commits[at][0].sha for at in np.unique(gallery.position[older]).tolist())
        behind = evidence.behind(places, [edit], vector[0], within)
        found.add(systems[0], [some[0].edit.row if some else None for some in behind])
        wanted = wanted_of(np.stack([place.predicted for place in places]), vector[0])
        found.add(systems[1], older[np.argmax(wanted @ vectors[older].T, axis=1)].tolist())
    return found


def likeliest(
    repository: Repository,
    example: Example,
    edit: Edit,
    model: WorldModel,
    ranker: Ranker,
    vector: NDArray[np.float32],
) -> list[PredictedPlace]:
    """The five places that the product puts first. ``vector``: the embedding of the edit in progress, (1, D)."""
    corpus = example.state.corpus
    sources = Sources(repository, example)

    ranking = rank(example.state, [edit], ranker)
    rows, _ = ordered(ranking, np.flatnonzero(left_over(example, [edit])))
    first = rows[:LIKELIEST].tolist()
    files = corpus.file[first].tolist()
    parsed = sources[sorted(set(files))]
    texts = [
        beginning(parsed[file][row - int(corpus.first[file])].source) for row, file in zip(first, files, strict=True)
    ]
    if not texts:
        return []
    predicted = model.predict_next(texts, vector).edits
    return [
        PredictedPlace(corpus.paths[corpus.file[row]], corpus.names[row], text, one)
        for row, text, one in zip(first, texts, predicted, strict=True)
    ]
