"""Python text → definitions: functions, methods, class headers, and the rest of the module.

A definition owns its text without that of the definitions nested in it, so that one change belongs to exactly one
definition. Qualified names are those of Python (``Client.get``), without ``<locals>``; the second ``get`` is ``get#2``.

A file with a syntax error is cut into the statements that stand at the margin, and each is parsed by itself: what is
broken in one of them cannot change the tokens of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from threading import Lock
from typing import Generic, Protocol, TypeVar

from tree_sitter import Node, Query, QueryCursor

from codewm_lsp.source.trees import PYTHON, tree_of

MODULE_NAME = "<module>"
MAX_TEXT = 1 << 20
"""Bytes of the largest text that is parsed."""

_DEFINITION_TYPES = ("decorated_definition", "function_definition", "class_definition")
_DEFINITIONS = Query(PYTHON, f"[{' '.join(f'({name})' for name in _DEFINITION_TYPES)}] @definition")
_HEADER = re.compile(rb"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")
_CLASS = re.compile(
    rb"(?:@[^\n]*\n)*class[ \t]+\w+[^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*([ \t]+)[^ \t\r\n]"
)
_STARTS_DEFINITION = re.compile(rb"(?:@|(?:async[ \t]+def|def|class)[ \t]+\w)")
_MAX_EXTENSIONS = 8  # how many following statements an unfinished one may swallow to become whole (a long string)
_MEMBER = re.compile(rb"^([ \t]+)(?:@|(?:async[ \t]+def|def|class)[ \t]+\w)", re.MULTILINE)
_MAX_FAILURES = 50  # statements that nothing makes whole, after which it is no longer tried
_MAX_EXTENSION = 1 << 17  # bytes of an unfinished statement with what it swallowed
_MAX_BROKEN_DEPTH = 4  # broken classes in broken classes that are cut
_MAX_CONTINUATIONS = 200  # backslashes that continue a line over empty lines, one after the other
_CONTINUATIONS = re.compile(rb"(?:\\\n[ \t]*){%d}" % _MAX_CONTINUATIONS)
_MAX_QUERIED = 10_000  # nodes of a broken tree from which a query, quadratic in what does not parse, is too slow
_MAX_TAIL = 100  # comments behind a class
_PIECE_MEMORY = 16 << 20  # bytes that remembered statements take, about
_PARSED_MEMORY = 4 << 20
_LARGE_CLASS = 2048  # bytes from which a class is worth parsing member by member


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


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    header: int
    is_class: bool
    name: str


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a parse of some statements found. ``tail``: end and column of the last statement and the comments after."""

    spans: tuple[_Span, ...]
    broken: bool
    tail: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some statements of a file: its definitions (names without numbers, lines from the piece's own start), and what
    is outside of them. ``broken``: it does not parse by itself."""

    definitions: tuple[Definition, ...]
    remainder: str
    lines: int
    broken: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """A text cut into its statements, and what is known of each: what the next version of it is parsed from.

    ``placed``: of each statement its definitions, with their numbered names and their lines in the text.
    """

    statements: tuple[bytes, ...]
    pieces: tuple[_Piece, ...]
    placed: tuple[tuple[Definition, ...], ...]


_NOTHING = Outline((), (), ())


def parse_definitions(text: str) -> tuple[Definition, ...]:
    """Cut ``text`` into its definitions, in the order in which they stand; the module's remainder comes first.

    Total: any text gives an answer. An empty module remainder is left out. Text larger than ``MAX_TEXT`` is not looked
    into, nor is text with an endless line: all of it is the module. Statements seen before (in another version of the
    file, most of the time) are not parsed again.
    """
    return parse_version(text, _NOTHING)[0]


def parse_version(text: str, other: Outline | None) -> tuple[tuple[Definition, ...], Outline]:
    """The same, given the outline of ``other``, a version of the text that differs little: the statements that both
    begin and end with are not looked at again. The answer is that of ``parse_definitions``; and the text's outline."""
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_TEXT or has_endless_line(data):
        whole = data.decode("utf-8")
        return (Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, data.count(b"\n") + 1, whole),), _NOTHING
    other = other or _NOTHING
    statements, pieces, same = _pieces_like(data, other)
    placed: list[tuple[Definition, ...]] = []
    definitions: list[Definition] = []
    names: dict[str, int] = {}
    base = 0
    for index, piece in enumerate(pieces):
        if index < same:
            known = other.placed[index]
            for definition in piece.definitions:
                names[definition.name] = names.get(definition.name, 0) + 1
        else:
            known = tuple([_place(definition, base, names) for definition in piece.definitions])
        placed.append(known)
        definitions += known
        base += piece.lines
    rest = "".join([piece.remainder for piece in pieces])
    if rest.strip():
        lines = max(1, base + (not data.endswith(b"\n")))
        definitions.insert(0, Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, lines, rest))
    return tuple(definitions), Outline(tuple(statements), tuple(pieces), tuple(placed))


def _place(definition: Definition, base: int, names: dict[str, int]) -> Definition:
    """A definition of a piece as one of the text: below ``base`` lines, and by a name that no other has."""
    name = definition.name
    count = names[name] = names.get(name, 0) + 1
    if not base and count == 1:
        return definition
    return Definition(
        name if count == 1 else f"{name}#{count}",
        definition.kind,
        definition.line + base,
        definition.start + base,
        definition.end + base,
        definition.source,
    )


def has_endless_line(data: bytes) -> bool:
    """Whether a line is continued over very many empty ones, on which the grammar spends time without end."""
    return data.count(b"\\\n") >= _MAX_CONTINUATIONS and _CONTINUATIONS.search(data) is not None


def _pieces_like(data: bytes, other: Outline) -> tuple[Sequence[bytes], Sequence[_Piece], int]:
    """The statements of a file with their pieces, and how many at its beginning are those of ``other``.

    Where a statement ends is told by the first line of the next. So the last of the same statements at the beginning,
    and the first of those at the end, are looked at again with what stands between; and where something there does not
    parse by itself, all of the file is.
    """
    known = other.statements
    begin = same = 0
    while same < len(known) and data.startswith(known[same], begin):
        begin += len(known[same])
        same += 1
    if same == len(known) and begin == len(data) and known:
        return known, other.pieces, same
    if same:
        same -= 1
        begin -= len(known[same])
    end = len(data)
    rest = len(known)  # statements from there on stand at the end of the file too
    while rest > same and data.endswith(known[rest - 1], begin, end):
        rest -= 1
        end -= len(known[rest])
    if rest < len(known):
        end += len(known[rest])
        rest += 1
    while rest < len(known) and not _is_definition(known[rest]):
        end += len(known[rest])
        rest += 1
    if same or rest < len(known):
        between = list(_statements(data, begin, end, 0, _piece)) if begin < end else []
        pieces = [*other.pieces[:same], *(piece for _, _, piece in between), *other.pieces[rest:]]
        if not any(piece.broken for piece in pieces):
            return [*known[:same], *(data[start:stop] for start, stop, _ in between), *known[rest:]], pieces, same
    statements, pieces = _pieces(data)
    return statements, pieces, 0


def _is_definition(statement: bytes) -> bool:
    """Whether a statement begins with a definition at the margin, which begins one whatever stands before it."""
    match = _margin(0).match(statement)
    return match is not None and match.lastindex == 2


def _pieces(data: bytes) -> tuple[list[bytes], list[_Piece]]:
    """The file, whole or in pieces that parse each by itself, which comes to the same."""
    found = list(_statements(data, 0, len(data), 0, _piece))
    statements = [data[start:end] for start, end, _ in found]
    pieces = [piece for _, _, piece in found]
    if not any(piece.broken for piece in pieces):
        return statements, pieces
    root = tree_of(data).root_node
    if not root.has_error:  # text at the margin inside a string, more of it than ``_MAX_EXTENSIONS``
        return [], [_cut(data, list(_spans_of_tree(root, 0)), broken=False)]
    pieces = [
        _broken_piece(statement) if piece.broken else piece for statement, piece in zip(statements, pieces, strict=True)
    ]
    return statements, pieces


_Answer = TypeVar("_Answer")


class _Memory(Generic[_Answer]):
    """Answers given last, by the text they are about, in two generations: an answer that is asked for again moves to
    the younger one; when that is full, the older one is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit // 2
        self._size = 0
        self._lock = Lock()
        self._young: dict[bytes, tuple[_Answer, int]] = {}
        self._old: dict[bytes, tuple[_Answer, int]] = {}

    def get(self, key: bytes) -> _Answer | None:
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
            if known is None:
                return None
            self.put(key, *known)
        return known[0]

    def put(self, key: bytes, answer: _Answer, size: int) -> None:
        with self._lock:
            if key not in self._young:
                if self._size + size > self._limit:
                    self._old, self._young, self._size = self._young, {}, 0
                self._young[key] = (answer, size)
                self._size += size


_PIECES: _Memory[_Piece] = _Memory(_PIECE_MEMORY)
_BROKEN: _Memory[_Piece] = _Memory(_PIECE_MEMORY // 4)
_PARSED: _Memory[_Parsed] = _Memory(_PARSED_MEMORY)


def _piece(data: bytes) -> _Piece:
    """Parse some statements; the second time the answer is remembered."""
    known = _PIECES.get(data)
    if known is None:
        parsed = _parse_members(data) if len(data) > _LARGE_CLASS else None
        parsed = parsed or _parse(data)
        known = _cut(data, list(parsed.spans), broken=parsed.broken)
        _PIECES.put(data, known, 2 * len(data) + 400 * (1 + len(known.definitions)))
    return known


def _broken_piece(data: bytes) -> _Piece:
    """A statement that does not parse, cut by its headers and indentation; remembered too."""
    known = _BROKEN.get(data)
    if known is None:
        known = _cut(data, _spans_of_statement(data, 0, len(data)), broken=True)
        _BROKEN.put(data, known, 2 * len(data) + 400 * (1 + len(known.definitions)))
    return known


def _parse(data: bytes) -> _Parsed:
    """Parse some statements as they are; the second time the answer is remembered."""
    known = _PARSED.get(data)
    if known is None:
        root = tree_of(data).root_node
        tail: list[tuple[int, int]] = []
        for index in range(root.child_count - 1, max(-1, root.child_count - _MAX_TAIL), -1):
            child = root.child(index)
            assert child is not None
            tail.append((child.end_byte, child.start_point.column))
            if child.type != "comment":
                break
        else:
            tail.clear()
        known = _Parsed(tuple(_spans_of_tree(root, 0)), root.has_error, tuple(reversed(tail)))
        _PARSED.put(data, known, len(data) + 200 * (2 + len(known.spans)))
    return known


def _parse_members(data: bytes) -> _Parsed | None:
    """Parse a class member by member, which comes to the same; None when it is none, or does not fall apart so."""
    header = _CLASS.match(data)
    if header is None:
        return None
    indent = len(header.group(1))
    spans: list[_Span] = []
    end = 0
    for begin, _, member in _statements(data, header.start(1), len(data), indent, _parse, first=0):
        if member.broken or not member.tail:
            return None
        if begin and member.tail[0][1] < indent:
            return None  # statements behind the class, in one piece with it for a string with text at the margin
        if not begin and not (member.spans and member.spans[0].is_class and member.spans[0].end == member.tail[0][0]):
            return None
        spans.extend(
            _Span(span.start + begin, span.end + begin, span.header + begin, span.is_class, span.name)
            for span in member.spans
        )
        end = begin + member.tail[0][0]
        for comment_end, column in member.tail[1:]:
            if column < indent:
                break
            end = begin + comment_end
    spans[0] = _Span(spans[0].start, end, spans[0].header, True, spans[0].name)
    return _Parsed(tuple(spans), False, ())


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
        rb"^([ \t]{0,%d})(?:(@(?!def\b|class\b|async\b)|(?:async[ \t]+def|def|class)[ \t]+\w)|[^ \t\r\n\f\\#)\]}])"
        % indent,
        re.MULTILINE,
    )


def _spans_of_tree(root: Node, offset: int) -> Iterator[_Span]:
    captured = _definition_nodes(root)
    decorated: dict[int, int] = {}  # where a definition starts → where its first decorator does
    for node in captured:
        inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else None
        if inner is not None:
            decorated[inner.start_byte] = node.start_byte
    for node in captured:
        if node.type == "decorated_definition":
            continue
        name = node.child_by_field_name("name")
        if name is None or not name.text:
            continue
        yield _Span(
            start=decorated.get(node.start_byte, node.start_byte) + offset,
            end=node.end_byte + offset,
            header=node.start_byte + offset,
            is_class=node.type == "class_definition",
            name=name.text.decode("utf-8", "replace"),
        )


def _definition_nodes(root: Node) -> list[Node]:
    """Definitions and their decorations, in no certain order."""
    if not root.has_error or root.descendant_count < _MAX_QUERIED:
        return QueryCursor(_DEFINITIONS).captures(root).get("definition", [])
    found: list[Node] = []
    cursor = root.walk()
    while True:
        node = cursor.node
        if node is not None and node.type in _DEFINITION_TYPES:
            found.append(node)
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found


def _spans_of_statement(data: bytes, start: int, end: int, depth: int = 0) -> list[_Span]:
    """Definitions of one statement of a broken file; a broken class is cut into its members in turn."""
    piece = data[start:end]
    root = tree_of(piece).root_node
    body = piece.lstrip(b" \t")
    if not root.has_error or depth > _MAX_BROKEN_DEPTH or not _STARTS_DEFINITION.match(body):
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
        for member_start, member_end, _ in _statements(data, start + header.end(), end, indent, _parse):
            member = data[member_start:member_end].lstrip(b" \t")
            if _STARTS_DEFINITION.match(member):
                spans.extend(_spans_of_statement(data, member_start, member_end, depth + 1))
    return spans


def _body_indent(piece: bytes, after: int) -> int:
    """Width of the indentation of the members of a block, or 0 where there is none.

    The smallest there is: a docstring's example stands deeper than the members.
    """
    own = len(piece) - len(piece.lstrip(b" \t"))
    return min((width for match in _MEMBER.finditer(piece, after) if (width := len(match.group(1))) > own), default=0)


class _Judged(Protocol):
    """What is known of some statements, among it whether they parse by themselves."""

    @property
    def broken(self) -> bool: ...


_Judgement = TypeVar("_Judgement", bound=_Judged)


def _statements(
    data: bytes,
    begin: int,
    end: int,
    indent: int,
    judge: Callable[[bytes], _Judgement],
    first: int | None = None,
) -> Iterator[tuple[int, int, _Judgement]]:
    """Byte ranges of the statements at indentation ``indent`` between ``begin`` and ``end``, each with what ``judge``
    finds in it.

    ``first``: where the first range starts instead, whatever stands there.

    An unfinished statement takes in as many following ones as make it whole (a string over several lines with text
    at the margin), at most ``_MAX_EXTENSIONS``; when none does, it stays alone.
    """
    edges: list[int] = []
    after_decorator = False
    open_piece = False  # whether what follows and is no definition belongs to the range before
    for match in _margin(indent).finditer(data, begin, end):
        starts = match.lastindex == 2 and match.end(1) - match.start() == indent
        decorator = starts and match.group(2) == b"@"
        if after_decorator:
            after_decorator = decorator
            continue
        if starts or not open_piece:
            edges.append(match.start())
            open_piece = not starts
        after_decorator = decorator
    if not edges:
        if not indent:
            yield begin, end, judge(data[begin:end])
        return
    if not indent:
        edges[0] = begin
    if first is not None:
        edges.insert(0, first)
    edges.append(end)
    count = len(edges) - 1
    failures = 0
    index = 0
    while index < count:
        stop = index + 1
        judged = judge(data[edges[index] : edges[stop]])
        if judged.broken and failures < _MAX_FAILURES:
            for further in range(index + 2, min(index + 2 + _MAX_EXTENSIONS, count + 1)):
                if edges[further] - edges[index] > _MAX_EXTENSION:
                    break
                longer = judge(data[edges[index] : edges[further]])
                if not longer.broken:
                    stop, judged = further, longer
                    break
            failures += stop == index + 1
        yield edges[index], edges[stop], judged
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
