"""The edit to expect at a place: what the model predicts for it, set against the repository's own edits.

A prediction is drawn towards the mean of all edits, as predictions of something uncertain are, and leaves out a part of
what the edit in progress does. So some of what the edits of the repository share is taken off, and a little of the edit
in progress is added. Both shares were chosen on the validation repositories (docs/experiments.md, "What next").
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.world_model.embedding import unit

SHARED: Final = 0.3
"""How much of the mean direction of the repository's edits is taken off a prediction of length 1."""
REPEATED: Final = 0.15
"""How much of the edit in progress is added."""


def expected(
    predicted: NDArray[np.float32], edit: NDArray[np.float32], mean: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Predictions (n, D) after the edit (D,), and the mean of the repository's edits, (D,) → (n, D), of length 1.

    ``mean``: None where there are too few edits for one.
    """
    found = predicted + np.float32(REPEATED) * edit
    if mean is not None:
        found = found - np.float32(SHARED) * unit(mean[None])
    return unit(np.asarray(found, dtype=np.float32))
