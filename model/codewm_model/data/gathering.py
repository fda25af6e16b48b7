"""What the signals of ``codewm_lsp.ranking`` say about the examples of a history, kept in a cache for the fit."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp import ranking
from codewm_lsp.history import Edit, Repository
from codewm_lsp.ranking.ranker import CASES, cases_of
from codewm_lsp.ranking.values import MOST_EDITS, signals_of
from codewm_model.data.replay import (
    Example,
    Past,
    changed_soon,
    examples,
    labels,
    left_over,
    read_past,
)

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]

GATHERING_VERSION: Final = 3
"""Counted up when this module or ``replay`` gathers something else than before."""

LIST: Final = 8  # definitions a file must have besides the revealed one
LIKELY_FILES: Final = 60  # files of a list that are kept, the likeliest by a plain sum …
SAMPLED_FILES: Final = 100  # … and a random sample that stands for the others
GROUP_FILES: Final = (12, 8)  # the same, of a group


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of candidates: rows of ``signals`` with their answers and, where only some were kept, ``weight``.

    ``relevant``: changed by the commit; ``soon``: by it or one of the author's next five. ``start`` holds the first row
    of each list, and the end; ``cases`` (lists, CASES) which cases the revealed edit is; ``reveal`` the seed by which
    it was chosen.
    """

    signals: Floats
    relevant: NDArray[np.bool_]
    soon: NDArray[np.bool_]
    weight: Floats
    start: Numbers
    cases: NDArray[np.bool_]
    reveal: Numbers

    def __len__(self) -> int:
        return len(self.start) - 1


@dataclass(frozen=True, slots=True)
class Groups:
    """Definitions of some files of an example, after one edit or several in progress.

    A list for each edit, those of a group one after another, the newest edit first, over the same candidates: ``group``
    and ``age`` say which it is. ``file`` is the row of ``files`` (signals) that a candidate is in; -1: the edit's own.
    """

    lists: Lists
    group: Numbers
    age: Numbers
    file: Numbers
    files: Floats


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one repository gives: lists of definitions (of the revealed file), of files, and groups."""

    definition_names: tuple[str, ...]
    file_names: tuple[str, ...]
    definitions: Lists
    files: Lists
    groups: Groups
    heads: tuple[str, str]


@dataclass(slots=True)
class _Growing:
    rows: list[Floats] = field(default_factory=list)
    relevant: list[NDArray[np.bool_]] = field(default_factory=list)
    soon: list[NDArray[np.bool_]] = field(default_factory=list)
    weight: list[Floats] = field(default_factory=list)
    cases: list[list[bool]] = field(default_factory=list)
    reveal: list[int] = field(default_factory=list)

    def add(
        self,
        rows: Floats,
        relevant: NDArray[np.bool_],
        soon: NDArray[np.bool_],
        weight: Floats,
        revealed: tuple[Edit, int],
    ) -> None:
        edit, reveal = revealed
        self.rows.append(rows.astype(np.float32))
        self.relevant.append(relevant)
        self.soon.append(soon)
        self.weight.append(weight)
        held = cases_of(edit)
        self.cases.append([case in held for case in CASES])
        self.reveal.append(reveal)

    def lists(self, width: int) -> Lists:
        def whole(parts: Sequence[NDArray[Any]], kind: type[Any], *shape: int) -> NDArray[Any]:
            return np.concatenate(parts).astype(kind) if parts else np.zeros((0, *shape), kind)

        return Lists(
            signals=whole(self.rows, np.float32, width),
            relevant=whole(self.relevant, np.bool_),
            soon=whole(self.soon, np.bool_),
            weight=whole(self.weight, np.float32),
            start=np.cumsum([0, *(len(rows) for rows in self.rows)]),
            cases=np.array(self.cases, dtype=bool).reshape(-1, len(CASES)),
            reveal=np.array(self.reveal, dtype=np.int64),
        )


class _Asked:
    """The tables of one example: for each edit the signals of all definitions, (N, K), and of all files, (M, L)."""

    def __init__(self, example: Example) -> None:
        self.state = example.state
        corpus = example.state.corpus
        self.full = np.diff(corpus.first) > 0
        self._first = corpus.first[:-1][self.full]
        self._tables: dict[Edit, tuple[Floats, Floats]] = {}
        self.definition_names: tuple[str, ...] = ()
        self.file_names: tuple[str, ...] = ()

    def __getitem__(self, edit: Edit) -> tuple[Floats, Floats]:
        if edit not in self._tables:
            signals = signals_of(self.state, edit)
            self.definition_names = tuple(signals.definitions)
            self.file_names = (*signals.files, *(f"best:{name}" for name in signals.definitions))
            table = np.stack(list(signals.definitions.values()), 1)
            best = np.zeros((len(self.full), table.shape[1]), dtype=np.float32)
            best[self.full] = np.maximum.reduceat(table, self._first, axis=0)
            self._tables[edit] = table, np.concatenate([np.stack(list(signals.files.values()), 1), best], 1)
        return self._tables[edit]


class _Gathering:
    def __init__(self, past: Past, *, reveals: int, all_files: bool) -> None:
        self.past = past
        self.reveals, self.all_files = reveals, all_files
        self.definitions, self.files, self.grouped = _Growing(), _Growing(), _Growing()
        self.group_of: list[int] = []
        self.age_of: list[int] = []
        self.file_of: list[Numbers] = []
        self.file_rows: list[Floats] = []
        self.chance = np.random.default_rng(0)
        self.names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def add(self, example: Example, grouped: bool) -> None:
        """The lists of one example."""
        seen: set[Edit] = set()
        for reveal in range(self.reveals):
            edit = example.shuffled(reveal)[0]
            shown = None if edit in seen else example.revealing([edit])
            seen.add(edit)
            if shown is not None:
                asked = _Asked(shown[0])
                self._add_lists(shown[0], asked, shown[1][0], reveal)
                if grouped and not reveal:
                    self._add_group(shown[0], asked, shown[1])
        order = example.shuffled(0)
        if grouped and len(order) > 2:
            several = 1 + int(self.chance.integers(1, max(2, min(len(order) - 1, MOST_EDITS))))
            if (shown := example.revealing(order[:several])) is not None:
                self._add_group(shown[0], _Asked(shown[0]), shown[1])

    def _add_lists(self, example: Example, asked: _Asked, edit: Edit, reveal: int) -> None:
        soon = changed_soon(self.past, example)
        corpus = example.state.corpus
        changed, changed_files = labels(example)
        soon_files = np.zeros(len(corpus.paths), dtype=bool)
        soon_files[corpus.file[soon]] = True
        table, file_table = asked[edit]
        self.names = (asked.definition_names, asked.file_names)
        told = (edit, reveal)
        own = corpus.number.get(edit.path, -1)
        if own >= 0:
            rows = np.arange(corpus.first[own], corpus.first[own + 1])
            rows = rows[[corpus.names[row] != edit.definition for row in rows]]
            if len(rows) >= LIST and changed[rows].any():
                weight = np.ones(len(rows), dtype=np.float32)
                self.definitions.add(table[rows], changed[rows], soon[rows], weight, told)
        others = np.flatnonzero(asked.full & (np.arange(len(asked.full)) != own))
        if changed_files[others].any():
            count = None if self.all_files else LIKELY_FILES
            sample = (asked.file_names, count, SAMPLED_FILES, self.chance)
            kept, weight = _some(file_table[others], changed_files[others], *sample)
            chosen = others[kept]
            self.files.add(file_table[chosen], changed_files[chosen], soon_files[chosen], weight, told)

    def _add_group(self, example: Example, asked: _Asked, revealed: list[Edit]) -> None:
        """The definitions of the files being edited, and of some others."""
        soon = changed_soon(self.past, example)
        corpus = example.state.corpus
        changed, _ = labels(example)
        soon_files = np.zeros(len(corpus.paths), dtype=bool)
        soon_files[corpus.file[soon]] = True
        left = left_over(example, revealed)
        owns = sorted({corpus.number[edit.path] for edit in revealed if edit.path in corpus.number})
        others = np.setdiff1d(np.flatnonzero(asked.full), owns)
        mean = np.mean(np.stack([asked[edit][1] for edit in revealed]), axis=0)
        kept, weight = _some(mean[others], soon_files[others], asked.file_names, *GROUP_FILES, self.chance)
        places = [*owns, *others[kept].tolist()]
        spans = [np.arange(corpus.first[file], corpus.first[file + 1]) for file in places]
        spans = [span[left[span]] for span in spans]
        heavy = [np.ones(len(owns), dtype=np.float32), weight]
        weights = np.repeat(np.concatenate(heavy), [len(span) for span in spans])
        rows = np.concatenate([*spans, np.zeros(0, dtype=np.int64)])
        if not len(rows):
            return
        group = self.group_of[-1] + 1 if self.group_of else 0
        for age, edit in enumerate(revealed):
            table, file_table = asked[edit]
            own = corpus.number.get(edit.path, -1)
            numbers = []
            for place in places:
                numbers.append(-1 if place == own else len(self.file_rows))
                if place != own:
                    self.file_rows.append(file_table[place])
            self.grouped.add(table[rows], changed[rows], soon[rows], weights, (edit, 0))
            self.group_of.append(group)
            self.age_of.append(age)
            self.file_of.append(np.repeat(np.array(numbers), [len(span) for span in spans]))

    def result(self) -> Gathered:
        """Everything that was added."""
        definition_names, file_names = self.names
        return Gathered(
            definition_names=definition_names,
            file_names=file_names,
            definitions=self.definitions.lists(len(definition_names)),
            files=self.files.lists(len(file_names)),
            groups=Groups(
                lists=self.grouped.lists(len(definition_names)),
                group=np.array(self.group_of, dtype=np.int64),
                age=np.array(self.age_of, dtype=np.int64),
                file=np.concatenate([*self.file_of, np.zeros(0, dtype=np.int64)]).astype(np.int64),
                files=np.stack(self.file_rows) if self.file_rows else np.zeros((0, len(file_names)), np.float32),
            ),
            heads=self.past.range,
        )


def gather(repository: Repository, *, commits: int, reveals: int, groups: int, all_files: bool) -> Gathered:
    """Ask the signals about the examples of a repository.

    ``reveals``: seeds by which an edit is revealed. ``groups``: examples of which groups are kept. ``all_files``: keep
    all files of a list (to measure on), not just the likeliest and a weighed sample.
    """
    past = read_past(repository, examples=commits)
    gathering = _Gathering(past, reveals=reveals, all_files=all_files)
    for number, example in enumerate(examples(repository, past)):
        gathering.add(example, grouped=number < groups)
    return gathering.result()


def _some(
    table: Floats,
    relevant: NDArray[np.bool_],
    names: Sequence[str],
    likely: int | None,
    random_ones: int,
    chance: np.random.Generator,
) -> tuple[Numbers, Floats]:
    """Rows to keep: the relevant, the likeliest by a plain sum, and a random sample standing for the rest."""
    everything = np.arange(len(table))
    if likely is None or len(table) <= likely + random_ones:
        return everything, np.ones(len(table), dtype=np.float32)
    columns = [names.index(name) for name in ("coupling_small", "near_folder", "best:gone_amount", "changed_lately")]
    picked = table[:, columns]
    plain = ((picked - picked.mean(0)) / (picked.std(0) + 1e-6)).sum(1)
    kept = np.zeros(len(table), dtype=bool)
    kept[np.argsort(-plain, kind="stable")[:likely]] = True
    kept |= relevant
    rest = np.flatnonzero(~kept)
    weight = np.ones(len(table), dtype=np.float32)
    if len(rest) > random_ones:
        sample = chance.choice(rest, random_ones, replace=False)
        weight[sample] = len(rest) / random_ones
        kept[sample] = True
    else:
        kept[rest] = True
    return everything[kept], weight[kept]


_NO_SIGNALS: Final = frozenset(
    {
        *("__init__.py", "ranker.py", "ranker_file.py", "reasons.py", "trees.py"),
        *("references.py", "breaking.py", "resolution.py"),
    }
)


def _version() -> str:
    """Changes with the code that makes the signals."""
    digest = hashlib.sha256()
    folder = Path(ranking.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        if file.parent != folder or file.name not in _NO_SIGNALS:
            digest.update(file.read_bytes())
    digest.update(GATHERING_VERSION.to_bytes(4, "big"))
    return digest.hexdigest()[:12]


_PARTS: Final = ("definitions", "files", "groups")


def gathered(folder: Path, cache: Path, name: str, **settings: Any) -> Gathered:
    """``gather``, or what it gave the last time for the same commit, code and settings."""
    with Repository.open(folder) as repository:
        said = json.dumps([repository.head(), _version(), sorted(settings.items())])
        key = f"{name.replace('/', '+')}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"
        file = cache / f"{key}.npz"
        if not file.exists():
            _save(gather(repository, **settings), file)
    return _load(file)


def _save(made: Gathered, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    record = [made.definition_names, made.file_names, made.heads]
    arrays: dict[str, Any] = {
        "record": np.frombuffer(zlib.compress(json.dumps(record).encode(), 6), dtype=np.uint8),
        "group": made.groups.group,
        "age": made.groups.age,
        "group_file": made.groups.file,
        "group_files": made.groups.files,
    }
    for label, lists in zip(_PARTS, (made.definitions, made.files, made.groups.lists), strict=True):
        arrays |= {f"{label}.{field}": getattr(lists, field) for field in Lists.__slots__}
    unfinished = file.with_suffix(".unfinished.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(file)


def _load(file: Path) -> Gathered:
    with np.load(file, allow_pickle=False) as stored:
        record = json.loads(zlib.decompress(stored["record"].tobytes()))
        definition_names, file_names, heads = record
        definitions, files, lists = (
            Lists(**{field: stored[f"{label}.{field}"] for field in Lists.__slots__}) for label in _PARTS
        )
        return Gathered(
            tuple(definition_names),
            tuple(file_names),
            definitions,
            files,
            Groups(lists, stored["group"], stored["age"], stored["group_file"], stored["group_files"]),
            (heads[0], heads[1]),
        )
