"""What an agent is told: short texts that cite commits and keep to a budget of tokens. No protocol is known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.cli import opened as asked
from codewm_lsp.cli.asking import ask
from codewm_lsp.cli.patches import edits_of_diff
from codewm_lsp.cli.report import consoles, plain
from codewm_lsp.cli.wire import iso_date
from codewm_lsp.display import clean, short
from codewm_lsp.errors import NothingToAnswerError, OptionError

if TYPE_CHECKING:
    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.index import PastEdit

TOKENS: Final = 500
LEAST_TOKENS, MOST_TOKENS = 100, 20_000
CHARACTERS: Final = 3.0  # of code, English and hashes in a token: few, so that no budget is exceeded by much
LONGEST: Final = 4_000  # characters of any other argument
_RESULTS: Final = 30  # looked for; the budget decides how many are told
_SUBJECT: Final = 90  # characters of a commit's subject


class Agent:
    """Answers the questions of an agent, each of a repository that it names. Not for two threads at once."""

    def __init__(self, model: Path | None, cache: Path | None) -> None:
        self._cache = cache
        self._kept = asked.KeptOpen(model, cache)
        self._unfinished: tuple[Opened, str, int] | None = None

    def close(self) -> None:
        """Let go of the repositories."""
        self._kept.close()

    def index_more(self, stop: Callable[[], bool]) -> None:
        """Where the last answer came from a part of the history, index the rest, until ``stop`` says so."""
        if self._unfinished is not None and not asked.index_more(*self._unfinished, stop):
            self._unfinished = None

    def search(self, repository: str, words: str, at: str | None, max_tokens: int) -> str:
        """Past edits by what they are about."""
        if not words.strip():
            raise OptionError("words is empty. Say what the edits are about.")
        _require_short(words=words, at=at)
        opened, budget = self._opened(repository, max_tokens)
        head = opened.repository.head(at or "HEAD")
        budget.note(self._prepared(opened, head))
        found = asked.by_words(opened, head, words, _RESULTS)
        return budget.filled([_named(edit) for edit, _ in found])

    def similar(
        self, repository: str, diff: str | None, definition: str | None, intent: str | None, at: str | None, tokens: int
    ) -> str:
        """Past edits like a diff, or like what is meant to be done with a definition."""
        if bool(diff) == bool(definition):
            raise OptionError("Give either diff, or definition (PATH::NAME) with intent.")
        _require_short(definition=definition, intent=intent, at=at)
        edits = edits_of_diff(diff) if diff else ()
        if definition and not (intent or "").strip():
            raise OptionError("intent is empty. Say in a few words what to do with the definition.")
        opened, budget = self._opened(repository, tokens)
        head = opened.repository.head(at or "HEAD")
        budget.note(self._prepared(opened, head))
        snapshot = opened.workspace.at(head)
        if definition:
            items = opened.engine.search(snapshot, f"{intent} {definition.rpartition('::')[2]}", k=_RESULTS)
        else:
            items = [item for item, _ in asked.similar_to(opened, snapshot, edits, _RESULTS)]
        return budget.filled(_with_diffs(opened, [item.edit for item in items]))

    def next(self, repository: str, editing: str | None, at: str | None, max_tokens: int) -> str:
        """Definitions likely to be edited next."""
        _require_short(editing=editing, at=at)
        opened, budget = self._opened(repository, max_tokens)
        question = ask(opened.repository, opened.stand_in, at=at, editing=editing)
        budget.note(question.note)
        budget.note(f"After {question.words}:")
        budget.note(self._prepared(opened, question.at))
        found = asked.predictions(opened, question, _RESULTS)
        asked.require(found, opened, question)
        rows = []
        for one in found:
            said = "; ".join(reason.words for reason in one.reasons[:2])
            past = one.telling[0].edit.commit if one.telling else None
            cited = f"\n   like {short(past.sha)} {clean(past.subject, _SUBJECT)}" if past else ""
            because = f": {said}" if said else ""
            rows.append(f"{one.score:.0%} {one.path}:{one.line + 1} {one.definition}{because}{cited}")
        return budget.filled(rows)

    def history(self, repository: str, path: str, definition: str, at: str | None, max_tokens: int) -> str:
        """How one definition was changed before, newest first."""
        _require_short(path=path, definition=definition, at=at)
        opened, budget = self._opened(repository, max_tokens)
        head = opened.repository.head(at or "HEAD")
        budget.note(self._prepared(opened, head))
        found = opened.index.edits_of_definition(path.replace("\\", "/"), definition, within=opened.reached(head))
        if not found:
            raise NothingToAnswerError(
                f"No indexed commit changes {path}::{definition}. Write the path from the root of the repository, "
                "and a method as Class.method."
            )
        return budget.filled(_with_diffs(opened, found))

    def forgotten(self, repository: str, diff: str | None, at: str | None, max_tokens: int) -> str:
        """What usually changes with the change at hand, and has not."""
        from codewm_lsp.folders import cache_folder
        from codewm_lsp.hints.forgotten import forgotten
        from codewm_lsp.hints.forgotten_words import headline, more_files, sentence
        from codewm_lsp.index import Dismissals

        _require_short(diff=diff, at=at)
        if diff and at:
            raise OptionError("diff and at are about different changes. Give one of them.")
        opened, budget = self._opened(repository, max_tokens)
        folder = self._cache or cache_folder()
        if at:
            head = opened.repository.head(at)
            diff = f"{head}^...{head}"
        dismissals = Dismissals.of(opened.repository, folder)
        found = forgotten(opened.repository, diff or None, dismissals=dismissals, folder=folder)
        budget.note(headline(found))
        if found.more:
            budget.note(f"(Not listed: {more_files(found)}.)")
        return budget.filled([sentence(one) for one in found.missing])

    def _opened(self, repository: str, max_tokens: int) -> tuple[Opened, _Budget]:
        if not LEAST_TOKENS <= max_tokens <= MOST_TOKENS:
            raise OptionError(f"max_tokens is {max_tokens}. Choose from {LEAST_TOKENS} to {MOST_TOKENS:,}.")
        _require_short(repository=repository)
        if "\0" in repository:
            raise OptionError("repository is not the path of a folder.")
        try:
            folder = Path(repository).expanduser()
        except RuntimeError as error:
            raise OptionError(f"{repository} names the home folder of an unknown user.") from error
        self._unfinished = None
        return self._kept.of(folder), _Budget(max_tokens)

    def _prepared(self, opened: Opened, revision: str) -> str:
        _, progress = consoles()
        done, total = asked.prepare(opened, revision, progress, None)
        self._unfinished = (opened, revision, total) if done < total else None
        return "" if done >= total else f"(From the newest {done:,} of {total:,} commits; the rest is being indexed.)"


def _require_short(**arguments: str | None) -> None:
    for name, text in arguments.items():
        if text is not None and len(text) > LONGEST:
            raise OptionError(f"{name} has {len(text):,} characters; the maximum is {LONGEST:,}.")


class _Budget:
    """Puts together an answer of at most so many tokens, and says what it had to leave out."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._left = int(tokens * CHARACTERS) - 120  # for what is said of the rest
        self._parts: list[str] = []

    def note(self, text: str) -> None:
        """A line above the answer; an empty one is none."""
        if text:
            self._parts.append(clean(text, 300))
            self._left -= len(self._parts[-1]) + 1

    def filled(self, rows: Iterator[str] | Sequence[str]) -> str:
        """The answer with as many of these as there is room for, the first one cut where it alone is too long."""
        for told, row in enumerate(rows):
            text = "\n".join(plain(line.expandtabs(4)) for line in row.split("\n"))
            if len(text) + 1 > self._left:
                if not told and self._left > 0:
                    self._parts.append(text[: self._left])
                self._parts.append(f"(Cut at max_tokens={self._tokens}: there is more.)")
                break
            self._parts.append(text)
            self._left -= len(text) + 1
        return "\n".join(self._parts)


def _named(edit: PastEdit) -> str:
    commit = edit.commit
    return (
        f"{short(commit.sha)} {iso_date(commit.date)[:10]} {clean(commit.subject, _SUBJECT)}\n"
        f"   {edit.kind.value} {edit.path} {edit.definition}"
    )


def _with_diffs(opened: Opened, edits: Sequence[PastEdit]) -> Iterator[str]:
    from codewm_lsp.cli.diffs import PastDiffs

    diffs = PastDiffs(opened.repository)
    for edit in edits:
        rows = diffs.of(edit).split("\n")
        changed = [row for row in rows if not row.startswith(("---", "+++"))]
        yield "\n".join([_named(edit), *changed])
