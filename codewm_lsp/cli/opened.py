"""What is asked: repository, model and index, opened for one run or kept open, and the indexing before an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.display import clean, short
from codewm_lsp.errors import BundleError, CodewmError, IndexStoreError, NothingToAnswerError

if TYPE_CHECKING:
    from codewm_lsp.cli.asking import Question
    from codewm_lsp.cli.report import Screen
    from codewm_lsp.hints import Engine, Prediction, SimilarEdit, Snapshot, StandIn, Workspace
    from codewm_lsp.hints.next_files import NextFile
    from codewm_lsp.history import Edit, Repository
    from codewm_lsp.history.location import Location
    from codewm_lsp.index import IndexUpdate, PastEdit, UpdateTarget
    from codewm_lsp.index.update import Spread
    from codewm_lsp.world_model import WorldModel

WAIT = 600.0  # seconds that `codewm index` waits for another process that is indexing the same repository
FIRST = 6.0  # seconds of indexing before an answer, while little of its history is known
LATER = 0.5  # and from then on: for what is new
AFTERWARDS = 4.0  # and after the answer, for the rest of the history
ENOUGH = 100  # commits from which on a history is known well enough to answer at once
ENOUGH_AT = 1_500  # the same where nobody is in the middle of an edit: depth counts more than a second
NEW = 50  # newest commits looked at from then on
QUERIES = 40  # edits in progress looked up, of a change of very many definitions
KEPT: Final = 4  # repositories that stay open between questions
_SAID: Final = 100  # characters of what was searched for that a message repeats
DEPTH: Final = 10_000  # newest commits indexed between questions, as beside an editor


class Opened:
    """What a command answers from; what it does not ask for is not loaded."""

    def __init__(self, repository: Repository, model: WorldModel, cache: Path | None) -> None:
        """Raises IndexStoreError."""
        from codewm_lsp.index import Index

        self.repository = repository
        self.model = model
        self.index = Index.of(repository, model.hash, folder=cache, edit_size=model.edit_size)
        self._reached: tuple[str, frozenset[str]] = ("", frozenset())

    @cached_property
    def workspace(self) -> Workspace:
        """The states of the repository."""
        from codewm_lsp.hints import Workspace

        return Workspace(self.repository, self.index)

    @cached_property
    def engine(self) -> Engine:
        """What answers about them. Raises BundleError."""
        from codewm_lsp.hints import Engine
        from codewm_lsp.ranking import ranker_of, scorer_of

        bundle = self.model.bundle
        return Engine(self.repository, self.model, self.index, ranker=ranker_of(bundle), scorer=scorer_of(bundle))

    def stand_in(self, head: str) -> StandIn | None:
        """The commit that stands for edits in progress at ``head`` as long as there are none."""
        return self.workspace.stand_in(head)

    def reached(self, revision: str) -> frozenset[str]:
        """The commits that a revision reaches, itself included."""
        from codewm_lsp.index import reached

        head = self.repository.head(revision)
        if self._reached[0] != head:
            self._reached = head, reached(self.repository, self.index.log, head)
        return self._reached[1]

    def close(self) -> None:
        """Let go of the index and of Git."""
        self.index.close()
        self.repository.close()


@contextmanager
def open_all(path: Path, model_folder: Path | None, cache: Path | None) -> Iterator[Opened]:
    """Open everything, and close it again.

    Raises RepositoryError, BundleError or IndexStoreError.
    """
    from codewm_lsp.history import Repository
    from codewm_lsp.world_model import WorldModel

    with Repository.open(path) as repository:
        opened = Opened(repository, WorldModel.load(model_folder, graphs=()), cache)
        try:
            yield opened
        finally:
            opened.close()


class KeptOpen:
    """The repositories asked about last, and the one model they share: opening them takes longer than most answers.

    A new commit, an edit and an index that another process writes are seen without opening anything again; a
    repository that lies elsewhere than it did, was made anew or is no longer shallow is opened anew. Not to be used
    from two threads at once.
    """

    def __init__(self, model_folder: Path | None, cache: Path | None) -> None:
        self._model_folder = model_folder
        self._cache = cache
        self._model: WorldModel | None = None
        self._opened: dict[tuple[Location, object], Opened] = {}  # the one asked about last stands last

    def of(self, path: Path) -> Opened:
        """What to answer from about the repository that ``path`` is in. Raises as ``open_all`` does."""
        from codewm_lsp.history import Repository
        from codewm_lsp.history.location import locate
        from codewm_lsp.world_model import WorldModel

        location = locate(path)
        key = location, _identity(location)
        found = self._opened.pop(key, None)
        if found is None:
            for stale in [one for one in self._opened if one[0] == location]:
                self._opened.pop(stale).close()
            while len(self._opened) >= KEPT:
                self._opened.pop(next(iter(self._opened))).close()
            if self._model is None:
                self._model = WorldModel.load(self._model_folder, graphs=())
            repository = Repository.open(path)
            try:
                found = Opened(repository, self._model, self._cache)
            except BaseException:
                repository.close()
                raise
        self._opened[key] = found
        return found

    def close(self) -> None:
        """Let go of all repositories."""
        while self._opened:
            self._opened.popitem()[1].close()


def _identity(location: Location) -> object:
    """Another value for another repository at the same place, and for one whose history reaches further back."""
    status = location.git_dir.stat()
    return status.st_dev, status.st_ino, (location.common_dir / "shallow").exists()


def bring_up_to_date(
    opened: Opened,
    revision: str,
    console: Screen,
    *,
    seconds: float | None,
    limit: int | None = None,
    spread: Spread | None = None,
) -> IndexUpdate:
    """Index what ``revision`` can reach, newest first, for at most ``seconds`` (None: until done), with a bar."""
    log = opened.index.log
    return updated(opened.repository, opened.model, log, revision, console, seconds=seconds, limit=limit, spread=spread)


def updated(
    repository: Repository,
    model: WorldModel,
    target: UpdateTarget,
    revision: str,
    console: Screen,
    *,
    seconds: float | None,
    limit: int | None,
    wait: float = WAIT,
    spread: Spread | None = None,
) -> IndexUpdate:
    """The same for an index or a repository's place in a store; ``wait``: for another process that is at it."""
    from codewm_lsp.cli.report import progress_bar
    from codewm_lsp.index import update

    with progress_bar(console, "indexing", "commits") as progress:
        return update(
            repository,
            model,
            target,
            rev=revision,
            limit=limit,
            progress=progress,
            deadline=None if seconds is None else time.monotonic() + seconds,
            wait=wait if seconds is None else min(wait, seconds),
            spread=spread,
        )


def prepare(
    opened: Opened, revision: str, console: Screen, seconds: float | None, *, study: bool = False
) -> tuple[int, int]:
    """Index for at most ``seconds`` before an answer; how many commits of how many it will be answered from.

    None: a few seconds while little is known of this history, so that there is something to answer from; once there
    is, what is new alone (see ``go_on``). A ``study`` is a question about a revision, or about the last commit while
    nothing is being edited: it needs more of the history.
    """
    log = opened.index.log
    settled = log.settled()
    if settled is not None and opened.repository.since(revision, settled[0]) is not None:
        return settled[1], settled[1]  # all of a later commit's history is known: nothing need be counted
    wanted = opened.reached(revision)
    done = _known(opened, wanted)
    limit = None
    if seconds is None:
        seconds = FIRST
        if done >= (ENOUGH_AT if study else ENOUGH):
            seconds, limit = LATER, NEW
    if seconds and done < len(wanted):
        bring_up_to_date(opened, revision, console, seconds=seconds, limit=limit)
        done = _known(opened, wanted)
    return done, len(wanted)


def _known(opened: Opened, commits: frozenset[str]) -> int:
    return len(commits & opened.index.log.known())


def go_on(opened: Opened, revision: str, console: Screen) -> None:
    """Index more of the history for a few seconds, the answer being out: each call does, until all of it is there.

    In a terminal, which waits for it, it is said how far that is. Where it could not be kept, nothing is done.
    """
    if opened.index.unkept:
        return
    from codewm_lsp.cli.report import Reporter
    from codewm_lsp.index import UpdateOutcome

    with suppress(IndexStoreError, KeyboardInterrupt):  # it can wait
        log = opened.index.log
        now = updated(opened.repository, opened.model, log, revision, console, seconds=AFTERWARDS, limit=None, wait=0)
        if not console.is_terminal or now.outcome is UpdateOutcome.BUSY:
            return
        if now.done < now.total:
            said = f"{now.done:,} of {now.total:,} commits are indexed now; the next answer uses them and indexes more."
        else:
            said = f"All {now.total:,} commits are indexed now; the next answer uses them."
        Reporter(console).line((said, "dim"))


def index_more(opened: Opened, revision: str, total: int, stop: Callable[[], bool]) -> bool:
    """Index the newest of ``total`` commits until ``stop`` says so; whether there is more to do at once."""
    from codewm_lsp.index import UpdateOutcome, update

    with suppress(CodewmError):  # the next question says what is wrong
        log, limit = opened.index.log, None if total <= DEPTH else DEPTH
        done = update(opened.repository, opened.model, log, rev=revision, limit=limit, stop=stop)
        return done.outcome is UpdateOutcome.STOPPED
    return False


def similar(opened: Opened, question: Question, k: int) -> list[tuple[SimilarEdit, Edit]]:
    """Past edits, best first, each with the edit in progress that it resembles most; ``k`` 0: all."""
    found = similar_to(opened, opened.workspace.at(question.history), question.edits, k)
    return found[:k] if k else found


def similar_to(opened: Opened, snapshot: Snapshot, edits: Sequence[Edit], k: int) -> list[tuple[SimilarEdit, Edit]]:
    """The ``k`` past edits most like each of some edits, together, of the commits that the snapshot's reaches."""
    best: dict[int, tuple[SimilarEdit, Edit]] = {}
    for edit in edits[:QUERIES]:
        for item in opened.engine.similar(snapshot, edit, k=k):
            known = best.get(item.edit.id)
            if known is None or item.score > known[0].score:
                best[item.edit.id] = (item, edit)
    return sorted(best.values(), key=lambda pair: (-pair[0].score, -pair[0].edit.commit.date, pair[0].edit.id))


def by_words(opened: Opened, revision: str, words: str, k: int) -> list[tuple[PastEdit, float]]:
    """The ``k`` past edits that these words describe best (0: all), of what the revision reaches, with their scores.

    Raises NothingToAnswerError where there is none.
    """
    found = opened.index.find(words, k=k, within=opened.reached(revision))
    if not found:
        raise NothingToAnswerError(f"No past edit matches {clean(words, _SAID)!r}. Try fewer or other words.")
    return found


def predictions(opened: Opened, question: Question, k: int) -> list[Prediction]:
    """Definitions likely to be edited next, best first; ``k`` 0: all."""
    workspace = opened.workspace
    snapshot = (
        workspace.apply(look=question.look) if question.files is None else workspace.at(question.files, question.texts)
    )
    return opened.engine.next(snapshot, question.edits, k=k)


def keep_parsed(opened: Opened) -> None:
    """Keep what had to be parsed for the next command, the answer being out."""
    snapshot = opened.workspace.last
    if snapshot is not None:
        opened.engine.derived.keep_parsed(snapshot)


def files_next(opened: Opened, question: Question, cache: Path | None) -> list[NextFile]:
    """Files of other kinds that are likely to change next, best first; none where definitions of one revision are asked
    about as if they were being edited."""
    from codewm_lsp.folders import cache_folder
    from codewm_lsp.hints.forgotten import hidden_files
    from codewm_lsp.hints.next_files import in_progress, next_files, past_of_files

    repository = opened.repository
    if question.files is not None or question.stand_in is not None or repository.root is None:
        return []
    last = opened.workspace.last
    at_hand = in_progress(repository, question.edits, None if last is None else last.keys)
    past = past_of_files(repository, question.history, cache or cache_folder())
    with suppress(BundleError):  # definitions are listed all the same; `codewm forgotten` says what is missing
        return next_files(repository, past, at_hand, hidden=hidden_files(opened.index.dismissals, at_hand.name))
    return []


def require(found: Sequence[object], opened: Opened, question: Question) -> None:
    """Raises NothingToAnswerError when there is nothing in ``found``, with the reason."""
    if found:
        return
    if not opened.index.log.size() and _known(opened, wanted := opened.reached(question.history)) == len(wanted):
        raise NothingToAnswerError(f"The history before {question.words} has no Python edits.")
    if not opened.index.log.size():
        raise NothingToAnswerError(f"No edits are indexed up to {short(question.history)}. Run `codewm index`.")
    raise NothingToAnswerError(
        f"The history before {short(question.history)} has nothing to compare with {question.words}."
    )
