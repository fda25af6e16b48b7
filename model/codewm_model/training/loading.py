"""What a run trains on and is evaluated on: from clones, or from a corpus on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from codewm_lsp.world_model.features import CommonWords
from codewm_model.data.batches import Dataset
from codewm_model.data.repository_corpus import RepositoryCorpus, build, common_words, load
from codewm_model.data.shards import Shard, Stream, fits, held_out, one_by_one, read_shards
from codewm_model.settings.config import TrainingConfig
from codewm_model.settings.stages import STAGES
from codewm_model.training.parallel import rank, wait_for_all

HOLD_OUT: Final = 0.1
"""The newest part of every repository's edits, which is evaluated on when no repository is named for that."""

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Material:
    """``data`` to train on (of the first turn, with a ``stream``), ``validation`` repositories, and what to say of it.

    ``trained_on`` names the repositories for the model card.
    """

    data: Dataset
    validation: list[RepositoryCorpus]
    common: CommonWords
    trained_on: list[dict[str, Any]]
    stream: Stream | None = None


def mined(clones: Sequence[Path], folder: Path, training: TrainingConfig, progress: Progress) -> list[RepositoryCorpus]:
    """The corpora of clones, mined by the first of several processes. Raises as ``corpus.build`` does."""

    def build_all() -> list[Path]:
        return [build(clone, folder, edits=training.edits_per_repository, progress=progress) for clone in clones]

    if rank() == 0:
        build_all()
    wait_for_all()
    return [load(path) for path in build_all()]


def of_clones(
    corpora: list[RepositoryCorpus], validation: list[RepositoryCorpus], common: CommonWords | None
) -> Material:
    """Train on whole repositories; ``common``: the words to use, by default those of the corpora."""
    return Material(
        Dataset(corpora, hold_out=0.0 if validation else HOLD_OUT),
        validation,
        common or common_words(corpora),
        [{"name": c.name.replace("+", "/"), "head": c.head, "edits": len(c)} for c in corpora],
    )


def of_corpus(
    folder: Path, training: TrainingConfig, validation: list[RepositoryCorpus], common: CommonWords | None
) -> Material:
    """Train on a corpus on disk, in turns when it does not fit into memory.

    Raises TrainingError when it is none or is damaged, OptionError when the memory does not hold a single shard.
    """
    shards = read_shards(folder)
    trained_on = _trained_on(shards)
    if fits(shards, training):
        folders = dict.fromkeys(shard.folder for shard in shards)
        material = of_clones([load(path) for path in folders], validation, common)
        material.trained_on = trained_on
        return material
    hold_out = 0.0 if validation else HOLD_OUT
    common = common or common_words(one_by_one(shards))
    stream = Stream(shards, training, common, hold_out=hold_out)
    stage = next((name for name in STAGES if getattr(training, f"{name}_steps")), STAGES[0])
    return Material(
        stream.dataset(stage, 0),
        validation or held_out(shards, training, HOLD_OUT),
        common,
        trained_on,
        stream,
    )


def _trained_on(shards: Sequence[Shard]) -> list[dict[str, Any]]:
    edits: dict[tuple[str, str], int] = {}
    for shard in shards:
        key = shard.repository.replace("+", "/"), shard.head
        edits[key] = edits.get(key, 0) + shard.edits
    return [{"name": name, "head": head, "edits": count} for (name, head), count in edits.items()]
