"""``python -m benchmarks.same_question CLONE…``: whether a past edit has the answers that it had while it was typed.

Of each clone's newest commits one edit each, drawn by a seed, is asked about twice: as ``codewm next --at REVISION
--editing PATH::DEFINITION``, and made in a working tree whose HEAD is the commit's parent. Both are answered by the
product's own code; the scores of the five likeliest places are compared.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from codewm_lsp.cli.asking import Question, ask
from codewm_lsp.cli.opened import Opened, open_all, predictions
from codewm_lsp.errors import OptionError
from codewm_lsp.history import CommitEdits, Repository
from codewm_lsp.index import update
from codewm_lsp.ranking.values import MOST_EDITS

PLACES: Final = 5
CLOSE: Final = 0.005  # by how much a score may differ
INDEXED: Final = 300  # commits of the past that are indexed


def main(arguments: list[str] | None = None) -> int:
    """0 where all are equal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_question", description=__doc__)
    parser.add_argument("clones", type=Path, nargs="+")
    parser.add_argument("--commits", type=int, default=8, help="of each clone")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    equal = total = 0
    for clone in options.clones:
        for said in differences(clone, options.commits, options.seed):
            total += 1
            equal += said[1] <= CLOSE
            print(f"{clone.parent.name if clone.name == 'repo' else clone.name}\t{said[0]}\t{said[1]:.4f}", flush=True)
    print(f"{equal} of {total} have equal answers (within {CLOSE}, {PLACES} places)")
    return int(equal < total)


def differences(clone: Path, commits: int, seed: int) -> Iterator[tuple[str, float]]:
    """Each edit asked about, and by how much the answers differ at most."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git(Path(folder), "clone", "--quiet", "--shared", "--no-checkout", str(clone), str(tree))
        with Repository.open(tree) as repository:
            chosen = list(islice((one for one in repository.commits() if _fit(one)), commits))
        for one in chosen:
            assert one.commit.parent is not None
            edit = random.Random(f"{seed} {one.commit.sha}").choice(one.edits)
            _git(tree, "checkout", "--quiet", "--force", "--detach", one.commit.parent)
            _git(tree, "clean", "--quiet", "--force", "-d")
            name = f"{one.commit.sha[:10]} {edit.path}::{edit.definition}"
            editing = f"{edit.path}::{edit.definition}"
            with open_all(tree, None, Path(folder) / "cache") as opened:
                update(opened.repository, opened.model, opened.index.log, rev=one.commit.parent, limit=INDEXED)
                question = ask(opened.repository, opened.stand_in, at=one.commit.sha, editing=editing)
                replayed = _answers(opened, question)
                for path, text in question.texts.items():
                    file = tree / path
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(text or "", encoding="utf-8", newline="\n")
                try:
                    live = _answers(
                        opened,
                        ask(opened.repository, opened.stand_in, editing=f"{question.edits[0].path}::{edit.definition}"),
                    )
                except OptionError:  # it cannot be made by itself
                    live = {}
            places = sorted(replayed, key=lambda place: -replayed[place])[:PLACES]
            places += sorted(live, key=lambda place: -live[place])[:PLACES]
            yield name, max((abs(replayed.get(place, 0) - live.get(place, 0)) for place in places), default=1.0)


def _fit(one: CommitEdits) -> bool:
    return one.skipped is None and 2 <= len(one.edits) <= 20 and one.commit.parent is not None


def _answers(opened: Opened, question: Question) -> dict[tuple[str, str], float]:
    found = predictions(opened, question, 4 * MOST_EDITS)
    return {(one.path, one.definition): one.score for one in found}


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
