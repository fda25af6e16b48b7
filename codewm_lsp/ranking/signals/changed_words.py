"""Signals of definitions: which hold what the edit took out, put in or kept: words, lines, phrases, names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import numpy as np

from codewm_lsp.display import joined
from codewm_lsp.ranking.candidate import Candidate
from codewm_lsp.ranking.corpus import simple_name
from codewm_lsp.ranking.edit_context import TEST, EditContext, Floats, phrases
from codewm_lsp.ranking.signal import Explanation, Level, Signal, Unexplained
from codewm_lsp.source import MODULE_NAME, split_identifier

# Words for a person


def _still_mentions(candidate: Candidate) -> str:
    words = candidate.standing(candidate.edit.gone)
    return f"still mentions {joined(words)}" if words else ""


def _mentions_too(candidate: Candidate) -> str:
    words = candidate.standing(candidate.edit.fresh)
    return f"also mentions {joined(words)}" if words else ""


def _is_like_it(candidate: Candidate) -> str:
    value = candidate.value("similarity")
    if (candidate.edit.corpus.names[candidate.row] == MODULE_NAME) != (candidate.edit.edit.definition == MODULE_NAME):
        return ""  # words in common, but a function is not like what stands outside of all functions
    return f"{100 * value:.0f} % similar to {candidate.edited}" if value >= 0.4 else ""


def _has_a_changed_line(candidate: Candidate) -> str:
    if candidate.value("removed_lines") <= 0 or not candidate.has_a_line_of(candidate.edit.lines_out):
        return ""
    return f"has a line that changed in {candidate.edited}"


def _uses_it(candidate: Candidate) -> str:
    if not candidate.value("mentions_it") or not candidate.uses(candidate.edit.name):
        return ""
    return f"uses {candidate.edited}"


def _is_named_by_it(candidate: Candidate) -> str:
    name = simple_name(candidate.edit.corpus.names[candidate.row])
    if candidate.value("named_changed") <= 0 or candidate.has_moved(name):
        return ""
    return f"named in the change to {candidate.edited}"


def _is_its_twin(candidate: Candidate) -> str:
    if candidate.value("twin") < 0.4:
        return ""
    name = "the same name" if candidate.value("same_name") else "a similar name"
    return f"has {name} and {100 * float(candidate.edit.alike[candidate.row]):.0f} % the same text"


def _is_its_test(candidate: Candidate) -> str:
    if candidate.value("tests_it") < 1:
        return ""
    return f"is tested by {candidate.edited}" if candidate.edit.is_test else f"tests {candidate.edited}"


def _has_its_name(candidate: Candidate) -> str:
    return "has the same name" if candidate.value("same_name") else ""


STILL_MENTIONS: Final = Explanation("gone", _still_mentions)
MENTIONS_TOO: Final = Explanation("fresh", _mentions_too)
IS_LIKE_IT: Final = Explanation("similarity", _is_like_it)
HAS_A_CHANGED_LINE: Final = Explanation("lines", _has_a_changed_line)
USES_IT: Final = Explanation("mentions", _uses_it)
IS_NAMED_BY_IT: Final = Explanation("named", _is_named_by_it)
IS_ITS_TWIN: Final = Explanation("twin", _is_its_twin)
TESTS_IT: Final = Explanation("tests", _is_its_test)
HAS_ITS_NAME: Final = Explanation("same_name", _has_its_name)
PARTS_OF_WORDS: Final = Unexplained("which parts of which words were meant cannot be told in a few words")
TOLD_BY_OTHERS: Final = Unexplained("it is made of signals that have words of their own")
SIZE: Final = Unexplained("how long a definition is says nothing to a person")


# Values


def _share_a_part(edit: EditContext, words: Iterable[str]) -> Floats:
    """How much of the words that share a part with these stands in each definition."""
    parts: Counter[str] = Counter()
    for token in words:
        parts.update(dict.fromkeys(split_identifier(token), 1))
    return np.log1p(edit.corpus.found(edit.corpus.spread(edit.weighed(parts, 2.0))))


def _lines(edit: EditContext, lines: set[int]) -> Floats:
    """How many of these lines stand in each definition, the common ones counting less."""
    hashes = np.array(sorted(lines), dtype=np.uint32)
    weights = 1 / np.sqrt(1 + edit.lines_elsewhere(hashes))
    return np.log1p(edit.corpus.lines_found(hashes, weights.astype(np.float32)))


def _phrases(edit: EditContext, wanted: set[int]) -> Floats:
    """How many of these phrases stand in each definition, the common ones counting less."""
    hashes = np.array(sorted(wanted), dtype=np.uint32)
    count = len(edit.corpus.whole)
    frequency = edit.phrases_elsewhere(hashes)
    weights = np.log((count + 1) / (frequency + 0.5)) / np.log((count + 1) / 0.5)
    return np.log1p(edit.corpus.phrases_found(hashes, (weights**2).astype(np.float32)))


def _size(edit: EditContext) -> Floats:
    return np.log1p(edit.corpus.size.astype(np.float32))


def _mentions_it(edit: EditContext) -> Floats:
    return edit.mentions if edit.name != MODULE_NAME else np.zeros_like(edit.mentions)


def _named(edit: EditContext, words: Mapping[str, int]) -> Floats:
    """Whether each definition's name is among the words, by how rare a name it is."""
    present = edit.corpus.weights(dict.fromkeys(words, 1.0))
    return np.asarray(present[edit.corpus.name_words] * edit.name_rarity)


def _made_of_parts(edit: EditContext, words: Iterable[str]) -> Floats:
    """How much of each definition's name is made of parts of these words."""
    parts = {part for token in words for part in split_identifier(token)}
    found = edit.corpus.spread(edit.weighed(dict.fromkeys(parts, 1), 1.0))
    return np.asarray(found[edit.corpus.name_words])


def _tests_it(edit: EditContext) -> Floats:
    if edit.name.startswith("__"):
        return np.zeros_like(edit.name_overlap)  # every class has one
    return edit.name_overlap * edit.other_side


def _tests_and_uses_it(edit: EditContext) -> Floats:
    """A test in which the name of what it tests stands, and the other way round."""
    named = _named(edit, edit.reading) if edit.is_test else _mentions_it(edit)
    if edit.name.startswith("__"):
        return np.zeros_like(named)
    return np.asarray((named > 0) * (0.5 * edit.other_side + _tests_it(edit)))


def _like_name(edit: EditContext) -> Floats:
    parts = edit.weighed(dict.fromkeys(set(split_identifier(edit.name)) - {TEST}, 1), 1.0)
    total = sum(parts.values()) + 1e-6
    return np.asarray(edit.corpus.spread(parts)[edit.corpus.name_words] / np.float32(total))


_signal = partial(Signal, Level.DEFINITION)

SIGNALS: Final = (
    _signal("gone", lambda edit: edit.gone_found.share, STILL_MENTIONS),
    _signal("gone_amount", lambda edit: edit.gone_found.amount, STILL_MENTIONS),
    _signal("fresh", lambda edit: edit.fresh_found.share, MENTIONS_TOO),
    _signal("fresh_amount", lambda edit: edit.fresh_found.amount, MENTIONS_TOO),
    _signal("gone_not_fresh", lambda edit: edit.gone_found.share * (1 - edit.fresh_found.share), STILL_MENTIONS),
    _signal("removed", lambda edit: edit.removed_found.share, STILL_MENTIONS),
    _signal("removed_amount", lambda edit: edit.removed_found.amount, STILL_MENTIONS),
    _signal("added", lambda edit: edit.added_found.share, MENTIONS_TOO),
    _signal("added_amount", lambda edit: edit.added_found.amount, MENTIONS_TOO),
    _signal("changed_similarity", lambda edit: edit.corpus.similarity(edit.weighed(edit.changed)), TOLD_BY_OTHERS),
    _signal("gone_parts", lambda edit: _share_a_part(edit, edit.gone), PARTS_OF_WORDS),
    _signal("fresh_parts", lambda edit: _share_a_part(edit, edit.fresh), PARTS_OF_WORDS),
    _signal("similarity", lambda edit: edit.corpus.similarity(edit.damped(edit.reading)), IS_LIKE_IT),
    _signal(
        "similarity_after", lambda edit: edit.corpus.similarity(edit.damped(edit.after or edit.before)), IS_LIKE_IT
    ),
    _signal(
        "shared_words",
        lambda edit: np.log1p(edit.corpus.found(edit.corpus.weights(edit.weighed(edit.reading, 3.0)))),
        IS_LIKE_IT,
    ),
    _signal("removed_lines", lambda edit: _lines(edit, edit.old_lines - edit.new_lines), HAS_A_CHANGED_LINE),
    _signal(
        "added_lines",
        lambda edit: _lines(edit, edit.new_lines - edit.old_lines),
        Unexplained("a line that came in from there asks for no change there"),
    ),
    _signal("kept_lines", lambda edit: _lines(edit, edit.old_lines & edit.new_lines), IS_LIKE_IT),
    _signal("hunk", lambda edit: edit.hunk_found.share, HAS_A_CHANGED_LINE),
    _signal("hunk_amount", lambda edit: edit.hunk_found.amount, HAS_A_CHANGED_LINE),
    _signal("new_hunk", lambda edit: edit.new_hunk_found.share, TOLD_BY_OTHERS),
    _signal("new_hunk_amount", lambda edit: edit.new_hunk_found.amount, TOLD_BY_OTHERS),
    _signal("unconverted", lambda edit: edit.hunk_found.share * (1 - edit.fresh_found.share), TOLD_BY_OTHERS),
    _signal("gone_phrases", lambda edit: _phrases(edit, edit.old_phrases - edit.new_phrases), STILL_MENTIONS),
    _signal("fresh_phrases", lambda edit: _phrases(edit, edit.new_phrases - edit.old_phrases), MENTIONS_TOO),
    _signal("kept_phrases", lambda edit: _phrases(edit, edit.old_phrases & edit.new_phrases), IS_LIKE_IT),
    _signal("hunk_phrases", lambda edit: _phrases(edit, phrases(edit.lines_out)), HAS_A_CHANGED_LINE),
    _signal("phrase_similarity", lambda edit: edit.alike, TOLD_BY_OTHERS),
    _signal("size", _size, SIZE),
    _signal("size_difference", lambda edit: np.abs(_size(edit) - np.float32(np.log1p(edit.reading.total()))), SIZE),
    _signal("mentions_it", _mentions_it, USES_IT),
    _signal("named_before", lambda edit: _named(edit, edit.before), IS_NAMED_BY_IT),
    _signal("named_fresh", lambda edit: _named(edit, edit.fresh), IS_NAMED_BY_IT),
    _signal("named_gone", lambda edit: _named(edit, edit.gone), IS_NAMED_BY_IT),
    _signal("named_changed", lambda edit: _named(edit, edit.changed), IS_NAMED_BY_IT),
    _signal(
        "named_hunk",
        lambda edit: _named(edit, edit.hunk),
        Unexplained("a name on a changed line need not be what the edit is about"),
    ),
    _signal("calls_changed", lambda edit: _mentions_it(edit) * np.float32(edit.signature_changed), TOLD_BY_OTHERS),
    _signal("name_in_fresh", lambda edit: _made_of_parts(edit, edit.fresh), PARTS_OF_WORDS),
    _signal("name_in_hunk", lambda edit: _made_of_parts(edit, edit.hunk), PARTS_OF_WORDS),
    _signal(
        "same_name",
        lambda edit: edit.corpus.name_words == edit.corpus.vocabulary.ids.get(edit.name, -1),
        HAS_ITS_NAME,
    ),
    _signal("like_name", _like_name, HAS_ITS_NAME),
    _signal("name_overlap", lambda edit: edit.name_overlap, HAS_ITS_NAME),
    _signal("twin", lambda edit: edit.name_overlap * edit.alike * ~edit.other_side, IS_ITS_TWIN),
    _signal("tests_it", _tests_it, TESTS_IT),
    _signal("tests_and_uses_it", _tests_and_uses_it, TESTS_IT),
)
