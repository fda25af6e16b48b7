"""How well a commit fits some words, from more than the words it holds: what was learnt on other histories.

"Add" and "remove" stand in subjects of commits that do so, "fix" in those of small ones, "test" in those of tests; so
the shape of a commit counts with each of the words that say what is done. It is added to what its words say, by a
linear sum that was learnt by a softmax over the commits of a history (``codewm_model.ranking.search_fit``).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass
from codewm_lsp.small_arrays import read_arrays, read_packaged

FILE: Final = Path(__file__).with_name("search.npz")
RELATIONS: Final = (
    "edit",
    "commit",
    "added words",
    "removed words",
    "place",
    "letters of place",
    "share",
    "share of place",
)
"""Of some words and a commit: BM25 of its best edit, as ``text_search`` sums it up; of all its words, of those that it
adds or removes, of its paths and names, and of groups of four letters in these; and which share of the words it holds,
each by its rarity."""
SHAPE: Final = ("edits", "words", "added", "removed", "tests", "modules", "share of added words")
"""Of a commit: the logarithms of how many edits and changed words it has; the shares of edits that add or remove a
definition, are in tests or outside of definitions; and of words that are added."""
SAYS: Final = (
    *("add", "remove", "fix", "rename", "use", "test", "doc", "type", "bump", "update", "move", "refactor", "support"),
    *("allow", "drop", "deprecat", "clean", "lint", "improv", "handl", "releas", "version", "mak", "chang", "revert"),
    "simplif",
)
"""How words begin that say what a commit does."""
_LARGEST: Final = 1 << 16  # bytes of all arrays together


@dataclass(frozen=True, slots=True, eq=False)
class CommitRanker:
    """``relations``: weights of these and, behind them, of each as a share of the largest, (2R,). ``shape``: of the
    shape alone and, behind it, with each of the words that say what is done, (1 + W, S)."""

    relations: NDArray[np.float64]
    shape: NDArray[np.float64]

    def scores(
        self, relations: NDArray[np.float64], shape: NDArray[np.float64], words: Iterable[str]
    ) -> NDArray[np.float64]:
        """Of (C, R) relations and (C, S) shapes of commits: (C,)."""
        found: NDArray[np.float64] = with_shares(relations) @ self.relations
        found += shape @ self.shape[[0, *said(words)]].sum(0)
        return found


def with_shares(relations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, R) → (C, 2R): each and, behind all, its share of the largest."""
    largest = relations.max(0, initial=0.0)
    return np.hstack([relations, relations / np.where(largest > 0, largest, 1.0)])


def said(words: Iterable[str]) -> list[int]:
    """Which of ``SAYS`` some words begin with, from 1."""
    known = tuple(words)
    return [number for number, start in enumerate(SAYS, start=1) if any(word.startswith(start) for word in known)]


def letters(word: str) -> list[str]:
    """The groups of four letters in a word, its ends marked."""
    marked = f"<{word}>"
    return [marked[at : at + 4] for at in range(max(1, len(marked) - 3))]


@dataclass(frozen=True, slots=True)
class LearntCommits:
    """What ranks commits, None where it cannot be read; ``problem`` says so then."""

    ranker: CommitRanker | None
    problem: str = ""


@lru_cache(maxsize=4)
def learnt_commits(file: Path = FILE) -> LearntCommits:
    """What the package holds."""
    return LearntCommits(*read_packaged(file, _read, "Searches by words rank by a plain sum, which is less accurate."))


def _read(data: bytes) -> CommitRanker:
    arrays = read_arrays(data, _LARGEST)
    relations, shape = arrays["relations"], arrays["shape"]
    if relations.shape != (2 * len(RELATIONS),) or shape.shape != (1 + len(SAYS), len(SHAPE)):
        raise ValueError("its arrays are of another version")
    if not all(array.dtype == np.dtype("<f4") and np.isfinite(array).all() for array in (relations, shape)):
        raise ValueError("its arrays hold no numbers")
    if relations[0] <= 0 or relations[len(RELATIONS)] < 0:
        raise ValueError("what the words of an edit say counts against it")
    return CommitRanker(relations.astype(np.float64), shape.astype(np.float64))
