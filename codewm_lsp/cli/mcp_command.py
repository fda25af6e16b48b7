"""``codewm mcp``: a server of the Model Context Protocol over stdio, on the official SDK."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import codewm_lsp
from codewm_lsp.cli.agent_answers import TOKENS, Agent
from codewm_lsp.errors import CodewmError, OutputError

INSTRUCTIONS: Final = (
    "What the Git history of a Python repository says about an edit: past edits like it, what is likely to change "
    "next, what was forgotten, and how a definition was changed before. `repository` is a folder in the repository. "
    "`at` is a revision: nothing later is used. Answers stay within `max_tokens` and say if they were cut."
)


def serve(options: Namespace) -> None:
    """Answer until the client closes stdin, or is gone."""
    agent = Agent(options.model, options.cache)
    turns = Turns(agent)
    try:
        server_of(agent, turns, str(options.repository)).run("stdio")
    except Exception as error:
        failures = list(_failures(error))
        if not all(isinstance(one, OSError) for one in failures):
            raise
        if not all(isinstance(one, BrokenPipeError) for one in failures):
            why = next(one.strerror for one in failures if isinstance(one, OSError))
            raise OutputError(f"Cannot write the answer: {why}. Free some space, or redirect it elsewhere.") from error
    finally:
        turns.end()
        agent.close()


def _failures(error: BaseException) -> Iterator[BaseException]:
    """What went wrong, one by one where it is a group."""
    parts: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if not parts:
        yield error
    for part in parts:
        yield from _failures(part)


class Turns:
    """One question at a time; while there is none, the rest of the history is indexed."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._one = threading.Lock()
        self._changed = threading.Condition()
        self._asked = 0  # questions that wait or are being answered
        self._answered = False  # since the last look for something to index
        self._ended = False
        self._indexing = threading.Thread(target=self._index, name="codewm-indexing", daemon=True)
        self._indexing.start()

    @contextmanager
    def question(self) -> Iterator[None]:
        """The agent is this thread's."""
        with self._changed:
            self._asked += 1
        try:
            with self._one:
                yield
        finally:
            with self._changed:
                self._asked -= 1
                self._answered = True
                self._changed.notify()

    def end(self) -> None:
        """Index nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._indexing.join()

    def _index(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or (self._answered and not self._asked))
                self._answered = False
            if self._ended:
                return
            with self._one:
                self._agent.index_more(lambda: self._ended or self._asked > 0)


def server_of(agent: Agent, turns: Turns, default: str) -> MCPServer:
    """The server and its tools; ``default``: the repository of a question that names none."""
    server = MCPServer("codewm", version=codewm_lsp.__version__, instructions=INSTRUCTIONS, log_level="ERROR")

    def answered(answer: Callable[[], str]) -> str:
        try:
            with turns.question():
                return answer()
        except (CodewmError, OSError, UnicodeError) as error:
            raise ToolError(str(error)) from error

    @server.tool(structured_output=False)
    def search(words: str, repository: str = default, at: str | None = None, max_tokens: int = TOKENS) -> str:
        """Find past edits by what they are about: words of commit subjects, paths, names and changed code."""
        return answered(lambda: agent.search(repository, words, at, max_tokens))

    @server.tool(structured_output=False)
    def similar_edits(
        diff: str | None = None,
        definition: str | None = None,
        intent: str | None = None,
        repository: str = default,
        at: str | None = None,
        max_tokens: int = TOKENS,
    ) -> str:
        """Past edits like a unified diff, or like what you intend to do (intent) to a definition (PATH::NAME), as short
        diffs."""
        return answered(lambda: agent.similar(repository, diff, definition, intent, at, max_tokens))

    @server.tool(structured_output=False)
    def next_edits(
        editing: str | None = None, repository: str = default, at: str | None = None, max_tokens: int = TOKENS
    ) -> str:
        """Definitions that are likely to change next, given the uncommitted changes (with `at`: that commit), with
        probabilities and reasons. `editing` (PATH::NAME) asks about one of these edits."""
        return answered(lambda: agent.next(repository, editing, at, max_tokens))

    @server.tool(structured_output=False)
    def forgotten(
        diff: str | None = None, repository: str = default, at: str | None = None, max_tokens: int = TOKENS
    ) -> str:
        """Files that usually change together with the current change but have not changed, with chances and evidence.
        Call it before you say that you are done. It checks what is staged, or else the working tree; with `diff`
        (BASE...HEAD) a branch, with `at` that commit."""
        return answered(lambda: agent.forgotten(repository, diff, at, max_tokens))

    @server.tool(structured_output=False)
    def how_was_this_changed_before(
        path: str, definition: str, repository: str = default, at: str | None = None, max_tokens: int = TOKENS
    ) -> str:
        """The history of one definition, newest change first, in short diffs. A method is written Class.method."""
        return answered(lambda: agent.history(repository, path, definition, at, max_tokens))

    return server
