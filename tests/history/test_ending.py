"""Processes and threads at the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

from codewm_lsp.history import CommitEdits, Repository
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

SCRIPT = """
import sys
from pathlib import Path
from codewm_lsp.history import Repository
repository = Repository.open(Path(sys.argv[1]))
stream = repository.commits()
print(next(stream).commit.subject)
repository.edits_of("HEAD~")
repository.read("0" * 40)
"""


def history(built: RepositoryBuilder, length: int) -> RepositoryBuilder:
    for number in range(length):
        built.commit(f"c{number}", {"a.py": f"def f():\n    return {number}\n", f"b{number % 7}.py": f"x = {number}\n"})
    return built


def test_a_program_that_closes_nothing_ends_quietly(make_repository: MakeRepository) -> None:
    built = history(make_repository(), 20)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(built.path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("c19\n", "", 0)


def test_closing_ends_every_process_and_thread(make_repository: MakeRepository) -> None:
    built = history(make_repository(), 12)
    before = threading.active_count()
    with Repository.open(built.path) as repository:
        list(repository.commits())
        repository.edits_of("HEAD")
        repository.close()
        repository.close()
    assert threading.active_count() == before


def test_several_threads_may_ask_at_once(make_repository: MakeRepository) -> None:
    built = history(make_repository(), 40)
    answers: list[list[CommitEdits]] = []
    failures: list[BaseException] = []
    with Repository.open(built.path) as repository:
        expected = list(repository.commits())

        def ask(turn: int) -> None:
            try:
                if turn % 2:
                    answers.append(list(repository.commits()))
                else:
                    answers.append([repository.edits_of(commit.commit.sha) for commit in expected])
                repository.working_edits({"a.py": "def g(): pass\n"})
                repository.definitions(repository.files().values())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert answers == [expected] * 4
