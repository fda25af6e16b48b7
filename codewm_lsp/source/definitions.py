"""Python text → definitions: functions, methods, class headers, and the rest of the module.

A definition owns its text without that of the definitions nested in it, so that one change belongs to exactly one
definition. Qualified names are those of Python (``Client.get``), without ``<locals>``; the second ``get`` is ``get#2``.

A file with a syntax error is cut into the statements that stand at the margin, and each is parsed by itself: what is
broken in one of them cannot change the tokens of another.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from threading import Lock

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

MODULE_NAME = "<module>"

PYTHON = Language(tree_sitter_python.language())
_DEFINITIONS = Query(PYTHON, "[(function_definition) (class_definition)] @definition")
_HEADER = re.compile(rb"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")
_STARTS_DEFINITION = re.compile(rb"(?:@|(?:async[ \t]+def|def|class)[ \t]+\w)")
_MAX_EXTENSIONS = 8  # how many following statements an unfinished one may swallow to become whole (a long string)
_MEMORY = 16 << 20  # bytes of statements remembered, about


class DefinitionKind(str, Enum):
    """What sort of definition an edit changes."""

    FUNCTION = "function"
    METHOD = "method"
    CLASS = "class"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition of a file, as it stands.

    ``line``, ``start`` and ``end`` are 0-based lines: of the ``def``/``class`` keyword, of the first decorator, and
    one past the last line. ``source`` is the definition's own text, nested definitions cut out.
    """

    name: str
    kind: DefinitionKind
    line: int
    start: int
    end: int
    source: str


@dataclass(slots=True)
class _Span:
    start: int
    end: int
    header: int
    is_class: bool
    name: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some statements of a file: its definitions (names without numbers, lines from the piece's own start), and what
    is outside of them. ``broken``: it does not parse by itself."""

    definitions: tuple[Definition, ...]
    remainder: str
    lines: int
    broken: bool


def parse_definitions(text: str) -> tuple[Definition, ...]:
    """Cut ``text`` into its definitions, in the order in which they stand; the module's remainder comes first.

    Total: any text gives an answer. An empty module remainder is left out. Statements seen before (in another version
    of the file, most of the time) are not parsed again.
    """
    data = text.encode("utf-8", "replace")
    remainder: list[str] = []
    definitions: list[Definition] = []
    names: dict[str, int] = {}
    base = 0
    for piece in _pieces(data):
        for definition in piece.definitions:
            name = definition.name
            count = names[name] = names.get(name, 0) + 1
            if base or count > 1:
                definition = Definition(
                    name if count == 1 else f"{name}#{count}",
                    definition.kind,
                    definition.line + base,
                    definition.start + base,
                    definition.end + base,
                    definition.source,
                )
            definitions.append(definition)
        remainder.append(piece.remainder)
        base += piece.lines
    rest = "".join(remainder)
    if rest.strip():
        lines = max(1, base + (not data.endswith(b"\n")))
        definitions.insert(0, Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, lines, rest))
    return tuple(definitions)


def _pieces(data: bytes) -> list[_Piece]:
    """The file, whole or in pieces that parse each by itself, which comes to the same."""
    statements = [data[start:end] for start, end in _statements(data, 0, len(data), 0)]
    pieces = [_piece(statement) for statement in statements]
    if not any(piece.broken for piece in pieces):
        return pieces
    root = Parser(PYTHON).parse(data).root_node
    if not root.has_error:  # text at the margin inside a string, more of it than ``_MAX_EXTENSIONS``
        return [_cut(data, list(_spans_of_tree(root, 0)), broken=False)]
    return [_broken_piece(statements[index]) if piece.broken else piece for index, piece in enumerate(pieces)]


class _Memory:
    """The pieces parsed last, by their text; least recently used ones go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._lock = Lock()
        self._pieces: OrderedDict[bytes, tuple[_Piece, int]] = OrderedDict()

    def get(self, key: bytes) -> _Piece | None:
        with self._lock:
            known = self._pieces.get(key)
            if known is None:
                return None
            self._pieces.move_to_end(key)
            return known[0]

    def put(self, key: bytes, piece: _Piece, size: int) -> None:
        with self._lock:
            if key not in self._pieces:
                self._pieces[key] = (piece, size)
                self._size += size
            while self._size > self._limit:
                self._size -= self._pieces.popitem(last=False)[1][1]


_REMEMBERED = _Memory(_MEMORY)


def _piece(data: bytes) -> _Piece:
    """Parse some statements; the second time the answer is remembered."""
    key = blake2b(data, digest_size=16).digest()
    known = _REMEMBERED.get(key)
    if known is None:
        root = Parser(PYTHON).parse(data).root_node
        known = _cut(data, list(_spans_of_tree(root, 0)), broken=root.has_error)
        _REMEMBERED.put(key, known, len(data) + 400 * (1 + len(known.definitions)))
    return known


def _broken_piece(data: bytes) -> _Piece:
    """A statement that does not parse, cut by its headers and indentation; remembered too."""
    key = b"broken" + blake2b(data, digest_size=16).digest()
    known = _REMEMBERED.get(key)
    if known is None:
        known = _cut(data, _spans_of_statement(data, 0, len(data)), broken=True)
        _REMEMBERED.put(key, known, len(data) + 400 * (1 + len(known.definitions)))
    return known


def _cut(data: bytes, spans: list[_Span], *, broken: bool) -> _Piece:
    """Give each span its own text: what is not in a span nested in it."""
    spans.sort(key=lambda span: (span.start, -span.end))
    own: list[list[bytes]] = [[]]  # own[0]: outside of all; own[i + 1]: spans[i]
    cursor = [0]
    stack: list[int] = []  # indexes into spans
    parents: list[int] = []  # index + 1, 0 for none

    def close(until: int) -> None:
        while stack and spans[stack[-1]].end <= until:
            index = stack.pop()
            own[index + 1].append(data[cursor[index + 1] : spans[index].end])
            parent = stack[-1] + 1 if stack else 0
            cursor[parent] = spans[index].end

    for index, span in enumerate(spans):
        close(span.start)
        parent = stack[-1] + 1 if stack else 0
        own[parent].append(data[cursor[parent] : span.start])
        parents.append(parent)
        stack.append(index)
        own.append([])
        cursor.append(span.start)
    close(len(data) + 1)
    own[0].append(data[cursor[0] :])

    definitions: list[Definition] = []
    line, offset = 0, 0
    for index, span in enumerate(spans):
        parent = parents[index]
        if span.is_class:
            kind = DefinitionKind.CLASS
        elif parent and spans[parent - 1].is_class:
            kind = DefinitionKind.METHOD
        else:
            kind = DefinitionKind.FUNCTION
        line += data.count(b"\n", offset, span.start)
        offset = span.start
        definitions.append(
            Definition(
                name=f"{definitions[parent - 1].name}.{span.name}" if parent else span.name,
                kind=kind,
                line=line + data.count(b"\n", span.start, span.header),
                start=line,
                end=line + data.count(b"\n", span.start, max(span.start, span.end - 1)) + 1,
                source=b"".join(own[index + 1]).decode("utf-8", "replace"),
            )
        )
    return _Piece(tuple(definitions), b"".join(own[0]).decode("utf-8", "replace"), data.count(b"\n"), broken)


@lru_cache(maxsize=64)
def _margin(indent: int) -> re.Pattern[bytes]:
    """Lines that start a statement at this indentation or a smaller one; group 2 where it may be a definition."""
    return re.compile(
        rb"^([ \t]{0,%d})(?:(@|(?:async[ \t]+def|def|class)[ \t]+\w)|[^ \t\r\n\f\\#)\]}])" % indent, re.MULTILINE
    )


def _spans_of_tree(root: Node, offset: int) -> Iterator[_Span]:
    for node in QueryCursor(_DEFINITIONS).captures(root).get("definition", ()):
        name = node.child_by_field_name("name")
        if name is None or not name.text:
            continue
        outer = node.parent if node.parent is not None and node.parent.type == "decorated_definition" else node
        yield _Span(
            start=outer.start_byte + offset,
            end=outer.end_byte + offset,
            header=node.start_byte + offset,
            is_class=node.type == "class_definition",
            name=name.text.decode("utf-8", "replace"),
        )


def _spans_of_statement(data: bytes, start: int, end: int) -> list[_Span]:
    """Definitions of one statement of a broken file; a broken class is cut into its members in turn."""
    piece = data[start:end]
    root = Parser(PYTHON).parse(piece).root_node
    body = piece.lstrip(b" \t")
    if not root.has_error or not _STARTS_DEFINITION.match(body):
        return list(_spans_of_tree(root, start))
    header = next(
        (m for line in _line_starts(piece) if (m := _HEADER.match(piece, line))),
        None,
    )
    if header is None:
        return []
    is_class = header.group(0).lstrip().startswith(b"class")
    trimmed = start + len(piece.rstrip())
    own = _Span(
        start=start + len(piece) - len(body),
        end=max(trimmed, start + header.end()),
        header=start + header.end() - len(header.group(0).lstrip()),
        is_class=is_class,
        name=header.group(1).decode("utf-8", "replace"),
    )
    spans = [own]
    indent = _body_indent(piece, header.end())
    if indent:
        for member_start, member_end in _statements(data, start + header.end(), end, indent):
            member = data[member_start:member_end].lstrip(b" \t")
            if _STARTS_DEFINITION.match(member):
                spans.extend(_spans_of_statement(data, member_start, member_end))
    return spans


def _body_indent(piece: bytes, after: int) -> int:
    """Width of the indentation of the first member of a block, or 0 where there is none."""
    own = len(piece) - len(piece.lstrip(b" \t"))
    for line in _line_starts(piece):
        if line <= after:
            continue
        text = piece[line : line + 200]
        indent = len(text) - len(text.lstrip(b" \t"))
        if indent > own and _STARTS_DEFINITION.match(text, indent):
            return indent
    return 0


def _statements(data: bytes, begin: int, end: int, indent: int) -> Iterator[tuple[int, int]]:
    """Byte ranges of the statements at indentation ``indent`` between ``begin`` and ``end``.

    An unfinished statement takes in as many following ones as make it whole (a string over several lines with text
    at the margin), at most ``_MAX_EXTENSIONS``; when none does, it stays alone.
    """
    bounds: list[tuple[int, bool]] = []  # (offset, starts a definition)
    after_decorator = False
    for match in _margin(indent).finditer(data, begin, end):
        decorator = match.group(2) == b"@" and len(match.group(1)) == indent
        if after_decorator:
            after_decorator = decorator
            continue
        starts = match.group(2) is not None and len(match.group(1)) == indent
        if starts or not bounds or bounds[-1][1]:
            bounds.append((match.start(), starts))
        after_decorator = decorator
    if not bounds:
        if not indent:
            yield begin, end
        return
    if not indent:
        bounds[0] = (begin, bounds[0][1])
    edges = [offset for offset, _ in bounds] + [end]
    index = 0
    while index < len(bounds):
        stop = index + 1
        if _piece(data[edges[index] : edges[stop]]).broken:
            for further in range(index + 2, min(index + 2 + _MAX_EXTENSIONS, len(edges))):
                if not _piece(data[edges[index] : edges[further]]).broken:
                    stop = further
                    break
        yield edges[index], edges[stop]
        index = stop


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    position = data.find(b"\n")
    while position >= 0:
        starts.append(position + 1)
        position = data.find(b"\n", position + 1)
    if len(starts) > 1 and starts[-1] == len(data):
        starts.pop()
    return starts
