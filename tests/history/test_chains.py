"""The successive versions of a definition."""

from __future__ import annotations

from collections.abc import Callable

from codewm_lsp.history import Chain, EditKind, Repository, chains
from tests.conftest import RepositoryBuilder

MakeRepository = Callable[..., RepositoryBuilder]

FILLER = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(12))


def one(value: object) -> str:
    return f"def one():\n    return {value}\n"


def chained(built: RepositoryBuilder, *, max_files: int = 30) -> dict[str, list[Chain]]:
    with Repository.open(built.path) as repository:
        found: dict[str, list[Chain]] = {}
        for chain in chains(repository.commits(max_files=max_files)):
            found.setdefault(chain.definition, []).append(chain)
        return found


def values(chain: Chain) -> list[str]:
    return [version.rsplit(" ", 1)[1] for version in chain.versions]


def test_versions_are_in_order_oldest_first(make_repository: MakeRepository) -> None:
    built = make_repository()
    for value in (1, 2, 3):
        built.commit(f"c{value}", {"a.py": one(value)})
    built.commit("Other", {"b.py": FILLER})
    built.commit("c4", {"a.py": one(4)})
    (chain,) = chained(built)["one"]
    assert (chain.path, chain.definition) == ("a.py", "one")
    assert values(chain) == ["1", "2", "3", "4"]
    assert [edit.kind for edit in chain.edits] == [EditKind.ADDED] + [EditKind.MODIFIED] * 3
    assert [edit.commit.subject for edit in chain.edits if edit.commit] == ["c1", "c2", "c3", "c4"]


def test_renames_are_followed_even_where_nothing_else_changed(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("c1", {"a.py": FILLER + one(1)})
    built.rename("a.py", "b.py")
    built.commit("Move")
    built.commit("c2", {"b.py": FILLER + one(2)})
    built.rename("b.py", "package/c.py")
    built.commit("c3", {"package/c.py": FILLER + one(3)})
    (chain,) = chained(built)["one"]
    assert chain.path == "package/c.py"
    assert values(chain) == ["1", "2", "3"]


def test_a_comment_in_between_does_not_break_a_chain(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("c1", {"a.py": one(1)})
    built.commit("Comment", {"a.py": "def one():\n    # why\n    return 1\n"})
    built.commit("c2", {"a.py": one(2)})
    (chain,) = chained(built)["one"]
    assert values(chain) == ["1", "2"]


def test_a_removal_ends_a_chain(make_repository: MakeRepository) -> None:
    built = make_repository()
    for text in (one(1), FILLER, one(1), one(2)):
        built.commit("Next", {"a.py": text})
    first, second = chained(built)["one"]
    assert values(first) == ["1"]
    assert first.edits[-1].kind is EditKind.REMOVED
    assert values(second) == ["1", "2"]


def test_branches_side_by_side_do_not_tangle(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("c1", {"a.py": one(1)})
    built.branch("side")
    built.commit("s2", {"a.py": one("side2")})
    built.checkout("main")
    built.commit("m2", {"a.py": one("main2")})
    built.checkout("side")
    built.commit("s3", {"a.py": one("side3")})
    built.checkout("main")
    built.commit("m3", {"a.py": one("main3")})
    built.git(
        "merge",
        "--quiet",
        "--strategy=ours",
        "--no-edit",
        "side",
        GIT_AUTHOR_NAME="a",
        GIT_AUTHOR_EMAIL="a@example.org",
        GIT_COMMITTER_NAME="a",
        GIT_COMMITTER_EMAIL="a@example.org",
    )
    found = sorted(values(chain) for chain in chained(built)["one"])
    assert found == [["1", "main2", "main3"], ["1", "side2", "side3"]]


def test_a_commit_that_was_skipped_breaks_the_chain_where_it_changed_it(make_repository: MakeRepository) -> None:
    built = make_repository()
    built.commit("c1", {"a.py": one(1), "b.py": one(1)})
    built.commit("Bulk", {"a.py": one(2), **{f"m{number}.py": one(number) for number in range(4)}})
    built.commit("c3", {"a.py": one(3), "b.py": one(3)})
    found = sorted((chain.path, values(chain)) for chain in chained(built, max_files=3)["one"])
    assert found == [("a.py", ["1"]), ("a.py", ["2", "3"]), ("b.py", ["1", "3"])]
