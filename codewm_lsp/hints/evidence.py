"""The past edits shown behind a predicted place."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.answers import SimilarEdit, joint_change, reasons_similar
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.index import Hit, Index, Place
from codewm_lsp.index.related import RELATIONS, Related
from codewm_lsp.ranking.evidence import EvidenceScorer

EVIDENCE: Final = 3  # past edits shown behind a prediction
LOOKED_UP: Final = 32  # predictions of one answer whose relations to the past are looked up
FORESEEN: Final = 0.5  # how much the prediction counts beside the edit in progress
_JOINT: Final = 4  # joint changes that are looked at: those that added the place do not count
_COSINE: Final = RELATIONS.index("prediction and edit")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Finds past edits for places. ``scorer``: what was learnt about which of them fit."""

    index: Index
    scorer: EvidenceScorer

    def behind(
        self,
        places: Sequence[Place],
        editing: Sequence[Edit],
        vector: NDArray[np.float32],
        within: Container[str],
    ) -> list[tuple[SimilarEdit, ...]]:
        """For each place the past edits to show, the one to cite first.

        ``editing``: the edits in progress, newest first; ``vector``: the embedding of the newest. Shown are those that
        were learnt to fit, and none where none does. The best of the place's own ones of a commit that also changed
        what is being edited comes before them: that it did is a fact. That it was added by one does not count, as the
        first commit of a file adds everything in it.
        """
        if not places:
            return []
        edited = [(edit.previous_path or edit.path, edit.definition) for edit in editing]
        related = self.index.related(editing[0], vector, places[:LOOKED_UP], editing=edited, within=within)
        chosen = [(one, *self._best(one)) for one in related]
        rows = sorted({int(one.rows[at]) for one, best, joint in chosen for at in (*best, *joint)})
        edits = dict(zip(rows, self.index.edits(rows), strict=True))
        found: list[tuple[SimilarEdit, ...]] = []
        for one, best, joint in chosen:
            past = {at: edits[int(one.rows[at])] for at in (*best, *joint)}
            cosines = {at: float(np.clip(one.values[at, _COSINE], -1, 1)) for at in past}
            leading = next((at for at in joint if past[at].kind is not EditKind.ADDED), None)
            shown = [
                SimilarEdit(past[at], cosines[at], reasons_similar(Hit(past[at], cosines[at], cosines[at], 0.0, 0.0)))
                for at in best
                if at != leading
            ]
            if leading is not None:
                why = joint_change(edited[int(one.joint[leading])])
                shown.insert(0, SimilarEdit(past[leading], cosines[leading], (why,)))
            found.append(tuple(shown[:EVIDENCE]))
        return found + [()] * (len(places) - len(found))

    def _best(self, related: Related) -> tuple[list[int], list[int]]:
        """Which past edits fit best, and which of the place's own of commits that changed what is being edited."""
        scores = self.scorer.scores(related.values)
        order = np.lexsort((related.rows, -scores))
        fitting = order[scores[order] >= self.scorer.threshold]
        return fitting[:EVIDENCE].tolist(), order[related.joint[order] >= 0][:_JOINT].tolist()


def wanted_of(predicted: NDArray[np.float32], revealed: NDArray[np.float32]) -> NDArray[np.float32]:
    """What past edits are near to: (N, D) predictions and (D,) of the edit in progress → (N, D), of length 1."""
    both = FORESEEN * predicted + revealed
    length = np.linalg.norm(both, axis=1, keepdims=True)
    return np.asarray(both / np.maximum(length, 1e-9), dtype=np.float32)
