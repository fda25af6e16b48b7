"""What `codewm forgotten` would have said of past commits, each asked about with what was known before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from codewm_lsp.hints.backtest import backtest, questions
from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import FilePast


def test_files_that_always_change_together_are_found_and_nothing_is_said_in_vain(coupled: Any) -> None:
    with Repository.open(coupled.path) as repository:
        found = backtest(repository, commits=40)
    assert (found.history, found.commits, found.hidden) == (120, 40, 40)
    assert found.right == found.flags == found.later >= 18  # docs/core.rst, and core.py where it is not sure
    assert found.warned == 0
    assert {one.path for one in found.examples} <= {"docs/core.rst", "core.py"}
    assert found.examples[0].subject == "Change number 119"


def test_a_commit_that_leaves_out_what_is_usual_is_spoken_of_in_vain(coupled: Any) -> None:
    coupled.commit("The code alone", {"core.py": "a = -1\n"})
    with Repository.open(coupled.path) as repository:
        found = backtest(repository, commits=10)
    assert (found.commits, found.warned) == (10, 1)
    assert [(one.subject, one.path) for one in found.vain] == [("The code alone", "docs/core.rst")]


def test_the_first_commits_of_a_history_are_not_asked_about(make_repository: Any) -> None:
    repository = make_repository()
    repository.commit_many([(f"Change {n}", {"a.txt": f"{n}\n", "b.txt": f"{n}\n"}) for n in range(55)])
    with Repository.open(repository.path) as opened:
        assert backtest(opened, commits=40).commits == 5


def test_nothing_of_what_came_later_is_known(coupled: Any) -> None:
    """A question about a commit has the same answer with and without the commits after it."""
    with Repository.open(coupled.path) as repository:
        full = FilePast(repository.changed_files())
        early = FilePast(repository.changed_files("HEAD~40"))
        place = len(early.commits) - 1
        assert full.commits[place].sha == early.commits[place].sha
        later = list(questions(repository, full, [place]))
        then = list(questions(repository, early, [place]))
    assert len(later) == len(then) == 3
    for one, other in zip(later, then, strict=True):
        assert one.known.asked == other.known.asked
        np.testing.assert_array_equal(one.known.candidates.table, other.known.candidates.table)


def test_a_file_that_was_renamed_since_is_asked_about_under_its_newest_name(coupled: Any) -> None:
    coupled.rename("docs/core.rst", "manual/core.rst")
    coupled.commit("Move the manual")
    with Repository.open(coupled.path) as repository:
        past = FilePast(repository.changed_files())
        asked = list(questions(repository, past, [119]))
    assert {past.paths[one.hidden] for one in asked if one.hidden >= 0} == {"core.py", "manual/core.rst"}
    assert asked[0].known.asked.paths == ("core.py", "manual/core.rst")


@pytest.mark.parametrize("event", ["moved", "new"])
def test_a_file_that_was_not_there_before_is_not_hidden(coupled: Any, event: str) -> None:
    if event == "moved":
        coupled.rename("tests/test_tools.py", "tests/tools_test.py")
    else:
        coupled.write("tests/tools_test.py", "new\n")
    coupled.commit("With another", {"tools.py": "b = -1\n"})
    with Repository.open(coupled.path) as repository:
        past = FilePast(repository.changed_files())
        asked = list(questions(repository, past, [120]))
    assert [past.paths[one.hidden] for one in asked if one.hidden >= 0] == ["tools.py"]


def test_definitions_that_a_commit_would_have_left_broken_or_lacking_are_said_too(make_repository: Any) -> None:
    repository = make_repository()
    library = "def send():\n    return 0\n"
    repository.commit_many(
        [
            ("Begin", {"library.py": library, "caller.py": "from library import send\n\n\ndef run():\n    send()\n"}),
            *((f"Note {n}", {"log.txt": f"{n}\n"}) for n in range(60)),
            (
                "Post",
                {
                    "library.py": library.replace("send", "post"),
                    "caller.py": "from library import post\n\n\ndef run():\n    post()\n",
                },
            ),
        ]
    )
    with Repository.open(repository.path) as opened:
        found = backtest(opened, commits=1)
    assert (found.hidden, found.right, found.flags, found.warned) == (2, 2, 2, 0)
    assert {one.path for one in found.examples} == {"library.py", "caller.py"}, "one is left broken, the other lacks"
