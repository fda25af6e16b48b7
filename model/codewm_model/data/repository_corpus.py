"""Local clones → training corpora: the edits of each repository as arrays, in a folder of Parquet files a repository.

No text is kept: words are 64-bit hashes, trees are token ids. The folder of a repository is made once for a head commit
and a tokeniser version, and found again by its name. It holds one part, or several of consecutive edits, each of which
can be loaded alone: ``codewm_model.data.shards`` trains from more parts than memory holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from codewm_model.data.parquet import read_part, write_part
from codewm_model.settings.bounded_files import check_file, read_json

CORPUS_VERSION: Final = 2
ABOUT: Final = "repository.json"
MOST_BYTES: Final = 1 << 26  # of a JSON file of a corpus
_MOST_NPZ: Final = 1 << 32
_COUNTS: Final = ("first", "edits", "states", "siblings_from", "bytes")
PART_EDITS: Final = 4_000  # a part takes some 25 MB of memory
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
    first: int = 0  # newer edits of the repository, which another part holds
    total: int = 0  # edits of the whole repository
    state_hashes: NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        self.total = self.total or len(self)

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


def versions() -> dict[str, Any]:
    """What a corpus depends on: one made with other versions cannot be used."""
    return {
        "corpus_version": CORPUS_VERSION,
        "features_version": FEATURES_VERSION,
        "tokeniser_version": TOKENISER_VERSION,
        "vocabulary_hash": VOCABULARY_HASH,
    }


def corpus_folder(folder: Path, name: str, head: str, edits: int, part_edits: int) -> Path:
    """Where the corpus of a repository at a head commit lies below ``folder``."""
    stamp = f"{head}|{edits}|{part_edits}|" + "|".join(map(str, versions().values()))
    return folder / f"{name.replace('/', '+')}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"


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
    part_edits: int = PART_EDITS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Mine a local clone into a folder of its own below ``folder`` (made when missing) and return its path.

    ``edits``: at most so many, the newest (0: all), in parts of about ``part_edits``. Raises TrainingError when there
    is nothing to learn from in the clone's history, RepositoryError when it is no clone.
    """
    with Repository.open(source) as repository:
        name, head = repository_name(repository), repository.head()
        target = corpus_folder(folder, name, head, edits, part_edits)
        if not (target / ABOUT).exists():
            write_corpus(target, name, head, _mine(repository, name, edits, part_edits, progress), str(source))
        return target


def write_corpus(target: Path, name: str, head: str, mined: Iterator[dict[str, NDArray[Any]]], source: str) -> None:
    """Write the parts of a repository's corpus to ``target``, whole or not at all.

    Raises TrainingError when there is nothing to learn from in ``source``.
    """
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")  # another process may mine the same
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    parts: list[dict[str, int]] = []
    commits = 0
    try:
        for arrays in mined:
            write_part(partial, len(parts), arrays)
            parts.append(_statistics(arrays, sum(part["edits"] for part in parts)))
            commits += len(arrays["commits"])
        if not parts:
            raise TrainingError(f"{source}: no edit of a Python definition in its history; nothing to train on")
        if commits < 2:
            raise TrainingError(
                f"{source}: only one commit of its history changes Python definitions, and it takes several to "
                f"learn from; if the clone is shallow, run git fetch --unshallow in it"
            )
        written = {"name": name, "head": head, **versions(), "parts": parts}
        (partial / ABOUT).write_text(json.dumps(written, indent=1), encoding="utf-8")
        if not (target / ABOUT).exists():
            shutil.rmtree(target, ignore_errors=True)
            os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _statistics(arrays: Mapping[str, NDArray[Any]], first: int) -> dict[str, int]:
    """What is to be known of a part before it is loaded.

    ``first``: newer edits, in other parts. ``siblings_from``: the newest edit of the oldest commit with siblings, or -1
    where there is none. ``bytes``: in memory, without what training computes of it.
    """
    sizes = np.bincount(arrays["commit"], minlength=len(arrays["commits"]))
    ranks = sum(len(arrays[f"{words}_hashes"]) for words in ("changed", "context", "place_words"))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])[(sizes >= 2) & (sizes <= 20)]
    return {
        "first": first,
        "edits": len(arrays["commit"]),
        "commits": len(arrays["commits"]),
        "states": len(arrays["state_hashes"]),
        "siblings_from": int(starts.max()) if len(starts) else -1,
        "bytes": sum(array.nbytes for array in arrays.values()) + 4 * ranks,
    }


class _CorpusPart:
    """The edits of consecutive commits, as they are read."""

    def __init__(self) -> None:
        self.states: dict[str, int] = {}
        self.offsets = [0]
        self.ids: list[NDArray[np.uint16]] = []
        self.depths: list[NDArray[np.uint8]] = []
        self.changed, self.context, self.place_words = _RaggedBuilder(), _RaggedBuilder(), _RaggedBuilder()
        self.commits: list[str] = []
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.actions: list[NDArray[np.float32]] = []
        self.places: list[tuple[int, int, int, int, int, int]] = []

    def state(self, text: str) -> int:
        row = self.states.get(text)
        if row is None:
            row = self.states[text] = len(self.states)
            tokens, levels = structure_tokens(text)
            self.ids.append(tokens.astype(np.uint16))
            self.depths.append(levels.astype(np.uint8))
            self.offsets.append(self.offsets[-1] + len(tokens))
        return row

    def add(self, item: CommitEdits) -> int:
        """Take in the edits of a commit that change something; how many there are."""
        number, before = len(self.commits), len(self.rows)
        for edit in item.edits:
            features = edit_features(edit.before, edit.after, {}, most_changed=256, most_context=192)
            if features.empty:
                continue
            self.changed.add(features.changed)
            self.context.add(features.context)
            self.actions.append(features.action)
            states = self.state(edit.before), self.state(edit.after)
            self.rows.append((number, stable(edit.path), stable(edit.definition), *states))
        if len(self.rows) > before:
            self.commits.append(item.commit.sha)
        return len(self.rows) - before

    def add_place(self, path: str, definition: str, line: int, text: str, touched: int) -> None:
        """Take in a definition of a file that the last commit changed."""
        number = len(self.commits) - 1
        self.places.append((number, stable(path), stable(definition), self.state(text), touched, line))
        self.place_words.add(state_words(text, {}, most=MAX_STATE_WORDS))

    def arrays(self) -> dict[str, NDArray[Any]]:
        table = np.array(self.rows, np.int64).reshape(len(self.rows), 5)
        return {
            "commits": np.array(self.commits, dtype="U40") if self.commits else np.zeros(0, "U40"),
            "commit": table[:, 0].astype(np.int32),
            "path": table[:, 1],
            "definition": table[:, 2],
            "states": table[:, 3:].astype(np.int32),
            "action": np.array(self.actions, np.float32).reshape(len(self.rows), RICH_ACTION_SIZE),
            "state_hashes": np.array([stable(text) for text in self.states], np.int64),
            "structure_offsets": np.array(self.offsets, np.int64),
            "structure_ids": np.concatenate([*self.ids, np.zeros(0, np.uint16)]),
            "structure_depths": np.concatenate([*self.depths, np.zeros(0, np.uint8)]),
            "place": np.array(self.places, np.int64).reshape(len(self.places), 6),
            **self.changed.arrays("changed"),
            **self.context.arrays("context"),
            **self.place_words.arrays("place_words"),
        }


def parts_of(commits: Iterable[CommitEdits], part_edits: int) -> Iterator[dict[str, NDArray[Any]]]:
    """The parts of a corpus of these commits, the newest first; without places, as whole files are not known."""
    part = _CorpusPart()
    for item in commits:
        part.add(item)
        if len(part.rows) >= part_edits:
            yield part.arrays()
            part = _CorpusPart()
    if part.rows:
        yield part.arrays()


def _mine(
    repository: Repository,
    name: str,
    most: int,
    part_edits: int,
    progress: Callable[[str, int, int], None] | None,
) -> Iterator[dict[str, NDArray[Any]]]:
    part = _CorpusPart()
    found = with_place = 0
    for item in repository.commits():
        count = part.add(item)
        if not count:
            continue
        found += count
        if 2 <= count <= 20 and with_place < PLACES_PER_REPOSITORY:
            place = _place(repository, item)
            with_place += bool(place)
            for definition in place:
                part.add_place(*definition)
        if progress:
            progress(name, min(found, most or found), most or found)
        if most and found >= most:
            break
        if len(part.rows) >= part_edits:
            yield part.arrays()
            part = _CorpusPart()
    if part.rows:
        yield part.arrays()


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


def about(folder: Path) -> dict[str, Any]:
    """What ``repository.json`` of a repository's corpus says.

    Raises TrainingError when it is damaged or was made with another version of the tokeniser.
    """
    file = folder / ABOUT
    try:
        found = read_json(file, MOST_BYTES)
        made_with = {name: found[name] for name in versions()}
        if not isinstance(found["name"], str) or not isinstance(found["head"], str):
            raise ValueError("it lacks the repository or its head")
        if any(type(part[name]) is not int for part in found["parts"] for name in _COUNTS):
            raise ValueError("a part has no sizes")
    except FileNotFoundError:
        raise TrainingError(
            f"{folder} is not the corpus of a repository ({ABOUT} is missing): build it again"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is damaged ({error!r}): delete {folder} and build the corpus again") from error
    for name, value in versions().items():
        if made_with[name] != value:
            raise TrainingError(
                f"{folder} was made with {name.replace('_', ' ')} {made_with[name]}, this CodeWM has {value}: "
                f"build the corpus again"
            )
    return found


def load(path: Path) -> RepositoryCorpus:
    """Read the corpus of a repository, all its parts joined. Raises TrainingError when it is none.

    Files ``*.npz`` of earlier versions of CodeWM are read as well.
    """
    if path.suffix == ".npz":
        return _load_npz(path)
    known = about(path)
    return joined([load_part(path, number, known) for number in range(len(known["parts"]))])


def load_part(folder: Path, number: int, known: Mapping[str, Any]) -> RepositoryCorpus:
    """Read one part of a repository; ``known`` is what ``about`` says of it. Raises TrainingError."""
    parts = known["parts"]
    corpus = _corpus(known["name"], known["head"], read_part(folder, number))
    corpus.first, corpus.total = parts[number]["first"], sum(part["edits"] for part in parts)
    return corpus


def _corpus(name: str, head: str, arrays: Mapping[str, NDArray[Any]]) -> RepositoryCorpus:
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
        name=name,
        head=head,
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
        state_hashes=arrays.get("state_hashes", np.zeros(0, np.int64)),
    )


def _load_npz(file: Path) -> RepositoryCorpus:
    try:
        check_file(file, _MOST_NPZ)
        with np.load(file, allow_pickle=False) as data:
            named = json.loads(bytes(data["about"]))
            return _corpus(named["name"], named["head"], {key: data[key] for key in data.files})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{file} is not a corpus file ({error}). Delete it, and it is made again") from error


def joined(parts: list[RepositoryCorpus]) -> RepositoryCorpus:
    """Consecutive parts of a repository as one, just as if it had been mined into one part."""
    if len(parts) == 1:
        return parts[0]
    rows: dict[int, int] = {}  # hash of a state → its row
    new_row: list[NDArray[np.int64]] = []  # of every state of every part
    kept: list[NDArray[np.int64]] = []  # local rows of the states that no part before has
    for part in parts:
        before = len(rows)
        new_row.append(np.array([rows.setdefault(key, len(rows)) for key in part.state_hashes.tolist()], np.int64))
        values, local = np.unique(new_row[-1], return_index=True)
        kept.append(local[values >= before])
    commits = np.concatenate([[0], np.cumsum([len(part.commits) for part in parts])])
    places = [part.place.copy() for part in parts]
    for number, place in enumerate(places):
        place[:, 0] += commits[number]
        place[:, 3] = new_row[number][place[:, 3]]
    spans = [_spans(part.structure_offsets, some) for part, some in zip(parts, kept, strict=True)]
    lengths = [np.diff(part.structure_offsets)[some] for part, some in zip(parts, kept, strict=True)]
    return RepositoryCorpus(
        name=parts[0].name,
        head=parts[0].head,
        commits=[sha for part in parts for sha in part.commits],
        commit=np.concatenate([p.commit + c for p, c in zip(parts, commits, strict=False)]).astype(np.int32),
        path=np.concatenate([part.path for part in parts]),
        definition=np.concatenate([part.definition for part in parts]),
        states=np.concatenate([row[part.states] for part, row in zip(parts, new_row, strict=True)]).astype(np.int32),
        action=np.concatenate([part.action for part in parts]),
        changed=_joined_words([part.changed for part in parts]),
        context=_joined_words([part.context for part in parts]),
        structure_offsets=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]),
        structure_ids=np.concatenate([p.structure_ids[span] for p, span in zip(parts, spans, strict=True)]),
        structure_depths=np.concatenate([p.structure_depths[span] for p, span in zip(parts, spans, strict=True)]),
        place=np.concatenate(places),
        place_words=_joined_words([part.place_words for part in parts]),
        first=parts[0].first,
        total=parts[0].total,
        state_hashes=np.concatenate([part.state_hashes[some] for part, some in zip(parts, kept, strict=True)]),
    )


def newest_edits(corpus: RepositoryCorpus, edits: int) -> RepositoryCorpus:
    """The newest ``edits`` of a corpus, and no more of its states and words than they need."""
    some = np.arange(min(edits, len(corpus)))
    commits = int(corpus.commit[some[-1]]) + 1 if len(some) else 0
    place = corpus.place[corpus.place[:, 0] < commits].copy()
    rows, row = np.unique(np.concatenate([corpus.states[some].reshape(-1), place[:, 3]]), return_inverse=True)
    place[:, 3] = row[2 * len(some) :]
    span = _spans(corpus.structure_offsets, rows)
    return RepositoryCorpus(
        name=corpus.name,
        head=corpus.head,
        commits=corpus.commits[:commits],
        commit=corpus.commit[some],
        path=corpus.path[some],
        definition=corpus.definition[some],
        states=row[: 2 * len(some)].reshape(-1, 2).astype(np.int32),
        action=corpus.action[some],
        changed=_newest_words(corpus.changed, len(some)),
        context=_newest_words(corpus.context, len(some)),
        structure_offsets=np.concatenate([[0], np.cumsum(np.diff(corpus.structure_offsets)[rows])]),
        structure_ids=corpus.structure_ids[span],
        structure_depths=corpus.structure_depths[span],
        place=place,
        place_words=_newest_words(corpus.place_words, len(place)),
        first=corpus.first,
        total=corpus.total,
        state_hashes=corpus.state_hashes[rows] if len(corpus.state_hashes) else corpus.state_hashes,
    )


def _spans(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the tokens of some rows, one row after another."""
    lengths = np.diff(offsets)[rows]
    ends = np.cumsum(lengths)
    return np.repeat(offsets[rows] - (ends - lengths), lengths) + np.arange(int(lengths.sum()))


def _joined_words(parts: list[Ragged]) -> Ragged:
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    columns = ("hashes", "role", "numbers", "net", "rank")
    values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return Ragged(np.concatenate([[0], np.cumsum(sizes)]), **values)


def _newest_words(words: Ragged, rows: int) -> Ragged:
    end = int(words.offsets[rows])
    columns = ("hashes", "role", "numbers", "net", "rank")
    return Ragged(words.offsets[: rows + 1].copy(), **{name: getattr(words, name)[:end].copy() for name in columns})


def common_words(corpora: Iterable[RepositoryCorpus], *, most: int = 3584) -> CommonWords:
    """The words most repositories share: in at least five edits of at least a third of them, by how many.

    Parts of one repository must follow each other; no two of them are kept in memory.
    """
    repositories: dict[int, int] = {}
    edits: dict[int, int] = {}
    counts: dict[int, int] = {}
    name, number = "", 0

    def close() -> None:
        for value, count in counts.items():
            if count >= 5:
                repositories[value] = repositories.get(value, 0) + 1
                edits[value] = edits.get(value, 0) + min(count, 500)
        counts.clear()

    for corpus in corpora:
        if corpus.name != name:
            close()
            name, number = corpus.name, number + 1
        low = (corpus.changed.hashes & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        for value, count in zip(*(column.tolist() for column in np.unique(low, return_counts=True)), strict=True):
            counts[value] = counts.get(value, 0) + count
    close()
    need = max(2, number // 3)
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
