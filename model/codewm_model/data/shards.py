"""A corpus of many repositories on disk, and training from more of it than memory holds.

The folder holds a folder for each repository (``repository_corpus``) and ``manifest.json``, which says what the
corpus was made with and of which repositories at which commits. A shard is a part of a repository. Where all shards do
not fit into ``training.resident_mb``, training takes turns: each turn of ``training.turn_steps`` steps has other
shards, drawn by the seed so that every one is used once before any is used again. A turn is a function of seed, stage
and step: a resumed run goes on with the same shards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from codewm_lsp.errors import OptionError, TrainingError
from codewm_lsp.workers import Failure, Workers
from codewm_lsp.world_model.embedding import EDIT_SIZE
from codewm_lsp.world_model.features import LEXICAL, CommonWords
from codewm_model.data.batches import Dataset
from codewm_model.data.commit_file import build_from_commits
from codewm_model.data.repository_corpus import (
    MOST_BYTES,
    RepositoryCorpus,
    about,
    build,
    load_part,
    newest_edits,
    use,
    versions,
)
from codewm_model.settings.bounded_files import read_json
from codewm_model.settings.config import TrainingConfig, check_format
from codewm_model.settings.stages import STAGES

MANIFEST: Final = "manifest.json"
MEGABYTE: Final = 1 << 20
_STATE_BYTES: Final = 2 * 128 * 4  # a state and its target, which training keeps
_EDIT_BYTES: Final = 2 * (EDIT_SIZE + LEXICAL)  # the embedding and the words before, of the last stage
_VALIDATION: Final = 0.25  # of the budget, at most, for the edits that are held out

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a repository, as the manifest describes it; ``bytes``: in memory, with what training keeps of it."""

    folder: Path
    number: int
    repository: str
    head: str
    first: int
    edits: int
    total: int
    siblings_from: int
    bytes: int

    @property
    def name(self) -> str:
        """For people and for logs."""
        return f"{self.repository}#{self.number}"

    def trainable(self, hold_out: float) -> bool:
        """Whether there are siblings in it when the newest part of the repository is held out."""
        return self.siblings_from >= 0 and self.first + self.siblings_from >= int(hold_out * self.total)

    def load(self) -> RepositoryCorpus:
        """Read it. Raises TrainingError when it is damaged."""
        return load_part(self.folder, self.number, about(self.folder))


@dataclass(frozen=True, slots=True)
class Mining:
    """What a worker is asked to mine into a folder."""

    clone: Path
    folder: Path
    edits: int
    part_edits: int


def mine(asked: Mining) -> str:
    """The work of a worker: the name of the folder that was made."""
    return build(asked.clone, asked.folder, edits=asked.edits, part_edits=asked.part_edits).name


def build_corpus(clones: Sequence[Path], folder: Path, *, edits: int, part_edits: int, progress: Progress) -> None:
    """Mine clones into ``folder`` and list them in its manifest, after those that it lists already.

    A repository that has moved on since replaces what the manifest said of it. Raises as ``corpus.build`` does.
    """
    listed = _listed(folder)
    for clone in clones:
        target = build(clone, folder, edits=edits, part_edits=part_edits, progress=progress)
        _list(folder, target.name, listed)


def build_corpus_with(
    workers: Workers, clones: Sequence[Path], folder: Path, *, edits: int, part_edits: int, progress: Progress
) -> list[tuple[Path, str]]:
    """The same by workers, who see ``folder`` at the same place. One clone that cannot be mined stops no other.

    Returns those that could not be, and why not.
    """
    listed = _listed(folder)
    waiting = list(reversed(clones))
    under_way = 0
    failed: list[tuple[Path, str]] = []
    while waiting or under_way:
        while waiting and under_way < workers.capacity():
            clone = waiting.pop().resolve()
            workers.start(str(clone), Mining(clone, folder.resolve(), edits, part_edits))
            under_way += 1
        name, found = workers.finished()
        under_way -= 1
        if isinstance(found, Failure):
            failed.append((Path(name), found.message))
        else:
            _list(folder, found, listed)
        progress("repositories", len(clones) - len(waiting) - under_way, len(clones))
    return failed


def add_commits(files: Sequence[Path], folder: Path, *, edits: int, part_edits: int) -> None:
    """Read files of commits into ``folder`` and list them in its manifest. Raises as ``build_from_commits`` does."""
    listed = _listed(folder)
    for file in files:
        target = build_from_commits(file, folder, edits=edits, part_edits=part_edits)
        _list(folder, target.name, listed)


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    if not (folder / MANIFEST).exists():
        return {}
    return {str(entry["name"]): entry for entry in _manifest(folder)["repositories"]}


def _list(folder: Path, name: str, listed: dict[str, dict[str, Any]]) -> None:
    found = about(folder / name)
    listed[found["name"]] = {
        "name": found["name"],
        "head": found["head"],
        "folder": name,
        "edits": sum(part["edits"] for part in found["parts"]),
        "parts": len(found["parts"]),
    }
    written = {"format": 1, **versions(), "repositories": list(listed.values())}
    partial = folder / (MANIFEST + ".partial")
    partial.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / MANIFEST)


def read_shards(folder: Path) -> list[Shard]:
    """All shards of a corpus, those of a repository one after another. Raises TrainingError when it is none."""
    found = []
    for entry in _manifest(folder)["repositories"]:
        inside = folder / Path(entry["folder"]).name
        known = about(inside)
        total = sum(part["edits"] for part in known["parts"])
        for number, part in enumerate(known["parts"]):
            size = part["bytes"] + part["states"] * _STATE_BYTES + part["edits"] * _EDIT_BYTES
            found.append(
                Shard(
                    inside,
                    number,
                    known["name"],
                    known["head"],
                    part["first"],
                    part["edits"],
                    total,
                    part["siblings_from"],
                    size,
                )
            )
    return found


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        found = read_json(file, MOST_BYTES)
        check_format(found, str(file))
        [Path(entry["folder"]).name for entry in found["repositories"]]
    except FileNotFoundError:
        raise TrainingError(
            f"{folder} is not a corpus ({MANIFEST} is missing). Make one with codewm-train corpus build REPO... "
            f"--output {folder}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is damaged ({error!r}): build the corpus again") from error
    for name, value in versions().items():
        if found.get(name) != value:
            raise TrainingError(
                f"{folder} was made with {name.replace('_', ' ')} {found.get(name)}, this CodeWM has {value}: "
                f"build the corpus again"
            )
    return found


class Stream:
    """Shards in turns: at any time no more of them in memory than ``training.resident_mb`` allows.

    ``common`` gives the words their ranks. ``resident`` are the shards in memory, by name.
    """

    def __init__(
        self, shards: Sequence[Shard], training: TrainingConfig, common: CommonWords, *, hold_out: float
    ) -> None:
        self.shards = [shard for shard in shards if shard.trainable(hold_out)]
        self.training, self.common, self.hold_out = training, common, hold_out
        self.budget = training.resident_mb * MEGABYTE
        self.resident: dict[str, RepositoryCorpus] = {}
        if not self.shards:
            raise TrainingError(
                "no shard has a commit that changes 2 to 20 definitions: there is nothing to learn from"
            )
        largest = max(self.shards, key=lambda shard: shard.bytes)
        if largest.bytes > self.budget:
            raise OptionError(
                f"training.resident_mb is {training.resident_mb}, and shard {largest.name} alone takes "
                f"{-(-largest.bytes // MEGABYTE)}: raise it, or build the corpus with a lower --shard-edits"
            )

    def turn(self, step: int) -> int:
        """The turn that a step belongs to."""
        return step // self.training.turn_steps

    def shards_of(self, stage: str, turn: int) -> list[Shard]:
        """The shards of a turn."""
        for number, chosen in enumerate(self._turns(stage)):
            if number == turn:
                return chosen
        raise AssertionError("turns go on for ever")

    def _turns(self, stage: str) -> Iterator[list[Shard]]:
        epoch = 0
        while True:
            random = np.random.default_rng([self.training.seed, STAGES.index(stage), 1_000_003, epoch])
            chosen: list[Shard] = []
            for index in random.permutation(len(self.shards)):
                shard = self.shards[int(index)]
                if chosen and sum(other.bytes for other in chosen) + shard.bytes > self.budget:
                    yield chosen
                    chosen = []
                chosen.append(shard)
            yield chosen
            epoch += 1

    def dataset(self, stage: str, turn: int) -> Dataset:
        """The edits of a turn. What the turn before had, and this one has not, is let go of first."""
        wanted = sorted(self.shards_of(stage, turn), key=lambda shard: (shard.repository, shard.number))
        names = {shard.name for shard in wanted}
        for name in [name for name in self.resident if name not in names]:
            del self.resident[name]
        for shard in wanted:
            if shard.name not in self.resident:
                corpus = shard.load()
                use([corpus], self.common)
                self.resident[shard.name] = corpus
        return Dataset([self.resident[shard.name] for shard in wanted], hold_out=self.hold_out)


def fits(shards: Sequence[Shard], training: TrainingConfig) -> bool:
    """Whether a whole corpus may be in memory at once."""
    return not training.resident_mb or sum(shard.bytes for shard in shards) <= training.resident_mb * MEGABYTE


def one_by_one(shards: Sequence[Shard]) -> Iterator[RepositoryCorpus]:
    """All shards in their order, one in memory at a time."""
    for shard in shards:
        yield shard.load()


def held_out(shards: Sequence[Shard], training: TrainingConfig, share: float) -> list[RepositoryCorpus]:
    """The newest ``share`` of the edits of repositories, drawn by the seed, as far as a quarter of the budget goes."""
    newest = [shard for shard in shards if shard.first == 0 and int(share * shard.total) >= 1]
    found: list[RepositoryCorpus] = []
    budget = _VALIDATION * training.resident_mb * MEGABYTE
    for index in np.random.default_rng([training.seed, 1_000_033]).permutation(len(newest)):
        shard = newest[int(index)]
        edits = min(int(share * shard.total), shard.edits)
        size = shard.bytes * edits / shard.edits
        if found and size > budget:
            break
        budget -= size
        found.append(newest_edits(shard.load(), edits))
    return found
