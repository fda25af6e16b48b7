"""How fast a history is read and indexed, and how fast a large index answers."""

from __future__ import annotations

import dataclasses
import hashlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, percentile, processor
from codewm_lsp.history import CommitEdits, Edit, Repository
from codewm_lsp.index import Index, update
from codewm_lsp.world_model import WorldModel

MINED = 3_000  # commits
INDEX_SECONDS = 60.0
SEARCHES = 100


def mining(path: Path) -> tuple[list[Row], list[CommitEdits]]:
    """Reading a history: Git, parsing, tokenising what changed. And the commits read."""
    started = processor()
    with Repository.open(path) as repository:
        commits = list(repository.commits(limit=MINED))
    seconds = processor() - started
    files = {(edit.path, item.commit.sha) for item in commits for edit in item.edits}
    edits = sum(len(item.edits) for item in commits)
    note = f"{len(commits):,} commits, {len(files):,} changed files, {edits:,} edits; one core"
    return [
        Row("history read, changed files a second", len(files) / seconds, "/s", 600, most=False, note=note),
        Row("history read, edits a second", edits / seconds, "/s"),
    ], commits


def indexing(path: Path, model: WorldModel) -> list[Row]:
    """The whole of it: reading, embedding, storing; then one commit more."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "clone"
        _git(Path(folder), "clone", "--quiet", "--shared", str(path), str(clone))
        with (
            Repository.open(clone) as repository,
            Index.of(repository, model.hash, folder=Path(folder), edit_size=model.edit_size) as index,
        ):
            for seconds in (1.0, INDEX_SECONDS):
                begun, started = time.perf_counter(), time.process_time()
                done = update(repository, model, index.log, deadline=time.monotonic() + seconds)
                spent = time.process_time() - started
                note = f"{done.done:,} of {done.total:,} commits"
                if seconds == 1.0:
                    found.append(Row("edits ready after a second", done.added, "edits", note=note))
                else:
                    found.append(
                        Row(
                            "full index, edits a second",
                            done.added / spent,
                            "/s",
                            note=f"{note}, {spent:.0f} s ({time.perf_counter() - begun:.0f} s by the clock)",
                        )
                    )
            if done.done < done.total:
                return found
            file = max(
                clone.rglob("*.py"), key=lambda file: file.stat().st_size if file.stat().st_size < 200_000 else 0
            )
            times = []
            for number in range(5):
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(f"\n\ndef added_by_the_benchmark_{number}(value):\n    return value + {number}\n")
                _git(
                    clone, "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "--quiet", "-am", "One more"
                )
                started = processor()
                update(repository, model, index.log)
                times.append(processor() - started)
            found.append(Row("one new commit", statistics.median(times) * 1e3, "ms", 100, note="median of 5"))
    return found


def searching(commits: Sequence[CommitEdits], model: WorldModel, sizes: Sequence[int]) -> list[Row]:
    """Exact search in indexes of real edits; repeated under other commits and with noise where there are too few."""
    real = [item for item in commits if item.edits]
    edits = [edit for item in real for edit in item.edits][:4_000]
    vectors = model.embed_edits([(edit.before, edit.after) for edit in edits])
    found: list[Row] = []
    rng = np.random.default_rng(0)
    for size in sizes:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            with Index.open("benchmark", model.hash, folder=Path(folder), edit_size=model.edit_size) as index:
                while index.log.size() < size:
                    noisy = vectors + rng.normal(0, 0.01, vectors.shape).astype(np.float32)
                    noisy /= np.maximum(np.linalg.norm(noisy, axis=1, keepdims=True), 1e-6)
                    index.log.add(_batch(edits[: size - index.log.size()], noisy, index.log.size()))
                started = time.process_time()
                index.search(edits[0], vectors[0], k=10)
                first = time.process_time() - started
                times = []
                for at in rng.choice(len(edits), SEARCHES):
                    started = time.process_time()
                    index.search(edits[at], vectors[at], k=10)
                    times.append(time.process_time() - started)
            with Index.open("benchmark", model.hash, folder=Path(folder), edit_size=model.edit_size) as index:
                started = time.process_time()
                index.search(edits[0], vectors[0], k=10)
                opened = time.process_time() - started
        within = percentile(times, 0.95) * 1e3
        note = f"{SEARCHES} searches for 10; 95 % within {within:.1f} ms; the first {first * 1e3:.0f} ms"
        found.append(Row(f"search among {size:,} edits", statistics.median(times) * 1e3, "ms", note=note))
        found.append(Row(f"first search of a process, {size:,} edits", opened * 1e3, "ms"))
    return found


def _batch(edits: Sequence[Edit], vectors: np.ndarray, seed: int) -> list[tuple[CommitEdits, np.ndarray]]:
    batch = []
    for start in range(0, len(edits), 4):
        sha = hashlib.sha1(f"{seed} {start}".encode()).hexdigest()
        commit = edits[start].commit
        assert commit is not None
        commit = dataclasses.replace(commit, sha=sha)
        some = tuple(dataclasses.replace(edit, commit=commit) for edit in edits[start : start + 4])
        batch.append((CommitEdits(commit, some, None), vectors[start : start + len(some)]))
    return batch


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
