"""Which files change together, as a graph."""

from __future__ import annotations

import numpy as np

from codewm_lsp.explore.file_graph import MOST_FILES, MOST_PARTNERS, file_graph
from codewm_lsp.history.changed_files import ChangedFiles, FileEvent, FileTouch


def commit(number: int, *paths: str, renames: tuple[tuple[str, str], ...] = ()) -> ChangedFiles:
    return ChangedFiles(
        f"{number:040x}", "", number, tuple(FileTouch(path, FileEvent.MODIFIED) for path in paths), renames
    )


def test_files_that_often_change_together_are_joined() -> None:
    graph = file_graph([commit(n, "a.py", "a.md") for n in range(5)] + [commit(9, "a.py", "b.py"), commit(10, "b.py")])
    assert graph.files == (("a.md", 5), ("a.py", 6))
    assert [(pair.one, pair.other, pair.together) for pair in graph.pairs] == [(0, 1, 5)]
    assert graph.positions.shape == (2, 2)


def test_a_renamed_file_goes_by_its_newest_path() -> None:
    graph = file_graph(
        [commit(9, "new.py", "a.md"), commit(8, "new.py", renames=(("old.py", "new.py"),))]
        + [commit(n, "old.py", "a.md") for n in range(3)]
    )
    assert graph.files == (("a.md", 4), ("new.py", 5))


def test_a_large_history_makes_a_graph_that_can_be_looked_at() -> None:
    generator = np.random.default_rng(1)
    names = [f"f{number}.py" for number in range(900)]
    commits = []
    for number in range(4_000):
        first = int(generator.integers(len(names)))
        commits.append(commit(number, *{names[(first + step) % len(names)] for step in range(8)}))
    graph = file_graph(commits)
    assert 100 < len(graph.files) <= MOST_FILES
    partners = np.bincount([number for pair in graph.pairs for number in (pair.one, pair.other)])
    assert partners.max() <= MOST_PARTNERS
    assert ((graph.positions >= 0) & (graph.positions <= 1)).all()
    assert len(np.unique(graph.positions.round(3), axis=0)) > 0.9 * len(graph.files)  # not on top of each other


def test_a_history_without_pairs_has_an_empty_graph() -> None:
    graph = file_graph([commit(1, "a.py"), commit(2, "b.py")])
    assert graph.files == graph.pairs == ()
    assert graph.positions.shape == (0, 2)
