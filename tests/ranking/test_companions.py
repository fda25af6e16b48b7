"""Which files usually change together with those of a change: what is counted, and from which commits."""

from __future__ import annotations

import numpy as np
import pytest

from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch
from codewm_lsp.ranking.companions import SIGNALS, Companions, FilePast, Touched, companions

ADDED, MODIFIED, REMOVED = FileEvent.ADDED, FileEvent.MODIFIED, FileEvent.REMOVED


def past_of(*commits: str, author: str = "a") -> FilePast:
    """Commits, the oldest first: paths, ``+`` before a new one, ``-`` before one that is deleted, ``old>new``."""
    found = []
    for number, text in enumerate(commits):
        files, renames = [], []
        for word in text.split():
            event = {"+": ADDED, "-": REMOVED}.get(word[0], MODIFIED)
            old, arrow, path = word.lstrip("+-").rpartition(">")
            files.append(FileTouch(path, event, old if arrow else None))
            if arrow:
                renames.append((old, path))
        found.append(ChangedFiles(f"{number:040x}", author, number * 86_400, tuple(files), tuple(renames)))
    return FilePast(found[::-1])


def signal(past: FilePast, found: Companions, path: str, name: str) -> float:
    (row,) = np.flatnonzero(found.files == past.number[path])
    return float(found.table[row, SIGNALS.index(name)])


def names(past: FilePast, found: Companions) -> set[str]:
    return {past.paths[file] for file in found.files}


def test_joint_changes_are_counted_in_the_commits_of_the_file_that_changes_most_often_with_it() -> None:
    past = past_of("+a.py +b.md +c.txt", "a.py b.md", "a.py b.md", "a.py", "c.txt")
    found = companions(past, Touched(("a.py", "c.txt")))
    (row,) = np.flatnonzero(found.files == past.number["b.md"])
    assert (found.count[row], found.asked[row]) == (3, 4)
    assert signal(past, found, "b.md", "best_share") == pytest.approx(3 / 6)


def test_files_of_the_change_and_files_that_are_gone_are_no_candidates() -> None:
    past = past_of("+a.py +b.md +c.txt", "a.py b.md c.txt", "-c.txt a.py")
    assert names(past, companions(past, Touched(("a.py",)))) == {"b.md"}


def test_only_what_was_before_is_past() -> None:
    past = past_of("+a.py +b.md", "a.py b.md", "a.py", "a.py", "+z.txt a.py")
    early = companions(past, Touched(("a.py",), author="a", date=2 * 86_400), now=2)
    alone = past_of("+a.py +b.md", "a.py b.md")
    same = companions(alone, Touched(("a.py",), author="a", date=2 * 86_400))
    assert names(past, early) == {"b.md"}
    np.testing.assert_array_equal(early.table, same.table)


def test_a_file_keeps_its_past_under_its_newest_name() -> None:
    past = past_of("+a.py +old.md", "a.py old.md", "old.md>new.md", "a.py new.md")
    found = companions(past, Touched(("a.py",)))
    assert names(past, found) == {"new.md"}
    assert found.count.tolist() == [3]


def test_a_file_that_changes_in_all_commits_is_a_candidate_of_a_new_file() -> None:
    past = past_of("+a.py +CHANGES.md", "a.py CHANGES.md", "+b.py CHANGES.md")
    found = companions(past, Touched(("c.py",), frozenset({"c.py"})))
    assert "CHANGES.md" in names(past, found)
    assert signal(past, found, "CHANGES.md", "rate_10") == 1
    assert signal(past, found, "CHANGES.md", "is_notes") == 1
    assert not found.count.any()


def test_a_test_of_the_same_subject_and_folder_is_seen_by_its_path() -> None:
    past = past_of("+src/client.py +tests/test_client.py +tests/test_other.py +src/notes.md")
    found = companions(past, Touched(("src/client.py",)))
    assert signal(past, found, "tests/test_client.py", "same_subject") == 1
    assert signal(past, found, "tests/test_other.py", "same_subject") == 0
    assert signal(past, found, "src/notes.md", "same_folder") == 1
    assert signal(past, found, "tests/test_client.py", "is_test") == 1


def test_a_history_without_these_files_has_nothing_to_say() -> None:
    past = past_of("+a.py")
    assert not len(companions(past, Touched(("a.py",))).files)


def test_a_share_of_few_commits_is_less_sure_than_the_same_share_of_many() -> None:
    few = past_of("+a.py +b.md", "a.py b.md")
    many = past_of("+a.py +b.md", *["a.py b.md"] * 18)
    sure = [signal(past, companions(past, Touched(("a.py",))), "b.md", "sure_share") for past in (few, many)]
    assert sure[0] == pytest.approx(0.425, abs=0.001)  # Wilson's lower end of 2 of 2
    assert 0.8 < sure[1] < 1


def test_commits_of_a_file_count_that_are_of_the_same_kinds_but_for_the_candidate() -> None:
    # With its tests a.py needs the notes, alone it does not.
    past = past_of(*["a.py tests/test_a.py notes.md", "a.py"] * 4)
    both = companions(past, Touched(("a.py", "tests/test_a.py")))
    alone = companions(past, Touched(("a.py",)))
    assert signal(past, both, "notes.md", "pair_kind_share") == pytest.approx(4 / 5)
    assert signal(past, alone, "notes.md", "pair_kind_share") == 0


def test_how_often_commits_of_these_kinds_have_one_of_another_kind_besides_is_told() -> None:
    past = past_of(*["a.py CHANGES.md"] * 3, "b.py", "b.py")
    found = companions(past, Touched(("b.py",), author="a"))
    for name in ("kinds_30", "kinds_300", "kinds_author"):
        assert signal(past, found, "CHANGES.md", name) == pytest.approx(3 / 6)
    assert signal(past, found, "a.py", "kinds_30") == 0.5, "it adds no kind"
    assert signal(past, found, "a.py", "kinds_alone_30") == pytest.approx(2 / 6)


def test_an_authors_own_commits_to_the_changed_files_are_counted_for_themselves() -> None:
    past = past_of("+a.py +b.md", "a.py b.md", "a.py")
    found = companions(past, Touched(("a.py",), author="a"))
    stranger = companions(past, Touched(("a.py",), author="other"))
    assert signal(past, found, "b.md", "author_pair_share") == pytest.approx(2 / 5)
    assert signal(past, found, "b.md", "author_pair_count") == 3
    assert signal(past, stranger, "b.md", "author_pair_count") == 0
