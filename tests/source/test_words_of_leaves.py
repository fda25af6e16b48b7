"""Identifiers, strings and comments → words."""

from __future__ import annotations

import pytest

from codewm_lsp.source import split_identifier, tokenize, word_counts


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("getHTTPResponse_2", ("get", "http", "response", "2")),
        ("snake_case", ("snake", "case")),
        ("__init__", ("init",)),
        ("XMLParser", ("xml", "parser")),
        ("名前", ("名前",)),
        ("_", ()),
        ("", ()),
        ("A1b2", ("a", "1", "b", "2")),
    ],
)
def test_identifiers_are_split_at_snake_and_camel(identifier: str, words: tuple[str, ...]) -> None:
    assert split_identifier(identifier) == words


def test_strings_and_comments_are_taken_apart() -> None:
    counts = word_counts(tokenize("raise NotFound('No such user: %s, retry_after 30')  # see getUser\n").leaves)
    assert {"not", "found", "no", "such", "user", "retry", "after", "30", "see", "get", "raise"} <= set(counts)
    assert counts["user"] == 2


def test_a_word_has_an_end() -> None:
    assert max(map(len, word_counts(tokenize("x = '" + "a" * 10_000 + "'\n").leaves))) <= 64
