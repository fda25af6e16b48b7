"""Gates and vectors from the networks → the embedding of an edit, of a state, of a predicted edit. Plain numpy.

An edit's embedding has four parts, each of length 1 before it is weighted:

========== ===== =====================================================================
signed       256  sum over the changed words: gate x net count x direction of the word
unsigned     256  sum over the changed words: gate x direction, whatever came or went
context      128  sum over all words of the definition: where the edit stands
contextual   128  what the networks make of it
========== ===== =====================================================================

The training computes the same, with exact overlaps in the place of the hashed directions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.world_model.features import LEXICAL, directions

CONTEXT: Final = 128
CONTEXTUAL: Final = 128
EDIT_SIZE: Final = 2 * LEXICAL + CONTEXT + CONTEXTUAL
STRUCTURE: Final = 128
STATE_SIZE: Final = LEXICAL + STRUCTURE
RELATIONS: Final = 4
SIGNED: Final = slice(0, LEXICAL)
UNSIGNED: Final = slice(LEXICAL, 2 * LEXICAL)
PLACE: Final = slice(2 * LEXICAL, 2 * LEXICAL + CONTEXT)
LEARNED: Final = slice(2 * LEXICAL + CONTEXT, EDIT_SIZE)
_PARTS: Final = (SIGNED, UNSIGNED, PLACE, LEARNED)

Matrix = NDArray[np.float32]


def unit(rows: Matrix) -> Matrix:
    """Rows scaled to length 1; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(length > 1e-12, length, 1), np.float32)


def lexical_sums(hashes: NDArray[np.uint64], *coefficients: Matrix) -> list[Matrix]:
    """For each of ``coefficients`` (B, T): the sum over T of coefficient x direction, (B, LEXICAL)."""
    batch, words = hashes.shape
    used = np.zeros((batch, words), bool)
    for coefficient in coefficients:
        used |= coefficient != 0
    values, inverse = np.unique(hashes[used], return_inverse=True)
    table = directions(values)
    index = np.zeros((batch, words), np.int64)
    index[used] = inverse
    sums = [np.zeros((batch, LEXICAL), np.float32) for _ in coefficients]
    for row in range(batch):
        keep = used[row]
        if keep.any():
            picked = table[index[row, keep]]
            for total, coefficient in zip(sums, coefficients, strict=True):
                total[row] = coefficient[row, keep] @ picked
    return sums


def compose(signed: Matrix, unsigned: Matrix, context: Matrix, contextual: Matrix, parts: Matrix) -> Matrix:
    """The embedding (B, EDIT_SIZE) of length 1 from its four parts and their weights (B, 4)."""
    joined = [
        unit(part) * weight[:, None]
        for part, weight in zip((signed, unsigned, context[:, :CONTEXT], contextual), parts.T, strict=True)
    ]
    return unit(np.concatenate(joined, 1))


def relations(own: Matrix, recent: Matrix) -> Matrix:
    """How each of B definitions is related to each of R recent edits: (B, R, RELATIONS).

    Cosines of the definition's words ``own`` (B, LEXICAL) with what an edit brought and took away (negative: it removed
    words that stand in the definition), with all it touched, with where it stood; and how recent it is.
    """
    words = unit(own)
    place = unit(own[:, :CONTEXT])
    edits = [unit(recent[:, part]) for part in (SIGNED, UNSIGNED, PLACE)]
    out = np.empty((len(own), len(recent), RELATIONS), np.float32)
    out[..., 0] = words @ edits[0].T
    out[..., 1] = words @ edits[1].T
    out[..., 2] = place @ edits[2].T
    out[..., 3] = np.exp(-np.arange(len(recent), dtype=np.float32) / 2)
    return out


def compose_predicted(
    own: Matrix, recent: Matrix, mixture: Matrix, share: Matrix, contextual: Matrix, parts: Matrix
) -> Matrix:
    """The predicted edit (B, EDIT_SIZE) on B definitions: mixtures of recent edits (R, EDIT_SIZE) and own words."""
    copied = [mixture @ unit(recent[:, part]) for part in (SIGNED, UNSIGNED, PLACE)]
    words, place = unit(own), unit(own[:, :CONTEXT])
    unsigned = (1 - share[:, :1]) * copied[1] + share[:, :1] * words
    context = (1 - share[:, 1:]) * copied[2] + share[:, 1:] * place
    return compose(copied[0], unsigned, context, contextual, parts)
