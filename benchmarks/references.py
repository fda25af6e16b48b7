"""Are the definitions that must follow an edit found, and only these? Scenarios made by program in real code.

    pip install '.[eval]'
    python -m benchmarks.references CLONE… [--scenarios N] [--seed N] [--truth FOLDER]

In the newest commit of each clone (bare or not) a function, class or constant is renamed or removed, a function gets a
required parameter more or loses its last one, or an enumeration gets a member more. Who uses the name is told by jedi,
which shares no code with CodeWM: each place where it stands is followed to its definition. Of a new member those count
as users who use every other one. ``--truth``: a folder to keep what jedi said in.

Figures are of definitions that use the name: the share among the first places (as many as there are users, and two),
the share with a lens in its own file, and the share of led definitions that jedi finds too, of those about which it
says anything. Methods that are led because they override the changed one are counted for themselves: they do not use
it. The time is that of the processor for one question, nothing of it being remembered.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import jedi

from codewm_lsp.hints import Engine, HintKind, Snapshot
from codewm_lsp.history import Edit, Repository
from codewm_lsp.history.edits import file_edits
from codewm_lsp.index import Index
from codewm_lsp.source import Definition, DefinitionKind, names_of, parse_definitions
from codewm_lsp.world_model import WorldModel

MOST_PLACES: Final = 60  # where a name stands, of a scenario: each is followed
KINDS: Final = ("renamed", "removed", "parameter required", "parameter removed", "member added")
_NEW: Final = "added_anew"
Row = tuple[str, str]
"""A definition: its path, and its qualified name."""


@dataclass(frozen=True)
class Scenario:
    """One change to a file. ``users``: who must follow; ``known``: definitions about which jedi says anything."""

    kind: str
    path: str
    definition: str
    text: str
    users: tuple[Row, ...]
    known: tuple[Row, ...]


@dataclass
class Counts:
    """Sums over the scenarios of one kind."""

    scenarios: int = 0
    users: int = 0
    first: int = 0
    lens: int = 0
    led: int = 0
    right: int = 0
    wrong: int = 0
    overrides: int = 0
    seconds: list[float] = field(default_factory=list)


class Clone:
    """The newest commit of a repository, its files also on disk for jedi."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.repository = Repository.open(path)
        self.head = self.repository.head()
        tree = self.repository.files(self.head)
        texts = self.repository.read_all(list(dict.fromkeys(tree.values())))
        self.texts = {name: text for name, blob in tree.items() if (text := texts[blob]) is not None}
        self.folder = folder
        for name, text in self.texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        self.definitions = {name: parse_definitions(text) for name, text in self.texts.items()}
        own = [str(folder / name) for name in ("src", "lib", ".")]
        library = [one for one in sys.path if one and "site-packages" not in one]  # where another copy may lie
        self._project = jedi.Project(str(folder), sys_path=[*own, *library], smart_sys_path=False)
        self._environment = jedi.api.environment.InterpreterEnvironment()
        self.lines = {name: text.split("\n") for name, text in self.texts.items()}

    def places(self, name: str) -> list[tuple[str, int, int]]:
        """Where a word stands: path, line from 0, column."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return [
            (path, number, match.start())
            for path, lines in self.lines.items()
            if name in self.texts[path]
            for number, line in enumerate(lines)
            if name in line
            for match in word.finditer(line)
        ]

    def row(self, path: str, line: int) -> Row:
        """The innermost definition that a line is in."""
        inside = [one for one in self.definitions[path] if one.start <= line < one.end]
        return path, max(inside, key=lambda one: (one.start, -one.end)).name

    def leads_to(self, path: str, line: int, column: int) -> set[tuple[str, int]]:
        """The definitions that a place leads to: path ("": of no file here) and line from 0; none where jedi does not
        know."""
        script = jedi.Script(
            self.texts[path], path=self.folder / path, project=self._project, environment=self._environment
        )
        try:
            found = script.goto(line + 1, column, follow_imports=True)
        except Exception:  # of jedi, on code that it cannot read
            return set()
        return {self._place(one.module_path, one.line) for one in found}

    def _place(self, module: Path | None, line: int | None) -> tuple[str, int]:
        if module is None or line is None or not Path(module).is_relative_to(self.folder):
            return "", 0
        return Path(module).relative_to(self.folder).as_posix(), line - 1


def calls(text: str) -> Iterator[tuple[int, int, ast.Call]]:
    """The calls of a file by the line (from 0) and column at which the called name ends."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield (node.func.end_lineno or 1) - 1, node.func.end_col_offset or 0, node


def changed(kind: str, lines: Sequence[str], definition: Definition) -> tuple[str, str] | None:
    """A file after a scenario, and the parameter that it is about; None where it cannot be made."""
    lines = list(lines)
    name = definition.name.rpartition(".")[2]
    header = lines[definition.line]
    if kind == "member added":
        members = enumerated(definition)
        if len(members) < 2:
            return None
        last = max(number for number in range(definition.line, definition.end) if _assigns(lines[number], members[-1]))
        indent = lines[last][: len(lines[last]) - len(lines[last].lstrip())]
        lines.insert(last + 1, f"{indent}{_NEW.upper()} = '{_NEW}'")
        return "\n".join(lines), ""
    if kind == "renamed":
        lines[definition.line] = re.sub(rf"\b{re.escape(name)}\b", f"{name}_anew", header, count=1)
        return "\n".join(lines), ""
    if kind == "removed":
        del lines[definition.start : definition.end]
        return "\n".join(lines), ""
    match = re.fullmatch(r"(\s*(?:async )?def \w+\()([^()*/]*)(\)[^()]*:\s*)", header)
    if match is None or definition.kind is DefinitionKind.CLASS:
        return None
    given = [one.strip() for one in match.group(2).split(",") if one.strip()]
    if kind == "parameter required":
        if any("=" in one for one in given):
            return None
        parameter, given = _NEW, [*given, _NEW]
    else:
        if len(given) < 2 or "[" in match.group(2):
            return None
        parameter = re.split(r"[:=]", given.pop())[0].strip()
    lines[definition.line] = match.group(1) + ", ".join(given) + match.group(3)
    return "\n".join(lines), parameter


def enumerated(definition: Definition) -> list[str]:
    """The members of an enumeration that each stand on one line; of anything else none."""
    if definition.kind is not DefinitionKind.CLASS:
        return []
    names = names_of(definition.source)
    if not names.enumerates:
        return []
    lines = definition.source.split("\n")
    return [name for name in names.members if not name.startswith("_") and any(_assigns(line, name) for line in lines)]


def _assigns(line: str, name: str) -> bool:
    return (
        re.fullmatch(rf"\s+{re.escape(name)}\s*=\s*(?:'[^']*'|\"[^\"]*\"|[\w.]+(?:\(\))?)\s*(?:#.*)?", line) is not None
    )


def must_change(kind: str, call: ast.Call | None, parameter: str, before: int) -> bool:
    """Whether a use no longer fits. ``before``: how many arguments came before the parameter."""
    if kind in ("renamed", "removed"):
        return True
    if (
        call is None
        or any(isinstance(one, ast.Starred) for one in call.args)
        or any(one.arg is None for one in call.keywords)
    ):
        return False
    if kind == "parameter required":
        return True
    return len(call.args) > before or any(one.arg == parameter for one in call.keywords)


def users_of(clone: Clone, kind: str, path: str, definition: Definition, parameter: str) -> tuple[set[Row], set[Row]]:
    """Who must follow, and about which definitions jedi says anything."""
    name = definition.name.rpartition(".")[2]
    method = definition.kind is DefinitionKind.METHOD
    before = clone.lines[path][definition.line].partition("(")[2].partition(")")[0].count(",") - method
    users: set[Row] = set()
    known: set[Row] = set()
    for where, line, column in clone.places(name):
        row = clone.row(where, line)
        if row == (path, definition.name):
            continue
        leads = clone.leads_to(where, line, column)
        if leads:
            known.add(row)
        if (path, definition.line) in leads:
            try:
                called = {(one, end): call for one, end, call in calls(clone.texts[where])}
            except (SyntaxError, ValueError):
                called = {}
            if must_change(kind, called.get((line, column + len(name))), parameter, before):
                users.add(row)
    if kind == "removed" and definition.kind is DefinitionKind.CLASS:
        users = {row for row in users if not (row[0] == path and row[1].startswith(definition.name + "."))}
    return users, known


def handlers_of(clone: Clone, path: str, definition: Definition) -> tuple[set[Row], set[Row]]:
    """The same of a new member: who uses every member that there was."""
    used: dict[Row, set[str]] = defaultdict(set)
    known: set[Row] = set()
    members = enumerated(definition)
    for member in members:
        for where, line, column in clone.places(member):
            row = clone.row(where, line)
            if row == (path, definition.name):
                continue
            leads = clone.leads_to(where, line, column)
            if leads:
                known.add(row)
            own = range(definition.line, definition.end)
            if any(file == path and at in own and _assigns(clone.lines[path][at], member) for file, at in leads):
                used[row].add(member)
    return {row for row, some in used.items() if some == set(members)}, known


def scenarios(clone: Clone, count: int, seed: int, kinds: Sequence[str] = KINDS) -> list[Scenario]:
    """So many scenarios in which somebody must follow, the kinds in turn."""
    chance = random.Random(seed)
    candidates = [
        (path, definition)
        for path, definitions in clone.definitions.items()
        for definition in definitions
        if definition.kind is not DefinitionKind.MODULE
        and "#" not in definition.name
        and "__" not in definition.name
        and not path.startswith("test")
        and "/test" not in path
    ]
    chance.shuffle(candidates)
    enumerations = [one for one in candidates if len(enumerated(one[1])) > 1]
    found: list[Scenario] = []
    if "member added" in kinds:
        for path, definition in enumerations:
            made = changed("member added", clone.lines[path], definition)
            if made is None or not all(len(clone.places(one)) <= MOST_PLACES for one in enumerated(definition)):
                continue
            users, known = handlers_of(clone, path, definition)
            if users:
                found.append(_scenario("member added", path, definition, made[0], users, known))
            if len(found) * len(kinds) >= count:
                break
    others = [kind for kind in kinds if kind != "member added"]
    done = 0
    for path, definition in candidates:
        if not others or len(found) >= count:
            break
        kind = others[done % len(others)]
        made = changed(kind, clone.lines[path], definition)
        if made is None or not 2 <= len(clone.places(definition.name.rpartition(".")[2])) <= MOST_PLACES:
            continue
        text, parameter = made
        users, known = users_of(clone, kind, path, definition, parameter)
        users -= {(edit.path, edit.definition) for edit in file_edits(path, clone.texts[path], text)}
        if users:
            found.append(_scenario(kind, path, definition, text, users, known))
            done += 1
    return found


def _scenario(kind: str, path: str, definition: Definition, text: str, users: set[Row], known: set[Row]) -> Scenario:
    return Scenario(kind, path, definition.name, text, tuple(sorted(users)), tuple(sorted(known)))


def kept(clone: Clone, name: str, count: int, seed: int, folder: Path | None) -> list[Scenario]:
    """The scenarios of a clone, kept in a folder where one is named."""
    file = None if folder is None else folder / f"{name}-{clone.head[:12]}-{count}-{seed}.json"
    if file is not None and file.exists():
        return [
            Scenario(**{**one, "users": _rows(one["users"]), "known": _rows(one["known"])})
            for one in json.loads(file.read_text(encoding="utf-8"))
        ]
    found = scenarios(clone, count, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(one) for one in found]), encoding="utf-8")
    return found


def _rows(rows: Sequence[Sequence[str]]) -> tuple[Row, ...]:
    return tuple((path, name) for path, name in rows)


def measure(clone: Clone, found: Sequence[Scenario], model: WorldModel, totals: dict[str, Counts], cache: Path) -> None:
    """Ask about the scenarios of one clone, and count."""
    with Index.of(clone.repository, model.hash, folder=cache, edit_size=model.edit_size) as index:
        engine = Engine(clone.repository, model, index)
        for number, one in enumerate(found):
            edits = file_edits(one.path, clone.texts[one.path], one.text)
            key = {one.path: f"text:{number}"}
            snapshot = Snapshot(clone.head, key, index.state(), {one.path: one.text}, edits)
            _count(totals[one.kind], one, engine, snapshot, edits)


def _count(counts: Counts, one: Scenario, engine: Engine, snapshot: Snapshot, edits: Sequence[Edit]) -> None:
    users, known = set(one.users), set(one.known)
    edited = {(edit.path, edit.definition) for edit in edits}
    state = engine.derived.known(snapshot, edits)  # the corpus is read once and kept
    state.state.corpus.sort()
    names_of.cache_clear()
    started = time.process_time()
    must = engine.derived.references(state, snapshot, edits)
    counts.seconds.append(time.process_time() - started)
    corpus = state.state.corpus
    why: Mapping[Row, str] = {
        (corpus.paths[corpus.file[row]], corpus.names[row]): forced.words for row, forced in must.items()
    }
    contracts = {row for row, words in why.items() if "overrid" in words} - users
    led = why.keys() - edited - contracts
    first = engine.next(snapshot, edits, k=len(users) + 2)
    shown = {
        (where, hint.definition)
        for where in {row[0] for row in users}
        for hint in engine.hints(snapshot, where).items
        if hint.kind is HintKind.NEXT
    }
    counts.scenarios += 1
    counts.users += len(users)
    counts.first += len(users & {(place.path, place.definition) for place in first})
    counts.lens += len(users & shown)
    counts.led += len(led)
    counts.right += len(led & users)
    counts.wrong += len((led - users) & known)
    counts.overrides += len(contracts - edited)
    for label, rows in (("missed", users - led), ("wrong", (led - users) & known), ("no lens", users & led - shown)):
        for path, name in sorted(rows):
            print(f"  {label}: {one.kind} {one.path}::{one.definition}: {path}::{name}", flush=True)


def table(totals: Mapping[str, Counts]) -> list[str]:
    """The figures as Markdown."""
    lines = [
        "| kind | scenarios | users | first | lens | led | precision | undecided | overrides | seconds, median, most |"
    ]
    lines.append("| --- " * 10 + "|")
    for kind, one in totals.items():
        judged = one.right + one.wrong
        lines.append(
            f"| {kind} | {one.scenarios} | {one.users} | {one.first / one.users:.3f} | {one.lens / one.users:.3f} | "
            f"{one.led} | {one.right / max(1, judged):.3f} | {one.led - judged} | {one.overrides} | "
            f"{statistics.median(one.seconds):.2f}, {max(one.seconds):.2f} |"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.references",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clones", nargs="+", type=Path)
    parser.add_argument("--scenarios", type=int, default=20, help="of each clone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--truth", type=Path, help="folder to keep what jedi said in")
    given = parser.parse_args(arguments)
    model = WorldModel.load()
    totals: dict[str, Counts] = defaultdict(Counts)
    for path in given.clones:
        print(path, flush=True)
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
        ):
            clone = Clone(path, Path(folder).resolve())
            name = path.parent.name if path.name == "repo" else path.name
            measure(clone, kept(clone, name, given.scenarios, given.seed, given.truth), model, totals, Path(cache))
            clone.repository.close()
    print("\n".join(table(totals)))


if __name__ == "__main__":
    main()
