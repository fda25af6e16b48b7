"""How often edits of a definition are made again or taken back: what is counted of a history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codewm_lsp.history import Commit, CommitEdits, Edit, EditKind
from codewm_lsp.source import DefinitionKind
from codewm_model.evaluation.smoke import make_repositories
from codewm_model.ranking.repeated_edits import counted, main


def history(*values: int, beside: tuple[str, ...] = ()) -> list[CommitEdits]:
    """A limit that has these values one after the other, newest first; ``beside``: what each commit changed besides."""
    found = []
    text = "def load(path):\n    limit = {0}\n    return read(path, limit)\n"
    for number in range(1, len(values)):
        texts = text.format(values[number - 1]), text.format(values[number])
        edits = [Edit("a.py", "load", DefinitionKind.FUNCTION, EditKind.MODIFIED, *texts, 0, None, None)]
        if other := beside[number - 1]:
            added = Edit(other, f"f{number}", DefinitionKind.FUNCTION, EditKind.ADDED, "", "x = 1\n", 0, None, None)
            edits.append(added)
        commit = Commit(f"{number:040x}", "Ada", 1_700_000_000 + number, "Change", None)
        found.append(CommitEdits(commit, tuple(edits), None))
    return found[::-1]


def test_repeats_are_counted_once_each_by_what_they_are() -> None:
    found = counted(history(7, 8, 9, 8, beside=("b.py", "b.py", "c.py")))
    assert found.modified == 3
    assert dict(found.repeating) == {"alike": 2, "undone": 1, "any": 2}
    assert dict(found.common) == {"alike": [True, False], "undone": [False]}
    assert found.record()["repeating"]["any"] == {"edits": 2, "share": 0.6667}


def test_the_newest_that_is_not_repeated_stands_beside_them() -> None:
    commits = history(7, 8, 9, beside=("b.py", "b.py"))
    (edit, *others) = commits[0].edits
    other = Edit(
        *("a.py", "load", DefinitionKind.FUNCTION, EditKind.MODIFIED), edit.before, "x = 2\n", *(0, None, None)
    )
    found = counted([CommitEdits(commits[0].commit, (other, *others), None), *commits[1:]])
    assert dict(found.repeating) == {"any": 0}
    assert dict(found.common) == {"not repeated": [True]}


def test_the_command_reads_clones_and_writes_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from codewm_model.ranking import repeated_edits

    clones = tmp_path / "clones"
    clones.mkdir()
    names = make_repositories(clones)
    monkeypatch.setattr(repeated_edits, "sets", lambda: {"train": names[:1], "validation": names[1:]})
    main(["--repos", str(clones), "--cache", str(tmp_path / "cache"), "--edits", "100"])
    record = json.loads(capsys.readouterr().out)
    assert [record[one]["repositories"] for one in ("train", "validation")] == [1, len(names) - 1]
    assert record["train"]["modified"] > 0


def test_an_edit_that_is_taken_back_fits_as_its_reverse() -> None:
    together, apart = (counted(history(7, 8, 7, beside=("b.py", other))) for other in ("b.py", "c.py"))
    assert dict(together.fits) == {"undone": [True]}
    assert dict(apart.fits) == {"undone": [False]}, "a number alone says nothing of the kind of change"
    assert together.record()["fit"] == {"undone": {"edits": 1, "share": 1.0}}
