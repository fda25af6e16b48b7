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
from threading import Lock
from typing import Generic, Protocol, TypeVar

from tree_sitter import Node, Query, QueryCursor

from codewm_lsp.source.languages import PYTHON
from codewm_lsp.source.trees import tree_of

MODULE_NAME = "<module>"
MAX_TEXT = 1 << 20
"""Bytes of the largest text that is parsed."""

_NODES = PYTHON.nodes
_HEADERS = PYTHON.headers
_DEFINITION_TYPES = _NODES.decorated | _NODES.functions | _NODES.classes
_DEFINITIONS = Query(PYTHON.grammar, f"[{' '.join(f'({name})' for name in sorted(_DEFINITION_TYPES))}] @definition")
_MAX_EXTENSIONS = 8  # how many following statements an unfinished one may swallow to become whole (a long string)
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
class _Part:
    """Some lines of a statement: its definitions (names without numbers, lines from the part's own start), and what is
    outside of them."""

    definitions: tuple[Definition, ...]
    remainder: str
    lines: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a class and what follows it up to the next. ``end``: where what belongs to the class ends."""

    text: bytes
    part: _Part
    end: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some statements of a file, in one part; a large class in one for its header and one for each member.

    ``remainder`` is what is outside of its definitions. ``broken``: it does not parse by itself.
    """

    parts: tuple[_Part, ...]
    remainder: str
    broken: bool
    indent: int = 0
    members: tuple[_Member, ...] = ()


class Outline:
    """A text cut into its statements, and what is known of each: what its definitions are made of when they are asked
    for, and what the next version of it is parsed from."""

    __slots__ = ("_definitions", "_last_line", "parts", "pieces", "statements")

    def __init__(self, statements: Sequence[bytes], pieces: Sequence[_Piece], *, complete: bool) -> None:
        self.statements = tuple(statements)
        self.pieces = tuple(pieces)
        self.parts = tuple([part for piece in pieces for part in piece.parts])
        self._last_line = not complete  # whether a line follows the last line end
        self._definitions: tuple[Definition, ...] | None = None

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The text's definitions, in the order in which they stand; the module's remainder comes first."""
        if self._definitions is None:
            self._definitions = (*self.module(), *_placed(self.parts, 0, {}))
        return self._definitions

    def module(self) -> tuple[Definition, ...]:
        """What is outside of all definitions, where there is anything."""
        rest = "".join([piece.remainder for piece in self.pieces])
        if not rest.strip():
            return ()
        lines = max(1, sum([part.lines for part in self.parts]) + self._last_line)
        return (Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, lines, rest),)


NOTHING = Outline((), (), complete=True)


def parse_definitions(text: str) -> tuple[Definition, ...]:
    """Cut ``text`` into its definitions, in the order in which they stand; the module's remainder comes first.

    Total: any text gives an answer. An empty module remainder is left out. Text larger than ``MAX_TEXT`` is not looked
    into, nor is text with an endless line: all of it is the module. Statements seen before (in another version of the
    file, most of the time) are not parsed again.
    """
    return parse_version(text, None).definitions


def parse_version(text: str, other: Outline | None) -> Outline:
    """The same, given the outline of ``other``, a version of the text that differs little: what both begin and end with
    is not looked at again. The definitions are those of ``parse_definitions``."""
    data = text.encode("utf-8", "replace")
    complete = data.endswith(b"\n")
    if len(data) > MAX_TEXT or has_endless_line(data):
        whole = _Piece((_Part((), "", data.count(b"\n")),), data.decode("utf-8"), broken=False)
        return Outline((), (whole,), complete=False)
    statements, pieces = _pieces_like(data, other or NOTHING)
    return Outline(statements, pieces, complete=complete)


def differing(before: Outline, after: Outline) -> tuple[tuple[Definition, ...], tuple[Definition, ...]]:
    """The definitions of each without those that both have, by name and text, in statements and members that they
    begin and end with; there may be more that both have."""
    old, new = before.parts, after.parts
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and _same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and _same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    was, now = old[head : len(old) - tail], new[head : len(new) - tail]
    names = {definition.name for part in (*was, *now) for definition in part.definitions}
    for part in new[len(new) - tail :]:
        for definition in part.definitions:
            if definition.name in names:  # whose numbers may differ
                return before.definitions, after.definitions
    base = 0
    counts: dict[str, int] = {}
    for part in new[:head]:
        base += part.lines
        for definition in part.definitions:
            if definition.name in names:
                counts[definition.name] = counts.get(definition.name, 0) + 1
    return (
        (*before.module(), *_placed(was, base, dict(counts))),
        (*after.module(), *_placed(now, base, counts)),
    )


def _same(one: _Part, other: _Part) -> bool:
    """Whether the definitions of two parts have the same names and texts; a class may end on another line."""
    if one is other:
        return True
    if one.lines != other.lines or len(one.definitions) != len(other.definitions):
        return False
    return all(
        a.source == b.source and a.name == b.name for a, b in zip(one.definitions, other.definitions, strict=True)
    )


def _placed(parts: Sequence[_Part], base: int, names: dict[str, int]) -> list[Definition]:
    """The definitions of parts as those of a text: below ``base`` lines, and by names that no other has. ``names``:
    how often each was there before; counted on."""
    found: list[Definition] = []
    for part in parts:
        for definition in part.definitions:
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
            found.append(definition)
        base += part.lines
    return found


def has_endless_line(data: bytes) -> bool:
    """Whether a line is continued over very many empty ones, on which the grammar spends time without end."""
    return data.count(b"\\\n") >= _MAX_CONTINUATIONS and _CONTINUATIONS.search(data) is not None


def _pieces_like(data: bytes, other: Outline) -> tuple[Sequence[bytes], Sequence[_Piece]]:
    """The statements of a file with their pieces; as many of them as can be are those of ``other``.

    Where a statement ends is told by the first line of the next. So the last of the same statements at the beginning,
    and the first of those at the end, are looked at again with what stands between; and where something there does not
    parse by itself, all of the file is.
    """
    known = other.statements
    same, rest, begin, end = _same_ends(data, known, 0)
    if same == len(known) and begin == len(data) and known:
        return known, other.pieces
    if known:
        between = zip(known[same:rest], other.pieces[same:rest], strict=True)
        classes = {_first_line(statement): piece for statement, piece in between if piece.members}

        def judge(statement: bytes) -> _Piece:
            return _piece(statement, classes.get(_first_line(statement)) if classes else None)

        found = list(_statements(data, begin, end, 0, judge)) if begin < end else []
        pieces = [*other.pieces[:same], *(piece for _, _, piece in found), *other.pieces[rest:]]
        if not any(piece.broken for piece in pieces):
            return [*known[:same], *(data[start:stop] for start, stop, _ in found), *known[rest:]], pieces
    return _pieces(data)


def _first_line(statement: bytes) -> bytes:
    return statement.partition(b"\n")[0]


def _same_ends(data: bytes, known: Sequence[bytes], indent: int) -> tuple[int, int, int, int]:
    """How many of ``known`` the data begins with for certain, from which on it ends with them, and the bytes between.

    ``known``: statements at the indentation ``indent`` that follow each other. All of them, and the length of the data,
    when it consists of them.
    """
    begin = same = 0
    while same < len(known) and data.startswith(known[same], begin):
        begin += len(known[same])
        same += 1
    if same == len(known) and begin == len(data):
        return same, same, begin, begin
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
    while rest < len(known) and not _is_definition(known[rest], indent):
        end += len(known[rest])
        rest += 1
    return same, rest, begin, end


def _is_definition(statement: bytes, indent: int) -> bool:
    """Whether a statement begins with a definition at the indentation, which begins one whatever stands before it."""
    match = _HEADERS.statement(indent).match(statement)
    return match is not None and match.lastindex == 2 and match.end(1) == indent


def _pieces(data: bytes) -> tuple[list[bytes], list[_Piece]]:
    """The file, whole or in pieces that parse each by itself, which comes to the same."""
    found = list(_statements(data, 0, len(data), 0, _piece))
    statements = [data[start:end] for start, end, _ in found]
    pieces = [piece for _, _, piece in found]
    if not any(piece.broken for piece in pieces):
        return statements, pieces
    root = tree_of(data).root_node
    if not root.has_error:  # text at the margin inside a string, more of it than ``_MAX_EXTENSIONS``
        return [], [_cut(data, list(_spans_of_tree(data, root, 0)), broken=False)]
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
_MEMBERS: _Memory[_Member] = _Memory(_PIECE_MEMORY)


def _piece(data: bytes, like: _Piece | None = None) -> _Piece:
    """Parse some statements; the second time the answer is remembered. ``like``: a class that may differ little."""
    known = _PIECES.get(data)
    if known is None:
        known = _class_piece(data, like) if len(data) > _LARGE_CLASS else None
        if known is None:
            parsed = _parse(data)
            known = _cut(data, list(parsed.spans), broken=parsed.broken)
        count = sum([len(part.definitions) for part in known.parts])
        _PIECES.put(data, known, 2 * len(data) + 400 * (1 + count))
    return known


def _broken_piece(data: bytes) -> _Piece:
    """A statement that does not parse, cut by its headers and indentation; remembered too."""
    known = _BROKEN.get(data)
    if known is None:
        known = _cut(data, _spans_of_statement(data, 0, len(data)), broken=True)
        _BROKEN.put(data, known, 2 * len(data) + 400 * (1 + len(known.parts[0].definitions)))
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
            if child.type != _NODES.comment:
                break
        else:
            tail.clear()
        known = _Parsed(tuple(_spans_of_tree(data, root, 0)), root.has_error, tuple(reversed(tail)))
        _PARSED.put(data, known, len(data) + 200 * (2 + len(known.spans)))
    return known


def _class_piece(data: bytes, like: _Piece | None) -> _Piece | None:
    """Parse a class member by member, which comes to the same; None when it is none, or does not fall apart so.

    ``like``: members that it begins and ends with are not looked at again.
    """
    header = _HEADERS.class_body.match(data)
    if header is None:
        return None
    indent = len(header.group(1))
    members = _members(data, header.start(1), indent, like) if like is not None and like.indent == indent else []
    if not members:
        found = _statements(data, header.start(1), len(data), indent, _parse, first=0)
        members = [(data[start:stop], parsed) for start, stop, parsed in found]
    if len(members) < 2:
        return None
    text, parsed = members[0]
    first = parsed if isinstance(parsed, _Member) else _class_header(text, parsed)
    if first is None:
        return None
    name = first.part.definitions[0].name
    if like is not None and like.parts[0].definitions[0].name != name:
        return _class_piece(data, None)
    made = [first]
    for text, parsed in members[1:]:
        member = parsed if isinstance(parsed, _Member) else _member(text, parsed, name, indent)
        if member is None:
            return None
        made.append(member)
    last = made[-1]
    behind = last.text[last.end :].decode("utf-8", "replace")
    header_only = first.part.definitions[0]
    source = "".join([header_only.source, *(member.part.remainder for member in made[1:])])
    whole = Definition(
        name,
        header_only.kind,
        header_only.line,
        header_only.start,
        sum([member.part.lines for member in made[:-1]]) + last.text.count(b"\n", 0, max(0, last.end - 1)) + 1,
        source[: len(source) - len(behind)],
    )
    parts = (
        _Part((whole, *first.part.definitions[1:]), "", first.part.lines),
        *(member.part for member in made[1:]),
    )
    return _Piece(parts, first.part.remainder + behind, broken=False, indent=indent, members=tuple(made))


def _members(data: bytes, body: int, indent: int, like: _Piece) -> list[tuple[bytes, _Parsed | _Member]]:
    """The members of a class, those that ``like`` begins and ends with taken from there; none when that is in doubt."""
    known = [member.text for member in like.members]
    same, rest, begin, end = _same_ends(data, known, indent)
    found: list[tuple[int, int, _Parsed]] = []
    if not same:
        found += _statements(data, body, end, indent, _parse, first=0)
    elif begin < end:
        found += _statements(data, begin, end, indent, _parse)
    if any(parsed.broken for _, _, parsed in found) or (found and found[0][0] != begin):
        return []
    return [
        *zip(known[:same], like.members[:same], strict=True),
        *((data[start:stop], parsed) for start, stop, parsed in found),
        *zip(known[rest:], like.members[rest:], strict=True),
    ]


def _class_header(data: bytes, parsed: _Parsed) -> _Member | None:
    """The beginning of a class up to its first member, all of it the class's own; None when it is something else."""
    if parsed.broken or not parsed.tail:
        return None
    spans = list(parsed.spans)
    if not spans or not spans[0].is_class or spans[0].end != parsed.tail[0][0]:
        return None
    spans[0] = _Span(spans[0].start, len(data), spans[0].header, True, spans[0].name)
    piece = _cut(data, spans, broken=False)
    return _Member(data, piece.parts[0], len(data))


def _member(data: bytes, parsed: _Parsed, name: str, indent: int) -> _Member | None:
    """A member of the class of that name; None when it cannot be one by itself. Remembered."""
    if parsed.broken or not parsed.tail:
        return None
    if parsed.tail[0][1] < indent:
        return None  # statements behind the class, in one piece with it for a string with text at the margin
    key = b"%d %s %s" % (indent, name.encode("utf-8", "replace"), data)
    known = _MEMBERS.get(key)
    if known is None:
        end = parsed.tail[0][0]
        for comment_end, column in parsed.tail[1:]:
            if column < indent:
                break
            end = comment_end
        part = _cut(data, list(parsed.spans), broken=False, inside=name).parts[0]
        known = _Member(data, part, end)
        _MEMBERS.put(key, known, 2 * len(data) + 400 * (1 + len(part.definitions)))
    return known


def _cut(data: bytes, spans: list[_Span], *, broken: bool, inside: str = "") -> _Piece:
    """Give each span its own text: what is not in a span nested in it. ``inside``: the class they are members of."""
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
        elif spans[parent - 1].is_class if parent else inside:
            kind = DefinitionKind.METHOD
        else:
            kind = DefinitionKind.FUNCTION
        within = definitions[parent - 1].name if parent else inside
        line += data.count(b"\n", offset, span.start)
        offset = span.start
        definitions.append(
            Definition(
                name=f"{within}.{span.name}" if within else span.name,
                kind=kind,
                line=line + data.count(b"\n", span.start, span.header),
                start=line,
                end=line + data.count(b"\n", span.start, max(span.start, span.end - 1)) + 1,
                source=b"".join(own[index + 1]).decode("utf-8", "replace"),
            )
        )
    rest = b"".join(own[0]).decode("utf-8", "replace")
    return _Piece((_Part(tuple(definitions), rest, data.count(b"\n")),), rest, broken)


def _spans_of_tree(data: bytes, root: Node, offset: int) -> Iterator[_Span]:
    captured = _definition_nodes(data, root)
    decorated: dict[int, int] = {}  # where a definition starts → where its first decorator does
    for node in captured:
        inner = node.child_by_field_name("definition") if node.type in _NODES.decorated else None
        if inner is not None:
            decorated[inner.start_byte] = node.start_byte
    for node in captured:
        if node.type in _NODES.decorated:
            continue
        name = node.child_by_field_name("name")
        if name is None or not name.text:
            continue
        yield _Span(
            start=decorated.get(node.start_byte, node.start_byte) + offset,
            end=node.end_byte + offset,
            header=node.start_byte + offset,
            is_class=node.type in _NODES.classes,
            name=name.text.decode("utf-8", "replace"),
        )


def _definition_nodes(data: bytes, root: Node) -> list[Node]:
    """Definitions and their decorations, in no certain order."""
    if not root.has_error and (alone := _only_definition(data, root)) is not None:
        return alone
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


def _only_definition(data: bytes, root: Node) -> list[Node] | None:
    """The definitions, where there is none, or but one and it is the first statement; None where it takes a search."""
    count = len(_HEADERS.keyword.findall(data))
    if count != 1:
        return None if count else []
    for index in range(root.child_count):
        node = root.child(index)
        if node is not None and node.type != _NODES.comment:
            inner = node.child_by_field_name("definition") if node.type in _NODES.decorated else None
            if inner is not None:
                return [node, inner]
            return [node] if node.type in _DEFINITION_TYPES else None
    return None


def _spans_of_statement(data: bytes, start: int, end: int, depth: int = 0) -> list[_Span]:
    """Definitions of one statement of a broken file; a broken class is cut into its members in turn."""
    piece = data[start:end]
    root = tree_of(piece).root_node
    body = piece.lstrip(b" \t")
    if not root.has_error or depth > _MAX_BROKEN_DEPTH or not _HEADERS.begins.match(body):
        return list(_spans_of_tree(piece, root, start))
    header = next(
        (m for line in _line_starts(piece) if (m := _HEADERS.line.match(piece, line))),
        None,
    )
    if header is None:
        return []
    is_class = _HEADERS.is_class.match(header.group(0)) is not None
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
            if _HEADERS.begins.match(member):
                spans.extend(_spans_of_statement(data, member_start, member_end, depth + 1))
    return spans


def _body_indent(piece: bytes, after: int) -> int:
    """Width of the indentation of the members of a block, or 0 where there is none.

    The smallest there is: a docstring's example stands deeper than the members.
    """
    own = len(piece) - len(piece.lstrip(b" \t"))
    return min(
        (width for match in _HEADERS.member.finditer(piece, after) if (width := len(match.group(1))) > own), default=0
    )


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
    for match in _HEADERS.statement(indent).finditer(data, begin, end):
        starts = match.lastindex == 2 and match.end(1) - match.start() == indent
        decorator = starts and match.group(2) == _HEADERS.decorator
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
