"""Past edits in their relations to an edit in progress and to a place that may be edited next.

Which past edit a person would want to see behind a predicted place depends on all three: on how like the edit in
progress it is, on how well it fits the text and the name of the place, and on what it is itself. Only the newest edits
of a history are looked at, and of these, for each place, the few that are first by one of the relations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.index.arrays import EditArrays, SearchRange
from codewm_lsp.index.blend import Blend
from codewm_lsp.index.lexicon import WEIGHTS, Terms
from codewm_lsp.index.matrix import Rows
from codewm_lsp.records import dataclass

NEWEST: Final = 12_000  # past edits that are looked at
FIRST: Final = 60  # by each relation that a past edit can be found by
PLACES: Final = 64  # of which is kept what past edits have to do with them

TO_THE_EDIT: Final = (
    "score",  # as of similar edits
    "cosine",
    "cosine, whitened",
    "words, signed",
    "words, unsigned",
    "place",
    "added as it adds",  # share of the edit's added words that the past one added
    "removed as it removes",
    "commit",  # best score of what else the commit of the past edit changed
    "changed with it",  # whether that commit changed a definition that is being edited
)
TO_THE_PLACE: Final = (
    "prediction",
    "prediction, whitened",
    "prediction and edit",
    "text",
    "removed of the text",  # share of the past edit's removed words that stand in the text
    "added of the text",
    "name and path",
    "own",  # whether it is an edit of this very definition
    "replayed",  # words, signed, of the edit in progress as far as the place has what it removes
    "removed here",  # the same of the removed words alone
)
ITSELF: Final = ("age", "words", "removed", "commit's size")
OF_THE_QUESTION: Final = ("edit's words", "edit's removed", "text's words", "edit's words in the text")
RELATIONS: Final = (*TO_THE_EDIT, *TO_THE_PLACE, *ITSELF, *OF_THE_QUESTION)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The newest edits of a range of commits, made ready for questions.

    ``rows`` ascending, so that the edits of a commit follow each other. The words of each as a vector of length 1:
    ``weights`` of ``terms`` between ``bounds``, below 0 for removed words. The words of their places likewise.
    """

    rows: NDArray[np.int64]  # (N,)
    vectors: Rows
    commits: NDArray[np.int64]  # (N,)
    terms: NDArray[np.int32]
    weights: NDArray[np.float32]
    bounds: NDArray[np.int64]  # (N + 1,)
    place: NDArray[np.int64]  # (N,), number among the places
    place_terms: NDArray[np.int32]
    place_weights: NDArray[np.float32]
    place_bounds: NDArray[np.int64]
    itself: NDArray[np.float32]  # (N, relations of the past edit itself)
    removed: NDArray[np.float32]  # (N,), weight of the removed words
    added: NDArray[np.float32]
    places: dict[tuple[str, str, str], KnownPlace] = field(default_factory=dict)  # by path, definition and text

    @staticmethod
    def of(arrays: EditArrays, asked: SearchRange, allowed: NDArray[np.bool_] | None) -> Window:
        """The newest edits among those allowed."""
        rows = _newest(arrays, asked, allowed)
        terms, weights, bounds = _words(arrays, rows, asked.words)
        places, place = np.unique(arrays.place_of.values[rows], return_inverse=True)
        place_terms, place_weights, place_bounds = _words(arrays, places.astype(np.int64), asked.places, places=True)
        commits = arrays.commit_of.values[rows].astype(np.int64)
        dates = arrays.dates.values[commits]
        _, ages = np.unique(-dates, return_inverse=True)
        sizes = np.bincount(commits) if len(commits) else np.zeros(1)
        removed = _sums(np.maximum(-weights, 0), bounds)
        added = _sums(np.maximum(weights, 0), bounds)
        share = removed / np.maximum(removed + added, 1e-9)
        itself = np.stack([np.log1p(ages), np.log1p(np.diff(bounds)), share, np.log1p(sizes[commits])], axis=1).astype(
            np.float32
        )
        return Window(
            rows=rows,
            vectors=arrays.matrix.stored(rows),
            commits=commits,
            terms=terms,
            weights=weights,
            bounds=bounds,
            place=place.reshape(-1).astype(np.int64),
            place_terms=place_terms,
            place_weights=place_weights,
            place_bounds=place_bounds,
            itself=itself,
            removed=removed,
            added=added,
        )

    def known(self, key: tuple[str, str, str], make: Callable[[], KnownPlace]) -> KnownPlace:
        """What is known of a place with this text. The last ones asked about are kept."""
        found = self.places.pop(key, None) or make()
        while len(self.places) >= PLACES:
            self.places.pop(next(iter(self.places)))
        self.places[key] = found
        return found

    def near(self, name: NDArray[np.float32]) -> NDArray[np.float32]:
        """How like a place, words by term, those of all edits are, (N,)."""
        return _sums(self.place_weights * name[self.place_terms], self.place_bounds)[self.place]


@dataclass(frozen=True, slots=True, eq=False)
class KnownPlace:
    """What past edits have to do with a place, whatever is being edited.

    ``stands``: which terms stand in its text; ``words``: how many words do. Of all edits how like its text (``text``)
    and how near its place (``named``) they are, (N,); ``own``: which are its own, oldest first.
    """

    stands: NDArray[np.bool_]
    words: int
    text: NDArray[np.float32]
    named: NDArray[np.float32]
    own: NDArray[np.int64]

    @staticmethod
    def of(
        window: Window, text: NDArray[np.float32], name: NDArray[np.float32], words: int, own: NDArray[np.int64]
    ) -> KnownPlace:
        """``text``, ``name``: the weights of the words by term, each of length 1; ``own``: rows of the index."""
        return KnownPlace(
            stands=text > 0,
            words=words,
            text=_sums(np.abs(window.weights) * text[window.terms], window.bounds),
            named=window.near(name),
            own=np.flatnonzero(np.isin(window.rows, own)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class AskedPlace:
    """A place with the vector of the edit that is predicted for it, and the same whitened."""

    known: KnownPlace
    predicted: NDArray[np.float32]
    whitened: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CurrentEdit:
    """The edit in progress: the weights of its words and of its place by term, each of length 1, and its vectors.

    ``commits``: for each of the definitions that are being edited those that changed it.
    """

    words: NDArray[np.float32]
    name: NDArray[np.float32]
    vector: NDArray[np.float32]
    whitened: NDArray[np.float32]
    commits: Sequence[NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Related:
    """Past edits for one place: their rows, (n,), and their relations, (n, R), in the order of ``RELATIONS``.

    ``joint``: of the place's own edits the number of the first definition being edited that their commit changed as
    well; -1 of all others.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float32]
    joint: NDArray[np.int64]


def by_term(terms: Terms, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights of a question's words by number of the term, of length 1."""
    found = np.zeros(len(idf), dtype=np.float32)
    weights = terms.weights * idf[terms.numbers]
    np.add.at(found, terms.numbers, weights)
    found[0] = 0  # counts in the length alone: no past edit has such a word
    return np.asarray(found / np.float32(max(float(np.linalg.norm(weights)), 1e-9)), dtype=np.float32)


def relate(window: Window, edit: CurrentEdit, places: Sequence[AskedPlace], blend: Blend) -> list[Related]:
    """For each place the past edits that may stand behind it."""
    if not len(window.rows):
        return [Related(window.rows, np.zeros((0, len(RELATIONS)), dtype=np.float32), window.rows) for _ in places]
    words = window.weights * edit.words[window.terms]
    signed, unsigned = _sums(words, window.bounds), _sums(np.abs(words), window.bounds)
    asked = np.stack([edit.vector, edit.whitened, *(one.predicted for one in places)])
    products = window.vectors.products(asked)  # (2 + places, N)
    near = window.near(edit.name)
    score = blend.meaning * products[1] + blend.signed * signed + blend.unsigned * unsigned + blend.place * near
    beside = _beside(score, window.commits)
    together = np.full(len(window.rows), -1, dtype=np.int64)
    for number, commits in reversed(list(enumerate(edit.commits))):
        together[np.isin(window.commits, commits)] = number
    to_the_edit = np.stack(
        [
            score,
            products[0],
            products[1],
            signed,
            unsigned,
            near,
            _shared(np.maximum(edit.words, 0), window, 1),
            _shared(np.maximum(-edit.words, 0), window, -1),
            beside,
            together >= 0,
        ],
        axis=1,
    ).astype(np.float32)
    common = distinct(np.concatenate([_first(column) for column in (score, products[0], signed, unsigned, beside)]))
    found = []
    for predicted, place in zip(products[2:], places, strict=True):
        known = place.known
        both = (0.5 * predicted + products[0]) / max(float(np.linalg.norm(0.5 * place.predicted + edit.vector)), 1e-9)
        ways = [_first(column) for column in (predicted, both, known.text, known.named, beside * (0.5 + known.named))]
        chosen = distinct(np.concatenate([common, known.own[-FIRST:], *ways]))
        own = np.isin(chosen, known.own)
        to_the_place = np.stack(
            [
                *(predicted[chosen], window.vectors.floats(chosen) @ place.whitened, both[chosen], known.text[chosen]),
                *_in_the_text(window, chosen, known),
                *(known.named[chosen], own),
                *_replayed(window, chosen, edit, known),
            ],
            axis=1,
        )
        values = np.concatenate(
            [
                to_the_edit[chosen],
                to_the_place.astype(np.float32),
                window.itself[chosen],
                np.tile(_question(edit, known), (len(chosen), 1)),
            ],
            axis=1,
        )
        joint = np.where(own, together[chosen], -1)
        found.append(Related(window.rows[chosen], values, joint))
    return found


def _newest(arrays: EditArrays, asked: SearchRange, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Rows of the newest edits that are allowed, whole commits."""
    commits = np.flatnonzero(asked.commits)
    commits = commits[np.lexsort((commits, -arrays.dates.values[commits]))]
    ends = np.append(arrays.first_rows.values, len(arrays))
    sizes = (ends[commits + 1] - ends[commits]).astype(np.int64)
    commits = commits[: int(np.searchsorted(np.cumsum(sizes), NEWEST, side="right")) or 1]
    rows = [np.arange(ends[commit], ends[commit + 1], dtype=np.int64) for commit in np.sort(commits).tolist()]
    found = np.concatenate([np.zeros(0, dtype=np.int64), *rows])[:NEWEST]
    return found if allowed is None else found[allowed[found]]


def _words(
    arrays: EditArrays, documents: NDArray[np.int64], idf: NDArray[np.float32], places: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """The terms of edits (or places), ascending, their weights in a vector of length 1, and where each begins."""
    terms, counts, lengths = [], [], []
    for segment in arrays.segments:
        first = segment.first_place if places else segment.first_row
        lexicon = segment.places if places else segment.words
        own = documents[(documents >= first) & (documents < first + len(lexicon))] - first
        found = lexicon.terms_of(own)
        terms.append(found[0])
        counts.append(found[1])
        lengths.append(found[2])
    term = np.concatenate(terms)
    bounds = np.concatenate(([0], np.cumsum(np.concatenate(lengths)))).astype(np.int64)
    weights = WEIGHTS[np.concatenate(counts).view(np.uint8)] * idf[term]
    length = np.repeat(np.sqrt(_sums(np.square(weights), bounds)), np.diff(bounds))
    return term, np.asarray(weights / np.maximum(length, 1e-9), dtype=np.float32), bounds


def _sums(values: NDArray[np.float32], bounds: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sum of each run ``values[bounds[i]:bounds[i + 1]]``."""
    result = np.zeros(len(bounds) - 1, dtype=np.float32)
    full = np.diff(bounds) > 0
    if full.any():
        result[full] = np.add.reduceat(values, bounds[:-1][full])
    return result


def _beside(score: NDArray[np.float32], commits: NDArray[np.int64]) -> NDArray[np.float32]:
    """For each edit the best score of the other edits of its commit; 0 where it is alone."""
    order = np.lexsort((-score, commits))
    first = np.r_[True, commits[order][1:] != commits[order][:-1]]
    starts = np.flatnonzero(first)
    second = np.zeros(len(starts), dtype=np.float32)
    several = np.diff(np.r_[starts, len(order)]) > 1
    second[several] = score[order[starts[several] + 1]]
    group = np.cumsum(first) - 1
    best = score[order[starts]][group]
    best[first] = second
    result = np.empty_like(score)
    result[order] = best
    return np.maximum(result, 0)


def _shared(words: NDArray[np.float32], window: Window, sign: int) -> NDArray[np.float32]:
    """The share of these words (weights by term) that each past edit has with this sign."""
    total = float(words.sum())
    found = _sums(np.where(window.weights * sign > 0, words[window.terms], np.float32(0)), window.bounds)
    return np.asarray(found / np.float32(max(total, 1e-9)), dtype=np.float32)


def _first(values: NDArray[np.float32]) -> NDArray[np.int64]:
    if len(values) <= FIRST:
        return np.arange(len(values))
    return np.argpartition(-values, FIRST)[:FIRST]


def _entries(window: Window, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the words of some edits stand, and where each one's begin among these."""
    lengths = window.bounds[chosen + 1] - window.bounds[chosen]
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    return np.repeat(window.bounds[chosen] - bounds[:-1], lengths) + np.arange(bounds[-1]), bounds


def _in_the_text(window: Window, chosen: NDArray[np.int64], place: KnownPlace) -> list[NDArray[np.float32]]:
    entries, bounds = _entries(window, chosen)
    weights = window.weights[entries] * place.stands[window.terms[entries]]
    removed = _sums(np.maximum(-weights, 0), bounds) / np.maximum(window.removed[chosen], 1e-9)
    added = _sums(np.maximum(weights, 0), bounds) / np.maximum(window.added[chosen], 1e-9)
    return [removed.astype(np.float32), added.astype(np.float32)]


def _replayed(
    window: Window, chosen: NDArray[np.int64], edit: CurrentEdit, place: KnownPlace
) -> list[NDArray[np.float32]]:
    here = np.where((edit.words < 0) & place.stands, edit.words, np.float32(0))
    entries, bounds = _entries(window, chosen)
    terms, weights = window.terms[entries], window.weights[entries]
    found = []
    for words in (here + np.maximum(edit.words, 0), here):
        length = max(float(np.linalg.norm(words)), 1e-9)
        found.append(_sums(weights * words[terms], bounds) / np.float32(length))
    return found


def _question(edit: CurrentEdit, place: KnownPlace) -> NDArray[np.float32]:
    removed = float(np.maximum(-edit.words, 0).sum())
    total = max(float(np.abs(edit.words).sum()), 1e-9)
    here = float(np.abs(edit.words[place.stands]).sum())
    values = [np.log1p(np.count_nonzero(edit.words)), removed / total, np.log1p(place.words), here / total]
    return np.array(values, dtype=np.float32)
