"""Python: its files, its grammar, how its definitions begin, and its conventions."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import tree_sitter
import tree_sitter_python

from codewm_lsp.source.languages.language import Conventions, Headers, Language, LeafRole, Nodes
from codewm_lsp.source.languages.python_lines import (
    defines_nothing,
    is_continued,
    logical_lines,
    only_function,
    width_of,
)
from codewm_lsp.source.languages.python_names import BUILT_IN, OBJECTS, SUPER, read_names

_SUFFIXES: Final = (".py", ".pyi", ".pyw")
_STUB: Final = _SUFFIXES[1]

# --- the grammar: tree-sitter-python's. The two tables are the vocabulary's; another release must not renumber tokens.

_KINDS: Final = (
    "aliased_import",
    "argument_list",
    "as_pattern",
    "as_pattern_target",
    "assert_statement",
    "assignment",
    "attribute",
    "augmented_assignment",
    "await",
    "binary_operator",
    "block",
    "boolean_operator",
    "break_statement",
    "call",
    "case_clause",
    "case_pattern",
    "chevron",
    "class_definition",
    "class_pattern",
    "comment",
    "comparison_operator",
    "complex_pattern",
    "concatenated_string",
    "conditional_expression",
    "constrained_type",
    "continue_statement",
    "decorated_definition",
    "decorator",
    "default_parameter",
    "delete_statement",
    "dict_pattern",
    "dictionary",
    "dictionary_comprehension",
    "dictionary_splat",
    "dictionary_splat_pattern",
    "dotted_name",
    "elif_clause",
    "ellipsis",
    "else_clause",
    "escape_interpolation",
    "escape_sequence",
    "except_clause",
    "exec_statement",
    "expression_list",
    "expression_statement",
    "false",
    "finally_clause",
    "float",
    "for_in_clause",
    "for_statement",
    "format_expression",
    "format_specifier",
    "function_definition",
    "future_import_statement",
    "generator_expression",
    "generic_type",
    "global_statement",
    "identifier",
    "if_clause",
    "if_statement",
    "import_from_statement",
    "import_prefix",
    "import_statement",
    "integer",
    "interpolation",
    "keyword_argument",
    "keyword_pattern",
    "keyword_separator",
    "lambda",
    "lambda_parameters",
    "line_continuation",
    "list",
    "list_comprehension",
    "list_pattern",
    "list_splat",
    "list_splat_pattern",
    "match_statement",
    "member_type",
    "module",
    "named_expression",
    "none",
    "nonlocal_statement",
    "not_operator",
    "pair",
    "parameters",
    "parenthesized_expression",
    "parenthesized_list_splat",
    "pass_statement",
    "pattern_list",
    "positional_separator",
    "print_statement",
    "raise_statement",
    "relative_import",
    "return_statement",
    "set",
    "set_comprehension",
    "slice",
    "splat_pattern",
    "splat_type",
    "string",
    "string_content",
    "string_end",
    "string_start",
    "subscript",
    "true",
    "try_statement",
    "tuple",
    "tuple_pattern",
    "type",
    "type_alias_statement",
    "type_conversion",
    "type_parameter",
    "typed_default_parameter",
    "typed_parameter",
    "unary_operator",
    "union_pattern",
    "union_type",
    "while_statement",
    "wildcard_import",
    "with_clause",
    "with_item",
    "with_statement",
    "yield",
)

_TOKENS: Final = (
    "!=",
    "%",
    "%=",
    "&",
    "&=",
    "(",
    ")",
    "*",
    "**",
    "**=",
    "*=",
    "+",
    "+=",
    ",",
    "-",
    "-=",
    "->",
    ".",
    "/",
    "//",
    "//=",
    "/=",
    ":",
    ":=",
    ";",
    "<",
    "<<",
    "<<=",
    "<=",
    "<>",
    "=",
    "==",
    ">",
    ">=",
    ">>",
    ">>=",
    "@",
    "@=",
    "[",
    "\\",
    "]",
    "^",
    "^=",
    "_",
    "__future__",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "case",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "exec",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "is not",
    "lambda",
    "match",
    "nonlocal",
    "not",
    "not in",
    "or",
    "pass",
    "print",
    "raise",
    "return",
    "try",
    "type",
    "while",
    "with",
    "yield",
    "{",
    "|",
    "|=",
    "}",
    "~",
)

_NODES: Final = Nodes(
    kinds=_KINDS,
    tokens=_TOKENS,
    comment="comment",
    identifier="identifier",
    string="string",
    texts=frozenset({"string_content", "escape_sequence"}),
    literals=frozenset({"true", "false", "none", "ellipsis"}),
    numbers=frozenset({"integer", "float"}),
    hidden=frozenset("()[]{},.:;") | {"_", "string_start", "string_end", "line_continuation"},
    closed=frozenset({"string_start", "string_content"}),
    transparent=frozenset({"string", "module", "expression_statement"}),
    statement="expression_statement",
    bodies=frozenset({"block", "module"}),
    roles={
        "type": LeafRole.TYPE,
        "decorator": LeafRole.DECORATOR,
        "import_statement": LeafRole.IMPORT,
        "import_from_statement": LeafRole.IMPORT,
        "future_import_statement": LeafRole.IMPORT,
        "interpolation": None,
        "argument_list": None,
    },
    fields={
        "function_definition": {"name": LeafRole.NAME},
        "class_definition": {"name": LeafRole.NAME},
        "default_parameter": {"name": LeafRole.PARAMETER},
        "typed_default_parameter": {"name": LeafRole.PARAMETER},
        "keyword_argument": {"name": LeafRole.KEYWORD},
        "call": {"function": LeafRole.CALLEE},
        "attribute": {"attribute": LeafRole.ATTRIBUTE},
    },
    parameters=frozenset(
        {"parameters", "lambda_parameters", "list_splat_pattern", "dictionary_splat_pattern", "typed_parameter"}
    ),
)

_CONTROL_FLOW: Final = (
    "if_statement",
    "elif_clause",
    "else_clause",
    "for_statement",
    "while_statement",
    "try_statement",
    "except_clause",
    "finally_clause",
    "with_statement",
    "match_statement",
    "case_clause",
    "return_statement",
    "raise_statement",
    "break_statement",
    "continue_statement",
    "assert_statement",
    "yield",
    "await",
    "conditional_expression",
    "for_in_clause",
    "if_clause",
)
_PARTS: Final = (
    f"[{' '.join(f'({name})' for name in _CONTROL_FLOW)}] @flow\n"
    "(function_definition name: (identifier) @name) @function\n"
    "(decorator) @header\n"
    "(class_definition name: (identifier) @header)\n"
    "(class_definition superclasses: (argument_list) @header)\n"
    "[(import_statement) (import_from_statement) (future_import_statement)] @import"
)

# --- what an edit may bring or take away, by name; a name alone stands for the whole node, "NAME.of" for whose it is

_MARKS: Final = """
(parameters (identifier) @parameter)
(parameters (default_parameter name: (identifier) @parameter))
(parameters (typed_parameter . (identifier) @parameter))
(parameters (typed_default_parameter name: (identifier) @parameter))
(parameters (default_parameter name: (identifier) @default.of value: (_) @default))
(parameters (typed_default_parameter name: (identifier) @default.of value: (_) @default))
(parameters (typed_parameter . (identifier) @annotation.of type: (_) @annotation))
(parameters (typed_default_parameter name: (identifier) @annotation.of type: (_) @annotation))
(function_definition return_type: (type) @return_type)
(if_statement condition: (_) @branch)
(elif_clause condition: (_) @branch)
(case_clause (case_pattern) @branch)
(except_clause . (_) @handler)
(decorator (_) @decorator)
(call function: (_) @keyword.of arguments: (argument_list (keyword_argument) @keyword))
(call function: (_) @keyword.in)
(class_definition superclasses: (argument_list (_) @base))
(list (_) @entry)
(set (_) @entry)
(tuple (_) @entry)
(dictionary (pair) @entry)
(list) @entry.in
(set) @entry.in
(tuple) @entry.in
(dictionary) @entry.in
(list [(list) (set) (tuple) (dictionary)] @entry.within)
(set (tuple) @entry.within)
(tuple [(list) (set) (tuple) (dictionary)] @entry.within)
(pair value: [(list) (set) (tuple) (dictionary)] @entry.within)
"""

# --- how definitions begin


@lru_cache(maxsize=64)
def _statement(indent: int) -> re.Pattern[bytes]:
    return re.compile(
        rb"^\f?([ \t]{0,%d})(?:(@(?!def\b|class\b|async\b)|@?(?:async[ \t]+)?(?:def|class)[ \t]+[\w\x80-\xff])"
        rb"|[^ \t\r\n\f\\#)\]}])" % indent,
        re.MULTILINE,
    )


_HEADERS: Final = Headers(
    statement=_statement,
    continued=is_continued,
    class_body=re.compile(
        rb"(?:@[^\n]*\n)*class[ \t]+[\w\x80-\xff]+[^\n]*:[ \t]*(?:#[^\n]*)?\n"
        rb"(?:[ \t]*(?:#[^\n]*)?\n)*([ \t]+)[^ \t\r\n]"
    ),
    decorator=b"@",
    only_function=only_function,
    defines_nothing=defines_nothing,
)
_STARTS: Final = re.compile(r"\s*(?:async\s+def|def|class)\b")


def _signature_end(lines: Sequence[str]) -> int:
    first = next((i for i, line in enumerate(lines) if _STARTS.match(line)), None)
    if first is None:
        return 0
    depth = 0
    for number in range(first, len(lines)):
        line = lines[number].partition("#")[0]
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0 and ":" in line:
            return number + 1
    return len(lines)


# --- what is code and what is a comment


_UNSEEN: Final = bytes(range(33)) + b"()[]{},.:;_\"'\\!?$`\x7f"
_PREFIX: Final = re.compile(r"\b[bBfFrRuU]{1,2}(?=[\"'])")
_COMMENT: Final = re.compile(r"^([^\"'#\n]*)#(?!.*(?:\"\"\"|'''))[^\n]*", re.MULTILINE)  # surely: no string around it
_FORMAT: Final = re.compile(r"[{}]|!(?!=)")
_IN_BRACES: Final = re.compile(r"\{[^{}]*\}")
_STRING_OR_COMMENT: Final = re.compile(
    r'''"""(?:[^\\"]|\\.|"(?!""))*"""|'{3}(?:[^\\']|\\.|'(?!''))*'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*''',
    re.DOTALL,
)
_F_STRING: Final = re.compile(r"[fF][rR]?[\"']|[rR][fF][\"']")


def _differ(was: str, now: str, before: str, after: str) -> bool | None:
    if "#" in was or "#" in now:
        was, now = _COMMENT.sub(r"\1", was), _COMMENT.sub(r"\1", now)
    certain = "#" not in was and "#" not in now
    formatted = _FORMAT.search(was) is not None or _FORMAT.search(now) is not None
    if certain and formatted and (_F_STRING.search(before) or _F_STRING.search(after)):
        was, now = _outside_braces(was), _outside_braces(now)
        certain = not (_FORMAT.search(was) or _FORMAT.search(now))
    if certain and _seen(was) != _seen(now):
        return True
    if was.split() == now.split() and (code := _code(before)) is not None and code == _code(after):
        return False
    return None


def _outside_braces(lines: str) -> str:
    """Without what stands in braces: in an f-string it may be a format, which tokens do not show."""
    count = 1
    while count:
        lines, count = _IN_BRACES.subn(" ", lines)
    return lines


def _seen(lines: str) -> bytes:
    """No more than what tokens show: without white space, punctuation, quotes and what is no Python."""
    return _PREFIX.sub("", lines).encode("ascii", "ignore").translate(None, _UNSEEN)


def _code(source: str) -> tuple[list[str], list[str]] | None:
    """The lines of the text without comments and empty lines, strings taken out of them, and the strings: where these
    are the same, the fingerprints are. None where it is in doubt what is a string and what a comment."""
    strings: list[str] = []

    def take_out(match: re.Match[str]) -> str:
        found = match.group()
        if found[0] == "#":
            return ""
        strings.append(found)
        return '"'

    lines = _STRING_OR_COMMENT.sub(take_out, source)
    if "\\" in lines or "'" in lines or lines.count('"') != len(strings):
        return None
    if any("{" in string and string.count("{") != string.count("}") for string in strings):
        return None  # quotes in the braces of an f-string
    return [kept for line in lines.split("\n") if (kept := line.rstrip(" \t"))], strings


# --- names and paths

_PACKAGE: Final = "__init__"
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(?:\(([^)]*)\)|([^#\n(]*))|import[ \t]+([\w., \t]+))", re.M
)


TEST_PREFIX: Final = "test_"
TEST_ENDINGS: Final = ("_test", "_tests")
TEST_STEMS: Final = ("test", "tests", "conftest")
TEST_FOLDERS: Final = ("test", "tests", "testing")


@lru_cache(maxsize=1 << 16)
def _is_test(path: str) -> bool:
    parts = path.lower().split("/")
    stem = parts[-1].removesuffix(_SUFFIXES[0])
    return (
        stem.startswith(TEST_PREFIX)
        or stem.endswith(TEST_ENDINGS)
        or stem in TEST_STEMS
        or any(part in TEST_FOLDERS for part in parts[:-1])
    )


def _subject(path: str) -> str:
    """``tests/test_client.py`` and ``client.py`` → ``client``."""
    stem = path.rpartition("/")[2].removesuffix(_SUFFIXES[0]).lower()
    if stem == _PACKAGE:
        stem = path.split("/")[-2].lower() if "/" in path else stem
    stem = stem.removeprefix(TEST_PREFIX)
    for ending in TEST_ENDINGS:
        stem = stem.removesuffix(ending)
    return stem.strip("_")


def _declares(path: str) -> str:
    """``a/b.pyi`` → ``a/b.py``."""
    return path.removesuffix(_STUB) + _SUFFIXES[0] if path.endswith(_STUB) else ""


def _module(path: str) -> list[str]:
    """``src/a/b/__init__.py`` → ``["a", "b"]``."""
    parts = path.removesuffix(_SUFFIXES[0]).split("/")
    if parts[0] in ("src", "lib") and len(parts) > 1:
        parts = parts[1:]
    return parts[:-1] if parts[-1] == _PACKAGE and len(parts) > 1 else parts


def _imports(text: str) -> tuple[str, ...]:
    """Dotted modules and names, relative ones with their leading dots."""
    found: dict[str, None] = {}
    for match in _IMPORT.finditer(text):
        origin, listed, names, modules = match.groups()
        if modules is not None:
            for module in modules.split(","):
                found[module.split(" as ")[0].strip()] = None
        else:
            found[origin] = None
            for name in (names if listed is None else listed).split(","):
                word = name.split(" as ")[0].strip()
                if word.isidentifier():
                    found[f"{origin}{'' if origin.endswith('.') else '.'}{word}"] = None
    return tuple(found)


def _without_imports(text: str) -> str:
    return _IMPORT.sub("", text)


def _imported(name: str, path: str) -> tuple[list[str], bool]:
    below = name.lstrip(".")
    dots = len(name) - len(below)
    if not dots:
        return name.split("."), True
    here = path.split("/")
    return [part for part in (*here[: max(0, len(here) - dots)], *below.split(".")) if part], False


PYTHON: Final = Language(
    name="Python",
    identifier="python",
    suffixes=_SUFFIXES,
    grammar=tree_sitter.Language(tree_sitter_python.language()),
    nodes=_NODES,
    headers=_HEADERS,
    lines=logical_lines,
    width=width_of,
    conventions=Conventions(
        excluded=(
            "**/.venv/**",
            "**/venv/**",
            "**/site-packages/**",
            "**/__pycache__/**",
            "**/*_pb2.py",
            "**/*_pb2_grpc.py",
        ),
        made=(
            "**/.eggs/**",
            "**/.nox/**",
            "**/.tox/**",
            "**/__pypackages__/**",
            "**/build/lib/**",
            "**/build/lib.*/**",
            "**/dist-packages/**",
        ),
        marks=("pyvenv.cfg", "conda-meta"),
        settings=frozenset({"setup.py"}),
        ordinary=frozenset({*keyword.kwlist, *dir(builtins), "self", "cls", "match", "case", "type"}),
        attribute="self.",
        constructor="__init__",
        maker="__getattr__",
        dynamic=frozenset(
            {"__getattr__", "__getattribute__", "setattr", "globals", "locals", "vars", "__dict__", "modules"}
        ),
        expecting=frozenset(
            {"raises", "suppress", "hasattr", "getattr", "setattr", "delattr", "Mock", "MagicMock", "monkeypatch"}
            | {"assertRaises", "assertRaisesRegex", "assertRaisesRegexp"}
            | {"AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "TypeError"}
        ),
        package=f"{_PACKAGE}{_SUFFIXES[0]}",
        objects=OBJECTS,
        parent=SUPER,
        built_in=BUILT_IN,
        is_test=_is_test,
        subject=_subject,
        declares=_declares,
        module=_module,
        imports=_imports,
        without_imports=_without_imports,
        imported=_imported,
    ),
    encoding=re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE),
    parts=_PARTS,
    marks=_MARKS,
    signature_end=_signature_end,
    differ=_differ,
    names=read_names,
)
