"""The scores are those of a plain computation over all edits, to the precision of one byte a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewm_lsp.index import Blend, changed_words, place_words
from codewm_lsp.index.lexicon import WEIGHTS, Lexicon, Terms, Weighing
from codewm_lsp.index.matrix import Matrix, quantise

WORDS = st.sampled_from(["get", "put", "timeout", "retry", "self", "return", "none", "session"])
BAG = st.dictionaries(WORDS, st.integers(-3, 3).filter(bool), max_size=6)


def test_products_with_quantised_rows_are_those_of_the_floats(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    floats = random.standard_normal((3_000, 96)).astype(np.float32)
    floats /= np.linalg.norm(floats, axis=1, keepdims=True)
    floats[17] = 0  # an edit the model sees nothing in
    matrix = Matrix(tmp_path / "vectors", 96, "0" * 16)
    for begin in range(0, 3_000, 1_234):
        matrix.write(begin, *quantise(floats[begin : begin + 1_234]))
    matrix.map(3_000)
    queries = floats[[3, 2_000, 2_999]]
    exact = queries @ floats.T
    found = matrix.products(queries, range(3_000))
    np.testing.assert_allclose(found, exact, atol=0.005)
    for one, wanted in zip(found, exact, strict=True):
        best = np.argsort(-one)[:10]
        assert wanted[best].min() >= np.sort(wanted)[-10] - 0.01
    some = np.array([17, 2_999])
    matrix.verify(some)
    np.testing.assert_allclose(matrix.floats(some), floats[some], atol=0.005)
    np.testing.assert_allclose(matrix.at(some, queries[2]), exact[2, some], atol=0.005)


def plain_cosine(query: dict[str, float], other: dict[str, float], idf: dict[str, float]) -> float:
    def norm(bag: dict[str, float]) -> float:
        return math.sqrt(sum((weight * idf[word]) ** 2 for word, weight in bag.items()))

    both = sum(query[word] * other[word] * idf[word] ** 2 for word in query.keys() & other.keys())
    return both / (norm(query) * norm(other)) if query and other else 0.0


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.tuples(BAG, st.booleans()), min_size=1, max_size=30),
    query=BAG,
)
def test_cosines_of_words_are_those_of_a_plain_computation(
    documents: list[tuple[dict[str, int], bool]], query: dict[str, int]
) -> None:
    numbers = {word: number for number, word in enumerate(["", *sorted(set().union(*(bag for bag, _ in documents)))])}

    def terms_of(bag: dict[str, int]) -> Terms:
        weights = WEIGHTS[np.array(list(bag.values()), dtype=np.int8).view(np.uint8)]
        return Terms(np.array([numbers.get(word, 0) for word in bag], dtype=np.int64), weights)

    lexicon = Lexicon.of(
        np.array([len(bag) for bag, _ in documents], dtype=np.int64),
        np.array([numbers[word] for bag, _ in documents for word in bag], dtype=np.int32),
        np.array([count for bag, _ in documents for count in bag.values()], dtype=np.int8),
    )
    inside = np.array([inside for _, inside in documents])
    found = np.zeros(len(numbers))
    lexicon.count(inside.astype(np.float64), found)
    weights = np.log1p(max(1, inside.sum()) / np.maximum(found, 1)).astype(np.float32)
    asked = Weighing.of(terms_of(query), weights)
    signed, unsigned = lexicon.cosines(np.arange(len(documents)), asked, weights)
    scale = lexicon.inverse_lengths(weights) / (asked.length or 1)
    np.testing.assert_allclose(lexicon.products(asked, 0.3, 0.5) * scale, 0.3 * signed + 0.5 * unsigned, atol=1e-5)

    def weigh(bag: dict[str, int]) -> dict[str, float]:
        return {word: math.copysign(math.log1p(abs(count)), count) for word, count in bag.items()}

    size = max(1, inside.sum())
    idf = {}
    for word in set(query).union(*(bag for bag, _ in documents)):
        frequency = sum(inside_ and word in bag for bag, inside_ in documents)
        idf[word] = math.log1p(size / max(1, frequency))
    for number, (bag, _) in enumerate(documents):
        absolute = [{word: abs(weight) for word, weight in weigh(some).items()} for some in (query, bag)]
        assert signed[number] == pytest.approx(plain_cosine(weigh(query), weigh(bag), idf), abs=1e-4)
        assert unsigned[number] == pytest.approx(plain_cosine(*absolute, idf), abs=1e-4)
    apart = lexicon.apart(np.arange(len(documents)), asked, weights)
    for sign, cosines in zip((1, -1), apart, strict=True):
        for number, (bag, _) in enumerate(documents):
            alone = [
                {word: weight for word, weight in weigh(some).items() if sign * weight > 0} for some in (query, bag)
            ]
            assert cosines[number] == pytest.approx(plain_cosine(*alone, idf), abs=1e-4)
    assert lexicon.lengths(np.arange(len(documents))).tolist() == [len(bag) for bag, _ in documents]


def test_words_added_and_removed_are_told_apart() -> None:
    assert changed_words("x = get(url)", "x = get(url, timeout=1)") == {"timeout": 1, "=": 1, "1": 1}
    assert changed_words("x = get(url, timeout=1)", "x = get(url)") == {"timeout": -1, "=": -1, "1": -1}
    assert changed_words("def a(): pass", "") == {"def": -1, "a": -1, "pass": -1}
    assert changed_words("same", "same") == {}


def test_a_place_is_its_path_and_qualified_name() -> None:
    assert set(place_words("src/http_client.py", "HTTPClient.get#2")) == {"src", "http", "client", "get"}


def test_every_edit_is_scored_and_the_best_come_first(asked_edit: Any) -> None:
    index, edit, vector = asked_edit

    everything = index.search(edit, vector, k=0)
    assert len(everything) == index.log.size()
    assert [hit.score for hit in everything] == sorted((hit.score for hit in everything), reverse=True)
    itself = (edit.commit, edit.path, edit.definition)
    (own,) = [hit for hit in everything if (hit.edit.commit, hit.edit.path, hit.edit.definition) == itself]
    assert own.score > 0.999
    assert everything[0] == own, "an edit is most like itself"
    assert (own.meaning, own.words, own.path) == pytest.approx((1, 1, 1), abs=0.01)
    assert index.search(edit, vector, k=4) == everything[:4]

    scores = index.scores(edit, vector)
    blend = Blend()
    assert scores.blended(blend) == pytest.approx(
        blend.meaning * scores.meaning
        + blend.signed * scores.signed
        + blend.unsigned * scores.unsigned
        + blend.place * scores.place,
        abs=1e-5,
    )
    rows, related = index.compared(edit, vector)
    chances = dict(zip((rows + 1).tolist(), 1 / (1 + np.exp(-index.reranker.odds(related))), strict=True))
    assert {hit.edit.id: hit.score for hit in everything} == pytest.approx(chances)
    for hit in everything:
        row = hit.edit.row
        assert hit.meaning == pytest.approx(min(1, scores.meaning[row]), abs=1e-5)
        assert hit.path == pytest.approx(scores.place[row], abs=1e-5)

    own = (edit.path, edit.definition)
    others = index.search(edit, vector, k=0, exclude_definition=own)
    assert [hit.edit for hit in others] == [
        hit.edit for hit in everything if (hit.edit.path, hit.edit.definition) != own
    ]

    (near,) = index.nearest(vector[None], k=3)
    stored = np.concatenate([entry.vectors * entry.scales[:, None] for entry in index.log.entries()])
    assert [hit.score for hit in near] == pytest.approx(sorted(stored @ vector, reverse=True)[:3], abs=1e-4)
    rows = [hit.edit.row for hit in near]
    np.testing.assert_allclose(stored[rows] @ vector, [hit.score for hit in near], atol=1e-4)


def test_what_is_out_of_range_has_no_say_in_the_scores(make_range: Callable[[int, int], Any]) -> None:
    """Asked within the ancestors of a revision, an index of the whole history answers like one of that revision."""
    whole, part, within, edit, vector = make_range(20, 8)

    def answer(index: Any, within: set[str] | None) -> list[tuple[object, ...]]:
        hits = index.search(edit, vector, k=0, within=within, exclude_definition=("client_1.py", "Client.get"))
        return sorted(
            (hit.edit.commit.sha, hit.edit.path, hit.edit.definition, round(hit.score, 4), round(hit.words, 4))
            for hit in hits
        )

    assert answer(whole, within) == answer(part, None)
    assert answer(whole, set()) == []
