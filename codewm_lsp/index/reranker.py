"""How well each of some past edits fits an edit, from what relates the two: one probability.

A score that sums up its parts under fixed weights cannot know that much depends on the kind of the edit (the words that
an added definition brings say more than its place), on how many words there are, and on which parts agree. A small
network does. It was learnt on the histories of other repositories, on finished and on half-typed edits together
(docs/experiments.md): what was made in the same commit comes first, and of older commits what changes like words or
adds those still to be typed. The probability is that of the latter. The same edit made elsewhere comes before
everything else. Commit, author and time have no part in it: they would find the other edits of a commit without
looking at them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.index.blend import Blend, Scores
from codewm_lsp.records import dataclass
from codewm_lsp.small_arrays import read_arrays, read_packaged
from codewm_lsp.source.languages import language_of

CONSIDERED: Final = 100  # past edits, the first by the blend, that are ranked anew; the others come after them
STEP: Final = 0.02  # of log-odds: what differs by less is equally like, and the newer one comes first
CERTAIN: Final = 20.0  # log-odds beyond which all are alike
SAME: Final = 0.995  # likeness of the vectors, as rounded as stores keep them, and of the changed words of equal edits
PLAIN: Final = 9.0, -4.5  # slope and offset of the log-odds of a blend alone
FILE: Final = Path(__file__).with_name("reranker.npz")
RELATIONS: Final = (
    "meaning",
    "signed",
    "unsigned",
    "place",
    "added",
    "removed",
    "same path",
    "same folder",
    "same name",
    "same class",
    "both tests or neither",
    "same kind",
    "words asked",
    "words past",
    "difference in words",
    *(f"asked: {kind.value}" for kind in EditKind),
)
_LIKENESSES: Final = [RELATIONS.index("meaning"), RELATIONS.index("signed")]
_FORMAT: Final = 1
_LARGEST: Final = 1 << 20  # bytes of all arrays together


@dataclass(frozen=True, slots=True)
class Compared:
    """What is computed for (n,) past edits beside the parts of their scores: the likeness of what both added and of
    what both removed, and how many different words each changed."""

    added: NDArray[np.float32]
    removed: NDArray[np.float32]
    words: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Reranker:
    """(n, relations) → (n,) log-odds, through one hidden layer of rectified sums."""

    weights: NDArray[np.float32]  # (relations, hidden)
    bias: NDArray[np.float32]  # (hidden,)
    output: NDArray[np.float32]  # (hidden,)
    offset: float

    @staticmethod
    def of_blend(blend: Blend) -> Reranker:
        """The order of the blend alone, for where nothing else is at hand."""
        weights = np.zeros((len(RELATIONS), 1), dtype=np.float32)
        for name in ("meaning", "signed", "unsigned", "place"):
            weights[RELATIONS.index(name)] = getattr(blend, name)
        slope, offset = PLAIN
        one = np.ones(1, dtype=np.float32)
        return Reranker(weights, one, np.float32(slope) * one, offset - slope)  # +1 and -1: a blend is at least -1

    def for_edit(self, edit: Edit, blend: Blend) -> Reranker:
        """What ranks the past edits of this one: the blend where no definition is named, as the network knows edits
        of definitions alone."""
        return self if edit.definition else Reranker.of_blend(blend)

    def odds(self, relations: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds, in whole ``STEP``s; beyond ``CERTAIN`` all are alike, and those of the same edit made elsewhere
        are there."""
        hidden = np.maximum(relations @ self.weights + self.bias, 0)
        found = np.clip(hidden @ self.output + self.offset, -CERTAIN, CERTAIN)
        found[(relations[:, _LIKENESSES] >= SAME).all(axis=1)] = CERTAIN
        return np.asarray(np.rint(found / STEP) * STEP, dtype=np.float64)

    def to_bytes(self) -> bytes:
        """The file that ``learnt`` reads, always the same for the same weights."""
        written = io.BytesIO()
        np.savez_compressed(
            written,
            allow_pickle=False,
            format=np.array([_FORMAT, len(RELATIONS)], dtype="<i4"),
            weights=self.weights.astype("<f4"),
            bias=self.bias.astype("<f4"),
            output=self.output.astype("<f4"),
            offset=np.array([self.offset], dtype="<f4"),
        )
        return written.getvalue()


@dataclass(frozen=True, slots=True)
class Learnt:
    """The re-ranker to use; ``problem`` says why it is the blend alone, where it is."""

    reranker: Reranker
    problem: str = ""


@lru_cache(maxsize=4)
def learnt(file: Path = FILE) -> Learnt:
    """What the package holds."""
    found, problem = read_packaged(file, _read, "Similar edits are ranked by a plain sum, which is less accurate.")
    return Learnt(Reranker.of_blend(Blend()) if found is None else found, problem)


def _read(data: bytes) -> Reranker:
    arrays = read_arrays(data, _LARGEST)
    version = arrays["format"].tolist()
    weights, bias, output, offset = (arrays[name] for name in ("weights", "bias", "output", "offset"))
    if version != [_FORMAT, len(RELATIONS)]:
        raise ValueError(f"it is of version {version}, this one reads {[_FORMAT, len(RELATIONS)]}")
    hidden = len(bias)
    if [array.shape for array in (weights, bias, output, offset)] != [
        (len(RELATIONS), hidden),
        (hidden,),
        (hidden,),
        (1,),
    ]:
        raise ValueError("its arrays do not fit together")
    if not all(
        array.dtype == np.dtype("<f4") and np.isfinite(array).all() for array in (weights, bias, output, offset)
    ):
        raise ValueError("its arrays hold no numbers")
    return Reranker(weights, bias, output, float(offset[0]))


def following(odds: NDArray[np.float64], blended: NDArray[np.float32]) -> NDArray[np.float64]:
    """The chances of (N,) past edits in the order of the blend, of which the first have these (n,) log-odds.

    None of the others is likelier than any of these; they fall as their blended scores do.
    """
    chances = 1 / (1 + np.exp(-odds))
    if len(odds) == len(blended):
        return chances
    rest = np.clip(blended[len(odds) :] / max(float(blended[len(odds) - 1]), 1e-6), 0, 1)
    return np.concatenate([chances, chances.min() * rest])


class PlaceParts(NamedTuple):
    """Where an edit was made, in parts: its class with the file ("" where there is none), and its last name."""

    path: str
    folder: str
    container: str
    name: str
    is_test: bool

    @classmethod
    def of(cls, path: str, definition: str) -> PlaceParts:
        """The parts of a path and a qualified name."""
        container, _, name = definition.partition("#")[0].rpartition(".")
        return cls(
            path=path,
            folder=path.rpartition("/")[0],
            container=f"{path}\0{container}" if container else "",
            name=name,
            is_test=language_of(path).conventions.is_test(path),
        )


def relations(
    edit: Edit, words: int, scores: Scores, compared: Compared, places: Sequence[PlaceParts], kinds: Sequence[str]
) -> NDArray[np.float32]:
    """(n, relations) of n past edits to one that changes so many different words.

    ``places`` and ``kinds``: where each of them was made, and of what ``EditKind`` it is.
    """
    found = np.zeros((len(places), len(RELATIONS)), dtype=np.float32)
    asked = PlaceParts.of(edit.path, edit.definition)
    asked_words, past_words = np.log1p(words), np.log1p(compared.words)
    columns: dict[str, Any] = {
        "meaning": np.minimum(scores.meaning, 1),
        "signed": scores.signed,
        "unsigned": scores.unsigned,
        "place": scores.place,
        "added": compared.added,
        "removed": compared.removed,
        "same path": [one.path == asked.path for one in places],
        "same folder": [one.folder == asked.folder for one in places],
        "same name": [one.name == asked.name for one in places],
        "same class": [one.container == asked.container != "" for one in places],
        "both tests or neither": [one.is_test == asked.is_test for one in places],
        "same kind": [one == edit.kind.value for one in kinds],
        "words asked": asked_words / 5,
        "words past": past_words / 5,
        "difference in words": np.abs(past_words - asked_words) / 3,
        f"asked: {edit.kind.value}": 1,
    }
    for name, values in columns.items():
        found[:, RELATIONS.index(name)] = values
    return found
