"""How long the answers of ``codewm mcp`` are, and take to make (``python -m benchmarks.agent_answers REPOSITORY...``).

Of the newest commits, each asks by the subject and by its first edit, as of its parent, at the default budget.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from codewm_lsp.cli.agent_answers import CHARACTERS, TOKENS, Agent
from codewm_lsp.errors import CodewmError
from codewm_lsp.history import Repository


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and print the median and the longest answer of each tool, in tokens and in milliseconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agent_answers", description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path, metavar="REPOSITORY")
    parser.add_argument("--commits", type=int, default=10, metavar="N")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    agent = Agent(None, options.cache)
    sizes: dict[str, list[float]] = {}
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
            }.items():
                started = time.perf_counter()
                try:
                    sizes.setdefault(tool, []).append(len(ask()) / CHARACTERS)
                    times.setdefault(tool, []).append(1000 * (time.perf_counter() - started))
                except CodewmError:
                    failed += 1
    for tool, found in sizes.items():
        took = times[tool]
        print(
            f"{tool}: {len(found)} answers, median {statistics.median(found):.0f} tokens, longest {max(found):.0f}; "
            f"median {statistics.median(took):.0f} ms, longest {max(took):.0f}"
        )
    print(f"nothing to answer: {failed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
