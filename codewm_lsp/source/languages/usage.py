"""What a definition binds, and where it uses some names: the same values for every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from codewm_lsp.records import dataclass

CALLED = "()"
"""In a receiver: what stands before it is called."""

Chain = tuple[str, ...]
"""A dotted name by its parts, calls among them: ``Client().host`` is ("Client", "()", "host")."""


class UseKind(Enum):
    """How a name is used."""

    NAME = "name"  # by itself
    ATTRIBUTE = "attribute"  # of something
    IMPORT = "import"  # imported from a module
    MODULE = "module"  # the last part of the name of a module that is imported, or from which something is
    LISTED = "listed"  # in the list of what a module exports
    TEXT = "text"  # in a dotted name in a string


@dataclass(frozen=True, slots=True)
class Call:
    """What a call passes: how many positional arguments, which keywords, and whether it unpacks more of either."""

    positional: int
    keywords: tuple[str, ...]
    unpacks: bool


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a name. ``receiver``: what it is an attribute of, or the module that it is imported from or belongs
    to; None where that is no chain of names. ``outside``: in a decorator, default, annotation or base, which the
    definition's own names do not hide; ``decorates``: in a decorator. ``call``: where it is called.
    ``line``, from 0, of the text. ``optional``: in an import without which the code goes on. ``further``: the part that
    follows in a dotted name in a string; "" for none."""

    name: str
    kind: UseKind
    receiver: Chain | None = None
    call: Call | None = None
    outside: bool = False
    decorates: bool = False
    line: int = 0
    optional: bool = False
    further: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """What an import binds a name to: ``name`` of ``module`` (dots in front: relative), or the module itself.
    ``optional``: the code goes on where there is none."""

    module: str
    name: str | None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function."""

    name: str
    required: bool
    positional: bool
    keyword: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """Those of a function in their order. ``more``: it takes any further positional ones; ``any_keyword``: keywords."""

    listed: tuple[Parameter, ...] = ()
    more: bool = False
    any_keyword: bool = False
    free: bool = False
    """Whether a method is called without its object as the first argument (a static one)."""
    of_class: bool = False
    """Whether its first argument is the class, also where it is called on that."""
    wrapped: bool = False
    """Whether a decorator may have changed what its callers pass."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one definition's own text.

    ``bound``: names that it binds for itself. ``imports``: those bound by imports; ``stars``: modules of which it
    imports everything. ``values``: what variables, and attributes of the object itself (``self.x``), are made of or
    annotated as. ``members``: what stands behind each name assigned at the level of a module or class. ``attributes``:
    those of the object itself that it assigns. ``bases``: of a class; ``enumerates``: whether one is an enumeration.
    """

    uses: tuple[Use, ...] = ()
    bound: frozenset[str] = frozenset()
    imports: Mapping[str, Import] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    values: Mapping[str, Chain] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    bases: tuple[Chain, ...] = ()
    enumerates: bool = False
    parameters: Parameters | None = None
