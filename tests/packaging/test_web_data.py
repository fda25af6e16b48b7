"""What the engine for the browser is told by Python, and what it spells out itself, is what Python says."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codewm_lsp.history import EditKind
from codewm_lsp.index.reranker import RELATIONS, learnt
from codewm_lsp.source import VOCABULARY, VOCABULARY_HASH, LeafRole
from codewm_lsp.source.vocabulary import FIRST_IDENTIFIER, IDENTIFIER_BUCKETS
from codewm_lsp.world_model import EDIT_SIZE, RICH_ACTION
from codewm_lsp.world_model.embedding import STRUCTURE

ROOT = Path(__file__).resolve().parents[2]
RERANKER = (ROOT / "web" / "engine" / "src" / "reranker.ts").read_text(encoding="utf-8")
API = (ROOT / "web" / "engine" / "src" / "api.ts").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def web_data() -> Any:
    spec = importlib.util.spec_from_file_location("web_data", ROOT / "scripts" / "web_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed(name: str) -> list[str]:
    """A list of words in the engine's interface."""
    found = re.search(rf"export const {name} = \[(.*?)\] as const", API, re.DOTALL)
    assert found is not None
    return re.findall(r"'(\w+)'", found[1])


def test_the_tables_hold_the_vocabulary(web_data: Any) -> None:
    tables = json.loads(json.dumps(web_data.tables()))
    words: dict[int, str] = {number: f"<{name}>" for name, number in tables["special"].items()}
    words |= {number: f"node:{name}" for name, number in tables["nodeIds"].items()}
    words |= {number: f"syntax:{name}" for name, number in tables["syntaxIds"].items()}
    assert [words[number] for number in range(tables["firstIdentifier"])] == list(VOCABULARY[:FIRST_IDENTIFIER])
    assert tables["firstIdentifier"] + tables["identifierBuckets"] == len(VOCABULARY)
    assert tables["identifierBuckets"] == IDENTIFIER_BUCKETS
    assert tables["vocabularyHash"] == VOCABULARY_HASH


def test_the_engine_names_roles_and_actions_as_python_does() -> None:
    assert listed("ROLES") == [role.name.lower() for role in LeafRole]
    assert listed("ACTION_NAMES") == list(RICH_ACTION)


def test_the_engine_names_kinds_of_edits_as_python_does() -> None:
    assert listed("KINDS") == [kind.value for kind in EditKind]


def test_the_engine_knows_every_relation_of_similar_edits() -> None:
    known = set(re.findall(r"^  (?:'([\w ]+)'|(\w+)): \(", RERANKER, re.MULTILINE))
    names = {"".join(pair) for pair in known} | {f"asked: {kind.value}" for kind in EditKind}
    assert names == set(RELATIONS)


def test_the_network_that_ranks_similar_edits_is_that_of_the_package(web_data: Any) -> None:
    told = json.loads(json.dumps(web_data.tables()))["reranker"]
    ranker = learnt().reranker
    for name in ("weights", "bias", "output"):
        assert np.array_equal(
            np.array(told[name], np.float32).reshape(getattr(ranker, name).shape), getattr(ranker, name)
        )
    assert told["offset"] == ranker.offset
    assert tuple(told["relations"]) == RELATIONS


def test_the_engine_has_the_sizes_of_the_model() -> None:
    sizes = {name: int(size) for name, size in re.findall(r"export const (\w+_SIZE) = (\d+);", API)}
    assert sizes == {"EDIT_SIZE": EDIT_SIZE, "STATE_SIZE": STRUCTURE, "ACTION_SIZE": len(RICH_ACTION)}


def test_four_bits_keep_the_direction_of_a_vector(web_data: Any) -> None:
    rows = np.random.default_rng(1).normal(size=(50, EDIT_SIZE)).astype(np.float32)
    codes, scales = web_data.quantised(rows)
    assert np.abs(codes).max() <= 7
    again = codes * scales[:, None]
    cosines = (rows * again).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(again, axis=1)
    assert cosines.min() > 0.98


def test_half_typed_texts_are_always_the_same_ones(web_data: Any) -> None:
    text = "def f(self):\n    x = 1\n    return x\n"
    made = [[web_data.damage(text, web_data.random.Random(seed)) for seed in range(40)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 10
