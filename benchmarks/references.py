"""Are the definitions that must follow an edit found, and only these? Scenarios made by program in real code.

    pip install jedi
    python benchmarks/references.py CLONE… [--scenarios N] [--seed N]

In the newest commit of each clone (bare or not) a function, class or constant is renamed or removed, or a function gets
a required parameter more or loses its last one. Who uses it is told by jedi, which shares no code with CodeWM: each
place where the name stands is followed to its definition. Figures are of definitions that use the name: the share
among the first places (as many as there are users, and two), the share with a lens in its own file, and the share of
led definitions that jedi finds too, of those about which it says anything. Methods that are led because they override
the changed one are counted for themselves: they do not use it.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jedi

from codewm_lsp.hints import Engine, HintKind, Snapshot
from codewm_lsp.history import Repository
from codewm_lsp.history.edits import file_edits
from codewm_lsp.index import Index
from codewm_lsp.source import Definition, DefinitionKind, parse_definitions
from codewm_lsp.world_model import WorldModel, read_bundle, shipped

MOST_PLACES = 60  # where a name stands, of a scenario: each is followed
Row = tuple[str, str]


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
        environment = jedi.api.environment.InterpreterEnvironment()
        own = [str(folder / name) for name in ("src", "lib", ".")]
        library = [one for one in sys.path if one and "site-packages" not in one]  # where another copy may lie
        self.project = jedi.Project(str(folder), sys_path=[*own, *library], smart_sys_path=False)
        self.environment = environment
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
        """The definitions that a place leads to: path and line from 0; none where jedi does not know."""
        script = jedi.Script(
            self.texts[path], path=self.folder / path, project=self.project, environment=self.environment
        )
        try:
            found = script.goto(line + 1, column, follow_imports=True)
        except Exception:  # of jedi, on code that it cannot read
            return set()
        return {
            (Path(one.module_path).relative_to(self.folder).as_posix(), one.line - 1)
            for one in found
            if one.module_path is not None
            and one.line is not None
            and Path(one.module_path).is_relative_to(self.folder)
        } | {
            ("", 0) for one in found if one.module_path is None or not Path(one.module_path).is_relative_to(self.folder)
        }


def calls(text: str) -> Iterator[tuple[int, int, ast.Call]]:
    """The calls of a file by the line (from 0) and column at which the called name ends."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield (node.func.end_lineno or 1) - 1, node.func.end_col_offset or 0, node


def changed(kind: str, clone: Clone, path: str, definition: Definition) -> tuple[str, str] | None:
    """The file after a scenario, and the parameter that it is about; None where it cannot be made."""
    lines = list(clone.lines[path])
    name = definition.name.rpartition(".")[2]
    header = lines[definition.line]
    if kind == "renamed":
        lines[definition.line] = re.sub(rf"\b{name}\b", f"{name}_anew", header, count=1)
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
        parameter, given = "added_anew", [*given, "added_anew"]
    else:
        if len(given) < 2 or "[" in match.group(2):
            return None
        parameter = re.split(r"[:=]", given.pop())[0].strip()
    lines[definition.line] = match.group(1) + ", ".join(given) + match.group(3)
    return "\n".join(lines), parameter


def must_change(kind: str, call: ast.Call | None, parameter: str, before: int, free: bool) -> bool:
    """Whether a call no longer fits. ``before``: how many arguments came before the parameter."""
    if kind in ("renamed", "removed"):
        return True
    if (
        call is None
        or any(isinstance(one, ast.Starred) for one in call.args)
        or any(k.arg is None for k in call.keywords)
    ):
        return False
    if kind == "parameter required":
        return True
    return len(call.args) > before or any(k.arg == parameter for k in call.keywords)


def measure(clone: Clone, model: WorldModel, count: int, seed: int, totals: dict[str, Counts], cache: Path) -> None:
    """Some scenarios of one clone."""
    chance = random.Random(seed)
    index = Index.of(clone.repository, model.hash, folder=cache, edit_size=model.edit_size)
    engine = Engine(clone.repository, model, index)
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
    kinds = ("renamed", "removed", "parameter required", "parameter removed")
    done = 0
    for path, definition in candidates:
        kind = kinds[done % len(kinds)]
        made = changed(kind, clone, path, definition)
        name = definition.name.rpartition(".")[2]
        places = clone.places(name)
        if made is None or not 2 <= len(places) <= MOST_PLACES:
            continue
        text, parameter = made
        header = clone.lines[path][definition.line]
        bound = definition.kind is DefinitionKind.METHOD
        before = header.partition("(")[2].partition(")")[0].count(",") - bound
        users: set[Row] = set()
        known: set[Row] = set()
        for where, line, column in places:
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
                if must_change(kind, called.get((line, column + len(name))), parameter, before, not bound):
                    users.add(row)
        if kind == "removed" and definition.kind is DefinitionKind.CLASS:
            users = {row for row in users if not (row[0] == path and row[1].startswith(definition.name + "."))}
        if not users:
            continue
        edits = file_edits(path, clone.texts[path], text)
        snapshot = Snapshot(clone.head, {path: f"text:{done}:{name}"}, index.state(), {path: text}, edits)
        edited = {(edit.path, edit.definition) for edit in edits}
        users -= edited
        if not users:
            continue
        counts = totals[kind]
        known_state = engine.derived.known(snapshot, edits)  # the corpus is read once and kept
        started = time.process_time()
        must = engine.derived.references(known_state, snapshot, edits)
        counts.seconds.append(time.process_time() - started)
        corpus = known_state.state.corpus
        first = engine.next(snapshot, edits, k=len(users) + 2)
        where_of = {(corpus.paths[corpus.file[row]], corpus.names[row]): one for row, one in must.items()}
        contracts = {row for row, one in where_of.items() if "overrid" in one.words} - users
        led = where_of.keys() - edited - contracts
        counts.overrides += len(contracts - edited)
        shown = {
            (where, hint.definition)
            for where in {row[0] for row in users}
            for hint in engine.hints(snapshot, where).items
            if hint.kind is HintKind.NEXT
        }
        counts.scenarios += 1
        counts.users += len(users)
        counts.first += len(users & {(one.path, one.definition) for one in first})
        counts.lens += len(users & shown)
        counts.led += len(led)
        counts.right += len(led & users)
        counts.wrong += len((led - users) & known)
        for row in sorted(users - led):
            print(f"  missed: {kind} {path}::{definition.name}: {row[0]}::{row[1]}", flush=True)
        for row in sorted((led - users) & known):
            print(f"  wrong: {kind} {path}::{definition.name}: {row[0]}::{row[1]}", flush=True)
        done += 1
        if done >= count:
            break
    index.close()
    clone.repository.close()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="+", type=Path)
    parser.add_argument("--scenarios", type=int, default=20, help="of each clone")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = WorldModel(read_bundle(shipped()))
    totals: dict[str, Counts] = defaultdict(Counts)
    for path in given.clones:
        print(path, flush=True)
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
        ):
            clone = Clone(path, Path(folder).resolve())
            measure(clone, model, given.scenarios, given.seed, totals, Path(cache))
    print("| kind | scenarios | users | among the first | with a lens | led | precision | undecided | overrides | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, one in totals.items():
        judged = one.right + one.wrong
        print(
            f"| {kind} | {one.scenarios} | {one.users} | {one.first / one.users:.3f} | {one.lens / one.users:.3f} | "
            f"{one.led} | {one.right / max(1, judged):.3f} | {one.led - judged} | {one.overrides} | "
            f"{max(one.seconds):.2f} |"
        )


if __name__ == "__main__":
    main()
