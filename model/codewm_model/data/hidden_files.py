"""Questions of ``codewm forgotten`` with known answers: commits with one of their files hidden, and whole ones.

They are those of ``codewm backtest``, as tables to learn from and to measure on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.hints.backtest import questions
from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import FilePast
from codewm_lsp.ranking.missing_files import COLUMNS

HALF_LIFE: Final = 365 * 86_400  # seconds after which cochange counts a commit half
WINDOW: Final = 3_000  # newest commits that it looks at …
LARGEST: Final = 25  # … of so many files at most
SUPPORT: Final = 4  # commits of both files
LIFT: Final = 2.0  # times as often as in any commit


@dataclass(frozen=True, slots=True)
class HiddenFileQuestions:
    """Q questions, and all their candidates one after the other, (N, …).

    ``table``: its ``COLUMNS``. ``count``, ``asked``: joint changes with the changed file that most often
    comes with it. ``right``: it is the hidden file; ``later``: one of the author's next commits changed it.
    ``question``: which each candidate is of. ``hides``: whether a file is hidden, (Q,). ``rule_…``: the same of the
    candidates of cochange's rule, (M,), with its confidence in each. ``broken_…``: of the definitions that the change
    leaves broken; ``broken_listed``: its file is among the candidates.
    """

    table: NDArray[np.float32]
    count: NDArray[np.int64]
    asked: NDArray[np.int64]
    right: NDArray[np.bool_]
    later: NDArray[np.bool_]
    question: NDArray[np.int64]
    hides: NDArray[np.bool_]
    rule_confidence: NDArray[np.float64]
    rule_right: NDArray[np.bool_]
    rule_later: NDArray[np.bool_]
    rule_question: NDArray[np.int64]
    broken_chance: NDArray[np.float64]
    broken_right: NDArray[np.bool_]
    broken_later: NDArray[np.bool_]
    broken_question: NDArray[np.int64]
    broken_listed: NDArray[np.bool_]


class CochangeRule:
    """The rule that cochange 0.1 publishes (github.com/Nithinfgs/cochange, docs/HOW-IT-WORKS.md).

    Confidence of B given A: commits of both by commits of A, each halved for every year of its age; at least four
    commits of both, and twice as likely as in any commit; the best of all changed A. Of the newest 3,000 commits, those
    of up to 25 files.
    """

    def __init__(self, past: FilePast) -> None:
        self._past = past
        sizes = past.start[1:] - past.start[:-1]
        self._small = sizes <= LARGEST

    def confidences(self, paths: Sequence[str], now: int) -> dict[int, float]:
        """Each file that passes all but the threshold of confidence, by its number."""
        past = self._past
        first = int(np.flatnonzero(np.concatenate([self._small[:now], [True]]))[-WINDOW - 1 :][0])
        commits = max(int(self._small[first:now].sum()), 1)
        own = {past.number[path] for path in paths if path in past.number}
        best: dict[int, float] = {}
        for file in own:
            places = past.changed_at[file]
            places = places[(places >= first) & (places < now)]
            places = places[self._small[places]]
            if len(places) < SUPPORT:
                continue
            weights = 0.5 ** ((past.dates[places[-1]] - past.dates[places]) / HALF_LIFE)
            files, which = past.of(places)
            numbers, inverse, support = np.unique(files, return_inverse=True, return_counts=True)
            shares = np.bincount(inverse, weights=weights[which]) / weights.sum()
            for number, share, count in zip(numbers.tolist(), shares.tolist(), support.tolist(), strict=True):
                if number in own or count < SUPPORT or share <= best.get(number, 0.0) or not past.exists(number, now):
                    continue
                others = past.changed_at[number]
                others = others[(others >= first) & (others < now)]
                if share / (int(self._small[others].sum()) / commits) >= LIFT:
                    best[number] = share
        return best


def questions_of(repository: Repository, *, commits: int, newest: float, seed: int = 1) -> HiddenFileQuestions:
    """Of up to ``commits`` commits drawn from the newest share of a history."""
    past = FilePast(repository.changed_files())
    total = len(past.commits)
    places = list(range(int(total * (1 - newest)), total))
    if len(places) > commits:
        places = sorted(random.Random(seed).sample(places, commits))
    rule = CochangeRule(past)
    parts = [NOTHING]
    for number, one in enumerate(questions(repository, past, places, seed=seed)):
        found, broken = one.known.candidates, one.known.broken
        said = rule.confidences(one.known.asked.paths, one.place)
        ruled = np.array(list(said), dtype=np.int64)
        old = {newest: older for older, newest in past.names_in(one.place).items()}
        path = old.get(past.paths[one.hidden]) if one.hidden >= 0 else None
        parts.append(
            HiddenFileQuestions(
                found.table,
                found.count,
                found.asked,
                found.files == one.hidden,
                np.isin(found.files, one.later),
                np.full(len(found.files), number),
                np.array([one.hidden >= 0]),
                np.array(list(said.values()), dtype=np.float64),
                ruled == one.hidden,
                np.isin(ruled, one.later),
                np.full(len(ruled), number),
                np.array([it.chance for it in broken], dtype=np.float64),
                np.array([it.path == path for it in broken], dtype=bool),
                np.array([past.number.get(it.path, -1) in one.later for it in broken], dtype=bool),
                np.full(len(broken), number),
                np.array([it.path in one.known.paths for it in broken], dtype=bool),
            )
        )
    return _joined(parts, [0] * len(parts))


def together(parts: Sequence[HiddenFileQuestions]) -> HiddenFileQuestions:
    """The questions of several repositories as one."""
    return _joined(parts, np.cumsum([0, *(len(part.hides) for part in parts)])[:-1].tolist())


def _joined(parts: Sequence[HiddenFileQuestions], starts: Sequence[int]) -> HiddenFileQuestions:
    columns = {}
    for field in fields(HiddenFileQuestions):
        shift = starts if field.name.endswith("question") else [0] * len(parts)
        columns[field.name] = np.concatenate(
            [
                getattr(part, field.name) + start if start else getattr(part, field.name)
                for part, start in zip(parts, shift, strict=True)
            ]
        )
    return HiddenFileQuestions(**columns)


def _nothing() -> HiddenFileQuestions:
    numbers, truths = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    table = np.zeros((0, len(COLUMNS)), np.float32)
    chances = np.zeros(0)
    return HiddenFileQuestions(
        table,
        numbers,
        numbers,
        truths,
        truths,
        numbers,
        truths,
        rule_confidence=chances,
        rule_right=truths,
        rule_later=truths,
        rule_question=numbers,
        broken_chance=chances,
        broken_right=truths,
        broken_later=truths,
        broken_question=numbers,
        broken_listed=truths,
    )


NOTHING: Final = _nothing()
