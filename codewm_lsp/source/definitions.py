"""Python text → definitions: functions, methods, class headers, and the rest of the module.

A definition owns its text without that of the definitions nested in it, so that one change belongs to exactly one
definition. Qualified names are those of Python (``Client.get``), without ``<locals>``; the second ``get`` is ``get#2``.

A file with a syntax error is cut into the statements that stand at the margin, and each is parsed by itself: what is
broken in one of them cannot change the tokens of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

MODULE_NAME = "<module>"

PYTHON = Language(tree_sitter_python.language())
_DEFINITIONS = Query(PYTHON, "[(function_definition) (class_definition)] @definition")
_HEADER = re.compile(rb"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")
_STARTS_DEFINITION = re.compile(rb"(?:@|(?:async[ \t]+def|def|class)[ \t]+\w)")
_CONTINUES = re.compile(rb"[ \t\r\n#)\]}]|$")
_MAX_EXTENSIONS = 8  # how many following statements an unfinished one may swallow to become whole (a long string)


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


def parse_definitions(text: str) -> tuple[Definition, ...]:
    """Cut ``text`` into its definitions, in the order in which they stand; the module's remainder comes first.

    Total: any text gives an answer. An empty module remainder is left out.
    """
    data = text.encode("utf-8", "replace")
    spans = _spans(data)
    spans.sort(key=lambda span: (span.start, -span.end))
    line_starts = _line_starts(data)
    names: dict[str, int] = {}
    definitions: list[Definition] = []
    own: list[list[bytes]] = [[]]  # own[0]: the module; own[i + 1]: spans[i]
    cursor = [0]
    stack: list[int] = []  # indexes into spans
    qualified: list[str] = []

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
        stack.append(index)
        own.append([])
        cursor.append(span.start)
        qualified.append(f"{qualified[parent - 1]}.{span.name}" if parent else span.name)
    close(len(data) + 1)
    own[0].append(data[cursor[0] :])

    remainder = b"".join(own[0])
    if remainder.strip():
        definitions.append(
            Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, len(line_starts), remainder.decode("utf-8", "replace"))
        )
    parents = _parents(spans)
    for index, span in enumerate(spans):
        name = qualified[index]
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name}#{names[name]}"
        owner = parents[index]
        if span.is_class:
            kind = DefinitionKind.CLASS
        elif owner is not None and spans[owner].is_class:
            kind = DefinitionKind.METHOD
        else:
            kind = DefinitionKind.FUNCTION
        definitions.append(
            Definition(
                name=name,
                kind=kind,
                line=_line_of(line_starts, span.header),
                start=_line_of(line_starts, span.start),
                end=_line_of(line_starts, max(span.start, span.end - 1)) + 1,
                source=b"".join(own[index + 1]).decode("utf-8", "replace"),
            )
        )
    return tuple(definitions)


def _parents(spans: list[_Span]) -> list[int | None]:
    parents: list[int | None] = []
    stack: list[int] = []
    for index, span in enumerate(spans):
        while stack and spans[stack[-1]].end <= span.start:
            stack.pop()
        parents.append(stack[-1] if stack else None)
        stack.append(index)
    return parents


def _spans(data: bytes) -> list[_Span]:
    tree = Parser(PYTHON).parse(data)
    if not tree.root_node.has_error:
        return list(_spans_of_tree(tree.root_node, 0))
    spans: list[_Span] = []
    for start, end in _statements(data, 0, len(data), 0):
        spans.extend(_spans_of_statement(data, start, end))
    return spans


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
    for line in _line_starts(data[begin:end]):
        offset = begin + line
        if indent and line == 0:
            continue  # the rest of the header's line
        text = data[offset : min(offset + indent + 80, end)]
        width = len(text) - len(text.lstrip(b" \t"))
        if width > indent or _CONTINUES.match(text, width):
            continue
        starts = bool(_STARTS_DEFINITION.match(text, width)) and width == indent
        if after_decorator:
            after_decorator = text[width : width + 1] == b"@"
            continue
        if starts or not bounds or bounds[-1][1]:
            bounds.append((offset, starts))
        after_decorator = starts and text[width : width + 1] == b"@"
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
        if _unfinished(data[edges[index] : edges[stop]]):
            for further in range(index + 2, min(index + 2 + _MAX_EXTENSIONS, len(edges))):
                if not _unfinished(data[edges[index] : edges[further]]):
                    stop = further
                    break
        yield edges[index], edges[stop]
        index = stop


def _unfinished(piece: bytes) -> bool:
    return Parser(PYTHON).parse(piece).root_node.has_error


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    position = data.find(b"\n")
    while position >= 0:
        starts.append(position + 1)
        position = data.find(b"\n", position + 1)
    if len(starts) > 1 and starts[-1] == len(data):
        starts.pop()
    return starts


def _line_of(line_starts: list[int], offset: int) -> int:
    from bisect import bisect_right

    return bisect_right(line_starts, offset) - 1
