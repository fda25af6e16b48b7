"""Learns the weights of ``codewm_lsp.index.commit_ranking`` on the histories of other repositories.

    python -m codewm_model.ranking.search_fit --repos CLONES --cache FOLDER --output codewm_lsp/index/search.npz

``CLONES`` holds one clone per ``owner+name``, bare or not; they are only read. The newest edits of a repository are in
an index, the subjects of their commits are the questions, and the commit should come first: a softmax over all of them,
of what the product's index computes. A third of the train repositories is measured by what the others taught; the
validation repositories confirm it; the test repositories are never opened.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from codewm_lsp.errors import CodewmError
from codewm_lsp.index import Index
from codewm_lsp.index.commit_ranking import RELATIONS, SAYS, SHAPE, CommitRanker, said, with_shares
from codewm_lsp.source import words_of_text
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.repositories import find, newest_commits, sets
from codewm_model.ranking.fit_command import fit_parser

GALLERY: Final = 300  # newest edits of a repository
ASKING: Final = 100  # commits of each
FEWEST: Final = 20  # commits of a gallery
FOLDS: Final = 3
EPOCHS: Final = 150
RATE: Final = 0.03
DECAY: Final = 0.03

Scorer = Callable[["AskedWords"], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class AskedWords:
    """A subject, and what the index computes of each of C commits: ``right`` is the one that it is of."""

    relations: NDArray[np.float64]  # (C, R)
    shape: NDArray[np.float64]  # (C, S)
    words: tuple[str, ...]
    right: int


def asked_of(commits: Sequence[Any], seed: int = 0) -> list[AskedWords]:
    """What the subjects of a gallery ask, none of which is in the index."""
    edits_of = [(one, np.zeros((len(one.edits), 1), dtype=np.float32)) for one in commits]
    found: list[AskedWords] = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Index.open("gallery", "words", folder=Path(folder), edit_size=1) as index,
    ):
        index.log.add(edits_of)
        for number in np.random.default_rng(seed).permutation(len(commits))[:ASKING].tolist():
            subject = commits[number].commit.subject
            relations, shape = index.text_relations(subject)
            found.append(AskedWords(relations, shape, words_of_text(subject), number))
    return found


def fit(galleries: Sequence[Sequence[AskedWords]], *, decay: float, epochs: int) -> CommitRanker:
    """Weights by a softmax over the commits of each question, all galleries alike."""
    questions = [(one, 1 / len(gallery)) for gallery in galleries for one in gallery]
    tables = [_table(one) for one, _ in questions]
    sizes = torch.tensor([len(table) for table in tables])
    values = torch.tensor(np.concatenate(tables), dtype=torch.float32)
    scale = values.std(0) + 1e-6
    values = (values - values.mean(0)) / scale
    which = torch.repeat_interleave(torch.arange(len(tables)), sizes)
    right = torch.tensor([one.right for one, _ in questions]) + torch.cumsum(sizes, 0) - sizes
    shares = torch.tensor([share for _, share in questions], dtype=torch.float32)
    shares = shares / shares.sum()
    weights = torch.zeros(values.shape[1], requires_grad=True)
    with torch.no_grad():
        weights[0] = 0.5
    optimiser = torch.optim.Adam([weights], lr=RATE)
    for _ in range(epochs):
        scores = values @ weights
        highest = torch.full((len(tables),), -torch.inf).scatter_reduce(0, which, scores.detach(), "amax")
        sums = torch.zeros(len(tables)).index_add(0, which, torch.exp(scores - highest[which]))
        loss = (shares * (highest + torch.log(sums) - scores[right])).sum() + decay * (weights**2).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    learnt = (weights / scale).detach().numpy().astype(np.float64)
    width = 2 * len(RELATIONS)
    return CommitRanker(learnt[:width], learnt[width:].reshape(1 + len(SAYS), len(SHAPE)))


def _table(one: AskedWords) -> NDArray[np.float64]:
    """What is weighed of each commit."""
    says = np.zeros(1 + len(SAYS))
    says[[0, *said(one.words)]] = 1
    crossed = (one.shape[:, None, :] * says[None, :, None]).reshape(len(one.shape), -1)
    return np.hstack([with_shares(one.relations), crossed])


def by_ranker(ranker: CommitRanker) -> Scorer:
    """Its scores of the commits, of those alone that hold a word."""
    return lambda one: np.where(one.relations[:, 0] > 0, ranker.scores(one.relations, one.shape, one.words), -np.inf)


def by_words(one: AskedWords) -> NDArray[np.float64]:
    """The sum of BM25 scores of the best edit of each."""
    return one.relations[:, 0]


def measured(galleries: Sequence[Sequence[AskedWords]], score: Scorer) -> float:
    """MRR of the commits asked for, a mean over galleries; ties at random."""
    return float(np.mean([np.mean([_reciprocal(one, score(one)) for one in gallery]) for gallery in galleries]))


def _reciprocal(one: AskedWords, scores: NDArray[np.float64]) -> float:
    order = np.lexsort((np.random.default_rng(0).random(len(scores)), -scores))
    return 1.0 / (1 + int(np.flatnonzero(order == one.right)[0]))


def main(arguments: Sequence[str] | None = None) -> None:
    """See the top of the file."""
    parser = fit_parser(
        "search_fit",
        "Fit what ranks commits in a search by words.",
        output="file to write it into; without it, only measure",
    )
    parser.add_argument("--gallery", type=int, default=GALLERY, help="newest edits of a repository")
    parser.add_argument("--decay", type=float, default=DECAY)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        train, validation = (_galleries(options, chosen) for chosen in ("train", "validation"))
    except CodewmError as error:
        sys.exit(f"error: {error}")
    learning = {"decay": options.decay, "epochs": options.epochs}
    left_out: list[float] = []
    for fold in range(min(FOLDS, len(train))):
        ranker = fit([one for at, one in enumerate(train) if at % FOLDS != fold] or train, **learning)
        left_out += [measured([one], by_ranker(ranker)) for at, one in enumerate(train) if at % FOLDS == fold]
    learnt = fit(train, **learning)
    report: dict[str, Any] = {
        "learning": {**learning, "gallery": options.gallery},
        "repositories": [len(train), len(validation)],
        "questions": [sum(map(len, some)) for some in (train, validation)],
        "train, by words": measured(train, by_words),
        "train, left out": float(np.mean(left_out)),
        "validation, by words": measured(validation, by_words) if validation else None,
        "validation": measured(validation, by_ranker(learnt)) if validation else None,
    }
    if options.output is not None:
        data = to_bytes(learnt)
        options.output.write_bytes(data)
        report["bytes"] = len(data)
    json.dump(report, sys.stdout, indent=1)
    sys.stdout.write("\n")


def to_bytes(ranker: CommitRanker) -> bytes:
    """The file of a ranker."""
    file = io.BytesIO()
    np.savez_compressed(file, relations=ranker.relations.astype(np.float32), shape=ranker.shape.astype(np.float32))
    return file.getvalue()


def _galleries(options: Namespace, chosen: str) -> list[list[AskedWords]]:
    """What the repositories of a set ask."""
    clones, left_out = find(options.repos, sets()[chosen], required=False)
    found: list[list[AskedWords]] = []
    for clone in clones:
        commits = newest_commits(clone, options.gallery, Cache(options.cache))
        if len(commits) >= FEWEST:
            found.append(asked_of(commits))
            sys.stderr.write(f"{clone.name}: {len(found[-1]):,} questions\n")
    for left, reason in left_out.items():
        sys.stderr.write(f"{left} left out: {reason}\n")
    return found


if __name__ == "__main__":
    main()
