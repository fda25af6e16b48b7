"""Definitions as arrays of words."""

from __future__ import annotations

import re
from dataclasses import fields
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking import corpus as corpus_module
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import (
    Corpus,
    ParsedFile,
    Vocabulary,
    code_of,
    line_hashes,
    parse_file,
    phrases_of,
    running_tokens,
)
from codewm_lsp.ranking.path_layout import Layout
from codewm_lsp.ranking.state import State, best_of_files
from codewm_lsp.ranking.values import signals_of
from codewm_lsp.source import DefinitionKind, parse_definitions, split_identifier

A = "import os\n\n\ndef get_timeout(url):\n    return timeout_of(url)\n\n\ndef put(url):\n    return url\n"
B = "from .a import put\n\n\nclass Thing:\n    def put(self, url, timeout):\n        return url, url, timeout\n"


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("aZ_09 .\n\t\x1c\x85é²")), max_size=60)


@given(TEXTS)
def test_words_of_plain_text_are_found_as_those_of_any_other(text: str) -> None:
    assert running_tokens(text) == re.findall(r"\w+", text)


@given(st.lists(st.text(st.sampled_from("aZ_09é"), min_size=1, max_size=70), max_size=20))
def test_every_word_is_split_into_its_parts(words: list[str]) -> None:
    vocabulary = Vocabulary()
    for word in words:
        vocabulary.add(word)
    parts, bounds = vocabulary.split()
    for number, word in enumerate(words):
        place = vocabulary.ids[word]
        found = [vocabulary.token(part) for part in parts[bounds[place] : bounds[place + 1]].tolist()]
        assert found == (list(dict.fromkeys(split_identifier(word))) if len(word) <= 64 else []), number


def corpus_of(**texts: str) -> Corpus:
    vocabulary = Vocabulary()
    return Corpus.of({f"{name}.py": parse_file(text, vocabulary) for name, text in texts.items()}, vocabulary)


def test_definitions_are_numbered_through_all_files() -> None:
    corpus = corpus_of(b=B, a=A)
    assert corpus.paths == ("a.py", "b.py")
    assert corpus.names == ["<module>", "get_timeout", "put", "<module>", "Thing", "Thing.put"]
    assert corpus.first.tolist() == [0, 3, 6]
    assert corpus.line[[1, 2, 5]].tolist() == [3, 7, 4]


def test_a_file_of_a_corpus_is_as_it_was_parsed() -> None:
    vocabulary = Vocabulary()
    files = {"a.py": parse_file(A, vocabulary), "b.py": parse_file(B, vocabulary), "c.py": parse_file("", vocabulary)}
    corpus = Corpus.of(files, vocabulary)
    for path, file in files.items():
        again = corpus.parsed(corpus.number[path])
        for field in fields(ParsedFile):
            expected, found = getattr(file, field.name), getattr(again, field.name)
            if isinstance(expected, np.ndarray):
                assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist()), field.name
            else:
                assert found == expected, field.name


def test_found_counts_a_word_once_a_definition() -> None:
    corpus = corpus_of(a=A, b=B)
    found = corpus.found(corpus.weights({"url": 1.0, "timeout": 0.5, "nowhere": 9.0}))
    assert found.tolist() == pytest.approx([0, 1, 1, 0, 0, 1.5])


def test_spread_reaches_the_identifiers_that_contain_a_word() -> None:
    corpus = corpus_of(a=A, b=B)
    found = corpus.found(corpus.spread({"timeout": 1.0}))
    assert found.tolist() == pytest.approx([0, 2, 0, 0, 0, 1])  # get_timeout and timeout_of; timeout


def test_a_definition_is_most_similar_to_itself() -> None:
    corpus = corpus_of(a=A, b=B)
    for row in range(len(corpus)):
        low, high = corpus.word_bounds[row : row + 2]
        words = [corpus.vocabulary.token(word) for word in corpus.words[low:high].tolist()]
        similarity = corpus.similarity(dict(zip(words, corpus.damped[low:high].tolist(), strict=True)))
        assert similarity[row] == pytest.approx(1, abs=1e-3)
        assert similarity.argmax() == row


def test_rare_words_weigh_more() -> None:
    corpus = corpus_of(a=A, b=B)
    assert corpus.idf[corpus.vocabulary.ids["timeout_of"]] > corpus.idf[corpus.vocabulary.ids["url"]]


def test_lines_and_phrases_are_found_where_they_stand() -> None:
    corpus = corpus_of(a=A, b=B)
    lines = np.array(line_hashes("    return timeout_of(url)\n"), dtype=np.uint32)
    assert corpus.lines_found(lines, np.ones(1, dtype=np.float32)).tolist() == [0, 1, 0, 0, 0, 0]
    assert corpus.line_frequency(lines).tolist() == [1]
    phrases = phrases_of([code_of(token) for token in running_tokens("return url")])
    assert corpus.phrases_found(phrases, np.ones(1, dtype=np.float32)).tolist() == [0, 0, 1, 0, 0, 1]
    assert corpus.phrase_frequency(phrases).tolist() == [2]


@given(st.lists(st.sampled_from(["", A, B]), min_size=1, max_size=6), st.data())
def test_the_best_of_some_files_is_what_it_is_among_all_of_them(texts: list[str], data: st.DataObject) -> None:
    corpus = corpus_of(**{f"f{number}": text for number, text in enumerate(texts)})
    state = State.of(corpus, Changes([], np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)))
    values = np.random.default_rng(0).permutation(len(corpus)) - 3.0
    parts = [values[low:high] for low, high in zip(corpus.first[:-1], corpus.first[1:], strict=True)]
    best = [float(part.max()) if len(part) else 0.0 for part in parts]
    assert best_of_files(state, values).tolist() == best
    some = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
    assert best_of_files(state, values, np.array(some, dtype=np.int64)).tolist() == [best[file] for file in some]


@given(st.lists(st.lists(st.sampled_from(["get", "Timeout", "url", "x1", "Of", "_", "http"]), min_size=1, max_size=4)))
def test_words_are_found_by_their_parts_however_many_came_later(words: list[list[str]]) -> None:
    vocabulary = Vocabulary()
    weights = {"get": 0.5, "timeout": 0.25, "of": 2.0, "http": 0.0}
    for some in (words[: len(words) // 2], words):
        for parts in some:
            vocabulary.add("".join(parts))
        corpus = Corpus.of({}, vocabulary)
        found = corpus.spread(weights)
        expected = [sum(weights.get(part, 0.0) for part in set(split_identifier(token))) for token in vocabulary.ids]
        assert found.tolist() == expected
        with mock.patch.object(corpus_module, "_FEW_PARTS", -1):  # sorted anew each time
            assert corpus.spread(weights).tolist() == expected


def test_imports_are_read_with_their_dots() -> None:
    text = "import os, a.b as c\nfrom ..x import (y,\n    z)\nfrom . import w as v  # note\nfrom m import *\n"
    imports = parse_file(text, Vocabulary()).imports
    assert set(imports) == {"os", "a.b", "..x", "..x.y", "..x.z", ".", ".w", "m"}


def test_a_word_added_later_is_known_to_all_questions() -> None:
    corpus = corpus_of(a=A)
    corpus.vocabulary.add("new_word")
    assert corpus.found(corpus.weights({"new_word": 1.0})).tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=120), max_size=4))
def test_any_texts_make_a_corpus(texts: list[str]) -> None:
    corpus = corpus_of(**{f"f{number}": text for number, text in enumerate(texts)})
    assert len(corpus) == sum(len(parse_definitions(text)) for text in texts)
    weights = np.ones(len(corpus.vocabulary), dtype=np.float32)
    assert np.isfinite(corpus.similarity({"a": 1.0, "\udc80": 2.0})).all()
    assert (np.diff(corpus.word_bounds) == corpus.found(weights).astype(int)).all()


PATHS = ("a.py", "c.py", "pkg/__init__.py", "pkg/b.py", "pkg/test_b.py", "src/pkg/deep/c.py", "tests/test_a.py")
BODIES = (
    "return url",
    "return timeout_of(url, timeout)",
    "self.wait_seconds = 3\n    wait(3)",
    "import a\n    put(url)",
)
CHANGES = Changes(
    [("a.py", "get"), ("pkg/b.py", "T.put"), ("c.py", "get")],
    np.array([0, 0, 1, 2, 2]),
    np.array([0, 1, 2, 0, 2]),
)
EDIT = Edit(
    *("a.py", "get", DefinitionKind.FUNCTION, EditKind.MODIFIED),
    *("def get(url):\n    return url\n", "def get(url, timeout):\n    return timeout_of(url, timeout)\n"),
    *(0, None, None),
)


@st.composite
def files(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(["get", "put", "get_url", "T"]), unique=True))
    imports = draw(st.sampled_from(["", "import a\n", "from .b import T\n", "from pkg import b\n"]))
    return imports + "\n\n".join(f"def {name}(url):\n    {draw(st.sampled_from(BODIES))}\n" for name in names)


steps = st.lists(st.dictionaries(st.sampled_from(PATHS), st.none() | files(), max_size=3), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), files()), steps, st.booleans())
def test_after_any_changes_a_state_answers_as_one_made_anew(
    texts: dict[str, str], changes: list[dict[str, str | None]], asked: bool
) -> None:
    vocabulary = Vocabulary()
    parsed = {path: parse_file(text, vocabulary) for path, text in texts.items()}
    corpus = Corpus.of(parsed, vocabulary)
    state = State.of(corpus, CHANGES)
    for step in changes:
        if asked and len(corpus):
            signals = signals_of(state, EDIT).definitions
            assert all(len(signals[name]) for name in signals)  # what stands where is sorted and counted, and kept
        changed = {path: None if text is None else parse_file(text, vocabulary) for path, text in step.items()}
        corpus = corpus.with_files(changed)
        state = state.with_corpus(corpus, changed)
        parsed = {path: file for path, file in (parsed | changed).items() if file is not None}
    alone = State.of(Corpus.of(parsed, vocabulary), CHANGES)
    for name in ("paths", "names", "imports"):
        assert getattr(corpus, name) == getattr(alone.corpus, name), name
    if not len(corpus):
        return
    one, other = signals_of(state, EDIT), signals_of(alone, EDIT)
    for mine, theirs in ((one.definitions, other.definitions), (one.files, other.files)):
        assert list(mine) == list(theirs)
        for name in mine:
            assert mine[name].tobytes() == theirs[name].tobytes(), name


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), files(), min_size=1), st.data())
def test_a_part_says_of_its_definitions_what_the_whole_says(texts: dict[str, str], data: st.DataObject) -> None:
    vocabulary = Vocabulary()
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in texts.items()}, vocabulary)
    some = sorted(data.draw(st.sets(st.integers(0, len(corpus.paths) - 1), min_size=1)))
    state = State.of(corpus, CHANGES)
    rows = state.corpus.rows_of(np.array(some, dtype=np.int64))
    whole, part = signals_of(state, EDIT), signals_of(State.of(corpus, CHANGES), EDIT).part(some)
    assert part.edit.corpus.names == [corpus.names[row] for row in rows]
    for name in whole.definitions:
        assert part.definitions[name].tobytes() == whole.definitions[name][rows].tobytes(), name
    for name in whole.files:
        assert part.files[name].tobytes() == whole.files[name][some].tobytes(), name


def test_files_are_near_by_the_way_to_their_folders() -> None:
    layout = Layout(("a.py", "src/b.py", "src/deep/c.py", "src/deep/d.py", "tests/e.py"))
    assert layout.same_folder("src/deep/new.py").tolist() == [0, 0, 1, 1, 0]
    assert layout.same_folder("nowhere/new.py").tolist() == [0, 0, 0, 0, 0]
    assert layout.near_folder("src/deep/new.py").tolist() == [0, 0.5, 1, 1, 0]
    assert [files.tolist() for files in layout.folders] == [[0], [1], [2, 3], [4]]
    assert list(Layout(()).folders) == []
