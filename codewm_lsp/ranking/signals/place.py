"""Signals of definitions: what each is, and where it stands beside the edit in the edit's own file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.display import clean, joined
from codewm_lsp.ranking.candidate import A_LINTER, Candidate
from codewm_lsp.ranking.co_change import NEVER
from codewm_lsp.ranking.corpus import KINDS
from codewm_lsp.ranking.edit_context import EditContext, Floats, OwnFile
from codewm_lsp.ranking.path_layout import conventions_of
from codewm_lsp.ranking.signal import Explanation, Level, Signal, Unexplained
from codewm_lsp.source import MODULE_NAME, DefinitionKind, split_identifier

_NAMED: Final = 3  # names in an explanation
_NAME: Final = 40  # characters of one

# Words for a person


def _stands_near(candidate: Candidate) -> str:
    if MODULE_NAME in (candidate.edit.name, candidate.edit.corpus.names[candidate.row]):
        return ""  # it stands around all others
    if candidate.value("steps") >= 0.5:
        return f"next to {candidate.edited}"
    if candidate.value("same_class"):
        return f"in the same class as {candidate.edited}"
    return f"the class of {candidate.edited}" if candidate.value("its_class") else ""


def _is_needed(candidate: Candidate) -> str:
    own = candidate.edit.own_file
    if own is not None and candidate.value("unresolved_names"):
        be = "is" if len(own.unknown) == 1 else "are"
        return f"{candidate.edited} uses {_named(own.unknown)}, which {be} not defined here {A_LINTER}"
    if own is not None and candidate.value("unused_names"):
        unused = [name for name in own.unused if candidate.holds(name)]
        linted = "" if any(candidate.mentions(name) for name in unused) else f" {A_LINTER}"
        return f"nothing here uses {_named(unused)} any more{linted}"
    return f"{candidate.edited} uses a new attribute" if candidate.value("new_attributes") else ""


def _named(tokens: Collection[str]) -> str:
    """``"a and b"``; of many the first three."""
    first = [clean(token, _NAME) for token in sorted(tokens)]
    return joined(first if len(first) <= _NAMED else [*first[:_NAMED], f"{len(first) - _NAMED} more"])


STANDS_NEAR: Final = Explanation("near", _stands_near, plain=True)
IS_NEEDED: Final = Explanation("needs", _is_needed)
KIND: Final = Unexplained("what kind of definition it is says nothing to a person")
MEMBERSHIP: Final = Unexplained("that a method stands in its class is plain to see")
WITHIN_THE_FILE: Final = Unexplained("the same is told by a signal over all definitions of the repository")


# Values


def _is_kind(kind: DefinitionKind) -> Callable[[EditContext], NDArray[np.bool_]]:
    return lambda edit: edit.corpus.kinds == KINDS.index(kind)


def _inside(compute: Callable[[OwnFile], Any]) -> Callable[[EditContext], Floats]:
    """A value for each definition of the edit's own file, 0 for all others."""

    def everywhere(edit: EditContext) -> Floats:
        values = np.zeros(len(edit.corpus), dtype=np.float32)
        if edit.own_file is not None:
            values[edit.own_file.rows] = compute(edit.own_file)
        return values

    return everywhere


def _same_class(own: OwnFile) -> list[bool]:
    owner = own.edit.owner
    return [bool(owner) and other == owner for other in own.owners]


def _its_class(own: OwnFile) -> list[bool]:
    owner = own.edit.owner
    return [bool(owner) and other == owner for other in own.names]


def _its_member(own: OwnFile) -> list[bool]:
    return [other == own.edit.edit.definition for other in own.owners]


def _unresolved_names(own: OwnFile) -> list[float]:
    unknown = float(np.log1p(len(own.unknown)))
    return [unknown if name == MODULE_NAME else 0.0 for name in own.names]


def _unused_names(own: OwnFile) -> list[float]:
    corpus, known = own.edit.corpus, own.edit.corpus.vocabulary.ids
    values = [0.0] * len(own.names)
    for place, name in enumerate(own.names):
        if name == MODULE_NAME:
            row = own.low + place
            standing = set(corpus.words[corpus.word_bounds[row] : corpus.word_bounds[row + 1]].tolist())
            values[place] = float(np.log1p(sum(known[token] in standing for token in own.unused)))
    return values


def _new_attributes(own: OwnFile) -> list[float]:
    owner = own.edit.owner
    if not owner:
        return [0.0] * len(own.names)
    conventions = conventions_of(own.edit.edit.path)
    attributes = float(np.log1p(len(own.new_attributes)))
    return [attributes if name in (owner, f"{owner}.{conventions.constructor}") else 0.0 for name in own.names]


def _fresh_parts_here(own: OwnFile) -> NDArray[np.float64]:
    parts = {part for token in own.edit.fresh for part in split_identifier(token)}
    related = np.array([not parts.isdisjoint(split_identifier(token)) for token in own.tokens])
    return np.log1p(own.sums(related * own.idf**2))


def _similarity_here(own: OwnFile) -> NDArray[np.float64]:
    weights = own.weights(own.edit.before or own.edit.after)
    norm = np.sqrt(own.sums(own.idf**2)) * (float(np.linalg.norm(weights)) + 1e-6) + 1e-6
    return np.asarray(own.sums(weights * own.idf) / norm)


def _frequency_here(own: OwnFile) -> Floats:
    often = own.edit.state.frequency[own.rows]
    return np.asarray(often / (often.max() + 1))


def _recency_here(own: OwnFile) -> NDArray[np.float64]:
    recency = own.edit.state.recency[own.rows]
    place_of = np.argsort(np.argsort(recency, kind="stable"), kind="stable")
    return np.where(recency < NEVER, 1 / (1 + place_of), 0)


def _is_constructor(edit: EditContext) -> NDArray[np.bool_]:
    constructor = conventions_of(edit.edit.path).constructor
    return np.asarray(edit.corpus.name_words == edit.corpus.vocabulary.ids.get(constructor, -1))


_signal = partial(Signal, Level.DEFINITION)

SIGNALS: Final = (
    *(_signal(f"is_{kind.value}", _is_kind(kind), KIND) for kind in DefinitionKind),
    _signal("same_kind", lambda edit: edit.corpus.kinds == KINDS.index(edit.edit.definition_kind), KIND),
    _signal("is_init", _is_constructor, KIND),
    _signal("distance", _inside(lambda own: 1 / (1 + np.log1p(own.distance.astype(np.float32)))), STANDS_NEAR),
    _signal("steps", _inside(lambda own: 1 / (1 + np.abs(own.steps))), STANDS_NEAR),
    _signal("next_below", _inside(lambda own: (own.steps > 0) & (own.steps <= 1)), STANDS_NEAR),
    _signal("next_above", _inside(lambda own: (own.steps < 0) & (own.steps >= -1)), STANDS_NEAR),
    _signal("same_class", _inside(_same_class), STANDS_NEAR),
    _signal("its_class", _inside(_its_class), STANDS_NEAR),
    _signal("its_member", _inside(_its_member), MEMBERSHIP),
    _signal("unresolved_names", _inside(_unresolved_names), IS_NEEDED),
    _signal("unused_names", _inside(_unused_names), IS_NEEDED),
    _signal("new_attributes", _inside(_new_attributes), IS_NEEDED),
    _signal("gone_here", _inside(lambda own: own.amount(own.edit.gone)), WITHIN_THE_FILE),
    _signal("fresh_here", _inside(lambda own: own.amount(own.edit.fresh)), WITHIN_THE_FILE),
    _signal("hunk_here", _inside(lambda own: own.amount(own.edit.hunk_out)), WITHIN_THE_FILE),
    _signal("new_hunk_here", _inside(lambda own: own.amount(own.edit.hunk_in)), WITHIN_THE_FILE),
    _signal("fresh_parts_here", _inside(_fresh_parts_here), WITHIN_THE_FILE),
    _signal("similarity_here", _inside(_similarity_here), WITHIN_THE_FILE),
    _signal("frequency_here", _inside(_frequency_here), WITHIN_THE_FILE),
    _signal("recency_here", _inside(_recency_here), WITHIN_THE_FILE),
)
