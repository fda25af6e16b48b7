"""Of past edits that fit about equally well, the newer one and that of the repository's own code are to be preferred.

What is learnt about which past edits fit knows nothing of their age (``index.reranker``). A person believes an edit of
13 years ago, or of a library that was copied into the repository, less. So a little is taken off the log-odds of these:
enough to change the order of near equals, and to keep a weak one from being shown by itself.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from codewm_lsp.history import Edit
from codewm_lsp.index import Hit

YEAR: Final = 31_557_600  # seconds
RECENT: Final = 5  # years in which an edit is as good as a new one
A_YEAR: Final = 0.03  # off the log-odds, for each that it is older
COPIED: Final = 0.5  # off the log-odds of an edit of copied code
CERTAIN: Final = 0.999  # chance from which it is the same edit, whenever and wherever it was made
_COPIED: Final = re.compile(r"(?:^|/)(?:node_modules|vendor|vendored|_vendor|third_party|extern|packages)/")


def faded(hit: Hit, edit: Edit, now: float) -> float:
    """The chance that a past edit fits ``edit``, by its age at that edit (or now) as well, in whole years."""
    if hit.score >= CERTAIN:
        return hit.score
    asked = now if edit.commit is None else edit.commit.date
    years = int(max(0, asked - hit.edit.commit.date) // YEAR)
    less = A_YEAR * max(0, years - RECENT)
    if _COPIED.search(hit.edit.path) and not _COPIED.search(edit.path):
        less += COPIED
    if not less:
        return hit.score
    odds = np.log(max(hit.score, 1e-9) / (1 - hit.score)) - less
    return float(1 / (1 + np.exp(-odds)))
