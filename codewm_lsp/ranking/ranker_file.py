"""The ranker as one file of a model bundle: NumPy arrays in a zip archive (``.npz``), and a description in JSON.

What files of earlier versions say of a world model's logits is not read.

Weights, thresholds and what trees say are float32. A threshold is rounded down: a signal is float32 too, and so is at
or below the rounded one exactly where it was at or below the other.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import BundleError
from codewm_lsp.ranking.boosted_trees import CASE, Trees
from codewm_lsp.ranking.ranker import BEST, CASES, Case, Joint, Ranker, Several
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, FILE_SIGNALS
from codewm_lsp.small_arrays import read_arrays
from codewm_lsp.world_model.bundle import RANKER, Bundle, read_bundle, shipped

FORMAT: Final = 1
EARLIER_SURER: Final = 1.6  # of files in which no such factor stands
_DESCRIPTION: Final = "description"
_LEVELS: Final = ("definition", "file")
_LARGEST: Final = 4 << 20  # bytes of all arrays together: more is no ranker, whoever made it
_Part = TypeVar("_Part", Joint, Several)


def ranker_of(bundle: Bundle) -> Ranker:
    """The ranker that a model brings, or the shipped one where it brings none. Raises BundleError."""
    if bundle.ranker is None:
        return shipped_ranker()
    try:
        return _read(bundle.ranker)
    except _Unusable as error:
        raise BundleError(
            f"{bundle.folder / RANKER} cannot be used ({error}): train the model again with codewm-train, or use the "
            "shipped one"
        ) from error


@lru_cache(maxsize=1)
def shipped_ranker() -> Ranker:
    """The ranker of the shipped model. Raises BundleError."""
    return ranker_of(read_bundle(shipped()))


def to_bytes(ranker: Ranker) -> bytes:
    """The file that ``ranker_of`` reads, always the same for the same ranker."""
    description: dict[str, Any] = {
        "format": FORMAT,
        "cases": ["always", *CASES],
        "joint": asdict(ranker.joint),
        "several": asdict(ranker.several),
        "threshold": ranker.threshold,
        "surer": ranker.surer,
    }
    arrays: dict[str, NDArray[Any]] = {}
    for level, weights, trees in zip(
        _LEVELS, (ranker.definition, ranker.file), (ranker.definition_trees, ranker.file_trees), strict=True
    ):
        names = sorted({name for case in weights.values() for name in case})
        table = [[weights.get(case, {}).get(name, 0.0) for name in names] for case in description["cases"]]
        description[level] = {"weighed": names, "asked": list(trees.signals)}
        arrays[f"{level}_weights"] = np.array(table, dtype="<f4").reshape(-1, len(names))
        for name, array in trees.arrays().items():
            arrays[f"{level}_tree_{name}"] = array
    text = json.dumps(description, separators=(",", ":")).encode("utf-8")
    written = io.BytesIO()
    arrays[_DESCRIPTION] = np.frombuffer(text, np.uint8)
    np.savez_compressed(written, allow_pickle=False, **arrays)
    return written.getvalue()


class _Unusable(ValueError):
    """What is wrong with a file."""


@lru_cache(maxsize=2)
def _read(data: bytes) -> Ranker:
    try:
        arrays = read_arrays(data, _LARGEST)
    except ValueError as error:
        raise _Unusable(str(error)) from error
    try:
        description = json.loads(arrays[_DESCRIPTION].astype(np.uint8).tobytes().decode("utf-8"))
        if description["format"] != FORMAT:
            raise _Unusable(f"its format is {description['format']!r}, this version reads {FORMAT}")
        threshold = description["threshold"]
        if type(threshold) is not float or not 0 <= threshold <= 1:
            raise _Unusable("its threshold is not a probability")
        surer = description.get("surer", EARLIER_SURER)
        if type(surer) is not float or not 1 <= surer <= 100:
            raise _Unusable("how much surer further lenses have to be is no factor")
        weights = {level: _weights(level, description, arrays) for level in _LEVELS}
        trees = {level: _trees(level, description, arrays) for level in _LEVELS}
        return Ranker(
            weights["definition"],
            weights["file"],
            _part(Joint, description["joint"]),
            _part(Several, description["several"]),
            threshold,
            trees["definition"],
            trees["file"],
            surer,
        )
    except _Unusable:
        raise
    except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise _Unusable(f"{type(error).__name__}: {error}") from error


def _weights(level: str, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Case]:
    names = _known(level, description[level]["weighed"], ())
    table = arrays[f"{level}_weights"]
    if table.shape != (len(description["cases"]), len(names)) or not np.isfinite(table).all():
        raise _Unusable(f"its weights of a {level} are not a table of numbers by case and signal")
    return {
        str(case): {name: float(weight) for name, weight in zip(names, row.tolist(), strict=True) if weight}
        for case, row in zip(description["cases"], table, strict=True)
    }


def _trees(level: str, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Trees:
    signals = _known(level, description[level]["asked"], [CASE + case for case in CASES])
    prefix = f"{level}_tree_"
    return Trees.of(
        signals, **{key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    )


def _known(level: str, names: Sequence[Any], besides: Iterable[str]) -> tuple[str, ...]:
    known = {*besides, *DEFINITION_SIGNALS} if level == "definition" else {*besides, *FILE_SIGNALS}
    if level == "file":
        known |= {BEST + name for name in DEFINITION_SIGNALS}
    if unknown := [name for name in names if name not in known]:
        raise _Unusable(f"this version has no signal {unknown[0]!r}")
    return tuple(names)


def _part(kind: type[_Part], record: Mapping[str, Any]) -> _Part:
    names = {field.name for field in fields(kind)}
    if kind is Several:
        record = {"less": Several().less, **record}  # 0.1.0 had none
    if set(record) != names or not all(type(value) in (int, float) and np.isfinite(value) for value in record.values()):
        raise _Unusable(f"its {kind.__name__.lower()} does not have the numbers {', '.join(sorted(names))}")
    numbers: dict[str, Any] = {name: float(value) for name, value in record.items()}
    return kind(**numbers)
