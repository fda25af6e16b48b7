"""The attributes by which Git converts a file between the repository and the work tree. No filter is ever run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from codewm_lsp.history.git_process import HardenedGit

_ATTRIBUTES: Final = ("filter", "ident", "working-tree-encoding")
_SECONDS: Final = 3.0


def conversions(git: HardenedGit, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Of each path, the attributes that are set, without those that are not; {} where there is none.

    Raises ``RepositoryError``.
    """
    answers: dict[str, dict[str, str]] = {path: {} for path in paths}
    if not paths:
        return answers
    told = "".join(f"{path}\0" for path in paths).encode("utf-8")
    command = ("check-attr", "-z", "--stdin", *_ATTRIBUTES)
    out = git.output(*command, files=True, told=told, seconds=_SECONDS, expected=True)
    fields = iter(out.decode("utf-8", "replace").split("\0"))
    for path, name, value in zip(fields, fields, fields, strict=False):
        if value not in ("unspecified", "unset") and path in answers:
            answers[path][name] = value
    return answers
