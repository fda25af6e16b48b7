"""The clones to measure on, and what is measured on: their newest edits, by definition and by file."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import OptionError, RepositoryError
from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind, Repository
from codewm_lsp.source import DefinitionKind
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.measurement import Clone

VARIABLE: Final = "CODEWM_REPOS"
MAX_CHARACTERS: Final = 50_000  # of either side of a file pair (paper 1)
_HOW: Final = (
    f"{VARIABLE} names a folder with one clone for each repository, called owner+name, bare or not "
    "(git clone --bare URL owner+name)"
)


def sets() -> dict[str, list[str]]:
    """The names of the repositories of each set: train, validation, test."""
    data: dict[str, list[str]] = json.loads((Path(__file__).parent / "sets.json").read_text(encoding="utf-8"))
    return data


def folder_of_clones() -> Path:
    """The folder that the environment names. Raises OptionError where it names none, or none with anything in it."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        raise OptionError(f"{VARIABLE} is not set. {_HOW}. To try the command without any, use --smoke.")
    folder = Path(named)
    if not folder.is_dir():
        raise OptionError(f"{VARIABLE} names {folder}, which is not a folder. {_HOW}.")
    if not any(folder.iterdir()):
        raise OptionError(f"{VARIABLE} names {folder}, which is empty. {_HOW}.")
    return folder


def find(folder: Path, names: Sequence[str], *, required: bool) -> tuple[list[Clone], dict[str, str]]:
    """The clones of ``names`` below ``folder``, and why others are left out.

    Raises OptionError where one is missing that is ``required``, and where nothing is left.
    """
    entries = {entry.name.lower(): entry for entry in sorted(folder.iterdir())}
    found: list[Clone] = []
    left_out: dict[str, str] = {}
    for name in names:
        entry = entries.get(name.replace("/", "+").lower())
        if entry is None:
            left_out[name] = f"{folder} has no {name.replace('/', '+')}"
            continue
        try:
            with Repository.open(entry) as repository:
                inside = entry.resolve()
                own = {path.resolve() for path in (repository.root, repository.git_dir) if path is not None}
                if inside not in own:
                    raise RepositoryError(f"{entry} is not a Git repository of its own")
                found.append(Clone(name, entry, repository.head()))
        except RepositoryError as error:
            left_out[name] = str(error)
    if required and left_out:
        name, reason = next(iter(left_out.items()))
        raise OptionError(f"{name} cannot be measured on: {reason}. {_HOW}.")
    if not found:
        wanted = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        reasons = "; ".join(list(left_out.values())[:3])
        raise OptionError(f"none of the repositories to measure on ({wanted}) can be used: {reasons}. {_HOW}.")
    return found, left_out


def newest_commits(clone: Clone, edits: int, cache: Cache) -> list[CommitEdits]:
    """The newest commits that changed definitions, with at least ``edits`` edits between them where there are as many.

    Mined once for a head commit; merges and commits that were not looked into are not among them.
    """
    file = cache.file("edits", clone.name, (clone.head, edits, code("source", "history")), ".json.gz")
    kept = cache.read_json(file)
    if isinstance(kept, list):
        return [_commit_from(item) for item in kept]
    found: list[CommitEdits] = []
    count = 0
    with Repository.open(clone.folder) as repository:
        for commit in repository.commits(clone.head):
            if commit.edits:
                found.append(commit)
                count += len(commit.edits)
            if count >= edits:
                break
    cache.write_json(file, [_commit_to(commit) for commit in found])
    return found


def newest_files(clone: Clone, count: int, cache: Cache) -> list[CommitEdits]:
    """The newest ``count`` pairs of whole files, before and after a commit, as edits without a definition's name.

    Both sides at most ``MAX_CHARACTERS``; what differs in comments and white space alone is none.
    """
    file = cache.file("files", clone.name, (clone.head, count, code("source", "history")), ".json.gz")
    kept = cache.read_json(file)
    if isinstance(kept, list):
        return [_commit_from(item) for item in kept]
    found: list[CommitEdits] = []
    taken = 0
    trees: dict[str, dict[str, str]] = {}
    with Repository.open(clone.folder) as repository:

        def text(revision: str | None, path: str) -> str | None:
            if revision is None:
                return ""
            if revision not in trees:
                if len(trees) > 3:
                    trees.clear()
                trees[revision] = repository.files(revision)
            blob = trees[revision].get(path)
            return "" if blob is None else repository.read(blob)

        for item in repository.commits(clone.head):
            edits: list[Edit] = []
            for path, previous in {edit.path: edit.previous_path for edit in item.edits}.items():
                before = text(item.commit.parent, previous or path)
                after = text(item.commit.sha, path)
                if before is None or after is None or before == after:
                    continue
                if max(len(before), len(after)) > MAX_CHARACTERS:
                    continue
                kind = EditKind.ADDED if not before else EditKind.REMOVED if not after else EditKind.MODIFIED
                edits.append(
                    Edit(path, "", DefinitionKind.MODULE, kind, before, after, 0, previous, item.commit),
                )
            if edits:
                found.append(dataclasses.replace(item, edits=tuple(edits)))
                taken += len(edits)
            if taken >= count:
                break
    cache.write_json(file, [_commit_to(commit) for commit in found])
    return found


def span(commits: Sequence[CommitEdits]) -> tuple[str, str]:
    """The newest and the oldest commit of some, which come newest first."""
    return commits[0].commit.sha, commits[-1].commit.sha


def _commit_to(item: CommitEdits) -> list[Any]:
    commit = item.commit
    return [
        [commit.sha, commit.author, commit.date, commit.subject, commit.parent],
        [
            [e.path, e.definition, e.definition_kind.value, e.kind.value, e.before, e.after, e.line, e.previous_path]
            for e in item.edits
        ],
        item.renames,
    ]


def _commit_from(item: list[Any]) -> CommitEdits:
    commit = Commit(*item[0])
    edits = tuple(
        Edit(path, definition, DefinitionKind(kind), EditKind(what), before, after, line, previous, commit)
        for path, definition, kind, what, before, after, line, previous in item[1]
    )
    return CommitEdits(commit, edits, None, tuple((old, new) for old, new in item[2]))
