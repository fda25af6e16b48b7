"""The past edits behind a prediction: what a lens cites is a fact of its own place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codewm_lsp.index import Dismissal, Scope

SHOP = """\
def fetch(page):
    return get(page{a})


def store(page):
    return put(page{b})


def count(items):
    return {c}
"""


def shop(*, a: str = "", b: str = "", c: str = "len(items)") -> str:
    return SHOP.format(a=a, b=b, c=c)


def test_the_commit_that_changed_both_comes_first_and_is_named(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"shop.py": shop()})
    both = repository.commit("Retry requests", {"shop.py": shop(a=", retries=2", b=", retries=2")})
    repository.commit("Count lazily", {"shop.py": shop(a=", retries=2", b=", retries=2", c="sum(1 for _ in items)")})
    text = shop(a=", retries=3", b=", retries=2", c="sum(1 for _ in items)")
    repository.write("shop.py", text)
    asking = open_engine(repository.path)
    editing = asking.repository.working_edits()
    found = {one.definition: one for one in asking.next(editing, k=0)}

    first = found["store"].evidence[0]
    assert (first.edit.commit.sha, first.edit.definition) == (both, "store")
    assert [reason.words for reason in first.reasons] == ["changed with fetch"]
    # count never changed together with fetch, but for the commit that began the file
    assert all(reason.name != "joint change" for one in found["count"].evidence for reason in one.reasons)

    asking.index.dismissals.add(Dismissal(Scope.COMMIT, both))
    hidden = {one.definition: one for one in asking.next(editing, k=0)}
    assert all(one.edit.commit.sha != both for one in hidden["store"].evidence)


def test_a_joint_change_is_found_under_the_older_name_of_the_file(
    make_repository: Callable[..., Any], open_engine: Callable[..., Any]
) -> None:
    repository = make_repository()
    repository.commit("Begin", {"old.py": shop()})
    both = repository.commit("Retry requests", {"old.py": shop(a=", retries=2", b=", retries=2")})
    repository.rename("old.py", "new.py")
    repository.commit("Rename the shop")
    repository.write("new.py", shop(a=", retries=3", b=", retries=2"))
    asking = open_engine(repository.path)
    found = {one.definition: one for one in asking.next(asking.repository.working_edits(), k=0)}
    assert found["store"].evidence[0].edit.commit.sha == both
    assert found["store"].evidence[0].edit.path == "old.py"
