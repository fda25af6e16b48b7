"""Text → definitions → tokens. Pure functions; tree-sitter underneath; survives syntax errors.

What is particular to a language is said in ``languages`` and nowhere else.
"""

from codewm_lsp.source.change_kinds import kinds_of_change
from codewm_lsp.source.decoding import decode, is_text_encoding
from codewm_lsp.source.definitions import (
    MODULE_NAME,
    NOTHING,
    Definition,
    DefinitionKind,
    Outline,
    differing,
    lines_outside,
    only_definition,
    parse_definitions,
    parse_version,
)
from codewm_lsp.source.languages import LeafRole
from codewm_lsp.source.names import names_of
from codewm_lsp.source.tokens import Leaf, Tokens, fingerprint, tokenize
from codewm_lsp.source.vocabulary import TOKENISER_VERSION, VOCABULARY, VOCABULARY_HASH
from codewm_lsp.source.words import split_identifier, word_counts, words_of_text

__all__ = [
    "MODULE_NAME",
    "NOTHING",
    "TOKENISER_VERSION",
    "VOCABULARY",
    "VOCABULARY_HASH",
    "Definition",
    "DefinitionKind",
    "Leaf",
    "LeafRole",
    "Outline",
    "Tokens",
    "decode",
    "differing",
    "fingerprint",
    "is_text_encoding",
    "kinds_of_change",
    "lines_outside",
    "names_of",
    "only_definition",
    "parse_definitions",
    "parse_version",
    "split_identifier",
    "tokenize",
    "word_counts",
    "words_of_text",
]
