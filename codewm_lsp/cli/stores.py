"""``--store``: filling an index of many repositories, and asking it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codewm_lsp.display import counted
from codewm_lsp.errors import NothingToAnswerError, OptionError

NAMED: Final = 10  # repositories of a store at most; more are counted

if TYPE_CHECKING:
    from argparse import Namespace

    from codewm_lsp.cli.asking import Question
    from codewm_lsp.cli.opened import Opened
    from codewm_lsp.hints import SimilarEdit
    from codewm_lsp.history import Edit
    from codewm_lsp.index import PastEdit


def fill(
    location: str,
    paths: Sequence[Path],
    model_folder: Path | None,
    cache: Path | None,
    *,
    at: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Index repositories into a store, one after the other, and say how many edits each brought."""
    from codewm_lsp.cli.opened import updated
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump
    from codewm_lsp.history import Repository
    from codewm_lsp.index import UpdateOutcome
    from codewm_lsp.stores import open_store, source_to_fill
    from codewm_lsp.stores.places import remember
    from codewm_lsp.world_model import WorldModel

    out, progress = consoles()
    with ExitStack() as stack:
        repositories = [(path, stack.enter_context(Repository.open(path))) for path in paths]
        named: dict[str, Path] = {}
        sources = []
        for path, repository in repositories:
            source = source_to_fill(repository)
            if source.key in named:
                raise OptionError(
                    f"{path} is the same repository as {named[source.key]} (their histories begin with the same "
                    "commit). Name it once."
                )
            named[source.key] = path
            sources.append(source)
        model = WorldModel.load(model_folder)
        store = stack.enter_context(
            closing(open_store(location, model_hash=model.hash, edit_size=model.edit_size, create=True))
        )
        records = []
        for (_, repository), source in zip(repositories, sources, strict=True):
            started = time.monotonic()
            done = updated(
                repository, model, store.shelf(source), repository.head(at), progress, seconds=None, limit=limit
            )
            if done.outcome is UpdateOutcome.BUSY:
                raise NothingToAnswerError(f"Another process is filling the store {location} and will finish it.")
            remember(cache, source.key, repository.root or repository.git_dir)
            seconds = time.monotonic() - started
            records.append(
                {
                    "repository": source.name,
                    "commits": done.done,
                    "of": done.total,
                    "added": done.added,
                    "seconds": round(seconds, 3),
                }
            )
            if not as_json:
                Reporter(out).line(
                    (source.name, "magenta"),
                    f": {_indexed(done.done, done.total, done.added)} ({seconds:.1f} s)",
                )
        size = store.size()
        if as_json:
            sys.stdout.write(dump({"store": location, "edits": size, "repositories": records}) + "\n")
        else:
            names = [source.name for source in store.sources()]
            listed = ", ".join(names) if len(names) <= NAMED else f"{len(names):,} repositories"
            Reporter(out).line(f"{counted(size, 'edit')} in the store, from {listed}")


def fill_side_by_side(options: Namespace) -> None:
    """Index the repositories that are named or listed into a store, many at a time. One that cannot be indexed stops
    no other, and is named at the end."""
    from codewm_lsp.cli.filling import Filled, fill_with, read_slice
    from codewm_lsp.cli.report import Reporter, consoles
    from codewm_lsp.cli.wire import dump
    from codewm_lsp.repository_list import listed
    from codewm_lsp.stores import open_store
    from codewm_lsp.stores.places import remember
    from codewm_lsp.workers import chosen
    from codewm_lsp.world_model import WorldModel

    if options.store is None:
        raise OptionError("--ray needs --store WHERE, the store that all repositories go into.")
    named = [options.repository / path for path in options.paths] or [options.repository]
    address: str | None = options.ray
    if address and (options.repository / address).exists():  # `--ray LIST`, without an address
        named = [options.repository / address, *(named if options.paths else ())]
        address = ""
    once: dict[Path, tuple[str, Path]] = {}
    for path in named:
        for one in listed(path) if path.is_file() else [(str(path), path)]:
            once.setdefault(one[1].absolute(), one)
    repositories = list(once.values())
    out, progress = consoles()
    model = WorldModel.load(options.model, graphs=())
    records: list[dict[str, object]] = []
    failed: list[dict[str, str]] = []
    with (
        closing(open_store(options.store, model_hash=model.hash, edit_size=model.edit_size, create=True)) as store,
        closing(chosen(read_slice, options.processes, address)) as workers,
    ):
        for found in fill_with(store, repositories, workers, at=options.at, limit=options.limit, model=options.model):
            if not isinstance(found, Filled):
                place, message = found
                failed.append({"repository": place, "message": message})
                Reporter(progress).line((place, "magenta"), f": {message}")
                continue
            remember(options.cache, found.source.key, found.path.resolve())
            records.append(
                {
                    "repository": found.source.name,
                    "commits": found.done,
                    "of": found.total,
                    "added": found.added,
                    "seconds": round(found.seconds, 3),
                }
            )
            if not options.json:
                Reporter(out).line(
                    (found.source.name, "magenta"),
                    f": {_indexed(found.done, found.total, found.added)} ({found.seconds:.1f} s)",
                )
        size = store.size()
        if options.json:
            record = {"store": options.store, "edits": size, "repositories": records, "failed": failed}
            sys.stdout.write(dump(record) + "\n")
        else:
            count = len(store.sources())
            Reporter(out).line(
                f"{counted(size, 'edit')} in the store, from {count:,} {'repository' if count == 1 else 'repositories'}"
            )
    if failed:
        raise NothingToAnswerError(
            f"{len(failed):,} of {len(repositories):,} repositories could not be indexed. Run the same command again "
            "to retry."
        )


def similar_in(location: str, opened: Opened, question: Question, k: int) -> list[tuple[SimilarEdit, Edit]]:
    """Past edits of a store, best first, each with the edit in progress that it resembles most; ``k`` 0: all.

    Of the repository at hand, only what counts as past is shown, and never the very definition that is edited.
    """
    from codewm_lsp.cli.opened import QUERIES
    from codewm_lsp.hints import SimilarEdit
    from codewm_lsp.hints.answers import reasons_similar
    from codewm_lsp.stores import is_own, open_store, question_to, source_of

    own = source_of(opened.repository)
    past = frozenset(opened.repository.ancestors(question.history))
    whole = frozenset(opened.repository.ancestors()) if opened.repository.is_shallow else frozenset()
    best: dict[tuple[str, str, str], tuple[SimilarEdit, Edit]] = {}
    model = opened.model
    with closing(open_store(location, model_hash=model.hash, edit_size=model.edit_size, create=False)) as store:
        for edit in question.edits[:QUERIES]:

            def accept(found: PastEdit, edit: Edit = edit) -> bool:
                if not is_own(found, own, whole):
                    return True
                return found.commit.sha in past and (found.path, found.definition) != (edit.path, edit.definition)

            vector = model.embed_edits([(edit.before, edit.after)])[0]
            with question_to(location):
                hits = store.search(edit, vector, k=k, accept=accept)
            for hit in hits:
                name = (hit.edit.commit.sha, hit.edit.path, hit.edit.definition)
                known = best.get(name)
                if known is None or hit.score > known[0].score:
                    best[name] = (SimilarEdit(hit.edit, hit.score, reasons_similar(hit)), edit)
    found = sorted(best.values(), key=lambda pair: (-pair[0].score, -pair[0].edit.commit.date, pair[0].edit.id))
    return found[:k] if k else found


def _indexed(done: int, total: int, added: int) -> str:
    return f"{done:,} of {counted(total, 'commit')} indexed, {counted(added, 'new edit')}"
