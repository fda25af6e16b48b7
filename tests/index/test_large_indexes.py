"""Segments with sketches, bounds and files answer exactly like a look at every edit, and can go missing at any time."""

from __future__ import annotations

import hashlib
import mmap
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codewm_lsp import allocator
from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.index import Blend, Dismissal, Index, Scope
from codewm_lsp.index import arrays as index_arrays
from codewm_lsp.index import index as index_module
from codewm_lsp.index import matrix as index_matrix
from codewm_lsp.index import search as index_search
from codewm_lsp.index import sketch as index_sketch
from codewm_lsp.index.matrix import Matrix, quantise
from codewm_lsp.index.writing import LoggedCommit
from codewm_lsp.source import VOCABULARY_HASH, DefinitionKind

SIZE = 160
STAGES = (40, 90, 130)  # of a sketch, which leaves some of it out
WORDS = [f"word{number}" for number in range(60)]


def few(patch: pytest.MonkeyPatch) -> None:
    """What is done to many edits at once, done to few."""
    patch.setattr(index_search, "FEW", 3)
    patch.setattr(index_search, "GROUP", 4)
    patch.setattr(index_search, "_PROMISING", 5)
    patch.setattr(index_search, "_PIECE", 16)
    patch.setattr(index_sketch, "STAGES", STAGES)
    patch.setattr(index_sketch, "WIDTH", STAGES[-1])


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of dozens of edits rather than thousands, so that many are made and joined, some without a sketch."""
    monkeypatch.setattr(index_arrays, "SEAL", 40)
    monkeypatch.setattr(index_arrays, "MERGE", 2)
    monkeypatch.setattr(index_arrays, "LARGE", 100)
    few(monkeypatch)


@cache
def some_commits(
    seed: int, count: int, *, near: float = 0.3, first: int = 0
) -> list[tuple[CommitEdits, NDArray[np.float32]]]:
    """Commits of up to five edits; vectors in clusters, words and places of very different frequency."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((12, SIZE)) * np.linspace(2, 0.05, SIZE)
    found = []
    for number in range(first, first + count):
        sha = hashlib.sha1(f"{seed} {number}".encode()).hexdigest()
        commit = Commit(sha, "Ada", 1_700_000_000 + number // 3, f"Change {number}", None)
        edits, vectors = [], []
        for _ in range(int(random.integers(0, 6))):
            words = random.choice(WORDS, size=random.integers(0, 9), p=FREQUENCIES)
            removed = random.choice(WORDS, size=random.integers(0, 3), p=FREQUENCIES)
            place = int(random.zipf(1.6)) % 40
            edits.append(
                Edit(
                    path=f"package_{place % 3}/file_{place}.py",
                    definition=f"Class{place % 5}.method_{int(random.integers(4))}",
                    definition_kind=DefinitionKind.FUNCTION,
                    kind=EditKind.MODIFIED,
                    before=" ".join(removed),
                    after=" ".join(words),
                    line=3,
                    previous_path=None,
                    commit=commit,
                )
            )
            vector = centres[random.integers(12)] + near * random.standard_normal(SIZE)
            vectors.append(np.zeros(SIZE) if random.random() < 0.02 else vector / np.linalg.norm(vector))
        renames: tuple[tuple[str, str], ...] = ()
        if random.random() < 0.03:
            one, two = random.integers(40, size=2)
            renames = ((f"package_{one % 3}/file_{one}.py", f"package_{two % 3}/file_{two}.py"),)
        matrix = np.array(vectors, dtype=np.float32).reshape(-1, SIZE)
        found.append((CommitEdits(commit, tuple(edits), None, renames), matrix))
    return found


FREQUENCIES = 1 / np.arange(1, len(WORDS) + 1)
FREQUENCIES /= FREQUENCIES.sum()


def opened(folder: Path, blend: Blend | None = None) -> Index:
    return Index.open("large", "a model", folder=folder, edit_size=SIZE, blend=blend)


def added(index: Index, commits: list[tuple[CommitEdits, NDArray[np.float32]]], batch: int) -> None:
    for begin in range(0, len(commits), batch):
        index.log.add(commits[begin : begin + batch])


def question(commits: list[tuple[CommitEdits, NDArray[np.float32]]], at: int) -> tuple[Edit, NDArray[np.float32]]:
    pairs = [(edit, vector) for item, vectors in commits for edit, vector in zip(item.edits, vectors, strict=True)]
    return pairs[at % len(pairs)]


def segments_of(index: Index) -> list[Path]:
    assert index.path is not None
    return sorted(index.path.parent.glob("*.segment"))


def renamed(
    commits: list[tuple[CommitEdits, NDArray[np.float32]]], within: frozenset[str] | None
) -> dict[int, tuple[str, str]]:
    """By id the edits of the commits in range, each with its definition under the newest path of its file."""
    found: dict[int, tuple[str, str]] = {}
    newest: dict[str, str] = {}
    ends = np.cumsum([len(item.edits) for item, _ in commits])
    order = sorted(range(len(commits)), key=lambda row: (-commits[row][0].commit.date, row))
    for row in order:
        item = commits[row][0]
        if within is not None and item.commit.sha not in within:
            continue
        for number, edit in enumerate(item.edits, int(ends[row]) - len(item.edits) + 1):
            found[number] = (newest.get(edit.path, edit.path), edit.definition)
        for old, new in item.renames:
            newest[old] = newest.get(new, new)
    return found


CONSIDERED = 20  # past edits whose likeness is asked for, of more that are found
SHAPES = (  # commits, how near to each other their vectors are, and whether their segments have sketches
    (30, 0.3, True),
    (120, 0.02, True),
    (200, 0.3, True),
    (200, 2.0, True),
    (120, 0.02, False),
    (200, 0.3, False),
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[int, float, bool], Index]]:
    """Indexes in many small parts, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_arrays, "SEAL", 40)
        patch.setattr(index_arrays, "MERGE", 0.3)
        few(patch)
        patch.setattr(index_module, "CONSIDERED", CONSIDERED)
        indexes = {shape: opened(tmp_path_factory.mktemp("large")) for shape in SHAPES}
        for (count, near, sketched), index in indexes.items():
            patch.setattr(index_arrays, "LARGE", 0 if sketched else 1_000)
            added(index, some_commits(count, count, near=near), 30)
        yield indexes
        for index in indexes.values():
            index.close()


@settings(
    max_examples=60,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    shape=st.sampled_from(SHAPES),
    at=st.integers(0, 10_000),
    k=st.sampled_from([1, 3, 10, 50]),
    blend=st.sampled_from([Blend(), Blend(1.0, 0, 0, 0), Blend(0.0, 0.4, 0.4, 0.2), Blend(0.2, 0.0, 0.0, 0.8)]),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.97, 1.0]),
    exclude=st.booleans(),
    dismissed=st.sampled_from([None, None, Scope.EDIT, Scope.LIKE, Scope.COMMIT]),
)
def test_the_best_are_those_of_a_look_at_every_edit(
    large: dict[tuple[int, float, bool], Index],
    shape: tuple[int, float, bool],
    at: int,
    k: int,
    blend: Blend,
    share: float,
    exclude: bool,
    dismissed: Scope | None,
) -> None:
    index = large[shape]
    index.blend = blend
    commits = some_commits(shape[0], shape[0], near=shape[1])
    assert index.log.size() < 100 or len(segments_of(index)) >= 2
    random = np.random.default_rng(at)
    within = None
    if share < 1:
        within = frozenset(item.commit.sha for item, _ in commits if random.random() < share)
    hidden = None
    if dismissed is not None:
        gone, _ = question(commits, at % 50)
        assert gone.commit is not None
        place = () if dismissed is Scope.COMMIT else (gone.path, gone.definition)
        hidden = Dismissal(dismissed, gone.commit.sha, *place)
        index.dismissals.add(hidden)
    try:
        edit, vector = question(commits, at)
        own = (edit.path, edit.definition) if exclude else None
        everything = index.search(edit, vector, k=0, within=within, exclude_definition=own)
        blended = index.scores(edit, vector, within=within).blended(blend)
        found = [hit.score for hit in everything]
        assert found == sorted(found, reverse=True)
        by_blend = np.array([blended[hit.edit.row] for hit in everything])
        assert (np.diff(by_blend[CONSIDERED:]) <= 1e-5).all()
        assert by_blend[:CONSIDERED].min(initial=np.inf) >= by_blend[CONSIDERED:].max(initial=-np.inf) - 1e-5
        allowed = set(renamed(commits, within))
        if own is not None:
            allowed -= {row for row, place in renamed(commits, within).items() if place == own}
        if hidden is None:
            assert {hit.edit.id for hit in everything} == allowed
        else:
            assert {hit.edit.id for hit in everything} <= allowed
        assert index.search(edit, vector, k=k, within=within, exclude_definition=own) == everything[:k]
        (near_all,) = index.nearest(vector[None], k=0, within=within)
        assert index.nearest(np.stack([vector, vector]), k=k, within=within) == [near_all[:k]] * 2
        assert index.nearest(vector[None], k=k, within=within) == [near_all[:k]]
    finally:
        if hidden is not None:
            index.dismissals.remove(hidden)


def test_segments_are_shared_joined_and_few(small_segments: None, tmp_path: Path) -> None:
    commits = some_commits(1, 250)
    with opened(tmp_path) as writer, opened(tmp_path) as reader:
        sizes = []
        for begin in range(0, len(commits), 25):
            writer.log.add(commits[begin : begin + 25])
            sizes.append(reader.log.size())
            edit, vector = question(commits, begin)
            assert reader.search(edit, vector, k=5) == writer.search(edit, vector, k=5)
        assert sizes == sorted(sizes)
        assert sizes[-1] == sum(len(item.edits) for item, _ in commits)
        assert 1 <= len(segments_of(writer)) <= 6
        assert writer.notices == reader.notices == []
    with opened(tmp_path) as later:
        answer = later.search(edit, vector, k=5)
        assert answer == later.search(edit, vector, k=0)[:5]
        assert len(later.log.known()) == len(commits)


@pytest.mark.parametrize("harm", ["missing", "truncated", "overwritten at its start", "of another index", "emptied"])
def test_a_segment_that_cannot_be_used_is_made_again_without_a_word(
    harm: str, small_segments: None, tmp_path: Path
) -> None:
    commits = some_commits(2, 150)
    with opened(tmp_path / "one") as index:
        added(index, commits, 20)
        edit, vector = question(commits, 5)
        before = index.search(edit, vector, k=7)
        (first, *_) = segments_of(index)
        place = index.path
    assert place is not None
    if harm == "missing":
        first.unlink()
    elif harm == "of another index":
        with opened(tmp_path / "two") as other:
            added(other, some_commits(3, 150), 20)
            (foreign, *_) = segments_of(other)
        first.write_bytes(foreign.read_bytes())
    else:
        data = first.read_bytes()
        kept = {"truncated": data[: len(data) // 2], "emptied": b"", "overwritten at its start": b"x" * 64 + data[64:]}
        first.write_bytes(kept[harm])
    with opened(tmp_path / "one") as index:
        assert index.search(edit, vector, k=7) == before
        index.log.add(some_commits(2, 1, first=150))
        assert index.search(edit, vector, k=7, within={item.commit.sha for item, _ in commits}) == pytest.approx(before)
        assert index.notices == []
        assert segments_of(index)
    with opened(tmp_path / "one") as index:
        assert index.search(edit, vector, k=7, within={item.commit.sha for item, _ in commits})[0] == before[0]


def held(path: Path) -> int:
    """Kilobytes of a file that are mapped into this process and counted as its memory."""
    maps = Path("/proc/self/smaps").read_text().split("VmFlags")
    of_file = [one for one in maps if f"{path}\n" in one]
    assert of_file, "it is not mapped"
    return sum(int(line.split()[1]) for one in of_file for line in one.split("\n") if line.startswith("Rss:"))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is mapped")
def test_what_was_read_of_the_files_is_let_go_of_and_found_again(
    small_segments: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_arrays, "LARGE", 1_000_000)
    commits = some_commits(5, 200)
    with opened(tmp_path) as index:
        added(index, commits, 30)
        edit, vector = question(commits, 17)
        before = index.search(edit, vector, k=20)
        vectors = next(tmp_path.rglob("*.vectors"))
        assert held(vectors) > 0
        index.let_go()
        assert not any(held(file) for file in (vectors, *segments_of(index)))
        assert index.search(edit, vector, k=20) == before
        assert held(vectors) > 0


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is mapped")
def test_a_large_index_lets_go_after_each_answer(small_segments: None, tmp_path: Path) -> None:
    commits = some_commits(5, 200)
    with opened(tmp_path) as index:
        added(index, commits, 30)
        edit, vector = question(commits, 17)
        assert index.search(edit, vector, k=20)
        assert not any(held(file) for file in (next(tmp_path.rglob("*.vectors")), *segments_of(index)))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is mapped")
def test_a_huge_index_holds_its_sketches_until_there_is_nothing_to_be_answered_for_a_while(
    small_segments: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_arrays, "HUGE", 100)
    monkeypatch.setattr(allocator, "_AROUND", mmap.PAGESIZE)
    commits = some_commits(5, 1_000)
    with opened(tmp_path) as index:
        added(index, commits, 500)
        edit, vector = question(commits, 17)
        before = index.search(edit, vector, k=20)
        vectors, files = next(tmp_path.rglob("*.vectors")), segments_of(index)
        read = sum(held(file) for file in files)
        assert read > 0
        assert index.log.is_huge
        index.let_go(for_long=False)
        assert sum(held(file) for file in files) == read
        assert index.search(edit, vector, k=20) == before
        assert not held(vectors)
        index.let_go()
        assert not any(held(file) for file in files)
        assert index.search(edit, vector, k=20) == before


@pytest.mark.parametrize("stages", [(40,), (40, 90), (100, 160)])
def test_sketches_of_an_earlier_version_are_searched_as_they_are_or_made_again(
    stages: tuple[int, ...], small_segments: None, tmp_path: Path
) -> None:
    commits = some_commits(6, 300)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(index_sketch, "STAGES", stages)
        earlier.setattr(index_sketch, "WIDTH", stages[-1])
        with opened(tmp_path) as index:
            added(index, commits, 30)
    files = {file: file.read_bytes() for file in segments_of(index)}
    with opened(tmp_path) as index:
        for at in range(0, 300, 20):
            edit, vector = question(commits, at)
            assert index.search(edit, vector, k=5) == index.search(edit, vector, k=0)[:5]
        assert index.notices == []
        assert {file: file.read_bytes() for file in segments_of(index)} == files
        index.log.add(some_commits(6, 20, first=300))
        assert index.search(edit, vector, k=5) == index.search(edit, vector, k=0)[:5]
    if stages != STAGES[: len(stages)]:
        assert not any(file.exists() and file.read_bytes() == data for file, data in files.items())


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is mapped")
def test_rows_that_are_looked_at_here_and_there_are_not_mapped(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    matrix = Matrix(tmp_path / "rows", 160, "A")
    matrix.write(0, *quantise(rng.normal(size=(20_000, 160)).astype(np.float32)))
    matrix.map(20_000)
    rows = np.arange(0, 20_000, 100)
    assert not held(tmp_path / "rows")
    found = matrix.floats(rows)
    assert matrix.at(rows, found[7]).argmax() == 7
    assert not held(tmp_path / "rows")
    np.testing.assert_array_equal(found, matrix.floats(slice(None))[rows])
    assert held(tmp_path / "rows") > 0


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="this system does not say what is mapped")
def test_a_sketch_is_made_without_leaving_the_vectors_mapped(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    matrix = Matrix(file, 160, "A")
    matrix.write(0, *quantise(np.random.default_rng(5).normal(size=(60_000, 160)).astype(np.float32)))
    matrix.map(60_000)
    sketch = index_sketch.Sketch.of(matrix, range(60_000))
    assert sketch.is_of(60_000)
    assert held(file) << 10 < file.stat().st_size // 2


def test_many_rows_at_once_have_the_products_of_each_and_leave_nothing_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    matrix = Matrix(tmp_path / "rows", 160, "A")
    matrix.write(0, *quantise(rng.normal(size=(20_000, 160)).astype(np.float32)))
    matrix.map(20_000)
    query = rng.normal(size=160).astype(np.float32)
    rows = rng.integers(0, 20_000, 9_000)
    rows[rows // 5_000 == 2] = 10_001  # in one part of the file few, and one of them again and again
    monkeypatch.setattr(index_matrix, "_WINDOW", 1_000)
    found = matrix.at(rows, query)
    if Path("/proc/self/smaps").exists():
        assert not held(tmp_path / "rows")
    one_by_one = np.concatenate([matrix.at(rows[at : at + 1], query) for at in range(0, 9_000, 7)])
    np.testing.assert_array_equal(found[::7], one_by_one)


def test_where_very_many_edits_are_left_all_are_looked_at_one_after_the_other(
    small_segments: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[range] = []

    def looked_at(matrix: Matrix, rows: range) -> Iterator[range]:
        windows.extend([rows])
        return all_windows(matrix, rows)

    all_windows = Matrix.windows
    monkeypatch.setattr(index_matrix, "_WINDOW", 50)
    monkeypatch.setattr(Matrix, "windows", looked_at)
    commits = some_commits(6, 400, near=0.3)
    with opened(tmp_path) as index:
        added(index, commits, 30)
        for at in range(0, 400, 40):
            edit, vector = question(commits, at)
            everything = index.search(edit, vector, k=0)
            assert index.search(edit, vector, k=200) == everything[:200]
            (near,) = index.nearest(vector[None], k=200)
            assert near == index.nearest(vector[None], k=0)[0][:200]
    assert windows


@pytest.mark.parametrize("harm", ["missing", "truncated", "foreign", "a row moved", "a bit flipped"])
def test_vectors_that_are_broken_are_set_aside_with_their_index(
    harm: str, small_segments: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    commits = some_commits(4, 120)
    with opened(tmp_path) as index:
        added(index, commits, 20)
        path, size = index.path, index.log.size()
    assert path is not None
    (vectors,) = tmp_path.rglob("*.vectors")
    data = bytearray(vectors.read_bytes())
    row = (len(data) - 64) // size
    if harm == "missing":
        vectors.unlink()
    elif harm == "truncated":
        vectors.write_bytes(data[: len(data) // 2])
    elif harm == "foreign":
        vectors.write_bytes(b"a recipe for soup " * 10_000)
    elif harm == "a row moved":
        vectors.write_bytes(data[: 64 + row] + data[64 : len(data) - row])
    else:
        for at in range(64, len(data), row):
            data[at] ^= 4
        vectors.write_bytes(data)
    with opened(tmp_path) as index:
        edit, vector = question(commits, 9)
        assert index.search(edit, vector, k=3) == []
        (notice,) = index.notices
        assert str(path) in notice
        assert "is rebuilt" in notice
        assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [notice]
        added(index, commits, 20)
        assert index.log.size() == size
        assert index.search(edit, vector, k=3)
    assert list(path.parent.glob("*.broken-1"))


def test_rows_behind_the_last_edit_are_written_over(tmp_path: Path) -> None:
    """What a writer leaves that was killed between its vectors and the end of its transaction."""
    commits = some_commits(5, 30)
    with opened(tmp_path) as index:
        added(index, commits[:15], 5)
    (vectors,) = tmp_path.rglob("*.vectors")
    with vectors.open("ab") as file:
        file.write(b"\x55" * 10_001)
    with opened(tmp_path) as index:
        added(index, commits[15:], 5)
        assert index.notices == []
        entries = index.log.entries()
        assert [entry.commit for entry in entries] == [item.commit for item, _ in commits]
        for entry, (_, wanted) in zip(entries, commits, strict=True):
            np.testing.assert_allclose(entry.vectors * entry.scales[:, None], wanted, atol=0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache folder with an index of five segments' worth of commits."""
    with opened(tmp_path) as index:
        added(index, some_commits(6, 60), 20)
    return tmp_path


def age(path: Path, days: float) -> None:
    then = time.time() - days * 86_400
    for file in path.parent.glob(f"{path.name}*"):
        os.utime(file, (then, then))


def test_the_index_of_a_model_long_unused_is_deleted_and_nothing_else(folder: Path) -> None:
    def other(model: str) -> Path:
        with Index.open("large", model, folder=folder, edit_size=SIZE) as index:
            added(index, some_commits(7, 10), 10)
            assert index.path is not None
            return index.path

    old, recent, held = other("old"), other("recent"), other("held")
    foreign = old.with_name("notes-12345678-160-v1.sqlite3")
    foreign.write_bytes(b"somebody's notes" * 100)
    mine = old.with_name("my-notes.txt")
    mine.write_text("keep")
    aside = old.with_name(old.name + ".broken-1")
    aside.write_bytes(b"broken")
    for path in (old, foreign, mine, aside, held):
        age(path, 100)
    age(recent, 20)
    with Index.open("large", "held", folder=folder, edit_size=SIZE):
        age(held, 100)
        with opened(folder) as index:
            assert index.log.size()
            assert index.notices == []
    left = {path.name for path in old.parent.iterdir()}
    assert not any(name.startswith(old.name) for name in left)
    assert {recent.name, foreign.name, mine.name, held.name, index.path.name if index.path else ""} <= left
    assert len([name for name in left if name.endswith(".vectors")]) == 3


EARLIER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE commits (
    id INTEGER PRIMARY KEY, sha TEXT NOT NULL UNIQUE, parent TEXT, author TEXT NOT NULL, date INTEGER NOT NULL,
    subject TEXT NOT NULL, skipped TEXT, edits INTEGER NOT NULL
);
CREATE TABLE places (id INTEGER PRIMARY KEY, path TEXT NOT NULL, definition TEXT NOT NULL, UNIQUE (path, definition));
CREATE TABLE edits (
    id INTEGER PRIMARY KEY, commit_id INTEGER NOT NULL, place INTEGER NOT NULL, definition_kind TEXT NOT NULL,
    kind TEXT NOT NULL, line INTEGER NOT NULL
);
CREATE TABLE renames (commit_id INTEGER NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL);
CREATE TABLE payloads (
    commit_id INTEGER PRIMARY KEY, places BLOB NOT NULL, vectors BLOB NOT NULL, scales BLOB NOT NULL,
    lengths BLOB NOT NULL, terms BLOB NOT NULL, counts BLOB NOT NULL
);
"""


def write_earlier(path: Path, commits: list[tuple[CommitEdits, NDArray[np.float32]]]) -> None:
    """An index as versions before this one wrote it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    places: dict[tuple[str, str], int] = {}
    row = 0
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(EARLIER)
        about = {"repository": "large", "model": "a model", "tokeniser": VOCABULARY_HASH, "edit_size": str(SIZE)}
        about |= {"layout": "1", "generation": "00FF00FF00FF00FF", "settled": f"{commits[0][0].commit.sha} 7"}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", about.items())
        connection.execute("PRAGMA application_id = 1131373655")
        for number, (item, vectors) in enumerate(commits, 1):
            entry = LoggedCommit.of(item, vectors)
            commit = entry.commit
            connection.execute(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, commit.sha, None, commit.author, commit.date, commit.subject, None, len(entry.edits)),
            )
            for old, new in entry.renames:
                connection.execute("INSERT INTO renames VALUES (?, ?, ?)", (number, old, new))
            ids = []
            for place_path, definition, *rest in entry.edits:
                place = places.setdefault((place_path, definition), len(places) + 1)
                connection.execute("INSERT OR IGNORE INTO places VALUES (?, ?, ?)", (place, place_path, definition))
                ids.append(place)
                row += 1
                connection.execute("INSERT INTO edits VALUES (?, ?, ?, ?, ?, ?)", (row, number, place, *rest))
            if ids:
                blobs = (np.array(ids, dtype="<i4"), entry.vectors, entry.scales.astype("<f4"))
                blobs += (entry.lengths.astype("<u4"), entry.terms.astype("<u8"), entry.counts)
                values = (number, *(blob.tobytes() for blob in blobs))
                connection.execute("INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        connection.commit()


@pytest.mark.parametrize("harm", [None, "cut short", "of another repository"])
def test_an_index_of_an_earlier_version_is_taken_over(harm: str | None, small_segments: None, tmp_path: Path) -> None:
    commits = some_commits(8, 120)
    with opened(tmp_path / "plain") as plain:
        added(plain, commits, 30)
        edit, vector = question(commits, 4)
        wanted = plain.search(edit, vector, k=10, exclude_definition=(edit.path, edit.definition))
        assert plain.path is not None
        old = tmp_path / "earlier" / plain.path.relative_to(tmp_path / "plain")
        old = old.with_name(old.name.replace("-v2.", "-v1."))
    write_earlier(old, commits)
    with closing(sqlite3.connect(old)) as connection:
        if harm == "cut short":
            connection.execute("UPDATE payloads SET vectors = x'00' WHERE commit_id > 60")
        elif harm == "of another repository":
            connection.execute("UPDATE meta SET value = 'other' WHERE key = 'repository'")
        connection.commit()
    with opened(tmp_path / "earlier") as index:
        assert not old.exists()
        assert str(old) in index.notices[0]
        if harm is None:
            assert len(index.notices) == 1
            assert f"Moved {index.log.size():,} edits" in index.notices[0]
            assert index.search(edit, vector, k=10, exclude_definition=(edit.path, edit.definition)) == wanted
            assert index.log.settled() == (commits[0][0].commit.sha, 7)
        else:
            assert "was damaged" in index.notices[0]
            assert index.log.settled() is None
        added(index, commits, 30)
        assert index.log.size() == sum(len(item.edits) for item, _ in commits)
        assert index.search(edit, vector, k=10, exclude_definition=(edit.path, edit.definition)) == wanted
    with opened(tmp_path / "earlier") as index:
        assert index.notices == []
