"""Git keeps its index in several forms, and settings of a repository choose among them: the edits are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codewm_lsp.history import Repository
from tests.conftest import RepositoryBuilder

ONE = "def one():\n    return 1\n"
TWO = "def two():\n    return 2\n"

FORMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "version 4": (("update-index", "--index-version", "4"),),
    "split": (("update-index", "--split-index"),),
    "with a cache of untracked files": (
        ("config", "core.untrackedCache", "true"),
        ("update-index", "--untracked-cache"),
        ("status",),
    ),
    "for many files": (("config", "feature.manyFiles", "true"), ("status",)),
    "without hashes of its own": (("config", "index.skipHash", "true"), ("update-index", "--force-write-index")),
    "of states that are barely compared": (
        ("config", "core.checkStat", "minimal"),
        ("config", "core.trustctime", "no"),
    ),
    "by folders, where most are left out": (("sparse-checkout", "set", "--cone", "--sparse-index", "kept"),),
    "by patterns": (("sparse-checkout", "set", "--no-cone", "/kept/", "/*.py"),),
}


@pytest.mark.parametrize("form", FORMS)
def test_edits_are_the_same_whatever_the_form_of_the_index(
    form: str, make_repository: Callable[..., RepositoryBuilder]
) -> None:
    built = make_repository()
    built.commit("Begin", {"a.py": ONE, "kept/b.py": ONE, "left/out/c.py": ONE, "left/d.py": ONE})
    for command in FORMS[form]:
        built.git(*command)
    with Repository.open(built.path) as repository:
        assert repository.working_edits() == ()
        built.write("a.py", TWO)
        built.write("kept/new.py", TWO)
        built.git("add", "kept/new.py")
        built.write("kept/untracked.py", TWO)
        edited = {edit.path for edit in repository.working_edits({"kept/b.py": TWO})}
        assert edited == {"a.py", "kept/b.py", "kept/new.py", "kept/untracked.py"}
