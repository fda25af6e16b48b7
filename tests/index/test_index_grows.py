"""Indexing goes backwards from the newest commit, can stop anywhere, and takes in what is new."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.index import Index, UpdateOutcome, reached, update

Make = Callable[..., Any]


def contents(index: Index) -> Counter[tuple[str, str, str]]:
    """Every edit of an index as (commit, path, definition)."""
    return Counter(
        (entry.commit.sha, path, definition) for entry in index.log.entries() for path, definition, *_ in entry.edits
    )


def truth(repository: Any, rev: str = "HEAD") -> Counter[tuple[str, str, str]]:
    """Every edit of a history."""
    return Counter(
        (item.commit.sha, edit.path, edit.definition) for item in repository.commits(rev) for edit in item.edits
    )


def test_the_whole_history_is_indexed_once(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(40).path)
    index = open_index(repository)
    seen: list[tuple[int, int]] = []
    result = update(repository, encoder, index.log, progress=lambda done, total: seen.append((done, total)))
    assert (result.outcome, result.done, result.total, result.added) == (
        UpdateOutcome.COMPLETE,
        40,
        40,
        index.log.size(),
    )
    assert contents(index) == truth(repository)
    assert seen[0] == (0, 40)
    assert seen[-1] == (40, 40)
    assert index.log.known() == set(repository.ancestors())

    again = update(repository, encoder, index.log)
    assert (again.outcome, again.added) == (UpdateOutcome.COMPLETE, 0)
    assert contents(index) == truth(repository)


def test_what_is_indexed_is_described_in_full(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(3).path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    item = repository.edits_of(repository.ancestors()[0])
    edit = item.edits[0]
    past = [hit.edit for hit in index.search(edit, encoder.embed_edits([("", edit.after)])[0], k=0)]
    own = sorted((one for one in past if one.commit.sha == item.commit.sha), key=lambda one: one.id)
    assert [(p.commit, p.path, p.definition, p.definition_kind, p.kind, p.line) for p in own] == [
        (item.commit, e.path, e.definition, e.definition_kind, e.kind, e.line) for e in item.edits
    ]


def test_a_stopped_update_has_the_newest_commits_and_goes_on_later(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(40).path)
    index = open_index(repository)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 10

    first = update(repository, encoder, index.log, stop=stop)
    assert first.outcome is UpdateOutcome.STOPPED
    newest = repository.ancestors()[: first.done]
    assert 0 < first.done < 40
    assert index.log.known() == set(newest)
    edit = repository.edits_of(newest[0]).edits[0]
    assert index.search(edit, encoder.embed_edits([(edit.before, edit.after)])[0], k=3)

    late = update(repository, encoder, index.log, deadline=time.monotonic())
    assert late.outcome is UpdateOutcome.DEADLINE
    assert late.done == first.done + 1
    assert update(repository, encoder, index.log, limit=25).outcome is UpdateOutcome.COMPLETE
    assert index.log.known() == set(repository.ancestors(limit=25))
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)


def test_an_update_stops_within_a_commit_of_very_many_edits(
    make_repository: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_repository()
    builder.commit("Begin", {"a.py": "def a():\n    return 1\n"})
    builder.commit("Generate", {"b.py": "".join(f"def f{n}():\n    return {n}\n" for n in range(1_000))})
    repository = open_repository(builder.path)
    index = open_index(repository)
    asked: list[int] = []

    class Counting:
        def embed_edits(self, pairs: Any) -> Any:
            asked.append(len(pairs))
            return encoder.embed_edits(pairs)

    stopped = update(repository, Counting(), index.log, stop=lambda: bool(asked))
    assert (stopped.outcome, stopped.done) == (UpdateOutcome.STOPPED, 0)
    assert sum(asked) < 1_000
    assert update(repository, Counting(), index.log).outcome is UpdateOutcome.COMPLETE
    assert contents(index) == truth(repository)


def test_other_readers_see_an_index_grow(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_history(20)
    repository = open_repository(builder.path)
    writer, reader = open_index(repository), open_index(repository)
    edit = repository.edits_of(repository.ancestors()[0]).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    assert reader.search(edit, vector, k=5) == []
    sizes: list[int] = []

    def look(done: int, total: int) -> None:
        sizes.append(reader.log.size())
        assert len(reader.search(edit, vector, k=0)) == sizes[-1]

    update(repository, encoder, writer.log, progress=look)
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert sizes[-1] == writer.log.size() > 0
    assert contents(reader) == contents(writer)

    builder.commit("One more", {"client_0.py": "def one_more():\n    return 1\n"})
    result = update(repository, encoder, writer.log)
    assert (result.done, result.total) == (21, 21)
    assert reader.history().definitions[0] == ("client_0.py", "one_more")
    assert contents(reader) == truth(repository)


def test_one_process_indexes_at_a_time(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, tmp_path: Path
) -> None:
    path = make_history(30).path
    repository = open_repository(path)
    index = open_index(repository)
    script = Path(__file__).with_name("indexing_process.py")
    assert index.log.acquire_writer()
    try:
        other = open_index(repository)
        assert not other.log.acquire_writer()
        assert update(repository, encoder, other.log).outcome is UpdateOutcome.BUSY
        assert update(repository, encoder, other.log, wait=0.3).outcome is UpdateOutcome.BUSY
        assert update(repository, encoder, other.log, wait=60, stop=lambda: True).outcome is UpdateOutcome.STOPPED
        done = subprocess.run(
            [sys.executable, script, path, tmp_path / "cache"], capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[-1] == "busy"
        assert index.log.size() == 0
    finally:
        index.log.release_writer()
    assert update(repository, encoder, other.log, wait=5).outcome is UpdateOutcome.COMPLETE
    assert contents(other) == truth(repository)


def test_several_processes_at_once_store_each_commit_once(
    make_history: Make, open_repository: Make, open_index: Make, tmp_path: Path
) -> None:
    path = make_history(40).path
    command = [sys.executable, Path(__file__).with_name("indexing_process.py"), path, tmp_path / "cache"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outcomes = [process.communicate(timeout=120)[0].split()[-1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert "complete" in outcomes
    assert set(outcomes) <= {"complete", "busy"}
    repository = open_repository(path)
    index = open_index(repository)
    assert index.notices == []
    assert contents(index) == truth(repository)


def test_two_batches_with_the_same_commit_store_it_once(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(3).path)
    index, other = open_index(repository), open_index(repository)
    batch = [
        (item, encoder.embed_edits([(edit.before, edit.after) for edit in item.edits])) for item in repository.commits()
    ]
    index.log.add(batch[:2])
    other.log.add(batch)
    index.log.add(batch)
    assert contents(index) == contents(other) == truth(repository)


def test_commits_that_a_rewritten_history_left_behind_are_out_of_range(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_history(6)
    builder.commit("Wrong", {"wrong.py": "def wrong():\n    return 'left behind'\n"})
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    left_behind = builder.head()
    edit = repository.edits_of(left_behind).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]

    builder.git("reset", "--quiet", "--hard", "HEAD~1")
    builder.commit("Right", {"right.py": "def right():\n    return 'kept'\n"})
    result = update(repository, encoder, index.log)
    assert (result.done, result.total) == (7, 7)
    within = set(repository.ancestors())
    assert left_behind in index.log.known()
    assert left_behind not in within
    assert left_behind not in {hit.edit.commit.sha for hit in index.search(edit, vector, k=0, within=within)}
    assert ("wrong.py", "wrong") not in index.history(within).definitions
    assert ("right.py", "right") in index.history(within).definitions
    assert ("wrong.py", "wrong") in index.history().definitions


def test_after_a_complete_update_only_new_commits_are_walked(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_history(6)
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    assert index.log.settled() == (builder.head(), 6)
    builder.branch("side", "HEAD~4")  # older than what is done, and not reached by it
    aside = builder.commit("Aside", {"aside.py": "def aside():\n    return 1\n"}, date=builder.clock - 7200)
    builder.checkout("main")
    builder.merge("side")
    result = update(repository, encoder, index.log)
    assert (result.outcome, result.done, result.total, result.added) == (UpdateOutcome.COMPLETE, 8, 8, 1)
    assert aside in index.log.known()
    assert index.log.settled() == (builder.head(), 8)
    assert update(repository, encoder, index.log).total == 8

    builder.git("reset", "--quiet", "--hard", "HEAD~3")  # rewritten: what was done is no longer all reached
    builder.commit("Instead", {"instead.py": "def instead():\n    return 1\n"})
    result = update(repository, encoder, index.log)
    assert (result.done, result.total, result.added) == (5, 5, 1)
    assert index.log.settled() == (builder.head(), 5)
    assert update(repository, encoder, index.log, limit=2).total == 2


def test_merges_and_bulk_commits_are_done_without_edits(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_history(2)
    builder.branch("side", "HEAD~1")
    builder.commit("Aside", {"aside.py": "def aside():\n    return 1\n"})
    builder.checkout("main")
    builder.merge("side")
    builder.commit("Everything", {f"many_{number}.py": f"x = {number}\n" for number in range(31)})
    repository = open_repository(builder.path)
    index = open_index(repository)
    result = update(repository, encoder, index.log)
    assert (result.outcome, result.done) == (UpdateOutcome.COMPLETE, 5)
    assert {entry.commit.subject for entry in index.log.entries() if entry.edits} == {
        "Add timeout 0",
        "Add timeout 1",
        "Aside",
    }


def test_the_end_of_a_shallow_history_is_looked_at_again(
    make_history: Make, make_repository: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_history(8)
    clone = make_repository("clone")
    clone.git("fetch", "--quiet", "--depth=3", builder.path.as_uri(), "main")
    clone.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    repository = open_repository(clone.path)
    index = open_index(repository)
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert update(repository, encoder, index.log).outcome is UpdateOutcome.COMPLETE
    assert len({sha for sha, _, _ in contents(index)}) == 2
    clone.git("fetch", "--quiet", "--unshallow", builder.path.as_uri(), "main")
    repository = open_repository(clone.path)  # as the next start of the program does
    later = open_index(repository)
    update(repository, encoder, later.log)
    assert contents(later) == truth(repository)
    assert len({sha for sha, _, _ in contents(later)}) == 8


def test_an_index_of_another_model_is_another_file(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, tmp_path: Path
) -> None:
    repository = open_repository(make_history(3).path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    with Index.of(repository, "another", folder=tmp_path / "cache", edit_size=32) as other:
        assert other.path != index.path
        assert other.log.size() == 0
        assert other.notices == []
    with Index.open("another", "another", folder=tmp_path / "cache", edit_size=32) as other:
        assert other.log.size() == 0


def test_a_question_that_makes_no_sense_is_not_laid_to_the_file(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(3).path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    edit = repository.edits_of(repository.head()).edits[0]
    wrong = np.zeros((1, 7), dtype=np.float32)
    questions: list[Callable[[], object]] = [
        lambda: index.search(edit, wrong[0], k=1),
        lambda: index.nearest(wrong, k=1),
        lambda: index.nearest(wrong[0], k=1),
    ]
    before = contents(index)
    for question in questions:
        with pytest.raises(ValueError, match="asked of"):
            question()
    assert index.notices == []
    assert contents(index) == before


def test_an_empty_index_answers_with_nothing(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    repository = open_repository(make_history(2).path)
    index = open_index(repository)
    edit = repository.edits_of(repository.head()).edits[0]
    vector = encoder.embed_edits([(edit.before, edit.after)])[0]
    assert index.log.size() == 0
    assert index.search(edit, vector, k=5) == []
    assert index.nearest(vector[None], k=5) == [[]]
    assert index.log.entries() == []
    assert index.history().definitions == []


def test_names_and_subjects_of_any_bytes_are_kept(
    make_repository: Make, open_repository: Make, open_index: Make, encoder: Any
) -> None:
    builder = make_repository()
    for path in ("with space.py", "new\nline.py", "quote'\"\\.py", "ünï.py", "名前.py"):
        builder.write(path, "def naïve_größe():\n    return 'ß'\n")
    latin = builder.path / "plain.py"
    latin.write_text("def plain():\n    return 1\n")
    blob = builder.git("hash-object", "-w", "plain.py")
    builder.commit("Ünï 'quoted' \"subject\"\x01", author="Zoë O'Hara <zoe@example.org>")
    entry = f"100644 {blob}\tlatin-".encode() + b"\xe9.py\n"
    builder.git("update-index", "--add", "--index-info", stdin=entry)
    tree = builder.git("write-tree")
    commit = builder.git("commit-tree", tree, "-p", "HEAD", "-m", "latin", **builder._who("A <a@example.org>", None))
    builder.git("update-ref", "HEAD", commit)
    repository = open_repository(builder.path)
    index = open_index(repository)
    update(repository, encoder, index.log)
    assert contents(index) == truth(repository)
    assert len({path for _, path, _ in contents(index)}) == 7
    for item in repository.commits():
        for edit in item.edits:
            vector = encoder.embed_edits([(edit.before, edit.after)])[0]
            (hit,) = index.search(edit, vector, k=1, within={item.commit.sha})
            assert hit.edit.commit == item.commit


def test_what_a_revision_reaches_is_known_without_a_walk_where_the_index_holds_just_that(
    make_history: Make, open_repository: Make, open_index: Make, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = make_history(6)
    repository = open_repository(builder.path)
    index = open_index(repository)
    walked: list[str] = []
    walk = repository.ancestors

    def counted(rev: str = "HEAD", limit: int | None = None) -> list[str]:
        walked.append(rev)
        return list(walk(rev, limit))

    update(repository, encoder, index.log)
    with monkeypatch.context() as patch:
        patch.setattr(type(repository), "ancestors", lambda self, *asked: counted(*asked))
        head = repository.head()
        assert reached(repository, index.log, head) == index.log.known()
        builder.commit("Newer", {"a.py": "def f():\n    return 1\n"})
        newer = repository.head()
        assert reached(repository, index.log, newer) == index.log.known() | {newer}
        assert not walked
        update(repository, encoder, index.log, limit=1)
        walked.clear()
        assert reached(repository, index.log, newer) == index.log.known()
        assert not walked
        assert reached(repository, index.log, head) == index.log.known() - {newer}
        assert walked == [head], "the index knows more than this revision reaches"
