"""In a very large repository a few files are looked at in full: the same definitions come first."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking import shortlist as shortlists
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import Corpus, Vocabulary, parse_file
from codewm_lsp.ranking.ranker import (
    file_log_odds,
    file_of_edit,
    files_beside,
    log_odds,
    log_odds_in_file,
    shortlisted_odds,
)
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_lsp.ranking.shortlist import shortlist
from codewm_lsp.ranking.state import State
from codewm_lsp.ranking.values import signals_of
from codewm_lsp.source import parse_definitions

ROOT = Path(__file__).parents[2]
FOLDERS = ("codewm_lsp", "tests", "model", "export", "benchmarks", "scripts")
EDITS = 30


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


@pytest.fixture(scope="module")
def state(texts: dict[str, str]) -> State:
    """This project, with a made-up history in which definitions changed with some of their file, and of another."""
    vocabulary, chance = Vocabulary(), random.Random(5)
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in texts.items()}, vocabulary)
    corpus.sort()
    names = [(corpus.paths[corpus.file[row]], corpus.names[row]) for row in range(len(corpus))]
    events: list[tuple[int, int]] = []
    for age in range(300):
        row = chance.randrange(len(corpus))
        changed = {row, min(len(corpus) - 1, row + 1), chance.randrange(len(corpus))}
        events += [(age, one) for one in changed]
    ages, rows = np.array(events, dtype=np.int64).T
    return State.of(corpus, Changes(names, ages, rows))


def edits_of(texts: dict[str, str]) -> list[Edit]:
    """Something became a word of a definition."""
    chance = random.Random(7)
    found: list[Edit] = []
    while len(found) < EDITS:
        path = chance.choice(sorted(texts))
        definitions = parse_definitions(texts[path])  # of an empty file: none
        for one in chance.sample(definitions, min(1, len(definitions))):
            words = [word for word in one.source.split() if word.isidentifier()]
            if words:
                before = one.source.replace(chance.choice(words), "something_else")
                found.append(
                    Edit(path, one.name, one.kind, EditKind.MODIFIED, before, one.source, one.line, None, None)
                )
    return found


def test_the_first_answers_are_those_of_all_definitions(
    state: State, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlists, "_BY_FILE", 110)
    monkeypatch.setattr(shortlists, "_BY_EACH", 8)
    monkeypatch.setattr(shortlists, "_MOST_PLACES", 2_000)
    ranker = shipped_ranker()
    same = looked_at = 0
    for edit in edits_of(texts):
        everything = log_odds(state, edit, signals_of(state, edit), ranker)
        some = shortlisted_odds(state, edit, signals_of(state, edit), ranker)
        same += len(set(np.argsort(-everything, kind="stable")[:10]) & set(np.argsort(-some, kind="stable")[:10]))
        looked_at += np.count_nonzero(some > some.min())
        first = int(np.argmax(everything))
        assert some[first] == pytest.approx(everything[first])
        assert int(np.argmax(some)) == first
    assert same >= 0.98 * 10 * EDITS
    assert looked_at < 0.6 * EDITS * len(state.corpus)


def test_of_each_reason_it_has_the_files_of_its_best_definitions_the_likelier_first(
    state: State, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(1)
    (edit,) = edits_of(texts)[:1]
    context = signals_of(state, edit).edit
    file = state.corpus.file
    monkeypatch.setattr(shortlists, "_BY_FILE", 0)
    for most in (2, 5, 1_000):  # many definitions are equally good, or none is
        values = chance.integers(-2, most, len(state.corpus)).astype(np.float32)
        logits = chance.integers(0, 3, len(state.corpus.paths)).astype(np.float64)
        monkeypatch.setattr(shortlists, "_reasons", lambda edit, values=values: iter([values]))
        rows = sorted(np.flatnonzero(values > 0).tolist(), key=lambda row: (-values[row], -logits[file[row]], row))
        best = list(dict.fromkeys(file[row] for row in rows))[: shortlists._BY_EACH]
        assert shortlist(context, logits) == sorted({*best, state.corpus.number[edit.path]})


def test_the_file_that_is_looked_at_is_always_among_them(state: State, texts: dict[str, str]) -> None:
    (edit,) = edits_of(texts)[:1]
    unlikely = np.zeros(len(state.corpus.paths))
    signals = signals_of(state, edit)
    chosen = set(shortlist(signals.edit, unlikely))
    others = [path for file, path in enumerate(state.corpus.paths) if file not in chosen]
    for path in [*others[:3], others[-1]]:
        assert state.corpus.number[path] in shortlist(signals.edit, unlikely, [path])
    assert state.corpus.number[edit.path] in chosen


def test_an_edit_of_a_file_that_is_not_there_has_answers_too(state: State, texts: dict[str, str]) -> None:
    (edit,) = edits_of(texts)[:1]
    gone = replace(edit, path="not/there.py", after="")
    odds = shortlisted_odds(state, gone, signals_of(state, gone), shipped_ranker())
    assert np.isfinite(odds).all()
    nothing = State.of(Corpus.of({}, Vocabulary()), state.changes)
    assert not len(shortlisted_odds(nothing, gone, signals_of(nothing, gone), shipped_ranker()))


def test_of_one_file_alone_the_same_is_said_as_of_all(state: State, texts: dict[str, str]) -> None:
    chance, ranker, corpus = random.Random(3), shipped_ranker(), state.corpus
    for edit in edits_of(texts)[:8]:
        other = chance.choice(corpus.paths)
        for one in (edit, replace(edit, previous_path=other), replace(edit, path="not/there.py", previous_path=other)):
            everything = log_odds(state, one, signals_of(state, one), ranker)
            said = file_log_odds(state, one, signals_of(state, one), ranker)
            for path in (edit.path, other, *chance.sample(corpus.paths, 4)):
                file = corpus.number[path]
                files = files_beside(corpus, one, file)
                part = signals_of(state, one).part(files)
                of_file = None if file_of_edit(corpus, one) == file else float(said[file])
                found = log_odds_in_file(one, part, ranker, files.index(file), of_file)
                rows = corpus.rows_of(np.array([file]))
                assert found == pytest.approx(everything[rows], rel=1e-6, abs=1e-6)
