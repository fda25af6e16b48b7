"""What ``codewm forgotten`` is right about: one file of a commit hidden, and commits of which nothing is missing.

``python -m codewm_model.evaluation.forgotten --set test -o DIR``; CODEWM_REPOS names the folder of the clones.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from codewm_lsp.hints.forgotten import MOST
from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import Companions
from codewm_lsp.ranking.missing_files import MissingFiles, shipped_missing_files
from codewm_model.data.hidden_files import Questions, questions_of, together
from codewm_model.evaluation import repositories as places

NEWEST: Final = 0.2
COMMON: Final = 4  # commits that a pair needs for plain change coupling
COUPLING: Final = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one rule at one threshold: over questions with a hidden file, flags that were right and hidden files flagged;
    over whole commits, how many were warned; ``later``: right if flagged what one of the author's next five changed."""

    rule: str
    threshold: float
    flags: int
    precision: float
    recall: float
    warned: float
    later: float


def measure(rule: str, scores: NDArray[np.float64], threshold: float, asked: Questions) -> Measured:
    """At most ``MOST`` files of a change are named, as the command does."""
    order = np.lexsort((-scores, asked.question))
    question = asked.question[order]
    rank = np.arange(len(order)) - np.searchsorted(question, question)
    named = np.zeros(len(order), dtype=bool)
    named[order] = rank < MOST
    named &= scores >= threshold
    hiding = named & asked.hides[asked.question]
    whole = np.unique(asked.question[named & ~asked.hides[asked.question]])
    flags = int(hiding.sum())
    right = int((asked.right & hiding).sum())
    return Measured(
        rule,
        threshold,
        flags,
        right / max(flags, 1),
        right / max(int(asked.hides.sum()), 1),
        len(whole) / max(int((~asked.hides).sum()), 1),
        int(((asked.right | asked.later) & hiding).sum()) / max(flags, 1),
    )


def coupling(asked: Questions) -> NDArray[np.float64]:
    """Plain change coupling: the largest share of the commits to a changed file that changed the candidate too."""
    return np.where(asked.count >= COMMON, asked.count / np.maximum(asked.asked, 1), 0.0)


def chances(asked: Questions, model: MissingFiles) -> NDArray[np.float64]:
    """What the product says of each candidate."""
    none = np.zeros(len(asked.table), np.int64)
    return model.chances(Companions(none, asked.table, asked.count, asked.asked, none))


def rows(asked: Questions, model: MissingFiles) -> list[Measured]:
    """The product at its threshold and beside it, and plain change coupling."""
    said, plain = chances(asked, model), coupling(asked)
    thresholds = sorted({model.threshold, *(0.3, 0.4, 0.5, 0.6, 0.7, 0.8)})
    return [measure("codewm forgotten", said, threshold, asked) for threshold in thresholds] + [
        measure("change coupling", plain, threshold, asked) for threshold in COUPLING
    ]


def main(
    chosen: Annotated[str, typer.Option("--set", help="train, validation or test.")] = "validation",
    commits: Annotated[int, typer.Option(min=1, help="At most so many of a repository.")] = 1_000,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("evaluation"),
) -> None:
    """Measure on the newest fifth of each history; all figures of one run beside each other."""
    model = shipped_missing_files()
    clones, left_out = places.find(places.folder_of_clones(), places.sets()[chosen], required=False)
    parts: dict[str, Questions] = {}
    for clone in clones:
        with Repository.open(clone.folder) as repository:
            parts[clone.name] = questions_of(repository, commits=commits, newest=NEWEST)
        typer.echo(f"{clone.name}: {len(parts[clone.name].hides):,} questions")
    asked = together(list(parts.values()))
    found = rows(asked, model)
    each = {name: measure("codewm forgotten", chances(one, model), model.threshold, one) for name, one in parts.items()}
    output.mkdir(parents=True, exist_ok=True)
    record = {
        "set": chosen,
        "commits": commits,
        "hidden": int(asked.hides.sum()),
        "whole": int((~asked.hides).sum()),
        "default": model.threshold,
        "left_out": left_out,
        "rows": [asdict(row) for row in found],
        "repositories": {name: asdict(row) for name, row in each.items()},
    }
    (output / "forgotten.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (output / "forgotten.md").write_text(_report(record, found, each), encoding="utf-8")
    typer.echo(f"{output / 'forgotten.md'}")


def _report(record: dict[str, object], found: list[Measured], each: dict[str, Measured]) -> str:
    lines = [
        f"# Forgotten files: the {record['set']} set",
        "",
        f"The newest fifth of each history, up to {record['commits']} commits of each of {len(each)} repositories; "
        f"up to two files of a commit hidden, one at a time: {record['hidden']:,} hidden files, "
        f"{record['whole']:,} whole "
        f"commits. At most {MOST} files are named. Default threshold: {record['default']}.",
        "",
        "| rule | threshold | flags | precision | recall | whole commits warned | right, or changed in the author's "
        "next five commits |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(row.rule, row) for row in found),
        "",
        "## By repository, at the default threshold",
        "",
        "| repository | threshold | flags | precision | recall | whole commits warned | or in the next five |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(name, row) for name, row in each.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, row: Measured) -> str:
    return (
        f"| {name} | {row.threshold:.2f} | {row.flags:,} | {row.precision:.3f} | {row.recall:.3f} | {row.warned:.3f} "
        f"| {row.later:.3f} |"
    )


if __name__ == "__main__":
    typer.run(main)
