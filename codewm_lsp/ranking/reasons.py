"""Why a definition was given: the signals that spoke most for it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from codewm_lsp.ranking.boosted_trees import Trees
from codewm_lsp.ranking.candidate import Candidate
from codewm_lsp.ranking.ranker import BEST, Ranker, columns_of, file_column
from codewm_lsp.ranking.signal import Explanation, Signal
from codewm_lsp.ranking.signals import DEFINITION_SIGNALS, EXPLANATIONS, FILE_SIGNALS
from codewm_lsp.ranking.values import SignalValues
from codewm_lsp.records import dataclass

MOST: Final = 3  # reasons given
LEAST: Final = 0.05  # log-odds from which a quantity spoke for a definition


@dataclass(frozen=True, slots=True)
class Reason:
    """A quantity that spoke for an answer: its name in the blend, its value, and the same in words."""

    name: str
    value: float
    words: str


def reasons_next(
    signals: SignalValues, row: int, ranker: Ranker, text: str = "", moved: str = ""
) -> tuple[Reason, ...]:
    """What spoke most for a definition (by its row in the corpus), at most ``MOST``, the weightiest first.

    What is plain to see comes after the others. Where nothing that spoke for it can be told, it is the first thing that
    is true of it, of the value 0. ``text``: the definition's own, where it is at hand. ``moved``: as in ``Candidate``.
    """
    state, edit = signals.edit.state, signals.edit.edit
    candidate = signals.candidate(row, text, moved)
    file = candidate.file
    of_definitions, of_files = ranker.after(edit)
    inside = state.corpus.paths[file] in (edit.path, edit.previous_path)
    scale = ranker.joint.definition if inside else ranker.joint.behind
    total = _Total({})
    for name, signal in DEFINITION_SIGNALS.items():
        if weight := of_definitions.get(name):
            total.add(signal, weight * scale * candidate.value(name))
    if inside:
        trees = ranker.definition_trees
        columns = columns_of(trees, edit, 1, lambda name: signals.definitions[name][row : row + 1])
        total.add_trees(trees, columns, DEFINITION_SIGNALS, scale)
    else:
        for name, signal in FILE_SIGNALS.items():
            if weight := of_files.get(name):
                total.add(signal, weight * ranker.joint.file * candidate.of_file(name))
        trees = ranker.file_trees
        columns = columns_of(trees, edit, 1, lambda name: file_column(state, signals, name, slice(file, file + 1)))
        total.add_trees(trees, columns, FILE_SIGNALS, ranker.joint.file)
    reasons: list[Reason] = []
    spoke = [(explanation, value) for explanation, value in total.values.items() if value > LEAST]
    for explanation, value in sorted(spoke, key=lambda item: (item[0].plain, -item[1])):
        if len(reasons) == MOST:
            break
        words = explanation.say(candidate)
        if words:
            reasons.append(Reason(explanation.name, round(value, 4), words))
    return tuple(reasons) or _anything_true(candidate, inside=inside)


def _anything_true(candidate: Candidate, *, inside: bool) -> tuple[Reason, ...]:
    for explanation in EXPLANATIONS:
        words = explanation.say(candidate)
        if words:
            return (Reason(explanation.name, 0.0, words),)
    return (Reason("same file", 0.0, "in the same file as the edit"),) if inside else ()


@dataclass(frozen=True, slots=True)
class _Total:
    """What the signals that share an explanation contribute together."""

    values: dict[Explanation, float]

    def add(self, signal: Signal, value: float) -> None:
        if isinstance(signal.explanation, Explanation):
            self.values[signal.explanation] = self.values.get(signal.explanation, 0.0) + value

    def add_trees(self, trees: Trees, columns: Sequence[NDArray[Any]], own: Mapping[str, Signal], scale: float) -> None:
        """What the trees say of one row; they ask about signals of its level, and about the best of a file."""
        for name, contribution in trees.contributions([float(column[0]) for column in columns]).items():
            signal = DEFINITION_SIGNALS.get(name.removeprefix(BEST)) if name.startswith(BEST) else own.get(name)
            if signal is not None:
                self.add(signal, scale * contribution)
