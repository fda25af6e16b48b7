"""Which files each commit changed, remembered beside the index."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.history import Repository, changed_files
from codewm_lsp.history.changed_files import ChangedFiles
from codewm_lsp.index.file_history import file_history
from codewm_lsp.index.store import FILE_HISTORY, folder_name


@pytest.fixture
def cache(coupled: Any, tmp_path: Path) -> Path:
    """A cache folder in which the repository has a folder of its own, as once it is indexed."""
    with Repository.open(coupled.path) as repository:
        (tmp_path / "cache" / folder_name(repository.key)).mkdir(parents=True)
    return tmp_path / "cache"


def remembered(cache: Path) -> Path:
    (folder,) = cache.iterdir()
    return folder / FILE_HISTORY


def asked(path: Path, cache: Path | None) -> tuple[list[ChangedFiles], int]:
    """The history, and of how many commits Git was asked."""
    with Repository.open(path) as repository:
        plain = repository.changed_files_in_time
        count = 0

        def counted(*arguments: Any, **more: Any) -> tuple[list[ChangedFiles], bool]:
            nonlocal count
            found, complete = plain(*arguments, **more)
            count += sum(one.sha not in more.get("known", {}) for one in found)
            return found, complete

        repository.changed_files_in_time = counted  # type: ignore[method-assign]
        return file_history(repository, "HEAD", cache), count


def test_git_is_asked_about_new_commits_alone(coupled: Any, cache: Path) -> None:
    first, count = asked(coupled.path, cache)
    assert count == len(first) == 120
    assert asked(coupled.path, cache) == (first, 0)
    coupled.commit("One more", {"tools.py": "b = -1\n"})
    again, count = asked(coupled.path, cache)
    assert count == 1
    assert again[1:] == first
    assert again == asked(coupled.path, None)[0]


def test_no_address_is_written_and_nothing_where_there_is_no_index(coupled: Any, cache: Path, tmp_path: Path) -> None:
    asked(coupled.path, cache)
    assert "ada@example.org" not in remembered(cache).read_text("ascii")
    asked(coupled.path, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"of": [], "commits": [[1, 2]]}', "\0" * 99, "[" * 100_000])
def test_a_broken_file_is_made_anew(coupled: Any, cache: Path, broken: str) -> None:
    first, _ = asked(coupled.path, cache)
    remembered(cache).write_text(broken, "ascii")
    assert asked(coupled.path, cache) == (first, 120)
    assert asked(coupled.path, cache) == (first, 0)


def test_a_path_that_leads_nowhere_is_no_commit(coupled: Any, cache: Path) -> None:
    first, _ = asked(coupled.path, cache)
    text = remembered(cache).read_text("ascii")
    remembered(cache).write_text(text.replace('"tools.py"', "7"), "ascii")
    assert asked(coupled.path, cache) == (first, 120)


def test_a_clone_that_is_no_longer_shallow_has_the_whole_history(coupled: Any, cache: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    coupled.git("clone", "--quiet", "--depth=9", f"file://{coupled.path}", str(shallow))
    with Repository.open(shallow) as repository:
        (cache / folder_name(repository.key)).mkdir()
    assert len(asked(shallow, cache)[0]) == 8
    coupled.git("-C", str(shallow), "fetch", "--quiet", "--unshallow")
    assert len(asked(shallow, cache)[0]) == 120


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Git")
def test_where_git_takes_long_the_newest_commits_are_told_and_the_next_time_it_goes_on(
    coupled: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git, programs = shutil.which("git"), tmp_path / "programs"
    programs.mkdir()
    slow = programs / "git"
    most = tmp_path / "most"  # bytes that it says before it stalls
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *" diff-tree "*) "{git}" "$@" | head -c "$(cat "{most}")"; exec sleep 60;; '
        f'*) exec "{git}" "$@";; esac\n'
    )
    slow.chmod(0o755)
    whole, _ = asked(coupled.path, None)
    monkeypatch.setattr(changed_files, "PATIENT_SECONDS", 1.0)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    most.write_text("3000")
    part, count = asked(coupled.path, cache)
    assert 5 < len(part) == count < 100
    assert part == whole[: len(part)]
    assert asked(coupled.path, None)[0] == part
    more, count = asked(coupled.path, cache)
    assert len(more) == len(part) + count > len(part)
    assert more == whole[: len(more)]
    with Repository.open(coupled.path) as repository, pytest.raises(RepositoryError, match="takes too long"):
        repository.changed_files()
    most.write_text("9")
    with pytest.raises(RepositoryError, match="takes too long"):
        asked(coupled.path, cache)
    monkeypatch.undo()
    assert asked(coupled.path, cache) == (whole, len(whole) - len(more))
