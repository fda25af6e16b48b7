"""The question behind E6 and the fit of evidence: one edit of a commit revealed, and the other places it changes.

Past edits are looked for by the product's own index, in memory, which holds the newest edits of the history; row i of
it is edit i of the gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.excerpts import beginning
from codewm_lsp.history import CommitEdits, Edit, Repository, as_before
from codewm_lsp.index import Blend, Dismissals, EditLog, Index, PredictedPlace
from codewm_lsp.index.store import Identity
from codewm_lsp.source import VOCABULARY_HASH
from codewm_lsp.world_model import WorldModel
from codewm_model.data.replay import Past, recent_edits, shuffled

GALLERY: Final = 3_000  # edits of a repository that are embedded, the newest
PER_COMMIT: Final = 32  # of one commit


@dataclass(frozen=True, slots=True)
class HistoryGallery:
    """The newest edits of a history, newest first, and the position of each one's commit."""

    edits: tuple[Edit, ...]
    position: NDArray[np.int64]

    @classmethod
    def of(cls, past: Past, first: int) -> HistoryGallery:
        """From the commit at position ``first`` on."""
        edits: list[Edit] = []
        position: list[int] = []
        for at, (_, some) in enumerate(past.commits[first:], first):
            edits.extend(some[:PER_COMMIT])
            position.extend([at] * len(some[:PER_COMMIT]))
            if len(edits) >= GALLERY:
                break
        return cls(tuple(edits), np.array(position, dtype=np.int64))

    @classmethod
    def newest(cls, repository: Repository) -> HistoryGallery:
        """Of a repository that is not asked about itself."""
        edits: list[Edit] = []
        position: list[int] = []
        for at, commit in enumerate(repository.commits("HEAD")):
            edits.extend(commit.edits[:PER_COMMIT])
            position.extend([at] * len(commit.edits[:PER_COMMIT]))
            if len(edits) >= GALLERY:
                break
        return cls(tuple(edits), np.array(position, dtype=np.int64))

    def first(self, count: int) -> HistoryGallery:
        """The newest of them."""
        return HistoryGallery(self.edits[:count], self.position[:count])

    def older(self, position: int) -> NDArray[np.int64]:
        """The edits of the commits before."""
        return np.flatnonzero(self.position > position)

    def index(self, past: Past, vectors: NDArray[np.float32]) -> Index:
        """The index of these edits, with their embeddings (N, D)."""
        identity = Identity("gallery", "model", VOCABULARY_HASH, vectors.shape[1])
        index = Index(EditLog(identity, None), Dismissals(None), Blend())
        batch = []
        for position in np.unique(self.position).tolist():
            rows = np.flatnonzero(self.position == position)
            edits = tuple(self.edits[row] for row in rows.tolist())
            renames = tuple({(edit.previous_path, edit.path): None for edit in edits if edit.previous_path})
            commit = past.commits[position][0]
            batch.append((CommitEdits(commit, edits, None, renames), vectors[rows]))
        index.log.add(batch)
        return index


@dataclass(frozen=True, slots=True, eq=False)
class AskedCommit:
    """A commit of which one edit is revealed. ``told``: vectors of the revealed edit and the newest past ones.

    ``others``: what else it changed, with vectors ``truth`` and places as they are asked about. ``within``: the commits
    before. ``existed``: which of the places were there before.
    """

    position: int
    revealed: Edit
    told: NDArray[np.float32]
    others: Sequence[Edit]
    truth: NDArray[np.float32]
    places: Sequence[PredictedPlace]
    within: frozenset[str]
    existed: NDArray[np.bool_] = field(repr=False)

    @staticmethod
    def of(past: Past, position: int, gallery: HistoryGallery, model: WorldModel, seed: int) -> AskedCommit:
        """The commit at ``position``; the seed decides which of its edits is revealed."""
        commit, edits = past.commits[position]
        order = shuffled([as_before(edit) for edit in edits], commit.sha, seed)
        revealed, others = order[0], order[1:]
        recent = recent_edits(past, position, [revealed])
        vectors = model.embed_edits([(edit.before, edit.after) for edit in (*recent, *others)])
        told, truth = vectors[: len(recent)], vectors[len(recent) :]
        texts = [beginning(edit.before) for edit in others]
        predicted = model.predict_next(texts, told[:1]).edits  # as the product, which tells it edits in progress alone
        older = np.unique(gallery.position[gallery.older(position)]).tolist()
        return AskedCommit(
            position=position,
            revealed=revealed,
            told=told,
            others=others,
            truth=truth,
            places=[
                PredictedPlace(edit.path, edit.definition, text, vector)
                for edit, text, vector in zip(others, texts, predicted, strict=True)
            ],
            within=frozenset(past.commits[at][0].sha for at in older),
            existed=np.array([bool(edit.before) for edit in others]),
        )
