"""A snapshot is one state of a repository: it does not change, and its answers are functions of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codewm_lsp.hints import Change, Engine, HintOptions, Hints, Snapshot, Workspace
from codewm_lsp.hints.derived import (
    _AROUNDS,
    _CORPORA,
    _DEFINITIONS,
    _KNOWN,
    _ODDS,
    _PARSED,
    _PARSED_NOW,
    _PARTS,
    _RANKINGS,
    _SAID_OF_FILES,
    _SIGNALS,
)
from codewm_lsp.index import update

OpenEngine = Callable[[Path], Any]
EVERYTHING = HintOptions(threshold=0.0, similar_threshold=0.0, limit=99)
CLIENT, COLOURS, TESTS = "shop/client.py", "shop/colours.py", "tests/test_client.py"


def text_of(shop: Any, path: str) -> str:
    return str((shop.path / path).read_text(encoding="utf-8"))


def test_a_snapshot_is_immutable(shop: Any, open_engine: OpenEngine) -> None:
    unsaved = {CLIENT: text_of(shop, CLIENT).replace("wait_seconds", "patience", 1)}
    snapshot = open_engine(shop.path).workspace.apply(Change(unsaved))
    with pytest.raises(FrozenInstanceError):
        snapshot.head = "other"
    with pytest.raises(TypeError):
        snapshot.texts[CLIENT] = "other"
    edits, texts = snapshot.edits, dict(snapshot.texts)
    unsaved[CLIENT] = ""
    (shop.path / COLOURS).write_text("", encoding="utf-8")
    assert (snapshot.edits, dict(snapshot.texts)) == (edits, texts)


def test_the_same_state_is_an_equal_snapshot_and_another_is_not(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)
    changed = Change({CLIENT: text_of(shop, CLIENT).replace("wait_seconds", "patience", 1)})
    clean, typed = asking.workspace.apply(), asking.workspace.apply(changed)
    assert clean != typed
    assert asking.workspace.apply() == clean
    assert hash(asking.workspace.apply(changed)) == hash(typed)
    assert Workspace(asking.repository, asking.index).apply(changed) == typed
    shop.commit("Mix otherwise", {COLOURS: "RED = 1\n\n\ndef mix(a, b):\n    return b + a\n"})
    moved = asking.workspace.apply(changed)
    assert moved.head != typed.head
    update(asking.repository, asking.encoder, asking.index.log)
    assert asking.workspace.apply(changed).revision != moved.revision


def test_the_same_snapshot_gives_the_same_answer_whatever_was_asked_in_between(
    shop: Any, open_engine: OpenEngine
) -> None:
    asking = open_engine(shop.path)
    typed = asking.snapshot(unsaved={CLIENT: text_of(shop, CLIENT).replace("wait_seconds", "patience", 1)})

    def answers() -> tuple[Hints, Any, Any]:
        hints = asking.engine.hints(typed, CLIENT, options=EVERYTHING)
        following = asking.engine.next(typed, typed.editing(CLIENT), k=0)
        return hints, following, [asking.engine.similar(typed, edit) for edit in typed.edits]

    first = answers()
    other = asking.snapshot(unsaved={COLOURS: "def mix(a, b, c):\n    return a\n"})
    assert asking.engine.hints(other, COLOURS, options=EVERYTHING) != first[0]
    (shop.path / TESTS).write_text("", encoding="utf-8")
    assert answers() == first


def test_documents_of_one_moment_share_one_look_at_the_files(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)
    unsaved = {CLIENT: text_of(shop, CLIENT).replace("wait_seconds", "patience", 1)}
    first = asking.workspace.apply(Change(unsaved, since=0.0))
    (shop.path / COLOURS).write_text("def mix(a):\n    return a\n", encoding="utf-8")
    assert asking.workspace.apply(Change(dict(unsaved), since=0.0)) is first
    assert COLOURS in asking.workspace.apply(Change(unsaved)).texts
    newer = asking.workspace.apply(Change({**unsaved, TESTS: ""}, since=0.0))
    assert newer.texts[TESTS] == ""


def test_what_was_typed_in_last_counts_as_the_newest(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)
    client = text_of(shop, CLIENT).replace("def version()", "def versions()")
    colours = text_of(shop, COLOURS).replace("def mix(", "def blend(")
    for unsaved in ({CLIENT: client, COLOURS: colours}, {COLOURS: colours, CLIENT: client}):
        edits = asking.workspace.apply(Change(unsaved)).edits
        assert list(dict.fromkeys(edit.path for edit in edits)) == list(unsaved)


def test_what_is_remembered_has_bounds(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)
    text = text_of(shop, CLIENT)
    kinds = (_PARSED, _CORPORA, _AROUNDS, _KNOWN, _PARSED_NOW, _RANKINGS, _SIGNALS, _PARTS, _SAID_OF_FILES, _ODDS)
    for number in range(_RANKINGS.entries + 6):
        asking.engine.hints(asking.snapshot(unsaved={CLIENT: text + f"\nNUMBER = {number}\n"}), CLIENT)
        for kind in kinds:
            assert asking.engine.derived.memo.count(kind) <= kind.entries, kind.name
            assert kind.bytes is None or asking.engine.derived.memo.nbytes(kind) <= kind.bytes, kind.name
    assert asking.engine.derived.memo.count(_RANKINGS) == _RANKINGS.entries
    assert asking.engine.derived.memo.count(_PARSED_NOW) == _PARSED_NOW.entries
    assert asking.engine.derived.memo.count(_DEFINITIONS) <= 1, "of each file the last text alone"


BODIES = ("return url", "return self.send('GET', url, wait_seconds=10)", "self.host = http.open(host)", "pass")
texts = st.one_of(
    st.none(),
    st.lists(st.tuples(st.sampled_from(["get", "put", "mix", "helper"]), st.sampled_from(BODIES)), max_size=3).map(
        lambda parts: "\n\n".join(f"def {name}(url):\n    {body}\n" for name, body in parts)
    ),
)
steps = st.lists(
    st.tuples(st.sampled_from([CLIENT, COLOURS, TESTS, "shop/new.py"]), st.booleans(), texts), min_size=1, max_size=5
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_after_any_changes_the_answers_are_those_of_a_new_engine(
    shop: Any, open_engine: OpenEngine, steps: list[tuple[str, bool, str | None]]
) -> None:
    for path in shop.path.rglob("*.py"):
        if path.name == "new.py":
            path.unlink()
    shop.git("checkout", "--quiet", "--", ".")
    asking = open_engine(shop.path)
    unsaved: dict[str, str] = {}

    def answers(engine: Any, snapshot: Snapshot) -> Any:
        near = next((edit.path for edit in snapshot.edits), CLIENT)
        return engine.hints(snapshot, near, options=EVERYTHING), engine.next(snapshot, snapshot.editing(near), k=0)

    for path, in_editor, text in steps:
        file = shop.path / path
        if in_editor:
            unsaved.pop(path, None) if text is None else unsaved.update({path: text})
        elif text is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(text, encoding="utf-8")
        snapshot = asking.snapshot(unsaved=unsaved)
        kept = answers(asking.engine, snapshot)
    engine = Engine(asking.repository, asking.encoder, asking.index)
    assert Workspace(asking.repository, asking.index).apply(Change(unsaved)) == snapshot
    assert kept == answers(engine, snapshot)


def test_the_past_is_what_the_commit_reaches_however_it_came_to_be(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)

    def past() -> frozenset[str]:
        found: frozenset[str] = asking.engine.derived.ancestors(asking.workspace.apply(Change()))
        assert found == set(asking.repository.ancestors())
        return found

    first = past()
    shop.commit("One more", {COLOURS: "def mix(a):\n    return a\n"})
    assert first < past()
    newest = shop.git("rev-parse", "HEAD")
    shop.git("checkout", "--quiet", "-b", "other", "HEAD~2")
    shop.commit("Another way", {COLOURS: "def mix(b):\n    return b\n"})
    past()
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    shop.git(*identity, "merge", "--quiet", "-s", "ours", "-m", "Both", newest)
    past()
    shop.git("reset", "--quiet", "--hard", "HEAD~1")
    past()
