"""What edits in progress break: names that are gone, signatures that callers no longer fit, and new members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from codewm_lsp.display import ordinal
from codewm_lsp.history import Edit, EditKind
from codewm_lsp.ranking.corpus import scope_above, simple_name, tokens_of
from codewm_lsp.records import dataclass
from codewm_lsp.source import DefinitionKind, names_of
from codewm_lsp.source.languages import Call, Parameter, Parameters

_ALIKE: Final = 0.5  # share of words that a definition and the same under a new name have in common
_MOST: Final = 64  # edits looked at


@dataclass(frozen=True, slots=True)
class Gone:
    """A name that is no longer defined. ``renamed``: what it is called now; ``moved``: whether another file defines it.

    ``name`` is qualified. ``member``: of a class, not a module or function.
    """

    path: str
    name: str
    member: bool
    renamed: str
    moved: bool


@dataclass(frozen=True, slots=True)
class Altered:
    """A function whose parameters are others than before."""

    path: str
    name: str
    member: bool
    before: Parameters
    after: Parameters


@dataclass(frozen=True, slots=True)
class Enlarged:
    """A class with new members beside some that stood for all there were."""

    path: str
    name: str
    old: frozenset[str]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """All of it, in the order of the edits."""

    gone: tuple[Gone, ...]
    altered: tuple[Altered, ...]
    enlarged: tuple[Enlarged, ...]


def broken_by(edits: Sequence[Edit], defined: Iterable[tuple[str, str]] = ()) -> Broken:
    """What these edits break. ``defined``: paths and names that are known to be defined now."""
    edits = edits[:_MOST]
    removed = [edit for edit in edits if edit.kind is EditKind.REMOVED and edit.definition_kind is not _MODULE]
    added = [edit for edit in edits if edit.kind is EditKind.ADDED and edit.definition_kind is not _MODULE]
    renamed = _renamed(removed, added)
    still = {(edit.path, edit.definition.partition("#")[0]) for edit in edits if edit.kind is not EditKind.REMOVED}
    still |= set(defined)
    several = {(edit.path, edit.definition.partition("#")[0]) for edit in edits if "#" in edit.definition}
    fresh = {(edit.definition_kind, simple_name(edit.definition)) for edit in added}
    bound = {
        (edit.path, name)
        for edit in edits
        if edit.definition_kind is _MODULE and edit.after
        for names in [names_of(edit.after)]
        for name in (*names.members, *names.imports)
    }
    gone: list[Gone] = []
    altered: list[Altered] = []
    enlarged: list[Enlarged] = []
    for edit in removed:
        name = edit.definition
        if "#" in name or (edit.path, name) in still or (edit.path, name) in bound:
            continue
        owner = scope_above(name)
        if any(gone_class.definition == owner and gone_class.path == edit.path for gone_class in removed):
            new_owner = renamed.get((edit.path, owner), "")
            if new_owner and (edit.path, f"{new_owner}.{simple_name(name)}") in still:
                continue
        moved = not renamed.get((edit.path, name)) and (edit.definition_kind, simple_name(name)) in fresh
        new = renamed.get((edit.path, name), "")
        member = edit.definition_kind is DefinitionKind.METHOD
        gone.append(Gone(edit.path, name, member, simple_name(new), moved))
    for edit in edits:
        if edit.kind is not EditKind.MODIFIED:
            continue
        before, after = names_of(edit.before), names_of(edit.after)
        if edit.definition_kind in (_MODULE, DefinitionKind.CLASS):
            in_class = edit.definition_kind is DefinitionKind.CLASS
            lost = [name for name in before.members if name not in after.members and name not in after.imports]
            if in_class and lost:
                kept = _set_by_methods(edit, edits)
                lost = [name for name in lost if name not in kept]
            new_members = [name for name in after.members if name not in before.members]
            for name in lost:
                qualified = f"{edit.definition}.{name}" if in_class else name
                if (edit.path, qualified) in still or name.startswith("__"):
                    continue
                same = [one for one in new_members if after.members[one] == before.members[name]]
                new = same[0] if same else new_members[0] if len(new_members) == len(lost) == 1 else ""
                gone.append(Gone(edit.path, qualified, in_class, new, moved=False))
            if in_class and after.enumerates and len(new_members) > len(lost) and len(before.members) > 1:
                old = frozenset(name for name in before.members if name in after.members and not name.startswith("_"))
                enlarged.append(Enlarged(edit.path, edit.definition, old, tuple(new_members)))
        elif (edit.path, edit.definition) in several:
            continue  # overloads, of which each call fits one
        elif before.parameters is not None and after.parameters is not None and before.parameters != after.parameters:
            member = edit.definition_kind is DefinitionKind.METHOD
            altered.append(Altered(edit.path, edit.definition, member, before.parameters, after.parameters))
    return Broken(tuple(gone), tuple(altered), tuple(enlarged))


_MODULE: Final = DefinitionKind.MODULE


def _set_by_methods(of: Edit, edits: Sequence[Edit]) -> frozenset[str]:
    """The attributes that methods of a class set now, of those that were edited with it."""
    methods = [edit for edit in edits if edit.path == of.path and scope_above(edit.definition) == of.definition]
    return frozenset(name for edit in methods if edit.after for name in names_of(edit.after).attributes)


def renames(edits: Sequence[Edit]) -> dict[tuple[str, str], str]:
    """(Path, new name) → old name, of the definitions that these edits renamed within their file."""
    edits = edits[:_MOST]
    removed = [edit for edit in edits if edit.kind is EditKind.REMOVED and edit.definition_kind is not _MODULE]
    added = [edit for edit in edits if edit.kind is EditKind.ADDED and edit.definition_kind is not _MODULE]
    return {(path, new): old for (path, old), new in _renamed(removed, added).items()}


def _renamed(removed: Sequence[Edit], added: Sequence[Edit]) -> dict[tuple[str, str], str]:
    """(Path, old name) → new name, of definitions that are gone and stand in the same place under another name."""
    pairs: list[tuple[float, Edit, Edit]] = []
    for old in removed:
        for new in added:
            if (
                old.path == new.path
                and old.definition_kind is new.definition_kind
                and old.definition.count(".") == new.definition.count(".")
            ):
                alike = _alike(old, new)
                if alike >= _ALIKE:
                    pairs.append((alike, old, new))
    pairs.sort(key=lambda pair: -pair[0])
    found: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for _, old, new in pairs:
        if (old.path, old.definition) not in found and new.definition not in taken:
            found[old.path, old.definition] = new.definition
            taken.add(new.definition)
    return found


def _alike(old: Edit, new: Edit) -> float:
    """How many of the words of both stand in both, the names themselves left out."""
    one, other = _words(old.before, old.definition), _words(new.after, new.definition)
    return 2 * (one & other).total() / max(1, one.total() + other.total())


def _words(text: str, name: str) -> Counter[str]:
    words = tokens_of(text)
    words.pop(simple_name(name), None)
    return words


def new_requirements(before: Parameters, after: Parameters) -> bool:
    """Whether what was changed is more than another parameter that may be left out."""
    names = {one.name for one in after.listed}
    known = {one.name: one for one in before.listed}
    if any(one.name not in names for one in before.listed):
        return True
    if any(one.required and (one.name not in known or not known[one.name].required) for one in after.listed):
        return True
    if any(one.name in known and known[one.name].positional and not one.positional for one in after.listed):
        return True
    kept = [one.name for one in after.listed if one.name in known]
    return kept != [one.name for one in before.listed] or (before.more and not after.more)


def misfit(call: Call, before: Parameters, after: Parameters, bound: int) -> str:
    """Why a call that fitted no longer does, in words; "" where it does, or where that cannot be told.

    ``bound``: how many of the first parameters are not passed by the call (the object of a method).
    """
    old, new = before.listed[bound:], after.listed[bound:]
    were, are = {one.name for one in old}, {one.name for one in new}
    renamed = {
        one.name: other.name
        for one, other in zip(old, new, strict=False)
        if one.name not in are and other.name not in were and len(old) == len(new)
    }
    for keyword in call.keywords:
        if keyword in were and keyword not in are:
            if keyword in renamed:
                return f"passes `{keyword}`, which was renamed to `{renamed[keyword]}`"
            return f"passes `{keyword}`, which is no longer a parameter"
    if call.unpacks:
        return ""
    by_position = [one for one in old if one.positional][: call.positional]
    for one in by_position:
        if one.name not in are and one.name not in renamed:
            return f"passes `{one.name}`, which is no longer a parameter"
    missing = _missing(call, new) - {renamed.get(name, name) for name in _missing(call, old)}
    for one in new:
        if one.name in missing:
            return f"does not pass `{one.name}`, which is now required"
    most = sum(one.positional for one in new)
    if not after.more and call.positional > most and (before.more or call.positional <= sum(p.positional for p in old)):
        return f"passes {call.positional} arguments where {most} are taken"
    now = [one.name for one in new if one.positional][: call.positional]
    expected = [renamed.get(one.name, one.name) for one in by_position]
    for place, (was, name) in enumerate(zip(expected, now, strict=False), start=1):
        if was != name:
            return f"its {ordinal(str(place))} argument is now `{name}`, was `{was}`"
    return ""


def fits(call: Call, parameters: Parameters, bound: int) -> bool:
    """Whether a call passes what these parameters take; ``bound`` as in ``misfit``."""
    listed = parameters.listed[bound:]
    names = {one.name for one in listed}
    most = sum(one.positional for one in listed)
    return (
        (parameters.more or call.positional <= most)
        and (parameters.any_keyword or names.issuperset(call.keywords))
        and (call.unpacks or not _missing(call, listed))
    )


def _missing(call: Call, parameters: Sequence[Parameter]) -> set[str]:
    """The required parameters that a call does not pass."""
    positional = [one.name for one in parameters if one.positional][: call.positional]
    given = {*positional, *call.keywords}
    return {one.name for one in parameters if one.required and one.name not in given}
