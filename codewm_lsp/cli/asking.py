"""What is asked about: the working tree's changes, the last commit's, or those of any revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from codewm_lsp.display import counted, named, place_name, short
from codewm_lsp.errors import NothingToAnswerError, OptionError, RepositoryError
from codewm_lsp.records import dataclass

if TYPE_CHECKING:
    from codewm_lsp.hints import StandIn
    from codewm_lsp.hints.snapshot import Look
    from codewm_lsp.history import Commit, CommitEdits, Edit, Repository

_ABSENT = ("shallow", "missing")  # why a commit is skipped whose past is not on this machine
_NOT_READ = {"merge": "is a merge", "bulk": "changes very many files"}
LISTED = 12  # definitions named in a message


@dataclass(frozen=True, slots=True)
class Question:
    """The edits in progress, and what counts as known when they are made.

    ``at`` is the full id of the revision asked about (HEAD's, unless another was named). ``history`` is the newest
    commit that counts as past. ``files`` is the revision whose definitions may be next, None for the working tree's.
    ``texts``: the files that differ from it. ``words`` says whose edits they are. ``stand_in``: the commit whose edits
    they are because nothing is being edited, or the names of files alone (``renamed``: from new to old). ``conflicts``:
    the changed files with markers of a conflict; ``unread``: in sentences, the changes that syntax errors hide.
    ``note``: why they are not those of the revision that was named, or which files were not read; ``look``: what was
    seen in the working tree.
    """

    edits: tuple[Edit, ...]
    at: str
    history: str
    files: str | None
    words: str
    stand_in: StandIn | None = None
    file: str | None = None
    texts: Mapping[str, str | None] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    note: str = ""
    look: Look | None = None


def ask(
    repository: Repository,
    stand_in: Callable[[str], StandIn | None],
    *,
    at: str | None = None,
    editing: str | None = None,
    file: str | None = None,
) -> Question:
    """Find the edits in progress. ``stand_in``: of a commit, as an editor has it.

    Without ``at``: the working tree's changes, or when there are none those of the user's last commit, or of anybody's
    (the engine then leaves that commit out of the past). With ``at``: those of the newest commit there, whoever made
    it. ``editing`` (``PATH::DEFINITION``) leaves one of them; with ``at`` it is that definition's change in that very
    revision, history and files are those of its parent, and of the revision nothing is known but that change. ``file``
    leaves those of one file.

    Raises OptionError for an unknown revision or definition, NothingToAnswerError where there are no edits or no past.
    Without ``at`` also where the working tree differs in comments and white space alone: that asks about no commit.
    """
    from codewm_lsp.hints import differs_without_edits
    from codewm_lsp.source.conflicts import has_conflict

    wanted = _parse_editing(editing) if editing is not None else None
    if at is None:
        head = head_of(repository)
        look = found, texts, moved = repository.working()
        edits = _of_file(found, file)
        note = _too_large(repository, file)
        conflicts = tuple(
            path for path, text in sorted(texts.items()) if text and file in (None, path) and has_conflict(text)
        )
        if edits:
            if wanted is not None:
                edits = (_find(edits, wanted, "your uncommitted changes"),)
            words = "your uncommitted changes"
            return Question(
                edits,
                head,
                head,
                None,
                words,
                file=file,
                conflicts=conflicts,
                unread=_unread(repository, head, texts, found, file),
                note=note,
                look=look,
            )
        if note and file is not None:
            raise NothingToAnswerError(note)
        mine = texts if file is None else {path: text for path, text in texts.items() if path == file}
        if differs_without_edits(mine) and not conflicts and not note and (file is not None or not moved):
            raise NothingToAnswerError(_no_code(file, _unread(repository, head, mine, found, file)))
        renamed = _renamed(repository, head, texts, moved)
        question = _standing_in(stand_in(head), head, wanted) if file is None else None
        if question is None:
            try:
                question = _last_commit(repository, head, at, wanted, renamed.get(file, file) if file else None)
            except NothingToAnswerError as error:
                raise NothingToAnswerError(f"{note} {error}".strip()) from error
        return replace(question, renamed=renamed, conflicts=conflicts, file=file, note=note, look=look)
    else:
        head = repository.head(at)
        if wanted is not None:
            return _one_edit_of(repository, head, wanted)
    return _last_commit(repository, head, at, wanted, file)


def change_line(repository: Repository, question: Question, edit: Edit) -> int:
    """The line to look at, from 0: that of the definition, and of code outside of all definitions the first that
    differs. Raises RepositoryError."""
    from codewm_lsp.source import MODULE_NAME, lines_outside

    if edit.definition != MODULE_NAME:
        return edit.line
    before: str | None = None
    if edit.commit is None:
        after = question.look[1].get(edit.path) if question.look is not None else None
        before = repository.text_at(question.at, edit.previous_path or edit.path)
    else:
        after = repository.text_at(edit.commit.sha, edit.path)
        if edit.commit.parent is not None:
            before = repository.text_at(edit.commit.parent, edit.previous_path or edit.path)
    if after is None or before is None:
        return edit.line
    old, new = (lines_outside(text) for text in (before, after))
    same = next((at for at, (one, two) in enumerate(zip(old, new, strict=False)) if one[1] != two[1]), len(old))
    return new[min(same, len(new) - 1)][0] if new else edit.line


def _too_large(repository: Repository, file: str | None) -> str:
    """Which changed files were too large to be read, in a sentence; "" where none was."""
    from codewm_lsp.history.objects import MAX_BLOB

    paths = [path for path in repository.too_large() if file in (None, path)]
    if file is not None and repository.root is not None:
        with suppress(OSError, ValueError):
            if (repository.root / file).lstat().st_size > MAX_BLOB:  # as it has been since the last commit, too
                paths = [file]
    if not paths:
        return ""
    more = f" and {counted(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
    are = "are" if more else "is"
    return f"{paths[0]}{more} {are} too large to be read (more than {MAX_BLOB:,} bytes)."


def _renamed(
    repository: Repository, head: str, texts: Mapping[str, str | None], moved: Mapping[str, str]
) -> dict[str, str]:
    """The old path of each file that has only moved."""
    gone = repository.blobs_at(head, [path for path, text in texts.items() if text is None]) if moved else {}
    found: dict[str, str] = {}
    for path, blob in moved.items():
        old = next((one for one, known in gone.items() if known == blob and one not in found.values()), None)
        if old is not None:
            found[path] = old
    return found


def _of_file(edits: tuple[Edit, ...], file: str | None) -> tuple[Edit, ...]:
    return edits if file is None else tuple(edit for edit in edits if file in (edit.path, edit.previous_path))


def _parse_editing(editing: str) -> tuple[str, str]:
    path, separator, definition = editing.rpartition("::")
    if not separator or not path or not definition:
        raise OptionError(
            f"--editing {editing!r} is not of the form PATH::DEFINITION. Write it like src/client.py::Client.get, with "
            "the path relative to the repository's root."
        )
    return path.replace("\\", "/").removeprefix("./"), definition


def head_of(repository: Repository, at: str = "HEAD") -> str:
    """The full id of a revision.

    Raises NothingToAnswerError where there are no commits, RepositoryError where there is no such one.
    """
    try:
        return repository.head(at)
    except RepositoryError as error:
        if at == "HEAD":
            raise NothingToAnswerError(str(error)) from error
        raise


def _matches(edit: Edit, wanted: tuple[str, str]) -> bool:
    path, definition = wanted
    return edit.definition == definition and path in (edit.path, edit.previous_path)


def _find(edits: tuple[Edit, ...], wanted: tuple[str, str], where: str) -> Edit:
    for edit in edits:
        if _matches(edit, wanted):
            return edit
    listed = [
        f"  {edit.path}::{edit.definition}"
        + ("" if (words := named(edit.definition)) == edit.definition else f"  {words}")
        for edit in edits[:LISTED]
    ]
    if len(edits) > LISTED:
        listed.append(f"  … and {len(edits) - LISTED} more")
    raise OptionError(
        "\n".join([f"{wanted[0]}::{wanted[1]} is not changed in {where}. Definitions that are changed:", *listed])
    )


def _title(commit: Commit) -> str:
    return f"commit {short(commit.sha)} {commit.subject!r}"


def _parent(changed: CommitEdits) -> str:
    commit = changed.commit
    if changed.skipped in _ABSENT:
        raise NothingToAnswerError(
            f"The history before {_title(commit)} is not in this clone. Run `git fetch --unshallow` (shallow clone) or "
            "`git fetch --refetch` (partial clone), or ask about a later commit."
        )
    if commit.parent is None:
        raise NothingToAnswerError(
            f"There is no history before {_title(commit)}: it is the first one. Ask about a later commit."
        )
    return commit.parent


def _one_edit_of(repository: Repository, sha: str, wanted: tuple[str, str]) -> Question:
    from codewm_lsp.history import alone, as_before

    changed = repository.edits_of(sha)
    edits = changed.edits
    parent = _parent(changed)
    if changed.skipped is not None:
        edits = _edits_of_file(repository, changed.commit, parent, wanted[0])
    title = _title(changed.commit)
    if not edits:
        raise OptionError(
            f"{title[:1].upper()}{title[1:]} changes no Python definitions"
            + (f" in {wanted[0]} (it is a {changed.skipped} commit)." if changed.skipped else ".")
        )
    edit = _find(edits, wanted, title)
    words = f"{named(edit.definition)} in {title}"
    was = edit.previous_path or edit.path
    made = alone(repository.text_at(parent, was), repository.text_at(sha, edit.path), [as_before(edit)])
    if made is None:
        return Question((edit,), sha, parent, parent, words)
    return Question(made.edits, sha, parent, parent, words, texts={was: made.text or None})


def _edits_of_file(repository: Repository, commit: Commit, parent: str, path: str) -> tuple[Edit, ...]:
    """One file's edits against the first parent, of a commit that the index leaves out (a merge, a bulk change)."""
    from codewm_lsp.history import file_edits

    texts: list[str | None] = []
    for revision in (parent, commit.sha):
        blob = repository.files(revision).get(path)
        texts.append(None if blob is None else repository.read(blob))
    return file_edits(path, texts[0], texts[1], commit=commit)


def _standing_in(stand_in: StandIn | None, head: str, wanted: tuple[str, str] | None) -> Question | None:
    """The commit that an editor would answer from."""
    from codewm_lsp.history import CommitEdits

    if stand_in is None:
        return None
    parent = _parent(CommitEdits(stand_in.commit, stand_in.edits, None))
    title, edits = _title(stand_in.commit), stand_in.edits
    if wanted is not None:
        edits = (_find(edits, wanted, title),)
    others_since = stand_in.own and stand_in.commit.sha != head
    return Question(edits, head, head if others_since else parent, None, title, stand_in)


def _unread(
    repository: Repository, head: str, texts: Mapping[str, str | None], edits: tuple[Edit, ...], file: str | None
) -> tuple[str, ...]:
    """Which changes a syntax error hides, in sentences: what the parser passes over, or adds, is no difference."""
    from codewm_lsp.source import parse_definitions
    from codewm_lsp.source.trees import has_syntax_error

    seen = {(edit.path, edit.definition) for edit in edits}
    before = {edit.path: edit.previous_path or edit.path for edit in edits}
    asked = {path: text for path, text in sorted(texts.items()) if text and file in (None, path)}
    blobs = repository.blobs_at(head, [before.get(path, path) for path in asked])
    known = repository.definitions(blobs.values())
    found: list[str] = []
    for path, text in asked.items():
        old = {one.name: one.source for one in known.get(blobs.get(before.get(path, path), ""), ())}
        names = [
            one.name
            for one in parse_definitions(text)
            if (path, one.name) not in seen
            and old.get(one.name, one.source) != one.source
            and has_syntax_error(one.source)
            and not has_syntax_error(old[one.name])
        ]
        if names:
            more = (
                f" and {counted(len(names) - 1, 'more definition')}, so their changes"
                if names[1:]
                else ", so its change"
            )
            found.append(f"{path} has a syntax error in {place_name(names[0])}{more} cannot be read.")
        elif path not in before and has_syntax_error(text):
            found.append(f"{path} has a syntax error, so its changes cannot be read.")
    return tuple(found)


def _no_code(file: str | None, unread: tuple[str, ...]) -> str:
    if unread:
        return f"{unread[0]} Fix the error, or ask about a commit with --at."
    where = f" to {file}" if file else ""
    return (
        f"The uncommitted changes{where} hold no code (only comments or white space). Change some code, or ask about a "
        "commit with --at."
    )


def _without_edits(commits: int, head: str) -> str:
    if commits == 1:
        return f"The only commit at {short(head)} does not change"
    return f"None of the newest {commits} commits at {short(head)} changes"


def _last_commit(
    repository: Repository, head: str, at: str | None, wanted: tuple[str, str] | None, file: str | None
) -> Question:
    from codewm_lsp.hints import LOOK_BACK, StandIn

    found: CommitEdits | None = None
    edits: tuple[Edit, ...] = ()
    count = 0
    skipped: str | None = None  # why the named commit itself is not read
    for changed in repository.commits(head, limit=LOOK_BACK):
        some = _of_file(changed.edits, file)
        if some and (found is None or changed.commit.parent is not None):
            found, edits = changed, some
            if changed.commit.parent is not None:  # a first commit may be that of a history merged into this one
                break
        if found is None and changed.skipped in _ABSENT:
            _parent(changed)
        if not count:
            skipped = changed.skipped
        count += 1
    if found is None:
        raise NothingToAnswerError(
            f"{_without_edits(count, head)} a Python definition"
            + (f" in {file}" if file else "")
            + " (merges and very large commits are not counted). Change one, or ask about another revision with --at."
        )
    title = _title(found.commit)
    if wanted is not None:
        edits = (_find(edits, wanted, title),)
    parent = _parent(found)
    if at is not None:
        note = ""
        if found.commit.sha != head:
            why = _NOT_READ.get(skipped or "", f"does not change {file or 'Python code'}")
            note = f"{at} {why}; using the newest commit before it that changes {file or 'Python code'}."
        return Question(edits, head, parent, head, title, file=file, note=note)
    stand_in = StandIn(found.commit, edits, own=False, newest=found.commit.sha == head)
    return Question(edits, head, parent, None, title, stand_in, file)
