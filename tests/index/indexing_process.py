"""Indexes a repository in a process of its own, so that a test can kill it: REPOSITORY FOLDER [RESULT].

Its encoder is the simplest one that fits the index: words as fixed random directions, summed.
"""

from __future__ import annotations

import encodings.cp437  # noqa: F401 (of zip files, for a process that may not read the standard library any more)
import sys
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Repository
from codewm_lsp.index import Index, changed_words, update

EDIT_SIZE = 64
MODEL_HASH = "words-as-random-directions"


@cache
def direction(word: str) -> NDArray[np.float32]:
    """A fixed random direction for a word."""
    seed = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return np.random.default_rng(seed).standard_normal(EDIT_SIZE).astype(np.float32)


class WordEncoder:
    """Edits as sums of their words' directions, of length 1."""

    def embed_edits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        rows = np.zeros((len(pairs), EDIT_SIZE), dtype=np.float32)
        for row, (before, after) in zip(rows, pairs, strict=True):
            for word, count in changed_words(before, after).items():
                row += count * direction(word)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norms > 0, norms, 1)


def open_index(repository: Repository, folder: Path) -> Index:
    """The index of a repository under the encoder above."""
    return Index.of(repository, MODEL_HASH, folder=folder, edit_size=EDIT_SIZE)


if __name__ == "__main__":
    with Repository.open(Path(sys.argv[1])) as repository, open_index(repository, Path(sys.argv[2])) as index:
        print("open", flush=True)
        outcome = update(repository, WordEncoder(), index.log, progress=lambda done, total: print(done, flush=True))
        print(outcome.outcome.value, flush=True)
