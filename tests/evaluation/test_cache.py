"""What an evaluation keeps is of the code and the weights that it was made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from codewm_model.evaluation import cache


def test_what_is_kept_goes_by_the_weights_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "index"
    room.mkdir()
    (room / "search.py").write_text("", encoding="utf-8")
    (room / "reranker.npz").write_bytes(b"one")
    monkeypatch.setattr(cache, "_LSP", tmp_path)

    def name() -> str:
        cache.code.cache_clear()
        return cache.code("index")

    before = name()
    assert name() == before
    (room / "reranker.npz").write_bytes(b"two")
    assert name() != before
    cache.code.cache_clear()
