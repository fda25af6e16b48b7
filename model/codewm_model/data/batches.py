"""Corpora → batches. Every batch is a function of (seed, stage, step), so that a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codewm_model.data.repository_corpus import RepositoryCorpus
from codewm_model.settings.stages import STAGES


class Dataset:
    """Several repositories' edits under one numbering: edit i, state s (a definition's text).

    ``commit`` is unique over repositories and ascends from the newest commit of the first one on; ``held_out`` marks
    edits that are never trained on.
    """

    def __init__(self, corpora: Sequence[RepositoryCorpus], *, hold_out: float = 0.0) -> None:
        self.corpora = list(corpora)
        sizes = np.array([len(c) for c in corpora])
        state_sizes = np.array([c.states_count for c in corpora])
        commit_sizes = np.array([len(c.commits) for c in corpora])
        self.edit_start = np.concatenate([[0], np.cumsum(sizes)])
        self.state_start = np.concatenate([[0], np.cumsum(state_sizes)])
        self.commit_start = np.concatenate([[0], np.cumsum(commit_sizes)])
        self.repository = np.repeat(np.arange(len(corpora)), sizes)
        self.commit = np.concatenate([c.commit + s for c, s in zip(corpora, self.commit_start, strict=False)])
        self.path = np.concatenate([c.path for c in corpora])
        self.definition = np.concatenate([c.path ^ (c.definition << 1) for c in corpora])
        self.states = np.concatenate([c.states + s for c, s in zip(corpora, self.state_start, strict=False)])
        self.action = np.concatenate([c.action for c in corpora])
        self.held_out = np.concatenate([np.arange(len(c)) + c.first < int(hold_out * c.total) for c in corpora])
        self._commit_rows = _rows_by_value(self.commit)
        self.successor = _successors(self)

    def __len__(self) -> int:
        return len(self.commit)

    @property
    def states_count(self) -> int:
        """How many states there are in all."""
        return int(self.state_start[-1])

    def rows_of_commit(self, commit: int) -> NDArray[np.int64]:
        """Edits of a commit."""
        return self._commit_rows.get(commit, np.zeros(0, np.int64))

    def locate(self, rows: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Split global edit rows by repository: (repository, positions in ``rows``, local rows)."""
        which = self.repository[rows]
        return [(int(r), np.flatnonzero(which == r), rows[which == r] - self.edit_start[r]) for r in np.unique(which)]

    def structures(self, states: NDArray[np.int64]) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
        """Token ids and depths of some states, an array of each for every state."""
        which = np.searchsorted(self.state_start, states, side="right") - 1
        ids, depths = [], []
        for repository, state in zip(which.tolist(), states.tolist(), strict=True):
            corpus = self.corpora[repository]
            local = state - self.state_start[repository]
            tokens = slice(int(corpus.structure_offsets[local]), int(corpus.structure_offsets[local + 1]))
            ids.append(corpus.structure_ids[tokens])
            depths.append(corpus.structure_depths[tokens])
        return ids, depths

    def lengths(self, states: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of some states."""
        which = np.searchsorted(self.state_start, states, side="right") - 1
        out = np.zeros(len(states), np.int64)
        for repository in np.unique(which):
            pick = which == repository
            offsets = self.corpora[repository].structure_offsets
            local = states[pick] - self.state_start[repository]
            out[pick] = offsets[local + 1] - offsets[local]
        return out


def _rows_by_value(values: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    order = np.argsort(values, kind="stable")
    edges = np.flatnonzero(np.diff(values[order])) + 1
    return {int(values[rows[0]]): rows for rows in np.split(order, edges) if len(rows)}


def _successors(data: Dataset) -> NDArray[np.int64]:
    """For every edit the next, newer one of its chain (the same definition, from where it ended), or -1."""
    after: dict[tuple[int, int], int] = {}
    successor = np.full(len(data), -1, np.int64)
    for row in range(len(data)):  # newest first, so that what begins at a state is known before what ends there
        before_state, after_state = data.states[row].tolist()
        key = int(data.definition[row])
        successor[row] = after.get((key, after_state), -1)
        after[(key, before_state)] = row
    return successor


def generator(seed: int, stage: str, step: int) -> np.random.Generator:
    """The random numbers of one step."""
    return np.random.default_rng([seed, STAGES.index(stage), step])


@dataclass(slots=True)
class Windows:
    """Windows of chains: edit rows (B, W), -1 where a chain has ended; the rest of the batch are siblings (W = 1)."""

    rows: NDArray[np.int64]


class TransitionSampler:
    """Half of a batch are windows of chains, half are siblings of a few commits of one repository each.

    Without ``siblings`` all of it are windows. ``longest``: only definitions of so many tokens (0: any).
    """

    def __init__(
        self, data: Dataset, batch: int, window: int, commits_window: int, *, siblings: bool = True, longest: int = 0
    ) -> None:
        self.data, self.window = data, window
        self.usable = ~data.held_out
        if longest:
            self.usable &= data.lengths(data.states.reshape(-1)).reshape(-1, 2).max(1) <= longest
        chained = np.flatnonzero(self.usable & (data.successor >= 0))
        self.chained = chained if len(chained) else np.flatnonzero(self.usable)
        self.starts = batch // 2 if siblings else batch
        self.siblings = SiblingSampler(data, max(4, batch // 2), 2, commits_window) if siblings else None

    def sample(self, random: np.random.Generator) -> Windows:
        """Edit rows of one batch."""
        starts = random.choice(self.chained, self.starts)
        siblings = self.siblings.sample(random) if self.siblings else starts[:0]
        siblings = siblings[self.usable[siblings]]
        rows = np.full((len(starts) + len(siblings), self.window), -1, np.int64)
        rows[:, 0] = np.concatenate([starts, siblings])
        for step in range(1, self.window):
            previous = rows[: len(starts), step - 1]
            following = np.where(previous >= 0, self.data.successor[previous], -1)
            unusable = (following >= 0) & ~self.usable[following]
            rows[: len(starts), step] = np.where(unusable, -1, following)
        return Windows(rows)


class SiblingSampler:
    """Commits with 2 to 20 edits, neighbours in the history of one repository, two or three edits of each."""

    def __init__(self, data: Dataset, batch: int, repositories: int, commits_window: int) -> None:
        self.data, self.batch, self.near = data, batch, commits_window
        self.repositories = repositories
        self.commits: list[NDArray[np.int64]] = []
        for number in range(len(data.corpora)):
            found = [
                commit
                for commit in range(int(data.commit_start[number]), int(data.commit_start[number + 1]))
                if 2 <= len(rows := data.rows_of_commit(commit)) <= 20 and not data.held_out[rows].any()
            ]
            self.commits.append(np.array(found, np.int64))
        sizes = np.array([len(c) for c in self.commits], np.float64)
        if not sizes.sum():
            from codewm_lsp.errors import TrainingError

            raise TrainingError("no commit changes 2 to 20 definitions: there is nothing to learn siblings from")
        self.share = np.sqrt(sizes) / np.sqrt(sizes).sum()

    def sample(self, random: np.random.Generator) -> NDArray[np.int64]:
        """About ``batch`` edit rows."""
        count = min(self.repositories, int((self.share > 0).sum()))
        chosen = random.choice(len(self.commits), count, replace=False, p=self.share)
        rows: list[int] = []
        for repository in chosen:
            commits = self.commits[repository]
            start = int(random.integers(0, max(1, len(commits) - self.near + 1)))
            near = commits[start : start + self.near]
            budget = self.batch // count
            for commit in random.permutation(near):
                if budget < 2:
                    break
                edits = self.data.rows_of_commit(int(commit))
                take = min(len(edits), budget, 2 + int(random.random() < 0.5))
                rows.extend(random.choice(edits, take, replace=False).tolist())
                budget -= take
        return np.array(rows, np.int64)


def tensor(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """A numpy array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
