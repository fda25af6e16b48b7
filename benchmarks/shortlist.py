"""``python -m benchmarks.shortlist REPOSITORY...``: what a very large repository would lose by its shortlist of files.

Edits of the newest commits are asked about at the state before these, once with every signal of every definition and
once with those of the ``shortlist`` alone, as in repositories of more than ``MOST_DEFINITIONS`` definitions.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking.co_change import Changes
from codewm_lsp.ranking.corpus import Corpus, Vocabulary, parse_file
from codewm_lsp.ranking.ranker import log_odds, shortlisted_odds
from codewm_lsp.ranking.ranker_file import shipped_ranker
from codewm_lsp.ranking.state import State
from codewm_lsp.ranking.values import signals_of

HEADS: Final = (1, 10, 30)
COLUMNS: Final = ("repository", "definitions", "files", "edits", *(f"of the first {k}" for k in HEADS), "looked at")


def state_before(path: Path, asked: int, past: int) -> tuple[State, list[Edit]]:
    """The state before the newest ``asked`` commits, and an edit of each of these that has any."""
    chance = random.Random(1)
    vocabulary = Vocabulary()
    with Repository.open(path) as repository:
        base = repository.head(f"HEAD~{asked}")
        files = repository.files(base)
        texts = repository.read_all(list(files.values()))
        read = {path: text for path, blob in files.items() if (text := texts[blob]) is not None}
        before = frozenset(repository.ancestors(base))
        newest = [one.edits for one in repository.commits(limit=asked) if one.edits and one.commit.sha not in before]
        known = [one.edits for one in repository.commits(base, limit=past) if one.edits]
    edits = [chance.choice(some) for some in newest]
    names: dict[tuple[str, str], int] = {}
    events = [
        (age, names.setdefault((edit.path, edit.definition), len(names)))
        for age, some in enumerate(known)
        for edit in some
    ]
    ages, rows = np.array(events, dtype=np.int64).T
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in read.items()}, vocabulary)
    corpus.sort()
    return State.of(corpus, Changes(list(names), ages, rows)), edits


def measured(path: Path, asked: int, past: int) -> tuple[str, ...]:
    """A row of the table, without the times."""
    state, edits = state_before(path, asked, past)
    ranker = shipped_ranker()
    same, looked, seconds = dict.fromkeys(HEADS, 0), 0, [0.0, 0.0]
    for edit in edits:
        began = time.process_time()
        everything = log_odds(state, edit, signals_of(state, edit), ranker)
        between = time.process_time()
        some = shortlisted_odds(state, edit, signals_of(state, edit), ranker)
        seconds = [seconds[0] + between - began, seconds[1] + time.process_time() - between]
        looked += int(np.count_nonzero(some > some.min()))
        for k in HEADS:
            heads = [set(np.argsort(-odds, kind="stable")[:k].tolist()) for odds in (everything, some)]
            same[k] += len(heads[0] & heads[1])
    count = len(edits)
    return (
        path.parent.name if path.name == "repo" else path.name,
        f"{len(state.corpus):,}",
        f"{len(state.corpus.paths):,}",
        str(count),
        *(f"{same[k] / (k * count):.1%}" for k in HEADS),
        f"{looked / count:,.0f}",
        *(f"{1000 * total / count:.0f} ms" for total in seconds),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one Markdown table: times are those of the processor, for all definitions and for the shortlist."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortlist", description=main.__doc__)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument(
        "--commits", type=int, default=60, help="newest commits, of each of which an edit is asked about"
    )
    parser.add_argument("--past", type=int, default=300, help="commits before these that are the past")
    options = parser.parse_args(arguments)
    columns = (*COLUMNS, "all", "shortlist")
    print("\n".join([f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]))
    for path in options.repositories:
        print(f"| {' | '.join(measured(path, options.commits, options.past))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
