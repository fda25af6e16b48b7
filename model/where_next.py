"""Learns the blend of ``codewm_lsp.hints.where_next`` on the histories of other repositories, and measures it (E5).

    python -m codewm_model.where_next --repos CLONES --cache FOLDER --output codewm_lsp/hints/weights.json

``CLONES`` holds one clone per ``owner+name`` (or ``owner+name/repo``), bare or not; they are only read. What is
gathered from a repository is kept in the cache, so that a second run only fits. For every commit of 2 to 20 changed
definitions, one is revealed as the edit in progress; files and past are those of the commit's parent. Two questions:
which other definitions of its file, and which other files, did the commit change? Weights are learnt on the train
repositories, choices made on the validation repositories; the test repositories are never opened.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.hints import changes as changes_module
from codewm_lsp.hints import corpus as corpus_module
from codewm_lsp.hints import signals as signals_module
from codewm_lsp.hints.changes import Changes
from codewm_lsp.hints.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.hints.signals import State
from codewm_lsp.hints.where_next import CASES, Weights, best_of_files, cases_of, rank
from codewm_lsp.history import Commit, CommitEdits, Edit, Repository

Floats = NDArray[np.float32]

TRAIN: Final = (
    "psf/black",
    "celery/celery",
    "pallets/werkzeug",
    "pallets/jinja",
    "tornadoweb/tornado",
    "sphinx-doc/sphinx",
    "python-poetry/poetry",
    "pylint-dev/pylint",
    "mitmproxy/mitmproxy",
    "httpie/cli",
    "redis/redis-py",
    "sqlalchemy/sqlalchemy",
    "borgbackup/borg",
    "scikit-image/scikit-image",
    "aio-libs/aiohttp",
    "pypa/pip",
    "pypa/setuptools",
    "pypa/virtualenv",
    "python/mypy",
    "PyCQA/flake8",
    "certbot/certbot",
    "buildbot/buildbot",
    "boto/botocore",
    "twisted/twisted",
    "conan-io/conan",
    "Textualize/textual",
    "nltk/nltk",
    "pydata/xarray",
    "HypothesisWorks/hypothesis",
    "gitpython-developers/GitPython",
    "ipython/ipython",
    "jupyterhub/jupyterhub",
    "streamlink/streamlink",
    "yt-dlp/yt-dlp",
    "beetbox/beets",
    "wagtail/wagtail",
    "encode/django-rest-framework",
    "django/django",
    "scikit-learn/scikit-learn",
    "astropy/astropy",
)
VALIDATION: Final = ("tox-dev/tox", "encode/uvicorn", "PyCQA/isort", "urllib3/urllib3", "encode/starlette")

FEWEST: Final = 2  # changed definitions of an example's commit
MOST: Final = 20
LIST: Final = 8  # definitions a file must have besides the revealed one
PLAIN_DEFINITION: Final = (
    "gone_amount",
    "fresh_amount",
    "shared_words",
    "similarity",
    "coupling",
    "distance",
    "recency",
    "frequency",
    "size",
)
PLAIN_FILE: Final = (
    "coupling",
    "recency",
    "frequency",
    "same_folder",
    "counterpart",
    "definitions",
    "best:gone_amount",
    "best:fresh_amount",
    "best:similarity",
)


# Histories


@dataclass(frozen=True, slots=True)
class Past:
    """A history, newest first: its commits with edits, their changes, and what a path of each is called now."""

    commits: list[tuple[Commit, tuple[Edit, ...]]]
    changes: Changes
    renamed: list[Mapping[str, str]]


def read_past(history: Iterator[CommitEdits]) -> Past:
    """The commits that have edits; renamed files go by their newest path."""
    commits: list[tuple[Commit, tuple[Edit, ...]]] = []
    names: dict[tuple[str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    newest: dict[str, str] = {}
    renamed: list[Mapping[str, str]] = []
    for item in history:
        for edit in item.edits:
            key = (newest.get(edit.path, edit.path), edit.definition)
            pairs.append((len(commits), names.setdefault(key, len(names))))
        if item.renames:
            newest = dict(newest)
            for old, new in item.renames:
                newest[old] = newest.get(new, new)
        if item.edits:
            commits.append((item.commit, item.edits))
            renamed.append(newest)
    ages, definitions = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Past(commits, Changes(list(names), ages, definitions), renamed)


@dataclass(frozen=True, slots=True)
class Example:
    """A commit as it stood before it was made. ``edits`` in a seeded order; ``changed``: (path, definition) before."""

    position: int
    commit: Commit
    state: State
    edits: tuple[Edit, ...]
    changed: frozenset[tuple[str, str]]


def examples(repository: Repository, past: Past, count: int, seed: int) -> Iterator[Example]:
    """The newest ``count`` commits of 2 to 20 edits."""
    chance = random.Random(seed)
    vocabulary = Vocabulary()
    parsed: dict[str, ParsedFile | None] = {}
    given = 0
    for position, (commit, edits) in enumerate(past.commits):
        if given == count:
            return
        if not FEWEST <= len(edits) <= MOST or commit.parent is None:
            continue
        files: dict[str, ParsedFile] = {}
        for path, blob in repository.files(commit.parent).items():
            if blob not in parsed:
                text = repository.read(blob)
                parsed[blob] = None if text is None else parse_file(text, vocabulary)
            file = parsed[blob]
            if file is not None:
                files[path] = file
        corpus = Corpus(files, vocabulary)
        if not len(corpus):
            continue
        given += 1
        order = [_as_before(edit) for edit in edits]
        chance.shuffle(order)
        yield Example(
            position=position,
            commit=commit,
            state=State(corpus, past.changes, position, past.renamed[position]),
            edits=tuple(order),
            changed=frozenset((edit.path, edit.definition) for edit in order),
        )


def _as_before(edit: Edit) -> Edit:
    """The edit under the path that its file had before the commit."""
    if edit.previous_path is None:
        return edit
    return Edit(
        edit.previous_path,
        edit.definition,
        edit.definition_kind,
        edit.kind,
        edit.before,
        edit.after,
        edit.line,
        None,
        edit.commit,
    )


def labels(example: Example) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which definitions of the corpus the commit changed, and which files."""
    corpus = example.state.corpus
    definitions = np.zeros(len(corpus), dtype=bool)
    files = np.zeros(len(corpus.paths), dtype=bool)
    for path in {path for path, _ in example.changed}:
        file = corpus.number.get(path)
        if file is not None:
            files[file] = True
            for row in range(int(corpus.first[file]), int(corpus.first[file + 1])):
                definitions[row] = (path, corpus.names[row]) in example.changed
    return definitions, files


# Gathering


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of candidates: rows of ``signals`` with ``relevant`` and, where only some were kept, ``weight``.

    ``start`` holds the first row of each list, and the end; ``cases`` (lists, CASES) which cases it is; ``reveal``
    the number of the revealed edit within its commit.
    """

    signals: Floats
    relevant: NDArray[np.bool_]
    weight: Floats
    start: NDArray[np.int64]
    cases: NDArray[np.bool_]
    reveal: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start) - 1


class _Gathering:
    def __init__(self) -> None:
        self.rows: list[Floats] = []
        self.relevant: list[NDArray[np.bool_]] = []
        self.weight: list[Floats] = []
        self.cases: list[list[bool]] = []
        self.reveal: list[int] = []

    def add(self, rows: Floats, relevant: NDArray[np.bool_], edit: Edit, reveal: int, weight: Floats | None) -> None:
        self.rows.append(rows.astype(np.float32))
        self.relevant.append(relevant)
        self.weight.append(np.ones(len(rows), dtype=np.float32) if weight is None else weight)
        held = cases_of(edit)
        self.cases.append([case in held for case in CASES])
        self.reveal.append(reveal)

    def lists(self, width: int) -> Lists:
        return Lists(
            signals=np.concatenate(self.rows) if self.rows else np.zeros((0, width), dtype=np.float32),
            relevant=np.concatenate(self.relevant) if self.rows else np.zeros(0, dtype=bool),
            weight=np.concatenate(self.weight) if self.rows else np.zeros(0, dtype=np.float32),
            start=np.cumsum([0, *(len(rows) for rows in self.rows)]),
            cases=np.array(self.cases, dtype=bool).reshape(-1, len(CASES)),
            reveal=np.array(self.reveal, dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one repository gives: lists of definitions (of the revealed file), of files, and of whole repositories.

    The ``whole`` lists hold definitions of some files of an example; ``whole_file`` is the row of ``whole_files`` that
    each is in (-1: the revealed file), so that the joint weights can be learnt.
    """

    definition_names: tuple[str, ...]
    file_names: tuple[str, ...]
    definitions: Lists
    files: Lists
    whole: Lists
    whole_file: NDArray[np.int64]
    whole_files: Floats


def gather(
    repository: Repository, *, depth: int, commits: int, reveals: int, whole: int, all_files: bool, seed: int
) -> Gathered:
    """Ask the signals about the newest commits of a repository.

    ``all_files``: keep all files of a list (to measure on), not just the likeliest and a weighed sample.
    """
    past = read_past(repository.commits(limit=depth))
    definitions, files, wholes = _Gathering(), _Gathering(), _Gathering()
    whole_file: list[NDArray[np.int64]] = []
    whole_files: list[Floats] = []
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    chance = np.random.default_rng(seed)
    for number, example in enumerate(examples(repository, past, commits, seed)):
        corpus, state = example.state.corpus, example.state
        changed, changed_files = labels(example)
        full = np.diff(corpus.first) > 0
        for reveal, edit in enumerate(example.edits[:reveals]):
            signals = state.signals(edit)
            table = np.stack(list(signals.definitions.values()), 1)
            best = np.zeros((len(corpus.paths), table.shape[1]), dtype=np.float32)
            best[full] = np.maximum.reduceat(table, corpus.first[:-1][full], axis=0)
            file_table = np.concatenate([np.stack(list(signals.files.values()), 1), best], 1)
            names = (
                tuple(signals.definitions),
                (*signals.files, *(f"best:{name}" for name in signals.definitions)),
            )
            own = corpus.number.get(edit.path, -1)
            if own >= 0:
                rows = np.arange(corpus.first[own], corpus.first[own + 1])
                rows = rows[[corpus.names[row] != edit.definition for row in rows]]
                if len(rows) >= LIST and changed[rows].any():
                    definitions.add(table[rows], changed[rows], edit, reveal, None)
            others = np.flatnonzero(full & (np.arange(len(full)) != own))
            if changed_files[others].any():
                likely = None if all_files else 60
                kept, weight = _some(file_table[others], changed_files[others], names[1], likely, chance)
                files.add(file_table[others[kept]], changed_files[others[kept]], edit, reveal, weight)
            if number < whole and reveal == 0:
                kept, weight = _some(file_table[others], changed_files[others], names[1], 12, chance, random_ones=8)
                spans: list[NDArray[np.int64]] = []
                places: list[NDArray[np.int64]] = []
                weights: list[Floats] = []
                chosen = list(zip(others[kept].tolist(), weight.tolist(), strict=True))
                for file, heaviness in [*([(own, 1.0)] if own >= 0 else []), *chosen]:
                    span = np.arange(corpus.first[file], corpus.first[file + 1])
                    place = -1
                    if file == own:
                        span = span[[corpus.names[row] != edit.definition for row in span]]
                    else:
                        place = len(whole_files)
                        whole_files.append(file_table[file].astype(np.float32))
                    spans.append(span)
                    places.append(np.full(len(span), place))
                    weights.append(np.full(len(span), heaviness, dtype=np.float32))
                picked = np.concatenate(spans)
                wholes.add(table[picked], changed[picked], edit, reveal, np.concatenate(weights))
                whole_file.append(np.concatenate(places))
    return Gathered(
        definition_names=names[0],
        file_names=names[1],
        definitions=definitions.lists(len(names[0])),
        files=files.lists(len(names[1])),
        whole=wholes.lists(len(names[0])),
        whole_file=np.concatenate(whole_file).astype(np.int64) if whole_file else np.zeros(0, dtype=np.int64),
        whole_files=np.stack(whole_files) if whole_files else np.zeros((0, len(names[1])), dtype=np.float32),
    )


def _some(
    table: Floats,
    relevant: NDArray[np.bool_],
    names: Sequence[str],
    likely: int | None,
    chance: np.random.Generator,
    random_ones: int = 100,
) -> tuple[NDArray[np.int64], Floats]:
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


def _version() -> str:
    """Changes with the code that makes the signals."""
    digest = hashlib.sha256()
    for module in (changes_module, corpus_module, signals_module):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]


def gathered(folder: Path, cache: Path, name: str, **settings: Any) -> Gathered:
    """``gather``, or what it gave the last time for the same commit, code and settings."""
    with Repository.open(folder) as repository:
        head = repository.head()
        said = json.dumps([head, _version(), sorted(settings.items())])
        file = cache / f"{name.replace('/', '+')}-{hashlib.sha256(said.encode()).hexdigest()[:12]}.npz"
        if not file.exists():
            made = gather(repository, **settings)
            cache.mkdir(parents=True, exist_ok=True)
            arrays: dict[str, Any] = {
                "names": np.array(json.dumps([made.definition_names, made.file_names])),
                "whole_file": made.whole_file,
                "whole_files": made.whole_files,
            }
            for label, lists in (("definitions", made.definitions), ("files", made.files), ("whole", made.whole)):
                arrays |= {f"{label}.{field}": getattr(lists, field) for field in Lists.__slots__}
            unfinished = file.with_suffix(".unfinished.npz")
            np.savez_compressed(unfinished, **arrays)
            unfinished.replace(file)
    with np.load(file, allow_pickle=False) as stored:
        definition_names, file_names = json.loads(str(stored["names"]))
        parts = {
            label: Lists(**{field: stored[f"{label}.{field}"] for field in Lists.__slots__})
            for label in ("definitions", "files", "whole")
        }
        return Gathered(
            tuple(definition_names),
            tuple(file_names),
            **parts,
            whole_file=stored["whole_file"],
            whole_files=stored["whole_files"],
        )


# Fitting


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights of raw signals: always, and added in each case, (1 + CASES, K)."""

    weights: NDArray[np.float64]

    def scores(self, lists: Lists) -> NDArray[np.float64]:
        """The score of every row."""
        held = np.concatenate([np.ones((len(lists), 1)), lists.cases], 1)
        each = held @ self.weights  # (lists, K)
        per_row = np.repeat(each, np.diff(lists.start), axis=0)
        return np.asarray((lists.signals * per_row).sum(1))


def fit_lists(
    train: Sequence[Lists], *, penalty: float, cases: bool = True, columns: Sequence[int] | None = None
) -> Fit:
    """Conditional logistic regression: of a list, the relevant rows are drawn by a softmax over weighed signals.

    Each repository weighs as the square root of its lists. ``penalty``: of squared weights of standardised signals.
    """
    used = [lists for lists in train if len(lists)]
    width = used[0].signals.shape[1]
    chosen = np.arange(width) if columns is None else np.asarray(columns)
    every = np.concatenate([lists.signals[:, chosen] for lists in used])
    spread = every.std(0) + 1e-6
    groups = 1 + (len(CASES) if cases else 0)
    rows = torch.from_numpy(((every - every.mean(0)) / spread).clip(-8, 8))
    held = np.concatenate([np.concatenate([np.ones((len(one), 1)), one.cases], 1)[:, :groups] for one in used])
    held[:, 1:] *= 0.5  # what is particular to a case has to earn its weight
    lengths = np.concatenate([np.diff(one.start) for one in used])
    total = len(lengths)
    list_of = torch.from_numpy(np.repeat(np.arange(total), lengths))
    case_of = torch.from_numpy(held.astype(np.float32))
    relevant = torch.from_numpy(np.concatenate([one.relevant for one in used]).astype(np.float32))
    log_weight = torch.from_numpy(np.log(np.concatenate([one.weight for one in used])))
    heaviness = np.concatenate([np.full(len(one), len(one) ** -0.5) for one in used])
    importance = torch.from_numpy(heaviness.astype(np.float32))
    number = torch.zeros(total).index_add(0, list_of, relevant)
    weights = torch.zeros((groups, len(chosen)), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=150, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        score = (rows * (case_of @ weights)[list_of]).sum(1)
        shifted = score + log_weight
        top = torch.full((total,), -1e9).scatter_reduce(0, list_of, shifted.detach(), "amax")
        sums = torch.zeros(total).index_add(0, list_of, torch.exp(shifted - top[list_of]))
        gain = torch.zeros(total).index_add(0, list_of, relevant * (score - (torch.log(sums) + top)[list_of])) / number
        value = -(importance * gain).sum() / importance.sum() + penalty * (weights**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    found = weights.detach().numpy().astype(np.float64)
    found[1:] *= 0.5
    result = np.zeros((1 + len(CASES), width))
    result[:groups, chosen] = found / spread
    return Fit(result)


def fit_joint(train: Sequence[Gathered], definition: Fit, file: Fit) -> dict[str, float]:
    """Logistic regression of "this definition was changed" on the logits of its file and of itself."""
    parts: list[NDArray[np.float64]] = []
    answers: list[NDArray[np.bool_]] = []
    heaviness: list[NDArray[np.float64]] = []
    for one in train:
        if not len(one.whole):
            continue
        columns, relevant, weight = joint_columns(one, definition, file)
        parts.append(columns)
        answers.append(relevant)
        heaviness.append(weight / len(one.whole) ** 0.5)
    rows = torch.from_numpy(np.concatenate(parts))
    relevant_rows = torch.from_numpy(np.concatenate(answers).astype(np.float64))
    weight_rows = torch.from_numpy(np.concatenate(heaviness))
    weights = torch.zeros(rows.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        odds = rows @ weights
        value = torch.nn.functional.binary_cross_entropy_with_logits(odds, relevant_rows, weight_rows, reduction="sum")
        value = value / weight_rows.sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    bias, of_file, of_definition, lead, own, size = weights.detach().tolist()
    return {
        "bias": bias,
        "file": of_file,
        "definition": of_definition,
        "lead": lead,
        "own": own / of_file if of_file else 0.0,
        "size": size,
    }


def joint_columns(
    one: Gathered, definition: Fit, file: Fit
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Columns (1, file logit, definition logit, lead, own file?, log size), answers and weights of the whole lists."""
    lists = one.whole
    own_logits = definition.scores(lists)
    held = np.concatenate([np.ones((len(lists), 1)), lists.cases], 1)
    list_of = np.repeat(np.arange(len(lists)), np.diff(lists.start))
    file_of = one.whole_file
    inside = file_of >= 0
    file_weights = held[list_of] @ file.weights  # (rows, L)
    file_logits = np.zeros(len(list_of))
    file_logits[inside] = (one.whole_files[file_of[inside]] * file_weights[inside]).sum(1)
    group = np.where(inside, file_of, len(one.whole_files) + list_of)
    _, place, size = np.unique(group, return_inverse=True, return_counts=True)
    best = np.full(len(size), -np.inf)
    np.maximum.at(best, place, own_logits)
    columns = np.stack(
        [
            np.ones(len(list_of)),
            file_logits,
            own_logits,
            own_logits - best[place],
            (~inside).astype(np.float64),
            np.log1p(size[place]),
        ],
        1,
    )
    return columns, lists.relevant, lists.weight.astype(np.float64)


# Measuring


def reciprocal_ranks(scores: NDArray[Any], lists: Lists, seed: int) -> NDArray[np.float64]:
    """For each list (1 / rank of the first relevant row, found first?, found among three?), ties at random."""
    chance = np.random.default_rng(seed)
    found = np.zeros((len(lists), 3))
    for number in range(len(lists)):
        span = slice(lists.start[number], lists.start[number + 1])
        found[number] = first_relevant(scores[span], lists.relevant[span], chance)
    return found


def first_relevant(
    scores: NDArray[Any], relevant: NDArray[np.bool_], chance: np.random.Generator
) -> tuple[float, float, float]:
    """(1 / rank of the first relevant, first?, among three?)."""
    order = np.lexsort((chance.random(len(scores)), -scores))
    place = int(np.flatnonzero(relevant[order])[0])
    return 1 / (1 + place), float(place < 1), float(place < 3)


def by_reveal(found: NDArray[np.float64], lists: Lists, seeds: int) -> NDArray[np.float64]:
    """The mean of each revealed number (the seeds of the protocol), (seeds, 3)."""
    return np.array([found[lists.reveal == seed].mean(0) for seed in range(seeds)])


THRESHOLDS: Final = tuple(round(0.02 * step, 2) for step in range(1, 46))
SURE: Final = 0.55  # precision asked for on validation, so that half holds elsewhere
SHOWN: Final = 8  # lenses a file
NEXT_COMMITS: Final = 5  # of the author, in which a shown definition may still change


@dataclass(slots=True)
class Shown:
    """Per threshold: definitions shown, and how many of them were changed."""

    shown: NDArray[np.float64]
    right: NDArray[np.float64]

    @classmethod
    def none(cls) -> Shown:
        return cls(np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)))

    def add(self, probabilities: NDArray[np.float64], changed: NDArray[np.bool_], limit: int | None) -> None:
        """One look at a file, or at a repository."""
        order = np.argsort(-probabilities, kind="stable")[:limit]
        for number, threshold in enumerate(THRESHOLDS):
            above = order[probabilities[order] >= threshold]
            self.shown[number] += len(above)
            self.right[number] += changed[above].sum()

    def precision(self) -> NDArray[np.float64]:
        """Share of those shown that were changed; 1 where nothing was shown."""
        return np.where(self.shown > 0, self.right / np.maximum(self.shown, 1), 1.0)


@dataclass(slots=True)
class Measured:
    """What the shipped blend does on one repository, by the code that the product runs."""

    definitions: dict[int, list[tuple[float, float, float]]]
    files: dict[int, list[tuple[float, float, float]]]
    two: dict[str, list[float]]
    lenses: Shown
    anywhere: Shown
    looks: int


def measure(
    folder: Path, weights: Weights, *, depth: int, commits: int, reveals: int, seed: int, older: Sequence[float]
) -> Measured:
    """Ask ``rank`` about every example of a repository, as ``codewm next`` and the lenses do."""
    done = Measured({}, {}, {}, Shown.none(), Shown.none(), 0)
    chance = np.random.default_rng(seed)
    with Repository.open(folder) as repository:
        past = read_past(repository.commits(limit=depth))
        for example in examples(repository, past, commits, seed):
            corpus = example.state.corpus
            changed, changed_files = labels(example)
            soon = changed | _changed_soon(past, example)
            full = np.diff(corpus.first) > 0
            for reveal, edit in enumerate(example.edits[:reveals]):
                odds = rank(example.state, [edit], weights).probabilities
                own = corpus.number.get(edit.path, -1)
                others = np.ones(len(corpus), dtype=bool)
                for row in range(int(corpus.first[own]), int(corpus.first[own + 1])) if own >= 0 else ():
                    others[row] = corpus.names[row] != edit.definition
                if own >= 0:
                    rows = np.arange(corpus.first[own], corpus.first[own + 1])
                    rows = rows[others[rows]]
                    if len(rows) >= LIST and changed[rows].any():
                        found = first_relevant(odds[rows], changed[rows], chance)
                        done.definitions.setdefault(reveal, []).append(found)
                    done.lenses.add(odds[rows], soon[rows], SHOWN)
                    done.looks += 1
                done.anywhere.add(odds[others], soon[others], None)
                places = np.flatnonzero(full & (np.arange(len(full)) != own))
                if changed_files[places].any():
                    best = best_of_files(example.state, odds)[places]
                    found = first_relevant(best, changed_files[places], chance)
                    done.files.setdefault(reveal, []).append(found)
            if older and len(example.edits) > 2:
                _measure_two(example, weights, changed, older, done, chance)
    return done


def _changed_soon(past: Past, example: Example) -> NDArray[np.bool_]:
    """Definitions of the corpus that the author's next commits change."""
    corpus = example.state.corpus
    author = example.commit.author
    later = [at for at in range(example.position - 1, -1, -1) if past.commits[at][0].author == author][:NEXT_COMMITS]
    changed = {
        (past.renamed[at].get(edit.path, edit.path), edit.definition) for at in later for edit in past.commits[at][1]
    }
    now = past.renamed[example.position]
    paths = [now.get(path, path) for path in corpus.paths]
    return np.array(
        [(paths[file], name) in changed for file, name in zip(corpus.file.tolist(), corpus.names, strict=True)],
        dtype=bool,
    )


def _measure_two(
    example: Example,
    weights: Weights,
    changed: NDArray[np.bool_],
    older: Sequence[float],
    done: Measured,
    chance: np.random.Generator,
) -> None:
    """Two edits in progress: the reciprocal rank among all definitions, for several ways of counting the older one."""
    corpus = example.state.corpus
    newest, before = example.edits[0], example.edits[1]
    left = np.ones(len(corpus), dtype=bool)
    for edit in (newest, before):
        file = corpus.number.get(edit.path, -1)
        for row in range(int(corpus.first[file]), int(corpus.first[file + 1])) if file >= 0 else ():
            left[row] &= corpus.names[row] != edit.definition
    if not changed[left].any():
        return
    first, second = (odds for _, _, odds in rank(example.state, [newest, before], weights).asked)
    for value in older:
        together = np.logaddexp(0, first) + value * np.logaddexp(0, second)  # as ``rank`` joins them
        done.two.setdefault(f"{value:g}", []).append(first_relevant(together[left], changed[left], chance)[0])


def threshold_of(measured: Sequence[Measured]) -> float:
    """The lowest threshold at which lenses, and answers over a whole repository, are right often enough."""
    precision = np.minimum.reduce(
        [np.mean([getattr(one, place).precision() for one in measured], 0) for place in ("lenses", "anywhere")]
        + [
            sum(getattr(one, place).right for one in measured)
            / np.maximum(sum(getattr(one, place).shown for one in measured), 1)
            for place in ("lenses", "anywhere")
        ]
    )
    enough = [threshold for threshold, value in zip(THRESHOLDS, precision, strict=True) if value >= SURE]
    if not enough:
        raise TrainingError("No threshold is right often enough on the validation repositories. Gather more commits.")
    return enough[0]


# The command


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m codewm_model.where_next", description="Fit the where-next blend.")
    parser.add_argument("--repos", type=Path, required=True, help="folder of local clones, one per owner+name")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is gathered from them")
    parser.add_argument("--output", type=Path, help="weights.json to write")
    parser.add_argument("--report", type=Path, help="JSON report to write")
    parser.add_argument("--train", nargs="*", default=list(TRAIN), help="owner/name of the repositories learnt on")
    parser.add_argument("--commits", type=int, default=150, help="newest commits asked about, of a held-out repository")
    parser.add_argument("--train-commits", type=int, default=90, help="the same, of a repository learnt on")
    parser.add_argument(
        "--depth", type=int, default=2_000, help="newest commits that are read: those asked about, and their past"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--penalties", type=float, nargs="*", default=[1e-3, 3e-3, 1e-2])
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    validation = _gather_all(options, VALIDATION, options.commits, reveals=3, all_files=True)
    train = _gather_all(options, options.train, options.train_commits, reveals=2, all_files=False)
    report = run(options, train, validation)
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report["validation"], indent=1))


def _gather_all(
    options: argparse.Namespace, names: Sequence[str], commits: int, *, reveals: int, all_files: bool
) -> dict[str, Gathered]:
    found: dict[str, Gathered] = {}
    for name in names:
        folder = clone_of(options.repos, name)
        if folder is None:
            print(f"{name}: no clone in {options.repos}; left out", file=sys.stderr)
            continue
        found[name] = gathered(
            folder,
            options.cache,
            name,
            depth=options.depth,
            commits=commits,
            reveals=reveals,
            whole=40,
            all_files=all_files,
            seed=options.seed,
        )
        one = found[name]
        said = f"{name}: {len(one.definitions)} lists of definitions, {len(one.files)} of files"
        print(said, file=sys.stderr, flush=True)
    if not found:
        raise TrainingError(f"{options.repos} holds none of the repositories: clone them there as owner+name.")
    return found


def clone_of(folder: Path, name: str) -> Path | None:
    """Where ``owner/name`` lies in a folder of clones."""
    place = folder / name.replace("/", "+")
    for candidate in (place / "repo", place):
        if candidate.is_dir():
            return candidate
    return None


def run(options: argparse.Namespace, train: dict[str, Gathered], validation: dict[str, Gathered]) -> dict[str, Any]:
    """Fit, choose, measure; writes the weights where asked to."""
    first = next(iter(train.values()))
    names = {"definitions": first.definition_names, "files": first.file_names}
    report: dict[str, Any] = {"baselines": {}, "validation": {}, "penalty": {}}
    fits: dict[str, Fit] = {}
    for part, plain in (("definitions", PLAIN_DEFINITION), ("files", PLAIN_FILE)):
        learnt = [getattr(one, part) for one in train.values()]
        held = [getattr(one, part) for one in validation.values()]
        report["baselines"][part] = _baselines(names[part], plain, learnt, held)
        best = -1.0
        for penalty in options.penalties:
            fit = fit_lists(learnt, penalty=penalty)
            score = _mean([reciprocal_ranks(fit.scores(lists), lists, options.seed) for lists in held])[0]
            report["penalty"][f"{part} {penalty:g}"] = round(score, 4)
            if score > best:
                best, fits[part], report["penalty"][part] = score, fit, penalty
        single = fit_lists(learnt, penalty=report["penalty"][part], cases=False)
        report["baselines"][part]["without cases"] = _rounded(
            _mean([reciprocal_ranks(single.scores(lists), lists, options.seed) for lists in held])
        )
    joint = fit_joint(list(train.values()), fits["definitions"], fits["files"])
    record = {
        "definition": _record(fits["definitions"], names["definitions"]),
        "file": _record(fits["files"], names["files"]),
        "joint": {name: round(value, 5) for name, value in joint.items()},
        "older": 1.0,
        "threshold": 0.5,
    }
    steps = (0.0, 0.25, 0.5, 0.75, 1.0)
    measured = {
        name: measure(
            clone_of(options.repos, name) or options.repos,
            Weights.of(record),
            depth=options.depth,
            commits=options.commits,
            reveals=3,
            seed=options.seed,
            older=steps,
        )
        for name in validation
    }
    two = {step: float(np.mean([np.mean(one.two[f"{step:g}"]) for one in measured.values()])) for step in steps}
    record["older"] = max(two, key=lambda step: two[step])
    record["threshold"] = threshold_of(list(measured.values()))
    report["validation"] = _summary(measured, record, two)
    record["provenance"] = {
        "train": sorted(train),
        "validation": sorted(validation),
        "lists": {
            "definitions": sum(len(one.definitions) for one in train.values()),
            "files": sum(len(one.files) for one in train.values()),
            "joint": sum(len(one.whole) for one in train.values()),
        },
        "commits": [options.train_commits, options.commits],
        "depth": options.depth,
        "seed": options.seed,
        "penalty": {part: report["penalty"][part] for part in names},
        "validation_mrr": {part: report["validation"][part]["MRR"] for part in names},
        "command": "python -m codewm_model.where_next --repos CLONES --cache FOLDER "
        f"--train-commits {options.train_commits} --commits {options.commits} --depth {options.depth} "
        f"--seed {options.seed} "
        "--output codewm_lsp/hints/weights.json",
    }
    if options.output:
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return report


def _record(fit: Fit, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """The weights by case and name, those that move nothing left out."""
    record: dict[str, dict[str, float]] = {}
    for case, row in zip(("always", *CASES), fit.weights, strict=True):
        record[case] = {name: float(f"{weight:.4g}") for name, weight in zip(names, row, strict=True) if weight}
    return record


def _mean(found: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over repositories of the means over their lists."""
    return np.asarray(np.mean([one.mean(0) for one in found if len(one)], 0))


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _baselines(
    names: Sequence[str], plain: Sequence[str], learnt: Sequence[Lists], held: Sequence[Lists]
) -> dict[str, Any]:
    """Random order, every signal alone (the better way round), and the plain blend of nine, on the held-out lists."""
    found: dict[str, Any] = {
        "random": _rounded(_mean([reciprocal_ranks(np.zeros(len(lists.signals)), lists, 0) for lists in held]))
    }
    alone: dict[str, list[float]] = {}
    for column, name in enumerate(names):
        means = [
            _mean([reciprocal_ranks(sign * lists.signals[:, column], lists, 0) for lists in held]) for sign in (1, -1)
        ]
        alone[name] = _rounded(max(means, key=lambda mean: float(mean[0])))
    for name, values in sorted(alone.items(), key=lambda item: -item[1][0])[:8]:
        found[f"alone: {name}"] = values
    fit = fit_lists(learnt, penalty=1e-4, cases=False, columns=[names.index(name) for name in plain])
    found["plain blend of nine"] = _rounded(_mean([reciprocal_ranks(fit.scores(lists), lists, 0) for lists in held]))
    return found


def _summary(measured: Mapping[str, Measured], record: Mapping[str, Any], two: Mapping[float, float]) -> dict[str, Any]:
    """MRR, R@1 and R@3 with the spread over seeds and an interval over repositories, and the precision curve."""
    summary: dict[str, Any] = {}
    for part in ("definitions", "files"):
        lists = {name: getattr(one, part) for name, one in measured.items()}
        seeds = sorted({reveal for found in lists.values() for reveal in found})
        means = np.array(
            [np.mean([np.mean(found[seed], 0) for found in lists.values() if found.get(seed)], 0) for seed in seeds]
        )  # (seeds, 3)
        per_repository = np.array([np.mean(list(chain(*found.values())), 0) for found in lists.values()])
        half = 1.96 * per_repository[:, 0].std(ddof=1) / len(per_repository) ** 0.5
        summary[part] = {
            "MRR": round(float(means[:, 0].mean()), 4),
            "R@1": round(float(means[:, 1].mean()), 4),
            "R@3": round(float(means[:, 2].mean()), 4),
            "seeds": len(seeds),
            "MRR of each seed": _rounded(means[:, 0]),
            "95 % over repositories": round(float(half), 4),
            "N": {name: sum(len(v) for v in found.values()) for name, found in lists.items()},
            "repositories": dict(zip(lists, _rounded(per_repository[:, 0]), strict=True)),
        }
    summary["two edits, by what the older counts"] = {f"{step:g}": round(value, 4) for step, value in two.items()}
    summary["threshold"] = record["threshold"]
    curve = []
    for number, threshold in enumerate(THRESHOLDS):
        row: dict[str, float] = {"threshold": threshold}
        for place in ("lenses", "anywhere"):
            shown = sum(float(getattr(one, place).shown[number]) for one in measured.values())
            right = sum(float(getattr(one, place).right[number]) for one in measured.values())
            row[f"{place}: a look"] = round(shown / max(1, sum(one.looks for one in measured.values())), 3)
            row[f"{place}: right"] = round(right / max(1.0, shown), 3)
        curve.append(row)
    summary["precision"] = curve
    return summary


if __name__ == "__main__":
    main()
