"""E5 (b) over files of all kinds: one source file of a commit is revealed; which other files did the commit change?

``python -m codewm_model.evaluation.any_next_file --set test -o DIR``; CODEWM_REPOS names the folder of the clones. The
product's answer is that of Where Next about files (``codewm_lsp.hints.next_files``), here asked of source files, too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from codewm_lsp.hints.change_texts import KnownTexts, changed_texts, consider
from codewm_lsp.history import Repository
from codewm_lsp.ranking.companions import Companions, FilePast
from codewm_lsp.ranking.missing_files import MissingFiles, shipped_missing_files
from codewm_lsp.source.languages import is_source
from codewm_model.evaluation import repositories as places_of
from codewm_model.evaluation.forgotten_files import NEWEST
from codewm_model.evaluation.where_next_protocol import METRICS, first_relevant

COMMITS: Final = 200
PRODUCT: Final = "where next, files"
Scores = NDArray[np.float64]
Found = dict[str, list[tuple[float, float, float]]]


def ranks(repository: Repository, model: MissingFiles, *, commits: int, seed: int) -> Found:
    """(1 / rank of the first relevant file, first?, among three?) of each question, by system; ties at random."""
    past = FilePast(repository.changed_files())
    total = len(past.commits)
    sizes = np.diff(past.start)
    places = [place for place in range(int(total * (1 - NEWEST)), total) if sizes[place] > 1]
    if len(places) > commits:
        places = sorted(random.Random(seed).sample(places, commits))
    found: Found = {}
    texts = KnownTexts(repository)
    for place in places:
        made, names = repository.change_of(past.commits[place].sha), past.names_in(place)
        number = {path: past.number[names[path]] for path in made.files if path in names}
        there = {path for path in number if path not in made.renames and past.exists(number[path], place)}
        drawn = random.Random(f"{seed} {past.commits[place].sha}")
        sources = sorted(path for path in there if is_source(path))
        if not sources or len(there) < 2:
            continue
        revealed = drawn.choice(sources)
        candidates = np.array([file for file in range(len(past.paths)) if past.exists(file, place)], dtype=np.int64)
        candidates = candidates[candidates != number[revealed]]
        relevant = np.isin(candidates, [number[path] for path in there if path != revealed])
        chance = np.random.default_rng([seed, place])
        alone = replace(made, files={revealed: made.files[revealed]}, blobs={revealed: made.blobs[revealed]})
        change, before = changed_texts(repository, alone), f"{past.commits[place].sha}^"
        known = consider(repository, past, alone, texts, change, before, now=place, names=names)
        for system, scores in _scores(past, names[revealed], place, model, known.candidates).items():
            found.setdefault(system, []).append(first_relevant(scores[candidates], relevant, chance))
    return found


def _scores(past: FilePast, revealed: str, now: int, model: MissingFiles, known: Companions) -> dict[str, Scores]:
    """Of each file, by its number; more is likelier."""
    size = len(past.paths)
    own = past.changed_at[past.number[revealed]]
    coupling = np.bincount(past.of(own[own < now])[0], minlength=size).astype(np.float64)
    earlier = past.members[: past.start[now]]
    often = np.bincount(earlier, minlength=size).astype(np.float64)
    last = np.full(size, -1.0)
    last[earlier] = np.arange(len(earlier))  # the last one stays
    product = np.zeros(size)
    product[known.files] = model.chances(known)
    return {
        "random": np.zeros(size),
        "most recently changed": last,
        "most often changed": often,
        "change coupling": coupling,
        PRODUCT: product,
    }


def main(
    chosen: Annotated[str, typer.Option("--set", help="train, validation or test.")] = "validation",
    commits: Annotated[int, typer.Option(min=1, help="Maximum commits of a repository.")] = COMMITS,
    seed: Annotated[int, typer.Option(help="Which commits, and which of their files are revealed.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("evaluation"),
) -> None:
    """Measure on the newest fifth of each history; a mean over repositories."""
    model = shipped_missing_files()
    clones, left_out = places_of.find(places_of.folder_of_clones(), places_of.sets()[chosen], required=False)
    each: dict[str, Found] = {}
    for clone in clones:
        with Repository.open(clone.folder) as repository:
            each[clone.name] = ranks(repository, model, commits=commits, seed=seed)
        typer.echo(f"{clone.name}: {len(each[clone.name].get(PRODUCT, ())):,} questions")
    systems = list(next(iter(each.values())))
    asked = {name: found for name, found in each.items() if found}
    means = {system: np.mean([np.mean(found[system], 0) for found in asked.values()], 0).tolist() for system in systems}
    record: dict[str, Any] = {
        "set": chosen,
        "seed": seed,
        "commits": commits,
        "questions": {name: len(found[PRODUCT]) for name, found in asked.items()},
        "left_out": sorted(left_out),
        "means": {system: dict(zip(METRICS, values, strict=True)) for system, values in means.items()},
        "repositories": {
            name: {system: float(np.mean([one[0] for one in found[system]])) for system in systems}
            for name, found in asked.items()
        },
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "next-files.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (output / "next-files.md").write_text(_report(record), encoding="utf-8")
    typer.echo(f"{output / 'next-files.md'}")


def _report(record: dict[str, Any]) -> str:
    systems = list(record["means"])
    lines = [
        f"# The next file of any kind: the {record['set']} set",
        "",
        f"The newest fifth of each history, up to {record['commits']} commits of each of {len(record['questions'])} "
        f"repositories that change a source file and another ({sum(record['questions'].values()):,} questions, seed "
        f"{record['seed']}): one source file is revealed, and all other files are ranked. A mean over repositories.",
        "",
        f"| | {' | '.join(METRICS)} |",
        f"| --- | {' | '.join('---:' for _ in METRICS)} |",
        *(_row(system, [record["means"][system][metric] for metric in METRICS]) for system in systems),
        "",
        "## MRR by repository",
        "",
        f"| | questions | {' | '.join(systems)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in systems)} |",
        *(
            _row(f"{name} | {record['questions'][name]}", [found[system] for system in systems])
            for name, found in record["repositories"].items()
        ),
        "",
        "Made by `python -m codewm_model.evaluation.any_next_file`; see [Experiments](../../experiments.md).",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, values: Sequence[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"


if __name__ == "__main__":
    typer.run(main)
