"""Which past edits stand behind a predicted place: a small network over their relations to it, as a file of a bundle.

It points: the past edits with the highest scores are what the model expects, and what the person is shown. It is learnt
from histories, by how like the past edit the one that really came was (``codewm_model.ranking.evidence_fit``).
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import BundleError
from codewm_lsp.index.related import RELATIONS
from codewm_lsp.records import dataclass
from codewm_lsp.small_arrays import read_arrays
from codewm_lsp.world_model.bundle import EVIDENCE, Bundle, read_bundle, shipped

_NAMES: Final = "relations"
_SHAPES: Final = ("shift", "scale", "first", "first_bias", "second", "second_bias", "threshold")
_LARGEST: Final = 1 << 20  # bytes of all arrays together
_MOST_UNITS: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceScorer:
    """Relations (n, R) → one hidden layer of H GELU units → a score of each past edit.

    ``threshold``: the least score of a past edit that is cited.
    """

    shift: NDArray[np.float32]  # (R,)
    scale: NDArray[np.float32]  # (R,)
    first: NDArray[np.float32]  # (R, H)
    first_bias: NDArray[np.float32]  # (H,)
    second: NDArray[np.float32]  # (H,)
    second_bias: float
    threshold: float

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, R) relations → (n,) scores."""
        hidden = (values - self.shift) * self.scale @ self.first + self.first_bias
        # GELU by its tanh form
        active = 0.5 * hidden * (1 + np.tanh(0.7978846 * (hidden + 0.044715 * hidden**3)))
        return np.asarray(active @ self.second + np.float32(self.second_bias), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """The file that ``scorer_of`` reads, always the same for the same scorer."""
        written = io.BytesIO()
        arrays: dict[str, NDArray[Any]] = {name: np.asarray(getattr(self, name), dtype="<f4") for name in _SHAPES}
        arrays[_NAMES] = np.frombuffer("\n".join(RELATIONS).encode("utf-8"), np.uint8)
        np.savez_compressed(written, allow_pickle=False, **arrays)
        return written.getvalue()


def scorer_of(bundle: Bundle) -> EvidenceScorer:
    """The scorer that a model brings, or the shipped one where it brings none. Raises BundleError."""
    if bundle.evidence is None:
        return shipped_scorer()
    try:
        return _read(bundle.evidence)
    except ValueError as error:
        raise BundleError(
            f"{bundle.folder / EVIDENCE} cannot be used ({error}): leave the model option out to use the shipped one"
        ) from error


def shipped_scorer() -> EvidenceScorer:
    """The scorer of the shipped model. Raises BundleError."""
    bundle = _shipped_bundle()
    if bundle.evidence is None:
        raise BundleError(f"{bundle.folder / EVIDENCE} is missing: reinstall CodeWM")
    return scorer_of(bundle)


@lru_cache(maxsize=1)
def _shipped_bundle() -> Bundle:
    return read_bundle(shipped())


@lru_cache(maxsize=2)
def _read(data: bytes) -> EvidenceScorer:
    arrays = read_arrays(data, _LARGEST)
    missing = {_NAMES, *_SHAPES} - arrays.keys()
    if missing:
        raise ValueError(f"it has no {', '.join(sorted(missing))}")
    if arrays[_NAMES].astype(np.uint8).tobytes() != "\n".join(RELATIONS).encode("utf-8"):
        raise ValueError("it is of other relations than this version has")
    found = {name: np.asarray(arrays[name], dtype=np.float32) for name in _SHAPES}
    units, relations = found["first_bias"].size, len(RELATIONS)
    shapes = ((relations,), (relations,), (relations, units), (units,), (units,), (), ())
    for name, shape in zip(_SHAPES, shapes, strict=True):
        if found[name].shape != shape or units > _MOST_UNITS or not np.isfinite(found[name]).all():
            raise ValueError(f"its {name} is not an array of shape {shape}")
    numbers = {name: float(found.pop(name)) for name in ("second_bias", "threshold")}
    return EvidenceScorer(**found, **numbers)  # type: ignore[arg-type]
