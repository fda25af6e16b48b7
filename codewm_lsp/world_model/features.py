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
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.source import Definition, DefinitionKind, Role, parse_definitions, split_identifier, tokenize
from codewm_lsp.source.vocabulary import START
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
_TEXTUAL: Final = (Role.STRING, Role.DOCSTRING, Role.COMMENT)
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


@lru_cache(maxsize=262_144)
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


@lru_cache(maxsize=4096)
def _occurrences(text: str) -> tuple[tuple[int, str, int], ...]:
    """(line, word, role) of every word of a definition's own text; compound identifiers also whole."""
    found: list[tuple[int, str, int]] = []
    for leaf in tokenize(text).leaves:
        role = int(leaf.role)
        if leaf.role in _TEXTUAL:
            if "\n" in leaf.text:
                for offset, line in enumerate(leaf.text.split("\n")):
                    for word in words_of_leaf(type(leaf)(line, leaf.role, leaf.line)):
                        found.append((leaf.line + offset, word, role))
                continue
            found.extend((leaf.line, word, role) for word in words_of_leaf(leaf))
            continue
        parts = words_of_leaf(leaf)
        found.extend((leaf.line, word, role) for word in parts)
        if len(parts) > 1:
            found.append((leaf.line, "=" + leaf.text[:96], role))
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
    old, new = _definitions(before), _definitions(after)
    pairs = []
    for name in [*new, *(name for name in old if name not in new)]:
        b, a = old.get(name), new.get(name)
        pair = (b.source if b else "", a.source if a else "")
        if pair[0] != pair[1]:
            kind = (a or b).kind.value  # type: ignore[union-attr]
            pairs.append((*pair, kind))
    return pairs


def _definitions(text: str) -> dict[str, Definition]:
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
    return EditFeatures(
        changed=_words(changed, common, most_changed),
        context=_words(around, common, most_context),
        action=rich_action(largest[0], largest[1], DefinitionKind(largest[2])).astype(_FLOAT),
        before=largest[0],
        after=largest[1],
    )


def state_words(text: str, common: dict[int, int], *, most: int) -> Words:
    """The words of a definition as it stands; its counts are in the place of the context's (``numbers[:, 2]``)."""
    table: dict[str, list[int]] = {}
    for _, word, role in _occurrences(text):
        table.setdefault(word, [0, 0, 0, -1, role])[2] += 1
    return _words(list(table.items()), common, most)


def _words(rows: list[tuple[str, list[int]]], common: dict[int, int], most: int) -> Words:
    ranked = [(common.get(word_hash(word) & 0xFFFFFFFF, -1), word, row) for word, row in rows]
    if len(ranked) > most:  # the rarest say most
        order = sorted(range(len(ranked)), key=lambda i: (-_rarity(ranked[i][0]), i))[:most]
        ranked = [ranked[i] for i in sorted(order)]
    count = len(ranked)
    numbers = np.zeros((count, NUMBERS), _FLOAT)
    net = np.zeros(count, _FLOAT)
    for i, (_, word, row) in enumerate(ranked):
        delta = row[1] - row[0]
        net[i] = math.copysign(math.log1p(abs(delta)), delta) if delta else 0.0
        numbers[i] = (
            math.log1p(row[0]),
            math.log1p(row[1]),
            math.log1p(row[2]),
            abs(net[i]),
            1.0 if word[0] == "=" else 0.0,
            1.0 if word[0].isdigit() else 0.0,
            min(len(word), 24) / 12 - 1,
            1.0 if delta == 0 else 0.0,
        )
    return Words(
        keys=tuple(word for _, word, _ in ranked),
        hashes=np.array([word_hash(word) for _, word, _ in ranked], np.uint64),
        identity=np.array([rank + 1 if 0 <= rank < IDENTITIES else 0 for rank, _, _ in ranked], np.int64),
        level=np.array([level_of_rank(rank) for rank, _, _ in ranked], np.int64),
        role=np.array([row[3] if row[3] >= 0 else row[4] for _, _, row in ranked], np.int64),
        numbers=numbers,
        net=net,
    )


def _rarity(rank: int) -> int:
    return rank if rank >= 0 else 1 << 30


def level_of_rank(rank: int) -> int:
    """1 for the 32 commonest words, one more for every doubling, 0 for a rare word."""
    return 0 if rank < 0 else min(LEVELS - 1, max(1, (rank + 1).bit_length() - 5))


def structure_tokens(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and depths of a definition's tree, a start token first, at most ``MAX_STRUCTURE`` of them."""
    tokens = tokenize(text)
    ids = np.array((START, *tokens.ids[: MAX_STRUCTURE - 1]), np.int64)
    depths = np.array((0, *tokens.depths[: MAX_STRUCTURE - 1]), np.int64)
    return ids, depths


def identifier_words(identifier: str) -> tuple[str, ...]:
    """The words a name contributes: its parts, and itself when it has several."""
    parts = split_identifier(identifier)
    return (*parts, "=" + identifier[:96]) if len(parts) > 1 else parts
