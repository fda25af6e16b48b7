"""Text → definitions: functions, methods, class headers, and the rest of the module.

A definition owns its text without that of the definitions nested in it, so that one change belongs to exactly one
definition. Qualified names are those of Python (``Client.get``), without ``<locals>``; the second ``get`` is ``get#2``.

Definitions are found by their first lines and their indentation, never by a syntax tree: what is half typed in one of
them takes neither its own name nor those of the others.

A file is read in the statements that stand at its margin, and a large class in its members, each by itself, which comes
to the same: where one ends within a string or bracket, the file is read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import islice, pairwise
from typing import Final, Protocol, TypeVar

from codewm_lsp.records import dataclass
from codewm_lsp.source.conflicts import without_markers
from codewm_lsp.source.languages import PYTHON, Line, LineKind
from codewm_lsp.source.layout import Span, spans_of_lines
from codewm_lsp.source.memory import TextMemory

MODULE_NAME: Final = "<module>"
MAX_TEXT: Final = 1 << 20
"""Bytes of the largest text that is looked into."""
MAX_DEFINITIONS: Final = 25_000
"""Definitions of the largest text that is looked into: one with more was generated."""

_HEADERS: Final = PYTHON.headers
_DEEPEST: Final = 64  # characters of indentation of a definition that is counted
_SHORTEST: Final = 10  # bytes of a definition
_STATEMENT_MEMORY: Final = 4 << 20  # bytes that remembered statements take, about; four times as many save 6 % of time
_READING_MEMORY: Final = 4 << 20
_LARGE_CLASS: Final = 2048  # bytes from which a class is worth reading member by member


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
class Section:
    """Some lines that are read by themselves: their definitions (names without numbers, lines from the section's own
    first), and what is outside of them."""

    definitions: tuple[Definition, ...]
    remainder: str
    lines: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """Some statements, read. ``whole``: what stands before and after them cannot change that. ``outermost``: how far
    the least indented is. ``tail``: end and indentation of the last line of code and of the comments after it."""

    spans: tuple[Span, ...]
    whole: bool
    outermost: int
    tail: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a class and what follows it up to the next. ``end``: where what belongs to the class ends."""

    text: bytes
    section: Section
    end: int


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement at the margin, or some that define nothing, in one section; a large class in one for its header and
    one for each member.

    ``remainder`` is what is outside of its definitions. ``whole``: see ``_Reading``.
    """

    sections: tuple[Section, ...]
    remainder: str
    whole: bool
    margin: bytes = b""
    members: tuple[_Member, ...] = ()


class Outline:
    """A text cut into its statements, and what is known of each: what its definitions are made of when they are asked
    for, and what the next version of it is read from."""

    __slots__ = ("_definitions", "_last_line", "sections", "statements", "texts")

    def __init__(self, texts: Sequence[bytes], statements: Sequence[_Statement], *, complete: bool) -> None:
        self.texts = tuple(texts)
        self.statements = tuple(statements)
        self.sections = tuple([section for statement in statements for section in statement.sections])
        self._last_line = not complete  # whether a line follows the last line end
        self._definitions: tuple[Definition, ...] | None = None

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The text's definitions, in the order in which they stand; the module's remainder comes first."""
        if self._definitions is None:
            self._definitions = (*self.module(), *_placed(self.sections, 0, {}))
        return self._definitions

    def module(self) -> tuple[Definition, ...]:
        """What is outside of all definitions, where there is anything."""
        rest = "".join([statement.remainder for statement in self.statements])
        if not rest.strip():
            return ()
        lines = max(1, sum([section.lines for section in self.sections]) + self._last_line)
        return (Definition(MODULE_NAME, DefinitionKind.MODULE, 0, 0, lines, rest),)


NOTHING: Final = Outline((), (), complete=True)


def parse_definitions(text: str) -> tuple[Definition, ...]:
    """Cut ``text`` into its definitions, in the order in which they stand; the module's remainder comes first.

    Total: any text gives an answer. An empty module remainder is left out. Text larger than ``MAX_TEXT``, or with more
    than ``MAX_DEFINITIONS``, is not looked into: all of it is the module. Any line end will do; the markers of a merge
    conflict are blank lines. Statements seen before (in another version of the file, most of the time) are not read
    again.
    """
    return parse_version(text, None).definitions


def only_definition(text: str) -> tuple[str, DefinitionKind] | None:
    """Name and kind of the one definition that ``parse_definitions`` finds in ``text``, all of which is its own; None
    where that does not show at a glance."""
    if not text.isascii() or len(text) > MAX_TEXT or not text.strip():
        return None
    name = _HEADERS.only_function(text)
    if name is not None:
        return name, DefinitionKind.FUNCTION
    return (MODULE_NAME, DefinitionKind.MODULE) if _HEADERS.defines_nothing(text) else None


def lines_outside(text: str) -> list[tuple[int, str]]:
    """The lines outside of all functions and classes, each with its number from 0."""
    inside = {line for one in parse_definitions(text) if one.name != MODULE_NAME for line in range(one.start, one.end)}
    return [(number, line) for number, line in enumerate(_plain(text).split("\n")) if number not in inside]


def parse_version(text: str, other: Outline | None) -> Outline:
    """The same, given the outline of ``other``, a version of the text that differs little: what both begin and end with
    is not looked at again. The definitions are those of ``parse_definitions``."""
    text = _plain(text)
    data = text.encode("utf-8", "replace") if len(text) <= MAX_TEXT else b""
    if not len(text) <= len(data) <= MAX_TEXT or _is_generated(data):
        whole = _Statement((Section((), "", text.count("\n")),), text, whole=True)
        return Outline((), (whole,), complete=False)
    texts, statements = _statements_like(data, other or NOTHING)
    return Outline(texts, statements, complete=data.endswith(b"\n"))


def _is_generated(data: bytes) -> bool:
    """Whether there are more definitions than anybody writes by hand into one file."""
    if len(data) < MAX_DEFINITIONS * _SHORTEST:
        return False
    starts = (match for match in _HEADERS.statement(_DEEPEST).finditer(data) if match.group(2) is not None)
    return next(islice(starts, MAX_DEFINITIONS, None), None) is not None


def _plain(text: str) -> str:
    """Without a byte-order mark, with ``\\n`` for every line end and blank lines for the markers of a conflict."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return without_markers(text)


def differing(before: Outline, after: Outline) -> tuple[tuple[Definition, ...], tuple[Definition, ...]]:
    """The definitions of each without those that both have, by name and text, in statements and members that they
    begin and end with; there may be more that both have."""
    old, new = before.sections, after.sections
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and _same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < shorter - head and _same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    was, now = old[head : len(old) - tail], new[head : len(new) - tail]
    names = {definition.name for section in (*was, *now) for definition in section.definitions}
    for section in new[len(new) - tail :]:
        for definition in section.definitions:
            if definition.name in names:  # whose numbers may differ
                return before.definitions, after.definitions
    base = 0
    counts: dict[str, int] = {}
    for section in new[:head]:
        base += section.lines
        for definition in section.definitions:
            if definition.name in names:
                counts[definition.name] = counts.get(definition.name, 0) + 1
    return (
        (*before.module(), *_placed(was, base, dict(counts))),
        (*after.module(), *_placed(now, base, counts)),
    )


def _same(one: Section, other: Section) -> bool:
    """Whether the definitions of two sections have the same names and texts; a class may end on another line."""
    if one is other:
        return True
    if one.lines != other.lines or len(one.definitions) != len(other.definitions):
        return False
    return all(
        a.source == b.source and a.name == b.name for a, b in zip(one.definitions, other.definitions, strict=True)
    )


def _placed(sections: Sequence[Section], base: int, names: dict[str, int]) -> list[Definition]:
    """The definitions of sections as those of a text: below ``base`` lines, and by names that no other has. ``names``:
    how often each was there before; counted on."""
    found: list[Definition] = []
    for section in sections:
        for definition in section.definitions:
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
        base += section.lines
    return found


def _statements_like(data: bytes, other: Outline) -> tuple[Sequence[bytes], Sequence[_Statement]]:
    """The statements of a file, text and what is known; as many of them as can be are those of ``other``.

    Where a statement ends is told by the first line of the next. So the last of the same statements at the beginning,
    and the first of those at the end, are looked at again with what stands between; and where something there is not
    whole, all of the file is.
    """
    known = other.texts
    same, rest, begin, end = _same_ends(data, known, 0)
    if same == len(known) and begin == len(data) and known:
        return known, other.statements
    between = zip(known[same:rest], other.statements[same:rest], strict=True)
    classes = {_first_line(text): statement for text, statement in between if statement.members}

    def judge(text: bytes) -> _Statement:
        return _statement(text, classes.get(_first_line(text)) if classes else None)

    found = _judged(data, begin, end, b"", judge) if begin < end else []
    statements = [*other.statements[:same], *(statement for _, _, statement in found), *other.statements[rest:]]
    if all(statement.whole for statement in statements):
        return [*known[:same], *(data[start:stop] for start, stop, _ in found), *known[rest:]], statements
    return (), _read_at_once(data)


def _read_at_once(data: bytes) -> list[_Statement]:
    """The statements of a file that are not all whole."""
    lines, _ = PYTHON.lines(data, 0, len(data))
    spans = spans_of_lines(lines)
    edges = [0, *_edges_of_lines(data, lines, spans, 0)[1:], len(data)]
    statements: list[_Statement] = []
    done = 0
    for start, stop in pairwise(edges):
        own: list[Span] = []
        while done < len(spans) and spans[done].start < stop:
            own.append(spans[done].moved(-start))
            done += 1
        statements.append(_cut(data[start:stop], own, whole=False))
    return statements


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
    return match is not None and match.group(2) is not None and len(match.group(1)) == indent


_STATEMENTS: TextMemory[_Statement] = TextMemory(_STATEMENT_MEMORY)
_MEMBERS: TextMemory[_Member] = TextMemory(_STATEMENT_MEMORY)
_READINGS: TextMemory[_Reading] = TextMemory(_READING_MEMORY)


def _statement(data: bytes, like: _Statement | None = None) -> _Statement:
    """Read a statement; the second time the answer is remembered. ``like``: a class that may differ little."""
    known = _STATEMENTS.get(data)
    if known is None:
        known = _class(data, like) if len(data) > _LARGE_CLASS else None
        if known is None:
            reading = _read(data)
            known = _cut(data, reading.spans, whole=reading.whole)
        count = sum([len(section.definitions) for section in known.sections])
        _STATEMENTS.put(data, known, 2 * len(data) + 400 * (1 + count))
    return known


def _read(data: bytes) -> _Reading:
    """Read some statements as they are; the second time the answer is remembered."""
    known = _READINGS.get(data)
    if known is None:
        lines, whole = PYTHON.lines(data, 0, len(data))
        tail: list[tuple[int, int]] = []
        for line in reversed(lines):
            tail.append((line.end, line.width))
            if line.kind is not LineKind.COMMENT:
                break
        else:
            tail.clear()
        known = _Reading(
            spans=tuple(spans_of_lines(lines)),
            whole=whole,
            outermost=min((line.width for line in lines if line.kind is not LineKind.COMMENT), default=0),
            tail=tuple(reversed(tail)),
        )
        _READINGS.put(data, known, len(data) + 200 * (2 + len(known.spans)))
    return known


def _class(data: bytes, like: _Statement | None) -> _Statement | None:
    """Read a class member by member, which comes to the same; None when it is none, or does not fall apart so.

    ``like``: members that it begins and ends with are not looked at again.
    """
    header = _HEADERS.class_body.match(data)
    if header is None:
        return None
    margin = header.group(1)
    members = _members(data, header.start(1), margin, like) if like is not None and like.margin == margin else []
    if not members:
        found = _judged(data, header.start(1), len(data), margin, _read, first=0)
        members = [(data[start:stop], reading) for start, stop, reading in found]
    if len(members) < 2:
        return None
    text, reading = members[0]
    first = reading if isinstance(reading, _Member) else _class_header(text, reading)
    if first is None:
        return None
    name = first.section.definitions[0].name
    if like is not None and like.sections[0].definitions[0].name != name:
        return _class(data, None)
    made = [first]
    for text, reading in members[1:]:
        member = reading if isinstance(reading, _Member) else _member(text, reading, name, margin)
        if member is None:
            return None
        made.append(member)
    last = made[-1]
    behind = last.text[last.end :].decode("utf-8", "replace")
    header_only = first.section.definitions[0]
    source = "".join([header_only.source, *(member.section.remainder for member in made[1:])])
    whole = Definition(
        name,
        header_only.kind,
        header_only.line,
        header_only.start,
        sum([member.section.lines for member in made[:-1]]) + last.text.count(b"\n", 0, max(0, last.end - 1)) + 1,
        source[: len(source) - len(behind)],
    )
    sections = (
        Section((whole, *first.section.definitions[1:]), "", first.section.lines),
        *(member.section for member in made[1:]),
    )
    return _Statement(sections, first.section.remainder + behind, whole=True, margin=margin, members=tuple(made))


def _members(data: bytes, body: int, margin: bytes, like: _Statement) -> list[tuple[bytes, _Reading | _Member]]:
    """The members of a class, those that ``like`` begins and ends with taken from there; none when that is in doubt."""
    known = [member.text for member in like.members]
    same, rest, begin, end = _same_ends(data, known, len(margin))
    found: list[tuple[int, int, _Reading]] = []
    if not same:
        found += _judged(data, body, end, margin, _read, first=0)
    elif begin < end:
        found += _judged(data, begin, end, margin, _read)
    if not all(reading.whole for _, _, reading in found) or (found and found[0][0] != begin):
        return []
    return [
        *zip(known[:same], like.members[:same], strict=True),
        *((data[start:stop], reading) for start, stop, reading in found),
        *zip(known[rest:], like.members[rest:], strict=True),
    ]


def _class_header(data: bytes, reading: _Reading) -> _Member | None:
    """The beginning of a class up to its first member, all of it the class's own; None when it is something else."""
    if not reading.whole or not reading.tail:
        return None
    spans = list(reading.spans)
    if not spans or not spans[0].is_class or spans[0].end < reading.tail[0][0]:
        return None
    spans[0] = Span(spans[0].start, len(data), spans[0].header, True, spans[0].name)
    statement = _cut(data, spans, whole=True)
    return _Member(data, statement.sections[0], len(data))


def _member(data: bytes, reading: _Reading, name: str, margin: bytes) -> _Member | None:
    """A member of the class of that name; None when it cannot be one by itself. Remembered."""
    if not reading.whole or not reading.tail:
        return None
    width = PYTHON.width(margin)
    if reading.outermost < width:
        return None  # statements that are not indented as far as the class's own
    key = b"%d %s %s" % (width, name.encode("utf-8", "replace"), data)
    known = _MEMBERS.get(key)
    if known is None:
        end = reading.tail[0][0]
        for comment_end, column in reading.tail[1:]:
            if column < width:
                break
            end = comment_end
        section = _cut(data, reading.spans, whole=True, inside=name).sections[0]
        known = _Member(data, section, end)
        _MEMBERS.put(key, known, 2 * len(data) + 400 * (1 + len(section.definitions)))
    return known


def _cut(data: bytes, spans: Sequence[Span], *, whole: bool, inside: str = "") -> _Statement:
    """Give each span its own text: what is not in a span nested in it. ``inside``: the class they are members of."""
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
    return _Statement((Section(tuple(definitions), rest, data.count(b"\n")),), rest, whole)


class _Judged(Protocol):
    """What is known of some statements, among it whether what stands around them cannot change it."""

    @property
    def whole(self) -> bool: ...


_Judgement = TypeVar("_Judgement", bound=_Judged)


def _judged(
    data: bytes,
    begin: int,
    end: int,
    margin: bytes,
    judge: Callable[[bytes], _Judgement],
    first: int | None = None,
) -> list[tuple[int, int, _Judgement]]:
    """Byte ranges of the statements behind the indentation ``margin`` between ``begin`` and ``end``, each with what
    ``judge`` finds in it. ``first``: where the first range starts instead, whatever stands there.

    How lines begin tells statements apart; from one on that is not whole (a string over several lines with text at the
    margin), reading them does.
    """
    edges = _edges(data, begin, end, len(margin))
    if not margin:
        edges = [begin, *edges[1:]]
    if first is not None:
        edges.insert(0, first)
    found: list[tuple[int, int, _Judgement]] = []
    for start, stop in pairwise([*edges, end]):
        judged = judge(data[start:stop])
        if not judged.whole:
            break
        found.append((start, stop, judged))
    else:
        return found
    lines, _ = PYTHON.lines(data, max(start, begin), end)
    edges = _edges_of_lines(data, lines, spans_of_lines(lines), PYTHON.width(margin))
    edges = [start, *(edge for edge in edges if edge > start)]
    found += ((start, stop, judge(data[start:stop])) for start, stop in pairwise([*edges, end]))
    return found


def _edges(data: bytes, begin: int, end: int, indent: int) -> list[int]:
    """Where statements at an indentation begin, going by the beginnings of lines. Statements that define nothing stay
    with the ones before that do not."""
    edges: list[int] = []
    after_decorator = False
    plain = False  # whether what follows and is no definition belongs to the statement before
    for match in _HEADERS.statement(indent).finditer(data, begin, end):
        starts = match.group(2) is not None and len(match.group(1)) == indent
        if not starts and data.endswith(b"\\\n", begin, match.start()) and _HEADERS.continued(data, match.start()):
            continue
        decorator = starts and match.group(2) == _HEADERS.decorator
        if after_decorator:
            after_decorator = decorator
            continue
        if starts or not plain:
            edges.append(match.start())
            plain = not starts
        after_decorator = decorator
    return edges


def _edges_of_lines(data: bytes, lines: Sequence[Line], spans: Sequence[Span], width: int) -> list[int]:
    """The same, going by logical lines and the definitions that they are."""
    ends = {span.start: span.end for span in spans}
    edges: list[int] = []
    plain = False
    until = 0
    for line in lines:
        if line.kind is LineKind.COMMENT or line.width > width or line.start < until:
            continue
        starts = line.width == width and line.start in ends
        if starts:
            until = ends[line.start]
        if starts or not plain:
            edges.append(data.rfind(b"\n", 0, line.start) + 1)
            plain = not starts
    return edges
