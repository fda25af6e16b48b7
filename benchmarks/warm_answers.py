"""What an answer in the terminal costs once the history is indexed (``python -m benchmarks.warm_answers CLONE...``).

The files of the newest commit that edits at most five Python files (``--edits``: and makes that many edits or more) are
changed, uncommitted, in a clone of each. Every command is
started anew for each question, after one that is not counted. ``--python``: that of another environment, to compare
with another version; it has an index of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from codewm_lsp.display import counted
from codewm_lsp.history import Repository

COMMANDS: Final = (("hints",), ("next",), ("similar",), ("search", "fix the default value"), ("forgotten",))
MOST_FILES: Final = 5


def edited(clone: Path, folder: Path, fewest: int) -> int:
    """A clone in whose working tree is what one of the newest commits of that many edits changed; how many it made."""

    def git(*arguments: str) -> None:
        subprocess.run(("git", "-C", folder, *arguments), check=True)

    subprocess.run(("git", "clone", "--quiet", "--shared", "--no-checkout", clone, folder), check=True)
    with Repository.open(folder) as repository:
        chosen = next(
            one
            for one in repository.commits()
            if len(one.edits) >= fewest and len({edit.path for edit in one.edits}) <= MOST_FILES
        )
    git("checkout", "--quiet", "--detach", chosen.commit.sha)
    git("reset", "--quiet", f"{chosen.commit.sha}^")
    return len(chosen.edits)


def spent(python: str, folder: Path, cache: Path, *arguments: str) -> float:
    """Seconds of the processor that a command takes, with all that it starts."""
    before = os.times()
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        (python, "-c", "from codewm_lsp.cli import main; main()", *arguments),
        cwd=folder,
        env=environment | {"CODEWM_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and print medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_answers", description=__doc__)
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--edits", type=int, default=1, metavar="N", help="edits of the commit, or more")
    parser.add_argument("--python", nargs="*", default=[sys.executable], metavar="PROGRAM")
    options = parser.parse_args(arguments)
    for clone in options.clones:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            work = Path(scratch, "work")
            edits = edited(clone, work, options.edits)
            caches = [Path(scratch, f"cache{number}") for number in range(len(options.python))]
            for python, cache in zip(options.python, caches, strict=True):
                spent(python, work, cache, "index")
            print(f"{clone}: {counted(edits, 'edit')}, load {os.getloadavg()[0]:.0f}")
            for command in COMMANDS:
                took: list[list[float]] = [[] for _ in caches]
                for turn in range(options.runs + 1):  # by turns: what else the machine does is the same for all
                    for own, python, cache in zip(took, options.python, caches, strict=True):
                        seconds = spent(python, work, cache, *command, "--json")
                        if turn:
                            own.append(seconds)
                said = " → ".join(f"{statistics.median(own):.2f}" for own in took)
                print(f"  {command[0]}: {said} s of the processor (medians of {options.runs})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
