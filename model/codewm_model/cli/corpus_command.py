"""``codewm-train corpus``: training data that is made once and trained from often."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from codewm_lsp.errors import OptionError, TrainingError
from codewm_model.cli.failures import failures_in_words

app = typer.Typer(
    help="Build corpora to train from: Parquet files with the edits of repositories.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """A group even while it has one command."""


@app.command(epilog="Example: codewm-train corpus build ~/src/* --output corpus")
def build(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the corpus; repositories are added to one that exists.")
    ],
    repositories: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Local clones; with --processes or --ray also files that list them, one per line.", metavar="REPO..."
        ),
    ] = None,
    commits: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines as CommitPack has them, one changed file of a commit a line; may be repeated.",
        ),
    ] = None,
    edits: Annotated[int, typer.Option(min=0, help="Maximum edits per repository, newest first (0 = all).")] = 4_000,
    shard_edits: Annotated[
        int, typer.Option(min=1, help="Edits per shard, the smallest part that training reads at once.")
    ] = 4_000,
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Mine N clones at a time, a process each.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Mine on all cores of a Ray cluster (local: Ray on this machine)."),
    ] = None,
) -> None:
    """Mine local clones into shards that `codewm-train --corpus DIR` trains from, however many they are."""
    from codewm_lsp.output_folder import claim
    from codewm_lsp.repository_list import listed
    from codewm_lsp.workers import chosen
    from codewm_model.cli.train_progress import Progress
    from codewm_model.data.shards import MANIFEST, add_commits, build_corpus, build_corpus_with, mine, read_shards

    with failures_in_words():
        if not repositories and not commits:
            raise OptionError("Nothing to build of. Name local clones, or a file of commits with --commits FILE.")
        claim(output, "codewm-train corpus", unmarked=(MANIFEST,))
        clones = repositories or []
        failed: list[tuple[Path, str]] = []
        with Progress() as progress:
            if processes is None and ray is None:
                build_corpus(clones, output, edits=edits, part_edits=shard_edits, progress=progress.mining)
            else:
                clones = [
                    clone for one in clones for clone in ([path for _, path in listed(one)] if one.is_file() else [one])
                ]
                with closing(chosen(mine, processes, ray)) as workers:
                    failed = build_corpus_with(
                        workers, clones, output, edits=edits, part_edits=shard_edits, progress=progress.repositories
                    )
            add_commits(commits or [], output, edits=edits, part_edits=shard_edits)
        for clone, message in failed:
            typer.echo(f"{clone}: {message}", err=True)
        shards = read_shards(output)
        names = {shard.repository for shard in shards}
        typer.echo(
            f"{output}: {sum(shard.edits for shard in shards):,} edits of {len(names)} "
            f"{'repository' if len(names) == 1 else 'repositories'} in {len(shards)} shards; "
            f"{sum(shard.bytes for shard in shards) / (1 << 20):,.0f} MB in memory while training"
        )
        if failed:
            raise TrainingError(
                f"{len(failed):,} of {len(clones):,} clones could not be mined. Run the same command again to go on "
                "with them."
            )
