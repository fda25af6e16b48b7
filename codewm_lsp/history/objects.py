"""Objects of a repository, by one long-lived ``git cat-file``: commits, and blobs parsed into definitions."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

from codewm_lsp.history.edits import Commit, date_of
from codewm_lsp.history.git_process import GitProcess, HardenedGit
from codewm_lsp.source import Definition, Outline, decode, is_text_encoding, parse_version

MAX_BLOB: Final = 1 << 20
"""Bytes of the largest file that is read."""

MAX_TOGETHER: Final = 12 << 20
"""Of the largest commit that is looked into: characters of its files before and after, a definition as 256 more."""

_IN_FLIGHT: Final = 48  # requests ahead of their answers: fewer bytes than any system's pipe holds (4 KiB)
_MAX_RESTARTS: Final = 40  # Git ends at an object it may not fetch; each costs a new process
_MAX_READ_PAST: Final = 8 << 20  # of what is too large, so much is read and thrown away; before more, Git is ended
_MAX_AHEAD: Final = 1 << 20  # bytes parsed before they are asked for
_SECONDS: Final = 20.0  # for one load of requests; it takes some milliseconds
_PARSED_CHARACTERS: Final = 32 << 20  # remembered while walking a history: about one version of every file
_KEPT_CHARACTERS: Final = 4 << 20  # remembered afterwards

_WHEN: Final = re.compile(r"\s*-?\d+\s+[-+]\d+\s*$")

MISSING: Final = "missing"
"""In place of an object that is not on this machine (a partial clone, a damaged repository)."""


class Objects:
    """Reads objects; safe to be used from several threads."""

    def __init__(self, git: HardenedGit) -> None:
        self._git = git
        self._process: GitProcess | None = None
        self._too_large: set[str] = set()
        self._lock = threading.RLock()
        self._parsed: OrderedDict[str, Outline] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._characters = 0

    def close(self) -> None:
        """End the process and forget everything; the next call starts anew."""
        with self._lock:
            self._stop()
            self._parsed.clear()
            self._sizes.clear()
            self._characters = 0

    def commits(self, shas: Iterable[str]) -> Iterator[tuple[Commit, tuple[str, ...]] | None]:
        """Each commit with all its parents, in order; None for one that is missing."""
        wanted = list(shas)
        with self._lock:
            answers = self._fetch(wanted, "commit")
        for sha, data in zip(wanted, answers, strict=True):
            yield _parse_commit(sha, data) if isinstance(data, bytes) else None

    def text(self, blob: str) -> str | None:
        """The blob's text; None when it is missing, larger than ``MAX_BLOB`` or not text."""
        with self._lock:
            (data,) = self._fetch([blob], "blob")
        return decode(data) if isinstance(data, bytes) and is_text(data) else None

    def texts(self, blobs: Sequence[str]) -> dict[str, str | None]:
        """``text`` of many blobs, asked for together."""
        with self._lock:
            found = self._fetch(blobs, "blob")
        return {
            blob: decode(data) if isinstance(data, bytes) and is_text(data) else None
            for blob, data in zip(blobs, found, strict=True)
        }

    def definitions(self, blobs: Iterable[str]) -> dict[str, tuple[Definition, ...] | str | None]:
        """The definitions of each blob; ``MISSING``, or None where the blob is too large or not text."""
        return {
            blob: found.definitions if isinstance(found, Outline) else found
            for blob, found in self.outlines(dict.fromkeys(blobs)).items()
        }

    def outlines(
        self, blobs: Mapping[str, str | None], *, all_or_none: bool = False
    ) -> dict[str, Outline | str | None]:
        """What each blob's definitions are made of; ``MISSING``, or None where the blob is too large or not text.

        ``blobs``: each with another version of the same file, where there is one. ``all_or_none``: after one that is
        missing the others are of no use, and may be called missing too; where they are more than ``MAX_TOGETHER``,
        there is no answer.
        """
        found: dict[str, Outline | str | None] = {}
        size = 0
        with self._lock:
            wanted: list[str] = []
            for blob in blobs:
                known = self._parsed.get(blob)
                if known is None:
                    wanted.append(blob)
                else:
                    self._parsed.move_to_end(blob)
                    found[blob] = known
                    size += self._sizes[blob]
            for start in range(0, len(wanted), _IN_FLIGHT):
                part = wanted[start : start + _IN_FLIGHT]
                for blob, data in zip(
                    part, self._fetch(part, "blob", 0 if all_or_none else _MAX_RESTARTS), strict=True
                ):
                    found[blob] = self._outline_of(blob, data, blobs[blob])
                    size += self._sizes.get(blob, 0)
                    if all_or_none and size > MAX_TOGETHER:
                        return {}
        return found

    def read_ahead(self, blobs: Mapping[str, str | None]) -> bool:
        """Parse blobs that will be asked for, all that are not known yet at once: asking Git for a few at a time costs
        more than reading them. False when one of them is missing, or Git died of it; the others may be known now.
        Of very much text only the beginning is parsed.

        ``blobs``: each with another version of the same file, where there is one.
        """
        with self._lock:
            wanted = [blob for blob in blobs if blob not in self._parsed]
            whole, size = True, 0
            for start in range(0, len(wanted), _IN_FLIGHT):
                part = wanted[start : start + _IN_FLIGHT]
                for blob, data in zip(part, self._fetch(part, "blob", 0), strict=True):
                    if size <= _MAX_AHEAD or data == MISSING:
                        whole = whole and self._outline_of(blob, data, blobs[blob]) != MISSING
                    size += len(data or "")
                if not whole or size > _MAX_AHEAD:
                    break
            return whole

    def _outline_of(self, blob: str, data: bytes | str | None, other: str | None) -> Outline | str | None:
        if not isinstance(data, bytes) or not is_text(data):
            return MISSING if data == MISSING else None
        text = decode(data)
        outline = parse_version(text, self._parsed.get(other) if other is not None else None)
        self._parsed[blob] = outline
        self._sizes[blob] = len(text) + 256 * sum([len(section.definitions) for section in outline.sections])
        self._characters += self._sizes[blob]
        self._shrink(_PARSED_CHARACTERS)
        return outline

    def trim(self) -> None:
        """Give back most of the memory that a walk filled."""
        with self._lock:
            self._shrink(_KEPT_CHARACTERS)

    def _shrink(self, limit: int) -> None:
        while self._characters > limit:
            oldest, _ = self._parsed.popitem(last=False)
            self._characters -= self._sizes.pop(oldest)

    def _fetch(self, shas: Sequence[str], kind: str, restarts: int = _MAX_RESTARTS) -> list[bytes | str | None]:
        """The bytes of each object; ``MISSING``, or None where it is too large or of another kind. Lock held."""
        answers: list[bytes | str | None] = []
        while len(answers) < len(shas):
            asked = list(takewhile(self._fits, shas[len(answers) : len(answers) + _IN_FLIGHT]))
            if not asked:
                answers.append(None)
                continue
            process = self._process or self._start()
            try:
                with process.limit(_SECONDS):
                    process.stdin.write("".join(f"{sha}\n" for sha in asked).encode("ascii"))
                    process.stdin.flush()
                    for sha in asked:
                        data, left = _answer(process, kind)
                        answers.append(data)
                        if left:  # the process would have to be read to the end of it
                            if data is None:
                                self._too_large.add(sha)
                            self._stop()
                            break
            except OSError:
                # Git died of the object it came to: a partial clone that may not fetch, a damaged pack.
                self._stop()
                answers.append(MISSING)
                restarts -= 1
                if restarts < 0:
                    answers.extend([MISSING] * (len(shas) - len(answers)))
            except BaseException:
                self._stop()  # answers are left unread
                raise
        return answers

    def _fits(self, sha: str) -> bool:
        return sha not in self._too_large

    def _start(self) -> GitProcess:
        self._process = self._git.start("cat-file", "--batch")
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _answer(process: GitProcess, kind: str) -> tuple[bytes | str | None, int]:
    """The next object, and how many bytes of it are left unread. Of a commit that is too large the beginning is enough:
    the rest is its message."""
    header = process.stdout.readline()
    if not header.endswith(b"\n"):
        raise OSError("git cat-file ended")
    fields = header.split()
    if len(fields) != 3 or not fields[2].isdigit():
        return MISSING, 0
    size = int(fields[2])
    wanted = fields[1] == kind.encode("ascii")
    data: bytes | None = None
    if wanted and (size <= MAX_BLOB or kind == "commit"):
        data = process.stdout.read(min(size, MAX_BLOB))
        if len(data) != min(size, MAX_BLOB):
            raise OSError("git cat-file ended")
    left = size + 1 - len(data or b"")
    if left > _MAX_READ_PAST:
        return data, left
    while left:
        chunk = process.stdout.read(min(left, MAX_BLOB))
        if not chunk:
            raise OSError("git cat-file ended")
        left -= len(chunk)
    return data, 0


def is_text(data: bytes) -> bool:
    """Whether bytes are text at all (in an encoding that has no NUL), and no more than is read."""
    return len(data) <= MAX_BLOB and b"\0" not in data


def _parse_commit(sha: str, data: bytes) -> tuple[Commit, tuple[str, ...]]:
    header, _, message = data.partition(b"\n\n")
    parents: list[str] = []
    who = b""
    date = 0
    encoding = "utf-8"
    for line in header.split(b"\n"):
        name, _, value = line.partition(b" ")
        if name == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif name == b"author" and not who:
            who = value
        elif name == b"committer":
            stamp = value.rpartition(b"> ")[2].split(b" ")[0]
            date = date_of(stamp)
        elif name == b"encoding":
            encoding = value.decode("ascii", "replace")
    paragraph = message.lstrip(b"\n").partition(b"\n\n")[0]
    subject = " ".join(_text(paragraph, encoding).split())
    author = _author(_text(who, encoding))
    return Commit(sha, author, date, subject, parents[0] if parents else None), tuple(parents)


def _author(line: str) -> str:
    """The name out of ``name <address> seconds zone``; the address where there is no name."""
    name, _, rest = _WHEN.sub("", line).partition("<")
    return name.strip() or rest.partition(">")[0].strip()


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding) if is_text_encoding(encoding) else data.decode("utf-8", "replace")
    except ValueError:
        return data.decode("utf-8", "replace")
