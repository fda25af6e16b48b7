"""The files of one state of the repository (a revision, or the working tree with unsaved text) → a corpus.

Every file is parsed once for each content: by blob where it is committed, by text where it is not.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from codewm_lsp.history import Repository
from codewm_lsp.ranking.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.ranking.layout import shared_beginning
from codewm_lsp.source import Definition, parse_definitions

_WORDS: Final = 2_000_000  # of the vocabulary, before it is begun anew (a long session over many revisions)
_AT_ONCE: Final = 32  # files read together
_AROUND: Final = 64  # files that are the corpus until all are read

Contents = tuple[dict[str, str], dict[str, str]]
"""Path → key of the content (a blob, or a hash) for every file, and the texts that are in no commit."""


class Snapshots:
    """Remembers parsed files, and the last corpus."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._vocabulary = Vocabulary()
        self._parsed: OrderedDict[str, ParsedFile | None] = OrderedDict()  # by blob, or by a hash of the text
        self._trees: tuple[str, dict[str, str]] = ("", {})
        self._last: tuple[dict[str, str], Corpus] | None = None
        self._around: tuple[dict[str, str], Corpus] | None = None  # the same of what was read first

    def corpus(
        self,
        at: str | None,
        unsaved: Mapping[str, str],
        changed: Mapping[str, str | None] | None = None,
        deadline: float | None = None,
        near: str = "",
    ) -> tuple[Corpus, Contents, bool]:
        """The definitions at the commit ``at`` (its full id), or those of the working tree where it is None; what they
        were read from; and whether they are all.

        ``changed``: what ``Repository.changed_texts`` says just now, where it has been asked already. ``deadline`` (of
        ``time.monotonic``): when files are left to be parsed then, the answer is of those around the path ``near``,
        with which is begun; the next call goes on with the others.
        """
        if len(self._vocabulary) > _WORDS:
            self._vocabulary = Vocabulary()
            self._parsed.clear()
            self._last = self._around = None
        contents = keys, texts = self._contents(at, unsaved, changed)
        if self._last is not None and self._last[0] == keys:
            return self._last[1], contents, True
        missing: list[str] = []
        for path, key in keys.items():
            if key in self._parsed:
                self._parsed.move_to_end(key)
            elif path in texts:
                self._parsed[key] = parse_file(texts[path], self._vocabulary)
            else:
                missing.append(path)
        if deadline is not None:
            missing.sort(key=lambda path: _distance(path, near))
        for start in range(0, len(missing), _AT_ONCE):
            if start and deadline is not None and time.monotonic() >= deadline:
                return self._nearest(keys, near), contents, False
            some = dict.fromkeys(keys[path] for path in missing[start : start + _AT_ONCE])
            for key, text in self._repository.read_all(list(some)).items():
                self._parsed[key] = None if text is None else parse_file(text, self._vocabulary)
        while len(self._parsed) > 2 * len(keys) + 1_000:
            self._parsed.popitem(last=False)
        if self._last is None:
            corpus = Corpus.of(self._read(keys), self._vocabulary)
        else:
            known, corpus = self._last
            other = {path for path in keys.keys() | known.keys() if keys.get(path) != known.get(path)}
            read = self._read({path: keys[path] for path in other if path in keys})
            corpus = corpus.with_files({path: read.get(path) for path in other})
        self._last, self._around = (keys, corpus), None
        return corpus, contents, True

    def _nearest(self, keys: Mapping[str, str], near: str) -> Corpus:
        paths = sorted(keys, key=lambda path: _distance(path, near))[:_AROUND]
        some = {path: keys[path] for path in paths if keys[path] in self._parsed}
        if self._around is None or self._around[0] != some:
            self._around = (some, Corpus.of(self._read(some), self._vocabulary))
        return self._around[1]

    def _read(self, keys: Mapping[str, str]) -> dict[str, ParsedFile]:
        found = ((path, self._parsed[key]) for path, key in keys.items())
        return {path: parsed for path, parsed in found if parsed is not None}

    def _contents(
        self, at: str | None, unsaved: Mapping[str, str], changed: Mapping[str, str | None] | None
    ) -> Contents:
        if at is not None:
            return self._files(at), {}
        keys = dict(self._files(self._repository.head()))
        texts: dict[str, str] = {}
        for path, text in (self._repository.changed_texts(unsaved) if changed is None else changed).items():
            if text is None:
                keys.pop(path, None)
            else:
                digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
                keys[path], texts[path] = f"text:{digest.hexdigest()}", text
        return keys, texts

    def definitions(self, path: str, contents: Contents) -> tuple[Definition, ...]:
        """The definitions of one file with their texts; none where there is no such file."""
        keys, texts = contents
        if path in texts:
            return parse_definitions(texts[path])
        text = self._repository.read(keys[path]) if path in keys else None
        return parse_definitions(text) if text is not None else ()

    def _files(self, commit: str) -> dict[str, str]:
        if self._trees[0] != commit:
            self._trees = (commit, self._repository.files(commit))
        return self._trees[1]


def _distance(path: str, near: str) -> tuple[int, str]:
    """Smaller for a path with more folders of ``near``."""
    return -shared_beginning(path.split("/"), near.split("/")), path
