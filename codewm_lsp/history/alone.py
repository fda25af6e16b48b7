"""One change of a commit by itself: the text of a file with that change made and no other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from codewm_lsp.history.edits import Edit, EditKind, file_edits, source_fingerprint
from codewm_lsp.records import dataclass
from codewm_lsp.source import MODULE_NAME, Definition, parse_definitions


@dataclass(frozen=True, slots=True)
class Alone:
    """``text``: the file once nothing but the edits was made; ``edits``: what differs from before, as asked for."""

    text: str
    edits: tuple[Edit, ...]


def alone(before: str | None, after: str | None, edits: Sequence[Edit]) -> Alone | None:
    """The file with some of the edits that lead from ``before`` to ``after`` (None: there is no such file).

    What a definition needs to stand by itself comes with it: a class that is added with a method of it, what is nested
    in a definition that goes. ``edits`` are of one file, and are found again in the text: from its own lines, as they
    are found in a working tree. None where they cannot be told apart from what else the commit did there. Texts are as
    ``decode`` gives them.
    """
    was, now = _Owned(before), _Owned(after)
    wanted = {edit.definition for edit in edits}
    for edit in edits:
        if edit.kind is EditKind.ADDED:
            wanted |= {name for name in _owners(edit.definition) if name not in was.definitions}
        elif edit.kind is EditKind.REMOVED:
            wanted |= {name for name in was.definitions if name.startswith(f"{edit.definition}.")}
    gone: set[int] = set()
    put: dict[int, list[str]] = {}
    added: dict[str, list[int]] = {}  # by the outermost definition that is new
    for name in sorted(wanted, key=now.place):
        old, new = was.lines_of(name), now.lines_of(name)
        if old:
            _change(was, now, old, new, gone, put)
        elif new:
            root = next((one for one in _owners(name) if one in wanted and not was.lines_of(one)), name)
            added.setdefault(root, []).extend(new)
    for root, numbers in added.items():
        put.setdefault(_place_for(was, now, root), []).extend(now.lines[line] for line in sorted(numbers))
    lines: list[str] = []
    for number in range(len(was.lines) + 1):
        lines += put.get(number, ())
        if number < len(was.lines) and number not in gone:
            lines.append(was.lines[number])
    text = "\n".join(lines) + ("\n" if lines else "")
    path = edits[0].path
    found = {edit.definition: edit for edit in file_edits(path, before, text)}
    made = [found.get(edit.definition) for edit in edits]
    same = tuple(
        replace(one, previous_path=edit.previous_path, commit=edit.commit)
        for one, edit in zip(made, edits, strict=True)
        if one is not None and one.kind is edit.kind and source_fingerprint(one.after) == source_fingerprint(edit.after)
    )
    return Alone(text, same) if len(same) == len(edits) else None


def as_before(edit: Edit) -> Edit:
    """The edit under the path that its file had before the commit."""
    if edit.previous_path is None:
        return edit
    return replace(edit, path=edit.previous_path, previous_path=None)


class _Owned:
    """The lines of a text, each of them owned by the innermost definition that it stands in."""

    def __init__(self, text: str | None) -> None:
        self.lines = text.removesuffix("\n").split("\n") if text else []
        self.definitions: dict[str, Definition] = {one.name: one for one in parse_definitions(text or "")}
        owner = [MODULE_NAME] * len(self.lines)
        for one in self.definitions.values():
            if one.name != MODULE_NAME:
                owner[one.start : one.end] = [one.name] * (min(one.end, len(owner)) - one.start)
        self._own: dict[str, list[int]] = {}
        for line, name in enumerate(owner):
            self._own.setdefault(name, []).append(line)

    def lines_of(self, name: str) -> list[int]:
        return self._own.get(name, [])

    def place(self, name: str) -> tuple[int, str]:
        one = self.definitions.get(name)
        return (one.start if one is not None else -1, name)


def _owners(name: str) -> list[str]:
    """``A.B.c`` → A, A.B."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _change(
    was: _Owned, now: _Owned, old: Sequence[int], new: Sequence[int], gone: set[int], put: dict[int, list[str]]
) -> None:
    """Make the lines ``old`` of one text the lines ``new`` of the other."""
    matcher = SequenceMatcher(None, [was.lines[line] for line in old], [now.lines[line] for line in new], False)
    for what, low, high, start, end in matcher.get_opcodes():
        if what == "equal":
            continue
        gone.update(old[low:high])
        at = old[low] if low < high or not low else old[low - 1] + 1
        put.setdefault(at, []).extend(now.lines[line] for line in new[start:end])


def _place_for(was: _Owned, now: _Owned, name: str) -> int:
    """The line of the old text before which a new definition goes: beside the neighbour that both texts have."""
    if name == MODULE_NAME:
        return 0
    owner = name.rpartition(".")[0]
    siblings = [one for one in now.definitions if one.rpartition(".")[0] == owner and one != MODULE_NAME]
    siblings.sort(key=now.place)
    at = siblings.index(name)
    for other in reversed(siblings[:at]):
        if other in was.definitions:
            return was.definitions[other].end
    for other in siblings[at + 1 :]:
        if other in was.definitions:
            return was.definitions[other].start
    return was.definitions[owner].end if owner in was.definitions else len(was.lines)
