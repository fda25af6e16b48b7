"""An indexer killed at any moment of its life, from its first instruction on: the next one finds all in order."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from codewm_lsp.history import Repository
from codewm_lsp.index import Index
from tests.index.indexing_process import open_index

SCRIPT = Path(__file__).parents[1] / "index" / "indexing_process.py"
KILLS = 4
THOROUGH = 200
COMMITS = 90


def write_history(builder: Any) -> None:
    """Commits by ``git fast-import``, each changing one function of one of three files."""
    texts: dict[int, list[str]] = {file: [f"def f{n}(x):\n    return x\n" for n in range(4)] for file in range(3)}
    lines = []
    for number in range(COMMITS):
        file = number % 3
        texts[file][number % 4] = f"def f{number % 4}(x, option_{number}=None):\n    return x.word_{number}()\n"
        text = "\n".join(texts[file])
        lines.append(
            f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_700_000_000 + number} +0000\n"
            f"data <<EOT\nChange {number}\nEOT\nM 100644 inline file_{file}.py\ndata {len(text)}\n{text}\n"
        )
    builder.git("fast-import", "--quiet", stdin="".join(lines).encode())


def contents(index: Index) -> Counter[tuple[str, str, str]]:
    return Counter(
        (entry.commit.sha, path, definition) for entry in index.log.entries() for path, definition, *_ in entry.edits
    )


def test_no_moment_loses_or_doubles_an_edit(
    make_repository: Callable[..., Any], tmp_path: Path, thorough: bool
) -> None:
    builder = make_repository()
    write_history(builder)
    cache = tmp_path / "cache"
    command = [sys.executable, str(SCRIPT), str(builder.path), str(cache)]
    chance = random.Random(9)
    kills = finished = 0
    with Repository.open(builder.path) as repository:
        expected = Counter(
            (item.commit.sha, edit.path, edit.definition) for item in repository.commits() for edit in item.edits
        )
        started = time.monotonic()
        subprocess.run(command, capture_output=True, check=True)
        longest = time.monotonic() - started
        shutil.rmtree(cache)
        size = 0
        while kills < (THOROUGH if thorough else KILLS):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(chance.uniform(0, longest))
            process.kill()
            _, complaint = process.communicate()
            kills += process.returncode < 0
            finished += process.returncode == 0
            assert process.returncode <= 0, complaint.decode("utf-8", "replace")
            with open_index(repository, cache) as index:
                found = contents(index)
                assert index.notices == []
                assert found <= expected
                assert max(found.values(), default=1) == 1
                assert len({commit for commit, _, _ in found}) == len(index.log.known() & {key[0] for key in found})
                assert index.log.size() >= size
                path = index.path
            assert path is not None
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            size = found.total()
            if thorough and kills % 10 == 0:
                print(f"{kills} kills, {finished} runs that were quicker", flush=True)
            if found == expected:  # from the beginning
                shutil.rmtree(cache)
                size = 0
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.split()[-1] == "complete"
        with open_index(repository, cache) as index:
            assert contents(index) == expected
    print(f"{kills} kills within the first {longest:.1f} s, {finished} runs that were quicker")
