"""Why an answer was given: the quantities of the blend that spoke most for it, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import clean, joined
from codewm_lsp.history import Edit
from codewm_lsp.ranking.corpus import simple_name
from codewm_lsp.ranking.ranker import BEST, Weights, columns_of, file_column
from codewm_lsp.ranking.state import Signals, State
from codewm_lsp.ranking.trees import Trees
from codewm_lsp.source import MODULE_NAME

MOST: Final = 3  # reasons given
_NAMED: Final = 40  # characters of a name in a reason


@dataclass(frozen=True, slots=True)
class Reason:
    """A quantity that spoke for an answer: its name in the blend, its value, and the same in words."""

    name: str
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    state: State
    edit: Edit
    signals: Signals
    row: int
    file: int

    def value(self, name: str) -> float:
        return float(self.signals.definitions[name][self.row])

    def of_file(self, name: str) -> float:
        return float(self.signals.files[name][self.file])

    @property
    def name(self) -> str:
        return _called(self.state.corpus.names[self.row], self.state.corpus.paths[self.file])

    @property
    def edited(self) -> str:
        return _called(self.edit.definition, self.edit.path)


def _called(definition: str, path: str) -> str:
    """A definition by its own name, the remainder of a module by that of its file."""
    name = path.rpartition("/")[2] if definition == MODULE_NAME else simple_name(definition)
    return clean(name, _NAMED)


def _times(count: float) -> str:
    number = round(count)
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _standing(candidate: _Candidate, wanted: Iterable[str]) -> list[str]:
    """Those of the words that stand in the candidate, the rarest first, three at most."""
    corpus = candidate.state.corpus
    low, high = corpus.word_bounds[candidate.row], corpus.word_bounds[candidate.row + 1]
    standing = set(corpus.words[low:high].tolist())
    ids = corpus.vocabulary.ids
    found = [word for word in wanted if ids.get(word, -1) in standing and len(word) > 1]
    found.sort(key=lambda word: (-float(corpus.idf[ids[word]]), word))
    return [clean(word, _NAMED) for word in found if corpus.idf[ids[word]] > 0.2][:3]


def _together(candidate: _Candidate) -> str:
    count = float(np.expm1(candidate.value("coupling")))
    return f"changed together with {candidate.edited} {_times(count)}" if count >= 0.5 else ""


def _files_together(candidate: _Candidate) -> str:
    count = float(np.expm1(candidate.of_file("coupling")))
    return f"their files changed together {_times(count)}" if count >= 0.5 else ""


def _gone(candidate: _Candidate) -> str:
    words = _standing(candidate, candidate.signals.gone)
    return f"still mentions {joined(words)}" if words else ""


def _fresh(candidate: _Candidate) -> str:
    words = _standing(candidate, candidate.signals.fresh)
    return f"mentions {joined(words)} too" if words else ""


def _similar(candidate: _Candidate) -> str:
    value = candidate.value("similarity")
    return f"its text is {value:.0%} like that of {candidate.edited}" if value >= 0.2 else ""


def _mentions(candidate: _Candidate) -> str:
    return f"uses {candidate.edited}" if candidate.value("mentions_it") > 0 else ""


def _named(candidate: _Candidate) -> str:
    return f"your edit is about {candidate.name}" if candidate.value("named_changed") > 0 else ""


def _recent(candidate: _Candidate) -> str:
    ago = round(float(candidate.state.recency[candidate.row]))
    if ago > 50:
        return ""
    return "changed in the last commit" if ago == 0 else f"changed {ago + 1} commits ago"


def _often(candidate: _Candidate) -> str:
    count = float(candidate.state.frequency[candidate.row])
    return f"changed {_times(count)} before" if count >= 2 else ""


def _near(candidate: _Candidate) -> str:
    if candidate.value("steps") >= 0.5:
        return f"stands beside {candidate.edited}"
    if candidate.value("same_class"):
        return f"in the class of {candidate.edited}"
    return f"the class of {candidate.edited}" if candidate.value("its_class") else ""


def _same_name(candidate: _Candidate) -> str:
    return "has the same name" if candidate.value("same_name") else ""


def _needs(candidate: _Candidate) -> str:
    if candidate.value("unresolved_names"):
        return "your edit uses a name that the file does not have yet"
    if candidate.value("unused_names"):
        return "a name is no longer used in the file"
    return "your edit uses a new attribute" if candidate.value("new_attributes") else ""


def _counterpart(candidate: _Candidate) -> str:
    if not candidate.of_file("counterpart"):
        return ""
    return "tests this file" if candidate.of_file("is_test") else "is what this file tests"


def _imports(candidate: _Candidate) -> str:
    if candidate.of_file("imports_it"):
        return "its file imports this one"
    return "this file imports it" if candidate.of_file("it_imports") else ""


def _lines(candidate: _Candidate) -> str:
    return "has a line that you changed" if candidate.value("removed_lines") > 0.3 else ""


def _model(candidate: _Candidate) -> str:
    return f"the model expects it after {candidate.edited}"


_SAID: Final[Mapping[str, Callable[[_Candidate], str]]] = {
    "model": _model,
    "coupling": _together,
    "file_coupling": _files_together,
    "gone": _gone,
    "fresh": _fresh,
    "similarity": _similar,
    "mentions": _mentions,
    "named": _named,
    "recency": _recent,
    "frequency": _often,
    "near": _near,
    "same_name": _same_name,
    "needs": _needs,
    "counterpart": _counterpart,
    "imports": _imports,
    "lines": _lines,
}
"""Groups of signals → what is said about them; signals of no group (kinds, sizes) say nothing to a person."""

_GROUP_OF: Final[Mapping[str, str]] = {
    "coupling": "coupling",
    "coupling_recent": "coupling",
    "coupling_small": "coupling",
    "coupling_share": "coupling",
    "coupling_jaccard": "coupling",
    "gone": "gone",
    "gone_amount": "gone",
    "gone_not_fresh": "gone",
    "gone_phrases": "gone",
    "removed": "gone",
    "removed_amount": "gone",
    "fresh": "fresh",
    "fresh_amount": "fresh",
    "fresh_phrases": "fresh",
    "added": "fresh",
    "added_amount": "fresh",
    "similarity": "similarity",
    "similarity_after": "similarity",
    "shared_words": "similarity",
    "kept_phrases": "similarity",
    "kept_lines": "similarity",
    "mentions_it": "mentions",
    "named_before": "named",
    "named_fresh": "named",
    "named_gone": "named",
    "named_changed": "named",
    "recency": "recency",
    "just_changed": "recency",
    "changed_lately": "recency",
    "frequency": "frequency",
    "activity": "frequency",
    "distance": "near",
    "steps": "near",
    "next_below": "near",
    "next_above": "near",
    "same_class": "near",
    "its_class": "near",
    "same_name": "same_name",
    "like_name": "same_name",
    "unresolved_names": "needs",
    "unused_names": "needs",
    "new_attributes": "needs",
    "removed_lines": "lines",
    "hunk": "lines",
    "hunk_amount": "lines",
    "hunk_phrases": "lines",
}
_FILE_GROUP_OF: Final[Mapping[str, str]] = {
    "coupling": "file_coupling",
    "coupling_recent": "file_coupling",
    "coupling_small": "file_coupling",
    "coupling_share": "file_coupling",
    "coupling_jaccard": "file_coupling",
    "its_coupling": "file_coupling",
    "its_coupling_small": "file_coupling",
    "its_coupling_share": "file_coupling",
    "counterpart": "counterpart",
    "same_stem": "counterpart",
    "imports_it": "imports",
    "it_imports": "imports",
}


def reasons_next(
    state: State, edit: Edit, signals: Signals, row: int, weights: Weights, opinion: float = 0.0
) -> tuple[Reason, ...]:
    """What spoke most for a definition (by its row in the corpus), at most ``MOST``, the weightiest first.

    ``opinion``: what the world model added to its log-odds.
    """
    file = int(state.corpus.file[row])
    candidate = _Candidate(state, edit, signals, row, file)
    of_definitions, of_files = weights.after(edit)
    inside = state.corpus.paths[file] in (edit.path, edit.previous_path)
    scale = weights.joint.definition if inside else weights.joint.lead
    total: dict[str, float] = {"model": opinion}
    for name, group in _GROUP_OF.items():
        if name in signals.definitions:
            weight = of_definitions.get(name, 0.0) * scale
            total[group] = total.get(group, 0.0) + weight * float(signals.definitions[name][row])
    if inside:
        trees = weights.definition_trees
        columns = columns_of(trees, edit, 1, lambda name: signals.definitions[name][row : row + 1])
        _add_parts(total, _GROUP_OF, trees, columns, scale)
    else:
        for name, group in _FILE_GROUP_OF.items():
            if name in signals.files:
                weight = of_files.get(name, 0.0) * weights.joint.file
                total[group] = total.get(group, 0.0) + weight * float(signals.files[name][file])
        trees = weights.file_trees
        columns = columns_of(trees, edit, 1, lambda name: file_column(state, signals, name, slice(file, file + 1)))
        _add_parts(total, _FILE_GROUP_OF, trees, columns, weights.joint.file)
    reasons: list[Reason] = []
    for group, value in sorted(total.items(), key=lambda item: -item[1]):
        if value <= 0.05 or len(reasons) == MOST:
            break
        words = _SAID[group](candidate)
        if words:
            reasons.append(Reason(group, round(value, 4), words))
    return tuple(reasons)


def _add_parts(
    total: dict[str, float],
    groups: Mapping[str, str],
    trees: Trees,
    columns: Sequence[NDArray[Any]],
    scale: float,
) -> None:
    """Add what the trees say of one row to the groups of the signals that they asked about."""
    for name, part in trees.parts([float(column[0]) for column in columns]).items():
        group = groups.get(name) or _GROUP_OF.get(name.removeprefix(BEST))
        if group is not None:
            total[group] = total.get(group, 0.0) + scale * part
