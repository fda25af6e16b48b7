"""What is asked about: the working tree's changes, the last commit's, or those of any revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codewm_lsp.errors import CodewmError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.history import Commit, CommitEdits, Edit, Repository

LOOK_BACK = 200  # commits searched for the newest one that changes a definition
_ABSENT = ("shallow", "missing")  # why a commit is skipped whose past is not on this machine
LISTED = 12  # definitions named in a message


class NothingToAnswerError(CodewmError):
    """The question is right, and there is nothing to answer it from (exit code 1)."""


@dataclass(frozen=True, slots=True)
class Question:
    """The edits in progress, and what counts as known when they are made.

    ``at`` is the full id of the revision asked about (HEAD's, unless another was named). ``history`` is the newest
    commit that counts as past. ``files`` is the revision whose definitions may be next, None for the working tree's.
    """

    edits: tuple[Edit, ...]
    at: str
    history: str
    files: str | None
    words: str


_STANDING_IN = " (the working tree has none: these stand for the edits in progress, with the past before them)"


def ask(repository: Repository, *, at: str | None = None, editing: str | None = None) -> Question:
    """Find the edits in progress.

    Without ``at``: the working tree's changes, or those of the last commit when there are none (the engine then leaves
    that commit out of the past). With ``at``: the same, as if that revision were HEAD and the tree clean. ``editing``
    (``PATH::DEFINITION``) leaves one of them; with ``at`` it is that definition's change in that very revision, and
    history and files are those of its parent.

    Raises OptionError for an unknown revision or definition, NothingToAnswerError where there are no edits or no past.
    """
    wanted = _parse_editing(editing) if editing is not None else None
    if at is None:
        head = _head(repository)
        edits = repository.working_edits()
        if edits:
            if wanted is not None:
                edits = (_find(edits, wanted, "the working tree's changes"),)
            return Question(edits, head, head, None, "the working tree's changes")
    else:
        head = repository.head(at)
        if wanted is not None:
            return _one_edit_of(repository, head, wanted)
    return _last_commit(repository, head, at, wanted)


def _parse_editing(editing: str) -> tuple[str, str]:
    path, separator, definition = editing.rpartition("::")
    if not separator or not path or not definition:
        raise OptionError(
            f"--editing {editing!r} is not PATH::DEFINITION: write it like src/client.py::Client.get, "
            "with the path from the repository's root"
        )
    return path.replace("\\", "/").removeprefix("./"), definition


def _head(repository: Repository) -> str:
    from codewm_lsp.errors import RepositoryError

    try:
        return repository.head()
    except RepositoryError as error:
        raise NothingToAnswerError(str(error)) from error


def _matches(edit: Edit, wanted: tuple[str, str]) -> bool:
    path, definition = wanted
    return edit.definition == definition and path in (edit.path, edit.previous_path)


def _find(edits: tuple[Edit, ...], wanted: tuple[str, str], where: str) -> Edit:
    for edit in edits:
        if _matches(edit, wanted):
            return edit
    listed = [f"  {edit.path}::{edit.definition}" for edit in edits[:LISTED]]
    if len(edits) > LISTED:
        listed.append(f"  … and {len(edits) - LISTED} more")
    raise OptionError("\n".join([f"--editing {wanted[0]}::{wanted[1]} is not among {where}. Changed there:", *listed]))


def _title(commit: Commit) -> str:
    return f"commit {commit.sha[:10]} {commit.subject!r}"


def _parent(changed: CommitEdits) -> str:
    commit = changed.commit
    if changed.skipped in _ABSENT:
        raise NothingToAnswerError(
            f"what came before {_title(commit)} is not in this clone. Get it with git fetch --unshallow (a shallow "
            "clone) or git fetch --refetch (a partial one), or ask about a later commit"
        )
    if commit.parent is None:
        raise NothingToAnswerError(
            f"{_title(commit)} is the first of this history: nothing came before it. Commit something more, "
            "or ask about a later one"
        )
    return commit.parent


def _one_edit_of(repository: Repository, sha: str, wanted: tuple[str, str]) -> Question:
    changed = repository.edits_of(sha)
    edits = changed.edits
    parent = _parent(changed)
    if changed.skipped is not None:
        edits = _edits_of_file(repository, changed.commit, parent, wanted[0])
    title = _title(changed.commit)
    if not edits:
        raise OptionError(
            f"--editing {wanted[0]}::{wanted[1]}: {title} changes no Python definition"
            + (f" of that file (it is a {changed.skipped} commit)" if changed.skipped else "")
        )
    edit = _find(edits, wanted, f"the changes of {title}")
    return Question((edit,), sha, parent, parent, f"{edit.definition} in {title}")


def _edits_of_file(repository: Repository, commit: Commit, parent: str, path: str) -> tuple[Edit, ...]:
    """One file's edits against the first parent, of a commit that the index leaves out (a merge, a bulk change)."""
    from codewm_lsp.history import file_edits

    texts: list[str | None] = []
    for revision in (parent, commit.sha):
        blob = repository.files(revision).get(path)
        texts.append(None if blob is None else repository.read(blob))
    return file_edits(path, texts[0], texts[1], commit=commit)


def _last_commit(repository: Repository, head: str, at: str | None, wanted: tuple[str, str] | None) -> Question:
    found: CommitEdits | None = None
    count = 0
    for changed in repository.commits(head, limit=LOOK_BACK):
        if changed.edits:
            found = changed
            break
        if changed.skipped in _ABSENT:
            _parent(changed)
        count += 1
    if found is None:
        raise NothingToAnswerError(
            f"none of the newest {count} commits at {head[:10]} changes a Python definition "
            "(merges and commits of very many files aside): change one, or ask about another revision with --at"
        )
    title = _title(found.commit)
    edits = found.edits if wanted is None else (_find(found.edits, wanted, f"the changes of {title}"),)
    return Question(
        edits,
        head,
        _parent(found),
        None if at is None else head,
        f"the changes of {title}" + (_STANDING_IN if at is None else ""),
    )
