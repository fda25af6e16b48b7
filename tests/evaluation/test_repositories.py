"""Which clones are measured on, what is mined of them, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import OptionError
from codewm_lsp.history import Repository
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.repositories import find, folder_of_clones, newest_commits, newest_files, sets


def test_the_sets_share_no_repository() -> None:
    known = sets()
    assert {name: len(own) for name, own in known.items()} == {"train": 40, "validation": 5, "test": 18}
    assert len({name for own in known.values() for name in own}) == 63


def test_the_folder_of_clones_is_asked_for_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEWM_REPOS", raising=False)
    with pytest.raises(OptionError, match=r"CODEWM_REPOS is not set.*--smoke"):
        folder_of_clones()
    monkeypatch.setenv("CODEWM_REPOS", str(tmp_path / "missing"))
    with pytest.raises(OptionError, match="not a folder"):
        folder_of_clones()
    monkeypatch.setenv("CODEWM_REPOS", str(tmp_path))
    with pytest.raises(OptionError, match="empty"):
        folder_of_clones()


def test_clones_are_found_bare_or_not_and_through_links(clones: Path, tmp_path: Path, make_repository: Any) -> None:
    repository = make_repository("someone+tool")
    repository.write("a.py", "x = 1\n")
    repository.commit("first")
    (tmp_path / "clones").mkdir()
    (tmp_path / "clones" / "Someone+Tool").symlink_to(repository.path)
    (tmp_path / "clones" / "alpha+orders").symlink_to(clones / "alpha+orders")
    (tmp_path / "clones" / "no+repository").mkdir()
    found, left_out = find(
        tmp_path / "clones", ["someone/tool", "alpha/orders", "no/repository", "not/there"], required=False
    )
    assert [clone.name for clone in found] == ["someone/tool", "alpha/orders"]
    with Repository.open(clones / "alpha+orders") as opened:
        assert found[1].head == opened.head()
    assert set(left_out) == {"no/repository", "not/there"}


def test_a_repository_that_was_asked_for_by_name_must_be_there(clones: Path) -> None:
    with pytest.raises(OptionError, match="not/there cannot be measured on"):
        find(clones, ["alpha/orders", "not/there"], required=True)
    with pytest.raises(OptionError, match="none of the repositories"):
        find(clones, ["not/there"], required=False)


def test_mined_edits_are_those_of_the_history_and_are_kept(clones: Path, tmp_path: Path) -> None:
    (clone,), _ = find(clones, ["alpha/orders"], required=True)
    cache = Cache(tmp_path)
    first = newest_commits(clone, 30, cache)
    with Repository.open(clone.folder) as repository:
        walked = [commit for commit in repository.commits() if commit.edits][: len(first)]
    assert first == walked
    assert newest_commits(clone, 30, cache) == first
    assert 30 <= sum(len(commit.edits) for commit in first) < 60


def test_file_pairs_are_whole_files_before_and_after_their_commit(clones: Path, tmp_path: Path) -> None:
    (clone,), _ = find(clones, ["beta/sensors"], required=True)
    commits = newest_files(clone, 10, Cache(tmp_path))
    assert commits == newest_files(clone, 10, Cache(tmp_path))
    with Repository.open(clone.folder) as repository:

        def text(sha: str, path: str) -> str:
            files = repository.files(sha)
            return repository.read(files[path]) if path in files else ""

        for commit in commits:
            for edit in commit.edits:
                assert commit.commit.parent is not None
                assert edit.after == text(commit.commit.sha, edit.path)
                assert edit.before == text(commit.commit.parent, edit.path)
    assert any(not edit.before for commit in commits for edit in commit.edits), "a file that came"
