"""How fast a history is indexed: ``python -m benchmarks.index_speed REPOSITORY... --against CHECKOUT``.

The newest commits of each repository are read, embedded and stored in a new index, by a process for each round and each
checkout, in turn. Of the rounds the least counts. Times are those of the processor, Git's included. Whether both
indexes hold the same edits and vectors to the last bit is said, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of a round. ``digest``: of all that is stored."""

    edits: int
    seconds: float
    digest: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table with a row for each repository."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_speed", description=__doc__)
    parser.add_argument("repositories", type=Path, nargs="+")
    parser.add_argument("--against", type=Path, metavar="DIR", help="a checkout of another version")
    parser.add_argument("--limit", type=int, default=1_000, metavar="N", help="newest commits of each")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.once:
        print(json.dumps(asdict(once(options.repositories[0], options.limit))))
        return 0
    sources = [source.resolve() for source in (options.against, ROOT) if source]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(
        "| repository | commits | edits | before, an edit | now, an edit | now, edits a second | times as fast | same |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for path in options.repositories:
        found = [[_elsewhere(source, path, options.limit) for source in sources] for _ in range(options.rounds)]
        least = [min(one[at].seconds for one in found) for at in range(len(sources))]
        last = found[-1]
        each = [1e3 * seconds / one.edits for seconds, one in zip(least, last, strict=True)]
        name = path.resolve().parent.name if path.name == "repo" else path.name
        before, gain = (f"{each[0]:.2f} ms", f"{each[0] / each[-1]:.2f}") if options.against else ("", "")
        same = "" if not options.against else "yes" if last[0].digest == last[-1].digest else "no"
        print(
            f"| {name} | {options.limit:,} | {last[-1].edits:,} | {before} | {each[-1]:.2f} ms "
            f"| {1e3 / each[-1]:,.0f} | {gain} | {same} |",
            flush=True,
        )
    return 0


def _elsewhere(source: Path, repository: Path, limit: int) -> Indexed:
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        str(repository.resolve()),
        "--limit",
        str(limit),
        "--once",
    ]
    paths = [str(source), *filter(None, [os.environ.get("PYTHONPATH")])]  # 0.1.0 needs GitPython
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Indexed(**json.loads(done.stdout.splitlines()[-1]))


def once(path: Path, limit: int) -> Indexed:
    """Index in this process."""
    from codewm_lsp.history import Repository
    from codewm_lsp.index import Index, update
    from codewm_lsp.world_model import WorldModel

    with suppress(ImportError):  # there is none in 0.1.0; every program calls it
        from codewm_lsp.garbage import collect_seldom

        collect_seldom()
    model = WorldModel.load()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Repository.open(path) as repository,
        Index.open("benchmark", model.hash, folder=Path(folder), edit_size=model.edit_size) as index,
    ):
        log: Any = getattr(index, "log", index)  # one and the same in 0.1.0
        started = sum(os.times()[:4])
        done = update(repository, model, log, limit=limit)
        seconds = sum(os.times()[:4]) - started
        digest = hashlib.sha256()
        for entry in log.entries():
            digest.update(repr((entry.commit.sha, entry.edits)).encode("utf-8", "surrogatepass"))
            for array in (entry.vectors, entry.scales, entry.lengths, entry.terms, entry.counts):
                digest.update(array.tobytes())
    return Indexed(done.added, seconds, digest.hexdigest())


if __name__ == "__main__":
    sys.exit(main())
