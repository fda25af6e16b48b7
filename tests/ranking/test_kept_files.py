"""What was parsed once is not parsed again by the next command, and comes out the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from codewm_lsp.index.store import PARSED_FILES
from codewm_lsp.ranking import kept_files
from codewm_lsp.ranking.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.ranking.kept_files import KeptFiles, keep

TEXTS = {
    "a.py": "import os.path\nfrom . import b\n\nclass Süßes:\n    def get(self):\n        return os\n\n    x = 1\n",
    "b.py": "",
    "c.py": '\ufeffdef broken(x:\r\n    """open\r\n<<<<<<< HEAD\r\ndef get(y): return x or y\r\n',
    "d.py": "def get(secret_name):\n    return secret_name  # an own remark of somebody\n",
}


def read(blobs: Sequence[str]) -> dict[str, str | None]:
    return {blob: TEXTS[blob] for blob in blobs}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vocabulary = Vocabulary()
    corpus = Corpus.of({path: parse_file(text, vocabulary) for path, text in TEXTS.items()}, vocabulary)
    assert keep(tmp_path, corpus, list(corpus.paths), read)
    return tmp_path


def test_what_is_kept_is_what_was_parsed(folder: Path) -> None:
    kept, again, parsed = KeptFiles.read(folder), Vocabulary(), Vocabulary()
    for path in reversed(TEXTS):  # words get the same numbers in any order of files
        expected, found = parse_file(TEXTS[path], parsed), kept.parsed(path, TEXTS[path], again)
        assert found is not None
        for name in ParsedFile.__slots__:
            one, other = getattr(expected, name), getattr(found, name)
            assert np.array_equal(one, other), (path, name)
            assert getattr(one, "dtype", None) == getattr(other, "dtype", None)
    assert again.ids == parsed.ids


def test_no_text_is_kept(folder: Path) -> None:
    data = (folder / PARSED_FILES).read_bytes()
    assert b"secret_name" not in data
    assert b"remark" not in data
    assert b"get" in data  # the name of a definition


def test_another_file_or_another_parser_is_not_taken_for_the_kept_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KeptFiles.read(folder).parsed("e.py", TEXTS["d.py"], Vocabulary()) is None
    assert KeptFiles.read(folder).parsed("d.py", "def", Vocabulary()) is None
    assert KeptFiles.read(folder.parent / "nowhere").parsed("d.py", TEXTS["d.py"], Vocabulary()) is None
    monkeypatch.setattr(kept_files, "parser", lambda: "another")
    assert KeptFiles.read(folder).parsed("d.py", TEXTS["d.py"], Vocabulary()) is None


def _rewritten(folder: Path, change: dict[str, object], described: dict[str, object]) -> None:
    with np.load(folder / PARSED_FILES) as loaded:
        arrays = dict(loaded)
    record = json.loads(arrays["description"].tobytes()) | described
    arrays["description"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    np.savez(folder / PARSED_FILES, **{**arrays, **change})


@pytest.mark.parametrize(
    ("change", "described"),
    [
        ({"words_held": np.zeros(1, np.int32)}, {}),
        ({"lines_held": -np.ones(1, np.int32)}, {}),
        ({"kinds": np.full(6, 100, np.int8)}, {}),
        ({"line": np.zeros(0, np.int32)}, {}),
        ({"counts": np.zeros(0, np.uint8)}, {}),
        ({}, {"files": [["d.py", [7], []]]}),
        ({}, {"files": 7}),
        ({}, {"files": [[]]}),
    ],
)
def test_a_damaged_file_is_as_good_as_none(
    folder: Path, change: dict[str, object], described: dict[str, object]
) -> None:
    _rewritten(folder, {}, {})
    assert "d.py" in KeptFiles.read(folder)
    _rewritten(folder, change, described)
    assert "d.py" not in KeptFiles.read(folder)


@pytest.mark.parametrize("size", [0, 1, 100, 1000])
def test_a_file_that_is_cut_short_is_as_good_as_none(folder: Path, size: int) -> None:
    file = folder / PARSED_FILES
    file.write_bytes(file.read_bytes()[:size])
    assert "d.py" not in KeptFiles.read(folder)


def test_a_folder_that_cannot_be_written_costs_the_file_only(tmp_path: Path) -> None:
    vocabulary = Vocabulary()
    corpus = Corpus.of({"d.py": parse_file(TEXTS["d.py"], vocabulary)}, vocabulary)
    (tmp_path / PARSED_FILES).mkdir()
    assert keep(tmp_path, corpus, ["d.py"], read)
    assert [one.name for one in tmp_path.iterdir()] == [PARSED_FILES]


def test_it_is_not_kept_where_something_comes_up(tmp_path: Path) -> None:
    vocabulary = Vocabulary()
    corpus = Corpus.of({"d.py": parse_file(TEXTS["d.py"], vocabulary)}, vocabulary)
    assert not keep(tmp_path, corpus, ["d.py"], read, lambda: True)
    assert list(tmp_path.iterdir()) == []
