"""A file of commits → a training corpus: JSON lines as CommitPack has them, one changed file of a commit a line.

Of each line ``commit``, ``old_file``, ``new_file``, ``old_contents`` and ``new_contents`` are read. Lines of one commit
that follow each other are one commit. The file counts as one repository, its first line as the newest.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from codewm_lsp.errors import TrainingError
from codewm_lsp.history import Commit, CommitEdits, Edit, file_edits
from codewm_lsp.source.languages import is_source
from codewm_model.data.repository_corpus import ABOUT, corpus_folder, parts_of, write_corpus
from codewm_model.settings.bounded_files import check_file

MOST_BYTES: Final = 1 << 36
MOST_OF_A_LINE: Final = 1 << 22
_FIELDS: Final = ("commit", "old_file", "new_file", "old_contents", "new_contents")


def build_from_commits(file: Path, folder: Path, *, edits: int, part_edits: int) -> Path:
    """Read a file of commits into a folder of its own below ``folder`` and return its path.

    ``edits``: at most about so many (0: all). Raises TrainingError when it cannot be read or there is nothing to learn
    from in it.
    """
    try:
        check_file(file, MOST_BYTES)
        digest = hashlib.sha256()
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise TrainingError(f"{file} cannot be read ({error.strerror}): name a file of JSON lines") from error
    head = digest.hexdigest()[:40]
    target = corpus_folder(folder, file.stem, head, edits, part_edits)
    if not (target / ABOUT).exists():
        write_corpus(target, file.stem, head, parts_of(_up_to(read_commits(file), edits), part_edits), str(file))
    return target


def read_commits(file: Path) -> Iterator[CommitEdits]:
    """The commits of a file, with their edits of definitions; files of other languages are passed over.

    Raises TrainingError, with the number of the line, on one that is no such record.
    """
    for sha, records in itertools.groupby(_records(file), key=lambda record: record["commit"]):
        commit = Commit(sha, "", 0, "", None)
        edits: list[Edit] = []
        for record in records:
            if is_source(record["new_file"]):
                edits += file_edits(record["new_file"], record["old_contents"], record["new_contents"], commit=commit)
        yield CommitEdits(commit, tuple(edits), None)


def _records(file: Path) -> Iterator[dict[str, str]]:
    with file.open("rb") as opened:
        for number in itertools.count(1):
            line = opened.readline(MOST_OF_A_LINE + 1)
            if not line:
                return
            if len(line) > MOST_OF_A_LINE:
                raise TrainingError(f"{file}:{number} has more than {MOST_OF_A_LINE >> 20} MiB: leave that line out")
            if line.strip():
                yield _record(line, f"{file}:{number}")


def _record(line: bytes, where: str) -> dict[str, str]:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise TrainingError(f"{where} is not JSON: each line holds one changed file of a commit") from None
    if not isinstance(found, dict):
        raise TrainingError(f"{where} is not an object: each line holds one changed file of a commit")
    for name in _FIELDS:
        if not isinstance(found.get(name), str):
            raise TrainingError(f"{where} has no text for {name}: CommitPack's fields are {', '.join(_FIELDS)}")
    return {name: found[name] for name in _FIELDS}


def _up_to(commits: Iterator[CommitEdits], most: int) -> Iterator[CommitEdits]:
    count = 0
    for item in commits:
        yield item
        count += len(item.edits)
        if most and count >= most:
            return
