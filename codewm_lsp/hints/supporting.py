"""The past edits shown behind a predicted place."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.answers import SimilarEdit, joint_change, reasons_similar
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.index import Hit, Index, PredictedPlace
from codewm_lsp.index.related import RELATIONS, Related
from codewm_lsp.ranking.evidence_scorer import EvidenceScorer
from codewm_lsp.records import dataclass

EVIDENCE: Final = 3  # past edits shown behind a prediction
LOOKED_UP: Final = 32  # predictions of one answer whose relations to the past are looked up
FORESEEN: Final = 0.5  # how much the prediction counts beside the edit in progress
LARGEST: Final = 20  # edits of a commit of which it says something that it changed two definitions
LEVEL: Final = 1.0  # difference of the scores of two past edits that fit about equally well
TELLING: Final = 0.5  # chance of being like the edit to come from which a past edit is named in one line
_WEIGHTS: Final = {"words, unsigned": 2.46, "prediction": 1.57, "commit": 1.39}
_BIAS: Final = -2.12
"""Log-odds of that chance, learnt by ``codewm_model.ranking.evidence_fit``."""
_JOINT: Final = 4  # joint changes that are looked at: those that added the place do not count
_FITTING: Final = 8  # past edits that fit: one is named where another place names those before it
_COSINE: Final = RELATIONS.index("prediction and edit")
_SIZE: Final = RELATIONS.index("commit's size")


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """Which past edits fit a place best, and which of its own ones of commits that changed what is being edited do.

    Best first, as numbers among those with ``scores``.
    """

    fitting: list[int]
    joint: list[int]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SupportingEdits:
    """Finds past edits for places. ``scorer``: what was learnt about which of them fit."""

    index: Index
    scorer: EvidenceScorer

    def behind(
        self,
        places: Sequence[PredictedPlace],
        editing: Sequence[Edit],
        vector: NDArray[np.float32],
        within: Container[str],
    ) -> list[tuple[SimilarEdit, ...]]:
        """For each place the past edits to show, the one to cite first.

        ``editing``: the edits in progress, newest first; ``vector``: the embedding of the newest. Shown are those that
        were learnt to fit, and none where none does. The best of the place's own ones of a commit that also changed
        what is being edited comes before them: that it did is a fact. That it was added by one does not count, as the
        first commit of a file adds everything in it, nor does a commit of more than twenty edits. Of those that fit
        about equally well, one that no likelier place begins with comes first. Before all of these come the ones that
        are telling: likely to be like the edit to come. A commit is telling at one place: the one that it fits best, or
        the next best where that one has a likelier commit.
        """
        if not places:
            return []
        edited = [(edit.previous_path or edit.path, edit.definition) for edit in editing]
        related = self.index.related(editing[0], vector, places[:LOOKED_UP], editing=edited, within=within)
        chosen = [(one, self._best(one)) for one in related]
        rows = sorted({int(one.rows[at]) for one, best in chosen for at in (*best.fitting, *best.joint)})
        edits = dict(zip(rows, self.index.edits(rows), strict=True))
        pasts = [{at: edits[int(one.rows[at])] for at in (*best.fitting, *best.joint)} for one, best in chosen]
        both = [
            next((at for at in best.joint if past[at].kind is not EditKind.ADDED), None)
            for (_, best), past in zip(chosen, pasts, strict=True)
        ]
        named = _named_once(
            [
                {
                    at: (float(chance_of_likeness(one.values[at])), past[at].commit.sha)
                    for at in (*best.fitting, *([] if together is None else [together]))
                }
                for (one, best), past, together in zip(chosen, pasts, both, strict=True)
            ]
        )
        found: list[tuple[SimilarEdit, ...]] = []
        cited: set[int] = set()
        for place, (one, best), past, together, telling in zip(places, chosen, pasts, both, named, strict=False):
            cosines = {at: float(np.clip(one.values[at, _COSINE], -1, 1)) for at in past}
            fitting = [at for number, at in enumerate(best.fitting) if number < EVIDENCE or at in telling]
            order = [*([] if together is None else [together]), *(at for at in fitting if at != together)]
            order.sort(key=lambda at: at not in telling)
            if order and order[0] != together:
                least, tells = best.scores[order[0]] - LEVEL, order[0] in telling
                level = (at for at in order if (at in telling) == tells and best.scores[at] >= least)
                first = next((at for at in level if at != together and past[at].id not in cited), order[0])
                order = [first, *(at for at in order if at != first)]
            shown = order[:EVIDENCE]
            cited.update(past[at].id for at in shown[:1])
            found.append(
                tuple(
                    SimilarEdit(
                        past[at],
                        cosines[at],
                        (joint_change(edited[int(one.joint[at])], place.path),)
                        if at == together
                        else reasons_similar(Hit(past[at], cosines[at], cosines[at], 0.0, 0.0)),
                        at in telling,
                    )
                    for at in shown
                )
            )
        return found + [()] * (len(places) - len(found))

    def _best(self, related: Related) -> _Best:
        scores = self.scorer.scores(related.values)
        order = np.lexsort((related.rows, -scores))
        fitting = order[scores[order] >= self.scorer.threshold]
        together = (related.joint[order] >= 0) & (related.values[order, _SIZE] <= np.log1p(LARGEST))
        return _Best(fitting[:_FITTING].tolist(), order[together][:_JOINT].tolist(), scores)


def _named_once(places: Sequence[Mapping[int, tuple[float, str]]]) -> list[set[int]]:
    """The past edits that are named at each place, given the chance and the commit of each: each commit once.

    Named are those above the learnt chance. First each place has the likeliest commit that no other one has, then
    those that are left go where they fit best.
    """
    order = sorted(
        (-chance, number, at, sha)
        for number, place in enumerate(places)
        for at, (chance, sha) in place.items()
        if chance >= TELLING
    )
    named: list[set[int]] = [set() for _ in places]
    told: set[str] = set()
    for most in (1, EVIDENCE):
        for _, number, at, sha in order:
            if sha not in told and len(named[number]) < most:
                told.add(sha)
                named[number].add(at)
    return named


def chance_of_likeness(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The chance that past edits are like the edit to come, by their relations: (n, R) → (n,)."""
    odds = _BIAS + sum(weight * values[..., RELATIONS.index(name)] for name, weight in _WEIGHTS.items())
    return np.asarray(1 / (1 + np.exp(-odds)))


def wanted_of(predicted: NDArray[np.float32], revealed: NDArray[np.float32]) -> NDArray[np.float32]:
    """What past edits are near to: (N, D) predictions and (D,) of the edit in progress → (N, D), of length 1."""
    both = FORESEEN * predicted + revealed
    length = np.linalg.norm(both, axis=1, keepdims=True)
    return np.asarray(both / np.maximum(length, 1e-9), dtype=np.float32)
