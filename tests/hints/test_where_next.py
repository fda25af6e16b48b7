"""What is edited next, asked of real repositories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.hints import Engine, HintKind, HintOptions, Prediction, derived
from codewm_lsp.hints.answers import REFERENCE
from codewm_lsp.hints.engine import FOLLOWING, Hints
from codewm_lsp.history import Edit
from codewm_lsp.memo import Kind
from codewm_lsp.ranking import Reason
from codewm_lsp.ranking.boosted_trees import NO_TREES
from codewm_lsp.ranking.ranker import lens_scores
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_lsp.ranking.signals.past import CHANGED_LATELY
from codewm_lsp.source import MODULE_NAME

OpenEngine = Callable[[Path], Any]


def working_edits(shop: Any, path: str, old: str, new: str) -> tuple[Edit, ...]:
    """Replace text in a file of the work tree; the edits that this makes."""
    from codewm_lsp.history import Repository

    file = shop.path / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with Repository.open(shop.path) as repository:
        return repository.working_edits()


def named(predictions: list[Prediction]) -> list[str]:
    return [f"{one.path}::{one.definition}" for one in predictions]


def test_every_definition_but_those_being_edited_is_a_candidate(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    editing = working_edits(shop, "shop/client.py", "def get(self, url):", "def get(self, url, x=None):")
    everything = engine.next(editing, k=0)
    assert sorted(named(everything)) == sorted(
        [
            "shop/__init__.py::<module>",
            "shop/colours.py::<module>",
            "shop/colours.py::mix",
            "tests/test_client.py::<module>",
            "tests/test_client.py::test_get",
            "tests/test_client.py::test_put",
            "shop/client.py::<module>",
            "shop/client.py::Client",
            "shop/client.py::connect",
            "shop/client.py::version",
            "shop/client.py::helper",
        ]
        + [f"shop/client.py::Client.{name}" for name in ("__init__", "put", "send", "close", "__repr__")]
    )
    scores = [one.score for one in everything]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_a_renamed_parameter_leads_to_those_that_still_use_the_old_name(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    file = shop.path / "shop/client.py"
    start, send, rest = file.read_text(encoding="utf-8").partition("    def send(")
    old, new = send + rest, send + rest.replace("wait_seconds", "patience")
    editing = working_edits(shop, "shop/client.py", old, new)
    assert start.count("wait_seconds") == 2
    assert [edit.definition for edit in editing] == ["Client.send"]
    best = engine.next(editing, k=2)
    assert set(named(best)) == {"shop/client.py::Client.get", "shop/client.py::Client.put"}
    words = [reason.words for one in best for reason in one.reasons]
    assert any("wait_seconds" in one for one in words)


def test_what_changed_together_before_is_expected_again(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    editing = working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    found = engine.next(editing, k=0)
    order = named(found)
    put = order.index("shop/client.py::Client.put")
    assert put < 2  # send, which the changed line calls, may come before it
    assert order.index("tests/test_client.py::test_get") < order.index("shop/colours.py::mix")
    assert any("changed together with get twice" in reason.words for reason in found[put].reasons)


def test_paths_keep_the_candidates_of_these_files(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    editing = working_edits(shop, "shop/client.py", "timeout=wait_seconds", "timeout=1 + wait_seconds")
    found = engine.next(editing, k=0, paths=["tests/test_client.py", "missing.py"])
    assert {one.path for one in found} == {"tests/test_client.py"}


def test_an_older_revision_is_asked_as_if_it_were_the_newest(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    first = shop.head("HEAD~2")
    from codewm_lsp.history import Repository

    with Repository.open(shop.path) as repository:
        editing = [edit for edit in repository.edits_of(shop.head("HEAD~1")).edits if edit.definition == "Client.get"]
    found = engine.next(editing, k=0, at=first)
    reasons = [reason.words for one in found for reason in one.reasons]
    assert not any("together" in words and "twice" in words for words in reasons)  # the future is not known
    typed = [replace(edit, commit=None) for edit in editing]
    now = engine.next(typed, k=0, at=shop.head())
    assert any("twice" in reason.words for one in now for reason in one.reasons)
    assert engine.next(editing, k=0, at=first) == found


def test_a_commit_that_stands_for_the_edits_in_progress_is_no_part_of_their_past(
    shop: Any, open_engine: OpenEngine
) -> None:
    from codewm_lsp.history import Repository

    engine = open_engine(shop.path)
    with Repository.open(shop.path) as repository:
        editing = repository.edits_of(shop.head()).edits
    found = engine.next(editing, k=0)
    evidence = [similar.edit.commit.sha for one in found for similar in one.evidence]
    assert evidence
    assert shop.head() not in evidence
    typed = [replace(edit, commit=None) for edit in editing]
    evidence = [similar.edit.commit.sha for one in engine.next(typed, k=0) for similar in one.evidence]
    assert shop.head() in evidence


def test_a_file_that_is_not_saved_counts_as_it_stands_in_the_editor(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8")
    unsaved = {"shop/client.py": "# one more line\n" + text.replace("def version", "def edition")}
    from codewm_lsp.history import Repository

    with Repository.open(shop.path) as repository:
        editing = repository.working_edits(unsaved)
    found = engine.next(editing, k=0, unsaved=unsaved)
    lines = {one.definition: one.line for one in found if one.path == "shop/client.py"}
    assert "version" not in lines
    assert "edition" not in lines  # it is the edit in progress
    assert lines["Client"] == 6


def test_a_new_and_a_deleted_file_are_no_problem(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    shop.write("shop/new.py", "from shop.client import Client\n\n\ndef fresh():\n    return Client('x').get('/')\n")
    shop.remove("shop/colours.py")
    from codewm_lsp.history import Repository

    with Repository.open(shop.path) as repository:
        editing = repository.working_edits()
    found = named(engine.next(editing, k=0))
    assert not any(one.startswith(("shop/colours.py", "shop/new.py")) for one in found)
    assert "shop/client.py::Client.get" in found


def test_several_edits_in_progress_speak_together(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    both = working_edits(shop, "shop/colours.py", "return a + b", "return a - b")
    assert len(both) == 2
    together = {(one.path, one.definition): one.score for one in engine.next(both, k=0)}
    alone = [{(one.path, one.definition): one.score for one in engine.next([edit], k=0)} for edit in both]
    for name, score in together.items():
        assert score < 1 - (1 - alone[0][name]) * (1 - alone[1][name])  # they are no independent witnesses
    module = ("shop/colours.py", "<module>")
    client = next(number for number, edit in enumerate(both) if edit.path == "shop/client.py")
    assert together[module] > alone[client][module]  # but each is heard


def test_in_a_very_large_repository_the_newest_edits_alone_are_asked_about(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    working_edits(shop, "shop/colours.py", "return a + b", "return a - b")
    edits = working_edits(shop, "shop/client.py", "total += number", "total += 2 * number")
    assert len(edits) == 3

    def odds(some: tuple[Edit, ...]) -> dict[str, float]:
        engine = open_engine(shop.path)
        candidates = {f"{one.path}::{one.definition}" for one in engine.next(edits, k=0)}
        return {n: one.score for one in engine.next(some, k=0) if (n := f"{one.path}::{one.definition}") in candidates}

    assert odds(edits) != odds(edits[:2])
    monkeypatch.setattr("codewm_lsp.ranking.values._LOOKED_AT", 1)
    assert odds(edits) == odds(edits[:2])


def test_a_very_large_repository_has_the_same_hints(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    texts = {path: (shop.path / path).read_text() for path in ("shop/client.py", "shop/colours.py")}

    def answers() -> tuple[list[Prediction], list[Hints]]:
        engine, options = open_engine(shop.path), HintOptions(threshold=0.0)
        return engine.next(edits), [engine.hints(path, text, options=options) for path, text in texts.items()]

    everything = answers()
    monkeypatch.setattr("codewm_lsp.hints.derived.MOST_DEFINITIONS", 1)
    assert answers() == everything


def test_in_a_very_large_repository_a_file_that_has_nothing_to_do_with_the_edit_has_hints_when_looked_at(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    path = "shop/colours.py"
    expected = {one.definition: one.score for one in open_engine(shop.path).next(edits, k=0, paths=[path])}
    monkeypatch.setattr("codewm_lsp.hints.derived.MOST_DEFINITIONS", 1)
    monkeypatch.setattr("codewm_lsp.ranking.shortlist._BY_FILE", 0)
    monkeypatch.setattr("codewm_lsp.ranking.shortlist._BY_EACH", 0)
    found = {one.definition: one.score for one in open_engine(shop.path).next(edits, k=0, paths=[path])}
    assert found.keys() == expected.keys()
    assert len(set(found.values())) == len(set(expected.values()))


def test_no_edit_no_prediction(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    assert engine.next((), k=5) == []
    assert not engine.hints("shop/client.py", (shop.path / "shop/client.py").read_text(encoding="utf-8")).items


def test_a_repository_with_one_commit_has_answers_too(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("young")
    repository.commit("Begin", {"a.py": "def one():\n    return two(1)\n\n\ndef two(x):\n    return x\n"})
    engine = open_engine(repository.path)
    editing = working_edits(repository, "a.py", "def two(x):", "def two(x, y):")
    assert named(engine.next(editing)) == ["a.py::one"]


def test_hostile_names_are_cleaned_in_reasons(make_repository: Callable[..., Any], open_engine: OpenEngine) -> None:
    repository = make_repository("hostile")
    evil = "a\u202eb.py"
    repository.commit("\x1b[31mBegin", {evil: "import x\n\n\ndef one():\n    return x\n", "c.py": "import x\n"})
    repository.commit("Again", {evil: "import x, y\n\n\ndef one():\n    return x\n", "c.py": "import x, y\n"})
    engine = open_engine(repository.path)
    editing = working_edits(repository, evil, "import x, y", "import x, z")
    words = [reason.words for one in engine.next(editing, k=0) for reason in one.reasons]
    assert words
    assert all(character.isprintable() for one in words for character in one)


def lines_of(text: str) -> list[str]:
    return text.split("\n")


def test_hints_stand_on_definition_lines_one_a_definition_and_capped(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8")
    changed = "\n\n" + text.replace("wait_seconds", "patience", 1)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, limit=5)
    hints = engine.hints("shop/client.py", changed, options=options).items
    assert 0 < len(hints) <= 5
    assert len({hint.definition for hint in hints}) == len(hints)
    assert [hint.line for hint in hints] == sorted(hint.line for hint in hints)
    for hint in hints:
        if hint.definition != "<module>":
            assert hint.definition.rpartition(".")[2] in lines_of(changed)[hint.line]
        assert hint.title
        assert hint.title.isprintable()
    similar = [hint for hint in hints if hint.kind is HintKind.SIMILAR]
    assert [hint.definition for hint in similar] == ["Client.get"]
    assert similar[0].edit_ids
    assert engine.hints("shop/client.py", changed, options=options).items == hints


@pytest.mark.parametrize("kind", list(HintKind))
def test_a_kind_that_is_off_is_not_shown(shop: Any, open_engine: OpenEngine, kind: HintKind) -> None:
    engine = open_engine(shop.path)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("wait_seconds", "patience", 1)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, kinds=frozenset({kind}))
    hints = engine.hints("shop/client.py", text, options=options).items
    assert {hint.kind for hint in hints} == {kind}


def test_nothing_is_shown_below_the_threshold(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("wait_seconds", "patience", 1)

    def shown_with(options: HintOptions) -> Any:
        return engine.hints("shop/client.py", text, options=options).items

    assert not shown_with(HintOptions(threshold=1.1, similar_threshold=1.1))
    assert not shown_with(HintOptions(limit=0))
    shown = shown_with(HintOptions(threshold=0.0, similar_threshold=1.1, limit=99))
    module_level = np.array([hint.definition == MODULE_NAME for hint in shown])
    likely, must = np.array([hint.score for hint in shown]), np.zeros(len(shown), bool)
    scores = lens_scores(likely, module_level, must, shipped_ranker().surer).tolist()
    half = sorted(scores)[len(shown) // 2]
    fewer = shown_with(HintOptions(threshold=half, similar_threshold=1.1, limit=99))
    wanted = [hint.definition for hint, score in zip(shown, scores, strict=True) if score >= half]
    assert [hint.definition for hint in fewer] == wanted
    assert 0 < len(wanted) < len(shown)


def test_that_a_definition_changed_lately_is_no_reason_for_a_lens() -> None:
    lately = Reason(CHANGED_LATELY.name, 0.7, "changed 17 commits ago")
    found = Prediction("a.py", "f", 1, 0.9, (), (lately,), ())
    assert not found.says_why
    assert replace(found, reasons=(Reason("twin", 0.1, "like g"), lately)).says_why


def test_a_large_repository_is_read_bit_by_bit(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.commit("Add many", {f"many/part_{number}.py": f"def part_{number}(): pass\n" for number in range(80)})
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("wait_seconds", "patience", 1)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, limit=99)
    everything = open_engine(shop.path).hints("shop/client.py", text, options=options).items
    engine = open_engine(shop.path)
    found = engine.hints("shop/client.py", text, options=options, patience=0.0)
    assert not found.complete
    first = found.items
    said = [[(hint.definition, hint.kind) for hint in hints] for hints in (first, everything)]
    assert said[0] == said[1]  # from the files around it
    assert [hint for hint in first if hint.kind is HintKind.SIMILAR] == [
        hint for hint in everything if hint.kind is HintKind.SIMILAR
    ]
    assert first != everything  # what the others say was not known
    asked: list[str] = []
    predict = engine.engine._predictions
    monkeypatch.setattr(engine.engine, "_predictions", lambda *given: asked.append("once") or predict(*given))
    meanwhile = engine.hints("shop/client.py", text, options=options, patience=0.0)
    assert meanwhile == found
    assert asked == []  # nothing is worked out again that is the same until all is read
    calls = 2
    while not found.complete:
        found = engine.hints("shop/client.py", text, options=options, patience=0.0)
        calls += 1
    assert (found.items, calls) == (everything, 3)


def test_generated_files_do_not_hold_up_what_is_said_meanwhile(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated = "".join(f"def field_{number}(self): pass\n" for number in range(6_000))
    shop.commit("Generate", {f"shop/generated_{number}.py": generated + f"LAST = {number}\n" for number in range(3)})
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("wait_seconds", "patience", 1)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, limit=99)
    everything = open_engine(shop.path).hints("shop/client.py", text, options=options)
    engine = open_engine(shop.path)
    parsed: list[int] = []
    parse = derived.parse_file
    monkeypatch.setattr(derived, "parse_file", lambda *arguments: parsed.append(len(arguments[0])) or parse(*arguments))
    counted = []
    while not (found := engine.hints("shop/client.py", text, options=options, patience=0.0)).complete:
        assert found.items
        counted.append(sum(length > 100_000 for length in parsed))
    assert counted == sorted(set(counted))  # at most one is parsed before an answer, and each once
    assert found == everything


def test_files_that_are_only_moved_are_not_parsed_again(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.commit("Add many", {f"many/part_{number}.py": f"def part_{number}(): pass\n" for number in range(80)})
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace("wait_seconds", "patience", 1)
    options = HintOptions(threshold=0.0, similar_threshold=0.0, limit=99)
    engine = open_engine(shop.path)
    engine.hints("shop/client.py", text, options=options)
    parsed: list[str] = []
    parse = derived.parse_file
    monkeypatch.setattr(derived, "parse_file", lambda *arguments: parsed.append(arguments[0]) or parse(*arguments))
    monkeypatch.setattr(derived, "_PARSED", Kind("parsed file", 1))  # it is not for its being remembered
    (shop.path / "many").rename(shop.path / "moved")
    changed = text.replace("wait_seconds", "patience", 1)
    after = engine.hints("shop/client.py", changed, options=options)
    assert [one for one in parsed if one] == [changed]
    assert after == open_engine(shop.path).hints("shop/client.py", changed, options=options)


def test_where_next_does_not_wait_until_a_large_repository_is_read(shop: Any, open_engine: OpenEngine) -> None:
    shop.commit("Add many", {f"many/part_{number}.py": f"def part_{number}(): pass\n" for number in range(80)})
    edits = working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    everything = open_engine(shop.path).next(edits, k=0)
    asked = open_engine(shop.path)
    engine, snapshot = asked.engine, asked.snapshot()
    found = engine.next(snapshot, edits, k=0, patience=0.0)
    assert not engine.has_read(snapshot)
    assert "shop/client.py::Client.put" in named(found)
    assert len(found) < len(everything)
    calls = 1
    while not engine.has_read(snapshot):
        found = engine.next(snapshot, edits, k=0, patience=0.0)
        calls += 1
    assert (found, calls) == (everything, 3)


def test_a_file_that_was_emptied_leads_to_others(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    (shop.path / "shop/client.py").write_text("", encoding="utf-8")
    assert not engine.hints("shop/client.py", "").items
    assert engine.next(working_edits(shop, "shop/colours.py", "def mix(", "def mix_all("), k=0)


IMPORTERS = ["shop/__init__.py::<module>", "shop/late.py::late", "tests/test_client.py::<module>"]
LATE = '"""Late."""\n\n\ndef late():\n    from .client import Client\n\n    return Client\n'


def test_importers_of_a_module_that_moved_lead_whatever_else_is_edited(shop: Any, open_engine: OpenEngine) -> None:
    shop.commit("Import late", {"shop/late.py": LATE})
    engine = open_engine(shop.path)
    shop.git("mv", "shop/client.py", "shop/clients.py")
    editing = working_edits(shop, "shop/colours.py", "return a + b", "return a - b")
    found = engine.next(editing, k=4)
    assert sorted(named(found[:3])) == IMPORTERS
    assert named(found)[2].startswith("tests/"), "what runs comes before what tests it"
    reasons = {one.path: (one.line, one.reasons[0].words) for one in found}
    assert reasons["shop/late.py"] == (3, "imports `.client`, which has moved to shop/clients.py")
    line, words = reasons["tests/test_client.py"]
    assert words == "imports `shop.client`, which has moved to shop/clients.py"
    assert "shop.client" in lines_of((shop.path / "tests/test_client.py").read_text("utf-8"))[line]
    (hint,) = engine.hints("shop/late.py", LATE).items
    assert hint.title == "likely next · imports `.client`, which has moved to shop/clients.py"


def test_importers_of_a_module_that_moved_lead_though_nothing_is_edited(shop: Any, open_engine: OpenEngine) -> None:
    shop.commit("Import late", {"shop/late.py": LATE})
    engine = open_engine(shop.path)
    shop.git("mv", "shop/client.py", "shop/clients.py")
    found = engine.next(engine.snapshot().editing(None), k=4)
    assert sorted(named(found[:3])) == IMPORTERS, "the last commit changed one of them"
    assert all([reason.name for reason in one.reasons] == [REFERENCE] for one in found[:3])
    hints = {hint.definition: hint.title for hint in engine.hints("shop/late.py", LATE).items}
    assert hints["late"] == "likely next · imports `.client`, which has moved to shop/clients.py"
    colours = (shop.path / "shop/colours.py").read_text(encoding="utf-8")
    assert not [hint for hint in engine.hints("shop/colours.py", colours).items if hint.kind is HintKind.NEXT]


def test_users_of_a_file_that_was_removed_lead(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    shop.git("rm", "-q", "shop/client.py")
    found = engine.next(engine.snapshot().editing(None), k=4)
    assert {one.path for one in found} == {"shop/__init__.py", "tests/test_client.py"}
    assert {one.reasons[0].words for one in found} == {
        "imports `shop.client`, which was removed",
        "still uses `Client`, which was removed",
        "still uses `connect`, which was removed",
    }


def test_users_of_a_renamed_method_lead_and_each_has_a_lens_that_says_why(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    editing = working_edits(shop, "shop/client.py", "def send(self", "def transmit(self")
    found = engine.next(editing, k=4)
    assert set(named(found[:2])) == {"shop/client.py::Client.get", "shop/client.py::Client.put"}
    assert [one.reasons[0].words for one in found[:2]] == ["still uses `send`, which was renamed to `transmit`"] * 2
    assert all(one.score > 0.9 for one in found[:2])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8")
    titles = {
        hint.definition: hint.title for hint in engine.hints("shop/client.py", text).items if hint.kind is HintKind.NEXT
    }
    assert (
        titles["Client.get"]
        == titles["Client.put"]
        == "likely next · still uses `send`, which was renamed to `transmit`"
    )
    # what is fixed is no longer said
    fixed = text.replace('self.send("GET"', 'self.transmit("GET"')
    hints = engine.hints("shop/client.py", fixed).items
    assert {hint.definition for hint in hints if "still uses" in hint.title} == {"Client.put"}


def test_a_lens_that_must_follow_comes_before_others_where_there_is_room_for_one(
    shop: Any, open_engine: OpenEngine
) -> None:
    engine = open_engine(shop.path)
    working_edits(shop, "shop/client.py", "def connect(", "def open_client(")
    tests = (shop.path / "tests/test_client.py").read_text(encoding="utf-8")
    tests = tests.replace('"data") == "ok"', '"data") == "fine"')
    hints = engine.hints("tests/test_client.py", tests, options=HintOptions(limit=1)).items
    assert [(hint.definition, hint.title) for hint in hints] == [
        ("test_get", "likely next · still uses `connect`, which was renamed to `open_client`")
    ]
    hints = engine.hints("tests/test_client.py", tests).items
    assert any("(a linter would catch this)" in hint.title for hint in hints)


def test_all_that_must_follow_have_lenses_beyond_the_limit_of_a_file(shop: Any, open_engine: OpenEngine) -> None:
    text = "from shop.client import connect\n" + "".join(
        f"\n\ndef test_{n}():\n    assert connect('{n}')\n" for n in range(FOLLOWING + 10)
    )
    shop.commit("Test much", {"tests/test_many.py": text})
    engine = open_engine(shop.path)
    working_edits(shop, "shop/client.py", "def connect(", "def open_client(")

    def following(limit: int) -> int:
        hints = engine.hints("tests/test_many.py", text, options=HintOptions(limit=limit)).items
        return sum("still uses `connect`" in hint.title for hint in hints)

    assert following(8) == following(1) == FOLLOWING
    assert following(0) == 0


def test_an_unrelated_dirty_file_does_not_halve_what_is_said_of_the_edit_at_hand(
    shop: Any, open_engine: OpenEngine
) -> None:
    asking = open_engine(shop.path)
    client = (shop.path / "shop/client.py").read_text(encoding="utf-8")
    at_hand = {"shop/client.py": client.replace('"GET", url', '"GET", url.strip()')}

    def chances(unsaved: dict[str, str]) -> dict[str, float]:
        snapshot = asking.snapshot(unsaved=unsaved)
        said = asking.engine.next(snapshot, snapshot.editing("shop/client.py"), k=0)
        return {one.definition: one.score for one in said}

    alone = chances(at_hand)
    dirty = {"shop/colours.py": "RED = 1\n\n\ndef mix(a, b):\n    return a * b\n"}
    beside = chances(at_hand | dirty)
    likeliest = [name for name in sorted(alone, key=lambda name: -alone[name]) if name in beside][:5]
    assert "Client.put" in likeliest
    for name in likeliest:
        assert beside[name] > alone[name] / 2, (name, alone[name], beside[name])


def test_in_a_history_of_one_commit_only_what_must_follow_has_a_lens(
    make_repository: Callable[..., Any], open_engine: OpenEngine
) -> None:
    repository = make_repository("young")
    text = "def fetch(url):\n    return url\n\n\ndef load(path):\n    return fetch(path)\n\n\ndef count(items):\n"
    text += "    return 1\n"
    repository.commit("Begin", {"a.py": text})
    engine = open_engine(repository.path)
    options = HintOptions(threshold=0.0, kinds=frozenset({HintKind.NEXT}))
    typed = text.replace("return url", "return url.strip()")
    assert engine.hints("a.py", typed, options=options).items == ()
    (lens,) = engine.hints("a.py", text.replace("def fetch", "def get"), options=options).items
    assert lens.definition == "load"
    repository.commit("Go on", {"a.py": text.replace("return 1", "return len(items)")})
    with_more = open_engine(repository.path).hints("a.py", typed, options=options).items
    assert with_more


def test_what_must_follow_because_of_a_call_changes_in_its_body(shop: Any, open_engine: OpenEngine) -> None:
    engine = open_engine(shop.path)
    editing = working_edits(shop, "shop/client.py", "def connect(", "def open_client(")
    found = {one.definition: one for one in engine.next(editing, k=0)}
    assert found["test_get"].reasons[0].words == "still uses `connect`, which was renamed to `open_client`"
    assert found["test_get"].likely == ("body",)


def test_a_lens_says_why_or_is_not_shown(shop: Any, open_engine: OpenEngine) -> None:
    asking = open_engine(shop.path)
    text = (shop.path / "shop/client.py").read_text(encoding="utf-8").replace('"GET", url', '"GET", url.strip()')
    shop.write("shop/client.py", text)
    options = HintOptions(threshold=0.0, limit=99, kinds=frozenset({HintKind.NEXT}))
    silent = replace(shipped_ranker(), definition={}, file={}, definition_trees=NO_TREES, file_trees=NO_TREES)
    for ranker, some in ((shipped_ranker(), True), (silent, False)):
        engine = Engine(asking.repository, asking.encoder, asking.index, ranker=ranker)
        one = replace(asking, engine=engine)
        shown = {hint.definition for hint in one.hints("shop/client.py", text, options=options).items}
        listed = one.next(asking.repository.working_edits(), k=0, paths=["shop/client.py"])
        assert all(found.reasons for found in listed), "a list says the best that is true"
        assert shown == {found.definition for found in listed if found.says_why}
        assert bool(shown) is some


def test_in_a_large_repository_what_edits_said_last_of_another_file_stands_in_until_that_is_asked_again(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "_TAKES_LONG", 1)
    path, options = "shop/colours.py", HintOptions(threshold=0.0)
    working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    text = (shop.path / path).read_text(encoding="utf-8")
    asking = open_engine(shop.path)

    def hints(text: str, *, soon: bool) -> Hints:
        found: Hints = asking.engine.hints(asking.snapshot(unsaved={path: text}), path, options=options, soon=soon)
        return found

    assert hints(text, soon=True).complete, "nothing was said before"
    for more in ("\nHUE = 1\n", "\n\ndef hue():\n    return get(url)\n"):
        early = hints(text + more, soon=True)
        assert not early.complete
        now = hints(text + more, soon=False)
        assert now.complete
        assert [hint.definition for hint in early.items] == [hint.definition for hint in now.items]
        assert now == open_engine(shop.path).hints(path, text + more, options=options)
        assert hints(text + more, soon=True) == now


def test_what_edits_say_of_their_own_file_is_said_at_once(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "_TAKES_LONG", 1)
    monkeypatch.setattr(derived.Derived, "_said_of_files", lambda *_: pytest.fail("other files were looked at"))
    path = "shop/client.py"
    text = (shop.path / path).read_text(encoding="utf-8").replace('"GET", url', '"GET", url + "?"')
    asking = open_engine(shop.path)
    assert asking.engine.hints(asking.snapshot(unsaved={path: text}), path, soon=True).complete


def test_of_many_open_documents_the_same_is_said_as_of_one(
    shop: Any, open_engine: OpenEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working_edits(shop, "shop/client.py", 'self.send("GET", url', 'self.send("GET", url + "?"')
    options = HintOptions(threshold=0.0)
    texts = {
        path: (shop.path / path).read_text(encoding="utf-8") for path in ("shop/colours.py", "tests/test_client.py")
    }

    def hints() -> list[tuple[str, float]]:
        asking = open_engine(shop.path)
        found = [asking.hints(path, text, options=options) for path, text in texts.items()]
        return [(hint.definition, hint.score) for one in found for hint in one.items]

    alone = hints()
    monkeypatch.setattr(derived, "_FEW_USES", 0)
    together = hints()
    assert [name for name, _ in together] == [name for name, _ in alone]
    assert [score for _, score in together] == pytest.approx([score for _, score in alone])
