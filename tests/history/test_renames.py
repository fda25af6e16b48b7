"""Older names of files lead to the newest ones."""

from __future__ import annotations

from codewm_lsp.history import NewestPaths


def test_a_name_holds_for_the_commits_before_the_rename() -> None:
    paths = NewestPaths()
    assert paths.of("old.py") == "old.py"
    paths.add([("mid.py", "new.py")])
    assert paths.of("mid.py") == paths.of("new.py") == "new.py"
    before = paths.now()
    paths.add([("old.py", "mid.py"), ("other.py", "elsewhere.py")])
    assert paths.of("old.py") == "new.py"
    assert before == {"mid.py": "new.py"}
    assert paths.now() == {"mid.py": "new.py", "old.py": "new.py", "other.py": "elsewhere.py"}


def test_a_name_that_was_given_again_is_another_file_further_back() -> None:
    paths = NewestPaths()
    paths.add([("a.py", "b.py")])  # the newest rename …
    paths.add([("b.py", "a.py")])  # … and one before it: what was b then is what is b now
    assert paths.of("b.py") == "b.py"
