"""The text of a definition → tokens: its syntax tree in pre-order, and its leaves with the part each one plays."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from codewm_lsp.records import dataclass
from codewm_lsp.source.definitions import MAX_TEXT
from codewm_lsp.source.languages import PYTHON, LeafRole
from codewm_lsp.source.memory import TextMemory
from codewm_lsp.source.trees import tree_of
from codewm_lsp.source.vocabulary import ERROR, NODE_IDS, SYNTAX_IDS, UNKNOWN, identifier_id

MAX_LEAVES: Final = 20_000
MAX_DEPTH: Final = 31
_MAX_CONTINUATIONS: Final = 200  # backslashes that continue a line over empty lines, one after the other
_CONTINUATIONS: Final = re.compile(rb"(?:\\\n[ \t]*){%d}" % _MAX_CONTINUATIONS)
_MEMORY: Final = 12 << 20  # bytes that remembered tokens take, about: those of a typical text 10 KB
_MEMORABLE: Final = 65_536  # characters of the longest text remembered


class Leaf(NamedTuple):
    """A leaf of the syntax tree: its text, its part, and the 0-based line it starts on."""

    text: str
    role: LeafRole
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
    gives: LeafRole | None
    sort: int
    token: int
    role: LeafRole
    fields: Mapping[str | None, LeafRole] | None
    below: LeafRole


_UNSEEN, _IDENTIFIER, _TEXT, _COMMENT, _LITERAL, _NUMBER, _BROKEN, _SYNTAX = range(8)
_NODES: Final = PYTHON.nodes
_SYNTAX_ROLE: Final = LeafRole.SYNTAX


def _kind(name: str) -> _Kind:
    sort, token, role = _SYNTAX, SYNTAX_IDS.get(name, NODE_IDS.get(name, UNKNOWN)), LeafRole.SYNTAX
    if name == _NODES.identifier:
        sort = _IDENTIFIER
    elif name in _NODES.texts:
        sort = _TEXT
    elif name == _NODES.comment:
        sort, role = _COMMENT, LeafRole.COMMENT
    elif name in _NODES.literals:
        sort, token = _LITERAL, NODE_IDS[name]
    elif name in _NODES.numbers:
        sort, token, role = _NUMBER, NODE_IDS[name], LeafRole.NUMBER
    elif name == "ERROR":
        sort = _BROKEN
    elif name in _NODES.hidden:
        sort = _UNSEEN
    return _Kind(
        name=name,
        opened=name not in _NODES.closed,
        inner=None if name in _NODES.transparent else ERROR if name == "ERROR" else NODE_IDS.get(name, UNKNOWN),
        sets=name in _NODES.roles,
        gives=_NODES.roles.get(name),
        sort=sort,
        token=token,
        role=role,
        fields=_NODES.fields.get(name),
        below=LeafRole.PARAMETER if name in _NODES.parameters else LeafRole.VARIABLE,
    )


_GRAMMAR: Final = PYTHON.grammar
_KINDS: Final = tuple(_kind(_GRAMMAR.node_kind_for_id(number) or "") for number in range(_GRAMMAR.node_kind_count))
_COUNT: Final = len(_KINDS)
_ERROR_KIND: Final = _kind("ERROR")  # whose number is the largest there is
_NO_KIND: Final = _kind("")


_TOKENS: TextMemory[Tokens] = TextMemory(_MEMORY)


def tokenize(text: str) -> Tokens:
    """Tokenise the own text of a definition (or any piece of Python), at most ``MAX_LEAVES`` leaves and ``MAX_TEXT``
    characters of it.

    Depends on ``text`` alone, and not on its indentation. Total: broken code gives an error token where it is broken.
    The newest answers are remembered: history, model and index ask for the same texts one after the other.
    """
    known = _TOKENS.get(text)
    if known is None:
        known = _tokenize(text)
        if len(text) <= _MEMORABLE:
            _TOKENS.put(text, known, 2 * len(text) + 16 * len(known.ids) + 160 * len(known.leaves))
    return known


def _tokenize(text: str) -> Tokens:
    data = text[:MAX_TEXT].encode("utf-8", "replace")
    if _has_endless_line(data):
        return Tokens((ERROR,), (0,), ())
    ascii_only = len(data) == len(text)  # then a byte is a character, and nothing needs decoding
    cursor = tree_of(data).walk()
    down, on, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    leaf = tuple.__new__  # which makes a Leaf in half the time that Leaf(…) takes
    ids: list[int] = []
    depths: list[int] = []
    leaves: list[Leaf] = []
    parent, role = _NO_KIND, None  # role: what an enclosing node makes of its identifiers
    above: list[tuple[_Kind, LeafRole | None]] = []
    shown = 0  # the depth, as far as it counts
    line = counted = 0  # lines begun before the byte ``counted``
    while True:
        node = cursor.node
        assert node is not None
        number = node.kind_id
        kind = _KINDS[number] if number < _COUNT else _ERROR_KIND
        if kind.opened and down():
            if kind.inner is not None:
                ids.append(kind.inner)
                depths.append(shown)
            above.append((parent, role))
            if kind.sets:
                role = kind.gives
            elif kind.name == _NODES.string and parent.name == _NODES.statement and above[-2][0].name in _NODES.bodies:
                role = LeafRole.DOCSTRING
            parent = kind
            if len(above) <= MAX_DEPTH:
                shown = len(above)
            continue
        start, end, sort = node.start_byte, node.end_byte, kind.sort
        if end > start and sort != _UNSEEN and len(leaves) < MAX_LEAVES:
            if start > counted:
                line += data.count(b"\n", counted, start)
                counted = start
            if sort == _SYNTAX:
                leaves.append(leaf(Leaf, (kind.name, _SYNTAX_ROLE, line)))
                ids.append(kind.token)
                depths.append(shown)
            elif sort == _BROKEN:
                ids.append(ERROR)
                depths.append(shown)
            else:
                word = text[start:end] if ascii_only else data[start:end].decode("utf-8", "replace")
                if sort == _IDENTIFIER:
                    part = role
                    if part is None or part is LeafRole.DOCSTRING:
                        fields = parent.fields
                        part = parent.below if fields is None else fields.get(cursor.field_name, LeafRole.VARIABLE)
                    leaves.append(leaf(Leaf, (word, part, line)))
                    ids.append(identifier_id(word))
                    depths.append(shown)
                elif sort == _TEXT:
                    part = role if role is LeafRole.DOCSTRING else LeafRole.STRING
                    leaves.append(leaf(Leaf, (word, part, line)))
                    ids.append(identifier_id(word))
                    depths.append(shown)
                else:
                    leaves.append(leaf(Leaf, (word, kind.role, line)))
                    if sort != _COMMENT:
                        ids.append(kind.token)
                        depths.append(shown)
                    if sort == _NUMBER:
                        ids.append(identifier_id(word))
                        depths.append(shown)
        while not on():
            if not up():
                return Tokens(tuple(ids), tuple(depths), tuple(leaves))
            parent, role = above.pop()
            shown = min(len(above), MAX_DEPTH)


def _has_endless_line(data: bytes) -> bool:
    """Whether a line is continued over very many empty ones, on which the grammar spends time without end."""
    return data.count(b"\\\n") >= _MAX_CONTINUATIONS and _CONTINUATIONS.search(data) is not None


def fingerprint(tokens: Tokens) -> bytes:
    """16 bytes that two texts share exactly when they differ in nothing but comments and white space."""
    digest = hashlib.blake2b(digest_size=16)
    for leaf in tokens.leaves:
        if leaf.role is not LeafRole.COMMENT:
            digest.update(leaf.text.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
    digest.update(repr((tokens.ids, tokens.depths)).encode("ascii"))
    return digest.digest()
