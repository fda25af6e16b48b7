"""Signals of definitions: how often and how lately each changed, and with what."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.candidate import Candidate, times
from codewm_lsp.ranking.co_change import NEVER
from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.signal import Explanation, Level, Signal, Unexplained
from codewm_lsp.ranking.state import pick

# Words for a person


def _changed_together(candidate: Candidate) -> str:
    count = float(np.expm1(candidate.value("coupling")))
    return f"changed together with {candidate.edited} {times(count)}" if count >= 0.5 else ""


def _changed_lately(candidate: Candidate) -> str:
    ago = round(float(candidate.edit.state.recency[candidate.row]))
    if ago > 50:
        return ""
    return "changed in the last commit" if ago == 0 else f"changed {ago + 1} commits ago"


CHANGED_TOGETHER: Final = Explanation("coupling", _changed_together)
CHANGED_LATELY: Final = Explanation("recency", _changed_lately, plain=True)
CHANGED_OFTEN: Final = Unexplained("that a definition changes often is no reason for it to change with this edit")
NEAR_IN_TIME: Final = Unexplained("a change in a neighbouring commit is hard to tell from chance")
WITH_ITS_FILE: Final = Unexplained("that it changed when the file did, for whatever reason, is no reason by itself")
WITH_A_NAMESAKE: Final = Unexplained("what changed with another definition of that name is no reason by itself")
TOLD_BY_COUPLING: Final = Unexplained("how often they changed together is told by coupling")


# Values


def _with_it(edit: EditContext, values: Floats) -> Floats:
    return pick(values, edit.state.definition_ids, 0)


def _with_name(edit: EditContext, values: Floats) -> Floats:
    return pick(values, edit.state.simple_ids, 0)


def _share(edit: EditContext) -> Floats:
    together = edit.with_definitions
    return np.asarray(_with_it(edit, together.count) / (together.asked + 2))


def _jaccard(edit: EditContext) -> Floats:
    together = edit.with_definitions
    count = _with_it(edit, together.count)
    return np.asarray(count / (together.asked + edit.state.frequency - count + 2))


def _file_share(edit: EditContext) -> Floats:
    together = edit.file_with_definitions
    return np.asarray(_with_it(edit, together.count) / (together.asked + 2))


def _name_share(edit: EditContext) -> Floats:
    together = edit.name_with_names
    return np.asarray(_with_name(edit, together.count) / (together.asked + 2))


def _last_together(edit: EditContext) -> NDArray[np.bool_]:
    recency = edit.state.recency
    return np.asarray((recency == edit.last_change) & (recency < NEVER))


_signal = partial(Signal, Level.DEFINITION)

SIGNALS: Final = (
    _signal("coupling", lambda edit: np.log1p(_with_it(edit, edit.with_definitions.count)), CHANGED_TOGETHER),
    _signal(
        "coupling_recent",
        lambda edit: np.log1p(_with_it(edit, edit.with_definitions.recent)),
        CHANGED_TOGETHER,
    ),
    _signal(
        "coupling_small",
        lambda edit: np.log1p(_with_it(edit, edit.with_definitions.small)),
        CHANGED_TOGETHER,
    ),
    _signal("coupling_share", _share, CHANGED_TOGETHER),
    _signal("coupling_near", lambda edit: np.log1p(_with_it(edit, edit.with_definitions.near)), NEAR_IN_TIME),
    _signal("coupling_jaccard", _jaccard, CHANGED_TOGETHER),
    _signal("file_coupling", lambda edit: np.log1p(_with_it(edit, edit.file_with_definitions.small)), WITH_ITS_FILE),
    _signal("file_coupling_near", lambda edit: np.log1p(_with_it(edit, edit.file_with_definitions.near)), NEAR_IN_TIME),
    _signal("file_coupling_share", _file_share, WITH_ITS_FILE),
    _signal("name_coupling", lambda edit: np.log1p(_with_name(edit, edit.name_with_names.small)), WITH_A_NAMESAKE),
    _signal("name_coupling_share", _name_share, WITH_A_NAMESAKE),
    _signal("recency", lambda edit: 1 / (1 + np.log1p(edit.state.recency)), CHANGED_LATELY),
    _signal("just_changed", lambda edit: edit.state.recency < 1, CHANGED_LATELY),
    _signal("changed_lately", lambda edit: np.exp(-edit.state.recency / 20), CHANGED_LATELY),
    _signal("last_together", _last_together, TOLD_BY_COUPLING),
    _signal("frequency", lambda edit: np.log1p(edit.state.frequency), CHANGED_OFTEN),
    _signal("activity", lambda edit: np.log1p(edit.state.activity), CHANGED_OFTEN),
)
