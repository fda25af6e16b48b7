"""What the background thread owns: the model, and one session for each repository. No type of the protocol in here.

Nothing in this module is safe to use from two threads at once; the server calls it through its one ``Worker``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from codewm_lsp.allocator import give_back, resident
from codewm_lsp.errors import BundleError, CodewmError, RepositoryError
from codewm_lsp.folders import cache_folder
from codewm_lsp.hints import (
    LISTED,
    Change,
    Engine,
    HintKind,
    HintOptions,
    Hints,
    Prediction,
    SimilarEdit,
    Snapshot,
    Workspace,
    after_commit,
    differs_without_edits,
    nothing_after_commit,
    stand_in_words,
    waiting,
)
from codewm_lsp.hints.change_texts import KnownTexts
from codewm_lsp.hints.forgotten import Forgotten, forgotten, hidden_files, not_needed
from codewm_lsp.hints.next_files import in_progress, next_files, past_of_files
from codewm_lsp.history import Edit, Repository
from codewm_lsp.history.globs import matches_any
from codewm_lsp.index import Dismissal, Index, PastEdit, Scope, UpdateOutcome, update
from codewm_lsp.memo import Kind
from codewm_lsp.ranking import ranker_of, scorer_of
from codewm_lsp.ranking.companions import FilePast
from codewm_lsp.records import dataclass
from codewm_lsp.server.evidence import Evidence, PastChange, Suggestion, Suggestions
from codewm_lsp.server.options import Options
from codewm_lsp.server.others import OtherRepositories
from codewm_lsp.server.status import ModelStatus
from codewm_lsp.source import MODULE_NAME
from codewm_lsp.source.languages import SUFFIXES, is_source
from codewm_lsp.world_model import WorldModel

_log = logging.getLogger(__name__)

LARGEST_TEXT: Final = 1 << 20  # characters of a document that are still read: the limit of history's files
READING: Final = 1.5  # seconds of reading a large repository for the first time before what is known is listed
SHOWN: Final = 10  # past edits or predictions behind one command
FILE_PAST: Final = Kind[FilePast]("the past of all files", 1)
_LEFT_BEHIND: Final = 32 << 20  # bytes that jobs may leave behind before memory is given back
Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A document's place: its repository and its path in it."""

    root: Path
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The text that the editor holds of each file, the one typed in last at first, and when (of ``time.monotonic``)."""

    texts: Mapping[Path, str]
    since: float


@dataclass(frozen=True, slots=True)
class Indexed:
    """How far the index is: ``done`` of ``total`` commits. ``busy``: another process is writing it just now."""

    done: int
    total: int
    finished: bool
    busy: bool


class Session:
    """One repository: its history, its index, and the engine over both."""

    def __init__(self, repository: Repository, root: Path, model: WorldModel, store: str, notify: Notify) -> None:
        self.root = root
        self._repository = repository
        cache = os.environ.get("CODEWM_CACHE")  # as in the command line
        folder = Path(cache) if cache else None
        self._folder = folder or cache_folder()
        self._known_texts = KnownTexts(repository)
        self._index = Index.of(repository, model.hash, folder=folder, edit_size=model.edit_size)
        self._model = model
        self._others = (
            OtherRepositories(store, repository, folder, self._index.dismissals.all, notify) if store else None
        )
        self._workspace = Workspace(repository, self._index)
        self._engine = Engine(
            repository,
            model,
            self._index,
            ranker=ranker_of(model.bundle),
            scorer=scorer_of(model.bundle),
            others=self._others,
        )
        self._position = repository.position()

    def relative(self, file: Path) -> str | None:
        """``file`` as the repository names it; None when it is outside."""
        return self._repository.relative(file)

    def relatives(self, files: Iterable[Path]) -> dict[Path, str | None]:
        """The same of many files at one moment."""
        return self._repository.relatives(files)

    def hints(
        self, path: str, change: Change, options: Options, patience: float | None = None, *, soon: bool = False
    ) -> Hints:
        """The hints of one document. Not all, where reading the repository for the first time takes longer than
        ``patience`` (seconds): asking again goes on with it. ``soon``: as in ``Engine.hints``."""
        kinds = frozenset(
            kind
            for kind, wanted in ((HintKind.SIMILAR, options.kinds.similar), (HintKind.NEXT, options.kinds.next))
            if wanted
        )
        if not kinds or not options.lenses_per_file:
            return Hints((), complete=True)
        self._repository.leave_out(options.exclude)
        wanted = HintOptions(
            threshold=options.threshold, limit=options.lenses_per_file, kinds=kinds, clean_tree=options.clean_tree
        )
        gone = self._dismissed()
        snapshot = self._workspace.apply(change)
        found = self._engine.hints(snapshot, path, options=wanted, patience=patience, soon=soon)
        kept = (hint for hint in found.items if dismissal_key(hint.kind, hint.path, hint.definition) not in gone)
        return replace(found, items=tuple(kept))

    def waiting(self, options: Options) -> str:
        """What is waited for, as far as nothing was being edited at the last answer."""
        snapshot = self._workspace.last
        if snapshot is None or not snapshot.is_clean:
            return ""
        return waiting(snapshot.stand_in, comments=differs_without_edits(snapshot.texts), asked=options.clean_tree)

    def _dismissed(self) -> frozenset[str]:
        """The keys of the hints that are never to be shown."""
        return frozenset(item.sha for item in self._index.dismissals.all() if item.scope is Scope.HINT)

    def similar(self, path: str, definition: str, change: Change, options: Options) -> Evidence:
        """The past edits behind the lens of a definition: like its own edit, or like the one predicted for it."""
        snapshot = self._workspace.apply(change)
        editing = snapshot.editing(path)
        own = self._engine.edit_behind(snapshot, path, definition, HintOptions(clean_tree=options.clean_tree))
        if own is not None:
            changes = self._changes(self._engine.similar(snapshot, own, k=SHOWN))
            stand_in = snapshot.stand_in if own.commit is not None else None
            why = (f"changed in {stand_in_words(stand_in, time.time())}",) if stand_in is not None else ()
            return Evidence(HintKind.SIMILAR.value, path, definition, (), why, changes)
        for prediction in self._engine.next(snapshot, editing, k=0, paths=[path]):
            if prediction.definition == definition:
                reasons = tuple(reason.words for reason in prediction.reasons)
                changes = self._changes(prediction.evidence)
                return Evidence(HintKind.NEXT.value, path, definition, prediction.likely, reasons, changes)
        return Evidence(HintKind.NEXT.value, path, definition, (), (), ())

    def next(self, path: str | None, change: Change, options: Options, *, evidence: bool = True) -> Suggestions:
        """The definitions likely to be edited next, over all of the repository; ``path`` is being looked at.

        Without ``evidence`` no past edit is read. While nothing is edited, or the repository is still being read, the
        answer says what it is from; while nothing is edited, a mere guess is not listed.
        """
        snapshot, gone = self._workspace.apply(change), self._dismissed()
        stand_in = snapshot.stand_in if snapshot.is_clean else None

        def asked(k: int) -> list[Prediction]:
            found = self._engine.next(snapshot, snapshot.editing(path), k=k, patience=READING)
            return [
                one
                for one in found
                if not matches_any(one.path, options.exclude)
                and dismissal_key(HintKind.NEXT, one.path, one.definition) not in gone
            ]

        predictions = asked(SHOWN)  # a commit that is named for one of them is named for no other: none is left out
        if len(predictions) < SHOWN:
            predictions = asked(SHOWN * 3)[:SHOWN]
        if stand_in is not None:
            predictions = [one for one in predictions if one.score >= LISTED]
        suggestions = [
            Suggestion(
                path=prediction.path,
                definition=prediction.definition,
                line=prediction.line,
                score=prediction.score,
                likely=prediction.likely,
                reasons=tuple(reason.words for reason in prediction.reasons),
                evidence=self._changes(prediction.telling) if evidence else (),
            )
            for prediction in predictions
        ]
        listed = [*suggestions, *self._files(snapshot, path, options)]
        about: list[str] = []
        if stand_in is not None:
            about.append((after_commit if listed else nothing_after_commit)(stand_in, time.time()))
        if not self._engine.has_read(snapshot):
            about.append("Based on the files around this one; the others are still being read. Ask again in a moment.")
        return Suggestions(tuple(listed), " ".join(about))

    def _files(self, snapshot: Snapshot, path: str | None, options: Options) -> list[Suggestion]:
        """Files that have no definitions, and are likely to change next."""
        if self._repository.root is None:
            return []
        try:
            editing = () if snapshot.is_clean else snapshot.editing(path)
            at_hand = in_progress(self._repository, editing, snapshot.keys)
            past = self._engine.derived.memo.get(
                FILE_PAST, snapshot.head, lambda: past_of_files(self._repository, snapshot.head, self._folder)
            )
            hidden = hidden_files(self._index.dismissals, at_hand.name)
            found = next_files(
                self._repository, past, at_hand, hidden=hidden, unsaved=snapshot.texts, texts=self._known_texts
            )
        except (RepositoryError, BundleError) as error:  # definitions are listed all the same
            _log.info("files of other kinds are not listed: %s", error)
            return []
        return [
            Suggestion(one.path, MODULE_NAME, 0, one.score, (), (one.reason,), ())
            for one in found
            if not matches_any(one.path, options.exclude)
        ]

    def search(self, words: str) -> Evidence:
        """Past edits by what they are about."""
        found = self._engine.search(self._workspace.at("HEAD"), words, k=SHOWN)
        changes = tuple(replace(one, score=None) for one in self._changes(found))  # of words: on no scale from 0 to 1
        return Evidence("search", "", "", (), (), changes, words)

    def forgotten(self) -> Forgotten:
        """What usually changes with what is staged, or with the working tree where nothing is, and has not.

        Raises RepositoryError and BundleError.
        """
        return forgotten(self._repository, dismissals=self._index.dismissals, folder=self._folder)

    def not_needed(self, path: str, change: str | None, *, restore: bool) -> None:
        """Do not name a file for this change again, or (None) for any; or take that back."""
        said = self._index.dismissals.remove if restore else self._index.dismissals.add
        said(not_needed(path, change))

    def commit(self, sha: str) -> tuple[PastChange, ...]:
        """All edits of one commit. Raises RepositoryError when there is no such commit."""
        return tuple(_past_change(edit, None, ()) for edit in self._repository.edits_of(sha).edits)

    def text(self, sha: str, path: str, *, before: bool) -> str | None:
        """A file as a commit left it, or as it found it; None where there is none. Raises RepositoryError."""
        if before:
            parent = self._repository.edits_of(sha).commit.parent
            if parent is None:
                return None
            sha = parent
        return self._repository.text_at(sha, path)

    def dismiss(self, path: str, definition: str, *, restore: bool) -> None:
        """Never show hints on a definition again; or take that back."""
        change = self._index.dismissals.remove if restore else self._index.dismissals.add
        for kind in HintKind:
            change(Dismissal(Scope.HINT, dismissal_key(kind, path, definition)))

    def dismiss_edit(self, sha: str, path: str, definition: str, scope: Scope, *, restore: bool) -> None:
        """Never show a past edit again, with all that are like it or of its commit; or take that back."""
        dismissal = Dismissal(scope, sha) if scope is Scope.COMMIT else Dismissal(scope, sha, path, definition)
        if restore:
            self._index.dismissals.remove(dismissal)
        else:
            self._index.dismissals.add(dismissal)

    def index(
        self, depth: int, seconds: float, progress: Callable[[int, int], None], stop: Callable[[], bool]
    ) -> Indexed:
        """Index for at most ``seconds``, newest commits first; less when ``stop`` says so."""
        self._position = self._repository.position()
        step = update(
            self._repository,
            self._model,
            self._index.log,
            limit=depth or None,
            progress=progress,
            stop=stop,
            deadline=time.monotonic() + seconds,
        )
        return Indexed(
            step.done, step.total, step.outcome is UpdateOutcome.COMPLETE, step.outcome is UpdateOutcome.BUSY
        )

    def moved(self) -> bool:
        """Whether there may be other commits than at the last indexing."""
        try:
            return self._repository.position() != self._position
        except RepositoryError:
            return True  # it is gone: the indexing says so

    def silence(self, path: str, since: float) -> str:
        """Why a file gets no hints; empty where it may get some. What was listed ``since`` is not listed again."""
        if not is_source(path):
            return f"not one of {', '.join(SUFFIXES)}"
        if not self._repository.listed([path], since):
            return "ignored by Git, in a virtual environment, or in another repository"
        return ""

    def is_there(self) -> bool:
        """Whether it was not renamed or deleted."""
        return self._repository.git_dir.is_dir()

    def rest(self, stop: Callable[[], bool]) -> None:
        """There is nothing to be done for a while: keep what was parsed for the next process, unless something comes up
        (``stop``)."""
        if self._workspace.last is not None:
            try:
                self._engine.derived.keep_parsed(self._workspace.last, stop)
            except RepositoryError as error:
                _log.info("the parsed files of %s are not kept: %s", self.root, error)

    def let_go(self, *, for_long: bool) -> None:
        """Let go of what was read of mapped files; see ``Index.let_go``."""
        self._index.let_go(for_long=for_long)

    @property
    def is_huge(self) -> bool:
        """Whether a part of mapped files is held until there is a pause."""
        return self._index.log.is_huge

    def close(self) -> None:
        """Let go of the index and of Git."""
        if self._others is not None:
            self._others.close()
        self._index.close()
        self._repository.close()

    def _changes(self, found: Sequence[SimilarEdit]) -> tuple[PastChange, ...]:
        changes = []
        for similar in found:
            past = similar.edit
            reasons = tuple(reason.words for reason in similar.reasons)
            score = None if similar.fact else similar.score
            if past.source is not None and self._others is not None:
                other, root = self._others.edit(past)
                change = _past_change(other or past, score, reasons)
                changes.append(replace(change, repository=past.source.name, root=root))
                continue
            edit = self._repository.edit_of(past.commit.sha, past.path, past.definition) or past
            changes.append(_past_change(edit, score, reasons))
        return tuple(changes)


class Workshop:
    """The sessions of all repositories that documents are open in, and the one model they share."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._model: WorldModel | None = None
        self._model_key: tuple[Path | None, int] | None = None
        self._model_problem = ""
        self._renewed: Options | None = None
        self._sessions: dict[Path, Session] = {}
        self._problems: dict[Path, CodewmError] = {}
        self._roots: dict[Path, Path] = {}
        self._change: tuple[Path, Held, Change] | None = None
        self._needed = 0  # bytes that were held when memory was last given back

    def place(self, file: Path, options: Options) -> Place:
        """Where a file is, its repository opened: a symbolic link is its target.

        Raises RepositoryError, BundleError or IndexStoreError.
        """
        file = Path(os.path.realpath(file))
        root = self.root(file.parent, options)
        path = self._sessions[root].relative(file)
        if path is None:
            raise RepositoryError(f"{file} is not a file of {root}.")
        return Place(root, path)

    def root(self, folder: Path, options: Options) -> Path:
        """The work tree that ``folder`` belongs to, its session opened. Raises as ``place`` does."""
        if folder in self._problems:
            raise self._problems[folder]
        root = self._roots.get(folder, folder)
        if root in self._sessions and not self._sessions[root].is_there():
            self.drop([root])
            self._problems[folder] = RepositoryError(f"{root} no longer exists. Hints come back when it does.")
            raise self._problems[folder]
        if root not in self._sessions:
            try:
                root = self._open(folder, options)
            except CodewmError as error:
                self._problems[folder] = error
                raise
            self._roots[folder] = root
        return root

    @property
    def model(self) -> ModelStatus:
        """The model in use; may be read from any thread."""
        model = self._model
        return ModelStatus(model.name if model is not None else "", self._model_problem)

    def session(self, root: Path) -> Session | None:
        """The open session of a work tree."""
        return self._sessions.get(root)

    def opened(self, folder: Path, options: Options) -> Session:
        """The session of the repository that ``folder`` is in. Raises as ``place`` does."""
        return self._sessions[self.root(folder, options)]

    def change(self, root: Path, held: Held) -> Change:
        """Of what the editor holds, the files of one repository, as it names them."""
        if self._change is None or self._change[:2] != (root, held):
            session = self._sessions[root]
            paths = session.relatives(held.texts)
            texts = {path: text for file, text in held.texts.items() if (path := paths[file]) is not None}
            self._change = (root, held, Change(texts, held.since))
        return self._change[2]

    def silence(self, place: Place, held: Held, options: Options) -> str:
        """Why a file whose repository is open gets no hints, in a few words; empty where it may get some."""
        if matches_any(place.path, options.exclude):
            return "excluded by the setting exclude"
        return self._sessions[place.root].silence(place.path, held.since)

    def waiting(self, place: Place, options: Options) -> str:
        """``Session.waiting`` of a file whose repository is open."""
        return self._sessions[place.root].waiting(options)

    def hints(self, place: Place, held: Held, options: Options, patience: float, *, soon: bool = False) -> Hints:
        """``Session.hints`` of a file whose repository is open; none where the user wants none."""
        if matches_any(place.path, options.exclude):
            return Hints((), complete=True)
        session, change = self._sessions[place.root], self.change(place.root, held)
        return session.hints(place.path, change, options, patience, soon=soon)

    def unneeded(self, folders: Collection[Path]) -> list[Path]:
        """The work trees that are open, and that none of these folders belongs to."""
        needed = {self._roots.get(folder) for folder in folders}
        return [root for root in self._sessions if root not in needed]

    def drop(self, roots: Iterable[Path]) -> None:
        """Close the sessions of these work trees."""
        for root in roots:
            session = self._sessions.pop(root, None)
            if session is not None:
                session.close()
        self._roots = {folder: root for folder, root in self._roots.items() if root in self._sessions}
        self._change = None

    def retry(self) -> None:
        """Forget what failed: the next question tries again."""
        self._problems.clear()

    def rest(self, stop: Callable[[], bool]) -> None:
        """There is nothing to be done for a while: see ``Session.rest``, and give memory back to the system."""
        for session in self._sessions.values():
            session.rest(stop)
        self._give_back(for_long=True)

    def relieve(self) -> None:
        """Give memory back to the system where jobs have left much of it behind: a question in a large
        repository leaves a hundred megabytes, and the next ones add to that."""
        held = self._own()
        self._needed = min(self._needed, held)
        if held > self._needed + _LEFT_BEHIND:
            self._give_back(for_long=False)

    def _give_back(self, *, for_long: bool) -> None:
        for session in self._sessions.values():
            session.let_go(for_long=for_long)
        give_back()
        self._needed = self._own()

    def _own(self) -> int:
        """Bytes of memory that are held, without the files of a huge index."""
        return resident(files=False) if any(session.is_huge for session in self._sessions.values()) else resident()

    def close(self) -> None:
        """Close every session; the model stays."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._roots.clear()
        self._problems.clear()
        self._change = None

    def renew(self, options: Options) -> None:
        """Close every session; those opened from now on have the model and the store of ``options``."""
        self.close()
        self._renewed = options

    def _open(self, folder: Path, options: Options) -> Path:
        options = self._renewed or options  # a question that was asked before is answered as is wanted now
        existing = _existing(folder)
        try:
            repository = Repository.open(existing, options.exclude)
        except RepositoryError as error:
            if existing == folder:
                raise
            raise RepositoryError(f"{folder} does not exist. Hints come back when it does.") from error
        try:
            if repository.root is None:
                raise RepositoryError(
                    f"{repository.git_dir} is a bare repository: it has no files to edit. Open a clone of it instead."
                )
            root = Path(os.path.realpath(repository.root))
            if root in self._sessions:
                repository.close()
                return root
            repository.head()  # no commits: said now, not with every lens
            self._sessions[root] = Session(repository, root, self._loaded(options), options.store, self._notify)
        except CodewmError:
            repository.close()
            raise
        return root

    def _loaded(self, options: Options) -> WorldModel:
        key = (options.model, options.threads)
        if self._model is None or self._model_key != key:
            self._model_problem = ""
            try:
                self._model = WorldModel.load(options.model, threads=options.threads)
                ranker_of(self._model.bundle)  # what is wrong with a file is said now, as of every other one
                scorer_of(self._model.bundle)
            except BundleError as error:
                if options.model is None:
                    raise
                self._model_problem = f"Setting codewm.model: {error} The shipped model is used."
                self._notify(self._model_problem)
                self._model = WorldModel.load(threads=options.threads)
            self._model_key = key
        return self._model


def _past_change(edit: Edit | PastEdit, score: float | None, reasons: tuple[str, ...]) -> PastChange:
    """An edit with its texts; without them where only the index still knows it."""
    assert edit.commit is not None
    texts = (edit.previous_path, edit.before, edit.after) if isinstance(edit, Edit) else (None, "", "")
    previous, before, after = texts
    return PastChange(
        commit=edit.commit.sha,
        author=edit.commit.author,
        date=edit.commit.date,
        subject=edit.commit.subject,
        path=edit.path,
        definition=edit.definition,
        kind=edit.kind.value,
        line=edit.line,
        previous_path=previous,
        score=score,
        reasons=reasons,
        before=before,
        after=after,
    )


def dismissal_key(kind: HintKind, path: str, definition: str) -> str:
    """What a hint is called among the dismissed: its kind and the definition it stands on."""
    return f"{kind.value}:{path}::{definition}"


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
