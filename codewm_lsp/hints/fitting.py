"""The chance that a past edit fits, by what it and the edit asked about changed alike.

What ranks similar edits knows how like two are, not what that rests on (``index.reranker``). One rare word in common
makes two edits as like as ten common ones do, and tells much less. So the chance that is shown, and that decides
whether anything is shown, also counts the words that both added or both removed, and which share of either edit they
are. The order within the index, by which siblings are found, stays as it is.

Earlier edits of the very definition are another matter. Most of them are about something else, whatever words they have
in common, but those that made the same kind of change tell best what else it takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from codewm_lsp.index import Hit
from codewm_lsp.index.overlap import Overlap
from codewm_lsp.index.reranker import CERTAIN as _SURE

CERTAIN: Final = 0.999  # chance from which it is the same edit
WORDS: Final = 15  # in common, beyond which more make no difference
ODDS: Final = -4.0, 3.0  # between which the re-ranker's log-odds count
OTHERS: Final = {"bias": -1.86, "odds": 0.66, "words": 0.57, "rarest": -0.44, "asked": 1.84, "past": 0.89}
OWN: Final = {"bias": 0.28, "odds": 2.61, "kinds": 2.70}
"""Weights of ``features``, learnt by ``codewm_model.ranking.shown_fit``."""


def features(odds: float, overlap: Overlap, kinds: float = 0.0) -> dict[str, float]:
    """What the chance is made of. ``odds``: the re-ranker's; ``kinds``: ``likeness_of_kinds``."""
    return {
        "bias": 1.0,
        "odds": min(max(odds, ODDS[0]), ODDS[1]),
        "words": math.log1p(min(overlap.words, WORDS)),
        "rarest": overlap.rarest,
        "asked": overlap.asked,
        "past": overlap.past,
        "kinds": kinds,
    }


def likeness_of_kinds(asked: frozenset[str], past: frozenset[str]) -> float:
    """The share of all kinds of change that both edits made."""
    return len(asked & past) / max(1, len(asked | past))


def fitting(hits: Sequence[Hit]) -> list[Hit]:
    """Edits of other definitions with these chances as their scores; the same edit made elsewhere stays certain.

    Of what comes after the first ones of a long answer it is not known what they have in common: none is likelier there
    than any of the first.
    """
    found, known, were = [], [], []
    for hit in hits:
        if hit.overlap is not None and hit.score < CERTAIN:
            were.append(hit.score)
            hit = replace(hit, score=_chance(OTHERS, features(odds_of(hit.score), hit.overlap)))
            known.append(hit.score)
        elif hit.overlap is None and known:
            hit = replace(hit, score=hit.score * min(1.0, min(known) / max(min(were), 1e-9)))
        found.append(hit)
    return found


def own_chance(hit: Hit, kinds: float) -> float:
    """Of an earlier edit of the very definition."""
    assert hit.overlap is not None, "it is computed of all of these"
    return _chance(OWN, features(odds_of(hit.score), hit.overlap, kinds))


def _chance(weights: dict[str, float], found: dict[str, float]) -> float:
    return 1 / (1 + math.exp(-sum(weight * found[name] for name, weight in weights.items())))


def odds_of(score: float) -> float:
    if not 0 < score < 1:
        return math.copysign(_SURE, score - 0.5)
    return math.log(score / (1 - score))
