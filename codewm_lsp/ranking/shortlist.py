"""Which files of a very large repository are looked at in full after an edit in progress; all others come behind them.

Every signal of every definition takes time and memory that grow with the repository, and all but a few thousand
definitions have nothing to do with the edit. Those that may have are found without reading the others: by what is said
of their files, by what changed together, by names, and by the definitions that the edit's rarer words, lines and pairs
of words stand in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.ranking.edit_context import EditContext, Floats
from codewm_lsp.ranking.state import best_of_files, pick
from codewm_lsp.source import MODULE_NAME

MOST_DEFINITIONS: Final = 50_000
"""Of a repository all of whose definitions are looked at."""

_BY_FILE: Final = 150  # files that what is said of files speaks most for; the trees are asked about a hundred
_BY_EACH: Final = 40  # files that each other reason speaks most for
_MOST_PLACES: Final = 20_000  # definitions that words, lines or pairs of words are looked up in, for one reason


def shortlist(edit: EditContext, file_logits: NDArray[np.float64], near: Collection[str] = ()) -> list[int]:
    """The files (ascending) whose definitions are looked at in full.

    ``file_logits``: what is said of each file, without its definitions. ``near``: paths of files that are among them in
    any case, as those of the edit are.
    """
    corpus = edit.corpus
    paths = (*near, edit.path, edit.edit.previous_path or "")
    chosen = {corpus.number[path] for path in paths if path in corpus.number}
    chosen.update(np.argsort(-file_logits, kind="stable")[:_BY_FILE].tolist())
    for values in _reasons(edit):
        best = best_of_files(edit.state, values)
        files = np.flatnonzero(best > 0)
        if len(files) > _BY_EACH:
            files = files[best[files] >= np.partition(best[files], -_BY_EACH)[-_BY_EACH]]
        chosen.update(files[np.lexsort((-file_logits[files], -best[files]))[:_BY_EACH]].tolist())
    return sorted(chosen)


def _reasons(edit: EditContext) -> Iterator[Floats]:
    """What may speak for each definition, (N,) each."""
    corpus, state = edit.corpus, edit.state
    for words in (edit.gone, edit.fresh, edit.hunk, edit.reading):
        yield _standing(edit, words)
    if edit.name != MODULE_NAME:
        yield _standing(edit, {edit.name: 1})
        yield edit.name_overlap
    phrases = np.array(sorted(edit.old_phrases | edit.new_phrases), dtype=np.uint32)
    phrases = phrases[_rarest(edit.phrases_elsewhere(phrases))]
    held = np.sqrt(1 + np.diff(corpus.phrase_bounds))
    yield corpus.phrases_found(phrases, np.ones(len(phrases), dtype=np.float32)) / held
    lines = np.array(sorted(edit.old_lines ^ edit.new_lines), dtype=np.uint32)
    lines = lines[_rarest(edit.lines_elsewhere(lines))]
    yield corpus.lines_found(lines, np.ones(len(lines), dtype=np.float32))
    yield pick(edit.with_definitions.small, state.definition_ids, 0)
    yield pick(edit.file_with_definitions.small, state.definition_ids, 0)
    yield pick(edit.name_with_names.small, state.simple_ids, 0)


def _standing(edit: EditContext, words: Mapping[str, int]) -> Floats:
    """How much of the rarer ones of these words stands in each definition."""
    known = [word for word in words if word in edit.corpus.vocabulary.ids]
    rarest = _rarest(edit.corpus.word_frequency([edit.corpus.vocabulary.ids[word] for word in known]))
    weighed = edit.weighed({known[place]: words[known[place]] for place in rarest.tolist()}, 2.0)
    return edit.corpus.found(edit.corpus.weights(weighed))


def _rarest(frequencies: NDArray[Any]) -> NDArray[np.int64]:
    """Of things that stand in so many definitions each, the rarest that do not stand in too many together."""
    order = np.argsort(frequencies, kind="stable")
    return order[np.cumsum(frequencies[order]) <= _MOST_PLACES]
