"""Local clones → training corpora: the edits of each repository as arrays, in one ``.npz`` file a repository.

No text is kept: words are 64-bit hashes, trees are token ids. A corpus file is made once for a head commit and a
tokeniser version, and found again by its name.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import TrainingError
from codewm_lsp.history import CommitEdits, Repository
from codewm_lsp.source import TOKENISER_VERSION, VOCABULARY_HASH, parse_definitions
from codewm_lsp.world_model.actions import RICH_ACTION_SIZE
from codewm_lsp.world_model.features import (
    FEATURES_VERSION,
    IDENTITIES,
    LEVELS,
    MAX_CHANGED,
    MAX_CONTEXT,
    NUMBERS,
    CommonWords,
    Words,
    edit_features,
    level_of_rank,
    state_words,
    structure_tokens,
)

CORPUS_VERSION: Final = 1
MAX_STATE_WORDS: Final = 160
PLACES_PER_REPOSITORY: Final = 400  # commits of which a whole changed file is kept, for the next-edit predictor
PLACE_SIZE: Final = 40  # definitions kept of such a file


@dataclass(slots=True)
class Ragged:
    """Rows of different lengths in flat arrays: row i is ``[offsets[i], offsets[i + 1])``."""

    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    role: NDArray[np.int8]
    numbers: NDArray[np.float16]
    net: NDArray[np.float16]
    rank: NDArray[np.int32]  # rank among the common words, -1 for a rare one; filled in by ``Corpus.use``


@dataclass(slots=True)
class RepositoryCorpus:
    """The edits of one repository, newest first.

    Per edit: ``commit`` (0 is the newest), ``path`` and ``definition`` (hashes), ``kind``, ``states`` (before, after;
    rows of the structure arrays), ``action`` (N, 15), its changed and its context words. ``places``: for some commits
    the definitions of one changed file as they were before it: (commit, path, definition, state row, changed?, line).
    """

    name: str
    head: str
    commits: list[str]
    commit: NDArray[np.int32]
    path: NDArray[np.int64]
    definition: NDArray[np.int64]
    states: NDArray[np.int32]
    action: NDArray[np.float32]
    changed: Ragged
    context: Ragged
    structure_offsets: NDArray[np.int64]
    structure_ids: NDArray[np.uint16]
    structure_depths: NDArray[np.uint8]
    place: NDArray[np.int64]
    place_words: Ragged

    def __len__(self) -> int:
        return len(self.commit)

    @property
    def states_count(self) -> int:
        """How many different definition texts there are."""
        return len(self.structure_offsets) - 1


class _RaggedBuilder:
    def __init__(self) -> None:
        self.offsets = [0]
        self.hashes: list[NDArray[Any]] = []
        self.role: list[NDArray[Any]] = []
        self.numbers: list[NDArray[Any]] = []
        self.net: list[NDArray[Any]] = []

    def add(self, words: Words) -> None:
        self.offsets.append(self.offsets[-1] + len(words.keys))
        self.hashes.append(words.hashes)
        self.role.append(words.role.astype(np.int8))
        self.numbers.append(words.numbers.astype(np.float16))
        self.net.append(words.net.astype(np.float16))

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        return {
            f"{prefix}_offsets": np.array(self.offsets, np.int64),
            f"{prefix}_hashes": np.concatenate([*self.hashes, np.zeros(0, np.uint64)]),
            f"{prefix}_role": np.concatenate([*self.role, np.zeros(0, np.int8)]),
            f"{prefix}_numbers": np.concatenate([*self.numbers, np.zeros((0, NUMBERS), np.float16)]),
            f"{prefix}_net": np.concatenate([*self.net, np.zeros(0, np.float16)]),
        }


def corpus_file(folder: Path, name: str, head: str, edits: int) -> Path:
    """Where the corpus of a repository at a head commit lies below ``folder``."""
    stamp = f"{head}|{edits}|{CORPUS_VERSION}|{FEATURES_VERSION}|{TOKENISER_VERSION}|{VOCABULARY_HASH}"
    return folder / f"{name.replace('/', '+')}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}.npz"


def repository_name(repository: Repository) -> str:
    """``owner+name`` when the clone lies in a folder of that name, else the folder's own name."""
    base = repository.root or repository.git_dir
    for part in (base, *base.parents[:2]):
        if "+" in part.name:
            return part.name
    return base.name


def build(
    source: Path,
    folder: Path,
    *,
    edits: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Mine a local clone into a corpus file below ``folder`` (made when missing) and return its path.

    Raises TrainingError when the clone holds no edit of a Python definition, RepositoryError when it is none.
    """
    with Repository.open(source) as repository:
        name, head = repository_name(repository), repository.head()
        target = corpus_file(folder, name, head, edits)
        if target.exists() and zipfile.is_zipfile(target):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        arrays = _mine(repository, name, edits, progress)
        if not len(arrays["commit"]):
            raise TrainingError(f"{source}: no edit of a Python definition in its history; nothing to train on")
        arrays["about"] = np.frombuffer(json.dumps({"name": name, "head": head}).encode(), np.uint8)
        partial = target.with_suffix(".partial.npz")
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
        partial.replace(target)
        return target


def _mine(
    repository: Repository, name: str, most: int, progress: Callable[[str, int, int], None] | None
) -> dict[str, NDArray[Any]]:
    states: dict[str, int] = {}
    offsets, ids, depths = [0], [], []
    changed, context, place_words = _RaggedBuilder(), _RaggedBuilder(), _RaggedBuilder()
    commits: list[str] = []
    rows: list[tuple[int, int, int, int, int]] = []
    actions: list[NDArray[np.float32]] = []
    places: list[tuple[int, int, int, int, int, int]] = []
    with_place = 0

    def state(text: str) -> int:
        row = states.get(text)
        if row is None:
            row = states[text] = len(states)
            tokens, levels = structure_tokens(text)
            ids.append(tokens.astype(np.uint16))
            depths.append(levels.astype(np.uint8))
            offsets.append(offsets[-1] + len(tokens))
        return row

    for item in repository.commits():
        number = len(commits)
        before = len(rows)
        for edit in item.edits:
            features = edit_features(edit.before, edit.after, {}, most_changed=256, most_context=192)
            if features.empty:
                continue
            changed.add(features.changed)
            context.add(features.context)
            actions.append(features.action)
            rows.append((number, stable(edit.path), stable(edit.definition), state(edit.before), state(edit.after)))
        if len(rows) == before:
            continue
        commits.append(item.commit.sha)
        if 2 <= len(rows) - before <= 20 and with_place < PLACES_PER_REPOSITORY:
            found = _place(repository, item)
            with_place += bool(found)
            for path, definition, line, text, touched in found:
                places.append((number, stable(path), stable(definition), state(text), touched, line))
                place_words.add(state_words(text, {}, most=MAX_STATE_WORDS))
        if progress:
            progress(name, min(len(rows), most), most)
        if len(rows) >= most:
            break
    table = np.array(rows, np.int64).reshape(len(rows), 5)
    return {
        "commits": np.array(commits, dtype="U40") if commits else np.zeros(0, "U40"),
        "commit": table[:, 0].astype(np.int32),
        "path": table[:, 1],
        "definition": table[:, 2],
        "states": table[:, 3:].astype(np.int32),
        "action": np.array(actions, np.float32).reshape(len(rows), RICH_ACTION_SIZE),
        "structure_offsets": np.array(offsets, np.int64),
        "structure_ids": np.concatenate([*ids, np.zeros(0, np.uint16)]),
        "structure_depths": np.concatenate([*depths, np.zeros(0, np.uint8)]),
        "place": np.array(places, np.int64).reshape(len(places), 6),
        **changed.arrays("changed"),
        **context.arrays("context"),
        **place_words.arrays("place_words"),
    }


def _place(repository: Repository, item: CommitEdits) -> list[tuple[str, str, int, str, int]]:
    """The file in which a commit changed most, as it was before: (path, definition, line, text, changed?) each."""
    if item.commit.parent is None:
        return []
    by_path: dict[str, set[str]] = {}
    for edit in item.edits:
        if edit.before and edit.previous_path is None:
            by_path.setdefault(edit.path, set()).add(edit.definition)
    candidates = [path for path, names in by_path.items() if names]
    if not candidates:
        return []
    path = max(candidates, key=lambda p: len(by_path[p]))
    blob = repository.files(item.commit.parent).get(path)
    text = repository.read(blob) if blob else None
    if not text:
        return []
    definitions = parse_definitions(text)
    touched = by_path[path]
    if len(definitions) < 4:
        return []
    if len(definitions) > PLACE_SIZE:
        keep = [d for d in definitions if d.name in touched]
        others = [d for d in definitions if d.name not in touched]
        step = max(1, len(others) // max(1, PLACE_SIZE - len(keep)))
        definitions = tuple(sorted(keep + others[::step], key=lambda d: d.line))
    return [(path, d.name, d.line, d.source, int(d.name in touched)) for d in definitions]


def stable(text: str) -> int:
    """A 63-bit hash, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def load(file: Path) -> RepositoryCorpus:
    """Read a corpus file. Raises TrainingError when it is none."""
    try:
        with np.load(file, allow_pickle=False) as data:
            about = json.loads(bytes(data["about"]))
            arrays = {key: data[key] for key in data.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{file} is no corpus file ({error}): delete it, it will be made again") from error

    def ragged(prefix: str) -> Ragged:
        hashes = arrays[f"{prefix}_hashes"]
        return Ragged(
            arrays[f"{prefix}_offsets"],
            hashes,
            arrays[f"{prefix}_role"],
            arrays[f"{prefix}_numbers"],
            arrays[f"{prefix}_net"],
            np.full(len(hashes), -1, np.int32),
        )

    return RepositoryCorpus(
        name=about["name"],
        head=about["head"],
        commits=arrays["commits"].tolist(),
        commit=arrays["commit"],
        path=arrays["path"],
        definition=arrays["definition"],
        states=arrays["states"],
        action=arrays["action"],
        changed=ragged("changed"),
        context=ragged("context"),
        structure_offsets=arrays["structure_offsets"],
        structure_ids=arrays["structure_ids"],
        structure_depths=arrays["structure_depths"],
        place=arrays["place"],
        place_words=ragged("place_words"),
    )


def common_words(corpora: Sequence[RepositoryCorpus], *, most: int = 3584) -> CommonWords:
    """The words most repositories share: in at least five edits of at least a third of them, by how many."""
    repositories: dict[int, int] = {}
    edits: dict[int, int] = {}
    for corpus in corpora:
        low = (corpus.changed.hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        values, counts = np.unique(low, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            if count >= 5:
                repositories[value] = repositories.get(value, 0) + 1
                edits[value] = edits.get(value, 0) + min(count, 500)
    need = max(2, len(corpora) // 3)
    ranked = sorted(
        (value for value, count in repositories.items() if count >= need),
        key=lambda value: (-repositories[value], -edits[value], value),
    )
    return CommonWords(np.array(ranked[:most], np.uint32))


def use(corpora: Iterable[RepositoryCorpus], common: CommonWords) -> None:
    """Fill in the rank of every word."""
    order = np.argsort(common.hashes)
    table = common.hashes[order]
    for corpus in corpora:
        for ragged in (corpus.changed, corpus.context, corpus.place_words):
            low = (ragged.hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
            position = np.searchsorted(table, low)
            position[position == len(table)] = 0
            found = (table[position] == low) if len(table) else np.zeros(len(low), bool)
            ragged.rank = np.where(found, order[position] if len(table) else 0, -1).astype(np.int32)


@dataclass(slots=True)
class PaddedWords:
    """Words of a batch, padded: everything (B, T), ``numbers`` (B, T, NUMBERS)."""

    hashes: NDArray[np.uint64]
    identity: NDArray[np.int64]
    level: NDArray[np.int64]
    role: NDArray[np.int64]
    numbers: NDArray[np.float32]
    net: NDArray[np.float32]
    mask: NDArray[np.bool_]


_LEVEL_TABLE: Final = np.array([level_of_rank(rank) for rank in range(-1, 65_536)], np.int64)


def padded(ragged: Ragged, rows: NDArray[np.int64], most: int) -> PaddedWords:
    """The words of some rows as arrays, the rarest ``most`` of a row when it has more."""
    starts, ends = ragged.offsets[rows], ragged.offsets[rows + 1]
    lengths = ends - starts
    width = int(min(max(int(lengths.max(initial=1)), 1), most))
    index = np.zeros((len(rows), width), np.int64)
    mask = np.zeros((len(rows), width), bool)
    for i, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        if length <= width:
            index[i, :length] = np.arange(start, start + length)
            mask[i, :length] = True
        else:
            rank = ragged.rank[start : start + length]
            order = np.argsort(np.where(rank < 0, -(1 << 30), -rank), kind="stable")[:width]
            index[i] = start + np.sort(order)
            mask[i] = True
    if not len(ragged.hashes):
        empty = np.zeros((len(rows), width), np.int64)
        return PaddedWords(
            empty.astype(np.uint64), empty, empty, empty,
            np.zeros((len(rows), width, NUMBERS), np.float32), np.zeros((len(rows), width), np.float32), mask,
        )  # fmt: skip
    rank = np.where(mask, ragged.rank[index], -1)
    return PaddedWords(
        hashes=ragged.hashes[index],
        identity=np.where((rank >= 0) & (rank < IDENTITIES), rank + 1, 0).astype(np.int64),
        level=_LEVEL_TABLE[rank + 1],
        role=ragged.role[index].astype(np.int64),
        numbers=ragged.numbers[index].astype(np.float32),
        net=ragged.net[index].astype(np.float32) * mask,
        mask=mask,
    )


__all__ = [
    "LEVELS",
    "MAX_CHANGED",
    "MAX_CONTEXT",
    "PaddedWords",
    "Ragged",
    "RepositoryCorpus",
    "build",
    "common_words",
    "load",
    "padded",
    "use",
]
