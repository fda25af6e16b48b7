"""A pair of texts → what the edit encoder reads: the words of the edit with how they changed, and the two trees.

Words are those of the lines that changed, and of the lines around them ("context"). A word is a part of a split
identifier, a word of a string or comment, a number, a keyword, an operator; a compound identifier counts as a word of
its own as well (written ``=get_timeout``). Only the few thousand words common to many repositories are known to the
learned parts; every other word is "a rare word" to them and keeps its identity in its hashed directions alone, so
that the model cannot learn one repository's vocabulary by heart.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.records import dataclass
from codewm_lsp.source import (
    Definition,
    DefinitionKind,
    LeafRole,
    only_definition,
    parse_definitions,
    split_identifier,
    tokenize,
)
from codewm_lsp.source.vocabulary import PAD, START
from codewm_lsp.source.words import words_of_leaf
from codewm_lsp.world_model.actions import rich_action

FEATURES_VERSION: Final = 1
MAX_CHANGED: Final = 128
MAX_CONTEXT: Final = 96
MAX_STRUCTURE: Final = 320
IDENTITIES: Final = 768
LEVELS: Final = 8
NUMBERS: Final = 8
FIXED_NUMBERS: Final = (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)  # those that are the word's own, not its counts
LEXICAL: Final = 256  # numbers of a lexical sum
_MEMORABLE: Final = 8_192  # characters of the longest text whose definitions are remembered
_FLOAT = np.float32


@dataclass(frozen=True, slots=True)
class CommonWords:
    """The words that many repositories share, the commonest first, by hash (no text is kept).

    ``hashes`` is uint32 of shape (K,). The first ``IDENTITIES`` have an embedding of their own; the rest have only a
    level of rarity.
    """

    hashes: NDArray[np.uint32]

    def ranks(self) -> dict[int, int]:
        """Hash → rank."""
        return {int(value): rank for rank, value in enumerate(self.hashes)}


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one edit; all arrays have as many rows as ``keys``.

    ``identity``: 0 for a word without one. ``level``: 0 for a rare word, else 1 (commonest) to ``LEVELS`` - 1.
    ``role``: the part its first occurrence plays. ``numbers``: (n, NUMBERS) float32. ``net``: signed damped net count.
    """

    keys: tuple[str, ...]
    hashes: NDArray[np.uint64]
    identity: NDArray[np.int64]
    level: NDArray[np.int64]
    role: NDArray[np.int64]
    numbers: NDArray[np.float32]
    net: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EditFeatures:
    """What the edit encoder reads of one edit: its words, its rich action, its largest changed definition's texts."""

    changed: Words
    context: Words
    action: NDArray[np.float32]
    before: str
    after: str

    @property
    def empty(self) -> bool:
        """Whether the two texts differ in nothing that the tokeniser sees."""
        return not self.changed.keys


@lru_cache(maxsize=65_536)
def word_hash(word: str) -> int:
    """64 bits that stand for a word, the same on every machine; the low half finds it among the common ones."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def directions(hashes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The fixed random directions of words: (n,) hashes → (n, LEXICAL) signs ±1.

    The bits are those of SplitMix64 seeded with the hash (Steele, Lea and Flood, 2014), so that no table is stored.
    """
    words = LEXICAL // 64
    with np.errstate(over="ignore"):
        state = hashes[:, None] + np.arange(1, words + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    bits = np.unpackbits(state.astype("<u8").view(np.uint8), axis=1)
    return bits.astype(_FLOAT) * 2 - 1


@lru_cache(maxsize=1024)
def _occurrences(text: str) -> tuple[tuple[int, str, int], ...]:
    """(line, word, role) of every word of a definition's own text; compound identifiers also whole."""
    found: list[tuple[int, str, int]] = []
    for content, part, line in tokenize(text).leaves:
        role = int(part)
        if part < LeafRole.STRING:
            found += [(line, word, role) for word in identifier_words(content)]
        elif part <= LeafRole.COMMENT and "\n" in content:
            for offset, piece in enumerate(content.split("\n")):
                found += [(line + offset, word, role) for word in words_of_leaf(piece, part)]
        else:
            found += [(line, word, role) for word in words_of_leaf(content, part)]
    return tuple(found)


def _changed_lines(before: str, after: str) -> tuple[set[int], set[int]]:
    old, new = before.split("\n"), after.split("\n")
    old_counts = Counter(line.strip() for line in old)
    new_counts = Counter(line.strip() for line in new)
    removed = _surplus(old, new_counts)
    added = _surplus(new, old_counts)
    if not removed and not added:  # moved or indented only
        matcher = difflib.SequenceMatcher(None, old, new, autojunk=False) if len(old) + len(new) < 4000 else None
        for tag, i1, i2, j1, j2 in matcher.get_opcodes() if matcher else ():
            if tag != "equal":
                removed.update(range(i1, i2))
                added.update(range(j1, j2))
    return removed, added


def _surplus(lines: list[str], other: Counter[str]) -> set[int]:
    left = dict(other)
    surplus = set()
    for number, line in enumerate(lines):
        text = line.strip()
        if not text:
            continue
        count = left.get(text, 0)
        if count:
            left[text] = count - 1
        else:
            surplus.add(number)
    return surplus


def changed_pairs(before: str, after: str) -> list[tuple[str, str, str]]:
    """(before, after, kind) of the definitions that differ between two texts, each a definition or a whole file."""
    if only := _only_definition(before, after):
        return [(before, after, only[1].value)] if before != after else []
    old, new = _definitions(before), _definitions(after)
    pairs = []
    for name in [*new, *(name for name in old if name not in new)]:
        b, a = old.get(name), new.get(name)
        pair = (b.source if b else "", a.source if a else "")
        if pair[0] != pair[1]:
            kind = (a or b).kind.value  # type: ignore[union-attr]
            pairs.append((*pair, kind))
    return pairs


def _only_definition(before: str, after: str) -> tuple[str, DefinitionKind] | None:
    """What both texts are, where each is one and the same definition, or empty; None where a glance does not tell."""
    old, new = only_definition(before), only_definition(after)
    if not after:
        return old
    return new if old == new or not before else None


def _definitions(text: str) -> Mapping[str, Definition]:
    return _remembered(text) if len(text) <= _MEMORABLE else _definitions_of(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> Mapping[str, Definition]:
    """What one edit ended with, an older one of the same definition began with."""
    return _definitions_of(text)


def _definitions_of(text: str) -> Mapping[str, Definition]:
    return {definition.name: definition for definition in parse_definitions(text)} if text.strip() else {}


def edit_features(
    before: str,
    after: str,
    common: dict[int, int],
    *,
    most_changed: int = MAX_CHANGED,
    most_context: int = MAX_CONTEXT,
) -> EditFeatures:
    """Features of one edit given as two texts, either of them empty for an addition or a removal.

    ``common``: ``CommonWords.ranks()``. Of more words than wanted the rarest are kept. Total: any two texts give an
    answer.
    """
    pairs = changed_pairs(before, after)
    # word → [removed, added, context, role of the first changed occurrence, role of the first occurrence]
    table: dict[str, list[int]] = {}
    for old, new, _ in pairs:
        removed, added = _changed_lines(old, new)
        for line, word, role in _occurrences(old):
            if line in removed:
                row = table.setdefault(word, [0, 0, 0, -1, role])
                row[0] += 1
                if row[3] < 0:
                    row[3] = role
            elif not new:
                table.setdefault(word, [0, 0, 0, -1, role])[2] += 1
        for line, word, role in _occurrences(new):
            row = table.setdefault(word, [0, 0, 0, -1, role])
            if line in added:
                row[1] += 1
                if row[3] < 0:
                    row[3] = role
            else:
                row[2] += 1
    changed = [(word, row) for word, row in table.items() if row[0] or row[1]]
    around = [(word, row) for word, row in table.items() if not (row[0] or row[1])]
    largest = max(pairs, key=lambda pair: len(pair[0]) + len(pair[1]), default=("", "", "function"))
    words = _words([(changed, most_changed), (around, most_context)], common)
    return EditFeatures(
        changed=words[0],
        context=words[1],
        action=rich_action(largest[0], largest[1], DefinitionKind(largest[2])).astype(_FLOAT),
        before=largest[0],
        after=largest[1],
    )


def state_words(text: str, common: dict[int, int], *, most: int) -> Words:
    """The words of a definition as it stands; its counts are in the place of the context's (``numbers[:, 2]``)."""
    return _words([([(word, [0, 0, *row]) for word, row in _own_words(text).items()], most)], common)[0]


def own_words(text: str, common: dict[int, int], *, most: int) -> tuple[list[str], list[int], list[int]]:
    """What the words of a definition's state are made of: the words, their counts and roles. See ``state_words``."""
    table = _own_words(text)
    if len(table) > most:
        words = list(table)
        table = {words[i]: table[words[i]] for i in _rarest([_rank(word, common) for word in words], most)}
    return list(table), [row[0] for row in table.values()], [row[2] for row in table.values()]


def _own_words(text: str) -> dict[str, list[int]]:
    """Word → [how often it stands there, -1, role of the first]."""
    table: dict[str, list[int]] = {}
    for _, word, role in _occurrences(text):
        row = table.get(word)
        if row is None:
            table[word] = [1, -1, role]
        else:
            row[0] += 1
    return table


def _words(groups: Sequence[tuple[list[tuple[str, list[int]]], int]], common: dict[int, int]) -> list[Words]:
    """Groups of words, of each at most so many, the rarest; looked up together, which takes half the time."""
    rows: list[tuple[str, list[int]]] = []
    ranks: list[int] = []
    facts: list[bytes] = []
    ends = [0]
    for group, most in groups:
        known = [_known(word) for word, _ in group]
        own = [common.get(low, -1) for low, _ in known]
        kept = range(len(group)) if len(group) <= most else _rarest(own, most)
        rows += [group[i] for i in kept]
        ranks += [own[i] for i in kept]
        facts += [known[i][1] for i in kept]
        ends.append(len(rows))
    if not rows:
        return [NO_WORDS] * len(groups)
    counts = np.fromiter(chain.from_iterable([row for _, row in rows]), np.int64, 5 * len(rows)).reshape(-1, 5)
    delta = counts[:, 1] - counts[:, 0]
    net = np.copysign(np.log1p(np.abs(delta)), delta).astype(_FLOAT)
    fact = np.frombuffer(b"".join(facts), _FACT)
    numbers = np.empty((len(rows), NUMBERS), _FLOAT)
    numbers[:, :3] = np.log1p(counts[:, :3])
    numbers[:, 3] = np.abs(net)
    numbers[:, 4:7] = fact["shape"]
    numbers[:, 7] = delta == 0
    places = np.minimum(ranks, len(_LEVEL_OF_RANK) - 2)
    keys = [word for word, _ in rows]
    hashes = fact["hash"].astype(np.uint64)
    identity = np.where(places < IDENTITIES, places + 1, 0)
    level = _LEVEL_OF_RANK[places]
    role = np.where(counts[:, 3] >= 0, counts[:, 3], counts[:, 4])
    return [
        Words(
            keys=tuple(keys[start:end]),
            hashes=hashes[start:end],
            identity=identity[start:end],
            level=level[start:end],
            role=role[start:end],
            numbers=numbers[start:end],
            net=net[start:end],
        )
        for start, end in pairwise(ends)
    ]


def _rank(word: str, common: dict[int, int]) -> int:
    """The rank of a word among the common ones, -1 for a rare word."""
    return common.get(word_hash(word) & 0xFFFFFFFF, -1)


_FACT: Final = np.dtype([("hash", "=u8"), ("shape", "=f4", (3,))])
_PACKED: Final = Struct("=Q3f")


@lru_cache(maxsize=65_536)
def _known(word: str) -> tuple[int, bytes]:
    """What is a word's own: the half of its hash that finds it among the common ones; hash and ``shape_numbers`` as
    ``_FACT``."""
    own = word_hash(word)
    return own & 0xFFFFFFFF, _PACKED.pack(own, *shape_numbers(word))


def _rarest(ranks: list[int], most: int) -> list[int]:
    """Positions of the rarest words, which say most, in their order; of equally rare ones the first."""
    return sorted(sorted(range(len(ranks)), key=lambda i: (-(ranks[i] if ranks[i] >= 0 else 1 << 30), i))[:most])


def shape_numbers(word: str) -> tuple[float, ...]:
    """The numbers 4 to 6 of a word, which are its own: a compound, a number, its length."""
    return (1.0 if word[0] == "=" else 0.0, 1.0 if word[0].isdigit() else 0.0, min(len(word), 24) / 12 - 1)


def identity_of_rank(rank: int) -> int:
    """1 to ``IDENTITIES`` for the commonest words, 0 for one without an embedding of its own."""
    return rank + 1 if 0 <= rank < IDENTITIES else 0


def level_of_rank(rank: int) -> int:
    """1 for the 32 commonest words, one more for every doubling, 0 for a rare word."""
    return 0 if rank < 0 else min(LEVELS - 1, max(1, (rank + 1).bit_length() - 5))


_LEVEL_OF_RANK: Final = np.array([level_of_rank(rank) for rank in (*range(1 << (LEVELS + 4)), -1)], np.int64)
"""By rank, that of a rare word last; beyond it all are of the last level."""

NO_WORDS: Final = Words(
    keys=(),
    hashes=np.zeros(0, np.uint64),
    identity=np.zeros(0, np.int64),
    level=np.zeros(0, np.int64),
    role=np.zeros(0, np.int64),
    numbers=np.zeros((0, NUMBERS), np.float32),
    net=np.zeros(0, np.float32),
)


def structure_tokens(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and depths of a definition's tree, a start token first, at most ``MAX_STRUCTURE`` of them."""
    tokens = tokenize(text)
    ids = np.array((START, *tokens.ids[: MAX_STRUCTURE - 1]), np.int64)
    depths = np.array((0, *tokens.depths[: MAX_STRUCTURE - 1]), np.int64)
    return ids, depths


def of_similar_length(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Rows in batches, the shortest first: ``most`` tokens at most with the padding, or a single row."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths[order[end]] <= most:
            end += 1
        yield order[start:end]
        start = end


def padded_structures(
    tokens: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What ``structure_tokens`` gave of some definitions, as arrays of ids and depths (B, T)."""
    width = max(len(ids) for ids, _ in tokens)
    ids = np.full((len(tokens), width), PAD, np.int64)
    depths = np.zeros((len(tokens), width), np.int64)
    for row, own in enumerate(tokens):
        ids[row, : len(own[0])], depths[row, : len(own[1])] = own
    return ids, depths


@lru_cache(maxsize=16_384)
def identifier_words(identifier: str) -> tuple[str, ...]:
    """The words a name contributes: its parts, and itself when it has several."""
    parts = split_identifier(identifier)
    return (*parts, "=" + identifier[:96]) if len(parts) > 1 else parts
