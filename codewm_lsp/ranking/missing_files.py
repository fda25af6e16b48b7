"""How likely it is that a file belongs to a change that has not touched it: small trees over the past and the text."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import codewm_lsp
from codewm_lsp.errors import BundleError
from codewm_lsp.ranking.boosted_trees import Trees
from codewm_lsp.ranking.change_text import TEXT_SIGNALS
from codewm_lsp.ranking.companions import SIGNALS, Companions
from codewm_lsp.records import dataclass
from codewm_lsp.small_arrays import read_arrays

FILE: Final = Path(codewm_lsp.__file__).parent / "models" / "missing-files.npz"
COLUMNS: Final = (*SIGNALS, *TEXT_SIGNALS)
"""What the trees may ask about, in the order of the table."""

ALWAYS: Final = 20
"""Commits of a file after which another that was in each of them belongs to the next, whatever the trees say …"""

EXCEPTION: Final = 30
"""… and every so many of them allow for one without it: leaving it out once does not mean for good."""

_DESCRIPTION: Final = "description"
_LARGEST: Final = 1 << 20  # bytes of all arrays together


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """``threshold``: the chance from which a file is worth a word, chosen so that complete changes are left alone."""

    trees: Trees
    threshold: float

    def chances(self, found: Companions) -> NDArray[np.float64]:
        """For each candidate, (N,), the probability that the change is not whole without it."""
        places = [COLUMNS.index(name) for name in self.trees.signals]
        logits = self.trees.scores([found.table[:, place] for place in places])
        chances = 1 / (1 + np.exp(-logits))
        count, asked, sure = (
            found.table[:, COLUMNS.index(name)] for name in ("best_count", "best_asked", "sure_share")
        )
        always = (asked >= ALWAYS) & (EXCEPTION * (asked - count) <= asked)
        return np.asarray(np.where(always, np.maximum(chances, sure), chances), dtype=np.float64)


def to_arrays(model: MissingFiles) -> dict[str, NDArray[Any]]:
    """What the shipped file holds."""
    said = json.dumps({"signals": model.trees.signals, "threshold": model.threshold}).encode("utf-8")
    return {**model.trees.arrays(), _DESCRIPTION: np.frombuffer(said, np.uint8)}


@lru_cache(maxsize=1)
def shipped_missing_files() -> MissingFiles:
    """The trees that CodeWM comes with. Raises ``BundleError``."""
    return read_missing_files(FILE)


def read_missing_files(file: Path) -> MissingFiles:
    """What ``to_arrays`` gave, out of a file. Raises ``BundleError`` where it is missing, or broken."""
    try:
        arrays = read_arrays(file.read_bytes(), _LARGEST)
        description = json.loads(arrays[_DESCRIPTION].tobytes().decode("utf-8"))
        trees = Trees.of(description["signals"], arrays["column"], arrays["threshold"], arrays["value"])
        if not set(trees.signals) <= set(COLUMNS):
            raise ValueError("it asks about signals that this version does not have")
        return MissingFiles(trees, float(description["threshold"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"The weights of `codewm forgotten`, {file}, cannot be read ({error}). Reinstall CodeWM, or run "
            "`python -m codewm_model.ranking.missing_files_fit` to make them again."
        ) from error
