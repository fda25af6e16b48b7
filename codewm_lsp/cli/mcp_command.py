"""``codewm mcp``: a server of the Model Context Protocol over stdio, on the official SDK."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Callable
from typing import Final

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import codewm_lsp
from codewm_lsp.cli.agent_answers import TOKENS, Agent
from codewm_lsp.errors import CodewmError

INSTRUCTIONS: Final = (
    "What the Git history of a Python repository says about an edit: past edits like it, what is likely to be edited "
    "next, and how a definition was changed before. `repository` is a folder in the repository. `at` is a revision: "
    "nothing later is looked at. Answers keep to `max_tokens` and say when they were cut."
)


def serve(options: Namespace) -> None:
    """Answer until the client closes stdin."""
    server_of(Agent(options.model, options.cache), str(options.repository)).run("stdio")


def server_of(agent: Agent, default: str) -> MCPServer:
    """The server and its tools; ``default``: the repository of a question that names none."""
    server = MCPServer("codewm", version=codewm_lsp.__version__, instructions=INSTRUCTIONS, log_level="ERROR")
    one_at_a_time = threading.Lock()

    def answered(answer: Callable[[], str]) -> str:
        try:
            with one_at_a_time:
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
        """Past edits, as short diffs, like a unified diff; or like what is meant to be done (intent) with a definition
        (PATH::NAME)."""
        return answered(lambda: agent.similar(repository, diff, definition, intent, at, max_tokens))

    @server.tool(structured_output=False)
    def next_edits(
        editing: str | None = None, repository: str = default, at: str | None = None, max_tokens: int = TOKENS
    ) -> str:
        """Definitions likely to be edited next after the uncommitted changes (or, with `at`, after that commit), with
        probabilities and reasons. `editing` (PATH::NAME) asks about one of these edits."""
        return answered(lambda: agent.next(repository, editing, at, max_tokens))

    @server.tool(structured_output=False)
    def how_was_this_changed_before(
        path: str, definition: str, repository: str = default, at: str | None = None, max_tokens: int = TOKENS
    ) -> str:
        """The history of one definition, newest change first, in short diffs. A method is written Class.method."""
        return answered(lambda: agent.history(repository, path, definition, at, max_tokens))

    return server
