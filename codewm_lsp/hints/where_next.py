"""Which definition is edited next: one probability for each definition of the repository.

Two small linear models over ``signals``, learnt on the histories of other repositories: one weighs definitions, one
weighs files. A third joins their answers into one probability for each definition. ``weights.json`` holds all three,
with what they were learnt on; ``model/where_next.py`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.signals import Signals, State, is_test
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.source import DefinitionKind

Floats = NDArray[np.float32]

WEIGHTS: Final = "weights.json"
MOST_EDITS: Final = 8  # edits in progress that are asked about, the newest ones


@dataclass(frozen=True, slots=True)
class Joint:
    """From the logits of files and definitions to the log-odds of each definition being next.

    In the file of the edit in progress: ``own`` + ``definition`` · the definition's logit. In any other: ``bias`` +
    ``file`` · the file's logit + ``lead`` · how far the definition's logit stays behind the best one of its file, so
    that files come in the order of their own logits. ``model`` weighs the world model's logit, less ``model_mean``,
    where there is one (of the likeliest definitions); 0: it is not asked.
    """

    own: float
    definition: float
    bias: float
    file: float
    lead: float
    model: float = 0.0
    model_mean: float = 0.0


Case = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """The blend. ``definition`` and ``file`` weigh signals by name; ``best:`` names the best of a file's definitions.

    Both have the weights of every edit under ``always`` and what is added to them in certain cases (``CASES``).
    ``older`` is what an edit in progress counts for, compared with the one after it. ``threshold``: the probability
    from which on a prediction is shown by itself.
    """

    definition: Mapping[str, Case]
    file: Mapping[str, Case]
    joint: Joint
    older: float
    threshold: float

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Weights:
        """From the JSON of ``weights.json``."""
        return cls(
            definition=record["definition"],
            file=record["file"],
            joint=Joint(**record["joint"]),
            older=record["older"],
            threshold=record["threshold"],
        )

    def after(self, edit: Edit) -> tuple[Case, Case]:
        """The weights of definitions and of files that hold after this edit."""
        cases = ("always", *cases_of(edit))
        return _summed(self.definition, cases), _summed(self.file, cases)


def cases_of(edit: Edit) -> tuple[str, ...]:
    """Which of ``CASES`` an edit is."""
    return tuple(case for case, holds in CASES.items() if holds(edit))


CASES: Final[Mapping[str, Callable[[Edit], bool]]] = {
    "added": lambda edit: edit.kind is EditKind.ADDED,
    "removed": lambda edit: edit.kind is EditKind.REMOVED,
    "module": lambda edit: edit.definition_kind is DefinitionKind.MODULE,
    "class": lambda edit: edit.definition_kind is DefinitionKind.CLASS,
    "test": lambda edit: is_test(edit.path),
}


def _summed(weights: Mapping[str, Case], cases: Sequence[str]) -> dict[str, float]:
    total: dict[str, float] = {}
    for case in cases:
        for name, weight in weights.get(case, {}).items():
            total[name] = total.get(name, 0.0) + weight
    return total


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """The weights of this release."""
    text = resources.files("codewm_lsp.hints").joinpath(WEIGHTS).read_text(encoding="utf-8")
    return Weights.of(json.loads(text))


@dataclass(frozen=True, slots=True)
class Ranking:
    """``probabilities``: of each definition of the corpus, (N,). ``asked``: the edits in progress, newest first, each
    with its signals and the log-odds it alone gives, (N,)."""

    probabilities: NDArray[np.float64]
    asked: tuple[tuple[Edit, Signals, NDArray[np.float64]], ...]


def rank(state: State, editing: Sequence[Edit], weights: Weights) -> Ranking:
    """Rank all definitions of ``state`` by what the edits in progress (newest first) say together.

    Edits are joined as independent causes would be; an older one counts less.
    """
    asked = []
    unlikely = np.zeros(len(state.corpus), dtype=np.float64)  # log of the probability of no change
    for age, edit in enumerate(editing[:MOST_EDITS]):
        signals = state.signals(edit)
        odds = log_odds(state, edit, signals, weights)
        asked.append((edit, signals, odds))
        unlikely -= weights.older**age * np.logaddexp(0, odds)
    return Ranking(-np.expm1(unlikely), tuple(asked))


def with_model(probabilities: NDArray[np.float64], logits: NDArray[np.float32], joint: Joint) -> NDArray[np.float64]:
    """The probabilities of some definitions once the world model was asked about them as well."""
    odds = np.log(probabilities + 1e-300) - np.log1p(-np.minimum(probabilities, 1 - 1e-12))
    return np.asarray(1 / (1 + np.exp(-(odds + joint.model * (logits - joint.model_mean)))))


def log_odds(state: State, edit: Edit, signals: Signals, weights: Weights) -> NDArray[np.float64]:
    """Log-odds of each definition being next after one edit, (N,)."""
    of_definitions, of_files = weights.after(edit)
    corpus, joint = state.corpus, weights.joint
    definitions = weighed(signals.definitions, of_definitions)
    files = file_logits(state, signals, of_files)
    best = best_of_files(state, definitions)
    odds = joint.bias + joint.file * files[corpus.file] + joint.lead * (definitions - best[corpus.file])
    own = corpus.number.get(edit.path, corpus.number.get(edit.previous_path or "", -1))
    if own >= 0:
        rows = slice(int(corpus.first[own]), int(corpus.first[own + 1]))
        odds[rows] = joint.own + joint.definition * definitions[rows]
    return np.asarray(odds)


def file_logits(state: State, signals: Signals, weights: Case) -> NDArray[np.float64]:
    """The weighed signals of each file, (M,), those of its best definitions among them."""
    total = weighed(signals.files, weights)
    for name, weight in weights.items():
        if name.startswith("best:") and name[5:] in signals.definitions:
            total += weight * best_of_files(state, signals.definitions[name[5:]])
    return total


def weighed(signals: Mapping[str, Floats], weights: Case) -> NDArray[np.float64]:
    """The sum of the signals times their weights, (N,); a signal without a weight counts for nothing."""
    total = np.zeros(len(next(iter(signals.values()))), dtype=np.float64)
    for name, values in signals.items():
        weight = weights.get(name)
        if weight:
            total += weight * values
    return total


def best_of_files(state: State, values: NDArray[Any]) -> NDArray[np.float64]:
    """The greatest value among the definitions of each file, (M,); 0 in a file without any."""
    corpus = state.corpus
    best = np.zeros(len(corpus.paths), dtype=np.float64)
    full = np.diff(corpus.first) > 0
    if full.any():
        best[full] = np.maximum.reduceat(values, corpus.first[:-1][full])
    return best
