"""What ``codewm forgotten`` is right about: one file of a commit hidden, and commits of which nothing is missing.

``python -m codewm_model.evaluation.forgotten_files --set test -o DIR``; CODEWM_REPOS names the folder of the clones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from codewm_lsp.hints.forgotten import MOST
from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import Companions
from codewm_lsp.ranking.missing_files import COLUMNS, MissingFiles, shipped_missing_files
from codewm_model.data.hidden_files import HiddenFileQuestions, questions_of, together
from codewm_model.evaluation import repositories as places
from codewm_model.evaluation.cache import Cache
from codewm_model.evaluation.measurement import Clone

NEWEST: Final = 0.2
COMMITS: Final = 1_000
COMMON: Final = 4  # commits that a pair needs for plain change coupling
COUPLING: Final = (0.5, 0.6, 0.7, 0.8, 0.9)
COCHANGE: Final = (0.8, 0.5, 0.6, 0.7, 0.9)  # its default first
THRESHOLDS: Final = (0.3, 0.4, 0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.62, 0.7, 0.8)
WARNED: Final = 0.03  # of whole commits, at most
RESAMPLED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one rule at one threshold: over questions with a hidden file, flags, their precision, and the recall of hidden
    files; over whole commits, the share that was warned. ``later``: the precision if a flag on what one of the author's
    next five commits changed counts as right."""

    rule: str
    threshold: float
    flags: int
    precision: float
    recall: float
    warned: float
    later: float
    vain: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a rule says of each candidate of all questions, (N,)."""

    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    later: NDArray[np.bool_]
    question: NDArray[np.int64]


def mined(clone: Clone, cache: Cache | None, *, commits: int, newest: float) -> HiddenFileQuestions:
    """``questions_of`` a clone; kept for the next time, where there is a cache."""
    file = None
    if cache is not None:
        file = cache.file("hidden-files", clone.name, (clone.head, commits, newest, *COLUMNS), ".npz")
        if (arrays := cache.read_arrays(file)) is not None:
            return HiddenFileQuestions(**arrays)
    with Repository.open(clone.folder) as repository:
        found = questions_of(repository, commits=commits, newest=newest)
    if cache is not None and file is not None:
        cache.write_arrays(file, **{field.name: getattr(found, field.name) for field in fields(HiddenFileQuestions)})
    return found


def gathered(
    chosen: str, cache: Cache | None, *, commits: int, newest: float, tell: Callable[[str], None]
) -> tuple[dict[str, HiddenFileQuestions], dict[str, str]]:
    """The questions of each repository of a set, and why others are left out."""
    clones, left_out = places.find(places.folder_of_clones(), places.sets()[chosen], required=False)
    parts: dict[str, HiddenFileQuestions] = {}
    for clone in clones:
        parts[clone.name] = mined(clone, cache, commits=commits, newest=newest)
        tell(f"{clone.name}: {len(parts[clone.name].hides):,} questions")
    return parts, left_out


def measure(
    rule: str, said: Candidates, threshold: float, hides: NDArray[np.bool_], most: int | None = MOST
) -> Measured:
    """``most``: the files that are named of a change at most."""
    order = np.lexsort((-said.score, said.question))
    question = said.question[order]
    rank = np.arange(len(order)) - np.searchsorted(question, question)
    named = np.zeros(len(order), dtype=bool)
    named[order] = rank < (most if most is not None else len(order))
    named &= said.score >= threshold
    hiding = named & hides[said.question]
    of_whole = named & ~hides[said.question]
    whole, made_good = np.unique(said.question[of_whole]), np.unique(said.question[of_whole & said.later])
    flags, right = int(hiding.sum()), int((said.right & hiding).sum())
    return Measured(
        rule,
        threshold,
        flags,
        right / max(flags, 1),
        right / max(int(hides.sum()), 1),
        len(whole) / max(int((~hides).sum()), 1),
        int(((said.right | said.later) & hiding).sum()) / max(flags, 1),
        (len(whole) - len(made_good)) / max(int((~hides).sum()), 1),
    )


@dataclass(frozen=True, slots=True)
class AtWarned:
    """The recall at the least threshold at which so few whole commits are warned, with its 95 % interval of a bootstrap
    over repositories, in each of which that threshold is found anew."""

    threshold: float
    recall: float
    low: float
    high: float


def at_warned(said: Sequence[Candidates], hides: Sequence[NDArray[np.bool_]], share: float = WARNED) -> AtWarned:
    """Of what was said of the questions of several repositories; ``hides``: of those of each."""
    best = [_best(one, its) for one, its in zip(said, hides, strict=True)]
    threshold, recall = _recall_at(best, share)
    random = np.random.default_rng(0)
    drawn = [_recall_at([best[n] for n in random.integers(len(best), size=len(best))], share) for _ in range(RESAMPLED)]
    low, high = np.quantile([one for _, one in drawn], [0.025, 0.975])
    return AtWarned(threshold, recall, float(low), float(high))


def _best(said: Candidates, hides: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The highest score in each whole commit, and that of each hidden file if it is named at all; 0 where there is
    none."""
    order = np.lexsort((-said.score, said.question))
    question = said.question[order]
    named = order[np.arange(len(order)) - np.searchsorted(question, question) < MOST]
    right = named[said.right[named]]
    highest, found = np.zeros(len(hides)), np.zeros(len(hides))
    np.maximum.at(highest, said.question, said.score)
    np.maximum.at(found, said.question[right], said.score[right])
    return highest[~hides], found[hides]


def _recall_at(best: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], share: float) -> tuple[float, float]:
    whole, hidden = (np.concatenate(some) for some in zip(*best, strict=True))
    warned = np.sort(whole)[::-1]
    least = float(np.nextafter(warned[int(share * len(warned))], 1.0)) if len(warned) else 0.0
    return least, float((hidden >= least).mean()) if len(hidden) else 0.0


def coupled(asked: HiddenFileQuestions) -> Candidates:
    """Plain change coupling: the largest share of the commits to a changed file that changed the candidate too."""
    shares = np.where(asked.count >= COMMON, asked.count / np.maximum(asked.asked, 1), 0.0)
    return Candidates(shares, asked.right, asked.later, asked.question)


def ruled(asked: HiddenFileQuestions) -> Candidates:
    """The rule of cochange."""
    return Candidates(asked.rule_confidence, asked.rule_right, asked.rule_later, asked.rule_question)


def weighed(asked: HiddenFileQuestions, model: MissingFiles) -> Candidates:
    """What the product says of each candidate."""
    none = np.zeros(len(asked.table), np.int64)
    chances = model.chances(Companions(none, asked.table, asked.count, asked.asked))
    chances = np.maximum(chances, asked.table[:, COLUMNS.index("broken_here")])
    more = ~asked.broken_listed  # in files that are no candidates; each is counted for itself
    return Candidates(
        np.concatenate([chances, asked.broken_chance[more]]),
        np.concatenate([asked.right, asked.broken_right[more]]),
        np.concatenate([asked.later, asked.broken_later[more]]),
        np.concatenate([asked.question, asked.broken_question[more]]),
    )


def weighed_together(said: Sequence[Candidates], hides: Sequence[NDArray[np.bool_]]) -> Candidates:
    """What was said of the questions of several repositories as one; ``hides``: of those of each."""
    starts = np.cumsum([0, *map(len, hides)])[:-1].tolist()
    return Candidates(
        np.concatenate([one.score for one in said]),
        np.concatenate([one.right for one in said]),
        np.concatenate([one.later for one in said]),
        np.concatenate([one.question + start for one, start in zip(said, starts, strict=True)]),
    )


def broken(asked: HiddenFileQuestions) -> Candidates:
    """Definitions that the change leaves broken alone."""
    return Candidates(asked.broken_chance, asked.broken_right, asked.broken_later, asked.broken_question)


def rows(asked: HiddenFileQuestions, model: MissingFiles) -> list[Measured]:
    """The product at its threshold and beside it, and the plain rules."""
    product, plain, cochange = weighed(asked, model), coupled(asked), ruled(asked)
    return [
        *(measure("codewm forgotten", product, at, asked.hides) for at in sorted({model.threshold, *THRESHOLDS})),
        measure("definitions left broken", broken(asked), 0.0, asked.hides, most=None),
        *(measure("change coupling", plain, at, asked.hides) for at in COUPLING),
        *(measure("cochange 0.1", cochange, at, asked.hides, most=None) for at in COCHANGE),
    ]


def main(
    chosen: Annotated[str, typer.Option("--set", help="train, validation or test.")] = "validation",
    commits: Annotated[int, typer.Option(min=1, help="Maximum commits of a repository.")] = COMMITS,
    cache: Annotated[Path | None, typer.Option(help="Keep what is mined in this folder.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("evaluation"),
) -> None:
    """Measure on the newest fifth of each history; all figures of one run beside each other."""
    model = shipped_missing_files()
    kept = Cache(cache) if cache is not None else None
    parts, left_out = gathered(chosen, kept, commits=commits, newest=NEWEST, tell=typer.echo)
    asked = together(list(parts.values()))
    found = rows(asked, model)
    each = {
        name: measure("codewm forgotten", weighed(one, model), model.threshold, one.hides)
        for name, one in parts.items()
    }
    within = at_warned([weighed(one, model) for one in parts.values()], [one.hides for one in parts.values()])
    output.mkdir(parents=True, exist_ok=True)
    record = {
        "set": chosen,
        "commits": commits,
        "hidden": int(asked.hides.sum()),
        "whole": int((~asked.hides).sum()),
        "default": model.threshold,
        "left_out": sorted(left_out),
        "rows": [asdict(row) for row in found],
        "within": asdict(within),
        "repositories": {name: asdict(row) for name, row in each.items()},
    }
    (output / "forgotten.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (output / "forgotten.md").write_text(_report(record, found, each, within), encoding="utf-8")
    typer.echo(f"{output / 'forgotten.md'}")


def _report(record: dict[str, object], found: list[Measured], each: dict[str, Measured], within: AtWarned) -> str:
    named = (
        "whole commits warned | right, or changed in the author's next five commits "
        "| whole commits warned of nothing that these five changed"
    )
    lines = [
        f"# Forgotten files: the {record['set']} set",
        "",
        f"The newest fifth of each history, up to {record['commits']:,} commits of each of {len(each)} repositories; "
        "up to two files of a commit hidden, one at a time, files of any kind: "
        f"{record['hidden']:,} hidden files, {record['whole']:,} whole commits. `codewm forgotten` and change coupling "
        f"name at most {MOST} files; cochange names all. The default threshold is {record['default']}; cochange's is "
        f"{COCHANGE[0]}.",
        "",
        f"| rule | threshold | flags | precision | recall | {named} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(row.rule, row) for row in found),
        "",
        f"At the threshold at which {100 * WARNED:.0f} % of the whole commits are warned, {within.threshold:.2f}, "
        f"`codewm forgotten` has a recall of {within.recall:.3f} ({within.low:.3f} to {within.high:.3f}: 95 % interval "
        f"of {RESAMPLED:,} draws of repositories, each with a threshold of its own).",
        "",
        "## By repository, at the default threshold",
        "",
        f"| repository | threshold | flags | precision | recall | {named} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(name, row) for name, row in each.items()),
        "",
        "Made by `python -m codewm_model.evaluation.forgotten_files`; see [Experiments](../../experiments.md).",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, row: Measured) -> str:
    return (
        f"| {name} | {row.threshold:.2f} | {row.flags:,} | {row.precision:.3f} | {row.recall:.3f} | {row.warned:.3f} "
        f"| {row.later:.3f} | {row.vain:.3f} |"
    )


if __name__ == "__main__":
    typer.run(main)
