"""What a model card says of retrieval, also where there is nothing to retrieve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codewm_lsp.world_model import WorldModel, shipped
from codewm_model.data.repository_corpus import build, load
from codewm_model.evaluation.bundle_retrieval import measure


def test_a_history_without_siblings_gives_no_row_and_says_so(make_repository: Any, tmp_path: Path) -> None:
    repository = make_repository("lonely")
    for number in range(4):
        repository.commit(f"Change {number}", {"a.py": f"def f(x):\n    return x + {number}\n"})
    corpus = load(build(repository.path, tmp_path, edits=10))
    models = {"shipped": WorldModel.load(shipped())}
    found = measure([repository.path], [corpus], models, galleries=[("newest 300 edits", 300, None)])
    assert found["rows"] == []
    assert "Nothing was measured" in found["verdict"]
