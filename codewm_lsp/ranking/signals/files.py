"""Signals of files: what each has to do with the file of the edit."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.distinct import distinct
from codewm_lsp.ranking.candidate import Candidate, times
from codewm_lsp.ranking.co_change import NEVER
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.signal import Explanation, Level, Signal, Unexplained
from codewm_lsp.ranking.state import pick
from codewm_lsp.source import split_identifier

# Words for a person


def _files_changed_together(candidate: Candidate) -> str:
    if candidate.file == candidate.edit.file:
        return ""  # that it changed with itself says nothing
    count = float(np.expm1(candidate.of_file("coupling")))
    return f"their files changed together {times(count)}" if count >= 0.5 else ""


def _is_the_counterpart(candidate: Candidate) -> str:
    if not candidate.of_file("counterpart"):
        return ""
    return f"{'tests' if candidate.of_file('is_test') else 'is tested by'} {candidate.edited_file}"


def _imports(candidate: Candidate) -> str:
    if candidate.of_file("imports_it"):
        return f"imports {candidate.edited_file}"
    return f"imported by {candidate.edited_file}" if candidate.of_file("it_imports") else ""


FILES_CHANGED_TOGETHER: Final = Explanation("file_coupling", _files_changed_together)
IS_THE_COUNTERPART: Final = Explanation("counterpart", _is_the_counterpart)
IMPORTS: Final = Explanation("imports", _imports)
NEAR_IN_TIME: Final = Unexplained("a change in a neighbouring commit is hard to tell from chance")
PAST_OF_THE_FILE: Final = Unexplained("the past of the definition itself is told")
FOLDER: Final = Unexplained("what happens in its folder is no reason for one file")
PATHS: Final = Unexplained("where a file lies is plain to see")
SIZE: Final = Unexplained("how many definitions a file has says nothing to a person")


# Values


def _together(edit: EditContext, values: Floats) -> Floats:
    return pick(values, edit.state.file_ids, 0)


def _share(edit: EditContext) -> Floats:
    together = edit.file_with_files
    return np.asarray(_together(edit, together.count) / (together.asked + 2))


def _jaccard(edit: EditContext) -> Floats:
    together = edit.file_with_files
    count = _together(edit, together.count)
    return np.asarray(count / (together.asked + edit.state.file_frequency - count + 2))


def _its_share(edit: EditContext) -> Floats:
    together = edit.definition_with_files
    return np.asarray(_together(edit, together.count) / (together.asked + 1))


def _last_together(edit: EditContext) -> NDArray[np.bool_]:
    recency = edit.state.file_recency
    return np.asarray((recency == edit.last_change_of_file) & (recency < NEVER))


def _folder_coupling(edit: EditContext) -> Floats:
    """The mean co-change of the files of each one's folder."""
    values = _together(edit, edit.file_with_files.small)
    means = np.zeros(len(values), dtype=np.float32)
    layout = edit.corpus.layout
    for folder in distinct(layout.folder[np.flatnonzero(values)]).tolist():
        members = layout.folders[folder]
        means[members] = values[members].mean()
    return np.log1p(means)


def _both_test(edit: EditContext) -> NDArray[np.bool_]:
    return np.asarray(edit.corpus.layout.testing == edit.is_test)


def _imports_it(edit: EditContext) -> Floats:
    values = np.zeros(len(edit.corpus.paths), dtype=np.float32)
    if edit.file >= 0:
        sources, targets = edit.state.imports
        values[sources[targets == edit.file]] = 1
    return values


def _it_imports(edit: EditContext) -> Floats:
    values = np.zeros(len(edit.corpus.paths), dtype=np.float32)
    if edit.file >= 0:
        sources, targets = edit.state.imports
        values[targets[sources == edit.file]] = 1
    return values


_signal = partial(Signal, Level.FILE)

SIGNALS: Final = (
    _signal("coupling", lambda edit: np.log1p(_together(edit, edit.file_with_files.count)), FILES_CHANGED_TOGETHER),
    _signal(
        "coupling_recent", lambda edit: np.log1p(_together(edit, edit.file_with_files.recent)), FILES_CHANGED_TOGETHER
    ),
    _signal(
        "coupling_small", lambda edit: np.log1p(_together(edit, edit.file_with_files.small)), FILES_CHANGED_TOGETHER
    ),
    _signal("coupling_share", _share, FILES_CHANGED_TOGETHER),
    _signal("coupling_near", lambda edit: np.log1p(_together(edit, edit.file_with_files.near)), NEAR_IN_TIME),
    _signal("its_coupling_near", lambda edit: np.log1p(_together(edit, edit.definition_with_files.near)), NEAR_IN_TIME),
    _signal("coupling_jaccard", _jaccard, FILES_CHANGED_TOGETHER),
    _signal(
        "its_coupling", lambda edit: np.log1p(_together(edit, edit.definition_with_files.count)), FILES_CHANGED_TOGETHER
    ),
    _signal(
        "its_coupling_small",
        lambda edit: np.log1p(_together(edit, edit.definition_with_files.small)),
        FILES_CHANGED_TOGETHER,
    ),
    _signal("its_coupling_share", _its_share, FILES_CHANGED_TOGETHER),
    _signal("recency", lambda edit: 1 / (1 + np.log1p(edit.state.file_recency)), PAST_OF_THE_FILE),
    _signal("just_changed", lambda edit: edit.state.file_recency < 1, PAST_OF_THE_FILE),
    _signal("changed_lately", lambda edit: np.exp(-edit.state.file_recency / 20), PAST_OF_THE_FILE),
    _signal("frequency", lambda edit: np.log1p(edit.state.file_frequency), PAST_OF_THE_FILE),
    _signal("activity", lambda edit: np.log1p(edit.state.file_activity), PAST_OF_THE_FILE),
    _signal("last_together", _last_together, PAST_OF_THE_FILE),
    _signal("folder_coupling", _folder_coupling, FOLDER),
    _signal("same_folder", lambda edit: edit.corpus.layout.same_folder(edit.path), PATHS),
    _signal("near_folder", lambda edit: edit.corpus.layout.near_folder(edit.path), PATHS),
    _signal(
        "counterpart", lambda edit: edit.corpus.layout.same_stem(edit.path) * ~_both_test(edit), IS_THE_COUNTERPART
    ),
    _signal("same_stem", lambda edit: edit.corpus.layout.same_stem(edit.path), IS_THE_COUNTERPART),
    _signal("like_stem", lambda edit: edit.corpus.layout.like_stem(edit.path), PATHS),
    _signal("is_test", lambda edit: edit.corpus.layout.testing, PATHS),
    _signal("both_test", _both_test, PATHS),
    _signal("is_package", lambda edit: edit.corpus.layout.packages, PATHS),
    _signal("stem_in_edit", lambda edit: edit.corpus.layout.stem_among(edit.hunk_parts), PATHS),
    _signal("stem_in_name", lambda edit: edit.corpus.layout.stem_among(set(split_identifier(edit.name))), PATHS),
    _signal("imports_it", _imports_it, IMPORTS),
    _signal("it_imports", _it_imports, IMPORTS),
    _signal("definitions", lambda edit: np.log1p(np.diff(edit.corpus.first).astype(np.float32)), SIZE),
)
