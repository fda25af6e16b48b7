"""What CodeWM knows about one programming language, as one frozen value.

Nothing outside ``source/languages`` spells out a keyword, a suffix, a node of a grammar or a convention of a language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, IntEnum
from typing import NamedTuple

import tree_sitter

from codewm_lsp.records import dataclass
from codewm_lsp.source.languages.usage import Names


class LeafRole(IntEnum):
    """What a leaf of the syntax tree does in its definition. The numbers are part of the tokeniser's version."""

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


class LineKind(Enum):
    """What a logical line is."""

    STATEMENT = "statement"
    DECORATOR = "decorator"
    FUNCTION = "function"
    CLASS = "class"
    COMMENT = "comment"


class Line(NamedTuple):
    """A logical line: a statement with all the lines it takes up, or a comment on a line of its own.

    ``start`` and ``end``: bytes, from its first character to its last that is no white space. ``width``: the columns
    that it is indented by. ``name``: of what it defines. ``opens``: whether a block follows. ``fits``: whether a line
    there can be indented so.
    """

    start: int
    end: int
    width: int
    kind: LineKind
    name: str
    opens: bool
    fits: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes of a language's tree-sitter grammar, by what they are to CodeWM.

    ``kinds`` and ``tokens`` (named nodes, and those that are their own text) are the vocabulary's, in its order.
    ``roles``: what a node makes of the identifiers below it (None: nothing more). ``fields``: what a node makes of an
    identifier in one of its fields. Identifiers right below ``parameters`` are parameters.
    """

    kinds: tuple[str, ...]
    tokens: tuple[str, ...]
    comment: str
    identifier: str
    string: str
    texts: frozenset[str]  # what a string consists of, as words
    literals: frozenset[str]  # leaves that stand for themselves, as true does
    numbers: frozenset[str]
    hidden: frozenset[str]  # leaves that are not looked at: punctuation
    closed: frozenset[str]  # nodes below which nothing is looked at
    transparent: frozenset[str]  # nodes that are no token
    statement: str  # what stands between a body and an expression that is a statement: a docstring
    bodies: frozenset[str]
    roles: Mapping[str, LeafRole | None]
    fields: Mapping[str, Mapping[str | None, LeafRole]]
    parameters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Headers:
    """How statements begin, as patterns of UTF-8: a file that changed a little is cut by them before it is read.

    ``statement``: of an indentation (in characters), a line that begins a statement there or further out; group 1 is
    the line's own indentation, group 2 is there where it may begin a definition, ``decorator`` where it begins with
    one. ``continued``: whether a line goes on with the one before, which ends in a backslash. ``class_body``: a class
    down to its first member, whose indentation is group 1. ``only_function``: of an ASCII text that is certainly one
    function and nothing else, its name. ``defines_nothing``: whether an ASCII text certainly has no definition.
    """

    statement: Callable[[int], re.Pattern[bytes]]
    continued: Callable[[bytes, int], bool]
    class_body: re.Pattern[bytes]
    decorator: bytes
    only_function: Callable[[str], str | None]
    defines_nothing: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Conventions:
    """How names and paths are made up in a language.

    ``excluded``: globs of files that nobody wrote by hand. ``made``: the same, where they are not tracked. ``marks``:
    what lies in a folder that a tool made. ``settings``: names of files that say how a project is built. ``ordinary``:
    names that need no definition. ``attribute``: stands before the name of an object's own attribute. ``constructor``:
    of a class. ``maker``: the function of a module that makes its names when they are asked for; ``dynamic``: words of
    modules that make their names while they run; ``expecting``: of code that may ask for what is not there.
    ``package``: name of the file that stands for its folder. ``objects``: what a method calls the object that it is of;
    ``parent``: the same as one of the classes above. ``built_in``: attributes of everyday objects.

    ``is_test``: whether a path holds tests. ``subject``: what a file is about, the same for a module and its tests.
    ``declares``: the path of the file whose definitions a file declares without their bodies; "" where it is no such.
    ``module``: the parts of the name by which a path is imported. ``imports``: what a text imports;
    ``without_imports``: the text without the statements that do. ``imported``: the parts of the module that such a name
    means in a file of this path, and whether they count from the top.
    """

    excluded: tuple[str, ...]
    made: tuple[str, ...]
    marks: tuple[str, ...]
    settings: frozenset[str]
    ordinary: frozenset[str]
    attribute: str
    constructor: str
    maker: str
    dynamic: frozenset[str]
    expecting: frozenset[str]
    package: str
    objects: frozenset[str]
    parent: str
    built_in: frozenset[str]
    is_test: Callable[[str], bool]
    subject: Callable[[str], str]
    declares: Callable[[str], str]
    module: Callable[[str], list[str]]
    imports: Callable[[str], tuple[str, ...]]
    without_imports: Callable[[str], str]
    imported: Callable[[str, str], tuple[list[str], bool]]


@dataclass(frozen=True, slots=True)
class Language:
    """One programming language.

    ``identifier``: the Language Server Protocol's. ``suffixes``: of its files, the usual one first. ``lines``: the
    logical lines between two places of a text, and whether they are the same whatever stands before and after.
    ``width``: how many columns an indentation takes up. ``encoding``: what names a file's encoding within its first two
    lines, in group 1. ``parts``: a tree-sitter query for what the rich action counts: captures ``flow`` (control flow),
    ``function`` with ``name``, ``header`` (decorators, a class's name and bases) and ``import``. ``marks``: one for
    what an edit may add, remove or change, each by the name of its capture; "NAME.of" is whose it is.
    ``signature_end``: how many lines of a definition its decorators and signature take up, 0 where it has none.
    ``differ``: whether two texts (and of these, the lines that differ, given first) differ in more than comments and
    white space; None where only their tokens can tell. ``names``: what a definition's own text binds, and where it uses
    some names.
    """

    name: str
    identifier: str
    suffixes: tuple[str, ...]
    grammar: tree_sitter.Language
    nodes: Nodes
    headers: Headers
    lines: Callable[[bytes, int, int], tuple[list[Line], bool]]
    width: Callable[[bytes], int]
    conventions: Conventions
    encoding: re.Pattern[bytes]
    parts: str
    marks: str
    signature_end: Callable[[Sequence[str]], int]
    differ: Callable[[str, str, str, str], bool | None]
    names: Callable[[tree_sitter.Node, frozenset[str]], Names]
