"""How long a commit waits for ``codewm forgotten`` (``python -m benchmarks.before_commit CLONE...``).

The newest commit of 2 to 20 files is staged in a clone of each; the command is started anew for each question, as Git's
hook starts it: where the repository has an index, and where it has none.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from codewm_lsp.history import Repository
from codewm_lsp.index import Index
from codewm_lsp.index.file_history import file_history

COMMAND = (sys.executable, "-c", "from codewm_lsp.cli import main; main()", "forgotten", "--staged", "--json")


def staged(clone: Path, folder: Path) -> Repository:
    """A clone in which what one of the newest commits changed is staged."""

    def git(*arguments: str) -> str:
        return subprocess.run(("git", "-C", folder, *arguments), capture_output=True, text=True, check=True).stdout

    subprocess.run(("git", "clone", "--quiet", "--shared", "--no-checkout", clone, folder), check=True)
    with Repository.open(folder) as repository:
        newest = repository.changed_files(limit=200)
    chosen = next(one.sha for one in newest if 1 < len(one.files) <= 20)
    git("checkout", "--quiet", "--detach", chosen)
    git("reset", "--quiet", "--soft", f"{chosen}^")
    return Repository.open(folder)


def asked(folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds on the clock, and of the processor, with all that is started."""
    began, before = time.perf_counter(), os.times()
    environment = os.environ | {"CODEWM_CACHE": str(cache)}
    subprocess.run(COMMAND, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - began, spent


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and print medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before_commit", description=__doc__)
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    options = parser.parse_args(arguments)
    for clone in options.clones:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            work, bare, known = Path(scratch, "work"), Path(scratch, "bare"), Path(scratch, "known")
            with staged(clone, work) as repository:
                Index.of(repository, "benchmark", folder=known, edit_size=1).close()
                commits = len(file_history(repository, repository.head(), known))
            print(f"{clone}: {commits:,} commits, load {os.getloadavg()[0]:.0f}")
            for name, cache in (("with an index", known), ("without", bare)):
                took = [asked(work, cache) for _ in range(options.runs)]
                wall, spent = (statistics.median(values) for values in zip(*took, strict=True))
                print(f"  {name}: {wall:.2f} s, {spent:.2f} s of the processor (medians of {options.runs})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
