"""What usually changes with a change, and has not: what is asked, what is said, and when nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.forgotten import MOST, Forgotten, Looked, forgotten, not_needed
from codewm_lsp.history import Repository
from codewm_lsp.index import Dismissals
from codewm_lsp.ranking.boosted_trees import Trees
from codewm_lsp.ranking.missing_files import MissingFiles


def asked(path: Path, *arguments: Any, **more: Any) -> Forgotten:
    with Repository.open(path) as repository:
        return forgotten(repository, *arguments, **more)


def paths(found: Forgotten) -> list[str]:
    return [one.path for one in found.missing]


@pytest.fixture
def changed(coupled: Any) -> Any:
    """``core.py`` is changed and staged; what always changes with it is not."""
    coupled.write("core.py", "a = -1\n")
    coupled.git("add", "core.py")
    return coupled


def test_the_file_that_always_changes_with_it_is_named_with_reason_and_evidence(changed: Any) -> None:
    found = asked(changed.path)
    (one,) = found.missing
    assert one.path == "docs/core.rst"
    assert one.chance > 0.5
    assert (one.beside, one.together, one.of) == ("core.py", 61, 61)
    assert one.reason == "changed in 61 of the last 61 commits to core.py"
    assert [it.subject for it in one.evidence] == ["Change number 119", "Change number 117", "Change number 115"]
    assert (found.asked, found.changed, found.commits) == ("what is staged", ("core.py",), 120)


def test_the_likeliest_are_named_and_the_others_counted(make_repository: Any) -> None:
    repository = make_repository("wide")
    pages = [f"docs/page{n}.rst" for n in range(5)]
    repository.commit_many(
        [(f"Change {n}", {"core.py": f"a = {n}\n", **dict.fromkeys(pages, f"{n}\n")}) for n in range(80)]
    )
    repository.write("core.py", "a = -1\n")
    found = asked(repository.path)
    assert len(found.missing) == MOST == 3
    assert found.more == 2


def test_the_reason_is_the_share_that_speaks_for_the_file(make_repository: Any) -> None:
    """A changelog that got its name lately: few commits to a file of the change had it, nearly all new ones do."""
    repository = make_repository("renamed")
    old = [(f"Old {n}", {"core.py": f"a = {n}\n"}) for n in range(100)]
    new = [(f"New {n}", {f"part{n % 7}.py": f"a = {n}\n", "CHANGES.md": f"{n}\n"}) for n in range(60)]
    repository.commit_many([*old, ("Both", {"core.py": "b\n", "CHANGES.md": "both\n"}), *new])
    repository.write("core.py", "a = -1\n")
    found = asked(repository.path, threshold=0.01)
    (changes,) = [one for one in found.missing if one.path == "CHANGES.md"]
    assert changes.reason == "changed in 50 of the last 50 commits"


def test_of_the_newest_commits_to_the_changed_files_those_are_told_that_speak_most_for_the_file(
    make_repository: Any,
) -> None:
    """A page that came late: it is in few of all commits to a module and in each of the newest."""
    repository = make_repository("late")
    alone = [(f"Alone {n}", {"core.py": f"a = {n}\n", "tools.py": f"b = {n}\n"}) for n in range(80)]
    both = [(f"Both {n}", {"core.py": f"a = -{n}\n", "page.md": f"{n}\n"}) for n in range(1, 6)]
    repository.commit_many([*alone, *both, *[(f"Tools {n}", {"tools.py": f"c = {n}\n"}) for n in range(30)]])
    repository.write("core.py", "a = 1\n")
    (page,) = [one for one in asked(repository.path, threshold=0.01).missing if one.path == "page.md"]
    assert page.reason == "changed in 5 of the last 5 commits to core.py"
    assert [it.subject for it in page.evidence] == ["Both 5", "Both 4", "Both 3"]


def test_a_chance_above_the_share_that_is_told_is_explained_or_said_to_have_more_behind_it(
    make_repository: Any,
) -> None:
    """No module alone speaks for the page; all three together do, and for the list they do in half of the commits."""
    repository = make_repository("three")
    modules = ("core.py", "tools.py", "parts.py")
    commits: list[tuple[str, dict[str, str]]] = []
    for turn in range(12):
        commits += [(f"Alone {turn} {n}", {modules[n % 3]: f"a = {turn}{n}\n"}) for n in range(30)]
        beside = ("page.md", ("list.md", "other.md")[turn % 2])
        commits.append((f"All {turn}", dict.fromkeys((*modules, *beside), f"b = {turn}\n")))
    commits += [(f"Last {n}", {modules[n % 3]: f"c = {n}\n"}) for n in range(30)]
    repository.commit_many(commits)
    for name in modules:
        repository.write(name, "a = -1\n")

    def told(path: str, logit: float) -> str:
        model = MissingFiles(Trees(("best_share",), (logit,)), 0.0)
        (one,) = [one for one in asked(repository.path, model=model).missing if one.path == path]
        assert one.beside
        assert one.together / one.of < 0.12
        return one.reason.partition(" of the last ")[2].partition(" and ")[2]

    assert told("page.md", -3.0) == "", "the share says more than the chance"
    assert told("page.md", 4.0) == "in 12 of the 12 commits most like this change"
    assert told("list.md", 4.0) == "in 6 of the 12 commits most like this change; other signals raise the chance"


def test_lines_that_the_change_removes_elsewhere_and_that_a_file_still_has_are_counted(make_repository: Any) -> None:
    repository = make_repository("lines")
    old, new = (
        "uses: actions/checkout@v4\nuses: actions/setup@v4\n",
        "uses: actions/checkout@v5\nuses: actions/setup@v5\n",
    )
    repository.commit_many(
        [(f"Set {n}", {f"{name}.yml": f"step: {n}\n{old}" for name in ("one", "two", "three")}) for n in range(60)]
    )
    for name in ("one", "two"):
        repository.write(f"{name}.yml", f"step: 59\n{new}")
    (three,) = asked(repository.path, threshold=0.01).missing
    assert (three.path, three.kept_lines) == ("three.yml", 2)
    assert three.reason.startswith("still has 2 lines that the change removes elsewhere; changed in 60 of the last 60 ")


def test_a_complete_change_is_left_alone(changed: Any) -> None:
    changed.write("docs/core.rst", "-1\n")
    changed.git("add", "docs/core.rst")
    found = asked(changed.path)
    assert not found.missing
    assert not found.silent


def test_a_change_that_comes_by_itself_is_left_alone(coupled: Any) -> None:
    coupled.write("tools.py", "b = -1\n")
    assert not asked(coupled.path).missing


def test_what_is_not_staged_is_asked_about_where_nothing_is_staged(coupled: Any) -> None:
    coupled.write("core.py", "a = -1\n")
    assert asked(coupled.path).asked == "the working tree"
    assert paths(asked(coupled.path)) == ["docs/core.rst"]
    only = asked(coupled.path, looked=Looked.STAGED)
    assert (only.asked, only.silent) == ("what is staged", "There are no changes to check.")


def test_the_working_tree_can_be_asked_about_whatever_is_staged(changed: Any) -> None:
    changed.write("docs/core.rst", "-1\n")
    assert paths(asked(changed.path)) == ["docs/core.rst"]
    assert not asked(changed.path, looked=Looked.WORK_TREE).missing


def test_a_branch_is_asked_about_as_one_change(coupled: Any) -> None:
    coupled.branch("feature")
    coupled.commit("One", {"core.py": "a = -1\n"})
    coupled.commit("Two", {"core.py": "a = -2\n"})
    found = asked(coupled.path, "main...feature")
    assert found.changed == ("core.py",)
    assert paths(found) == ["docs/core.rst"]
    assert found.commits == 120
    coupled.commit("Three", {"docs/core.rst": "-1\n"})
    assert not asked(coupled.path, "main...feature").missing


def test_a_file_that_moved_and_what_it_was_are_not_missing(coupled: Any) -> None:
    coupled.rename("docs/core.rst", "manual/core.rst")
    coupled.write("core.py", "a = -1\n")
    coupled.git("add", "--all")
    found = asked(coupled.path, threshold=0.0)
    assert not {"docs/core.rst", "manual/core.rst"} & set(paths(found))


def test_a_file_that_was_deleted_with_the_change_is_not_missing(changed: Any) -> None:
    changed.git("rm", "--quiet", "docs/core.rst")
    assert "docs/core.rst" not in paths(asked(changed.path, threshold=0.0))


def test_files_of_a_repository_without_python_are_named(make_repository: Any) -> None:
    repository = make_repository()
    commits = [("Start", {"a.ts": "0\n", "a.md": "0\n", "b.ts": "0\n"})]
    for number in range(1, 90):
        files = (
            {"b.ts": f"{number}\n"}
            if number % 2
            else {"a.ts": f"const a = {number}\n", "a.md": f"The value of const a is {number}.\n"}
        )
        commits.append((f"Change {number}", files))
    repository.commit_many(commits)
    repository.write("a.ts", "const a = -1\n")
    assert paths(asked(repository.path, threshold=0.5)) == ["a.md"]


def test_not_needed_holds_for_a_change_while_it_grows_and_never_needed_for_all(changed: Any) -> None:
    dismissals = Dismissals(None)
    first = asked(changed.path, dismissals=dismissals)
    dismissals.add(not_needed("docs/core.rst", first.change))
    assert not asked(changed.path, dismissals=dismissals).missing
    changed.write("new.txt", "more of the same change\n")
    changed.git("add", "new.txt")
    assert not asked(changed.path, dismissals=dismissals).missing
    changed.commit("Commit it")
    changed.write("core.py", "a = -2\n")
    assert paths(asked(changed.path, dismissals=dismissals)) == ["docs/core.rst"]
    dismissals.add(not_needed("docs/core.rst"))
    assert not asked(changed.path, dismissals=dismissals).missing


def test_a_short_history_is_called_one_instead_of_saying_that_all_is_well(make_repository: Any) -> None:
    repository = make_repository()
    repository.commit("Start", {"a.py": "a = 1\n"})
    repository.write("a.py", "a = 2\n")
    found = asked(repository.path)
    assert found.silent == "Too little history: only 1 of the 50 usable commits that are needed."


def test_a_shallow_clone_says_what_to_fetch(coupled: Any, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    coupled.git("clone", "--quiet", "--depth=20", f"file://{coupled.path}", str(shallow))
    (shallow / "core.py").write_text("a = -1\n", encoding="utf-8")
    found = asked(shallow)
    assert found.shallow
    assert found.silent.startswith("Too little history: this clone has only 19 of the 50 usable commits needed.")
    assert "fetch-depth: 0" in found.silent
    deeper = tmp_path / "deeper"
    coupled.git("clone", "--quiet", "--depth=100", f"file://{coupled.path}", str(deeper))
    (deeper / "core.py").write_text("a = -1\n", encoding="utf-8")
    assert paths(asked(deeper)) == ["docs/core.rst"]
    assert asked(deeper).shallow


def test_nothing_changed_and_nothing_a_person_changed_are_told_apart(coupled: Any) -> None:
    assert asked(coupled.path).silent == "There are no changes to check."
    coupled.write("poetry.lock", "lock\n")
    coupled.git("add", "--all")
    assert asked(coupled.path).silent == "Only generated and similar files have changed."


def test_before_the_first_commit_there_is_nothing_to_learn_from(make_repository: Any) -> None:
    repository = make_repository()
    repository.write("a.py", "a = 1\n")
    repository.git("add", "--all")
    assert asked(repository.path).silent == "This is the first commit: there is no history to learn from."


def test_a_change_of_very_many_files_has_no_usual_company(coupled: Any) -> None:
    for number in range(61):
        coupled.write(f"many/{number}.txt", "text\n")
    coupled.git("add", "--all")
    assert asked(coupled.path).silent == "This changes 61 files; changes of more than 60 are not checked."


def test_what_a_merge_or_a_rebase_brings_is_not_asked_about(coupled: Any) -> None:
    coupled.branch("feature", "HEAD~2")
    coupled.commit("Feature", {"tools.py": "feature\n"})
    coupled.checkout("main")
    coupled.commit("Main", {"tools.py": "main\n"})
    for command, word in ((("merge", "feature"), "merge"), (("rebase", "feature"), "rebase")):
        with pytest.raises(AssertionError):
            coupled.git("-c", "user.name=Ada", "-c", "user.email=ada@example.org", *command)  # ends in a conflict
        assert asked(coupled.path).silent == f"A {word} is in progress. The changes it brings are not checked."
        assert asked(coupled.path, "HEAD~1...HEAD").silent == ""
        coupled.git(word, "--abort")


def test_a_range_that_is_none_and_commits_that_are_not_there_say_so(coupled: Any) -> None:
    with pytest.raises(RepositoryError, match="not of the form BASE"):
        asked(coupled.path, "main..HEAD")
    with pytest.raises(RepositoryError, match="'nowhere' is not a commit"):
        asked(coupled.path, "nowhere...HEAD")


def test_a_bare_repository_is_asked_by_commits(coupled: Any, tmp_path: Path) -> None:
    coupled.git("clone", "--quiet", "--bare", str(coupled.path), str(tmp_path / "bare.git"))
    with pytest.raises(RepositoryError, match="--diff BASE"):
        asked(tmp_path / "bare.git")
    assert asked(tmp_path / "bare.git", "HEAD~1...HEAD").changed == ("core.py", "docs/core.rst")


@pytest.mark.parametrize(("without", "told"), [(1, "but not in the last one"), (2, "but not in the last 2")])
def test_a_chance_below_the_share_is_explained_by_the_newest_commits(coupled: Any, without: int, told: str) -> None:
    for number in range(without):
        coupled.commit(f"Without the page {number}", {"core.py": f"a = {900 + number}\n"})
    coupled.write("core.py", "a = 1000\n")
    (one,) = asked(coupled.path, threshold=0.01).missing[:1]
    assert one.path == "docs/core.rst"
    assert one.chance < 60 / (60 + without)
    assert one.reason == f"changed in {one.together} of the last {one.of} commits to core.py, {told}"
