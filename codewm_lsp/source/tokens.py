"""The text of a definition → tokens: its syntax tree in pre-order, and its leaves with the part each one plays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from tree_sitter import Parser

from codewm_lsp.source.definitions import MAX_TEXT, PYTHON, has_endless_line
from codewm_lsp.source.vocabulary import ERROR, NODE_IDS, SYNTAX_IDS, UNKNOWN, identifier_id

MAX_LEAVES: Final = 20_000
MAX_DEPTH: Final = 31
_MEMORABLE: Final = 8_192  # characters of the longest text remembered: 20 KB of tokens for a typical one


class Role(IntEnum):
    """What a leaf does in its definition. The numbers are part of the tokeniser's version."""

    VARIABLE = 0
    NAME = 1
    PARAMETER = 2
    KEYWORD = 3
    CALLEE = 4
    ATTRIBUTE = 5
    TYPE = 6
    DECORATOR = 7
    IMPORT = 8
    STRING = 9
    DOCSTRING = 10
    COMMENT = 11
    NUMBER = 12
    SYNTAX = 13


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of the syntax tree: its text, its part, and the 0-based line it starts on."""

    text: str
    role: Role
    line: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """A definition as the model reads it.

    ``ids`` and ``depths`` (same length) are the structure tokens in pre-order, comments left out; ``leaves`` are the
    words' raw material in the order of the text, comments included.
    """

    ids: tuple[int, ...]
    depths: tuple[int, ...]
    leaves: tuple[Leaf, ...]


_PUNCTUATION: Final = frozenset("()[]{},.:;") | {"_"}
_LITERALS: Final = {
    "integer": Role.NUMBER,
    "float": Role.NUMBER,
    "true": Role.SYNTAX,
    "false": Role.SYNTAX,
    "none": Role.SYNTAX,
    "ellipsis": Role.SYNTAX,
}
_IMPORTS: Final = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
_PARAMETERS: Final = frozenset({"parameters", "lambda_parameters", "list_splat_pattern", "dictionary_splat_pattern"})


def tokenize(text: str) -> Tokens:
    """Tokenise the own text of a definition (or any piece of Python), at most ``MAX_LEAVES`` leaves and ``MAX_TEXT``
    characters of it.

    Depends on ``text`` alone, and not on its indentation. Total: broken code gives an error token where it is broken.
    The newest answers are remembered: history, model and index ask for the same texts one after the other.
    """
    return _remembered(text) if len(text) <= _MEMORABLE else _tokenize(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> Tokens:
    return _tokenize(text)


def _tokenize(text: str) -> Tokens:
    data = text[:MAX_TEXT].encode("utf-8", "replace")
    if has_endless_line(data):
        return Tokens((ERROR,), (0,), ())
    cursor = Parser(PYTHON).parse(data).walk()
    ids: list[int] = []
    depths: list[int] = []
    leaves: list[Leaf] = []
    parents: list[str] = []
    roles: list[Role | None] = [None]  # what an enclosing node makes of its identifiers
    depth = 0
    while True:
        node = cursor.node
        assert node is not None
        kind = node.type
        role = roles[-1]
        inner = cursor.goto_first_child() if kind not in ("string_start", "string_content") else False
        if inner:
            field = None
            if kind == "ERROR":
                token = ERROR
            else:
                token = NODE_IDS.get(kind, UNKNOWN)
            if kind not in ("string", "module", "expression_statement"):
                ids.append(token)
                depths.append(min(depth, MAX_DEPTH))
            if kind == "type" or kind == "decorator" or kind in _IMPORTS:
                role = Role.TYPE if kind == "type" else Role.DECORATOR if kind == "decorator" else Role.IMPORT
            elif kind == "string" and role is not Role.DOCSTRING and _is_docstring(parents, node):
                role = Role.DOCSTRING
            elif kind == "interpolation" or kind == "argument_list":
                role = None
            parents.append(kind)
            roles.append(role)
            depth += 1
            continue
        if node.end_byte > node.start_byte and len(leaves) < MAX_LEAVES:
            parent = parents[-1] if parents else ""
            if kind == "identifier":
                field = cursor.field_name
                word = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
                leaves.append(Leaf(word, _identifier_role(parents, field, role, cursor), node.start_point.row))
                ids.append(identifier_id(word))
                depths.append(min(depth, MAX_DEPTH))
            elif kind == "string_content" or kind == "escape_sequence" or parent == "string_content":
                word = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
                leaves.append(Leaf(word, role if role is Role.DOCSTRING else Role.STRING, node.start_point.row))
                ids.append(identifier_id(word))
                depths.append(min(depth, MAX_DEPTH))
            elif kind == "comment":
                word = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
                leaves.append(Leaf(word, Role.COMMENT, node.start_point.row))
            elif kind in _LITERALS:
                word = data[node.start_byte : node.end_byte].decode("utf-8", "replace")
                leaves.append(Leaf(word, _LITERALS[kind], node.start_point.row))
                ids.append(NODE_IDS[kind])
                depths.append(min(depth, MAX_DEPTH))
                if _LITERALS[kind] is Role.NUMBER:
                    ids.append(identifier_id(word))
                    depths.append(min(depth, MAX_DEPTH))
            elif kind == "ERROR":
                ids.append(ERROR)
                depths.append(min(depth, MAX_DEPTH))
            elif kind not in _PUNCTUATION and kind not in ("string_start", "string_end", "line_continuation"):
                leaves.append(Leaf(kind, Role.SYNTAX, node.start_point.row))
                ids.append(SYNTAX_IDS.get(kind, NODE_IDS.get(kind, UNKNOWN)))
                depths.append(min(depth, MAX_DEPTH))
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Tokens(tuple(ids), tuple(depths), tuple(leaves))
            if not parents:
                return Tokens(tuple(ids), tuple(depths), tuple(leaves))
            parents.pop()
            roles.pop()
            depth -= 1


def _is_docstring(parents: list[str], node: object) -> bool:
    return len(parents) >= 2 and parents[-1] == "expression_statement" and parents[-2] in ("block", "module")


def _identifier_role(parents: list[str], field: str | None, role: Role | None, cursor: object) -> Role:
    parent = parents[-1] if parents else ""
    if role is not None and role is not Role.DOCSTRING:
        return role
    if field == "name":
        if parent in ("function_definition", "class_definition"):
            return Role.NAME
        if parent in ("default_parameter", "typed_default_parameter"):
            return Role.PARAMETER
        if parent == "keyword_argument":
            return Role.KEYWORD
    if field == "function" and parent == "call":
        return Role.CALLEE
    if field == "attribute" and parent == "attribute":
        return Role.ATTRIBUTE
    if parent in _PARAMETERS or parent == "typed_parameter":
        return Role.PARAMETER
    return Role.VARIABLE


def fingerprint(tokens: Tokens) -> bytes:
    """16 bytes that two texts share exactly when they differ in nothing but comments and white space."""
    digest = hashlib.blake2b(digest_size=16)
    for leaf in tokens.leaves:
        if leaf.role is not Role.COMMENT:
            digest.update(leaf.text.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
    digest.update(repr((tokens.ids, tokens.depths)).encode("ascii"))
    return digest.digest()
