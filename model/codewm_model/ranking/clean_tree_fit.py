"""How often what is said to be next is right while nothing is edited, and the calibration of Where Next then.

    python -m codewm_model.ranking.clean_tree_fit --repos CLONES --cache DIR

An author's commit stands for edits in progress, the files are those that it left, and the past is what came before it.
Asked is which definitions of the repository come next, and which of one file that the author's next commit changes, as
if it had just been opened. Said is how often they were changed by that commit, and by one of the author's next five.
The calibration (``AFTER_COMMIT`` of ``codewm_lsp.hints.stand_in``) is fitted on ``--train``, for the whole repository.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from codewm_lsp.hints.excerpts import excerpt
from codewm_lsp.hints.stand_in import AFTER_COMMIT, CleanTree
from codewm_lsp.history import Repository
from codewm_lsp.ranking.corpus import Corpus, ParsedFile, Vocabulary, parse_file
from codewm_lsp.ranking.ranker import Ranker, ordered, rank
from codewm_lsp.ranking.ranker_file import shipped_ranker, to_bytes
from codewm_lsp.ranking.references import references
from codewm_lsp.ranking.state import State
from codewm_lsp.source import Definition
from codewm_model.data.replay import NEXT_COMMITS, Past, clone_of, read_past
from codewm_model.evaluation.repositories import sets
from codewm_model.ranking.fit_command import fit_parser

Floats = NDArray[np.float64]

TRAIN: Final = (
    "PyCQA/flake8",
    "aio-libs/aiohttp",
    "httpie/cli",
    "pallets/jinja",
    "pallets/werkzeug",
    "pypa/virtualenv",
    "redis/redis-py",
    "tornadoweb/tornado",
)
SHOWN: Final = 10  # of a list of Where Next
KEPT: Final = 200  # definitions of a look that are remembered
OPENED, GLANCED, ANYWHERE = "opened", "glanced at", "anywhere"
MUST, SIZE = "must", "size"
SHARES: Final = (0.1, 0.25, 0.5, 1.0)  # of the looks, those with the surest first definition
SIZES: Final = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 0))  # of files, in definitions that may be next
LARGER: Final = 8  # definitions of a file in which the first one is right by more than luck
Row = list[float]
"""A definition: its probability, changed by the next commit?, by one of the next five?"""

Look = dict[str, list[Row]]
"""The likeliest definitions of the file that is ``opened`` to be edited, of any file ``glanced at``, and ``anywhere``
in the repository; those that ``must`` follow the commit; and the ``size`` of the opened file, in definitions that may
be next."""


def looks(repository: Repository, ranker: Ranker, count: int) -> Iterator[Look]:
    """Looks at files that an author's next commit changes, that author's commit before standing for edits."""
    past = read_past(repository, examples=count)
    vocabulary = Vocabulary()
    parsed: dict[str, ParsedFile | None] = {}
    for position in past.examples:
        author = past.commits[position][0].author
        later = [at for at in range(position - 1, -1, -1) if past.commits[at][0].author == author][:NEXT_COMMITS]
        if len(later) < NEXT_COMMITS:
            continue
        blobs = repository.files(past.commits[position][0].sha)
        missing = [blob for blob in dict.fromkeys(blobs.values()) if blob not in parsed]
        for blob, text in repository.read_all(missing).items():
            parsed[blob] = None if text is None else parse_file(text, vocabulary)
        files = {path: file for path, blob in blobs.items() if (file := parsed[blob]) is not None}
        look = _look(repository, ranker, past, position, later, blobs, Corpus.of(files, vocabulary))
        if look is not None:
            yield look


def _look(
    repository: Repository,
    ranker: Ranker,
    past: Past,
    position: int,
    later: Sequence[int],
    blobs: Mapping[str, str],
    corpus: Corpus,
) -> Look | None:
    """One look after a commit, ``later`` being the author's next ones; None where no file is to be opened."""
    commit, edits = past.commits[position]
    now = _names_after(past, position)
    soon = [_changed(past, at) for at in later]
    opened = sorted(path for path in corpus.paths if any(now.get(path, path) == one for one, _ in soon[0]))
    if not opened:
        return None
    chance = random.Random(commit.sha)
    path, glanced = chance.choice(opened), chance.choice(sorted(corpus.paths))
    asked = [excerpt(edit) for edit in sorted(edits, key=lambda edit: edit.path != path)]
    changed = {(one, edit.definition) for edit in asked for one in (edit.path, edit.previous_path)}
    paths = [corpus.paths[file] for file in corpus.file.tolist()]
    left = np.array([pair not in changed for pair in zip(paths, corpus.names, strict=True)])
    here = corpus.file == corpus.number[path]
    if not (left & here).any():
        return None

    def texts(files: Sequence[int]) -> dict[int, tuple[Definition, ...]]:
        read = repository.definitions([blobs[corpus.paths[file]] for file in files])
        return {file: read[blobs[corpus.paths[file]]] for file in files}

    def rows(chances: Mapping[int, float]) -> list[Row]:
        keys = [(now.get(paths[row], paths[row]), corpus.names[row]) for row in chances]
        return [
            [round(chance, 5), float(key in soon[0]), float(any(key in some for some in soon))]
            for key, chance in zip(keys, chances.values(), strict=True)
        ]

    ranking = rank(State.of(corpus, past.changes, position, now), asked, ranker)
    must = references(corpus, asked, texts)
    look: Look = {
        SIZE: [[float((left & here).sum())]],
        MUST: rows({row: one.score for row, one in must.items() if left[row] and not one.linted}),
    }
    at = left & (corpus.file == corpus.number[glanced])
    for where, some in ((OPENED, left & here), (GLANCED, at), (ANYWHERE, left)):
        order, likely = ordered(ranking, np.flatnonzero(some))
        look[where] = rows(dict(zip(order.tolist()[:KEPT], likely.tolist(), strict=False)))
    return look


def _names_after(past: Past, position: int) -> Mapping[str, str]:
    """What the paths that a commit left are called now."""
    return past.renamed[position - 1] if position else {}


def _changed(past: Past, position: int) -> set[tuple[str, str]]:
    names = past.renamed[position]
    after = _names_after(past, position)
    found: set[tuple[str, str]] = set()
    for edit in past.commits[position][1]:
        before = edit.previous_path or edit.path
        found.add((names.get(before, after.get(edit.path, edit.path)), edit.definition))
    return found


def fit(found: Sequence[Look]) -> CleanTree:
    """The slope and intercept that make of the log-odds the chance that one of the next five commits comes there."""
    rows = [row for look in found for row in look[ANYWHERE][:SHOWN]]
    odds = np.array([_log_odds(row[0]) for row in rows])
    true = np.array([row[2] for row in rows])

    def loss(weights: Floats) -> float:
        said = weights[0] * odds + weights[1]
        return float(np.mean(np.logaddexp(0, said) - true * said))

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x.tolist()
    return CleanTree(round(slope, 3), round(intercept, 3))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))


def opened(found: Sequence[Look]) -> dict[str, Any]:
    """How often the likeliest definition of the opened file is right: by the size of the file, and of the larger files
    by how much of the file's probability it has, and the same of any file."""
    sized = [(int(look[SIZE][0][0]), look[OPENED]) for look in found]
    larger = _surest(rows for size, rows in sized if size >= LARGER)
    least = larger[len(larger) // 4][0] if larger else 1.0
    glanced = _surest(look[GLANCED] for look in found if len(look[GLANCED]) >= LARGER)
    return {
        "definitions": {
            f"{least} to {most}" if most else f"{least} and more": _right(firsts)
            for least, most in SIZES
            if (firsts := [rows[0] for size, rows in sized if least <= size <= (most or size)])
        },
        f"{LARGER} and more, at these shares of the looks": {
            f"{share:.0%}": _right([row for _, row in larger[: max(1, round(share * len(larger)))]])
            for share in SHARES
            if larger
        },
        "any file, as sure as that quarter": _right([row for share, row in glanced if share >= least]),
    }


def _surest(looks: Iterable[Sequence[Row]]) -> list[tuple[float, Row]]:
    """The first definition of each, and how much of the file's probability it has, the surest first."""
    return sorted((_share(rows), rows[0]) for rows in looks)[::-1]


def _share(rows: Sequence[Row]) -> float:
    return rows[0][0] / max(sum(row[0] for row in rows), 1e-9)


def anywhere(found: Sequence[Look], calibration: CleanTree) -> dict[str, Any]:
    """How often the likeliest definitions of the repository are right, and what is said of them."""
    firsts = [look[ANYWHERE][0] for look in found]
    every = [row for look in found for row in look[ANYWHERE][:SHOWN]]
    must = [row for look in found for row in look[MUST]]
    said = calibration.chances(np.array([row[0] for row in every]))
    return {
        "the first": _right(firsts),
        "one of the first five": _right([_any(look[ANYWHERE][:5]) for look in found]),
        f"the first {SHOWN}": {
            **_right(every),
            "said": round(float(said.mean()), 3),
            "most": round(float(said.max()), 3),
        },
        "what must follow": _right(must),
    }


def _any(rows: Sequence[Row]) -> Row:
    return [rows[0][0], max(row[1] for row in rows), max(row[2] for row in rows)]


def _right(rows: Sequence[Row]) -> dict[str, float]:
    said = zip(("next commit", "next five"), (1, 2), strict=True)
    right = {words: round(float(np.mean([row[column] for row in rows])), 3) for words, column in said if rows}
    return {"n": len(rows), **right}


def gathered(name: str, folder: Path, cache: Path, ranker: Ranker, count: int) -> list[Look]:
    """The looks of one repository, worked out once for a ranker."""
    clone = clone_of(folder, name)
    if clone is None:
        raise SystemExit(f"{folder} has no clone of {name}.")
    with Repository.open(clone) as repository:
        key = sha256(f"{repository.head()} {sha256(to_bytes(ranker)).hexdigest()} {count}".encode()).hexdigest()
        file = cache / f"{name.replace('/', '+')}-{key[:16]}.json"
        if file.exists():
            kept: list[Look] = json.loads(file.read_text(encoding="utf-8"))
            return kept
        found = list(looks(repository, ranker, count))
    cache.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found), encoding="utf-8")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = fit_parser(
        "clean_tree_fit",
        "Fit the calibration of a clean working tree.",
        train=TRAIN,
        validation=sets()["validation"],
    )
    parser.add_argument("--commits", type=int, default=60, help="newest commits asked about, of a repository")
    options = parser.parse_args(arguments)
    ranker = shipped_ranker()
    parts: dict[str, list[Look]] = {}
    for part, names in (("train", options.train), ("validation", options.validation)):
        parts[part] = []
        for name in names:
            found = gathered(name, options.repos, options.cache, ranker, options.commits)
            print(f"{part} {name}: {len(found)} looks", flush=True)
            parts[part] += found
    if not parts["train"]:
        raise SystemExit("Nothing to fit on: no author's commit in --train is followed by five others.")
    fitted = fit(parts["train"])
    report: dict[str, Any] = {"fitted": repr(fitted), "in use": repr(AFTER_COMMIT)}
    for part, found in parts.items():
        if found:
            report[part] = {"looks": len(found), OPENED: opened(found), ANYWHERE: anywhere(found, AFTER_COMMIT)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
