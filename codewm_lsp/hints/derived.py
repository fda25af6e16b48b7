"""What follows from a snapshot: each a pure function of it, remembered by one memo.

Where a value differs little from the last one (typing changes one file), it is made from that and from the difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import RepositoryError
from codewm_lsp.hints.excerpts import excerpt
from codewm_lsp.hints.snapshot import TEXT_KEY, Snapshot
from codewm_lsp.history import Edit, Repository
from codewm_lsp.index import Index, PastEdit, reached
from codewm_lsp.memo import Kind, Memo
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.ranking.kept_files import FEW_OF, FEWEST, NOTHING_KEPT, KeptFiles, keep
from codewm_lsp.ranking.path_layout import shared_beginning
from codewm_lsp.ranking.ranker import (
    Ranker,
    Ranking,
    file_log_odds,
    file_of_edit,
    files_beside,
    joined,
    log_odds,
    log_odds_in_file,
    shortlisted_file_log_odds,
    shortlisted_odds,
)
from codewm_lsp.ranking.references import References, absent_modules, references
from codewm_lsp.ranking.shortlist import MOST_DEFINITIONS
from codewm_lsp.ranking.state import State
from codewm_lsp.ranking.values import MOST_EDITS, SignalValues, edits_asked, signals_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import Definition, parse_definitions
from codewm_lsp.source.languages import is_source

_WORDS: Final = 2_000_000  # of the vocabulary, before it is begun anew (a long session over many revisions)
_AT_ONCE: Final = 32  # files read together
_ATTEMPTS: Final = 3  # at keeping what was parsed, as long as something else always comes between
_AROUND: Final = 64  # files that are the corpus until all are read,
_SOON: Final = 1 << 17  # each of at most so many characters
_ABSENT: Final = 40  # modules that are gone whose importers are looked for
_FEW_USES: Final = 5  # of what an edit says of files, each of which takes a sixth of saying it of all definitions
_TAKES_LONG: Final = 10_000  # definitions of a repository where saying what an edit says of all files takes long

Odds = NDArray[np.float64]
"""Of each definition of a corpus."""

Keys = Mapping[str, str]
"""Path → a name for the content: the blob, or that of a text which is in no commit."""


@dataclass(frozen=True, slots=True)
class Read:
    """The corpus of these contents; those that are no text have no file in it."""

    keys: Keys
    corpus: Corpus

    def with_files(self, changed: Mapping[str, tuple[str, ParsedFile | None] | None]) -> Read:
        """The same with other contents of some paths (None: without it)."""
        keys = dict(self.keys)
        for path, file in changed.items():
            if file is None:
                keys.pop(path, None)
            else:
                keys[path] = file[0]
        files = {path: None if file is None else file[1] for path, file in changed.items()}
        return Read(keys, self.corpus.with_files(files) if files else self.corpus)

    def with_known(
        self, paths: Sequence[str], keys: Keys, changed: dict[str, tuple[str, ParsedFile | None] | None]
    ) -> list[str]:
        """Add to ``changed`` those of these paths whose content another path had, as a file has that was moved; the
        rest."""
        held = {key: path for path, key in self.keys.items()}
        rest: list[str] = []
        for path in paths:
            known = held.get(keys[path])
            if known is None:
                rest.append(path)
            else:
                number = self.corpus.number.get(known)
                changed[path] = keys[path], None if number is None else self.corpus.parsed(number)
        return rest

    def differing(self, keys: Keys) -> dict[str, str | None]:
        """The paths that have other contents by these keys, each with its key."""
        found: dict[str, str | None] = {path: key for path, key in keys.items() if self.keys.get(path) != key}
        return found | dict.fromkeys(self.keys.keys() - keys.keys())


@dataclass(frozen=True, slots=True)
class Known:
    """What a question is answered from: the state of files and past. ``complete``: whether of all files; else of those
    around the one looked at. ``past``: the commits that count. ``key``: names all of it."""

    state: State
    read: Read
    past: frozenset[str]
    complete: bool
    key: Hashable
    counted: Hashable
    """Names the past alone."""


@dataclass(slots=True, eq=False)
class _SaidOfFiles:
    """What an edit says of each file, (M,), which ``number`` finds by its path, and the ``key`` of the state.

    ``uses``: how often it was used in that state."""

    key: Hashable
    number: Mapping[str, int]
    odds: NDArray[np.float64]
    uses: int = 0

    @property
    def nbytes(self) -> int:
        return self.odds.nbytes


_TREES: Final = Kind[Keys]("files of a commit", 2)
_PARSED: Final = Kind["ParsedFile | None"]("parsed file", 128)
_PARSED_NOW: Final = Kind["ParsedFile | None"]("parsed file that differs from HEAD", 8)
_CORPORA: Final = Kind[Read]("corpus", 1)
_AROUNDS: Final = Kind[Read]("corpus of a few files", 1)
_NEAREST: Final = Kind["Sequence[str]"]("paths by how near they are", 1)
_ANCESTORS: Final = Kind[frozenset[str]]("commits of the past", 2)
_PASTS: Final = Kind[frozenset[str]]("commits of the past but those asked about", 2)
_CHANGES: Final = Kind[Changes]("what changed together", 1)
_KNOWN: Final = Kind[Known]("state", 1)
_SIGNALS: Final = Kind[SignalValues]("signals of an edit in progress", 2 * MOST_EDITS, bytes=16 << 20)
_PARTS: Final = Kind[SignalValues]("signals of a few files after an edit in progress", 2 * MOST_EDITS)
_ODDS: Final = Kind[Odds]("log-odds after an edit in progress", 2 * MOST_EDITS, bytes=16 << 20)
_SAID_OF_FILES: Final = Kind["_SaidOfFiles"]("what an edit in progress says of files", 4 * MOST_EDITS, bytes=4 << 20)
_RANKINGS: Final = Kind[Ranking]("ranking", 64, bytes=4 << 20)
_DEFINITIONS: Final = Kind["tuple[str | None, tuple[Definition, ...]]"]("files that differ from HEAD, cut", 64)
_TEXTS: Final = Kind["tuple[str, str] | None"]("texts of past edits", 64)
_REFERENCES: Final = Kind[References]("definitions that must follow", 16)


class Derived:
    """Derives from the snapshots of one repository."""

    def __init__(self, repository: Repository, index: Index, ranker: Ranker) -> None:
        self._repository = repository
        self._index = index
        self._ranker = ranker
        self._vocabulary = Vocabulary()
        self._kept: KeptFiles | None = None  # what an earlier process has parsed, until all files have been read
        self._parsed_anew = 0  # files of a commit
        self._given_up = 0  # how often they could not be kept in one go
        self.memo = Memo()

    def keep_parsed(self, snapshot: Snapshot, stop: Callable[[], bool] = lambda: False) -> None:
        """Keep the files of the snapshot's commit for the next process, if many had to be parsed. What is begun when
        ``stop`` says so is begun again the next time, but for a few times only."""
        last, index = self.memo.last(_CORPORA), self._index.log.path
        if index is None or last is None or last[0] != snapshot.contents:
            return
        read = last[1]
        if self._parsed_anew < FEWEST + len(read.keys) // FEW_OF:
            return
        if len(read.corpus) > MOST_DEFINITIONS or self._given_up >= _ATTEMPTS:
            return
        known = frozenset(self._tree(snapshot.head).values())
        committed = [path for path in read.corpus.paths if read.keys[path] in known]
        blobs = [read.keys[path] for path in committed]
        part = read.corpus.part([read.corpus.number[path] for path in committed])
        if keep(index.parent, part, blobs, self._repository.read_all, stop):
            self._parsed_anew = self._given_up = 0
        else:
            self._given_up += 1

    def ancestors(self, snapshot: Snapshot) -> frozenset[str]:
        """The commits that count as past."""
        head = snapshot.head

        def make() -> frozenset[str]:
            last = self.memo.last(_ANCESTORS)
            new = None if last is None else self._repository.since(last[0], head)
            if last is not None and new is not None:
                return last[1].union(new)
            return reached(self._repository, self._index.log, head)

        return self.memo.get(_ANCESTORS, head, make)

    def past(self, snapshot: Snapshot, editing: Sequence[Edit]) -> frozenset[str]:
        """The same, without the commits that are being asked about: each could but be its own evidence."""
        everything = self.ancestors(snapshot)
        asked = _commits(editing)
        if not asked & everything:
            return everything
        return self.memo.get(_PASTS, (snapshot.head, asked), lambda: everything - asked)

    def known(
        self, snapshot: Snapshot, editing: Sequence[Edit], deadline: float | None = None, near: str = ""
    ) -> Known:
        """What questions about these edits are answered from.

        ``deadline`` (of ``time.monotonic``): where not all files can be read until then, it is those around the path
        ``near``, with which is begun; the next call goes on with the others.
        """
        past = self.past(snapshot, editing)
        read, complete = self._read(snapshot, deadline, near)
        counted = (snapshot.revision, snapshot.head, _commits(editing))
        key = (snapshot.contents, counted) if complete else (frozenset(read.keys.items()), counted)

        def make() -> Known:
            self.memo.forget(_SIGNALS)  # of another state, which they would keep alive
            self.memo.forget(_PARTS)
            self.memo.forget(_ODDS)
            changes = self.memo.get(_CHANGES, counted, lambda: self._changes(past))
            last = self.memo.last(_KNOWN)
            if last is None or last[1].state.changes is not changes:
                state = State.of(read.corpus, changes)
            else:
                state = last[1].state.with_corpus(read.corpus, last[1].read.differing(read.keys))
            return Known(state, read, past, complete, key, counted)

        return self.memo.get(_KNOWN, key, make)

    def has_read(self, snapshot: Snapshot) -> bool:
        """Whether all files of the state are known."""
        last = self.memo.last(_CORPORA)
        return last is not None and last[0] == snapshot.contents

    def ranking(self, known: Known, editing: Sequence[Edit], near: str = "") -> Ranking:
        """How likely each definition is to be next after these edits, newest first.

        In a very large repository it is worked out for those of a ``shortlist`` of files, of the file ``near`` and of
        those that are being edited.
        """
        asked = _asked(known, editing)
        looked_at = _looked_at(known, asked, near)

        def make() -> Ranking:
            return joined(asked, [self._odds(known, edit, looked_at) for edit in asked], self._ranker)

        return self.memo.get(_RANKINGS, (known.key, asked, looked_at), make)

    def ranking_in_file(
        self, known: Known, editing: Sequence[Edit], path: str, *, soon: bool = False
    ) -> tuple[Ranking, bool]:
        """The same of the definitions of one file, nothing being said of others; and whether all of it holds now.

        What an edit says of its own file is told without a look at others. To say anything of another one, all files
        are compared, which takes long in a large repository: if it is wanted ``soon``, what the edit said of the file
        when that was asked last stands in for it.
        """
        corpus = known.state.corpus
        file = corpus.number.get(path)
        if file is None:
            return Ranking(np.zeros(0), ()), True
        asked = _asked(known, editing)
        near = _looked_at(known, asked, path)
        key = known.key, asked, path
        if (found := self.memo.known(_RANKINGS, key)) is not None:
            return found, True
        odds: list[Odds] = []
        holds = True
        for edit in asked:
            said = None
            if file_of_edit(corpus, edit) != file:
                last = self.memo.known(_SAID_OF_FILES, (known.counted, edit, near))
                hurry = soon and len(corpus) > _TAKES_LONG and last is not None and path in last.number
                if last is None or (last.key != known.key and not hurry):
                    last = self._said_of_files(known, edit, near)
                holds = holds and last.key == known.key
                last.uses += last.key == known.key
                if last.uses > _FEW_USES:  # many documents are open: what is said of all definitions serves them all
                    rows = slice(int(corpus.first[file]), int(corpus.first[file + 1]))
                    odds.append(self._odds(known, edit, near)[rows].copy())
                    continue
                said = float(last.odds[last.number[path]])
            files = files_beside(corpus, edit, file)
            part = self.part(known, edit, files)
            odds.append(log_odds_in_file(edit, part, self._ranker, files.index(file), said))
        ranking = joined(asked, odds, self._ranker, int(corpus.first[file]))
        if holds:
            self.memo.put(_RANKINGS, key, ranking)
        return ranking, holds

    def _said_of_files(self, known: Known, edit: Edit, near: tuple[str, ...]) -> _SaidOfFiles:
        signals = signals_of(known.state, edit)  # those of all definitions take memory, and are not asked about again
        if len(known.state.corpus) > MOST_DEFINITIONS:
            odds = shortlisted_file_log_odds(known.state, edit, signals, self._ranker, near)
        else:
            odds = file_log_odds(known.state, edit, signals, self._ranker)
        said = _SaidOfFiles(known.key, known.state.corpus.number, odds)
        self.memo.put(_SAID_OF_FILES, (known.counted, edit, near), said)
        return said

    def signals(self, known: Known, edit: Edit) -> SignalValues:
        """Everything that an edit in progress says about what comes next; ask for a ``part`` of it."""
        return self.memo.get(_SIGNALS, (known.key, edit), lambda: signals_of(known.state, edit))

    def part(self, known: Known, edit: Edit, files: Sequence[int]) -> SignalValues:
        """The same of some files (ascending) and their definitions."""
        key = known.key, edit, tuple(files)
        return self.memo.get(_PARTS, key, lambda: self.signals(known, edit).part(files))

    def _odds(self, known: Known, edit: Edit, near: tuple[str, ...]) -> Odds:
        """The log-odds of all definitions after one edit. Other documents have the same edits in another order."""

        def make() -> Odds:
            if len(known.state.corpus) > MOST_DEFINITIONS:
                return shortlisted_odds(known.state, edit, self.signals(known, edit), self._ranker, near)
            signals = signals_of(known.state, edit)
            odds = log_odds(known.state, edit, signals, self._ranker)
            self.memo.get(_SIGNALS, (known.key, edit), signals.without_definitions)
            return odds

        return self.memo.get(_ODDS, (known.key, edit, near), make)

    def references(self, known: Known, snapshot: Snapshot, editing: Sequence[Edit]) -> References:
        """The definitions that must follow these edits, newest first, or files that were moved or removed."""
        asked = tuple(editing)

        def make() -> References:
            absent = self.absent(snapshot)
            corpus = known.state.corpus
            if absent:  # a file without definitions: rows stay what they are
                corpus = corpus.with_files(dict.fromkeys(absent, parse_file("", self._vocabulary)))

            def texts(files: Sequence[int]) -> dict[int, tuple[Definition, ...]]:
                read = self.definitions(snapshot, [corpus.paths[file] for file in files])
                return {file: read[corpus.paths[file]] for file in files}

            return references(corpus, asked, texts, absent)

        return self.memo.get(_REFERENCES, (known.key, asked), make)

    def absent(self, snapshot: Snapshot) -> Mapping[str, str]:
        """The modules that the snapshot's commit has and its files have no more, and where each has moved."""
        gone = sorted(path for path, key in snapshot.keys.items() if key is None and is_source(path))[:_ABSENT]
        if not gone:
            return {}
        tree = self._tree(snapshot.head)
        now = {key: path for path, key in snapshot.keys.items() if key is not None}  # of those that only moved
        moved = {edit.previous_path: edit.path for edit in snapshot.edits if edit.previous_path is not None}
        there = [path for path, key in snapshot.keys.items() if key is not None]
        found = {path: moved.get(path) or now.get(tree.get(path, ""), "") for path in gone}
        return absent_modules(found, there)

    def definitions(self, snapshot: Snapshot, paths: Sequence[str]) -> dict[str, tuple[Definition, ...]]:
        """The definitions of some files with their texts, read together; none where there is no such file."""
        found: dict[str, tuple[Definition, ...]] = dict.fromkeys(paths, ())
        blobs: dict[str, str] = {}
        for path in paths:
            key = snapshot.keys[path] if path in snapshot.keys else self._tree(snapshot.head).get(path)
            text = snapshot.texts.get(path)
            if text is not None:
                last = self.memo.known(_DEFINITIONS, path)  # of each file the last text alone
                if last is None or last[0] != key:
                    last = key, parse_definitions(text)
                    self.memo.put(_DEFINITIONS, path, last)
                found[path] = last[1]
            elif key is not None:
                blobs[path] = key
        read = self._repository.definitions(blobs.values())
        return found | {path: read.get(blob, ()) for path, blob in blobs.items()}

    def text(self, snapshot: Snapshot, path: str) -> str | None:
        """The text of a file; None where there is no such file."""
        if snapshot.texts.get(path) is not None:
            return snapshot.texts[path]
        blob = snapshot.keys[path] if path in snapshot.keys else self._tree(snapshot.head).get(path)
        return None if blob is None else self._repository.read(blob)

    def texts_of(self, past: PastEdit) -> tuple[str, str] | None:
        """The text of a past edit's definition before and after it, of a long one an excerpt; None where it is gone."""

        def make() -> tuple[str, str] | None:
            try:
                edit = self._repository.edit_of(past.commit.sha, past.path, past.definition)
            except RepositoryError:
                return None
            short = None if edit is None else excerpt(edit)
            return None if short is None else (short.before, short.after)

        return self.memo.get(_TEXTS, (past.commit.sha, past.path, past.definition), make)

    def _tree(self, head: str) -> Keys:
        return self.memo.get(_TREES, head, lambda: self._repository.files(head))

    def _keys(self, snapshot: Snapshot) -> Keys:
        tree = self._tree(snapshot.head)
        if not snapshot.keys:
            return tree
        keys = dict(tree)
        for path, key in snapshot.keys.items():
            if key is None:
                keys.pop(path, None)
            else:
                keys[path] = key
        return keys

    def _changes(self, past: frozenset[str]) -> Changes:
        history = self._index.history(past)
        return Changes(history.definitions, *history.events)

    def _read(self, snapshot: Snapshot, deadline: float | None, near: str) -> tuple[Read, bool]:
        """The corpus, and whether it is of all files. What was read until the deadline is remembered as the last of its
        kind, and the next call goes on from there."""
        if len(self._vocabulary) > _WORDS:
            self._vocabulary = Vocabulary()
            self.memo.forget()
        last = self.memo.last(_CORPORA)
        if last is not None and last[0] == snapshot.contents:
            return last[1], True
        read = last[1] if last is not None else Read({}, Corpus.of({}, self._vocabulary))
        keys = self._keys(snapshot)
        changed: dict[str, tuple[str, ParsedFile | None] | None] = {}
        missing: list[str] = []
        for path, key in read.differing(keys).items():
            if key is None:
                changed[path] = None
            elif (text := snapshot.texts.get(path)) is not None:
                changed[path] = key, self._parsed(key, text, committed=False)
            else:
                missing.append(path)
        if missing:
            missing = read.with_known(missing, keys, changed)
        if deadline is not None and missing:
            waiting = frozenset(missing)
            missing = [path for path in self._nearest(snapshot, keys, near) if path in waiting]
        complete = True
        for start in range(0, len(missing), _AT_ONCE):
            is_late = bool(start) and deadline is not None and time.monotonic() >= deadline
            some = [] if is_late else missing[start : start + _AT_ONCE]
            texts = self._repository.read_all(list(dict.fromkeys(keys[path] for path in some)))
            for path in some:
                text = texts[keys[path]]
                if path != missing[0] and deadline is not None and len(text or "") > _SOON:
                    is_late = time.monotonic() >= deadline  # one that is generated takes a second
                if is_late:
                    break
                changed[path] = keys[path], self._parsed(keys[path], text)
            if is_late:
                complete = False
                break
        name: Hashable = snapshot.contents if complete else (snapshot.contents, len(missing))
        whole = self.memo.get(_CORPORA, name, lambda: read.with_files(changed))
        if complete:
            self._kept = NOTHING_KEPT
            self.memo.forget(_AROUNDS)
        return (whole, True) if complete else (self._around(snapshot, keys, near), False)

    def _parsed(self, key: str, text: str | None, *, committed: bool = True) -> ParsedFile | None:
        if text is None:
            return None

        def make() -> ParsedFile:
            if self._kept is None:
                self._kept = KeptFiles.read(None if self._index.log.path is None else self._index.log.path.parent)
            known = self._kept.parsed(key, text, self._vocabulary)
            if known is not None:
                return known
            self._parsed_anew += committed
            return parse_file(text, self._vocabulary)

        return self.memo.get(_PARSED_NOW if key.startswith(TEXT_KEY) else _PARSED, key, make)

    def _nearest(self, snapshot: Snapshot, keys: Keys, near: str) -> Sequence[str]:
        """All paths, those nearest to the path ``near`` first."""

        def make() -> Sequence[str]:
            return sorted(keys, key=lambda path: _distance(path, near))

        return self.memo.get(_NEAREST, (snapshot.contents, near), make)

    def _around(self, snapshot: Snapshot, keys: Keys, near: str) -> Read:
        """The corpus of the files nearest to the path ``near``."""
        wanted = {path: keys[path] for path in self._nearest(snapshot, keys, near)[:_AROUND]}
        last = self.memo.last(_AROUNDS)
        read = last[1] if last is not None else Read({}, Corpus.of({}, self._vocabulary))
        changed: dict[str, tuple[str, ParsedFile | None] | None] = {}
        for path, key in read.differing(wanted).items():
            if key is None:
                changed[path] = None
            else:
                text = snapshot.texts[path] if path in snapshot.texts else self._repository.read(key)
                if text is not None and len(text) > _SOON and path != near:
                    text = None  # it is read with the others
                changed[path] = key, self._parsed(key, text, committed=False)
        return self.memo.get(_AROUNDS, frozenset(wanted.items()), lambda: read.with_files(changed))


def _asked(known: Known, editing: Sequence[Edit]) -> tuple[Edit, ...]:
    """The edits in progress that are asked about."""
    return tuple(editing[: edits_asked(len(known.state.corpus))])


def _looked_at(known: Known, asked: Sequence[Edit], path: str) -> tuple[str, ...]:
    """The files that are looked at in full where not all are: the one asked about, and those being edited."""
    if len(known.state.corpus) <= MOST_DEFINITIONS:
        return ()
    return tuple(sorted({path, *(edit.path for edit in asked)}))


def _commits(editing: Sequence[Edit]) -> frozenset[str]:
    """Those of which edits stand for edits in progress."""
    return frozenset(edit.commit.sha for edit in editing if edit.commit is not None)


def _distance(path: str, near: str) -> tuple[int, str]:
    """Smaller for a path with more folders of ``near``."""
    return -shared_beginning(path.split("/"), near.split("/")), path
