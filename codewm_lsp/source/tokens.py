"""The text of a definition → tokens: its syntax tree in pre-order, and its leaves with the part each one plays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from codewm_lsp.source.definitions import MAX_TEXT, has_endless_line
from codewm_lsp.source.trees import PYTHON, tree_of
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


class Leaf(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind of node means, worked out once and not at every node.

    ``opened``: whether what is below is looked at. With something below it, it is the token ``inner`` and gives the
    identifiers there the part ``gives`` (where ``sets`` says that it does). With nothing below, ``sort`` says what is
    made of it, ``token`` is its token and ``role`` its part. An identifier right below it has the part that ``fields``
    name, else ``below``.
    """

    name: str
    opened: bool
    inner: int | None
    sets: bool
    gives: Role | None
    sort: int
    token: int
    role: Role
    fields: Mapping[str | None, Role] | None
    below: Role


_UNSEEN, _IDENTIFIER, _TEXT, _COMMENT, _LITERAL, _NUMBER, _BROKEN, _SYNTAX = range(8)
_PUNCTUATION: Final = frozenset("()[]{},.:;") | {"_", "string_start", "string_end", "line_continuation"}
_LITERALS: Final = frozenset({"true", "false", "none", "ellipsis"})
_NUMBERS: Final = frozenset({"integer", "float"})
_BODIES: Final = frozenset({"block", "module"})
_NO_TOKEN: Final = frozenset({"string", "module", "expression_statement"})
_GIVES: Final[dict[str, Role | None]] = {
    "type": Role.TYPE,
    "decorator": Role.DECORATOR,
    "import_statement": Role.IMPORT,
    "import_from_statement": Role.IMPORT,
    "future_import_statement": Role.IMPORT,
    "interpolation": None,
    "argument_list": None,
}
_FIELDS: Final[dict[str, dict[str | None, Role]]] = {
    "function_definition": {"name": Role.NAME},
    "class_definition": {"name": Role.NAME},
    "default_parameter": {"name": Role.PARAMETER},
    "typed_default_parameter": {"name": Role.PARAMETER},
    "keyword_argument": {"name": Role.KEYWORD},
    "call": {"function": Role.CALLEE},
    "attribute": {"attribute": Role.ATTRIBUTE},
}
_PARAMETERS: Final = frozenset(
    {"parameters", "lambda_parameters", "list_splat_pattern", "dictionary_splat_pattern", "typed_parameter"}
)


def _kind(name: str) -> _Kind:
    sort, token, role = _SYNTAX, SYNTAX_IDS.get(name, NODE_IDS.get(name, UNKNOWN)), Role.SYNTAX
    if name == "identifier":
        sort = _IDENTIFIER
    elif name in ("string_content", "escape_sequence"):
        sort = _TEXT
    elif name == "comment":
        sort, role = _COMMENT, Role.COMMENT
    elif name in _LITERALS:
        sort, token = _LITERAL, NODE_IDS[name]
    elif name in _NUMBERS:
        sort, token, role = _NUMBER, NODE_IDS[name], Role.NUMBER
    elif name == "ERROR":
        sort = _BROKEN
    elif name in _PUNCTUATION:
        sort = _UNSEEN
    return _Kind(
        name=name,
        opened=name not in ("string_start", "string_content"),
        inner=None if name in _NO_TOKEN else ERROR if name == "ERROR" else NODE_IDS.get(name, UNKNOWN),
        sets=name in _GIVES,
        gives=_GIVES.get(name),
        sort=sort,
        token=token,
        role=role,
        fields=_FIELDS.get(name),
        below=Role.PARAMETER if name in _PARAMETERS else Role.VARIABLE,
    )


_KINDS: Final = tuple(_kind(PYTHON.node_kind_for_id(number) or "") for number in range(PYTHON.node_kind_count))
_COUNT: Final = len(_KINDS)
_ERROR_KIND: Final = _kind("ERROR")  # whose number is the largest there is
_NO_KIND: Final = _kind("")


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
    ascii_only = len(data) == len(text)  # then a byte is a character, and nothing needs decoding
    cursor = tree_of(data).walk()
    ids: list[int] = []
    depths: list[int] = []
    leaves: list[Leaf] = []
    parent, role = _NO_KIND, None  # role: what an enclosing node makes of its identifiers
    above: list[tuple[_Kind, Role | None]] = []
    shown = 0  # the depth, as far as it counts
    line = counted = 0  # lines begun before the byte ``counted``
    while True:
        node = cursor.node
        assert node is not None
        number = node.kind_id
        kind = _KINDS[number] if number < _COUNT else _ERROR_KIND
        if kind.opened and cursor.goto_first_child():
            if kind.inner is not None:
                ids.append(kind.inner)
                depths.append(shown)
            above.append((parent, role))
            if kind.sets:
                role = kind.gives
            elif kind.name == "string" and parent.name == "expression_statement" and above[-2][0].name in _BODIES:
                role = Role.DOCSTRING
            parent = kind
            if len(above) <= MAX_DEPTH:
                shown = len(above)
            continue
        start, end, sort = node.start_byte, node.end_byte, kind.sort
        if end > start and sort != _UNSEEN and len(leaves) < MAX_LEAVES:
            line += data.count(b"\n", counted, start)
            counted = start
            if sort == _SYNTAX:
                leaves.append(Leaf(kind.name, Role.SYNTAX, line))
                ids.append(kind.token)
                depths.append(shown)
            elif sort == _BROKEN:
                ids.append(ERROR)
                depths.append(shown)
            else:
                word = text[start:end] if ascii_only else data[start:end].decode("utf-8", "replace")
                if sort == _IDENTIFIER:
                    part = role
                    if part is None or part is Role.DOCSTRING:
                        fields = parent.fields
                        part = parent.below if fields is None else fields.get(cursor.field_name, Role.VARIABLE)
                    leaves.append(Leaf(word, part, line))
                    ids.append(identifier_id(word))
                    depths.append(shown)
                elif sort == _TEXT:
                    leaves.append(Leaf(word, role if role is Role.DOCSTRING else Role.STRING, line))
                    ids.append(identifier_id(word))
                    depths.append(shown)
                else:
                    leaves.append(Leaf(word, kind.role, line))
                    if sort != _COMMENT:
                        ids.append(kind.token)
                        depths.append(shown)
                    if sort == _NUMBER:
                        ids.append(identifier_id(word))
                        depths.append(shown)
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Tokens(tuple(ids), tuple(depths), tuple(leaves))
            parent, role = above.pop()
            shown = min(len(above), MAX_DEPTH)


def fingerprint(tokens: Tokens) -> bytes:
    """16 bytes that two texts share exactly when they differ in nothing but comments and white space."""
    digest = hashlib.blake2b(digest_size=16)
    for leaf in tokens.leaves:
        if leaf.role is not Role.COMMENT:
            digest.update(leaf.text.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
    digest.update(repr((tokens.ids, tokens.depths)).encode("ascii"))
    return digest.digest()
