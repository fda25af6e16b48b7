"""Which files each commit changed, remembered in a small file: Git needs a second to say it of ten thousand commits.

It belongs to the repository, as the dismissals do, and holds paths, dates, and a number for each author. What Git said
of a commit never changes, so whoever writes last may win, and a file that cannot be read is written anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from codewm_lsp.history import Repository
from codewm_lsp.history.changed_files import MOST_FILES, ChangedFiles, FileEvent, FileTouch
from codewm_lsp.index.store import FILE_HISTORY, folder_name, is_plain, write_anew

_LARGEST: Final = 64 << 20  # bytes of a file that is read
_EVENTS: Final = {event.value[0]: event for event in FileEvent}


def file_history(repository: Repository, rev: str, folder: Path | None) -> list[ChangedFiles]:
    """``Repository.changed_files`` of ``rev``, remembered beside the index, where the repository has one in ``folder``.
    Where Git takes long, the newest commits alone; the next time it goes on from there.

    Raises ``RepositoryError``.
    """
    own = folder / folder_name(repository.key) if folder is not None else None
    if own is None or not own.is_dir():
        return repository.changed_files_in_time(rev)[0]
    file = own / FILE_HISTORY
    # What a commit's history is, its id says; but for where a shallow clone ends.
    of = [repository.head(rev), repository.is_shallow]
    remembered, known = _read(file)
    if remembered == of and not repository.is_shallow:
        return list(known.values())
    found, complete = repository.changed_files_in_time(rev, known=known)
    record = {"of": of if complete else None, "commits": [_record(one) for one in found]}
    write_anew(file, json.dumps(record, separators=(",", ":")).encode("ascii"))  # otherwise Git is asked again
    return found


def _read(file: Path) -> tuple[object, dict[str, ChangedFiles]]:
    try:
        if not is_plain(file) or file.stat().st_size > _LARGEST:
            return None, {}
        record = json.loads(file.read_bytes())
        return record["of"], {one.sha: one for one in map(_commit, record["commits"])}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # not there, or broken: it is made anew
        return None, {}


def _commit(record: Any) -> ChangedFiles:
    sha, author, date, files, renames = record
    if not (isinstance(sha, str) and isinstance(author, str) and isinstance(date, int)) or len(files) > MOST_FILES:
        raise ValueError("no commit")
    return ChangedFiles(
        sha,
        author,
        date,
        tuple(FileTouch(_text(path), _EVENTS[event], _text(*old) if old else None) for path, event, *old in files),
        tuple((_text(old), _text(new)) for old, new in renames),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no path")
    return value


def _record(one: ChangedFiles) -> list[object]:
    files = [
        [file.path, file.event.value[0], *([file.previous_path] if file.previous_path is not None else [])]
        for file in one.files
    ]
    return [one.sha, one.author, one.date, files, one.renames]
