"""Python: which names a definition binds, and where it uses others. Total: broken code gives what can be read of it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tree_sitter import Node

from codewm_lsp.source.languages.usage import (
    CALLED,
    Call,
    Chain,
    Import,
    Names,
    Parameter,
    Parameters,
    Use,
    UseKind,
)

OBJECTS: Final = frozenset({"self", "cls", "mcs"})
SUPER: Final = "super"
EXPORTS: Final = "__all__"
BUILT_IN: Final = frozenset(
    name
    for kind in (str, bytes, int, float, list, dict, set, tuple, property, type, BaseException, io.StringIO, io.FileIO)
    for name in dir(kind)
)
"""Attributes of everyday objects."""

_DEEPEST: Final = 200
_NOT_THERE: Final = re.compile(r"\b(?:ImportError|ModuleNotFoundError|Exception|BaseException)\b")
_SUPPRESSES: Final = re.compile(r"\bsuppress\s*\([^)]*\b(?:ImportError|ModuleNotFoundError|Exception)\b")
_IMPORTS_BY_NAME: Final = "import_module"
_MODULE_NAME: Final = re.compile(r"""["'](\.*[^\W\d]\w*(?:\.[^\W\d]\w*)*)["']""")
_OWN_PACKAGE: Final = frozenset({"__name__", "__package__"})
_DOTTED: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_ENUMERATION: Final = ("Enum", "Flag")
_BINDING: Final = {
    "for_statement": "left",
    "for_in_clause": "left",
    "named_expression": "name",
}
_COMPREHENSIONS: Final = frozenset(
    {"list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
)
_PATTERNS: Final = frozenset(
    {"pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "tuple", "list", "as_pattern_target"}
)


def read_names(root: Node, wanted: frozenset[str]) -> Names:
    """The names of a definition's own text, given by its syntax tree, with the uses of those ``wanted``."""
    reader = _Reader(wanted, _unclosed(root))
    reader.visit(root, _Place())
    return reader.names()


def _unclosed(root: Node) -> list[tuple[int, int]]:
    """From where to where (bytes) strings without an end go: to the end of the line, after three quotes of the text.

    What stands there is text that is being typed, and its words are no names.
    """
    text = root.text or b""
    found: list[tuple[int, int]] = []
    waiting = [root] if root.has_error else []
    while waiting:
        node = waiting.pop()
        waiting.extend(child for child in node.children if child.has_error)
        if node.type != "ERROR":
            continue
        opened = None
        for child in node.children:
            if child.type == "string_start" and opened is None:
                opened = child
            elif child.type == "string_end":
                opened = None
        if opened is not None:
            start = opened.start_byte - root.start_byte
            end = -1 if (opened.text or b"").endswith((b'"""', b"'''")) else text.find(b"\n", start)
            found.append((opened.start_byte, root.end_byte if end < 0 else root.start_byte + end))
    return found


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def _chain(node: Node | None) -> Chain | None:
    """A dotted name, calls in it without their arguments; None where there is anything else."""
    parts: list[str] = []
    while node is not None:
        if node.type == "identifier":
            parts.append(_text(node))
            return tuple(reversed(parts))
        if node.type == "attribute":
            parts.append(_text(node.child_by_field_name("attribute")))
            node = node.child_by_field_name("object")
        elif node.type == "call":
            parts.append(CALLED)
            node = node.child_by_field_name("function")
        elif node.type in ("await", "parenthesized_expression") and node.named_child_count == 1:
            node = node.named_child(0)
        else:
            return None
    return None


_LEAVE_PARAMETERS: Final = frozenset(
    [
        "abc.abstractmethod",
        "abstractmethod",
        "asynccontextmanager",
        "cache",
        "classmethod",
        "contextlib.asynccontextmanager",
        "contextlib.contextmanager",
        "contextmanager",
        "final",
        "functools.cache",
        "functools.lru_cache",
        "lru_cache",
        "override",
        "staticmethod",
        "typing.final",
        "typing.override",
        "typing_extensions.override",
    ]
)
"""Decorators with which a function is called as it is defined."""

_MAY_BE_CALLED: Final = frozenset(["functools.lru_cache", "lru_cache"])
"""Those of them that take arguments."""


def _leaves_parameters(decorator: str) -> bool:
    name, called, _ = decorator.partition("(")
    return name in (_MAY_BE_CALLED if called else _LEAVE_PARAMETERS)


class _Place:
    """Where in a definition a node stands. ``optional``: where the code goes on if an import fails."""

    __slots__ = ("depth", "hidden", "optional", "outside", "pattern")

    def __init__(
        self,
        hidden: frozenset[str] = frozenset(),
        *,
        outside: bool = False,
        pattern: bool = False,
        optional: bool = False,
        depth: int = 0,
    ) -> None:
        self.hidden = hidden
        self.outside = outside
        self.pattern = pattern
        self.optional = optional
        self.depth = depth

    def below(
        self,
        hidden: frozenset[str] = frozenset(),
        *,
        outside: bool = False,
        pattern: bool = False,
        optional: bool = False,
    ) -> _Place:
        return _Place(
            self.hidden | hidden,
            outside=self.outside or outside,
            pattern=self.pattern or pattern,
            optional=self.optional or optional,
            depth=self.depth + 1,
        )


class _Reader:
    def __init__(self, wanted: frozenset[str], unclosed: list[tuple[int, int]]) -> None:
        self._wanted = wanted
        self._unclosed = unclosed
        self._uses: list[Use] = []
        self._bound: set[str] = set()
        self._elsewhere: set[str] = set()  # declared global or nonlocal
        self._imports: dict[str, Import] = {}
        self._stars: list[str] = []
        self._values: dict[str, Chain] = {}
        self._members: dict[str, str] = {}
        self._attributes: set[str] = set()
        self._bases: list[Chain] = []
        self._parameters: Parameters | None = None
        self._decorators: set[str] = set()

    def names(self) -> Names:
        parameters = self._parameters
        if parameters is not None:
            parameters = replace(
                parameters,
                free="staticmethod" in self._decorators,
                of_class="classmethod" in self._decorators,
                wrapped=not all(map(_leaves_parameters, self._decorators)),
            )
        return Names(
            uses=tuple(self._uses),
            bound=frozenset(self._bound - self._elsewhere - self._imports.keys()),
            imports=self._imports,
            stars=tuple(self._stars),
            values=self._values,
            members=self._members,
            attributes=frozenset(self._attributes),
            bases=tuple(self._bases),
            enumerates=any(base[-1].endswith(_ENUMERATION) for base in self._bases),
            parameters=parameters,
        )

    def visit(self, node: Node, place: _Place) -> None:
        if place.depth > _DEEPEST:
            return
        if self._unclosed and any(start <= node.start_byte < end for start, end in self._unclosed):
            return
        visit = getattr(self, f"_{node.type}", None)
        if visit is not None:
            visit(node, place)
        elif node.type in _COMPREHENSIONS:
            self._comprehension(node, place)
        else:
            if node.type in _BINDING:
                self._bind(node.child_by_field_name(_BINDING[node.type]), place)
            self._below(node, place)

    def _below(self, node: Node, place: _Place) -> None:
        if node.named_child_count:
            below = place.below()
            for child in node.named_children:
                self.visit(child, below)

    def _visit_field(self, node: Node, name: str, place: _Place) -> None:
        child = node.child_by_field_name(name)
        if child is not None:
            self.visit(child, place)

    def _bind(self, target: Node | None, place: _Place) -> None:
        for name in _targets(target):
            if name not in place.hidden:
                self._bound.add(name)

    def _use(
        self,
        name: str,
        node: Node | None,
        kind: UseKind,
        place: _Place,
        receiver: Chain | None = None,
        call: Call | None = None,
        further: str = "",
    ) -> None:
        if node is not None and name in self._wanted:
            line = node.start_point[0]
            self._uses.append(
                Use(name, kind, receiver, call, place.outside, line=line, optional=place.optional, further=further)
            )

    # Names

    def _identifier(self, node: Node, place: _Place, call: Call | None = None) -> None:
        name = _text(node)
        if name in self._wanted and name not in place.hidden:
            self._use(name, node, UseKind.NAME, place, None, call)

    def _attribute(self, node: Node, place: _Place, call: Call | None = None) -> None:
        receiver = node.child_by_field_name("object")
        attribute = node.child_by_field_name("attribute")
        name = _text(attribute)
        if name in self._wanted:
            chain = _chain(receiver)
            if chain is None or chain[0] not in place.hidden:
                self._use(name, attribute, UseKind.ATTRIBUTE, place, chain, call)
            else:
                self._use(name, attribute, UseKind.ATTRIBUTE, place, None, call)
        if receiver is not None:
            self.visit(receiver, place.below())

    def _call(self, node: Node, place: _Place) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is not None:
            if function.type == "identifier":
                self._identifier(function, place, _call(arguments))
            elif function.type == "attribute":
                self._attribute(function, place.below(), _call(arguments))
            else:
                self.visit(function, place.below())
        if arguments is not None:
            if _text(function).rpartition(".")[2] == _IMPORTS_BY_NAME:
                self._imports_by_name(arguments, place)
            self.visit(arguments, place.below())

    def _imports_by_name(self, arguments: Node, place: _Place) -> None:
        first, second = (*map(_text, arguments.named_children), "", "")[:2]
        named = _MODULE_NAME.fullmatch(first)
        if named is not None and (not named[1].startswith(".") or second in _OWN_PACKAGE):
            self._imports_module(named[1], arguments, place)

    def _keyword_argument(self, node: Node, place: _Place) -> None:
        self._visit_field(node, "value", place.below())

    def _dotted_name(self, node: Node, place: _Place) -> None:
        parts = tuple(_text(child) for child in node.named_children)
        if len(parts) > 1:
            for number in range(1, len(parts)):
                self._use(parts[number], node.named_children[number], UseKind.ATTRIBUTE, place, parts[:number])
        if place.pattern and len(parts) == 1:
            self._bound.add(parts[0])
        elif parts and parts[0] not in place.hidden:
            self._use(parts[0], node.named_children[0], UseKind.NAME, place)

    def _case_clause(self, node: Node, place: _Place) -> None:
        for child in node.named_children:
            self.visit(child, place.below(pattern=child.type == "case_pattern"))

    def _class_pattern(self, node: Node, place: _Place) -> None:
        for number, child in enumerate(node.named_children):
            if number or child.type != "dotted_name":
                self.visit(child, place.below())
            else:
                self._dotted_name(child, _Place(place.hidden, outside=place.outside, depth=place.depth + 1))

    def _string(self, node: Node, place: _Place) -> None:
        for child in node.named_children:
            if child.type == "interpolation":
                self.visit(child, place.below())
            elif child.type == "string_content":
                text = _text(child)
                if _DOTTED.fullmatch(text):
                    parts = tuple(text.split("."))
                    for number, (name, further) in enumerate(zip(parts, (*parts[1:], ""), strict=True)):
                        if number:
                            self._use(name, child, UseKind.TEXT, place, parts[:number], further=further)

    def _global_statement(self, node: Node, place: _Place) -> None:
        self._elsewhere.update(_text(child) for child in node.named_children)

    _nonlocal_statement = _global_statement

    # Bindings

    def _assignment(self, node: Node, place: _Place) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        annotation = node.child_by_field_name("type")
        self._bind(left, place)
        if left is not None:
            made = _annotated(annotation) or _made(right) or self._values.get(_text(right))
            chain = _chain(left)
            if chain is not None and made is not None and CALLED not in chain:
                self._values.setdefault(".".join(chain), made)
            if chain is not None and len(chain) == 2 and chain[0] in OBJECTS:
                self._attributes.add(chain[1])
            if left.type == "identifier":
                self._members[_text(left)] = _text(right if right is not None else annotation)
            else:
                for name in _targets(left):
                    self._members.setdefault(name, _text(right))
                self.visit(left, place.below())
            if right is not None and _text(left) == EXPORTS:
                self._listed(right, place)
        if annotation is not None:
            self.visit(annotation, place.below())
        if right is not None:
            self.visit(right, place.below())

    def _augmented_assignment(self, node: Node, place: _Place) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        self._bind(left, place)
        if right is not None and _text(left) == EXPORTS:
            self._listed(right, place)
        self._below(node, place)

    def _listed(self, node: Node, place: _Place) -> None:
        for child in node.named_children:
            if child.type == "string":
                for content in child.named_children:
                    if content.type == "string_content":
                        self._use(_text(content), content, UseKind.LISTED, place)
            else:
                self._listed(child, place)

    def _as_pattern(self, node: Node, place: _Place) -> None:
        made = _made(node.named_child(0)) if node.named_child_count else None
        for child in node.named_children:
            if child.type == "as_pattern_target":
                self._bind(child, place)
                if made is not None and child.named_child_count == 1:
                    self._values.setdefault(_text(child), made)
            else:
                self.visit(child, place.below())

    def _comprehension(self, node: Node, place: _Place) -> None:
        hidden: set[str] = set()
        for child in node.named_children:
            if child.type == "for_in_clause":
                hidden.update(_targets(child.child_by_field_name("left")))
        below = place.below(frozenset(hidden))
        for child in node.named_children:
            if child.type == "for_in_clause":
                self._visit_field(child, "right", place.below())
            else:
                self.visit(child, below)

    def _lambda(self, node: Node, place: _Place) -> None:
        parameters = _parameters(node.child_by_field_name("parameters"))
        hidden = frozenset(_named(node.child_by_field_name("parameters")))
        if parameters is not None:
            self._defaults(node.child_by_field_name("parameters"), place)
        self._visit_field(node, "body", place.below(hidden))

    # Imports

    def _import_statement(self, node: Node, place: _Place) -> None:
        for child in node.named_children:
            if child.type == "aliased_import":
                module, alias = _text(child.child_by_field_name("name")), _text(child.child_by_field_name("alias"))
                self._imports[alias] = Import(module, None, place.optional)
                self._imports_module(module, child, place)
            elif child.type == "dotted_name":
                top = _text(child).partition(".")[0]
                self._imports.setdefault(top, Import(top, None, place.optional))
                self._imports_module(_text(child), child, place)

    def _imports_module(self, module: str, node: Node, place: _Place) -> None:
        self._use(module.rpartition(".")[2], node, UseKind.MODULE, place, (module,))

    def _import_from_statement(self, node: Node, place: _Place) -> None:
        module = _text(node.child_by_field_name("module_name"))
        self._imports_module(module, node, place)
        for child in node.children:
            if child.type == "wildcard_import":
                self._stars.append(module)
        for child in node.children_by_field_name("name"):
            name = alias = _text(child)
            if child.type == "aliased_import":
                name, alias = _text(child.child_by_field_name("name")), _text(child.child_by_field_name("alias"))
            self._imports[alias] = Import(module, name, place.optional)
            self._use(name, child, UseKind.IMPORT, place, (module,))

    def _future_import_statement(self, node: Node, place: _Place) -> None:
        pass

    def _try_statement(self, node: Node, place: _Place) -> None:
        handled = any(_goes_on(child) for child in node.named_children if child.type == "except_clause")
        for child in node.named_children:
            in_body = child == node.child_by_field_name("body")
            self.visit(child, place.below(optional=handled and in_body))

    def _with_statement(self, node: Node, place: _Place) -> None:
        body = node.child_by_field_name("body")
        items = [child for child in node.named_children if child != body]
        suppressed = any(_SUPPRESSES.search(_text(child)) for child in items)
        for child in node.named_children:
            self.visit(child, place.below(optional=suppressed and child == body))

    # Definitions

    def _decorator(self, node: Node, place: _Place) -> None:
        self._decorators.add(_text(node).removeprefix("@").strip())
        first = len(self._uses)
        self._below(node, place.below(outside=True))
        self._uses[first:] = [replace(use, decorates=True) for use in self._uses[first:]]

    def _function_definition(self, node: Node, place: _Place) -> None:
        parameters = node.child_by_field_name("parameters")
        own = self._parameters is None and not place.hidden
        if own:
            self._parameters = _parameters(parameters)
        self._bound.update(_named(parameters))
        for child in parameters.named_children if parameters is not None else ():
            annotation = _annotated(child.child_by_field_name("type"))
            if annotation is not None:
                for name in _names_of(child):
                    self._values.setdefault(name, annotation)
        self._defaults(parameters, place)
        returned = node.child_by_field_name("return_type")
        if returned is not None:
            self.visit(returned, place.below(outside=True))
        self._broken(node, place)
        self._visit_field(node, "body", place.below())

    def _broken(self, node: Node, place: _Place) -> None:
        """What stands in a definition's first line that is half typed, and may be all of its body."""
        for child in node.children if node.has_error else ():
            if child.type == "ERROR":
                self.visit(child, place.below())

    def _defaults(self, parameters: Node | None, place: _Place) -> None:
        outside = place.below(outside=True)
        for child in parameters.named_children if parameters is not None else ():
            self._visit_field(child, "type", outside)
            self._visit_field(child, "value", outside)

    def _class_definition(self, node: Node, place: _Place) -> None:
        bases = node.child_by_field_name("superclasses")
        for child in bases.named_children if bases is not None else ():
            base = child.child_by_field_name("value") if child.type == "subscript" else child
            chain = _chain(base)
            if chain is not None:
                self._bases.append(chain)
            self.visit(child, place.below(outside=True))
        self._broken(node, place)
        self._visit_field(node, "body", place.below())


def _goes_on(handler: Node) -> bool:
    """Whether a handler catches that a module or a name of it is not there, and raises nothing."""
    if not handler.named_children:
        return False
    *caught, body = handler.named_children
    if body.type != "block" or any(child.type == "raise_statement" for child in body.named_children):
        return False
    return not caught or bool(_NOT_THERE.search(_text(caught[0])))


def _targets(node: Node | None) -> Iterator[str]:
    """The names that an assignment to this binds."""
    if node is None:
        return
    if node.type == "identifier":
        yield _text(node)
    elif node.type in _PATTERNS:
        for child in node.named_children:
            yield from _targets(child)


def _call(arguments: Node | None) -> Call | None:
    if arguments is None:
        return None
    if arguments.type != "argument_list":
        return Call(1, (), False)  # a generator expression without brackets of its own
    positional, keywords, unpacks = 0, [], False
    for child in arguments.named_children:
        if child.type == "keyword_argument":
            keywords.append(_text(child.child_by_field_name("name")))
        elif child.type in ("list_splat", "dictionary_splat"):
            unpacks = True
        elif child.type not in ("comment", "ERROR"):
            positional += 1
    return Call(positional, tuple(keywords), unpacks or arguments.has_error)


def _made(node: Node | None) -> Chain | None:
    """What a value is made by: the class that is called, most of the time."""
    if node is not None and node.type in ("await", "parenthesized_expression") and node.named_child_count == 1:
        node = node.named_child(0)
    if node is None or node.type != "call":
        return None
    return _chain(node)


def _annotated(node: Node | None) -> Chain | None:
    """The class that an annotation names, ``None`` and ``Optional`` beside it."""
    if node is None:
        return None
    text = _text(node).strip("\"' ")
    for none in (" | None", "None | "):
        text = text.replace(none, "")
    if text.startswith("Optional[") and text.endswith("]"):
        text = text[len("Optional[") : -1]
    parts = tuple(text.strip("\"' ").split("."))
    return (*parts, CALLED) if all(part.isidentifier() for part in parts) else None


def _names_of(parameter: Node) -> Iterator[str]:
    """The names of one parameter."""
    if parameter.type == "identifier":
        yield _text(parameter)
        return
    name = parameter.child_by_field_name("name")
    if name is not None:
        yield _text(name)
        return
    for child in parameter.named_children:
        if child.type == "identifier":
            yield _text(child)
            return
        if child.type in ("list_splat_pattern", "dictionary_splat_pattern"):
            yield from _names_of(child)
            return


def _named(parameters: Node | None) -> Iterator[str]:
    for child in parameters.named_children if parameters is not None else ():
        yield from _names_of(child)


def _parameters(node: Node | None) -> Parameters | None:
    if node is None or node.has_error:
        return None
    listed: list[Parameter] = []
    more = any_keyword = False
    positional = True
    for child in node.named_children:
        kind = child.type
        if kind == "typed_parameter" and child.named_child_count:
            inner = child.named_children[0].type
            kind = inner if inner.endswith("_splat_pattern") else kind
        if kind == "positional_separator":
            listed = [Parameter(one.name, one.required, True, False) for one in listed]
        elif kind == "keyword_separator":
            positional = False
        elif kind == "list_splat_pattern":
            more, positional = True, False
        elif kind == "dictionary_splat_pattern":
            any_keyword = True
        elif kind in ("identifier", "typed_parameter", "default_parameter", "typed_default_parameter"):
            for name in _names_of(child):
                listed.append(Parameter(name, not kind.endswith("default_parameter"), positional, True))
    return Parameters(tuple(listed), more, any_keyword)
